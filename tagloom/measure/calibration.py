"""Whether confidences mean a frequency: reliability bins, expected calibration error, Brier score."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

BINS = 15


def _nothing() -> npt.NDArray[np.float64]:
    return np.zeros(BINS)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Pairs of product and tag by confidence: bin b of 15 holds those from b/15 up to (b+1)/15, the last one 1 too.

    Equal widths and not equal counts: such bins can be filled batch by batch, and a plot of them reads itself.
    Source: Naeini, Cooper and Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning"; Guo
    et al. 2017, "On Calibration of Modern Neural Networks", section 2, for the 15 bins.

    Args:
        pairs: [15] how many pairs.
        expected: [15] the sum of their confidences: so many would be true.
        true: [15] so many are true.
        squared: the sum of (confidence - truth)² over all of them.
    """

    pairs: npt.NDArray[np.float64] = field(default_factory=_nothing)
    expected: npt.NDArray[np.float64] = field(default_factory=_nothing)
    true: npt.NDArray[np.float64] = field(default_factory=_nothing)
    squared: float = 0.0

    def plus(self, confidences: Floats, truth: Floats | npt.NDArray[np.bool_]) -> Reliability:
        """With more pairs: confidences [N] (outside 0..1 the end bins take them) and whether each is true [N]."""
        # Clipped before it is made whole: a large number has no whole number to become.
        bins = np.clip(confidences * BINS, 0, BINS - 1).astype(np.intp)
        squared = np.square(confidences - truth, dtype=np.float64).sum()
        return Reliability(
            self.pairs + np.bincount(bins, minlength=BINS),
            self.expected + np.bincount(bins, confidences, BINS),
            self.true + np.bincount(bins, truth, BINS),
            self.squared + float(squared),
        )

    @property
    def confidence(self) -> Floats:
        """[15] the mean confidence of each bin; 0 for an empty one."""
        mean: Floats = self.expected / np.maximum(self.pairs, 1)
        return mean

    @property
    def frequency(self) -> Floats:
        """[15] the share of each bin that is true; 0 for an empty one."""
        share: Floats = self.true / np.maximum(self.pairs, 1)
        return share

    @property
    def error(self) -> float:
        """Expected calibration error: |mean confidence - share that is true|, the mean over pairs; 0 without any."""
        return float(np.abs(self.expected - self.true).sum() / max(self.pairs.sum(), 1))

    @property
    def brier(self) -> float:
        """Mean of (confidence - truth)² over pairs (Brier 1950); 0 without any."""
        return self.squared / max(float(self.pairs.sum()), 1)
