"""Scores to confidences that mean a frequency, fitted on valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

_MOST_PAIRS = 2_000_000


@dataclass(frozen=True)
class Calibration:
    """Confidence = logistic(slope * score + offset), one pair of numbers for all tags (Platt 1999)."""

    slope: float
    offset: float

    @classmethod
    def fit(cls, scores: Floats, truth: Floats, seed: int) -> Calibration:
        """Fit on [P, L] scores and truths of valid; pairs beyond two million are sampled."""
        from sklearn.linear_model import LogisticRegression

        flat, right = scores.ravel(), truth.ravel()
        if flat.size > _MOST_PAIRS:
            chosen = np.random.default_rng(seed).choice(flat.size, _MOST_PAIRS, replace=False)
            flat, right = flat[chosen], right[chosen]
        if right.min() == right.max():
            return cls(1.0, 0.0)
        spread = float(flat.std()) or 1.0  # to length one, so that the solver's mild pull to zero means the same always
        fitted = LogisticRegression(C=1e4).fit((flat / spread)[:, None], right)
        slope = float(fitted.coef_[0, 0]) / spread
        # A slope below zero would turn the order round; only a model that learned nothing asks for that.
        return (
            cls(slope, float(fitted.intercept_[0]))
            if slope > 0
            else cls(1e-6, float(np.log(right.mean() / (1 - right.mean()))))
        )

    def confidences(self, scores: Floats) -> Floats:
        """Scores [B, L] -> confidences in 0..1, in the same order."""
        from scipy.special import expit

        result: Floats = expit(self.slope * scores + self.offset)
        return result
