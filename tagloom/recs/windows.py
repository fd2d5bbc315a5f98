"""Histories cut into windows of numbers: what the networks read, and what they are asked after each event.

Shapes: U users, N events, W windows, M events of all windows in a row, V words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.config import RecommenderSettings
from tagloom.data.batches import shared
from tagloom.data.histories import ACTION_WEIGHTS, Histories, histories_of
from tagloom.data.tables import ACTIONS, Events
from tagloom.recs.items import Items, bags

if TYPE_CHECKING:
    from torch import Tensor

    Batch = tuple[tuple[Tensor, ...], Tensor, Tensor]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
# Texts -> CSR matrix [texts, V].
Words = Callable[[Sequence[str]], Any]

# Wide enough that a history meets others in each pass, narrow enough that hardly any place is padding.
_LENGTHS_MIXED = 0.9


@dataclass(frozen=True, eq=False)
class Windows:
    """W runs of events; those of window w are `starts[w]` to `starts[w + 1]`.

    Args:
        starts: [W + 1].
        products: [M], -1: none.
        actions: [M].
        gaps: [M] steps of `gap_steps`.
        text_of: [M] row of `texts`, -1: none.
        texts: CSR matrix [S, V], the words of what was searched and posted.
        targets: [M] the next product, -1: not asked.
        ratings: [M] its rating, NaN: none.
        weights: [M] how much it counts.
    """

    starts: Ints
    products: Ints
    actions: Ints
    gaps: Ints
    text_of: Ints
    texts: Any
    targets: Ints
    ratings: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> Ints:
        """[W] events of each window."""
        return np.diff(self.starts)

    @classmethod
    def of(cls, histories: Histories, words: Words, weights: Floats, most: int) -> Windows:
        """To learn from: after each event the next one, when that has a product and counts.

        A history of more than `most` events is cut into windows that overlap by half; each event is asked for once.
        Windows that ask for nothing are left out.

        Args:
            histories: whose events; see `merged`.
            words: makes rows of texts.
            weights: [N] how much each event counts as an answer.
            most: events of a window.
        """
        inputs = np.maximum(histories.lengths - 1, 0)  # the last event has nothing after it
        stride = max(1, most // 2)
        counts = np.where(inputs > most, 1 - (most - inputs) // stride, np.minimum(inputs, 1))  # [U]
        user = np.repeat(np.arange(len(inputs)), counts)
        number = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
        begin = np.maximum(np.minimum(number * stride, inputs[user] - most), 0)
        lengths = np.minimum(most, inputs[user] - begin)
        asked_from = np.where(number > 0, (number - 1) * stride + most, 0) - begin
        starts, place = _places(lengths)
        events = np.repeat(histories.starts[user] + begin, lengths) + place  # [M]
        asked = (place >= np.repeat(asked_from, lengths)) & (weights[events + 1] > 0)
        targets = np.where(asked, histories.product_ix[events + 1], -1)
        # A window that asks for nothing teaches nothing, and a batch of such alone would have no mean loss.
        window = np.repeat(np.arange(len(lengths)), lengths)
        asks = np.bincount(window, targets >= 0, len(lengths)) > 0
        events, targets = events[asks[window]], targets[asks[window]]
        starts = np.concatenate([[0], np.cumsum(lengths[asks])])
        return cls._read(
            histories, words, starts, events, (targets, ratings_of(histories)[events + 1], weights[events + 1])
        )

    @classmethod
    def asking(
        cls, histories: Histories, words: Words, most: int, targets: Ints | None = None, ratings: Floats | None = None
    ) -> Windows:
        """To answer, or to be measured: the last `most` events of each user, and after the last of them what came next.

        Args:
            histories: [U]; a user without any event has an empty window.
            words: makes rows of texts.
            most: events of a window.
            targets: [U] products that came next; None: nobody knows.
            ratings: [U] how they were rated; None: they were not.
        """
        lengths = np.minimum(histories.lengths, most)
        starts, place = _places(lengths)
        events = np.repeat(histories.starts[1:] - lengths, lengths) + place
        asked, rated = np.full(len(events), -1, np.int64), np.full(len(events), np.nan, np.float32)
        last = starts[1:][lengths > 0] - 1
        if targets is not None:
            asked[last] = targets[lengths > 0]
        if ratings is not None:
            rated[last] = ratings[lengths > 0]
        return cls._read(histories, words, starts, events, (asked, rated, np.ones(len(events), np.float32)))

    @classmethod
    def _read(
        cls, histories: Histories, words: Words, starts: Ints, events: Ints, asked: tuple[Ints, Floats, Floats]
    ) -> Windows:
        typed = [histories.texts[event] for event in events]
        number: dict[str, int] = {}  # each text is read once
        text_of = np.array([number.setdefault(text, len(number)) if text else -1 for text in typed], np.int64)
        steps = gap_steps(60 * histories.gaps[events])
        texts = words(list(number))
        products, actions = histories.product_ix[events], histories.action_ix[events]
        return cls(starts, products, actions, steps, text_of, texts, *asked)


@dataclass(frozen=True, eq=False)
class WindowBatches:
    """Windows in batches of about as many events, windows of equal length together: hardly any place is padding.

    A batch's inputs are the parts of `nn.events.PaddedHistories`, targets [B, T] and ratings [B, T]; its weights [N]
    are those of the places that are asked, in their order. Without a seed the shortest come first, and `order` tells
    which they were.

    Args:
        windows: W.
        batch_events: the most events of a batch; one window at least.
        seed: of the order; None keeps it.
    """

    windows: Windows
    batch_events: int
    seed: int | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[Batch]:
        return self.of_pass(0)

    @cached_property
    def order(self) -> Ints:
        """[W] the windows from the shortest to the longest."""
        return np.argsort(self.windows.lengths, kind="stable")

    @cached_property
    def _ends(self) -> list[int]:
        """Where each batch ends in `order`; the same in every pass."""
        sums = np.cumsum(np.maximum(1, self.windows.lengths[self.order]))
        ends: list[int] = []
        done = 0
        while not ends or ends[-1] < len(sums):
            end = int(np.searchsorted(sums, done + self.batch_events, side="right"))
            ends.append(min(len(sums), max(end, (ends[-1] if ends else 0) + 1)))
            done = sums[ends[-1] - 1] if len(sums) else 0
        return ends if len(sums) else []

    def of_pass(self, number: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The batches of pass `number`, from 0, that process `rank` of `world` takes: of all processes equally many."""
        order, turn = self.order, np.arange(len(self))
        if self.seed is not None:
            random = np.random.default_rng((self.seed, number))
            order = np.argsort(self.windows.lengths + random.uniform(0, _LENGTHS_MIXED, len(order)))
            turn = random.permutation(len(turn))
        starts = [0, *self._ends]
        for ix in shared(len(self), rank, world):
            yield self._padded(order[starts[turn[ix]] : self._ends[turn[ix]]])

    def _padded(self, rows: Ints) -> Batch:
        """Some windows as tensors: places [B, T] beyond a window's end have no product and are not asked."""
        import torch

        windows = self.windows
        lengths = windows.lengths[rows]
        place = np.arange(max(1, int(lengths.max(initial=0))))
        there = place < lengths[:, None]  # [B, T]
        events = windows.starts[rows][:, None] + place  # [B, T]

        def padded(values: npt.NDArray[Any], missing: float) -> Any:
            filled = np.full(there.shape, missing, values.dtype)
            filled[there] = values[events[there]]
            return torch.from_numpy(filled)

        text_of = np.full(there.shape, -1, np.int64)
        text_of[there] = windows.text_of[events[there]]
        text_places = np.flatnonzero(text_of >= 0)
        texts = bags(windows.texts[text_of.ravel()[text_places]])
        inputs = (
            padded(windows.products, -1),
            padded(windows.actions, 0),
            padded(windows.gaps, 0),
            torch.from_numpy(lengths),
            torch.from_numpy(text_places),
            texts.entries,
            texts.starts,
            texts.weights,
            padded(windows.targets, -1),
            padded(windows.ratings, np.nan),
        )
        weights = padded(windows.weights, 0)[inputs[-2] >= 0]  # [N]
        return inputs, weights[:, None], weights


