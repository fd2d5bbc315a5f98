"""Scores to confidences that mean a frequency, fitted on valid: a curve for all tags, and a shift for each with data.

Shapes: B texts, P texts of valid, L tags, N pairs of text and tag, K knots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

_MOST_PAIRS = 2_000_000
_MOST_STEPS = 50
_FLAT = 1e-6
# From so many true pairs on, a curve of any rising shape says more than it guesses.
_ENOUGH_FOR_A_SHAPE = 300
_STEP_PAIRS = 25.0
# Isotonic steps are flat; a little of the score keeps the order of what stands on one step.
_KEPT_ORDER = 1e-3
_CERTAIN = 12.0
_EVEN_KNOTS = 2_048
# A tag has a curve of its own from so many products of valid on; it is drawn to the shared one as by so many.
_OWN_FROM = 20.0
_DRAWN_BY = 10.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """Score -> log-odds by the shared curve -> log-odds of the tag -> confidence.

    The shared curve is isotonic regression (Zadrozny and Elkan 2002, "Transforming Classifier Scores into Accurate
    Multiclass Probability Estimates") where valid has 300 true pairs or more, else a logistic curve (Platt 1999, with
    its targets that stay a little away from 0 and 1). A tag with 20 products of valid or more has slope and offset of
    its own on top, drawn to 1 and 0.

    Args:
        knots: [K] scores, rising, all steps the same.
        log_odds: [K] the shared curve at the knots; between them a line, beyond them the last slope.
        slopes, offsets: [L].
    """

    knots: Floats
    log_odds: Floats
    slopes: Floats
    offsets: Floats

    @classmethod
    def fit(cls, scores: Floats, truth: Floats, weights: Floats, seed: int) -> Calibration:
        """Fit on scores and truths [P, L] of valid; truth may be a share, weights [P] say how much a text counts.

        Pairs beyond two million are drawn. The curves never fall: that would turn the order round.
        """
        tags = scores.shape[1]
        flat, right = scores.ravel(), truth.ravel().astype(np.float64)
        counts = np.repeat(weights.astype(np.float64), tags)
        if flat.size > _MOST_PAIRS:
            chosen = np.random.default_rng(seed).choice(flat.size, _MOST_PAIRS, replace=False)
            flat, right, counts = flat[chosen], right[chosen], counts[chosen]
        knots, log_odds = _evenly(*_shared_curve(flat.astype(np.float64), right, counts))
        shared = cls(knots, log_odds, np.ones(tags), np.zeros(tags))
        return shared._with_own(scores, truth, weights)

    def _with_own(self, scores: Floats, truth: Floats, weights: Floats) -> Calibration:
        positives = weights @ truth
        own = np.flatnonzero((positives >= _OWN_FROM) & (weights.sum() - positives >= _OWN_FROM))
        slopes, offsets = self.slopes.copy(), self.offsets.copy()
        for tag in own.tolist():
            line = self._curve(scores[:, tag])
            slopes[tag], offsets[tag] = _shifted(line, truth[:, tag].astype(np.float64), weights)
        return Calibration(self.knots, self.log_odds, slopes, offsets)

    def log_odds_of(self, scores: Floats) -> Floats:
        """Scores [B, L] -> log-odds [B, L] that keep the order within each tag."""
        result: Floats = self._curve(scores) * self.slopes + self.offsets
        return result

    def confidences(self, scores: Floats) -> Floats:
        """Scores [B, L] -> confidences in 0..1."""
        from scipy.special import expit

        result: Floats = expit(self.log_odds_of(scores))
        return result

    def _curve(self, scores: Floats) -> Floats:
        exact = scores.astype(np.float64)
        low, high = self.knots[0], self.knots[-1]
        within = np.clip(exact, low, high)
        beyond = exact - within
        # Knots stand evenly: their place is reckoned. Looking it up, as np.interp does, took most of an answer's time.
        place = (within - low) * ((len(self.knots) - 1) / (high - low))
        left = np.minimum(place.astype(np.int64), len(self.knots) - 2)
        line = self.log_odds[left] + (place - left) * np.diff(self.log_odds)[left]
        slope = (self.log_odds[-1] - self.log_odds[0]) / max(high - low, 1e-12) if len(self.knots) == 2 else _KEPT_ORDER
        result: Floats = line + slope * beyond
        return result


def _shared_curve(scores: Floats, right: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Knots and log-odds of the curve for all tags."""
    positives, total = float(right @ counts), float(counts.sum())
    if not scores.size or positives <= 0 or positives >= total:
        return np.array([-1.0, 1.0]), np.array([-1.0, 1.0])
    if positives < _ENOUGH_FOR_A_SHAPE:
        slope, offset = _platt(scores, right, counts)
        low, high = float(scores.min()), float(scores.max())
        knots = np.array([low, max(high, low + _FLAT * max(1.0, abs(low)))])
        return knots, slope * knots + offset
    from sklearn.isotonic import IsotonicRegression

    rising = IsotonicRegression().fit_transform(scores, right, sample_weight=counts)
    order = np.argsort(scores, kind="stable")
    # A knot where each step begins and where it ends; steps on too few pairs to mean anything are joined with the next.
    step = np.cumsum(np.append(True, np.diff(rising[order]) > 0)) - 1
    weight = np.bincount(step, counts[order])
    step = _joined(weight)[step]
    weight = np.bincount(step, counts[order])
    starts = np.flatnonzero(np.append(True, np.diff(step) > 0))
    ends = np.append(starts[1:], len(step)) - 1
    edges = scores[order][np.stack([starts, ends], axis=1).ravel()]  # first and last of each step, in turn
    share = np.bincount(step, counts[order] * right[order]) / weight
    share = (share * weight + 0.5 * positives / total) / (weight + 0.5)
    log_odds = np.clip(np.log(share / np.maximum(1 - share, 1e-9)), -_CERTAIN, _CERTAIN)
    kept = np.append(True, np.diff(edges) > 1e-9)
    knots, log_odds = edges[kept], np.maximum.accumulate(np.repeat(log_odds, 2)[kept])
    if len(knots) < 2:
        around = np.array([-1.0, 1.0])
        return knots[0] + around * max(1.0, abs(knots[0]) * _FLAT), log_odds[0] + _FLAT * around
    return knots, log_odds + _KEPT_ORDER * (knots - knots[0])


