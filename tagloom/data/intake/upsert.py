"""New products over old ones: a later row replaces an earlier one of the same id, and both are accounted for."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tagloom.data.intake.batches import LINE, BadRow
from tagloom.data.tables import OFFERS, PRODUCT_SCHEMA

_LISTS = ("category", "attributes", "tags")
_REJECTED_AT_ONCE = 10_000
_UNKNOWN = "no product of this id is there; import it with its title or description first"


@dataclass(frozen=True)
class Upserted:
    """`kept` new rows, `same` identical repeats dropped, `updated` older products replaced, `total` now there."""

    kept: int
    same: int
    updated: int
    total: int


def index_of(frame: pl.DataFrame) -> pl.DataFrame:
    """What must be remembered of each new row to find repeats: line, id and a hash of the contents (24 bytes or so)."""
    content = frame.select(pl.exclude(LINE)).hash_rows(seed=0)
    return frame.select(LINE, "product_id").with_columns(content=content)


def upsert(
    old: pl.LazyFrame,
    new: Path,
    index: pl.DataFrame,
    final: Path,
    reject: Callable[[list[BadRow]], None],
    given: Collection[str] = OFFERS,
) -> Upserted:
    """Write old and new products to `final`, one row an id.

    Of several new rows with one id the last counts; identical repeats are dropped, different ones are rejected by name.

    Args:
        old: the products so far.
        new: Parquet file of the new rows, `PRODUCT_SCHEMA` and `LINE`.
        index: `index_of` all new rows.
        final: the file to write.
        reject: takes the rows that a later one replaces.
        given: of `OFFERS` those that the new rows speak of; the others of an older product stay.
    """
    last, same = _last(new, index, reject)
    scan = pl.scan_parquet(new)
    fresh = scan.join(last.lazy().select(LINE), on=LINE, how="semi", maintain_order="left")
    updated, total = _write(old, fresh, final, given)
    return Upserted(last.height, same, updated, total)


def upsert_offers(
    old: pl.LazyFrame,
    new: Path,
    index: pl.DataFrame,
    final: Path,
    reject: Callable[[list[BadRow]], None],
    given: Collection[str] = OFFERS,
) -> Upserted:
    """Write the old products to `final` with other offers; nothing else of them changes.

    Args:
        old, index, final, given: as for `upsert`.
        new: Parquet file of the new offers: `LINE`, `product_id` and `OFFERS`.
        reject: takes the rows that a later one replaces, and those of products that are not there.
    """
    last, same = _last(new, index, reject)
    there = old.select("product_id").collect()
    unknown = last.join(there, on="product_id", how="anti").sort(LINE)
    for rows in _rows_of(new, unknown.select(LINE)):
        reject([BadRow(row.pop(LINE), "product_id", _UNKNOWN, row) for row in rows])
    known = last.join(unknown, on=LINE, how="anti").lazy().select(LINE)
    fresh = pl.scan_parquet(new).join(known, on=LINE, how="semi").select("product_id", *given, told=True)
    joined = old.join(fresh, on="product_id", how="left", maintain_order="left", suffix="_new")
    changed = {name: pl.when("told").then(f"{name}_new").otherwise(name) for name in given}
    with _disk_errors():
        joined.with_columns(**changed).select(PRODUCT_SCHEMA.names()).sink_parquet(final, compression="zstd")
    kept = last.height - unknown.height
    return Upserted(kept, same, kept, there.height)


def _last(new: Path, index: pl.DataFrame, reject: Callable[[list[BadRow]], None]) -> tuple[pl.DataFrame, int]:
    """Of each id the row of `index` that counts, and how many identical repeats there are; others are rejected."""
    last = index.unique("product_id", keep="last", maintain_order=True)
    repeats = index.join(last, on=LINE, how="anti").join(last, on="product_id", suffix="_last")
    replaced = repeats.filter(pl.col("content") != pl.col("content_last")).sort(LINE)
    for rows in _rows_of(new, replaced.select(LINE, f"{LINE}_last")):
        reject(
            [
                BadRow(
                    row.pop(LINE),
                    "product_id",
                    f"given again in line {row.pop(f'{LINE}_last')}; the later row counts",
                    row,
                )
                for row in rows
            ]
        )
    return last, repeats.height - replaced.height


def _rows_of(new: Path, lines: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """The rows of `new` whose `LINE` is among the sorted `lines`, with its other columns; some at a time."""
    for part in lines.iter_slices(_REJECTED_AT_ONCE):
        yield pl.scan_parquet(new).join(part.lazy(), on=LINE, how="inner").sort(LINE).collect().to_dicts()


def upsert_joined(old: pl.LazyFrame, new: Path, rows: int, final: Path, given: Collection[str] = OFFERS) -> Upserted:
    """The same for rows whose ids were made from their text: equal texts are one product, with all of their tags."""
    single = [name for name in PRODUCT_SCHEMA if name not in ("product_id", *_LISTS)]
    fresh = (
        pl.scan_parquet(new)
        .group_by("product_id", maintain_order=True)
        .agg(*(pl.col(name).first() for name in single), *(pl.col(name).explode() for name in _LISTS))
        .with_columns(pl.col(name).list.drop_nulls().list.unique(maintain_order=True) for name in _LISTS)
        .collect()
    )
    updated, total = _write(old, fresh.lazy(), final, given)
    return Upserted(fresh.height, rows - fresh.height, updated, total)


def _write(old: pl.LazyFrame, fresh: pl.LazyFrame, final: Path, given: Collection[str]) -> tuple[int, int]:
    """Old rows that nothing replaces, then the fresh ones; returns how many were replaced and the total."""
    if stay := [name for name in OFFERS if name not in given]:
        offers = old.select("product_id", *stay)
        fresh = fresh.drop(stay).join(offers, on="product_id", how="left", maintain_order="left")
    columns = PRODUCT_SCHEMA.names()
    ids = fresh.select("product_id")
    kept = old.join(ids, on="product_id", how="anti", maintain_order="left")
    with _disk_errors():
        pl.concat([kept.select(columns), fresh.select(columns)]).sink_parquet(final, compression="zstd")
    total = int(pl.scan_parquet(final).select(pl.len()).collect().item())
    before = int(old.select(pl.len()).collect().item())
    return before + int(ids.select(pl.len()).collect().item()) - total, total


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Polars tells of a full disk in an error of its own; an OSError is what everybody expects."""
    try:
        yield
    except pl.exceptions.ComputeError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
