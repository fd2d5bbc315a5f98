"""CSV, TSV and their relatives: a quotation mark that is left open costs its own row, not the rest of the file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import polars as pl

from tagloom.data.intake.batches import LINE, MOST_CHARACTERS, BadRow, Batch, Source, batch_of, check_columns, readable
from tagloom.data.intake.encoding import open_text
from tagloom.errors import DataError

DELIMITERS = (",", "\t", ";", "|")
_MOST_OF_A_FIELD = 4_000_000  # characters; a quotation mark that never closes must end somewhere
_SNIFFED_CHARACTERS, _SNIFFED_ROWS = 100_000, 50
_FEWEST_TO_TELL = 3  # columns from which on a line inside a text hardly has the form of a row by chance

_NO_SEPARATORS = "empty fields after the last column left out"
_LITERAL = "a quotation mark in the wrong place kept as it is"


def open_delimited(path: Path, encoding: str) -> Source:
    """Find out the delimiter and the columns of a text table.

    Raises:
        DataError: no line break for long, no header, or one column name twice.
    """
    delimiter = "\t" if path.suffix.casefold() == ".tsv" else find_delimiter(path, encoding)
    with open_text(path, encoding) as file:
        header = _header(file, delimiter, path)
    return Source(str(path), "csv", check_columns(f"{path}, line 1", header), encoding, delimiter)


def find_delimiter(path: Path, encoding: str) -> str:
    """The delimiter by which most of the first rows have as many fields as the header; a comma when none does."""
    with open_text(path, encoding) as file:
        sample = file.read(_SNIFFED_CHARACTERS)

    def agreement(delimiter: str) -> tuple[int, int]:
        rows = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        widths = [len(row) for row in islice(rows, _SNIFFED_ROWS) if row]
        return (widths.count(widths[0]), widths[0]) if widths and widths[0] > 1 else (0, 0)

    csv.field_size_limit(_MOST_OF_A_FIELD)
    return max(DELIMITERS, key=agreement)


def read_delimited(source: Source, most: int) -> Generator[Batch, None, None]:
    """The rows after the header, at most `most` or `MOST_CHARACTERS` at a time."""
    csv.field_size_limit(_MOST_OF_A_FIELD)
    with open_text(Path(source.name), source.encoding) as file:
        lines = _Lines(file)
        _header(lines, source.delimiter, Path(source.name))
        while ahead := lines.ahead(most):
            yield _plain_batch(lines, ahead, source) or _careful_batch(lines, len(ahead), source)


class _Lines:
    """Physical lines, counted, that can be looked at before they are taken and given back after."""

    def __init__(self, file: IO[str]) -> None:
        self.file, self.number = file, 0
        self._held: list[str] = []
        self._at = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if not self.ahead(1):
            raise StopIteration
        line = self._held[self._at]
        self.skip(1)
        return line

    def ahead(self, most: int) -> list[str]:
        """Up to `most` lines to come, without taking them; none at the end of the file."""
        if self._at >= len(self._held):
            self._held, self._at = self.file.readlines(MOST_CHARACTERS), 0
        return self._held[self._at : self._at + most]

    def skip(self, count: int) -> None:
        """Take lines that `ahead` has shown."""
        self._at += count
        self.number += count

    def give_back(self, lines: Sequence[str]) -> None:
        """Put taken lines back."""
        self._held[: self._at] = lines
        self._at = 0
        self.number -= len(lines)


def _header(lines: Iterator[str] | IO[str], delimiter: str, path: Path) -> list[str]:
    csv.field_size_limit(_MOST_OF_A_FIELD)
    try:
        return next((row for row in csv.reader(lines, delimiter=delimiter) if any(row)), [])
    except csv.Error as error:
        raise DataError(
            f"{path}, line 1: expected the names of the columns, came something else ({error});"
            " is this a text file, and is every quotation mark closed?"
        ) from error


def _plain_batch(lines: _Lines, ahead: list[str], source: Source) -> Batch | None:
    """All lines at once when each is a whole and sound row, as nearly always; else None."""
    first, width = lines.number + 1, len(source.columns)
    numbers = range(first, first + len(ahead))
    text = "".join(ahead)
    if '"' not in text and width > 1:
        batch = _unquoted_batch(text, numbers, source)
    else:
        try:
            rows = list(csv.reader(ahead, delimiter=source.delimiter, strict=True))
        except csv.Error:
            return None
        sound = len(rows) == len(ahead) and set(map(len, rows)) == {width}
        batch = batch_of(numbers, rows, [], source.columns, {}) if sound else None
    lines.skip(len(ahead) if batch else 0)
    return batch


def _unquoted_batch(text: str, numbers: range, source: Source) -> Batch | None:
    """Lines without any quotation mark, three times as fast; None when one is no row or has bytes that are no text."""
    try:
        frame = pl.read_csv(
            text.encode(),
            has_header=False,
            schema=dict.fromkeys(source.columns, pl.String),
            separator=source.delimiter,
            quote_char=None,
            empty_string_is_null=False,
        )
    except (UnicodeEncodeError, pl.exceptions.PolarsError):
        return None
    # A line with too many fields is an error, so when the number of delimiters is right none has too few.
    if frame.height != len(numbers) or text.count(source.delimiter) != len(numbers) * (frame.width - 1):
        return None
    return Batch(frame.insert_column(0, pl.Series(LINE, numbers, dtype=pl.Int64)))


def _careful_batch(lines: _Lines, count: int, source: Source) -> Batch:
    """Row after row until `count` lines are taken."""
    end = lines.number + count
    starts: list[int] = []
    rows: list[list[str]] = []
    bad: list[BadRow] = []
    mended: Counter[str] = Counter()
    while lines.number < end:
        start = lines.number + 1
        row = _next_row(lines, source.delimiter, len(source.columns), mended)
        if isinstance(row, BadRow):
            bad.append(row)
        elif row:
            starts.append(start)
            rows.append(row)
    return batch_of(starts, rows, bad, source.columns, mended)


def _next_row(lines: _Lines, delimiter: str, width: int, mended: Counter[str]) -> list[str] | BadRow:
    """The next row of `width` fields, or what is wrong with it; [] for an empty line or the end."""
    start, taken = lines.number + 1, []

    def take() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    try:
        row = next(csv.reader(take(), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        lines.give_back(taken[1:])
        if len(taken) == 1 and "end of data" not in str(error):
            return _read_literally(start, taken[0], delimiter, width, mended)
        return _left_open(start, taken[0])
    if len(taken) > 1 and _swallows(taken, row, delimiter, width):
        lines.give_back(taken[1:])
        return _left_open(start, taken[0])
    if not row or (width > 1 and len(row) == 1 and not row[0].strip()):
        return []
    return _of_width(start, row, width, mended)


def _of_width(start: int, row: list[str], width: int, mended: Counter[str]) -> list[str] | BadRow:
    if len(row) > width and not any(cell.strip() for cell in row[width:]):
        mended[_NO_SEPARATORS] += 1
        return row[:width]
    if len(row) != width:
        return BadRow(start, "", f"expected {width} fields, came {len(row)}", [readable(cell) for cell in row])
    return row


def _swallows(taken: Sequence[str], row: Sequence[str], delimiter: str, width: int) -> bool:
    """Whether a row of several lines is sound only because an open quotation mark met a stray one rows later."""
    if width < _FEWEST_TO_TELL:
        return False
    later = taken[1:] if len(row) == width else taken[-1:]
    # One line of a long text may look like a row by chance, and then the row is of the right width.
    if len(row) == width and len(later) == 1:
        return False
    return all(len(next(csv.reader([line], delimiter=delimiter), [])) == width for line in later)


def _left_open(start: int, line: str) -> BadRow:
    reason = "a quotation mark is opened in this line and not closed as it should be; reading went on with the next"
    return BadRow(start, "", reason, readable(line.rstrip("\r\n")))


def _read_literally(start: int, line: str, delimiter: str, width: int, mended: Counter[str]) -> list[str] | BadRow:
    """A line with stray quotation marks (`24" monitor`): they belong to the text if the fields then come out right."""
    text = line.rstrip("\r\n")
    if len(text) > _MOST_OF_A_FIELD:
        return BadRow(start, "", f"a field of more than {_MOST_OF_A_FIELD:,} characters", readable(text))
    for row in ([_unquoted(cell) for cell in text.split(delimiter)], next(csv.reader([text], delimiter=delimiter))):
        if len(row) == width:
            mended[_LITERAL] += 1
            return row
    return BadRow(start, "", "quotation marks do not match; inside a quoted field each is doubled", readable(text))


def _unquoted(cell: str) -> str:
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell
