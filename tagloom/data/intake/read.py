"""Files and databases as batches of raw text cells, streamed: memory holds one batch, whatever the file's size."""

from __future__ import annotations

import contextlib
import csv
import datetime
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from tagloom.config import ReadSettings
from tagloom.data.intake import sql
from tagloom.data.intake.encoding import find_encoding, open_text
from tagloom.errors import DataError

Format = Literal["csv", "jsonl", "parquet", "sql"]

LINE = "_line"
MOST_CHARACTERS = 4_000_000  # of one CSV field; an opened quotation mark that never closes must end somewhere
_ESCAPED = re.compile("[\udc80-\udcff]")
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
    ".pq": "parquet",
}  # fmt: skip


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: where it stands, what is wrong, and the row itself, so that nothing is lost."""

    line: int
    column: str
    reason: str
    row: Any


@dataclass(frozen=True)
class Batch:
    """Raw rows: every cell a string or null (lists as JSON), and the line of each row in the column `LINE`."""

    frame: pl.DataFrame
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """A readable file or database table, found out but not yet read."""

    name: str
    format: Format
    columns: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    query: str = ""


def open_source(location: str | Path, settings: ReadSettings = ReadSettings()) -> Source:  # noqa: B008 (frozen)
    """Find out a file's format, encoding, delimiter and columns.

    Args:
        location: a path ending in .csv, .tsv, .txt, .jsonl, .ndjson, .parquet, or a database URL followed by `#table`
            or `#SELECT ...` (`sqlite:///goods.db#items`).
        settings: an encoding given there is not guessed.

    Raises:
        DataError: no such file, an unknown format, an empty file, no header, or an encoding nobody can tell.
    """
    if "://" in str(location):
        query = sql.query_of(str(location))
        return Source(str(location), "sql", sql.columns(str(location), query), query=query)
    path = Path(location)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    kind = _SUFFIXES.get(path.suffix.casefold())
    if kind is None:
        raise DataError(f"{path}: cannot tell the format from the ending; expected one of {', '.join(_SUFFIXES)}")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    if kind == "parquet":
        return Source(str(path), kind, tuple(_parquet(path).schema_arrow.names))
    encoding = settings.encoding or find_encoding(path)
    if kind == "jsonl":
        return Source(str(path), kind, _json_columns(path, encoding), encoding)
    delimiter = "\t" if path.suffix.casefold() == ".tsv" else _find_delimiter(path, encoding)
    with open_text(path, encoding) as lines:
        header = next(csv.reader(lines, delimiter=delimiter), [])
    columns = tuple(name.strip() for name in header)
    if not any(columns) or len(set(columns)) < len(columns):
        raise DataError(f"{path}, line 1: expected a header of different column names, came {list(columns)}")
    return Source(str(path), kind, columns, encoding, delimiter)


def read_batches(source: Source, rows: int = 50_000) -> Iterator[Batch]:
    """Read a source from its beginning, `rows` rows at a time. A bad row becomes a `BadRow` and reading goes on."""
    if source.format == "csv":
        records = _csv_records(source)
    elif source.format == "jsonl":
        records = _json_records(source)
    elif source.format == "parquet":
        yield from _parquet_batches(source, rows)
        return
    else:
        records = _sql_records(source)
    yield from _batched(records, source.columns, rows)


def _find_delimiter(path: Path, encoding: str) -> str:
    with open_text(path, encoding) as lines:
        header = lines.readline()
    return max((",", "\t", ";", "|"), key=header.count)


Record = tuple[int, Sequence[str | None] | BadRow]


def _csv_records(source: Source) -> Iterator[Record]:
    csv.field_size_limit(MOST_CHARACTERS)
    with open_text(Path(source.name), source.encoding) as lines:
        reader = csv.reader(lines, delimiter=source.delimiter)
        next(reader)
        width, line = len(source.columns), reader.line_num
        while True:
            start = line + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                line = reader.line_num
                yield (
                    start,
                    BadRow(
                        start,
                        "",
                        f"not readable as CSV up to line {line} ({error}); is a quotation mark left open?",
                        None,
                    ),
                )
                continue
            line = reader.line_num
            if not cells:
                continue
            if len(cells) != width:
                yield start, BadRow(start, "", f"expected {width} fields, came {len(cells)}", cells)
            else:
                yield start, cells


def _json_columns(path: Path, encoding: str) -> tuple[str, ...]:
    """The keys of the first rows, in order of appearance; rows later may lack some and add none."""
    names: dict[str, None] = {}
    readable = 0
    with open_text(path, encoding) as lines:
        for number, text in enumerate(lines):
            if number >= 10_000:
                break
            with contextlib.suppress(ValueError):
                row = json.loads(text)
                if isinstance(row, dict):
                    readable += 1
                    names.update(dict.fromkeys(row))
    if not readable:
        raise DataError(
            f"{path}: expected a JSON object in each line, found none in the first ones; a JSON array has to be written"
            " as one object a line"
        )
    return tuple(names)


def _json_records(source: Source) -> Iterator[Record]:
    with open_text(Path(source.name), source.encoding) as lines:
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except ValueError as error:
                yield number, BadRow(number, "", f"not readable as JSON ({error})", text.rstrip("\n"))
                continue
            if not isinstance(row, dict):
                yield (
                    number,
                    BadRow(number, "", f"expected a JSON object, came {type(row).__name__}", text.rstrip("\n")),
                )
            else:
                yield number, [as_cell(row.get(name)) for name in source.columns]


def _parquet(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: not readable as Parquet ({error})") from error


def _parquet_batches(source: Source, rows: int) -> Iterator[Batch]:
    start = 1
    for arrow in _parquet(Path(source.name)).iter_batches(batch_size=rows):
        raw = pl.DataFrame(pl.from_arrow(arrow))
        cells = [_text_column(raw[name]) for name in source.columns]
        lines = pl.Series(LINE, range(start, start + raw.height), dtype=pl.Int64)
        start += raw.height
        yield Batch(pl.DataFrame([lines, *cells]))


def _text_column(column: pl.Series) -> pl.Series:
    """A Parquet column as text cells. Whole numbers stored as floats (ids beside missing values) lose their '.0'."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if column.drop_nulls().is_infinite().any() or not (column.drop_nulls() % 1 == 0).all():
            return column.cast(pl.String)
        return column.cast(pl.Int64).cast(pl.String)
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary, pl.Decimal):
        return pl.Series(column.name, [as_cell(value) for value in column.to_list()], dtype=pl.String)
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.to_string("iso:strict")
    return column.cast(pl.String)


