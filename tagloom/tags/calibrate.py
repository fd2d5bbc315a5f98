"""Scores to confidences that mean a frequency, fitted on valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

_MOST_PAIRS = 2_000_000
_MOST_STEPS = 50
_FLAT = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Confidence = logistic(slope * score + offset), one pair of numbers for all tags.

    Source: Platt 1999, "Probabilistic Outputs for Support Vector Machines", with its targets that stay a little away
    from 0 and 1, so that a handful of products cannot make the Tagger certain; solved as Lin, Lin and Weng 2007 do.
    """

    slope: float
    offset: float

    @classmethod
    def fit(cls, scores: Floats, truth: Floats, seed: int) -> Calibration:
        """Fit on [P, L] scores and truths of valid; pairs beyond two million are drawn.

        The slope is never below zero: that would turn the order round.
        """
        flat, right = scores.ravel(), truth.ravel() > 0
        if flat.size > _MOST_PAIRS:
            chosen = np.random.default_rng(seed).choice(flat.size, _MOST_PAIRS, replace=False)
            flat, right = flat[chosen], right[chosen]
        if not flat.size or right.all() or not right.any():
            return cls(1.0, 0.0)
        targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
        # In units of their spread around their mean; in float64, since the square of a large float32 is none.
        flat = flat.astype(np.float64)
        middle, spread = float(flat.mean()), float(flat.std()) or 1.0
        steepness, height = _logistic((flat - middle) / spread, targets)
        slope = steepness / spread
        if slope > 0:
            return cls(slope, height - slope * middle)
        # Only a model that learned nothing asks for a falling line.
        return cls(_FLAT, float(np.log(right.mean() / (1 - right.mean()))))

    def confidences(self, scores: Floats) -> Floats:
        """Scores of any shape -> confidences in 0..1, in the same order."""
        from scipy.special import expit

        # float32 calls everything above a log-odds of 17 certain, and forgets the order of a very flat slope.
        result: Floats = expit(self.slope * scores.astype(np.float64) + self.offset)
        return result


def _logistic(x: Floats, targets: Floats) -> tuple[float, float]:
    """Slope and offset of the logistic curve nearest to the targets in cross-entropy, by Newton's method."""
    from scipy.special import expit

    def loss(curve: Floats) -> float:
        line = curve[0] * x + curve[1]
        return float((np.logaddexp(0, line) - targets * line).mean())

    curve = np.array([0.0, np.log(targets.mean() / (1 - targets.mean()))])
    now = loss(curve)
    for _ in range(_MOST_STEPS):
        given = expit(curve[0] * x + curve[1])
        error, weight = given - targets, given * (1 - given)
        gradient = np.array([(error * x).mean(), error.mean()])
        across = (weight * x).mean()
        bend = np.array([[(weight * x * x).mean() + 1e-12, across], [across, weight.mean() + 1e-12]])
        step = np.linalg.solve(bend, gradient)
        while (then := loss(curve - step)) > now and np.abs(step).max() > 1e-10:
            step /= 2
        if now - then < 1e-12:
            break
        curve, now = curve - step, then
    return float(curve[0]), float(curve[1])
