"""The baselines: what everybody takes, what everybody takes now, and what is taken in the user's categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tagloom.config import RecommenderSettings
from tagloom.recs.experts.contract import Arrays, Asked, Floats, Ints, Kept, TrainingData
from tagloom.recs.scored import joined

_DAY = 86_400.0
# Days after which an event counts half for what is taken now.
_HALF_LIFE_DAYS = 7.0
# What a product without any event has: it is behind all others, but it is there.
_UNMET = 0.5
# More than any two logs of shares are apart.
_ABOVE = 50.0


@dataclass(frozen=True, eq=False)
class PopularExpert:
    """The log of each product's share of all events.

    Args:
        kind: `popular`: of all time; `recent`: the newest count most; `category`: of all time, and products of the
            categories of the user's history before all others, those of the latest events first.
        counts: of each product of training.
        of_today: they are of the products of the log that was counted, in its order, and are asked of no other.
    """

    kind: str
    counts: Floats
    of_today: bool = False
    _kept: Kept[tuple[Floats, Ints]] = field(default_factory=Kept, repr=False)
    _shelves: Kept[tuple[Ints, Ints]] = field(default_factory=Kept, repr=False)

    @classmethod
    def fit(cls, data: TrainingData, settings: RecommenderSettings, kind: str = "popular") -> PopularExpert:
        """Count, each event with the weight of its action."""
        return cls.counted(data.asked, kind, settings.weights, of_today=False)

    @classmethod
    def counted(cls, asked: Asked, kind: str, by_action: Mapping[str, float], *, of_today: bool) -> PopularExpert:
        """The same, of a log; see the class."""
        histories = asked.histories
        there = histories.product_ix >= 0
        weights = histories.weights(by_action)[there].astype(np.float64)
        if kind == "recent":
            age = (histories.seconds.max(initial=0) - histories.seconds[there]) / _DAY
            weights *= 0.5 ** (age / _HALF_LIFE_DAYS)
        counts = np.bincount(histories.product_ix[there], weights, minlength=len(asked.items)).astype(np.float32)
        return cls(kind, counts, of_today)

    def relearned(self, data: TrainingData, settings: RecommenderSettings) -> PopularExpert:
        """Counted anew in another log, such as the whole one."""
        return self.fit(data, settings, self.kind)

    def scores(self, asked: Asked, rows: Ints | None = None) -> Floats:
        """[B, P], or [B, C] of rows: see the class."""
        shares, _ = self._ranked(asked)
        scores = np.tile(shares, (len(asked), 1)) if rows is None else shares[rows]
        return scores + self._of_categories(asked, rows) if self.kind == "category" else scores

    def best(self, asked: Asked, most: int) -> Ints:
        """[B, C]: those with the largest counts; of `category` also those of the user's latest categories."""
        _, order = self._ranked(asked)
        first = np.tile(order[:most], (len(asked), 1))
        return joined([first, self._best_of_categories(asked, most)]) if self.kind == "category" else first

    def _ranked(self, asked: Asked) -> tuple[Floats, Ints]:
        """[P] the log of each product's share, and the products in its order."""

        def ranked() -> tuple[Floats, Ints]:
            # A product that came later has -1: the last, 0.
            counts = self.counts if self.of_today else np.append(self.counts, 0)[asked.items.ids]
            return log_shares_of(counts), np.argsort(-counts, kind="stable")

        return self._kept.of(asked.items, ranked)

    def _of_categories(self, asked: Asked, rows: Ints | None) -> Floats:
        """[B, P], or [B, C] of rows, for products of a category of the history, the more the later it was met; 0 for
        others."""
        histories, categories = asked.histories, asked.items.categories
        found = np.zeros((len(asked), int(categories.max(initial=-1)) + 2), np.float32)
        there = np.flatnonzero(histories.product_ix >= 0)
        told = (1 + histories.places[there]) * _ABOVE
        np.maximum.at(found, (histories.user[there], categories[histories.product_ix[there]]), told)
        found[:, -1] = 0  # of products without a category, -1
        return found[:, categories] if rows is None else np.take_along_axis(found, categories[rows], 1)

    def _by_category(self, asked: Asked) -> tuple[Ints, Ints]:
        """The products by category, within each the most taken first, and where each category begins."""
        categories, (_, order) = asked.items.categories, self._ranked(asked)
        order = order[np.argsort(categories[order], kind="stable")]
        return order, np.searchsorted(categories[order], np.arange(categories.max(initial=-1) + 2))

    def _best_of_categories(self, asked: Asked, most: int) -> Ints:
        """[B, most] the first of the category that was met last, and so on; -1 where there are no more."""
        histories, categories = asked.histories, asked.items.categories
        order, starts = self._shelves.of(asked.items, lambda: self._by_category(asked))
        found = np.full((len(asked), most), -1, np.int64)
        for user, (start, stop) in enumerate(zip(histories.starts[:-1], histories.starts[1:], strict=True)):
            met = histories.product_ix[start:stop][::-1]
            newest = [kind for kind in dict.fromkeys(categories[met[met >= 0]].tolist()) if kind >= 0]
            likely = [order[starts[kind] : starts[kind + 1]][:most] for kind in newest]
            chosen = np.concatenate([*likely, order[:0]])[:most]
            found[user, : len(chosen)] = chosen
        return found

    def arrays(self) -> Arrays:
        """The counts."""
        return {"counts": self.counts}

    def about(self) -> dict[str, Any]:
        """Its kind."""
        return {"kind": self.kind}

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], settings: RecommenderSettings) -> PopularExpert:  # noqa: ARG003
        """From what `arrays` and `about` gave."""
        return cls(about["kind"], arrays["counts"])


def log_shares_of(counts: Floats) -> Floats:
    """Counts [P] -> logs of shares; what was never met has a little, too."""
    more = counts + _UNMET
    shares: Floats = np.log(more / more.sum()).astype(np.float32)
    return shares
