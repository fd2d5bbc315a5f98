"""What every reader gives: batches of raw text cells, and the rows that could not be read."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from tagloom.errors import DataError

Format = Literal["csv", "jsonl", "parquet", "sql"]

LINE = "__line__"
MOST_CHARACTERS = 16_000_000  # held as raw text at a time, whatever the number of rows; a longer row comes alone
_NO_TEXT = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")
_MOST_EXACT = 2**53


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: where it stands, what is wrong, and the row itself, so that nothing is lost."""

    line: int
    column: str
    reason: str
    row: Any


@dataclass(frozen=True)
class Batch:
    """Raw rows: every cell a string or null (lists as JSON), and the line of each row in the column `LINE`.

    `mended` counts what the reader itself put right.
    """

    frame: pl.DataFrame
    bad: list[BadRow] = field(default_factory=list)
    mended: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows read, good and bad."""
        return self.frame.height + len(self.bad)


@dataclass(frozen=True)
class Source:
    """A readable file or database table, found out but not yet read."""

    name: str
    format: Format
    columns: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    query: str = ""


Cells = Sequence[str | None]


def check_columns(where: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Column names without blanks around; nameless ones are called by their place.

    Raises:
        DataError: no names at all, or one name stands twice.
    """
    names = [readable(name).strip() for name in columns]
    if any(_CONTROL.search(name) for name in names):
        raise DataError(
            f"{where}: the column names are no text; is this a spreadsheet or a compressed file? Save it as CSV"
        )
    if not any(names):
        raise DataError(f"{where}: expected the names of the columns first, came {names}")
    names = [name or f"column {place}" for place, name in enumerate(names, start=1)]
    twice = [name for name, count in Counter([*names, LINE]).items() if count > 1]
    if twice:
        raise DataError(f"{where}: the column name {twice[0]!r} stands more than once in {names}; rename one of them")
    return tuple(names)


def batch_of(
    lines: Sequence[int], rows: Sequence[Cells], bad: list[BadRow], columns: Sequence[str], mended: Mapping[str, int]
) -> Batch:
    """Rows of cells as a `Batch`; those with bytes that are no text become bad rows.

    Args:
        lines: where each row begins.
        rows: a cell for each of `columns`.
        bad: rows that could not be read.
        columns: the names.
        mended: what was put right, for `Batch.mended`.
    """
    try:
        return Batch(_frame(lines, rows, columns), bad, mended)
    except UnicodeEncodeError:
        # Undecodable bytes are in here: set those rows aside, one by one. Rare, so the second pass is no cost.
        good, bad = [], list(bad)
        for line, row in zip(lines, rows, strict=True):
            wrong = [name for name, cell in zip(columns, row, strict=True) if cell and _NO_TEXT.search(cell)]
            if wrong:
                shown = {name: cell and readable(cell) for name, cell in zip(columns, row, strict=True)}
                bad.append(BadRow(line, wrong[0], "characters damaged, or of another encoding than the file", shown))
            else:
                good.append((line, row))
        return Batch(_frame([line for line, _ in good], [row for _, row in good], columns), bad, mended)


def batched(rows: Iterable[Cells], columns: Sequence[str], most: int) -> Iterator[Batch]:
    """Rows numbered from 1, at most `most` or `MOST_CHARACTERS` at a time."""
    held: list[Cells] = []
    number = size = 0
    for number, row in enumerate(rows, start=1):
        held.append(row)
        size += sum(len(cell) for cell in row if cell is not None)
        if len(held) >= most or size >= MOST_CHARACTERS:
            yield batch_of(range(number - len(held) + 1, number + 1), held, [], columns, {})
            held, size = [], 0
    if held:
        yield batch_of(range(number - len(held) + 1, number + 1), held, [], columns, {})


def as_cell(value: Any) -> str | None:
    """Any value as a text cell: lists and dicts as JSON, times in ISO form, NaN and None as null.

    >>> as_cell(3.0), as_cell(["a"]), as_cell(float("nan")), as_cell(True), as_cell(b"text")
    ('3', '["a"]', None, 'true', 'text')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) <= _MOST_EXACT
        return None if math.isnan(value) else str(int(value)) if whole else str(value)
    if isinstance(value, (list, dict, tuple, bool)):
        return json.dumps(value, ensure_ascii=False, default=as_cell)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes_cell(bytes(value))
    return str(value)


def readable(text: str) -> str:
    """A text that can be printed and stored: what is no character becomes a replacement character."""
    return _NO_TEXT.sub("\ufffd", text)


def _bytes_cell(value: bytes) -> str:
    """Bytes are text in some databases and old Parquet files; a picture in a column is only named."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return f"({len(value)} bytes)"


def _frame(lines: Sequence[int], rows: Sequence[Cells], columns: Sequence[str]) -> pl.DataFrame:
    values: Iterable[Cells] = zip(*rows, strict=True) if rows else [()] * len(columns)
    series = [pl.Series(name, cells, dtype=pl.String) for name, cells in zip(columns, values, strict=True)]
    return pl.DataFrame([pl.Series(LINE, lines, dtype=pl.Int64), *series])
