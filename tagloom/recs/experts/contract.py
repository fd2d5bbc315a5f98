"""What every expert of the Recommender can do, and what it learns from. B users, P products, N events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tagloom.config import RecommenderSettings
from tagloom.data.histories import Histories
from tagloom.recs.items import Items

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]
Progress = Callable[[int, dict[str, float]], object]


@dataclass(frozen=True, eq=False)
class Asked:
    """B users of whom it is asked what they want next; the answer is never older than their last event.

    Args:
        histories: what they did.
        items: the products of today; `histories.product_ix` are its rows.
    """

    histories: Histories
    items: Items

    def __len__(self) -> int:
        return len(self.histories)

    def of(self, rows: Ints) -> Asked:
        """Some of the users."""
        return Asked(self.histories.of(rows), self.items)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What an expert learns from.

    Args:
        asked: everybody's history.
        valid: histories up to the event before the one in `wanted`; of those users who are measured.
        wanted: int64 [valid] the product that came next.
        rated: [valid] how it was rated; NaN where it was not.
        log_folder: where curves go.
        checkpoint: where training that is broken off can go on from.
        progress: told of each pass.
    """

    asked: Asked
    valid: Asked
    wanted: Ints
    rated: Floats
    log_folder: Path | None = None
    checkpoint: Path | None = None
    progress: Progress | None = None

    @cached_property
    def counts(self) -> npt.NDArray[np.float64]:
        """[P] how many events each product has."""
        return events_of(self.asked)

    @property
    def items(self) -> Items:
        """The products."""
        return self.asked.items


class Expert(Protocol):
    """A trained expert."""

    def relearned(self, data: TrainingData, settings: RecommenderSettings) -> Expert:
        """The same expert, learned anew from another log with what was found best, such as the number of passes."""

    def scores(self, asked: Asked) -> Floats:
        """A score of each product [B, P], near the log of its probability for the user; larger is likelier."""

    def arrays(self) -> Arrays:
        """All numbers that must be saved."""

    def about(self) -> dict[str, Any]:
        """All else that must be saved, as JSON has it."""


Fit = Callable[[TrainingData, RecommenderSettings], Expert]


def events_of(asked: Asked) -> npt.NDArray[np.float64]:
    """[P] the events of each product."""
    products = asked.histories.product_ix
    return np.bincount(products[products >= 0], minlength=len(asked.items)).astype(np.float64)


def figure(scores: Floats, wanted: Ints) -> float:
    """nDCG@10 of scores [B, P] for what came next [B]; what stands at the same score counts as ranked before it.

    What is hidden, at -inf, is not found.
    """
    reached = scores[np.arange(len(wanted)), wanted][:, None]
    ranks = (scores >= reached).sum(1) - 1
    found = (ranks < 10) & (reached[:, 0] > -np.inf)
    return float(np.where(found, 1 / np.log2(ranks + 2.0), 0.0).mean())
