"""New products over old ones: a later row replaces an earlier one of the same id, and both are accounted for."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tagloom.data.intake.batches import LINE, BadRow
from tagloom.data.tables import PRODUCT_SCHEMA

_LISTS = ("category", "attributes", "tags")
_REJECTED_AT_ONCE = 10_000


@dataclass(frozen=True)
class Upserted:
    """`kept` new rows, `same` identical repeats dropped, `updated` older products replaced, `total` now there."""

    kept: int
    same: int
    updated: int
    total: int


def index_of(frame: pl.DataFrame) -> pl.DataFrame:
    """What must be remembered of each new row to find repeats: line, id and a hash of the contents (24 bytes or so)."""
    content = frame.select(PRODUCT_SCHEMA.names()).hash_rows(seed=0)
    return frame.select(LINE, "product_id").with_columns(content=content)


def upsert(
    old: pl.LazyFrame, new: Path, index: pl.DataFrame, final: Path, reject: Callable[[list[BadRow]], None]
) -> Upserted:
    """Write old and new products to `final`, one row an id.

    Of several new rows with one id the last counts; identical repeats are dropped, different ones are rejected by name.

    Args:
        old: the products so far.
        new: Parquet file of the new rows, `PRODUCT_SCHEMA` and `LINE`.
        index: `index_of` all new rows.
        final: the file to write.
        reject: takes the rows that a later one replaces.
    """
    last = index.unique("product_id", keep="last", maintain_order=True)
    repeats = index.join(last, on=LINE, how="anti").join(last, on="product_id", suffix="_last")
    replaced = repeats.filter(pl.col("content") != pl.col("content_last")).sort(LINE)
    scan = pl.scan_parquet(new)
    for start in range(0, replaced.height, _REJECTED_AT_ONCE):
        part = replaced.slice(start, _REJECTED_AT_ONCE).lazy().select(LINE, f"{LINE}_last")
        rows = scan.join(part, on=LINE, how="inner").sort(LINE).collect().to_dicts()
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
    fresh = scan.join(last.lazy().select(LINE), on=LINE, how="semi", maintain_order="left")
    updated, total = _write(old, fresh, final)
    return Upserted(last.height, repeats.height - replaced.height, updated, total)


def upsert_joined(old: pl.LazyFrame, new: Path, rows: int, final: Path) -> Upserted:
    """The same for rows whose ids were made from their text: equal texts are one product, with all of their tags."""
    single = [name for name in PRODUCT_SCHEMA if name not in ("product_id", *_LISTS)]
    fresh = (
        pl.scan_parquet(new)
        .group_by("product_id", maintain_order=True)
        .agg(*(pl.col(name).first() for name in single), *(pl.col(name).explode() for name in _LISTS))
        .with_columns(pl.col(name).list.drop_nulls().list.unique(maintain_order=True) for name in _LISTS)
        .collect()
    )
    updated, total = _write(old, fresh.lazy(), final)
    return Upserted(fresh.height, rows - fresh.height, updated, total)


def _write(old: pl.LazyFrame, fresh: pl.LazyFrame, final: Path) -> tuple[int, int]:
    """Old rows that nothing replaces, then the fresh ones; returns how many were replaced and the total."""
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
