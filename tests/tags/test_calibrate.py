"""Scores to confidences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression

from tagloom.tags.calibrate import Calibration

LARGE = float(np.float32(1e30))
finite = st.floats(-LARGE, LARGE, width=32)


def sample(count, seed=0, slope=0.5, offset=-2.0):
    random = np.random.default_rng(seed)
    scores = random.normal(3, 5, (count, 1)).astype(np.float32)
    return scores, (random.random((count, 1)) < 1 / (1 + np.exp(-slope * scores - offset))).astype(np.float32)


def test_the_planted_curve_is_found():
    found = Calibration.fit(*sample(100_000), seed=0)
    assert (found.slope, found.offset) == pytest.approx((0.5, -2.0), rel=0.03)


def test_it_is_the_logistic_regression_of_scikit_learn():
    scores, truth = sample(20_000)
    found, theirs = Calibration.fit(scores, truth, 0), LogisticRegression(C=1e9).fit(scores, truth.ravel())
    # Not quite the same: the targets stay a little away from 0 and 1.
    assert (found.slope, found.offset) == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), rel=2e-3)


def test_a_confidence_is_a_frequency():
    found = Calibration.fit(*sample(20_000), seed=0)
    scores, truth = sample(100_000, seed=1)
    confidences = found.confidences(scores).ravel()
    for low in np.arange(0, 1, 0.1):
        some = (confidences >= low) & (confidences < low + 0.1)
        assert truth.ravel()[some].mean() == pytest.approx(confidences[some].mean(), abs=0.03)


def test_more_pairs_than_are_needed_are_drawn_by_the_seed():
    scores, truth = sample(2_100_000)
    assert Calibration.fit(scores, truth, 5) == Calibration.fit(scores, truth, 5)
    assert Calibration.fit(scores, truth, 5).slope == pytest.approx(0.5, rel=0.01)


def test_a_handful_of_products_makes_nobody_certain():
    scores = np.array([[5.0, -5.0], [4.0, -6.0], [-5.0, 6.0]])
    found = Calibration.fit(scores, (scores > 0).astype(float), 0)
    assert 0.7 < found.confidences(np.array(5.0)) < 0.95


def test_a_model_that_learned_the_reverse_keeps_the_order_and_says_how_many():
    scores, truth = sample(1_000)
    found = Calibration.fit(-scores, truth, 0)
    assert 0 < found.slope < 1e-3
    assert found.confidences(np.float32([0.0])) == pytest.approx(truth.mean(), rel=0.01)
    assert np.all(np.diff(found.confidences(np.float32([1, 2, 3]))) > 0)


@pytest.mark.parametrize("truth", [np.zeros((4, 2)), np.ones((4, 2)), np.zeros((0, 2))])
def test_with_one_kind_of_truth_there_is_nothing_to_fit(truth):
    assert Calibration.fit(np.zeros(truth.shape), truth, 0) == Calibration(1.0, 0.0)


@given(arrays(np.float32, (6, 2), elements=finite), arrays(np.bool_, (6, 2)))
def test_whatever_comes_the_confidences_are_sound(scores, truth):
    found = Calibration.fit(scores, truth.astype(np.float32), 0)
    confidences = found.confidences(scores)
    assert np.isfinite([found.slope, found.offset]).all()
    assert found.slope > 0
    assert ((confidences >= 0) & (confidences <= 1)).all()
    order = np.argsort(scores, axis=None)
    assert np.all(np.diff(confidences.ravel()[order]) >= 0)
