"""The tag metrics against scikit-learn and ir-measures, and by hand where those part ways."""

from __future__ import annotations

import tracemalloc

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score, ndcg_score, precision_score, recall_score

from tagloom.measure.tagging import best_threshold, tag_metrics, top_columns


def random_case(seed, products=40, tags=25):
    random = np.random.default_rng(seed)
    # A permutation's ranks: no ties, on which the others have other rules.
    confidences = random.permuted(np.tile(np.arange(tags), (products, 1)), axis=1) / tags
    return confidences, (random.random((products, tags)) < 0.15).astype(np.float32)


def values(confidences, truth, threshold=0.5):
    return tag_metrics([(np.asarray(confidences, float), np.asarray(truth, np.float32))], threshold).values


# Against others


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tags", [2, 7, 10, 25])
def test_ranking_figures_are_those_of_ir_measures(seed, tags):
    confidences, truth = random_case(seed, tags=tags)
    ours = values(confidences, truth)
    names = {str(product): row for product, row in enumerate(truth) if row.any()}
    judged = [
        ir_measures.Qrel(name, str(tag), int(right)) for name, row in names.items() for tag, right in enumerate(row)
    ]
    ranked = [
        ir_measures.ScoredDoc(name, str(tag), float(confidences[int(name), tag]))
        for name in names
        for tag in range(tags)
    ]
    theirs = ir_measures.calc_aggregate(
        [ir_measures.parse_measure(name) for name in ("P@1", "P@3", "P@5", "R@5", "R@10", "nDCG@5", "nDCG@10")],
        judged,
        ranked,
    )
    for measure, figure in theirs.items():
        # A product without any tag counts for our precision, as a miss.
        share = len(names) / len(truth) if str(measure)[0] == "P" else 1
        assert ours[str(measure)] == pytest.approx(figure * share), measure


@pytest.mark.parametrize("seed", range(5))
def test_ndcg_is_that_of_scikit_learn(seed):
    confidences, truth = random_case(seed)
    some = truth.any(axis=1)
    for k in (5, 10):
        assert values(confidences, truth)[f"nDCG@{k}"] == pytest.approx(ndcg_score(truth[some], confidences[some], k=k))


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.52, 0.9, 1.0])
def test_figures_at_a_threshold_are_those_of_scikit_learn(threshold):
    confidences, truth = random_case(0)
    ours, given = values(confidences, truth, threshold), confidences >= threshold
    occurring = np.flatnonzero(truth.any(axis=0))
    assert ours["micro-F1"] == pytest.approx(f1_score(truth, given, average="micro", zero_division=0))
    assert ours["macro-F1"] == pytest.approx(f1_score(truth, given, average="macro", labels=occurring, zero_division=0))
    assert ours["precision"] == pytest.approx(precision_score(truth, given, average="micro", zero_division=0))
    assert ours["recall"] == pytest.approx(recall_score(truth, given, average="micro", zero_division=0))
    for name, score in (("precision", precision_score), ("recall", recall_score)):
        macro = score(truth, given, average="macro", labels=occurring, zero_division=0)
        assert ours[f"macro-{name}"] == pytest.approx(macro)
    assert ours["accuracy"] == pytest.approx(accuracy_score(truth, given))
    found = tag_metrics([(confidences, truth)], threshold)
    np.testing.assert_allclose(found.f1_per_tag(), f1_score(truth, given, average=None, zero_division=0))
    np.testing.assert_allclose(found.precision_per_tag(), precision_score(truth, given, average=None, zero_division=0))
    np.testing.assert_allclose(found.recall_per_tag(), recall_score(truth, given, average=None, zero_division=0))


# By hand


def test_by_hand():
    # Tag 0 right at once; tag 2 right in third place of two right ones; nobody tagged the third product.
    found = values([[0.9, 0.5, 0.1], [0.8, 0.7, 0.6], [0.9, 0.2, 0.1]], [[1, 0, 0], [0, 1, 1], [0, 0, 0]], 0.65)
    assert found["P@1"] == pytest.approx(1 / 3)
    assert found["P@5"] == pytest.approx((1 / 5 + 2 / 5 + 0) / 3)
    assert found["R@5"] == 1
    ideal = 1 + 1 / np.log2(3)
    assert found["nDCG@5"] == pytest.approx((1 + (1 / np.log2(3) + 1 / 2) / ideal) / 2)
    # Given: 0; 0 and 1; 0. Right: 0 of the first, 1 of the second. There: three.
    assert found["precision"] == pytest.approx(2 / 4)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["micro-F1"] == pytest.approx(4 / 7)
    assert found["macro-F1"] == pytest.approx((2 / 4 + 2 / 2 + 0) / 3)


