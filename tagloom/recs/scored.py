"""Scores of all products, or of some for each user: where a catalogue is large, only the likeliest are looked at.

Shapes: B users, P products, C candidates of a user, K places, L columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from tagloom.measure.ranking import top_of

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scored:
    """What B users may want.

    Args:
        scores: [B, C].
        rows: int64 [B, C] the products they are of, none twice, -1: no product; None: all P, in their order.
        rest: [B] the log of what all products that are not among the rows have together, as shares are counted.
        hidden: [B, C] true for what is not recommended; it has its share all the same. None: nothing is.
        added: [P] what is added to each product's score where the best are chosen; shares stay.
    """

    scores: Floats
    rows: Ints | None = None
    rest: Floats | None = None
    hidden: npt.NDArray[np.bool_] | None = None
    added: Floats | None = None

    def shares(self) -> Floats:
        """[B, C] what each product has of 1, over the whole catalogue."""
        if not self.scores.size:
            return self.scores
        scores = self.scores if self.rest is None else np.hstack([self.scores, self.rest[:, None]])
        top = scores.max(1, keepdims=True)
        odds = np.exp(scores - np.where(np.isfinite(top), top, 0))
        found: Floats = odds / np.maximum(odds.sum(1, keepdims=True), np.finfo(np.float32).tiny)
        return found[:, : self.scores.shape[1]]

    def replaced(self, users: Ints, others: Scored) -> Scored:
        """The same with the products and scores of some users, by their numbers, from elsewhere; nothing is hidden."""
        if self.rows is None or others.rows is None or self.rest is None or others.rest is None:
            scores = self.scores.copy()
            scores[users] = others.scores
            return Scored(scores)
        width = max(self.rows.shape[1], others.rows.shape[1])
        rows, scores, rest = _wider(self.rows, width, -1), _wider(self.scores, width, -np.inf), self.rest.copy()
        rows[users], scores[users] = _wider(others.rows, width, -1), _wider(others.scores, width, -np.inf)
        rest[users] = others.rest
        return Scored(scores, rows, rest)

    def without(self, matrix: Any) -> Scored:
        """The same with that hidden, too, which has an entry in a CSR matrix [B, P]."""
        if self.rows is None:
            hidden = np.zeros(self.scores.shape, np.bool_)
            hidden[matrix.nonzero()] = True
        else:
            hidden = at(matrix, self.rows) != 0
        return self._hiding(hidden)

    def without_rows(self, hidden: npt.NDArray[np.bool_]) -> Scored:
        """The same with products [P] hidden from every user, too."""
        return self._hiding(np.broadcast_to(hidden if self.rows is None else hidden[self.rows], self.scores.shape))

    def ranked_with(self, added: Floats) -> Scored:
        """The same, with something [P] added to each product's score where the best are chosen."""
        return replace(self, added=added)

    def _hiding(self, hidden: npt.NDArray[np.bool_]) -> Scored:
        return replace(self, hidden=hidden if self.hidden is None else self.hidden | hidden)

    def mean_of(self, values: Any) -> Floats:
        """A CSR matrix [P, L] of the products' values -> [B, L] their mean, each product counted by its share."""
        shares = self.shares()
        if self.rows is None:
            return np.asarray(shares @ values, np.float32)
        picked = sparse(self.rows, values.shape[0], shares)
        return np.asarray((picked @ values).toarray(), np.float32)

    def top(self, most: int) -> tuple[Ints, Floats]:
        """The best products of each user, rows of the catalogue, and their shares: [B, K] each; -1: no more."""
        if not self.scores.shape[1]:
            return np.full((len(self.scores), 1), -1, np.int64), np.zeros((len(self.scores), 1), np.float32)
        scores = self.scores
        if self.added is not None:
            scores = scores + (self.added if self.rows is None else self.added[self.rows])
        if self.hidden is not None:
            scores = np.where(self.hidden, -np.inf, scores)
        places = top_of(scores, max(1, min(most, scores.shape[1])))
        shares = np.where(places < 0, 0, np.take_along_axis(self.shares(), places, 1)).astype(np.float32)
        if self.rows is not None:
            places = np.where(places < 0, -1, np.take_along_axis(self.rows, places, 1))
        return places, shares


def log_sum(scores: Floats) -> Floats:
    """[B] the log of the sum of the exponentials of [B, C]."""
    top = scores.max(1)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # of nothing it is -inf
        found: Floats = top + np.log(np.exp(scores - top[:, None]).sum(1))
    return found


def _wider(values: Any, width: int, filled: float) -> Any:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=filled)


def sparse(rows: Ints, products: int, values: Floats | None = None) -> Any:
    """CSR matrix [B, P] with the values [B, C] (1 where there are none) at rows [B, C]; -1 is nowhere."""
    there = rows >= 0
    user = np.repeat(np.arange(len(rows)), there.sum(1))
    filled = np.ones(len(user), np.float32) if values is None else values[there]
    return csr_matrix((filled, (user, rows[there])), shape=(len(rows), products))


def at(matrix: Any, rows: Ints) -> Floats:
    """The entries of a CSR matrix [B, P] at rows [B, C] of each user; 0 for a row of -1."""
    matrix.sort_indices()
    users, products = matrix.shape
    # Every entry by one number, user by user; that is many times as quick as indexing the matrix.
    keys = np.repeat(np.arange(users) * products, np.diff(matrix.indptr)) + matrix.indices
    wanted = np.arange(users)[:, None] * products + rows
    places = np.searchsorted(keys, wanted).clip(max=max(0, len(keys) - 1))
    if not len(keys):
        return np.zeros(rows.shape, np.float32)
    found: Floats = np.where((keys[places] == wanted) & (rows >= 0), matrix.data[places], 0).astype(np.float32)
    return found


def joined(parts: Sequence[Ints]) -> Ints:
    """Rows [B, C] of several sources -> all of them, each once [B, sum of C]; -1 where there are no more."""
    found = np.sort(np.concatenate(parts, axis=1), axis=1)
    again = np.zeros(found.shape, np.bool_)
    again[:, 1:] = found[:, 1:] == found[:, :-1]
    found[again] = -1
    return found


def largest(matrix: Any, most: int) -> Ints:
    """The columns of the largest `most` entries of each row of a CSR matrix: [B, most]; -1 where there are no more."""
    found = np.full((matrix.shape[0], most), -1, np.int64)
    for row, (start, stop) in enumerate(zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)):
        columns, values = matrix.indices[start:stop], matrix.data[start:stop]
        if len(columns) > most:
            columns = columns[np.argpartition(-values, most - 1)[:most]]
        found[row, : len(columns)] = columns
    return found
