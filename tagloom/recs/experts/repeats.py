"""What is taken again: food, cosmetics, what was looked at and not bought yet.

How likely the next product is one of the history, by how many products ago it was last touched, counted over all users;
times how much more or less often this very product is taken again (Bhagat et al. 2018, "Buy It Again", with distance in
the place of time). Products that a user does not have score 0. Shapes: B users, N events, P products, G distances.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from tagloom.config import RecommenderSettings
from tagloom.recs.experts.contract import Arrays, Asked, Floats, Ints, Kept, TrainingData
from tagloom.recs.scored import at, largest

_FARTHEST = 64  # products; what is farther counts as if it were so far
# A product's own rate counts as if it had been that of all for so many expected repetitions.
_PRIOR = 3.0


@dataclass(frozen=True, eq=False)
class RepeatsExpert:
    """The log of how much likelier than by chance a product of the history is next.

    Args:
        rates: [G + 1] how likely the product that was last touched d products ago is next; that of 0 is not used.
        factors: of each product of training how much more often than that it is taken again.
    """

    rates: Floats
    factors: Floats
    _last_found: Kept[Any] = field(default_factory=Kept, repr=False)

    @classmethod
    def fit(cls, data: TrainingData, settings: RecommenderSettings) -> RepeatsExpert:  # noqa: ARG003 (as the others)
        """Count."""
        histories, count = data.asked.histories, len(data.items)
        there = histories.product_ix >= 0
        products, users = histories.product_ix[there], histories.user[there]
        ahead = _until_again(users, products)
        hits, chances = np.zeros(_FARTHEST + 1), np.full(_FARTHEST + 1, 1e-9)
        for ago in range(1, _FARTHEST + 1):
            last = _last_touched(users, ahead, ago)
            hits[ago], chances[ago] = (ahead[last] == ago).sum(), chances[ago] + len(last)
        rates, expected = hits / chances, np.zeros(count)
        for ago in np.flatnonzero(rates).tolist():
            expected += rates[ago] * np.bincount(products[_last_touched(users, ahead, ago)], minlength=count)
        taken = np.bincount(products[ahead <= _FARTHEST], minlength=count)
        factors = (taken + _PRIOR) / (expected + _PRIOR)
        return cls(rates.astype(np.float32), factors.astype(np.float32))

    def relearned(self, data: TrainingData, settings: RecommenderSettings) -> RepeatsExpert:
        """Counted anew in another log, such as the whole one."""
        return self.fit(data, settings)

    def scores(self, asked: Asked, rows: Ints | None = None) -> Floats:
        """[B, P], or [B, C] of rows: see the class."""
        found = self._found(asked)
        result: Floats = found.toarray() if rows is None else at(found, rows)
        return result

    def best(self, asked: Asked, most: int) -> Ints:
        """[B, C]: what each user has."""
        return largest(self._found(asked), min(most, int(asked.histories.lengths.max(initial=0))))

    def _found(self, asked: Asked) -> Any:
        """CSR matrix [B, P] of the products of each history; that of the last that were asked is kept."""
        return self._last_found.of(asked, lambda: self._reckoned(asked))

    def _reckoned(self, asked: Asked) -> Any:
        histories, items = asked.histories, asked.items
        there = np.flatnonzero(histories.product_ix >= 0)
        users, products = histories.user[there], histories.product_ix[there]
        counts = np.bincount(users, minlength=len(asked))
        # From the end of each history: 1 is the last product.
        ago = np.repeat(np.cumsum(counts), counts) - np.arange(len(users))
        # Of several touches the last counts: the first when read from the end.
        _, last = np.unique((users * len(items) + products)[::-1], return_index=True)
        last = len(users) - 1 - last
        factors = np.append(self.factors, 1.0)[items.ids[products[last]]]  # a product that came later: as all are
        likely = self.rates[np.minimum(ago[last], _FARTHEST)] * factors
        told = np.log1p(len(items) * likely).astype(np.float32)
        return csr_matrix((told, (users[last], products[last])), shape=(len(asked), len(items)))

    def arrays(self) -> Arrays:
        """The rates and factors."""
        return {"rates": self.rates, "factors": self.factors}

    def about(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], settings: RecommenderSettings) -> RepeatsExpert:  # noqa: ARG003
        """From what `arrays` gave."""
        return cls(arrays["rates"], arrays["factors"])


def _last_touched(users: Ints, ahead: Ints, ago: int) -> Ints:
    """Of all places the products that were last touched `ago` products before."""
    before = np.flatnonzero(users[ago:] == users[:-ago])
    return before[ahead[before] >= ago]


def _until_again(users: Ints, products: Ints) -> Ints:
    """[N] how many products later the same user touches the same one again; very many where never."""
    order = np.lexsort((np.arange(len(users)), products, users))
    found = np.full(len(users), np.iinfo(np.int64).max)
    same = (users[order][1:] == users[order][:-1]) & (products[order][1:] == products[order][:-1])
    found[order[:-1][same]] = np.diff(order)[same]
    return found
