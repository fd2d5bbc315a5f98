"""The baselines: what everybody takes, what everybody takes now, and what is taken in the user's categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tagloom.config import RecommenderSettings
from tagloom.recs.experts.contract import Arrays, Asked, Floats, TrainingData

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

    def scores(self, asked: Asked) -> Floats:
        """[B, P]: see the class."""
        # A product that came later has -1: the last, 0.
        counts = self.counts if self.of_today else np.append(self.counts, 0)[asked.items.ids]
        scores = np.tile(log_shares_of(counts), (len(asked), 1))
        return scores + self._of_categories(asked) if self.kind == "category" else scores

    def _of_categories(self, asked: Asked) -> Floats:
        """[B, P] for products of a category of the history, the more the later it was met; 0 for others."""
        histories, categories = asked.histories, asked.items.categories
        found = np.zeros((len(asked), int(categories.max(initial=-1)) + 2), np.float32)
        there = np.flatnonzero(histories.product_ix >= 0)
        told = (1 + histories.places[there]) * _ABOVE
        np.maximum.at(found, (histories.user[there], categories[histories.product_ix[there]]), told)
        found[:, -1] = 0  # of products without a category, -1
        return found[:, categories]

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
