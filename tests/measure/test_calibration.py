"""Reliability, calibration error and Brier score against scikit-learn and torchmetrics, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tagloom.measure.calibration import BINS, Reliability
from tagloom.measure.tagging import tag_metrics, top_columns


def random_pairs(seed, count=3000):
    random = np.random.default_rng(seed)
    confidences = random.random(count) ** 2
    return confidences, random.random(count) < confidences * 0.7


@pytest.mark.parametrize("seed", range(3))
def test_error_is_that_of_torchmetrics_and_brier_that_of_scikit_learn(seed):
    import torch
    from torchmetrics.classification import BinaryCalibrationError

    confidences, true = random_pairs(seed)
    ours = Reliability().plus(confidences, true)
    theirs = BinaryCalibrationError(n_bins=BINS, norm="l1")(torch.tensor(confidences), torch.tensor(true).int())
    assert ours.error == pytest.approx(float(theirs), abs=1e-6)
    assert ours.brier == pytest.approx(brier_score_loss(true, confidences))


def test_bins_are_those_of_scikit_learn():
    confidences, true = random_pairs(7)
    ours = Reliability().plus(confidences, true)
    share, mean = calibration_curve(true, confidences, n_bins=BINS, strategy="uniform")
    np.testing.assert_allclose(ours.frequency, share)
    np.testing.assert_allclose(ours.confidence, mean)
    assert ours.pairs.sum() == len(true)


def test_by_hand():
    found = Reliability().plus(np.array([0.0, 0.5, 0.5, 1.0]), np.array([0, 1, 0, 0]))
    assert found.pairs[[0, 7, 14]].tolist() == [1, 2, 1]
    assert found.error == pytest.approx((0 + 0 + 1) / 4)
    assert found.brier == pytest.approx((0 + 0.25 + 0.25 + 1) / 4)
    assert (Reliability().error, Reliability().brier) == (0, 0)


@settings(max_examples=40, deadline=None)
@given(arrays(float, st.integers(0, 30), elements=st.floats(0, 1)), st.data())
def test_batches_make_no_difference_and_all_figures_lie_between_0_and_1(confidences, data):
    true = data.draw(arrays(np.bool_, confidences.shape))
    cut = data.draw(st.integers(0, len(confidences)))
    whole = Reliability().plus(confidences, true)
    parts = Reliability().plus(confidences[:cut], true[:cut]).plus(confidences[cut:], true[cut:])
    assert (parts.error, parts.brier) == (pytest.approx(whole.error), pytest.approx(whole.brier))
    assert 0 <= whole.error <= 1
    assert 0 <= whole.brier <= 1


@settings(max_examples=40, deadline=None)
@given(arrays(np.bool_, 20))
def test_saying_0_and_1_rightly_has_no_error(true):
    found = Reliability().plus(true.astype(float), true)
    assert (found.error, found.brier) == (0, 0)


def test_scores_that_are_no_confidences_go_to_the_end_bins():
    found = Reliability().plus(np.array([-1e30, 1e30, 3.0]), np.array([0, 1, 1]))
    assert found.pairs[[0, BINS - 1]].tolist() == [1, 2]


def test_confidences_that_are_frequencies_have_a_small_error_and_such_that_are_not_a_large_one():
    random = np.random.default_rng(0)
    chance = random.random((4000, 6))
    truth = random.random((4000, 6)) < chance
    assert tag_metrics([(chance, truth)]).values["ECE"] < 0.02
    assert tag_metrics([(np.sqrt(chance), truth)]).values["ECE"] == pytest.approx(2 / 3 - 1 / 2, abs=0.02)


def test_pairs_not_on_offer_say_nothing_and_the_surest_ten_are_counted_by_themselves():
    random = np.random.default_rng(1)
    confidences, truth = random.random((50, 30)), random.random((50, 30)) < 0.2
    confidences[:, 20:] = -np.inf
    found = tag_metrics([(confidences, truth)])
    known, true = confidences[:, :20], truth[:, :20]
    assert found.values["Brier"] == pytest.approx(brier_score_loss(true.ravel(), known.ravel()))
    top = top_columns(known, 10)
    surest = Reliability().plus(np.take_along_axis(known, top, 1).ravel(), np.take_along_axis(true, top, 1).ravel())
    assert found.values["ECE@10"] == pytest.approx(surest.error)
    assert found.surest.pairs.sum() == 500
