"""Behaviour made numbers: users' events in order, as a recommender reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tagloom.config import RecommenderSettings
from tagloom.data.intake.times import parse_times
from tagloom.data.tables import ACTIONS, EVENT_SCHEMA, Events
from tagloom.errors import UserError, unknown

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Entry = str | Sequence[str] | Mapping[str, object]

# How much an action says about liking what it was done to: defaults for what is counted, and for how much it matters to
# networks to foresee it. A rating counts as an event, whatever its value: only networks that learn ratings read that.
ACTION_WEIGHTS: dict[str, float] = RecommenderSettings.model_fields["weights"].default

_WORDS = ("search", "post")  # the actions that are about a text, not about a product
_FIELDS = ("action", "product_id", "text", "time", "value")
_REASONS = ("duplicate", "in the future", "unknown product")  # why an event is left out
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Histories:
    """Users' events in order, as numbers: those of user u are rows `starts[u]:starts[u + 1]`; U users, N events.

    A user may be without events. What is derived counts from the first event that is here: after `recent` and `before`
    that is the first of the rest.

    Args:
        user_ids: [U].
        starts: int64 [U + 1].
        product_ix: int64 [N]; -1: an event without a product (a search, a post).
        action_ix: int64 [N] position in `tables.ACTIONS`.
        seconds: int64 [N] since 1970, UTC, rounded down.
        values: float32 [N]; NaN where there is none.
        texts: [N]; "" where there is none.
        left_out: why events of the log were left out -> how many; a part of the histories keeps the whole log's.
    """

    user_ids: tuple[str, ...]
    starts: Ints
    product_ix: Ints
    action_ix: Ints
    seconds: Ints
    values: Floats
    texts: tuple[str, ...]
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.user_ids)

    @cached_property
    def lengths(self) -> Ints:
        """[U] events of each user."""
        return np.diff(self.starts)

    @cached_property
    def user(self) -> Ints:
        """[N] the number of the user that each event is of."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def places(self) -> Ints:
        """[N] each event's place in its user's history, from 0."""
        return np.arange(len(self.seconds)) - np.repeat(self.starts[:-1], self.lengths)

    @cached_property
    def gaps(self) -> Floats:
        """[N] hours since the user's previous event; 0 for the first."""
        return (self._waited / 3600).astype(np.float32)

    @cached_property
    def later(self) -> Ints:
        """[N] how many events the user has after each."""
        return np.repeat(self.lengths, self.lengths) - 1 - self.places

    def sessions(self, session_minutes: float = 30) -> Ints:
        """[N] the number of each event's session within the user's history, from 0.

        A gap of more than `session_minutes` starts a new one. Half an hour is the usual definition of web analytics.
        """
        begun = np.cumsum(self._waited > session_minutes * 60)
        # A user's first event has waited for nothing: what had begun by then belongs to the users before.
        filled = self.lengths > 0
        return begun - np.repeat(begun[self.starts[:-1][filled]], self.lengths[filled])

    def weights(self, by_action: Mapping[str, float] = ACTION_WEIGHTS) -> Floats:
        """[N] the weight of each event's action; an action that is not named weighs 0.

        Raises:
            UserError: an action that there is not.
        """
        for action in by_action:
            if action not in ACTIONS:
                raise UserError(f"weights: {unknown('action', action, ACTIONS)}")
        return np.array([by_action.get(action, 0.0) for action in ACTIONS], np.float32)[self.action_ix]

    def row(self, user_id: str) -> int | None:
        """The number of a user; None: there is no such user."""
        return self._rows.get(user_id)

    def of(self, rows: Sequence[int] | Ints) -> Histories:
        """Some users, by their numbers, in that order."""
        chosen = np.asarray(rows, np.int64).reshape(-1)
        lengths = self.lengths[chosen]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        events = np.arange(starts[-1]) + np.repeat(self.starts[:-1][chosen] - starts[:-1], lengths)
        return self._taken(events, starts, tuple(self.user_ids[row] for row in chosen.tolist()))

    def recent(self, most: int) -> Histories:
        """At most the last `most` events of each user."""
        return self.where(self.places >= np.repeat(self.lengths - most, self.lengths))

    def without_last(self, count: int) -> Histories:
        """All but the last `count` events of each user; those with no more than that keep an empty history."""
        return self.where(self.places < np.repeat(self.lengths - count, self.lengths))

    def before(self, seconds: float) -> Histories:
        """The events before a moment, in seconds since 1970; users without any keep an empty history."""
        return self.where(self.seconds < seconds)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {user_id: row for row, user_id in enumerate(self.user_ids)}

    @cached_property
    def _waited(self) -> Ints:
        """[N] seconds since the user's previous event; 0 for the first."""
        return np.where(self.places > 0, np.diff(self.seconds, prepend=0), 0)

    def where(self, kept: npt.NDArray[np.bool_]) -> Histories:
        """The events for which [N] `kept` is true; users without any keep an empty history."""
        return self._taken(np.flatnonzero(kept), np.concatenate([[0], np.cumsum(kept)])[self.starts], self.user_ids)

    def _taken(self, events: Ints, starts: Ints, user_ids: tuple[str, ...]) -> Histories:
        return replace(
            self,
            user_ids=user_ids,
            starts=starts,
            product_ix=self.product_ix[events],
            action_ix=self.action_ix[events],
            seconds=self.seconds[events],
            values=self.values[events],
            texts=tuple(map(self.texts.__getitem__, events.tolist())),
        )


