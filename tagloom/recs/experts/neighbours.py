"""What is taken after what, again and again: counted, without a network.

Each product of the history speaks for those that followed it in other histories, itself among them where people take it
again: a directed rule (Ludewig and Jannach 2018, "Evaluation of Session-based Recommendation Algorithms", sequential
rules). A count speaks by its logarithm, so that the tenth time says less than the first, and the newest products of the
history speak loudest. Shapes: B users, N events, P products, K neighbours.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack

from tagloom.config import RecommenderSettings
from tagloom.recs.experts.contract import Arrays, Asked, Floats, Ints, Kept, TrainingData, figure
from tagloom.recs.items import Items
from tagloom.recs.nearest import EXACT
from tagloom.recs.scored import at, joined, largest, sparse

# How far apart two events may be to count as a pair; a pair that is d apart counts 1 / sqrt(d).
_FARTHEST = 10
# Tried on valid, one after the other: how much a count of one says, and what stays of a product's say at each event
# after it. Sparse logs like small gains and steep fades, dense ones the opposite.
_GAINS = (0.3, 1.0, 3.0, 10.0, 30.0)
_FADES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_MOST_TRIED, _MOST_SCORES = 2_000, 30_000_000
_CANDIDATES, _PAIRS_AT_ONCE = 1_000, 10_000_000
# Of what is said for similar products what a new one gets: those are known to be wanted.
_LENT = 0.7


@dataclass(frozen=True, eq=False)
class NeighboursExpert:
    """The sum over the history of what each product says for another one.

    A product that came later gets what is said for the most similar ones that were there; see `Items.alike`.

    Args:
        following: CSR matrix [P, P] of training's products, counts of what came after each.
        gain: a count c says log(1 + gain c).
        fade: what stays of it at each further event.
    """

    following: Any
    gain: float
    fade: float
    _kept: Kept[tuple[Any, Any]] = field(default_factory=Kept, repr=False)
    _last_found: Kept[Any] = field(default_factory=Kept, repr=False)

    @classmethod
    def fit(cls, data: TrainingData, settings: RecommenderSettings) -> NeighboursExpert:
        """Count pairs, then choose gain and fade on valid."""
        counts = cls.counted(data.asked, settings)
        most = min(_MOST_TRIED, max(100, _MOST_SCORES // len(data.items)))
        users = np.random.default_rng(settings.seed).permutation(len(data.wanted))[:most]
        asked, wanted = data.valid.of(users), data.wanted[users]

        def tried(gain: float, fade: float) -> float:
            expert = cls(counts, gain, fade)
            rows = expert.best(asked, _CANDIDATES) if asked.items.large else None
            return figure(expert.scores(asked, rows), wanted, rows)

        fade = 0.6
        gain = max(_GAINS, key=lambda gain: tried(gain, fade))
        return cls(counts, gain, max(_FADES, key=lambda fade: tried(gain, fade)))

    @staticmethod
    def counted(asked: Asked, settings: RecommenderSettings, pairs_at_once: int = _PAIRS_AT_ONCE) -> Any:
        """CSR matrix [P, P]: how often each product came after each, with the weights of the actions."""
        histories, count = asked.histories, len(asked.items)
        there = histories.product_ix >= 0
        products, users = histories.product_ix[there], histories.user[there]
        weights = histories.weights(settings.weights)[there]
        # A part of the products at a time, so that the pairs that are counted take bounded memory.
        events = np.cumsum(np.bincount(products, minlength=count))
        blocks = 1 + len(products) * _FARTHEST // pairs_at_once
        bounds = np.searchsorted(events, np.arange(1, blocks) * (len(products) / blocks)).tolist()
        parts = []
        for low, high in itertools.pairwise([0, *bounds, count]):
            pairs = []
            for apart in range(1, _FARTHEST + 1):
                before = products[:-apart]
                pair = np.flatnonzero((users[apart:] == users[:-apart]) & (before >= low) & (before < high))
                counted = weights[pair + apart] * np.float32(apart**-0.5)
                pairs.append((counted, products[pair] - low, products[pair + apart]))
            counted, rows, columns = (np.concatenate(part) for part in zip(*pairs, strict=True))
            parts.append(
                _largest(csr_matrix((counted, (rows, columns)), shape=(high - low, count)), settings.neighbours)
            )
        return vstack(parts).tocsr()

    def relearned(self, data: TrainingData, settings: RecommenderSettings) -> NeighboursExpert:
        """The same with the counts of another log, such as the whole one."""
        return NeighboursExpert(self.counted(data.asked, settings), self.gain, self.fade)

    def scores(self, asked: Asked, rows: Ints | None = None) -> Floats:
        """[B, P], or [B, C] of rows: see the class."""
        items, found = asked.items, self._found(asked)
        if rows is not None:
            return self._of_rows(items, found, rows)
        # A product that came later has no number of its own, -1: the column after the last, of zeros.
        result: Floats = np.hstack([found.toarray(), np.zeros((len(asked), 1), np.float32)])[:, items.ids]
        if items.some_came_later:
            result += _LENT * (result @ self._alike(items)[1])
        return result

    def best(self, asked: Asked, most: int) -> Ints:
        """[B, C]: those of which most is said, and of new ones those that are like them."""
        items, found = asked.items, self._found(asked)
        met = largest(found, most)
        rows = np.where(met < 0, -1, items.row_of_known[met])
        if not items.some_came_later:
            return rows
        said = sparse(rows, len(items), at(found, met))
        return joined([rows, largest(said @ self._alike(items)[1], most)])

    def _found(self, asked: Asked) -> Any:
        """CSR matrix [B, P of training]; that of the last that were asked is kept."""
        return self._last_found.of(asked, lambda: self._reckoned(asked))

    def _reckoned(self, asked: Asked) -> Any:
        histories, ids = asked.histories, asked.items.ids
        there = np.flatnonzero(histories.product_ix >= 0)
        there = there[ids[histories.product_ix[there]] >= 0]
        said = (self.fade ** histories.later[there].astype(np.float32)).astype(np.float32)
        shape = (len(asked), self.following.shape[0])
        history = csr_matrix((said, (histories.user[there], ids[histories.product_ix[there]])), shape=shape)
        return (history @ self._evidence).tocsr()

    def _of_rows(self, items: Items, found: Any, rows: Ints) -> Floats:
        """[B, C] the entries of `found` [B, P of training] at rows of today's products."""
        said = at(found, np.where(rows < 0, -1, items.ids[rows]))
        users, places = np.nonzero((rows >= 0) & (items.ids[rows] < 0))
        if len(users):
            alike = self._alike(items)[0][rows[users, places]]
            of = np.repeat(np.arange(len(users)), np.diff(alike.indptr))
            lent = np.asarray(found[users[of], items.ids[alike.indices]]).ravel() * alike.data
            said[users, places] = _LENT * np.bincount(of, lent, len(users))
        return said

    def _alike(self, items: Items) -> tuple[Any, Any]:
        """See `Items.alike`, and the same turned; compared are products of which anything is said, the best known."""

        def made() -> tuple[Any, Any]:
            said = np.asarray(self.following.sum(0)).ravel()
            best = np.argsort(-said, kind="stable")[: min(EXACT, np.count_nonzero(said))]
            rows = items.row_of_known[best]
            alike = items.alike(np.sort(rows[rows >= 0]))
            return alike, alike.T.tocsr()

        return self._kept.of(items, made)

    @cached_property
    def _evidence(self) -> Any:
        """What each count says."""
        counts = self.following
        return csr_matrix((np.log1p(self.gain * counts.data), counts.indices, counts.indptr), shape=counts.shape)

    def arrays(self) -> Arrays:
        """The matrix."""
        matrix = self.following
        return {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}

    def about(self) -> dict[str, Any]:
        """Gain and fade."""
        return {"gain": self.gain, "fade": self.fade}

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], settings: RecommenderSettings) -> NeighboursExpert:  # noqa: ARG003
        """From what `arrays` and `about` gave."""
        count = len(arrays["indptr"]) - 1
        matrix = csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=(count, count))
        return cls(matrix, about["gain"], about["fade"])


def _largest(matrix: Any, most: int) -> Any:
    """A CSR matrix with the largest `most` entries of each row."""
    lengths = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((-matrix.data, rows))
    kept = order[np.arange(len(order)) - np.repeat(matrix.indptr[:-1], lengths) < most]
    shape = matrix.shape
    return csr_matrix((matrix.data[kept].astype(np.float32), (rows[kept], matrix.indices[kept])), shape=shape)
