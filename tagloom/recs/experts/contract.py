"""What every expert of the Recommender can do, and what it learns from. B users, P products, N events."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

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

    @property
    def taken(self) -> Any:
        """CSR matrix [B, P], true for the products of each history."""
        there = self.histories.product_ix >= 0
        ones = np.ones(int(there.sum()), np.bool_)  # numbers would add up, and small ones wrap around
        shape = (len(self), len(self.items))
        return csr_matrix((ones, (self.histories.user[there], self.histories.product_ix[there])), shape=shape)


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

    def scores(self, asked: Asked, rows: Ints | None = None) -> Floats:
        """A score of each product [B, P], near the log of its probability for the user; larger is likelier.

        With rows [B, C] the scores of these products alone [B, C], those of each user up to a number of his own; what
        stands at a row of -1 means nothing.
        """

    def best(self, asked: Asked, most: int) -> Ints:
        """About so many products of each user that score high, in any order [B, C]; -1 where there are no more."""

    def arrays(self) -> Arrays:
        """All numbers that must be saved."""

    def about(self) -> dict[str, Any]:
        """All else that must be saved, as JSON has it."""


Made = TypeVar("Made")


class Kept(Generic[Made]):
    """What was made of the last two things, such as of a catalogue and the one before it; by one thread at a time."""

    def __init__(self) -> None:
        self._made: tuple[tuple[object, Made], ...] = ()
        self._lock = threading.Lock()

    def of(self, what: object, make: Callable[[], Made]) -> Made:
        """What `make` gave for it."""
        for known, made in self._made:
            if known is what:
                return made
        with self._lock:
            for known, made in self._made:
                if known is what:
                    return made
            self._made = ((what, make()), *self._made[:1])
            return self._made[0][1]

    @property
    def last(self) -> Made | None:
        """What was last made."""
        return self._made[0][1] if self._made else None


Fit = Callable[[TrainingData, RecommenderSettings], Expert]


def events_of(asked: Asked) -> npt.NDArray[np.float64]:
    """[P] the events of each product."""
    products = asked.histories.product_ix
    return np.bincount(products[products >= 0], minlength=len(asked.items)).astype(np.float64)


def figure(scores: Floats, wanted: Ints, rows: Ints | None = None) -> float:
    """nDCG@10 of scores [B, P] for what came next [B]; what stands at the same score counts as ranked before it.

    What is hidden, at -inf, is not found; nor is what is not among the rows [B, C], where the scores are of these.
    """
    if rows is not None:
        there = rows == wanted[:, None]
        scores, wanted = np.where(rows < 0, -np.inf, scores), there.argmax(1)
    reached = scores[np.arange(len(wanted)), wanted][:, None]
    ranks = (scores >= reached).sum(1) - 1
    found = (ranks < 10) & (reached[:, 0] > -np.inf)
    if rows is not None:
        found &= there.any(1)
    return float(np.where(found, 1 / np.log2(ranks + 2.0), 0.0).mean())


def fingerprint(data: TrainingData, settings: RecommenderSettings) -> str:
    """Tells what is trained on, and how, from anything else."""
    told = hashlib.sha256(settings.model_dump_json(exclude={"threads"}).encode())
    items, known = data.items, data.items.known
    arrays = [data.wanted, np.nan_to_num(data.rated, nan=-1)]
    texts = [*items.product_ids, *known.tags, *(known.features.terms if known.features else ())]
    for histories in (data.asked.histories, data.valid.histories):
        arrays += [histories.starts, histories.product_ix, histories.action_ix, histories.seconds]
        arrays += [np.nan_to_num(histories.values, nan=-1)]
        texts += histories.texts
    for matrix in (items.tags, items.words):
        arrays += [matrix.indptr, matrix.indices, matrix.data]
    for array in arrays:
        told.update(np.ascontiguousarray(array).tobytes())
    told.update("\n".join(texts).encode("utf-8", "surrogatepass"))
    return told.hexdigest()