def _sql_records(source: Source) -> Iterator[Record]:
    for number, row in enumerate(sql.rows(source.name, source.query), start=1):
        yield number, [as_cell(value) for value in row]


def as_cell(value: Any) -> str | None:
    """Any value as a text cell: lists and dicts as JSON, times in ISO form, NaN and None as null.

    >>> as_cell(3.0), as_cell(["a"]), as_cell(float("nan")), as_cell(True)
    ('3', '["a"]', None, 'true')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, (list, dict, tuple, bool)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def _batched(records: Iterable[Record], columns: Sequence[str], rows: int) -> Iterator[Batch]:
    lines: list[int] = []
    cells: list[Sequence[str | None]] = []
    bad: list[BadRow] = []
    for line, record in records:
        if isinstance(record, BadRow):
            bad.append(record)
        else:
            lines.append(line)
            cells.append(record)
        if len(cells) + len(bad) >= rows:
            yield _batch(lines, cells, bad, columns)
            lines, cells, bad = [], [], []
    if cells or bad:
        yield _batch(lines, cells, bad, columns)


def _batch(lines: list[int], cells: list[Sequence[str | None]], bad: list[BadRow], columns: Sequence[str]) -> Batch:
    values = [list(column) for column in zip(*cells, strict=True)] if cells else [[] for _ in columns]
    try:
        return _frame(lines, values, bad, columns)
    except UnicodeEncodeError:
        # Undecodable bytes are in here: set those rows aside, one by one. Rare, so the second pass is no cost.
        good = []
        for line, row in zip(lines, cells, strict=True):
            wrong = [name for name, cell in zip(columns, row, strict=True) if cell and _ESCAPED.search(cell)]
            if wrong:
                shown = [cell and _ESCAPED.sub("\ufffd", cell) for cell in row]
                bad.append(BadRow(line, wrong[0], "bytes that do not belong to the file's encoding", shown))
            else:
                good.append((line, row))
        return _batch([line for line, _ in good], [row for _, row in good], bad, columns)


def _frame(lines: list[int], values: list[list[str | None]], bad: list[BadRow], columns: Sequence[str]) -> Batch:
    series = [pl.Series(name, column, dtype=pl.String) for name, column in zip(columns, values, strict=True)]
    return Batch(pl.DataFrame([pl.Series(LINE, lines, dtype=pl.Int64), *series]), bad)
