"""Scores to confidences that mean a frequency."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit

from tagloom.measure.calibration import Reliability
from tagloom.tags.calibrate import Calibration

LARGE = float(np.float32(1e30))
finite = st.floats(-LARGE, LARGE, width=32)


def sample(texts, tags=1, seed=0, line=lambda scores: 0.5 * scores - 2.0, middle=3.0):
    """Scores, and truths as frequent as the planted line over them says: [P, L] both."""
    random = np.random.default_rng(seed)
    scores = random.normal(middle, 5, (texts, tags)).astype(np.float32)
    return scores, (random.random((texts, tags)) < expit(line(scores))).astype(np.float32)


def ones(truth):
    return np.ones(len(truth), np.float32)


def fit(scores, truth, weights=None, seed=0):
    return Calibration.fit(scores, truth, ones(truth) if weights is None else weights, seed)


def shape(scores):
    """A frequency that no logistic curve has: two plateaus."""
    return np.where(scores < 0, -4.0, np.where(scores < 6, 0.0, 3.0))


@pytest.mark.parametrize("line", [lambda scores: 0.5 * scores - 2.0, shape, lambda scores: 0.1 * scores])
def test_a_frequency_that_was_planted_is_found_whatever_its_shape(line):
    found = fit(*sample(20_000, 5, line=line))
    grid = np.array([[-6.0], [-2.0], [2.0], [4.0], [8.0], [12.0]])
    np.testing.assert_allclose(found.confidences(np.tile(grid, 5)), np.tile(expit(line(grid)), 5), atol=0.03)


def test_with_few_products_it_is_a_logistic_curve():
    scores, truth = sample(400)
    assert truth.sum() < 300
    found = fit(scores, truth)
    assert len(found.knots) == 2
    grid = np.linspace(-10, 15, 20)[:, None]
    np.testing.assert_allclose(found.confidences(grid), expit(0.5 * grid - 2), atol=0.08)


@pytest.mark.parametrize(("texts", "most"), [(150, 0.05), (600, 0.02), (5_000, 0.01)])
@pytest.mark.parametrize("line", [lambda scores: 0.5 * scores - 2.0, lambda scores: 0.8 * scores - 9.0, shape])
def test_the_calibration_error_on_fresh_products_is_small(texts, most, line):
    found = fit(*sample(texts, 10, line=line))
    scores, truth = sample(5_000, 10, seed=1, line=line)
    error = Reliability().plus(found.confidences(scores).ravel(), truth.ravel()).error
    assert error < most


def test_a_tag_with_data_has_a_shift_of_its_own_and_the_others_share():
    """Ten tags of which one means less by the same score; two that are hardly ever there."""
    shifts = np.array([-3.0] + [0.0] * 7 + [-9.0, -9.0])
    found = fit(*sample(3_000, 10, line=lambda scores: 0.5 * scores - 2 + shifts))
    scores, truth = sample(20_000, 10, seed=1, line=lambda scores: 0.5 * scores - 2 + shifts)
    confidences = found.confidences(scores)
    np.testing.assert_allclose(confidences.mean(0)[:8], truth.mean(0)[:8], atol=0.02)
    rare = fit(*sample(60, 10, line=lambda scores: 0.5 * scores - 2 + shifts))
    assert (rare.slopes[8:], rare.offsets[8:]) == (pytest.approx(1), pytest.approx(0))
    assert found.offsets[0] < found.offsets[1:8].min() - 1


def test_the_shift_of_a_tag_is_drawn_to_the_shared_curve():
    """The fewer products there are, the nearer a tag stays to what holds for all."""
    shifts = np.array([-3.0] + [0.0] * 9)
    offsets = [
        fit(*sample(texts, 10, line=lambda scores: 0.5 * scores - 2 + shifts)).offsets[0] for texts in (400, 20_000)
    ]
    assert offsets[1] < offsets[0] < 0


@pytest.mark.parametrize("texts", [80, 3_000])
def test_weights_and_shares_are_the_same_as_repeated_rows(texts):
    random = np.random.default_rng(5)
    scores, truth = sample(texts, 4)
    other = (random.random(truth.shape) < 0.3).astype(np.float32)
    # Three products with each text, of which one has other tags.
    repeated = fit(np.vstack([scores] * 3), np.vstack([truth, truth, other]))
    weighed = fit(scores, (2 * truth + other) / 3, np.full(texts, 3, np.float32))
    grid = np.linspace(-12, 18, 50)[:, None].repeat(4, 1)
    np.testing.assert_allclose(weighed.confidences(grid), repeated.confidences(grid), atol=2e-3)


@pytest.mark.slow
def test_more_pairs_than_are_needed_are_drawn_by_the_seed():
    scores, truth = sample(2_100, 1_000, line=lambda scores: 0.5 * scores - 10)
    one, other = (fit(scores, truth, seed=5) for _ in range(2))
    assert one.knots.tobytes() == other.knots.tobytes()
    assert one.log_odds.tobytes() == other.log_odds.tobytes()
    grid = np.array([[4.0], [10.0], [16.0]]).repeat(1_000, 1)
    np.testing.assert_allclose(one.confidences(grid).mean(1), expit(0.5 * grid - 10)[:, 0], atol=0.02)


@pytest.mark.parametrize("where", [0.0, -50.0, 1.7e10])
def test_scores_that_are_all_the_same_say_how_many_are_right(where):
    truth = np.array([[1.0, 0.0, 0.0, 0.0]] * 20)
    found = fit(np.full((20, 4), where, np.float32), truth)
    assert found.confidences(np.full((1, 4), where, np.float32)) == pytest.approx(0.25, abs=0.02)


def test_a_handful_of_products_makes_nobody_certain():
    scores = np.array([[5.0, -5.0], [4.0, -6.0], [-5.0, 6.0]])
    assert 0.7 < fit(scores, (scores > 0).astype(float)).confidences(np.full((1, 2), 5.0))[0, 0] < 0.95


def test_a_model_that_learned_the_reverse_keeps_the_order_and_says_how_many():
    scores, truth = sample(400)
    found = fit(-scores, truth)
    assert found.confidences(np.array([[0.0]])) == pytest.approx(truth.mean(), abs=0.03)
    assert np.all(np.diff(found.confidences(np.array([[1.0], [2.0], [3.0]]))[:, 0]) > 0)


@pytest.mark.parametrize("truth", [np.zeros((4, 2)), np.ones((4, 2)), np.zeros((0, 2)), np.zeros((400, 2))])
def test_with_one_kind_of_truth_there_is_nothing_to_fit(truth):
    found = fit(np.zeros(truth.shape), truth)
    assert found.confidences(np.array([[-2.0, 0.0]])).tolist() == [[pytest.approx(expit(-2)), 0.5]]


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float32, (8, 2), elements=finite),
    arrays(np.float32, (8, 2), elements=st.floats(0, 1, width=32)),
    st.sampled_from([1.0, 30.0, 500.0]),
    arrays(np.float32, (6, 2), elements=finite),
)
def test_whatever_comes_the_confidences_are_sound_and_keep_the_order_of_each_tag(scores, truth, weight, asked):
    """With a large weight the curve is isotonic and the tags have shifts of their own."""
    found = fit(scores, truth, np.full(8, weight, np.float32))
    assert all(np.isfinite(part).all() for part in (found.knots, found.log_odds, found.slopes, found.offsets))
    assert (found.slopes > 0).all()
    assert np.all(np.diff(found.knots) > 0)
    for some in (scores, asked):
        confidences = found.confidences(some)
        assert np.isfinite(found.log_odds_of(some)).all()
        assert ((confidences >= 0) & (confidences <= 1)).all()
        for tag in range(2):
            order = np.argsort(some[:, tag], kind="stable")
            assert np.all(np.diff(confidences[order, tag]) >= -1e-12)
