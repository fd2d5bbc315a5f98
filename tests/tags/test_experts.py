"""What each expert does beyond the contract: popular, linear, bag, nearest and name, on data small enough to reckon."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from tagloom import Products, Tagger
from tagloom.artifact import ArtifactError
from tagloom.config import TaggerSettings
from tagloom.data.words.text import WordSplitter
from tagloom.data.words.wordvectors import WordVectors
from tagloom.nn.linear import LinearEncoder
from tagloom.tags.experts.bag import BagExpert
from tagloom.tags.experts.contract import Part, TrainingData
from tagloom.tags.experts.learning import learn, sparse_batches, warn_if_broken_off
from tagloom.tags.experts.linear import MOST_WEIGHTS, LinearExpert, picked
from tagloom.tags.experts.name import NameExpert, spellings_of
from tagloom.tags.experts.nearest import NearestExpert, tag_vectors
from tagloom.tags.experts.popular import PopularExpert
from tagloom.tags.features import Features
from tagloom.tags.models import load_expert, save_expert

SETTINGS = TaggerSettings(min_documents=1, ngrams=1)


def training_data(texts_and_tags, names, valid=None, aliases=None, settings=SETTINGS, **more):
    """What an expert learns from, of (text, tags) pairs; valid is the same unless given."""
    texts = [text for text, _ in texts_and_tags]
    features = Features.fit(list(dict.fromkeys(texts)), settings, WordSplitter())

    def part(pairs):
        truth = np.array([[name in tags for name in names] for _, tags in pairs], np.float32)
        return Part.of(features, [text for text, _ in pairs], csr_matrix(truth))

    train = part(texts_and_tags)
    return TrainingData(features, train, part(valid) if valid else train, tuple(names), aliases or {}, (), **more)


def carried_by(expert, data, text, tags):
    ((terms, added),) = expert.carried(data.features.read([text]), np.array([tags]))
    return dict(zip(terms, added.astype(float).round(4).tolist(), strict=True))


# Parts: equal texts joined


def test_the_products_of_one_text_are_one_row_that_counts_for_all():
    data = training_data([("tea", "a"), ("lamp", "b"), ("tea", "ab"), ("tea", "a")], "ab")
    assert data.train.reading.texts == ("tea", "lamp")
    assert data.train.text_of.tolist() == [0, 1, 0, 0]
    assert data.train.weights.tolist() == [3, 1]
    np.testing.assert_allclose(data.train.truth.toarray(), [[1, 1 / 3], [0, 1]], rtol=1e-6)
    assert data.counts == pytest.approx([3, 2])
    head = data.train.head(1)
    assert (head.reading.texts, head.weights.tolist()) == (("tea",), [3])
    np.testing.assert_allclose(head.truth.toarray(), [[1, 1 / 3]], rtol=1e-6)


# Popular


def test_popular_scores_are_log_odds_drawn_to_even():
    data = training_data([("x", "a"), ("y", "a"), ("z", "ab")], "ab")
    expert, trained = PopularExpert.fit(data, SETTINGS)
    assert trained is None
    np.testing.assert_allclose(expert.log_odds, np.log([3.5 / 0.5, 1.5 / 2.5]), rtol=1e-6)
    assert expert.scores(data.features.read(["x", "?"])).tolist() == [expert.log_odds.tolist()] * 2


# Linear


def test_linear_scores_and_what_carried_them():
    data = training_data([("x", "a"), ("y", "b"), ("z", "b")], "ab")
    weights = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    expert = LinearExpert._without_below(0.0, weights, np.array([10, 20], np.float32))
    root = 2**-0.5
    np.testing.assert_allclose(
        expert.scores(data.features.read(["x", "x z", ""])),
        [[11, 22], [10 + 6 * root, 20 + 8 * root], [10, 20]],
        rtol=1e-6,
    )
    assert carried_by(expert, data, "x z", [1, 0]) == {"x": [1.4142, 0.7071], "z": [4.2426, 3.5355]}
    assert carried_by(expert, data, "?", [1, 0]) == {}


def test_rows_and_columns_are_picked_the_same_way_of_few_tags_and_of_many():
    dense = np.random.default_rng(0).random((20, 6_000)) * (np.random.default_rng(1).random((20, 6_000)) < 0.1)
    rows, columns = np.array([3, 0, 19]), np.array([5, 4_000, 5])
    np.testing.assert_array_equal(picked(csr_matrix(dense), rows, columns), dense[np.ix_(rows, columns)])
    few = dense[:, :50]
    np.testing.assert_allclose(picked(csr_matrix(few), rows, columns % 50), few[np.ix_(rows, columns % 50)], rtol=1e-6)


def test_weights_that_valid_does_not_miss_are_left_out():
    draw = np.random.default_rng(0).integers(0, 4, 400)
    data = training_data([(f"word{n} {ix}", [f"t{n}"]) for ix, n in enumerate(draw)], [f"t{n}" for n in range(4)])
    expert, _ = LinearExpert.fit(data, TaggerSettings(learning_rate=4.0, epochs=2))
    assert np.abs(expert.values).min() >= 0.6  # every word means one tag, so only strong weights are needed
    assert expert.scores(data.features.read([f"word{n}" for n in range(4)])).argmax(1).tolist() == [0, 1, 2, 3]


def test_a_table_too_large_for_linear_is_refused_before_it_is_made():
    class Many(tuple):
        def __len__(self):
            return MOST_WEIGHTS

    data = training_data([("x", "a"), ("y", "b")], "ab")
    huge = TrainingData(data.features, data.train, data.valid, Many(), {}, ())
    with pytest.raises(Exception, match="more weights than its table holds"):
        LinearExpert.fit(huge, SETTINGS)


# Bag


def test_bag_scores_are_those_of_its_network_and_what_carried_them_adds_up():
    from tagloom.nn.bag import BagEncoder

    data = training_data([("x w", "a"), ("y", "b"), ("z w", "b")], "ab")
    encoder = BagEncoder(4, 8, torch.tensor([1.0, 2.0]), torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        encoder.tags.weight.mul_(50)
        encoder.norm.weight.uniform_(0.5, 2, generator=torch.Generator().manual_seed(1))
    norm = torch.stack([encoder.norm.weight, encoder.norm.bias])
    parts = (encoder.words.weight, norm, encoder.tags.weight, encoder.tags.bias)
    expert = BagExpert(*(part.detach().numpy() for part in parts))
    reading = data.features.read(["x w z", "y", "w"])
    ((inputs, _, _),) = sparse_batches(Part(reading, csr_matrix((3, 2)), np.arange(3)), 9)
    with torch.no_grad():
        np.testing.assert_allclose(expert.scores(reading), encoder(*inputs).numpy(), rtol=1e-4, atol=1e-4)
    ((_, added), *_) = expert.carried(reading, np.array([[0, 1]] * 3))
    # All units open or closed as they are, the sum of the words is the score but for a rest without words.
    np.testing.assert_allclose(added.sum(0) + expert.bias, expert.scores(reading)[0], rtol=1e-3, atol=1e-3)


def test_the_bag_starts_from_the_shops_word_vectors_and_takes_their_width():
    products = Products.of([{"product_id": str(n), "title": f"five trees {n}", "tags": ["a"]} for n in range(20)])
    vectors = WordVectors(("five trees", "tea"), np.full((2, 12), 7, np.float32))
    # A step size next to nothing leaves the vectors where they started.
    asked = {"encoder": "bag", "learning_rate": 1e-9, "epochs": 1, "ngrams": 1}
    told = {"custom_words": ["five trees"], "word_vectors": vectors}
    fitted = Tagger(**asked, word_vectors=True).fit(products, **told)._fitted
    np.testing.assert_allclose(fitted.experts["bag"].words, 7, rtol=1e-5)
    assert fitted.features.terms == ("five trees",)
    assert fitted.experts["bag"].words.shape[1] == 12
    without = Tagger(**asked, word_vectors=False, width=16).fit(products, **told)._fitted
    assert without.experts["bag"].words.shape[1] == 16


# Nearest


def test_a_tags_vector_is_the_mean_of_its_texts_and_a_score_the_cosine():
    data = training_data([("x w", "a"), ("x", "a"), ("y", "b")], "ab")
    expert, _ = NearestExpert.fit(data, SETTINGS)
    np.testing.assert_allclose(np.linalg.norm(expert.vectors.toarray(), axis=0), [1, 1], rtol=1e-6)
    rows = data.features.rows(["x w", "x"]).toarray().sum(0)
    np.testing.assert_allclose(expert.vectors.toarray()[:, 0], rows / np.linalg.norm(rows), rtol=1e-5)
    scores = expert.scores(data.features.read(["y", "?"])) - data.prior
    np.testing.assert_allclose(scores, [[0, 10], [0, 0]], atol=1e-4)


def test_a_text_of_three_products_weighs_as_much_as_three_texts():
    one = training_data([("x w", "a")] * 3 + [("x v", "a")], "a")
    vectors = NearestExpert.fit(one, SETTINGS)[0].vectors.toarray()[:, 0]
    weight = dict(zip(one.features.terms, vectors, strict=True))
    assert weight["w"] == pytest.approx(3 * weight["v"])


def test_small_terms_are_left_out_of_a_vector():
    rows = csr_matrix(np.array([[1.0, 0.001], [1.0, 0.5]]))
    found = tag_vectors(rows, csr_matrix(np.eye(2)))
    assert found.toarray()[0].tolist() == [1, 0]
    assert (found.toarray()[1] > 0).all()


# Name


def names_of(names, texts, aliases=None):
    """Which names stand in which texts."""
    data = training_data([(text, names[:1]) for text in texts], names, aliases=aliases)
    expert, _ = NameExpert.fit(data, SETTINGS)
    scores = expert.scores(data.features.read(texts))
    return [
        {name for name, score, absent in zip(names, row, expert.absent, strict=True) if score != absent}
        for row in scores
    ]


@pytest.mark.parametrize(
    ("name", "text", "stands"),
    [
        ("牛仔", "宽松牛仔外套", True),  # inside a run of Chinese, however that was cut
        ("仔外", "宽松牛仔外套", True),
        ("牛外", "宽松牛仔外套", False),
        ("外套", "宽松 外套，新款", True),
        ("連衣裙", "红色连衣裙", True),  # traditional and simplified
        ("hat", "a hat for you", True),
        ("hat", "what a chat", False),  # whole words only
        ("hat", "hats", False),
        ("Dark Blue", "very dark blue jeans", True),
        ("dark blue", "dark and blue", False),
        ("dark blue", "DARK   blue", True),
        ("5g手机", "新款5G手机壳", True),  # both scripts
        ("手机5g", "新款手机5g版", True),
        ("t恤衫", "纯棉T恤衫", True),
        ("5g手机", "15g手机", False),
        ("colour=red", "a red dress", True),
        ("颜色=红", "大红色的裙子", True),
        ("colour=red", "colour", False),
        ("wi-fi", "wi-fi router", True),
        ("100%", "100% cotton", True),
        ("100", "100% cotton", False),
        ("!!!", "what !!!", False),
    ],
)
def test_a_name_stands_in_a_text_or_does_not(name, text, stands):
    assert names_of([name, "other"], [text, "nothing", "other"])[0] == ({name} if stands else set())


def test_an_alias_is_the_tag_and_one_word_may_be_several_tags():
    found = names_of(
        ["女装", "colour=rose", "flower=rose"],
        ["women's wear", "rose dress", "女装"],
        aliases={"女装": ("Women's Wear", "lady")},
    )
    assert found == [{"女装"}, {"colour=rose", "flower=rose"}, {"女装"}]


def test_a_custom_word_is_a_name_too():
    features = Features.fit(["five trees tea", "five tea"], SETTINGS, WordSplitter(("five trees", "安利(Amway)")))
    truth = csr_matrix(np.ones((2, 2), np.float32))
    train = Part.of(features, ["five trees tea 安利(amway)", "five tea"], truth)
    data = TrainingData(features, train, train, ("Five Trees", "安利（Amway）"), {}, ())
    expert, _ = NameExpert.fit(data, SETTINGS)
    assert (expert.scores(train.reading) != expert.absent).tolist() == [[True, True], [False, False]]


def test_how_often_a_name_was_right_is_what_it_says():
    """`silk` is right wherever it stands, `red` never; `other` is there without its name."""
    texts = [("silk dress", ["silk"])] * 40 + [("red dress", ["other"])] * 40 + [("blue dress", ["other"])] * 20
    data = training_data(texts, ["silk", "red", "other"])
    expert, _ = NameExpert.fit(data, SETTINGS)
    chance = 1 / (1 + np.exp(-expert.found.astype(float)))
    assert chance[0] > 0.9
    assert chance[1] < 0.1
    assert 0.4 < chance[2] < 0.6  # never stood there: what holds for all names
    np.testing.assert_allclose(1 / (1 + np.exp(-expert.absent)), [0.5 / 61, 0.5 / 61, 60.5 / 101], rtol=0.05)
    assert carried_by(expert, data, "silk and red", [0, 1]).keys() == {"silk", "red"}
    assert carried_by(expert, data, "silk and red", [0, 1])["silk"][1] == 0


def test_the_value_is_the_spelling_and_the_name_where_there_is_none():
    assert spellings_of("颜色=深 蓝", ("Navy", "navy")) == ("深 蓝", "navy")
    assert spellings_of("colour=") == ("colour=",)
    assert spellings_of("   ") == ()


# All of them


def test_an_expert_comes_back_from_its_files(tmp_path):
    data = training_data([("x w", "a"), ("y", "b"), ("x", "a")] * 5, "ab")
    for name, cls in (("popular", PopularExpert), ("nearest", NearestExpert), ("name", NameExpert)):
        expert, _ = cls.fit(data, SETTINGS)
        save_expert(name, expert, tmp_path)
        loaded = load_expert(name, tmp_path, data.features)
        assert type(loaded) is cls
        assert loaded.about() == expert.about() or name == "name"
        for key, array in expert.arrays().items():
            np.testing.assert_array_equal(loaded.arrays()[key], array)


def test_weights_that_are_none_are_refused_by_name(tmp_path):
    (tmp_path / "linear.safetensors").write_bytes(b"no weights")
    (tmp_path / "linear.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"linear\.safetensors: damaged"):
        load_expert("linear", tmp_path, None)


def test_numbers_that_run_away_in_a_later_pass_leave_the_best_one_and_a_warning():
    made = []

    def make():
        made.append(LinearEncoder(3, torch.zeros(2)))
        return made[-1]

    def spoil(number, figures):
        with torch.no_grad():
            made[-1].words.weight.fill_(float("nan"))

    data = training_data([("x", "a"), ("y", "a"), ("z", "b")], "ab", progress=spoil)
    batches = sparse_batches(data.train, 2, 0), sparse_batches(data.valid, 2)
    encoder, trained = learn(make, batches, data, TaggerSettings(learning_rate=1.0), optimiser="sgd", dropout=0.0)
    assert (trained.epochs, trained.best_epoch) == (1, 1)
    assert encoder.words.weight.isfinite().all()
    with pytest.warns(RuntimeWarning, match=r"stopped in pass 2: the loss was no finite.*Lower tagger\.learning_rate"):
        warn_if_broken_off(trained, 1.0)
