"""One cell holding several values: lists, paths and name/value pairs, in the ways that shops write them."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable

SEPARATORS = ("|", ";", "、", ",", "\t")
DOUBLES = {"|": "｜", ";": "；", ",": "，"}  # the full-width form of a separator separates too
EMPTY = frozenset({"", "nan", "null", "none", "n/a", "na", "nil", "\\n", "#n/a", "<na>", "nat"})
NOT_PLAIN = r"^\s*[\[{]|^[^|]*#[^|]*$"  # may be JSON, a list as Python prints it, or `name#value`

_PATH_SIGNS = (re.compile("[>›»→＞]"), re.compile(r"[|｜]"), re.compile(r"[/\\]"))
_PAIR = re.compile(r"\s*[:：=#]\s*")
_BRACKETED = re.compile(r"^\s*[\[{]")
_NEXT_HASH_PAIR = re.compile(r"\*(?=[^*#]+#)")
_HASH_PAIRS = re.compile(r"[^*#|]+#[^#|]+(\*[^*#|]+#[^#|]+)*\*?", re.DOTALL)
_NAMES = ("name", "tag", "label", "title", "text", "value")


def is_empty(cell: str | None) -> bool:
    """Whether a cell says 'nothing here' in one of the ways that exports write it.

    >>> is_empty(" NaN "), is_empty(None), is_empty("0")
    (True, True, False)
    """
    return cell is None or cell.strip().lower() in EMPTY


def guess_separator(cells: Iterable[str]) -> str:
    """The separator that stands in most of the cells; `|` when none does. Commas inside JSON do not count.

    >>> guess_separator(["红|蓝", "红,白|绿", "黑"]), guess_separator(["红；蓝", "黑"])
    ('|', ';')
    """
    counts: Counter[str] = Counter()
    for cell in cells:
        if not _BRACKETED.match(cell):
            counts.update(
                separator for separator in SEPARATORS if separator in cell or DOUBLES.get(separator, separator) in cell
            )
    # SEPARATORS runs from the least to the most usual inside a value, and max keeps the first of equals.
    return max(SEPARATORS, key=lambda separator: counts[separator]) if counts else "|"


def parse_list(cell: str | None, separator: str = "|") -> list[str]:
    """The entries of a list cell, in order, without blanks and repeats. JSON lists are read as such.

    >>> parse_list("红 | 蓝|红"), parse_list('["a", "b|c"]'), parse_list("类型#裤*版型#宽松"), parse_list("C#|F#")
    (['红', '蓝'], ['a', 'b|c'], ['类型=裤', '版型=宽松'], ['C#', 'F#'])
    """
    if cell is None or is_empty(cell):
        return []
    value = from_json(cell)
    if isinstance(value, list):
        entries = [_entry(entry) for entry in value]
    elif isinstance(value, dict) or is_hash_pairs(cell):
        entries = [f"{name}={entry}" if name else entry for name, entry in parse_pairs(cell)]
    else:
        entries = _split(cell, separator)
    return list(dict.fromkeys(entry.strip() for entry in entries if not is_empty(entry)))


def parse_path(cell: str | None) -> list[str]:
    """The steps of a category, root first. A slash separates only where no clearer sign does.

    >>> parse_path("数码 > 影音/相机"), parse_path('["Shoes", "Boots"]'), parse_path("Home/Kitchen")
    (['数码', '影音/相机'], ['Shoes', 'Boots'], ['Home', 'Kitchen'])
    """
    if cell is None or is_empty(cell):
        return []
    value = from_json(cell)
    if isinstance(value, list):
        # Several paths in one cell: the first is the product's own, the others are where it is shown besides.
        steps = [_entry(step) for step in (value[0] if value and isinstance(value[0], list) else value)]
    else:
        sign = next((sign for sign in _PATH_SIGNS if sign.search(cell)), None)
        steps = sign.split(cell) if sign else [cell]
    return [step.strip() for step in steps if not is_empty(step)]


def parse_pairs(cell: str | None, separator: str = "|") -> list[tuple[str, str]]:
    """The name/value pairs of an attributes cell; one name may stand several times. An entry without a name has ''.

    >>> parse_pairs("类型#裤*版型#宽松"), parse_pairs("颜色:红|材质=棉"), parse_pairs('{"颜色": ["红", "蓝"]}')
    ([('类型', '裤'), ('版型', '宽松')], [('颜色', '红'), ('材质', '棉')], [('颜色', '红'), ('颜色', '蓝')])
    """
    if cell is None or is_empty(cell):
        return []
    value = from_json(cell)
    if isinstance(value, dict):
        pairs = [pair for name, entry in value.items() for pair in _spread(str(name), entry)]
    elif isinstance(value, list):
        pairs = [pair for entry in value for pair in _from_entry(entry)]
    elif is_hash_pairs(cell):
        pairs = [_split_pair(entry) for entry in _NEXT_HASH_PAIR.split(cell.strip("* \t\n"))]
    else:
        pairs = [_split_pair(entry) for entry in _split(cell, separator)]
    return list(dict.fromkeys((name, entry) for name, entry in pairs if not is_empty(entry)))


def is_hash_pairs(cell: str) -> bool:
    """Whether a cell reads like `name#value`, or several of them joined by `*`.

    >>> is_hash_pairs("类型#裤*尺寸#3*4"), is_hash_pairs("C#"), is_hash_pairs("C#|Go"), is_hash_pairs("#new #hot")
    (True, False, False, False)
    """
    return _HASH_PAIRS.fullmatch(cell.strip("* \t\n")) is not None


def from_json(cell: str) -> object | None:
    """The list or dict in a cell, written as JSON or as Python prints it; None: a lone bracket is just text."""
    if not _BRACKETED.match(cell):
        return None
    try:
        value = json.loads(cell)
    except ValueError:
        return _from_python(cell)
    except RecursionError:
        return None
    return value if isinstance(value, (list, dict)) else None


def _from_python(cell: str) -> object | None:
    if "'" not in cell:
        return None
    try:
        value = ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, (list, dict)) else None


def _split(cell: str, separator: str) -> list[str]:
    double = DOUBLES.get(separator)
    return (cell.replace(double, separator) if double else cell).split(separator)


def _split_pair(entry: str) -> tuple[str, str]:
    entry = entry.strip()
    parts = _PAIR.split(entry, maxsplit=1)
    # `C#` and `https://...` are values without a name.
    if len(parts) < 2 or (entry.endswith("#") and not parts[1]) or parts[1].startswith("//"):
        return "", entry
    return parts[0], parts[1].strip()


def _entry(value: object) -> str:
    """A value of a JSON list as text: of a dict its name, or name=value; nothing of null."""
    if isinstance(value, dict):
        if {"name", "value"} <= value.keys():
            return f"{value['name']}={value['value']}"
        return next((str(value[key]) for key in _NAMES if key in value), json.dumps(value, ensure_ascii=False))
    return "" if value is None else str(value)


def _spread(name: str, value: object) -> list[tuple[str, str]]:
    values = value if isinstance(value, list) else [value]
    return [(name.strip(), _entry(entry).strip()) for entry in values]


def _from_entry(entry: object) -> list[tuple[str, str]]:
    if isinstance(entry, dict) and {"name", "value"} <= entry.keys():
        return _spread(str(entry["name"]), entry["value"])
    if isinstance(entry, dict):
        return [pair for name, value in entry.items() for pair in _spread(str(name), value)]
    if isinstance(entry, list) and len(entry) == 2:
        return _spread(str(entry[0]), entry[1])
    return [_split_pair(_entry(entry))]
