"""Propensity-scored precision by hand and against a slow plain reckoning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tagloom.measure.propensity import best_reachable, propensities
from tagloom.measure.tagging import tag_metrics


def slowly(confidences, truth, propensity, k):
    """Sums over products, one by one, as the paper writes them."""
    reached = best = 0.0
    for sure, true in zip(confidences, truth, strict=True):
        ranking = sorted(range(len(sure)), key=lambda tag: (-sure[tag], tag))
        reached += sum(true[tag] / propensity[tag] for tag in ranking[:k] if sure[tag] > -math.inf) / k
        best += sum(sorted((1 / propensity[tag] for tag in range(len(sure)) if true[tag]), reverse=True)[:k]) / k
    return reached / best if best else 0.0


def test_propensities_by_hand():
    c = (math.log(100) - 1) * 2.5**0.55
    expected = [1 / (1 + c * math.exp(-0.55 * math.log(count + 1.5))) for count in (0, 1, 50)]
    found = propensities([0, 1, 50], 100)
    assert found.tolist() == pytest.approx(expected)
    assert 0 < found[0] < found[1] < found[2] < 1


@pytest.mark.parametrize("trained_on", [0, 1, 2])
def test_so_few_products_that_nothing_can_be_guessed_make_all_tags_equal(trained_on):
    assert propensities([0, 1], trained_on).tolist() == [1, 1]


def test_by_hand():
    # The frequent tag 0 is right at once, the rare tag 1 comes third: both true.
    found = tag_metrics([(np.array([[0.9, 0.1, 0.5]]), np.array([[1, 1, 0]]))], 0.5, np.array([0.5, 0.1, 0.2]))
    assert found.values["PSP@1"] == pytest.approx(2 / 10)
    assert found.values["PSP@3"] == pytest.approx((2 + 10) / (10 + 2))
    assert found.values["PSP@5"] == pytest.approx(1)


@settings(max_examples=80, deadline=None)
@given(
    arrays(float, (4, 7), elements=st.sampled_from([-math.inf, 0.1, 0.3, 0.5, 0.9])),
    arrays(np.bool_, (4, 7)),
    arrays(float, 7, elements=st.floats(0.01, 1)),
)
def test_it_is_that_of_the_plain_reckoning(confidences, truth, propensity):
    values = tag_metrics([(confidences, truth)], 0.5, propensity).values
    for k in (1, 3, 5):
        assert values[f"PSP@{k}"] == pytest.approx(slowly(confidences, truth, propensity, k))
        assert 0 <= values[f"PSP@{k}"] <= 1 + 1e-9


@pytest.mark.parametrize("tags", [1, 2, 4])
def test_fewer_tags_than_k(tags):
    random = np.random.default_rng(tags)
    confidences, truth = random.random((9, tags)), random.random((9, tags)) < 0.5
    propensity = random.uniform(0.1, 1, tags)
    assert tag_metrics([(confidences, truth)], 0.5, propensity).values["PSP@5"] == pytest.approx(
        slowly(confidences, truth, propensity, 5)
    )


def test_equal_propensities_make_it_precision_over_the_best_precision():
    random = np.random.default_rng(0)
    confidences, truth = random.random((30, 12)), random.random((30, 12)) < 0.3
    values = tag_metrics([(confidences, truth)], 0.5, np.full(12, 0.25)).values
    best = tag_metrics([(truth.astype(float), truth)], 0.5).values
    for k in (1, 3, 5):
        assert values[f"PSP@{k}"] == pytest.approx(values[f"P@{k}"] / best[f"P@{k}"])


def test_without_propensities_there_is_no_such_figure():
    assert not [name for name in tag_metrics([(np.ones((1, 2)), np.ones((1, 2)))]).values if name[:3] == "PSP"]


def test_the_best_reachable_are_the_largest_weights_of_the_true_tags():
    true = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]], bool)
    assert best_reachable(true, np.array([1.0, 9.0, 3.0, 2.0]), 2).tolist() == [[3, 2], [0, 0], [9, 0]]
