"""What is taken after what, again and again: counted, without a network.

Each product of the history speaks for those that followed it in other histories, itself among them where people take it
again: a directed rule (Ludewig and Jannach 2018, "Evaluation of Session-based Recommendation Algorithms", sequential
rules). A count speaks by its logarithm, so that the tenth time says less than the first, and the newest products of the
history speak loudest. Shapes: B users, N events, P products, K neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from tagloom.config import RecommenderSettings
from tagloom.recs.experts.contract import Arrays, Asked, Floats, TrainingData, figure

# How far apart two events may be to count as a pair; a pair that is d apart counts 1 / sqrt(d).
_FARTHEST = 10
# Tried on valid, one after the other: how much a count of one says, and what stays of a product's say at each event
# after it. Sparse logs like small gains and steep fades, dense ones the opposite.
_GAINS = (0.3, 1.0, 3.0, 10.0, 30.0)
_FADES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_MOST_TRIED, _MOST_SCORES = 2_000, 30_000_000
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

    @classmethod
    def fit(cls, data: TrainingData, settings: RecommenderSettings) -> NeighboursExpert:
        """Count pairs, then choose gain and fade on valid."""
        counts = cls.counted(data.asked, settings)
        most = min(_MOST_TRIED, max(100, _MOST_SCORES // len(data.items)))
        users = np.random.default_rng(settings.seed).permutation(len(data.wanted))[:most]
        asked, wanted = data.valid.of(users), data.wanted[users]

        def tried(gain: float, fade: float) -> float:
            return figure(cls(counts, gain, fade).scores(asked), wanted)

        fade = 0.6
        gain = max(_GAINS, key=lambda gain: tried(gain, fade))
        return cls(counts, gain, max(_FADES, key=lambda fade: tried(gain, fade)))

    @staticmethod
    def counted(asked: Asked, settings: RecommenderSettings) -> Any:
        """CSR matrix [P, P]: how often each product came after each, with the weights of the actions."""
        histories, count = asked.histories, len(asked.items)
        there = histories.product_ix >= 0
        products, users = histories.product_ix[there], histories.user[there]
        weights = histories.weights(settings.weights)[there]
        total = csr_matrix((count, count), dtype=np.float32)
        for apart in range(1, _FARTHEST + 1):
            pair = np.flatnonzero(users[apart:] == users[:-apart])
            counted = weights[pair + apart] * np.float32(apart**-0.5)
            total += csr_matrix((counted, (products[pair], products[pair + apart])), shape=total.shape)
        return _largest(total.tocsr(), settings.neighbours)

    def relearned(self, data: TrainingData, settings: RecommenderSettings) -> NeighboursExpert:
        """The same with the counts of another log, such as the whole one."""
        return NeighboursExpert(self.counted(data.asked, settings), self.gain, self.fade)

    def scores(self, asked: Asked) -> Floats:
        """[B, P]: see the class."""
        histories, ids = asked.histories, asked.items.ids
        there = np.flatnonzero((histories.product_ix >= 0) & (ids[histories.product_ix] >= 0))
        later = np.repeat(histories.lengths, histories.lengths)[there] - 1 - histories.places[there]
        said = (self.fade ** later.astype(np.float32)).astype(np.float32)
        shape = (len(asked), self.following.shape[0])
        history = csr_matrix((said, (histories.user[there], ids[histories.product_ix[there]])), shape=shape)
        found = (history @ self._evidence).toarray()  # [B, P of training]
        # A product that came later has no number of its own, -1: the column after the last, of zeros.
        result: Floats = np.hstack([found, np.zeros((len(asked), 1), np.float32)])[:, ids]
        if (ids < 0).any():
            result += _LENT * (result @ asked.items.alike.T)
        return result

    @cached_property
    def _evidence(self) -> Any:
        """What each count says."""
        said = self.following.copy()
        said.data = np.log1p(self.gain * said.data)
        return said

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