def _evenly(knots: Floats, log_odds: Floats) -> tuple[Floats, Floats]:
    """The same curve, of 2,048 knots that stand evenly; one of two knots is a line, and stays."""
    if len(knots) == 2:
        return knots, log_odds
    even = np.linspace(knots[0], knots[-1], _EVEN_KNOTS)
    return even, np.interp(even, knots, log_odds)


def _joined(weight: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The number of each step after those with less than 25 pairs are joined to their neighbours."""
    number, filled, now = np.zeros(len(weight), np.int64), 0.0, 0
    for step, here in enumerate(weight.tolist()):
        if filled >= _STEP_PAIRS:
            now, filled = now + 1, 0.0
        number[step], filled = now, filled + here
    if filled < _STEP_PAIRS and now:
        number[number == now] = now - 1
    return number


def _platt(scores: Floats, right: Floats, counts: Floats) -> tuple[float, float]:
    """Slope, never below zero, and offset of the logistic curve."""
    positives, negatives = float(right @ counts), float((1 - right) @ counts)
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    targets = low + right * (high - low)
    # In units of their spread around their mean; the square of a large float32 is none.
    middle, spread = float(scores.mean()), float(scores.std()) or 1.0
    steepness, height = _logistic((scores - middle) / spread, targets, counts)
    if steepness < _FLAT:  # only a model that learned nothing asks for a falling line
        steepness, height = _FLAT, float(np.log(positives / negatives))
    slope = steepness / spread
    return slope, height - slope * middle


def _shifted(line: Floats, right: Floats, counts: Floats) -> tuple[float, float]:
    """Slope and offset of one tag on top of the shared curve."""
    return _logistic(line, right, counts, start=(1.0, 0.0), drawn=_DRAWN_BY)


def _logistic(
    x: Floats, targets: Floats, counts: Floats, start: tuple[float, float] | None = None, drawn: float = 0.0
) -> tuple[float, float]:
    """Slope and offset of the logistic curve nearest to the targets in cross-entropy, by Newton's method.

    Lin, Lin and Weng 2007, "A Note on Platt's Probabilistic Outputs". With `drawn` above 0 a ridge of that strength
    pulls to `start`, and the slope stays above zero.
    """
    from scipy.special import expit

    def loss(curve: Floats) -> float:
        line = curve[0] * x + curve[1]
        ridge = drawn / 2 * float(((curve - middle) ** 2).sum()) if drawn else 0.0
        return float(((np.logaddexp(0, line) - targets * line) * counts).sum()) + ridge

    share = float(targets @ counts / counts.sum())
    middle = np.array(start if start else [0.0, np.log(share / (1 - share))])
    curve, now = middle.copy(), loss(middle)
    for _ in range(_MOST_STEPS):
        given = expit(curve[0] * x + curve[1])
        error, weight = (given - targets) * counts, given * (1 - given) * counts
        gradient = np.array([(error * x).sum(), error.sum()]) + drawn * (curve - middle)
        across = float((weight * x).sum())
        bend = np.array([[float((weight * x * x).sum()), across], [across, float(weight.sum())]])
        step = np.linalg.solve(bend + np.eye(2) * (drawn + 1e-9), gradient)
        while (then := loss(curve - step)) > now and np.abs(step).max() > 1e-10:
            step /= 2
        if now - then < 1e-10 * max(1.0, abs(now)):
            break
        curve, now = curve - step, then
    return (max(float(curve[0]), 0.05), float(curve[1])) if drawn else (float(curve[0]), float(curve[1]))
