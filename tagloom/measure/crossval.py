"""k-fold cross-validation: train and measure k times, each time on products that were held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tagloom.config import SplitSettings
from tagloom.data.split import kfold, take
from tagloom.data.tables import Products
from tagloom.measure.tagging import TagMetrics


class Scored(Protocol):
    """What can be measured: anything trained that knows how to evaluate itself."""

    def evaluate(self, products: Products) -> TagMetrics:
        """The figures on products that were not trained on."""


@dataclass(frozen=True)
class CrossValidation:
    """The figures of each fold, in order, and what they come to."""

    folds: tuple[TagMetrics, ...]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each metric over the folds, every fold counting the same."""
        return {name: float(values.mean()) for name, values in self._values().items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation of each metric over the folds (divided by folds - 1).

        How far one training is from another; the folds share training data, so it is no standard error of the mean.
        """
        return {name: float(values.std(ddof=1)) for name, values in self._values().items()}

    def _values(self) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        return {name: np.array([fold.values[name] for fold in self.folds]) for name in self.folds[0].values}


def cross_validate(
    fit: Callable[[Products, Products | None], Scored],
    products: Products,
    folds: int,
    settings: SplitSettings,
    progress: Callable[[int, TagMetrics], object] | None = None,
) -> CrossValidation:
    """Measure on each of `folds` parts what was trained on the others; every product is held out exactly once.

    Args:
        fit: told the products to learn from, and None for valid: it holds out what it needs itself.
        products: all there are.
        folds: how many parts, from 2.
        settings: whether equal texts stay together, and the seed of the division.
        progress: told the fold's number, from 1, and its figures after each.

    Raises:
        DataError: fewer products with different texts than folds; and what `fit` raises.
    """
    figures: list[TagMetrics] = []
    for number, (rest, held_out) in enumerate(kfold(products, folds, settings), start=1):
        figures.append(fit(take(products, rest), None).evaluate(take(products, held_out)))
        if progress is not None:
            progress(number, figures[-1])
    return CrossValidation(tuple(figures))
