"""Where tags went wrong: tags taken for others, products that are most unlike what the catalogue says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.measure.tagging import TOP, Bools, Floats, top_columns

STEPS = 200
PRODUCTS = 50
_EXAMPLES = 3
_MOST_CONFUSED = 1_000_000
_LEAST_CONFUSED = 3

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Product:
    """One product's row, and the columns of its tags with their confidences, the surest first.

    `wrong`: given, not true; `missed`: true, not given (confidence -inf: not on offer). `apart` is what they come to:
    the confidences of the wrong ones and, for each missed one, what its confidence lacks to 1.
    """

    row: int
    apart: float
    right: tuple[tuple[int, float], ...]
    wrong: tuple[tuple[int, float], ...]
    missed: tuple[tuple[int, float], ...]


class Mistakes:
    """Gathered batch by batch, the surest ten tags of each product looked at; memory grows with B and L only.

    Args:
        tags: L, how many columns.
    """

    def __init__(self, tags: int) -> None:
        self.tags = tags
        self.products: list[Product] = []
        self.offered = np.zeros(tags, np.bool_)
        self.wrong_on, self.missed_on = _Examples(), _Examples()
        self._seen = 0
        self._keys, self._counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._by_step = np.zeros((2, STEPS), np.int64)  # pairs on offer by confidence: all, true

    def add(self, confidences: Floats, true: Bools, given: Bools) -> None:
        """Look at a batch: arrays [B, L]; confidences in 0..1, -inf where a tag was not on offer."""
        offered = confidences > -np.inf
        self.offered |= offered.any(axis=0)
        steps = np.clip(confidences[offered] * STEPS, 0, STEPS - 1).astype(np.intp)
        for which, some in enumerate((steps, steps[true[offered]])):
            self._by_step[which] += np.bincount(some, minlength=STEPS)
        top = top_columns(confidences, TOP)  # [B, 10]
        sure = np.take_along_axis(confidences, top, 1)
        wrong = np.take_along_axis(given & offered & ~true, top, 1)
        missed = true & ~(given & offered)
        rows, columns = np.nonzero(missed)
        lacks = 1 - np.maximum(confidences[rows, columns], 0)
        self._confuse(columns, top[rows], wrong[rows])
        self.missed_on.add(columns, lacks, rows + self._seen)
        wrong_rows, places = np.nonzero(wrong)
        self.wrong_on.add(top[wrong_rows, places], sure[wrong_rows, places], wrong_rows + self._seen)
        apart = np.where(wrong, sure, 0).sum(1) + np.bincount(rows, lacks, len(true))
        self._keep_worst(apart, confidences, true, given & offered)
        self._seen += len(true)

    def confused(self, column: int, missed: Ints, wrong: Ints) -> tuple[int, int] | None:
        """The tag most often given where this one was missed, or else missed where this one was given wrongly.

        Chosen by n / sqrt(how often the other went wrong so), and only when n is twice what chance would make it: a
        tag that is given wrongly everywhere stands beside every miss.

        Args:
            column: the tag.
            missed: [L] how often each tag was true and not given.
            wrong: [L] how often each tag was given and not true.

        Returns:
            The other's column, and on how many products n; None when it is fewer than three, or than a quarter of all
            on which this tag went wrong so.
        """
        first, second = self._keys // self.tags, self._keys % self.tags
        for own, others, mistakes, of_others in ((first, second, missed, wrong), (second, first, wrong, missed)):
            by_chance = mistakes[column] * of_others[others] / max(self._seen, 1)
            enough = self._counts >= np.maximum(max(_LEAST_CONFUSED, mistakes[column] / 4), 2 * by_chance)
            mine = (own == column) & enough
            if mine.any():
                others, counts = others[mine], self._counts[mine]
                best = int(np.argmax(counts / np.sqrt(np.maximum(of_others[others], 1))))
                return int(others[best]), int(counts[best])
        return None

    def over_thresholds(self, support: int) -> Floats:
        """Threshold, precision and recall when it were the one threshold for all tags: [3, 200], 0 to 0.995.

        Args:
            support: all true pairs, those of tags that were not on offer too.
        """
        given, right = np.cumsum(self._by_step[:, ::-1], axis=1)[:, ::-1]
        precision = np.where(given > 0, right / np.maximum(given, 1), 1.0)
        return np.stack([np.arange(STEPS) / STEPS, precision, right / max(support, 1)])

    def _confuse(self, missed: Ints, beside: Ints, wrong: Bools) -> None:
        """Count pairs: N missed columns; for each the columns beside it [N, 10], and which were given wrongly."""
        keys = (missed[:, None] * self.tags + beside)[wrong]
        counts = np.ones(len(keys), np.int64)
        both = np.concatenate([self._keys, keys])
        self._keys, places = np.unique(both, return_inverse=True)
        self._counts = np.bincount(places, np.concatenate([self._counts, counts]), len(self._keys)).astype(np.int64)
        least = 2
        while len(self._keys) > _MOST_CONFUSED:
            # What was seen least is the least likely to be what we look for.
            often = self._counts >= least
            self._keys, self._counts, least = self._keys[often], self._counts[often], least + 1

    def _keep_worst(self, apart: Floats, confidences: Floats, true: Bools, given: Bools) -> None:
        bar = self.products[-1].apart if len(self.products) == PRODUCTS else 0.0
        for row in np.argsort(-apart, kind="stable")[:PRODUCTS]:
            if apart[row] <= bar:
                break
            sure = confidences[row]
            right, wrong, missed = (
                _columns(some, sure)
                for some in (true[row] & given[row], given[row] & ~true[row], true[row] & ~given[row])
            )
            self.products.append(Product(int(row) + self._seen, float(apart[row]), right, wrong, missed))
        self.products = sorted(self.products, key=lambda one: (-one.apart, one.row))[:PRODUCTS]


class _Examples:
    """For each column the three rows with the largest weights."""

    def __init__(self) -> None:
        self._columns, self._rows = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._weights: Floats = np.zeros(0)

    def add(self, columns: Ints, weights: Floats, rows: Ints) -> None:
        """Take in N more rows, each for a column."""
        columns = np.concatenate([self._columns, columns])
        weights, rows = np.concatenate([self._weights, weights]), np.concatenate([self._rows, rows])
        order = np.lexsort((rows, -weights, columns))
        columns, weights, rows = columns[order], weights[order], rows[order]
        rank = np.arange(len(columns)) - np.searchsorted(columns, columns)
        best = rank < _EXAMPLES
        self._columns, self._weights, self._rows = columns[best], weights[best], rows[best]

    def of(self, column: int) -> list[int]:
        """The rows of a column, that with the largest weight first."""
        start, end = np.searchsorted(self._columns, [column, column + 1])
        return [int(row) for row in self._rows[start:end]]


def _columns(some: npt.NDArray[Any], confidences: Floats) -> tuple[tuple[int, float], ...]:
    columns = np.flatnonzero(some)
    order = np.argsort(-confidences[columns], kind="stable")[:TOP]
    return tuple((int(column), float(confidences[column])) for column in columns[order])