def histories_of(events: Events, product_ids: Sequence[str], *, now: datetime | None = None) -> Histories:
    """The histories of all users of a log, in the order in which they first appear in it.

    A user's events are in time order; those of the same time keep the log's order. Left out, and counted under the
    first reason that holds: "duplicate", the same user, action, product, time, text and value as an earlier event; "in
    the future", later than `now`; "unknown product", not among `product_ids`, and no text. With a text such an event
    stays, as one without a product. A user whose events are all left out has an empty history.

    Args:
        events: the log.
        product_ids: [P] different ids; `product_ix` is the position in them.
        now: without a zone it is UTC; None: nothing is in the future.
    """
    products = pl.DataFrame({"product_id": product_ids}, {"product_id": pl.String}).with_row_index("product_ix")
    users = events.frame.select("user_id").unique(maintain_order=True).with_row_index("user_ix")
    # Lazily, so that a handful of events, as a question has them, goes through in one piece.
    log = events.frame.lazy().with_columns(pl.col("text").fill_null(""), pl.col("value").fill_nan(None))
    late = pl.lit(False) if now is None else pl.col("time") > _utc(now)
    lost = pl.col("product_id").is_not_null() & pl.col("product_ix").is_null() & (pl.col("text") == "")
    judged = (
        log.with_columns(again=pl.struct(events.frame.columns).is_first_distinct().not_())
        .join(products.lazy(), on="product_id", how="left", maintain_order="left", validate="m:1")
        .with_columns(why=pl.when("again").then(0).when(late).then(1).when(lost).then(2))
        .collect()
    )
    counts = np.bincount(judged["why"].drop_nulls().to_numpy(), minlength=len(_REASONS))
    kept = (
        judged.lazy()
        .filter(pl.col("why").is_null())
        .join(users.lazy(), on="user_id", how="left", maintain_order="left")
        .sort("user_ix", maintain_order=True)
        .select(
            pl.col("user_ix", "product_ix").cast(pl.Int64).fill_null(-1),
            pl.col("action").to_physical().cast(pl.Int64),
            pl.col("time").dt.epoch("us").floordiv(1_000_000),
            pl.col("value").cast(pl.Float32).fill_null(math.nan),
            "text",
        )
        .collect()
    )
    return Histories(
        user_ids=tuple(users["user_id"].to_list()),
        starts=np.searchsorted(kept["user_ix"].to_numpy(), np.arange(users.height + 1)),
        product_ix=kept["product_ix"].to_numpy(writable=True),
        action_ix=kept["action"].to_numpy(writable=True),
        seconds=kept["time"].to_numpy(writable=True),
        values=kept["value"].to_numpy(writable=True),
        texts=tuple(kept["text"].to_list()),
        left_out={why: count for why, count in zip(_REASONS, counts.tolist(), strict=True) if count},
    )


