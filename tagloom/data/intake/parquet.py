"""Parquet files, a part at a time, every column as text cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from tagloom.data.intake.batches import LINE, MOST_CHARACTERS, Batch, Source, as_cell, check_columns
from tagloom.errors import DataError

_WHOLE = 2.0**53  # larger floats no longer hold every whole number


def open_parquet(path: Path) -> Source:
    """Read the columns' names.

    Raises:
        DataError: not a Parquet file, or one column name stands twice.
    """
    names = tuple(_file(path).schema_arrow.names)
    check_columns(str(path), names)
    return Source(str(path), "parquet", names)


def read_parquet(source: Source, most: int) -> Generator[Batch, None, None]:
    """The rows, at most `most` at a time; fewer where they are large."""
    start = 1
    for arrow in _parts(Path(source.name), most):
        raw = pl.DataFrame(pl.from_arrow(arrow))
        rows = max(1, min(most, int(raw.height * MOST_CHARACTERS / max(raw.estimated_size(), 1))))
        for part in raw.iter_slices(rows):
            mended: Counter[str] = Counter()
            cells = [_text_column(part[name], mended) for name in source.columns]
            lines = pl.Series(LINE, range(start, start + part.height), dtype=pl.Int64)
            start += part.height
            yield Batch(pl.DataFrame([lines, *cells]), [], mended)


def _file(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: not readable as Parquet ({_first_line(error)})") from error


def _parts(path: Path, most: int) -> Iterator[Any]:
    import pyarrow

    try:
        with _file(path) as file:
            yield from file.iter_batches(batch_size=most)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged ({_first_line(error)}); nothing was imported") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _text_column(column: pl.Series, mended: Counter[str]) -> pl.Series:
    """A column as text cells. Whole numbers stored as floats (ids beside missing values) lose their '.0'."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = bool(((column % 1 == 0) & (column.abs() <= _WHOLE)).fill_null(True).all())
        return column.cast(pl.Int64).cast(pl.String) if whole else column.cast(pl.String)
    if column.dtype == pl.Binary:
        cells = pl.Series(column.name, [as_cell(value) for value in column.to_list()], dtype=pl.String)
        mended[f"{column.name}: bytes that are no text left out"] += int(
            (pictures := cells.str.contains(r"^\(\d+ bytes\)$")).sum()
        )
        return cells.set(pictures, None)
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Decimal):
        return pl.Series(column.name, [as_cell(value) for value in column.to_list()], dtype=pl.String)
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.to_string("iso:strict")
    return column.cast(pl.String)
