"""Label trees: how they grow, and that they answer as omikuji's do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from tagloom.config import TaggerSettings
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError
from tagloom.tags.experts import grow as growing
from tagloom.tags.experts.contract import Part, TrainingData
from tagloom.tags.experts.grow import Node, grow, machines
from tagloom.tags.experts.tree import TreeExpert, forest
from tagloom.tags.features import Features

SETTINGS = TaggerSettings(trees=2)


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


# How they grow


@pytest.mark.parametrize("tags", [12, 350])
def test_a_planted_tag_is_found_and_its_word_carried_it(tags):
    data = catalogue(tags, 4)
    expert, trained = TreeExpert.fit(data, SETTINGS)
    assert trained is None
    assert expert.trees == 2
    reading = data.features.read([f"w1 own{tag} w2" for tag in range(tags)])
    assert (expert.scores(reading).argmax(1) == np.arange(tags)).mean() > 0.97
    carried = expert.carried(reading, np.arange(tags)[:, None])
    strongest = [terms[int(added[:, 0].argmax())] for terms, added in carried]
    assert np.mean([term == f"own{tag}" for tag, term in enumerate(strongest)]) > 0.95


def test_a_tree_has_every_tag_once_and_no_leaf_has_more_than_a_hundred(monkeypatch):
    monkeypatch.setattr(growing, "_LEAF", 8)

    def leaves(node, depth=0):
        assert len(node.children) in (0, 2)
        assert node.weights.shape == (len(node.terms), 2 if node.children else len(node.tags))
        if not node.children:
            return [(depth, node.tags.tolist())]
        return [leaf for child in node.children for leaf in leaves(child, depth + 1)]

    found = leaves(grow(catalogue(100, 3).train, (0,)))
    assert sorted(tag for _, tags in found for tag in tags) == list(range(100))
    assert all(len(tags) < 8 for _, tags in found)
    assert {depth for depth, _ in found} == {4}  # halves of halves


def test_a_deep_tree_finds_the_planted_tag(monkeypatch):
    monkeypatch.setattr(growing, "_LEAF", 3)
    data = catalogue(120, 4)
    expert, _ = TreeExpert.fit(data, SETTINGS)
    assert len(expert._levels) >= 5
    assert (expert.parents < np.arange(len(expert.parents))).all()
    reading = data.features.read([f"w1 own{tag}" for tag in range(120)])
    assert (expert.scores(reading).argmax(1) == np.arange(120)).mean() > 0.9


def test_a_seed_gives_one_forest_and_another_seed_another():
    data = catalogue(150, 2)
    one, same, other = (TreeExpert.fit(data, TaggerSettings(seed=seed, trees=2))[0] for seed in (3, 3, 4))
    for name, array in one.arrays().items():
        assert array.tobytes() == same.arrays()[name].tobytes(), name
    assert one.values.tobytes() != other.values.tobytes()
    trees = one.labels[one.labels >= 0].reshape(2, -1)
    assert trees[0].tolist() != trees[1].tolist()  # and the trees of one forest differ


def test_tags_of_the_same_words_stand_on_the_same_side():
    means = np.zeros((40, 8), np.float32)
    means[::2, :4] = np.random.default_rng(0).random((20, 4))
    means[1::2, 4:] = np.random.default_rng(1).random((20, 4))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    # Of eight beginnings most find the two groups; a poor one cannot be told from a good one beforehand.
    sides = [growing._parted(csr_matrix(means), np.random.default_rng(seed)) for seed in range(8)]
    assert all(side.sum() == 20 for side in sides)
    assert sum(len(set(side[::2].tolist())) == 1 for side in sides) >= 4


def machine_task(seed=0, texts=120, terms=30, children=5):
    draw = np.random.default_rng(seed)
    rows = csr_matrix((draw.random((texts, terms)) * (draw.random((texts, terms)) < 0.2)).astype(np.float32))
    right = (rows @ draw.normal(size=(terms, children)) + draw.normal(0, 0.3, (texts, children)) > 0.5).astype(
        np.float32
    )
    return rows, right


@pytest.fixture
def exact(monkeypatch):
    """Machines that are fitted to the end, and keep all weights."""
    monkeypatch.setattr(growing, "_ENOUGH", 1e-5)
    monkeypatch.setattr(growing, "_STEPS", 50)
    monkeypatch.setattr(growing, "_LEAST_WEIGHT", 0.0)


@pytest.mark.usefixtures("exact")
def test_the_machines_are_those_of_scikit_learn():
    from sklearn.svm import LinearSVC

    rows, right = machine_task()
    found = machines(rows, right, 1 - right)
    for child in range(right.shape[1]):
        theirs = LinearSVC(loss="squared_hinge", dual=False, fit_intercept=False, tol=1e-8).fit(rows, right[:, child])
        np.testing.assert_allclose(found[:, child], theirs.coef_[0], atol=2e-3)


def test_machines_that_stop_early_and_leave_small_weights_out_are_nearly_as_good(request):
    rows, right = machine_task(texts=400)

    def loss(weights):
        margins = (2 * right - 1) * (rows @ weights)
        return float((weights**2).sum() / 2 + (np.maximum(1 - margins, 0) ** 2).sum())

    early = machines(rows, right, 1 - right)
    assert not ((np.abs(early) > 0) & (np.abs(early) <= 0.1)).any()
    request.getfixturevalue("exact")
    assert loss(early) < 1.02 * loss(machines(rows, right, 1 - right))


def test_products_of_one_text_count_as_often_as_they_are():
    """Three products of each text, of which one has other tags: the same machines as of three rows each."""
    rows, right = machine_task(texts=60)
    other = np.roll(right, 7, axis=0)
    repeated = machines(
        csr_matrix(np.vstack([rows.toarray()] * 3)),
        np.vstack([right, right, other]),
        1 - np.vstack([right, right, other]),
    )
    joined = machines(rows, 2 * right + other, 3 - 2 * right - other)
    np.testing.assert_allclose(joined, repeated, atol=1e-3)


@pytest.mark.usefixtures("exact")
def test_many_children_are_fitted_in_parts(monkeypatch):
    data = catalogue(40, 3)
    whole = TreeExpert.fit(data, SETTINGS)[0]
    monkeypatch.setattr(growing, "_MOST_PAIRS", 300)
    parts = TreeExpert.fit(data, SETTINGS)[0]
    np.testing.assert_allclose(parts.weights.toarray(), whole.weights.toarray(), atol=1e-3)


def test_one_tag_alone_is_sure_of_every_text():
    data = catalogue(1, 6)
    expert, _ = TreeExpert.fit(data, SETTINGS)
    assert expert.scores(data.features.read(["own0", "w1"])).min() > 1


# What they answer


def test_a_text_without_a_known_word_has_the_prior():
    data = catalogue(20, 4)
    expert, _ = TreeExpert.fit(data, SETTINGS)
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
    expert, _ = TreeExpert.fit(wider, SETTINGS)
    assert expert.scores(data.features.read(["own3"]))[0, 20] == wider.prior[20]


def test_without_a_known_word_there_is_nothing_to_grow():
    data = catalogue(5, 2)
    unread = Part.of(data.features, ["stranger"] * 4, csr_matrix(np.ones((4, 5), np.float32)))
    with pytest.raises(DataError, match=r"no training text has a known word and a tag.*min_documents"):
        TreeExpert.fit(TrainingData(data.features, unread, unread, data.names, {}, ()), SETTINGS)


# Beside omikuji


def by_omikuji(data, folder, **settled):
    """A forest that omikuji grew, as it is and as ours."""
    omikuji = pytest.importorskip("omikuji")
    cbor2 = pytest.importorskip("cbor2")
    rows, truth = data.train.reading.rows, data.train.products
    lines = [f"{rows.shape[0]} {rows.shape[1]} {truth.shape[1]}"]
    for product, text in enumerate(data.train.text_of):
        pairs = zip(rows[text].indices.tolist(), rows[text].data.tolist(), strict=True)
        tags = ",".join(map(str, truth[product].indices.tolist()))
        lines.append(" ".join([tags, *(f"{term}:{weight:.6f}" for term, weight in sorted(pairs))]))
    (folder / "train.txt").write_text("\n".join(lines) + "\n")
    wanted = omikuji.Model.default_hyper_param()
    for name, value in settled.items():
        setattr(wanted, name, value)
    omikuji.Model.train_on_data(str(folder / "train.txt"), wanted, n_threads=1).save(str(folder))

    def node(wrapped):
        ((kind, told),) = wrapped.items()
        ((layout, matrix),) = told["weights"].get("weights", told["weights"]).items()
        values = np.array(matrix["data"], np.float32)
        if layout == "Dense":
            dense = values.reshape(matrix["dim"])
        else:
            dense = np.zeros((len(data.features) + 1, len(told.get("children", told.get("labels")))), np.float32)
            which = np.repeat(matrix["outer_inds"], np.diff(matrix["indptr"])).astype(int)
            dense[which, matrix["inner_inds"]] = values
        children = [node(child) for child in told["children"]] if kind == "Branch" else []
        return Node(np.array(told.get("labels", []), np.int64), np.arange(len(dense)), csr_matrix(dense), children)

    trees = [node(cbor2.loads(path.read_bytes())) for path in sorted(folder.glob("tree*.cbor"))]
    return omikuji.Model.load(str(folder)), forest(trees, len(data.features), data.prior)


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
def test_a_forest_of_omikuji_gives_the_answers_of_omikuji(tags, settled, tmp_path):
    data = catalogue(tags, 4)
    theirs, ours = by_omikuji(data, tmp_path, **settled)
    texts = [*data.train.reading.texts[:: max(1, tags // 8)], "own1 own2 own7", "w1", "group0 w3 w3", "own3 stranger"]
    reading = data.features.read(texts)
    expected = np.stack([predicted(theirs, reading.rows[ix], tags) for ix in range(len(texts))])
    scores = ours.scores(reading)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores.astype(float))), np.clip(expected, 1e-5, 1 - 1e-5), atol=1e-4)
    assert (scores.argmax(1) == expected.argmax(1)).mean() > 0.9  # some are tied


def test_our_trees_are_as_good_as_those_of_omikuji(tmp_path):
    data = catalogue(250, 3)
    _, theirs = by_omikuji(data, tmp_path, n_trees=2)
    ours, _ = TreeExpert.fit(data, SETTINGS)
    draw = np.random.default_rng(7)
    fresh = [f"own{tag} {' '.join(f'w{word}' for word in draw.integers(0, 50, 5))}" for tag in range(250)]
    reading = data.features.read(fresh)
    found = [(one.scores(reading).argmax(1) == np.arange(250)).mean() for one in (ours, theirs)]
    assert found[0] > found[1] - 0.02