def _places(lengths: Ints) -> tuple[Ints, Ints]:
    """Of windows with lengths [W] where each starts [W + 1], and each event's place in its window [M]."""
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return starts, np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)


def merged(histories: Histories, session_minutes: float, by_action: Mapping[str, float] = ACTION_WEIGHTS) -> Histories:
    """Events on one product that follow one another in a session, such as view, cart and purchase, made one.

    The one with the heaviest action stays, of equals the last. What has a text stays as it is.
    """
    sessions, products = histories.sessions(session_minutes), histories.product_ix
    typed = np.array([bool(text) for text in histories.texts], bool)
    alike = (products[1:] == products[:-1]) & (products[1:] >= 0) & ~typed[1:] & ~typed[:-1]
    alike &= (histories.user[1:] == histories.user[:-1]) & (sessions[1:] == sessions[:-1])
    if not alike.any():
        return histories
    run = np.concatenate([[0], np.cumsum(~alike)])  # [N] the run that each event is of
    order = np.lexsort((np.arange(len(run)), histories.weights(by_action), run))
    last = np.append(np.flatnonzero(np.diff(run[order])), len(run) - 1)
    kept = np.zeros(len(run), bool)
    kept[order[last]] = True
    return histories.where(kept)


def gap_steps(minutes: npt.ArrayLike) -> Ints:
    """The steps of time gaps, 0 to `nn.events.GAPS` - 1: each is twice as long as the one before.

    >>> gap_steps([0, 1, 3, 60, 10**9]).tolist()
    [0, 1, 2, 5, 15]
    """
    from tagloom.nn.events import GAPS

    steps: Ints = np.minimum(GAPS - 1, np.log2(1 + np.maximum(minutes, 0))).astype(np.int64)
    return steps


def ratings_of(histories: Histories) -> Floats:
    """[N] the values of ratings; NaN for other actions, whose values are quantities and the like."""
    rates = histories.action_ix == ACTIONS.index("rate")
    return np.where(rates, histories.values, np.float32(np.nan))


def read_histories(
    events: Events, items: Items, settings: RecommenderSettings, now: datetime | None = None
) -> Histories:
    """The histories of a log, the events of a session on one product made one; later events than `now` are left out."""
    found = histories_of(events, items.product_ids, now=now)
    return merged(found, settings.session_minutes, settings.weights)
