"""Label trees: what omikuji grew answers as omikuji itself does."""

from __future__ import annotations

import numpy as np
import omikuji
import pytest
from scipy.sparse import csr_matrix

from tagloom.config import TaggerSettings
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError
from tagloom.tags.experts.contract import Part, TrainingData
from tagloom.tags.experts.tree import TreeExpert, _read_forest, _silent, _write_svm
from tagloom.tags.features import Features


def catalogue(tags, copies, seed=0, noise=3):
    """Each tag has a word of its own and shares one with nine others; the rest is noise."""
    draw = np.random.default_rng(seed)
    texts, truth = [], np.zeros((tags * copies, tags), np.float32)
    for row in range(tags * copies):
        tag = row % tags
        words = [f"own{tag}", f"group{tag // 10}", *(f"w{word}" for word in draw.integers(0, 50, noise))]
        texts.append(" ".join(words))
        truth[row, tag] = 1
    features = Features.fit(texts, TaggerSettings(min_documents=1, ngrams=1), WordSplitter())
    part = Part.of(features, texts, csr_matrix(truth))
    return TrainingData(features, part, part, tuple(f"t{tag}" for tag in range(tags)), {}, ())


def grown(data, folder, **settled):
    """A forest of omikuji, and ours from its files."""
    _write_svm(folder / "train.txt", data.train)
    wanted = omikuji.Model.default_hyper_param()
    for name, value in settled.items():
        setattr(wanted, name, value)
    with _silent():
        theirs = omikuji.Model.train_on_data(str(folder / "train.txt"), wanted, n_threads=1)
        theirs.save(str(folder))
        theirs = omikuji.Model.load(str(folder))
    return theirs, _read_forest(sorted(folder.glob("tree*.cbor")), len(data.features), data.prior)


def predicted(theirs, row, tags):
    """omikuji's probability of each tag for one row, every branch looked at."""
    pairs = list(zip(row.indices.tolist(), row.data.tolist(), strict=True))
    found = np.zeros(tags)
    for tag, score in theirs.predict(pairs, beam_size=10_000, top_k=tags):
        found[tag] = score
    return found


@pytest.mark.parametrize(
    ("tags", "settled"),
    [
        (8, {"n_trees": 1}),  # a root with leaves
        (60, {"n_trees": 3, "min_branch_size": 10}),
        (120, {"n_trees": 2, "min_branch_size": 3, "max_depth": 20}),  # many levels
        (60, {"n_trees": 2, "min_branch_size": 5, "cluster_k": 4}),
        (60, {"n_trees": 1, "min_branch_size": 4, "collapse_every_n_layers": 2}),
    ],
)
def test_the_answers_are_those_of_omikuji(tags, settled, tmp_path):
    data = catalogue(tags, 4)
    theirs, ours = grown(data, tmp_path, **settled)
    texts = [*data.train.reading.texts[:: max(1, tags // 8)], "own1 own2 own7", "w1", "group0 w3 w3", "own3 stranger"]
    reading = data.features.read(texts)
    expected = np.stack([predicted(theirs, reading.rows[ix], tags) for ix in range(len(texts))])
    odds = np.clip(expected, 1e-5, 1 - 1e-5)
    scores = ours.scores(reading)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores.astype(float))), odds, atol=1e-4)
    assert (scores.argmax(1) == expected.argmax(1)).mean() > 0.9  # some are tied


def test_a_tree_of_many_levels_is_read_whole(tmp_path):
    data = catalogue(120, 4)
    _, ours = grown(data, tmp_path, n_trees=2, min_branch_size=3)
    assert ours.trees == 2
    assert len(ours._levels) >= 4
    leaves = ours.labels[ours.labels >= 0]
    assert sorted(leaves.tolist()) == sorted([*range(120)] * 2)
    assert (ours.parents < np.arange(len(ours.parents))).all()


def test_a_planted_tag_is_found_and_its_word_carried_it():
    data = catalogue(150, 4)
    expert, trained = TreeExpert.fit(data, TaggerSettings())
    assert trained is None
    reading = data.features.read([f"w1 own{tag} w2" for tag in range(150)])
    assert (expert.scores(reading).argmax(1) == np.arange(150)).mean() > 0.98
    carried = expert.carried(reading, np.arange(150)[:, None])
    strongest = [terms[int(added[:, 0].argmax())] for terms, added in carried]
    assert np.mean([term == f"own{tag}" for tag, term in enumerate(strongest)]) > 0.95


def test_a_text_without_a_known_word_has_the_prior():
    data = catalogue(20, 4)
    expert, _ = TreeExpert.fit(data, TaggerSettings())
    scores = expert.scores(data.features.read(["", "stranger", "own3"]))
    np.testing.assert_array_equal(scores[:2], np.stack([data.prior] * 2))
    assert scores[2].argmax() == 3
    assert [len(terms) for terms, _ in expert.carried(data.features.read(["", "own3"]), np.array([[0], [3]]))] == [0, 1]


def test_a_tag_that_no_tree_has_keeps_its_prior():
    """All its products are without a known word."""
    data = catalogue(20, 4)
    truth = np.hstack([data.train.products.toarray(), np.zeros((80, 1), np.float32)])
    more = Part(data.train.reading, csr_matrix(truth), data.train.text_of)
    wider = TrainingData(data.features, more, more, (*data.names, "nowhere"), {}, ())
    expert, _ = TreeExpert.fit(wider, TaggerSettings())
    scores = expert.scores(data.features.read(["own3"]))
    assert scores[0, 20] == wider.prior[20]


def test_without_a_known_word_there_is_nothing_to_grow():
    data = catalogue(5, 2)
    unread = Part.of(data.features, ["stranger"] * 4, csr_matrix(np.ones((4, 5), np.float32)))
    with pytest.raises(DataError, match=r"no training text has a known word and a tag.*min_documents"):
        TreeExpert.fit(TrainingData(data.features, unread, unread, data.names, {}, ()), TaggerSettings())


def test_growing_is_silent(capfd):
    TreeExpert.fit(catalogue(5, 2), TaggerSettings())
    assert capfd.readouterr() == ("", "")
