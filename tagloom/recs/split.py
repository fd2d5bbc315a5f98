"""What is held out of a log: each user's last product, or all that happens after a moment.

Shapes: U users, N events, Q users who are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tagloom.data.histories import Histories
from tagloom.data.tables import Events
from tagloom.errors import DataError
from tagloom.recs.windows import ratings_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A log taken apart.

    Args:
        rest: every user's events that are not held out.
        rows: [Q] the users who are asked: those with something held out and something before it.
        wanted: [Q] the first product of what was held out.
        rated: [Q] how it was rated; NaN where it was not.
    """

    rest: Histories
    rows: Ints
    wanted: Ints
    rated: Floats

    @property
    def before(self) -> Histories:
        """What was known of each asked user, [Q]."""
        return self.rest.of(self.rows)


def hold_out(histories: Histories, by: str, share: float) -> HeldOut:
    """Take the end of a log away.

    Args:
        histories: everybody's.
        by: `last`: of each user with two products or more the last event with a product, and what came after it;
            `time`: everything from a moment on, chosen so that `share` of the events with a product come after it.
        share: for `time`.

    Raises:
        DataError: nobody has a product both before and after.
    """
    there = histories.product_ix >= 0
    if by == "last":
        last = np.full(len(histories), -1, np.int64)
        np.maximum.at(last, histories.user[there], np.flatnonzero(there))
        products = np.bincount(histories.user[there], minlength=len(histories))
        cut = np.where(products >= 2, last, histories.starts[1:])  # [U] the first event that is held out
        kept = np.arange(len(there)) < np.repeat(cut, histories.lengths)
    else:
        times = np.sort(histories.seconds[there])
        kept = histories.seconds < (times[_cut(len(times), share)] if len(times) else 0)
    held = np.flatnonzero(there & ~kept)
    met = np.bincount(histories.user[kept], minlength=len(histories)) > 0
    held = held[met[histories.user[held]]]
    rows, first = np.unique(histories.user[held], return_index=True)
    if not len(rows):
        raise DataError(
            f"{len(histories):,} users with {int(there.sum()):,} events on products: nobody has one before and one"
            " after what is held out; import more events"
        )
    return HeldOut(histories.where(kept), rows, histories.product_ix[held][first], ratings_of(histories)[held][first])


def split_events(events: Events, product_ids: Sequence[str], by: str, share: float) -> tuple[Events, Events]:
    """The same for a log itself: what may be learned from, and what is held out.

    Args:
        events: the log.
        product_ids: of the catalogue; events on other products count for nothing.
        by: as for `hold_out`; with `last` the rest ends where each user's events on their last product begin, and
            those are held out: what was put into the cart before it was bought would tell too much.
        share: for `time`.
    """
    import polars as pl

    frame = events.frame
    known = pl.col("product_id").is_in(list(product_ids))
    if by == "time":
        times = frame.filter(known)["time"]
        if not len(times):
            return events, Events.of([])
        moment = times[_cut(len(times), share)]
        return Events(frame.filter(pl.col("time") < moment)), Events(frame.filter(pl.col("time") >= moment))
    numbered = frame.with_row_index("n")
    touched = numbered.filter(known).with_columns(
        new=(pl.col("product_id") != pl.col("product_id").shift(1).over("user_id")).fill_null(value=True)
    )
    last = (
        touched.filter("new").group_by("user_id").agg(last=pl.col("n").max(), runs=pl.len()).filter(pl.col("runs") >= 2)
    )
    joined = numbered.join(last, on="user_id", how="left", maintain_order="left")
    rest = joined.filter(pl.col("last").is_null() | (pl.col("n") < pl.col("last"))).select(frame.columns)
    return Events(rest), Events(joined.filter((pl.col("n") >= pl.col("last")) & known).select(frame.columns))


def _cut(count: int, share: float) -> int:
    """Of so many times in their order the place of the first that is held out."""
    return max(0, min(count - 1, round(count * (1 - share))))
