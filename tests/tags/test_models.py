"""What a single model of the Tagger does beyond the contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from tagloom import Products, Tagger
from tagloom.artifact import ArtifactError
from tagloom.config import TaggerSettings
from tagloom.data.words.wordvectors import WordVectors
from tagloom.nn.linear import LinearEncoder
from tagloom.tags.models import BagModel, LinearModel, PopularModel, TrainingData, _train, load_model, save_model

ROWS = csr_matrix(np.array([[1, 0, 2], [0, 0, 0], [0, 3, 0]], np.float32))
TAGS = np.array([1, 0])


def test_popular_scores_are_log_odds_drawn_to_even():
    truth = csr_matrix(np.array([[1, 0], [1, 0], [1, 1]], np.float32))
    data = TrainingData(None, (ROWS, truth), (ROWS, truth))
    model, trained = PopularModel.fit(data, TaggerSettings())
    assert trained is None
    np.testing.assert_allclose(model.log_odds, np.log([3.5 / 0.5, 1.5 / 2.5]), rtol=1e-6)
    assert model.scores(ROWS).tolist() == [model.log_odds.tolist()] * 3


def test_linear_scores_and_what_carried_them():
    model = LinearModel._without_below(
        0.0, np.array([[1, 2], [3, 4], [5, 6]], np.float32), np.array([10, 20], np.float32)
    )
    assert model.scores(ROWS).tolist() == [[21, 34], [10, 20], [19, 32]]
    assert model.carried(ROWS[0].indices, ROWS[0].data, TAGS).tolist() == [[2, 1], [12, 10]]
    assert model.carried(ROWS[1].indices, ROWS[1].data, TAGS).shape == (0, 2)


def test_bag_scores_and_what_carried_them():
    words, tags = np.array([[1, 0], [0, 1], [1, 1]], np.float32), np.array([[1, 2], [3, 4]], np.float32)
    model = BagModel(words, tags, np.array([10, 20], np.float32))
    assert model.scores(ROWS).tolist() == [[17, 37], [10, 20], [16, 32]]
    assert model.carried(ROWS[0].indices, ROWS[0].data, TAGS).tolist() == [[3, 1], [14, 6]]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("popular", PopularModel(np.float32([1, 2]))),
        ("linear", LinearModel._without_below(0.5, np.ones((3, 2), np.float32), np.float32([1, 2]))),
        ("bag", BagModel(np.ones((3, 4), np.float32).T[:3], np.ones((2, 3), np.float32), np.float32([1, 2]))),
    ],
)
def test_a_model_comes_back_from_its_file(name, model, tmp_path):
    save_model(model, tmp_path)
    loaded = load_model(name, tmp_path)
    assert type(loaded) is type(model)
    for key, array in model.arrays().items():
        np.testing.assert_array_equal(loaded.arrays()[key], array)


def test_weights_that_are_none_are_refused_by_name(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(ArtifactError, match=r"weights\.safetensors: damaged"):
        load_model("linear", tmp_path)


def test_the_bag_starts_from_the_shops_word_vectors_and_takes_their_width():
    products = Products.of([{"product_id": str(n), "title": f"five trees {n}", "tags": ["a"]} for n in range(20)])
    vectors = WordVectors(("five trees", "tea"), np.full((2, 12), 7, np.float32))
    # A step size next to nothing leaves the vectors where they started.
    asked = {"encoder": "bag", "learning_rate": 1e-9, "epochs": 1, "ngrams": 1}
    tagger = Tagger(**asked).fit(products, custom_words=["five trees"], word_vectors=vectors)
    np.testing.assert_allclose(tagger._fitted.model.words, 7, rtol=1e-5)
    assert tagger._fitted.features.terms == ("five trees",)
    assert tagger._fitted.model.words.shape[1] == 12
    without = Tagger(**asked, word_vectors=False, width=16).fit(products, word_vectors=vectors)
    assert without._fitted.model.words.shape[1] == 16


def test_numbers_that_run_away_in_a_later_pass_leave_the_best_one_and_a_warning():
    truth = csr_matrix(np.eye(2, dtype=np.float32)[[0, 0, 1]])
    made = []

    def make():
        made.append(LinearEncoder(3, torch.zeros(2)))
        return made[-1]

    def spoil(number, figures):
        with torch.no_grad():
            made[-1].words.weight.fill_(float("nan"))

    data = TrainingData(None, (ROWS, truth), (ROWS, truth), progress=spoil)
    with pytest.warns(RuntimeWarning, match=r"stopped in pass 2: the loss was no finite.*Lower tagger\.learning_rate"):
        encoder, trained = _train(make, data, TaggerSettings(learning_rate=1.0))
    assert (trained.epochs, trained.best_epoch) == (1, 1)
    assert encoder.words.weight.isfinite().all()


def test_weights_that_valid_does_not_miss_are_left_out():
    rng = np.random.default_rng(0)
    features = csr_matrix(np.eye(4, dtype=np.float32)[rng.integers(0, 4, 400)])
    truth = csr_matrix((features.toarray() > 0).astype(np.float32))
    data = TrainingData(None, (features, truth), (features[:100], truth[:100]))
    model, _ = LinearModel.fit(data, TaggerSettings(learning_rate=4.0, epochs=2))
    assert np.abs(model.values).min() >= 0.6  # every feature means one tag, so only strong weights are needed
    assert model.scores(features[:50]).argmax(1).tolist() == features[:50].toarray().argmax(1).tolist()