def test_equal_confidences_rank_in_the_order_of_the_columns():
    truth = np.eye(20)[[0, 4, 12]]
    found = tag_metrics([(np.zeros((3, 20)), truth)], 0.5).values
    assert found["P@1"] == pytest.approx(1 / 3)
    assert (found["R@5"], found["R@10"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_a_tag_that_is_not_on_offer_is_missed_however_few_there_are():
    found = values([[0.9, -np.inf, -np.inf]], [[1, 1, 0]], 0.0)
    assert found["R@10"] == found["recall"] == 0.5
    assert found["precision"] == 1


def test_a_product_without_tags_counts_for_precision_only():
    tagged = values([[0.9, 0.1]], [[1, 0]])
    both = values([[0.9, 0.1], [0.9, 0.1]], [[1, 0], [0, 0]])
    assert both["P@1"] == tagged["P@1"] / 2
    assert both["precision"] == tagged["precision"] / 2
    for name in ("R@5", "R@10", "nDCG@5", "nDCG@10", "recall"):
        assert both[name] == tagged[name] == 1


def test_nothing_measured_is_zero():
    empty = tag_metrics([], 0.5)
    assert empty.products == 0
    assert set(empty.values.values()) == {0.0}
    assert empty.f1_per_tag().shape == (0,)


def test_batches_make_no_difference():
    confidences, truth = random_case(3)
    whole = tag_metrics([(confidences, truth)], 0.5)
    parts = tag_metrics([(confidences[start : start + 7], truth[start : start + 7]) for start in range(0, 40, 7)], 0.5)
    assert parts.products == whole.products
    assert parts.values == pytest.approx(whole.values)
    np.testing.assert_array_equal(parts.per_tag, whole.per_tag)


# What is given


def test_each_tag_may_have_its_own_threshold():
    confidences, truth = random_case(5)
    thresholds = np.linspace(0.2, 0.9, 25)
    each = [tag_metrics([(confidences, truth)], float(one)).per_tag[ix] for ix, one in enumerate(thresholds)]
    np.testing.assert_array_equal(tag_metrics([(confidences, truth)], thresholds).per_tag, each)


def test_what_was_given_may_be_told():
    confidences, truth = random_case(6)
    given = np.random.default_rng(0).random(truth.shape) < 0.3
    told, decided = tag_metrics([(confidences, truth, given)]), tag_metrics([(confidences, truth)], 0.5)
    assert told.values["micro-F1"] == pytest.approx(f1_score(truth, given, average="micro"))
    assert told.values["accuracy"] == pytest.approx(accuracy_score(truth, given))
    for name in ("P@1", "nDCG@10", "Brier", "ECE", "coverage@10"):
        assert told.values[name] == decided.values[name]


def test_what_was_not_on_offer_was_not_given_whatever_is_told():
    found = tag_metrics([(np.array([[0.9, -np.inf]]), np.ones((1, 2)), np.ones((1, 2), bool))])
    assert found.per_tag.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_a_product_is_accurate_when_it_was_given_all_its_tags_and_no_other():
    truth = [[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]
    sure = [[0.9, 0.8, 0.1], [0.9, 0.1, 0.1], [0.9, 0.8, 0.1], [0.1, 0.1, 0.1]]
    assert values(sure, truth)["accuracy"] == 2 / 4


def test_coverage_counts_the_tags_on_offer_that_were_given_once_or_were_among_the_surest():
    confidences = np.zeros((3, 15))
    confidences[:, 2], confidences[0, 3], confidences[:, 14] = 0.9, 0.8, -np.inf
    found = values(confidences, np.zeros((3, 15)))
    assert found["coverage"] == 2 / 14
    assert found["coverage@10"] == 10 / 14
    assert values([[0.9]], [[1]])["coverage"] == 1


def test_a_hundred_thousand_tags_take_little_room():
    tags, rows = 100_000, 20
    random = np.random.default_rng(0)
    confidences = random.random((rows, tags), np.float32)
    truth = np.zeros((rows, tags), np.float32)
    truth[np.arange(rows), np.arange(rows)] = 1
    tracemalloc.start()
    found = tag_metrics(((confidences, truth) for _ in range(3)), np.full(tags, 0.5), np.full(tags, 0.5))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.products == 3 * rows
    assert most < 40 * rows * tags


# The threshold

steps = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])


@settings(max_examples=50, deadline=None)
@given(arrays(float, (4, 3), elements=steps), arrays(np.bool_, (4, 3)))
def test_no_threshold_is_better_than_the_best(confidences, truth):
    best = best_threshold(confidences, truth)
    reached = values(confidences, truth, best)["micro-F1"]
    tried = [values(confidences, truth, threshold)["micro-F1"] for threshold in np.linspace(0.001, 1.001, 81)]
    assert 0 <= best <= 1
    assert reached >= max(tried) - 1e-12


def test_it_lies_halfway_and_of_equally_good_ones_is_the_highest():
    assert best_threshold(np.array([[0.9, 0.8, 0.3, 0.1]]), np.array([[1, 1, 0, 0]])) == pytest.approx(0.55)
    assert best_threshold(np.array([[0.9, 0.6]]), np.array([[1, 1]])) == pytest.approx(0.3)
    close = np.nextafter(0.5, 1)
    assert best_threshold(np.array([[close, 0.5]]), np.array([[1, 0]])) == close
    assert best_threshold(np.zeros((0, 3)), np.zeros((0, 3))) == 1


# The first k


@given(arrays(float, (5, 12), elements=steps), st.integers(1, 15))
def test_the_first_k_are_those_of_a_stable_sort(scores, k):
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(top_columns(scores, k), expected)
    np.testing.assert_array_equal(top_columns(scores.astype(np.float32), k), expected)


def test_what_is_not_on_offer_comes_last():
    scores = np.array([[-np.inf, 2.0, -np.inf, 3.0]])
    assert top_columns(scores, 3).tolist() == [[3, 1, 0]]
    assert top_columns(np.full((2, 4), -np.inf), 2).tolist() == [[0, 1], [0, 1]]
    assert top_columns(np.zeros((0, 4)), 2).shape == (0, 2)