def history_of(
    entries: Iterable[Entry], product_ids: Sequence[str] | Mapping[str, int], *, now: datetime | None = None
) -> Histories:
    """One user's history, given by hand; unknown products are left out and counted as in `histories_of`.

    Args:
        entries: product ids, each a purchase; pairs of an action and a product id, for a search or a post of an action
            and a text; or dicts with the fields of an event, without user_id. Where none has a time, the order given
            counts: a second apart, the last at `now` (1970 where that is None).
        product_ids: [P] different ids, or the row of each.
        now: as for `histories_of`.

    Raises:
        UserError: an entry that is none of these, an unknown action or key, or only some entries with a time.

    >>> mine = history_of(["p1", ("view", "p2"), ("search", "红色 裙子")], ["p1", "p2"])
    >>> mine.product_ix.tolist(), mine.texts
    ([0, 1, -1], ('', '', '红色 裙子'))
    """
    if isinstance(entries, str | Mapping) or not isinstance(entries, Iterable):
        raise UserError(f"a history is a list of entries, came {entries!r}; put it in brackets")
    given = [_event(f"history[{number}]", entry) for number, entry in enumerate(entries)]
    end = datetime(1970, 1, 1, tzinfo=UTC) if now is None else _utc(now)
    log = pl.DataFrame(_timed(given, end), EVENT_SCHEMA)
    if isinstance(product_ids, Mapping):  # of very many products those alone that are named
        named = [one for one in log["product_id"].unique() if one in product_ids]
        found = histories_of(Events(log), named, now=now)
        rows = np.array([*(product_ids[one] for one in named), -1], np.int64)
        found = replace(found, product_ix=rows[found.product_ix])
    else:
        found = histories_of(Events(log), product_ids, now=now)
    return found if given else replace(found, user_ids=("",), starts=np.zeros(2, np.int64))


def _event(where: str, entry: Any) -> dict[str, Any]:
    """A checked entry as a row of `Events`, its time as it came."""
    match entry:
        case str():
            given = {"action": "purchase", "product_id": entry}
        case Mapping():
            given = dict(entry)
        case (action, what):
            given = {"action": action, "text" if action in _WORDS else "product_id": what}
        case _:
            pair = "a pair of an action and a product id or text"
            raise UserError(f"{where} is {entry!r}; give a product id, {pair}, or a dict with {', '.join(_FIELDS)}")
    for key in given:
        if key not in _FIELDS:
            raise UserError(f"{where}: {unknown('key', key, _FIELDS)}")
    event: dict[str, Any] = {"user_id": "", **dict.fromkeys(_FIELDS), **given}
    if event["action"] not in ACTIONS:
        raise UserError(f"{where}: {unknown('action', event['action'], ACTIONS)}")
    for name in ("product_id", "text"):
        words = event[name]
        if not isinstance(words, str | None):
            raise UserError(f"{where}: {name} is {words!r}; give it as a string")
        # Half of a surrogate pair, as from a cut emoji, is no text to Polars.
        event[name] = words.encode("utf-8", "replace").decode() if words else None
    if event["product_id"] is event["text"] is None:
        raise UserError(f"{where} has neither product_id nor text; give one of them")
    value = event["value"]
    if value is not None:
        number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        if not number or abs(value) > _LARGEST:
            raise UserError(f"{where}: value is {value!r}; give a number, or leave it out")
        event["value"] = float(value)
    return event


def _timed(rows: list[dict[str, Any]], end: datetime) -> list[dict[str, Any]]:
    """The rows with their times read; where none has a time, a second apart up to `end`."""
    given = [row["time"] for row in rows]
    without = [number for number, time in enumerate(given) if time is None]
    if len(without) == len(given):
        return [{**row, "time": end - timedelta(seconds=len(rows) - 1 - ix)} for ix, row in enumerate(rows)]
    if without:
        raise UserError(f"history[{without[0]}] has no time, though others have; give all entries a time, or none")
    times = parse_times(pl.Series([time.isoformat() if isinstance(time, date) else str(time) for time in given]))
    for number in times.is_null().arg_true():
        raise UserError(f"history[{number}]: time is {given[number]!r}; give a datetime or 2026-01-31T12:00:00Z")
    return [{**row, "time": time} for row, time in zip(rows, times, strict=True)]


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
