"""One cell holding several values: lists, paths and name/value pairs, in the ways that shops write them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable

SEPARATORS = ("|", ";", "；", "、", ",", "，", "\t")
EMPTY = frozenset({"", "nan", "null", "none", "n/a", "na", "nil", "\\n", "#n/a", "<na>", "nat"})

_PATH = re.compile(r"\s*(?:>|›|»|→|/|\\)\s*")
_PAIR = re.compile(r"\s*[:：=#]\s*")
_BRACKETED = re.compile(r"^\s*[\[{]")


def is_empty(cell: str | None) -> bool:
    """Whether a cell says 'nothing here' in one of the ways that exports write it.

    >>> is_empty(" NaN "), is_empty(None), is_empty("0")
    (True, True, False)
    """
    return cell is None or cell.strip().casefold() in EMPTY


def guess_separator(cells: Iterable[str]) -> str:
    """The separator that stands in most of the cells; `|` when none does. Commas inside JSON do not count.

    >>> guess_separator(["红|蓝", "红,白|绿", "黑"])
    '|'
    """
    counts = Counter(
        separator for cell in cells if not _BRACKETED.match(cell) for separator in SEPARATORS if separator in cell
    )
    # SEPARATORS runs from the least to the most usual inside a value, and max keeps the first of equals.
    return max(SEPARATORS, key=lambda separator: counts[separator]) if counts else "|"


def parse_list(cell: str | None, separator: str = "|") -> list[str]:
    """The entries of a list cell, in order, without blanks and repeats. JSON lists are read as such.

    >>> parse_list("红 | 蓝|红"), parse_list('["a", "b|c"]'), parse_list("类型#裤*版型#宽松")
    (['红', '蓝'], ['a', 'b|c'], ['类型=裤', '版型=宽松'])
    """
    if cell is None or is_empty(cell):
        return []
    value = _from_json(cell)
    if value is not None:
        entries = [str(entry) for entry in (value if isinstance(value, list) else [value])]
    elif is_hash_pairs(cell):
        entries = [f"{name}={entry}" for name, entry in parse_pairs(cell)]
    else:
        entries = cell.split(separator)
    return list(dict.fromkeys(entry.strip() for entry in entries if not is_empty(entry)))


def parse_path(cell: str | None) -> list[str]:
    """The steps of a category, root first.

    >>> parse_path("数码 > 手机"), parse_path('["Shoes", "Boots"]'), parse_path("Home/Kitchen")
    (['数码', '手机'], ['Shoes', 'Boots'], ['Home', 'Kitchen'])
    """
    if cell is None or is_empty(cell):
        return []
    value = _from_json(cell)
    steps = [str(step) for step in value] if isinstance(value, list) else _PATH.split(cell)
    return [step.strip() for step in steps if not is_empty(step)]


def parse_pairs(cell: str | None, separator: str = "|") -> list[tuple[str, str]]:
    """The name/value pairs of an attributes cell; one name may stand several times. An entry without a name has ''.

    >>> parse_pairs("类型#裤*版型#宽松"), parse_pairs("颜色:红|材质=棉"), parse_pairs('{"颜色": ["红", "蓝"]}')
    ([('类型', '裤'), ('版型', '宽松')], [('颜色', '红'), ('材质', '棉')], [('颜色', '红'), ('颜色', '蓝')])
    """
    if cell is None or is_empty(cell):
        return []
    value = _from_json(cell)
    if isinstance(value, dict):
        pairs = [pair for name, entry in value.items() for pair in _spread(str(name), entry)]
    elif isinstance(value, list):
        pairs = [pair for entry in value for pair in _from_entry(entry)]
    else:
        pairs = [_split_pair(entry) for entry in cell.split("*" if is_hash_pairs(cell) else separator)]
    return list(dict.fromkeys((name, entry) for name, entry in pairs if not is_empty(entry)))


def _from_json(cell: str) -> object | None:
    """The value of a cell that looks like JSON, or None: a lone bracket is just text."""
    if not _BRACKETED.match(cell):
        return None
    try:
        return json.loads(cell)  # type: ignore[no-any-return]
    except ValueError:
        return None


def is_hash_pairs(cell: str) -> bool:
    """Whether every entry of a cell reads like `name#value`, joined by `*`."""
    return all(entry.find("#") > 0 for entry in cell.strip("* ").split("*"))


def _split_pair(entry: str) -> tuple[str, str]:
    parts = _PAIR.split(entry.strip(), maxsplit=1)
    return (parts[0], parts[1].strip()) if len(parts) == 2 else ("", parts[0])


def _spread(name: str, value: object) -> list[tuple[str, str]]:
    values = value if isinstance(value, list) else [value]
    return [(name.strip(), str(entry).strip()) for entry in values if entry is not None]


def _from_entry(entry: object) -> list[tuple[str, str]]:
    if isinstance(entry, dict) and {"name", "value"} <= entry.keys():
        return _spread(str(entry["name"]), entry["value"])
    if isinstance(entry, dict):
        return [pair for name, value in entry.items() for pair in _spread(str(name), value)]
    if isinstance(entry, list) and len(entry) == 2:
        return _spread(str(entry[0]), entry[1])
    return [_split_pair(str(entry))]
