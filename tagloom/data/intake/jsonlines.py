"""JSON Lines: an object a line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from itertools import islice
from pathlib import Path
from typing import Any

from tagloom.data.intake.batches import (
    MOST_CHARACTERS,
    BadRow,
    Batch,
    Source,
    as_cell,
    batch_of,
    check_columns,
    readable,
)
from tagloom.data.intake.encoding import open_text
from tagloom.errors import DataError

_SNIFFED_LINES = 10_000
_KINDS: dict[type, str] = {type(None): "null", list: "an array", str: "a string", bool: "true or false"}
_NEW_KEYS = f"keys that the first {_SNIFFED_LINES:,} lines do not have left out"


def open_json_lines(path: Path, encoding: str) -> Source:
    """The keys of the first lines, in order of appearance, are the columns.

    Raises:
        DataError: none of the first lines holds an object.
    """
    names: dict[str, None] = {}
    with open_text(path, encoding) as lines:
        for text in islice(lines, _SNIFFED_LINES):
            row = _parsed(text)
            if isinstance(row, dict):
                names.update((name, None) for name in row if name == readable(name))
    if not names:
        raise DataError(
            f"{path}: expected a JSON object in each line, found none in the first {_SNIFFED_LINES:,};"
            " write a JSON array as one object a line (jq -c '.[]' old.json > new.jsonl)"
        )
    check_columns(str(path), tuple(names))
    return Source(str(path), "jsonl", tuple(names), encoding)


def read_json_lines(source: Source, most: int) -> Generator[Batch, None, None]:
    """The objects, at most `most` or `MOST_CHARACTERS` at a time."""
    with open_text(Path(source.name), source.encoding) as file:
        first = 1
        while block := file.readlines(MOST_CHARACTERS):
            for start in range(0, len(block), most):
                yield _batch(block[start : start + most], first + start, source.columns)
            first += len(block)


def _batch(block: list[str], first: int, columns: tuple[str, ...]) -> Batch:
    lines, rows, bad = [], [], []
    mended: Counter[str] = Counter()
    known = frozenset(columns)
    for line, text in enumerate(block, start=first):
        row = _parsed(text)
        if isinstance(row, dict):
            lines.append(line)
            rows.append([as_cell(row.get(name)) for name in columns])
            mended[_NEW_KEYS] += not row.keys() <= known
        elif text.strip():
            bad.append(BadRow(line, "", _what_is_wrong(row), readable(text.rstrip("\r\n"))))
    return batch_of(lines, rows, bad, columns, +mended)


def _parsed(text: str) -> Any:
    """The value in a line; a ValueError is given back, because a bad line is nothing unusual."""
    try:
        return json.loads(text)
    except ValueError as error:
        return error
    except RecursionError:
        return ValueError("nested too deeply")


def _what_is_wrong(value: object) -> str:
    if isinstance(value, json.JSONDecodeError):
        return f"not readable as JSON ({value.msg} at character {value.pos + 1})"
    if isinstance(value, ValueError):
        return f"not readable as JSON ({value})"
    return f"expected a JSON object, came {_KINDS.get(type(value), 'a number')}"
