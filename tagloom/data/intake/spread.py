"""Whole columns of list, path and pair cells at once, with the same results as `cells` gives one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from tagloom.data.intake import cells
from tagloom.data.tables import ATTRIBUTE

_STRINGS = pl.List(pl.String)
_PAIRS = pl.List(ATTRIBUTE)


def lists(column: pl.Series, separator: str) -> pl.Series:
    """`cells.parse_list` of every cell."""
    return _spread(column, separator, cells.parse_list, _split, _STRINGS)


def pairs(column: pl.Series, separator: str) -> pl.Series:
    """`cells.parse_pairs` of every cell, as name/value structs."""
    return _spread(column, separator, _pair_structs, _split_pairs, _PAIRS)


def paths(column: pl.Series) -> pl.Series:
    """`cells.parse_path` of every cell."""
    # A shop has few categories: each is taken apart once.
    once = column.unique()
    parsed = pl.Series("path", [cells.parse_path(cell) for cell in once], dtype=_STRINGS)
    each = pl.DataFrame({"cell": column})
    found = each.join(pl.DataFrame([once.alias("cell"), parsed]), on="cell", how="left", nulls_equal=True)
    return found["path"]


def joined(columns: Sequence[pl.Series]) -> pl.Series:
    """Several list columns as one: their entries in order, without repeats."""
    if len(columns) == 1:
        return columns[0]
    return pl.select(pl.concat_list(*columns).list.unique(maintain_order=True)).to_series()


def from_columns(columns: Sequence[pl.Series]) -> pl.Series:
    """Attributes that have a column each: the cells that are not null, named like their column."""
    cells_of = pl.DataFrame([column.alias(str(place)) for place, column in enumerate(columns)])
    each = [pl.struct(name=pl.lit(column.name), value=pl.col(str(place))) for place, column in enumerate(columns)]
    filled = pl.element().filter(pl.element().struct.field("value").is_not_null())
    return cells_of.select(pl.concat_list(each).list.eval(filled)).to_series()


def _spread(
    column: pl.Series,
    separator: str,
    parse: Callable[[str | None, str], list[Any]],
    split: Callable[[pl.Series, str], pl.Series],
    dtype: pl.DataType,
) -> pl.Series:
    """Plain cells split all at once; those written as JSON or `name#value*name#value` one by one."""
    by_hand = column.str.contains(cells.NOT_PLAIN).fill_null(False)
    plain = split(column.set(by_hand, None), separator).cast(dtype)
    if not by_hand.any():
        return plain
    places = by_hand.arg_true()
    parsed = pl.Series("", [parse(cell, separator) for cell in column.gather(places)], dtype=dtype)
    order = pl.int_range(len(plain), eager=True).scatter(
        places, pl.int_range(len(plain), len(plain) + len(parsed), eager=True)
    )
    return pl.concat([plain, parsed.alias(plain.name)]).gather(order)


def _split(column: pl.Series, separator: str) -> pl.Series:
    return _entries(column, separator).list.unique(maintain_order=True)


def _entries(column: pl.Series, separator: str) -> pl.Series:
    for double in cells.DOUBLES.get(separator, ""):
        column = column.str.replace_all(double, separator, literal=True)
    entry = pl.element().str.strip_chars()
    return column.fill_null("").str.split(separator).list.eval(entry).list.eval(_filled(pl.element(), pl.element()))


def _filled(kept: pl.Expr, tested: pl.Expr) -> pl.Expr:
    return kept.filter(~tested.str.to_lowercase().is_in(list(cells.EMPTY)))


def _split_pairs(column: pl.Series, separator: str) -> pl.Series:
    entry = pl.element()
    parts = entry.str.extract_groups(r"(?s)^(?<name>.*?)\s*[:：=#]\s*(?<value>.*)$")
    # In two steps, because an expression that stands twice inside `list.eval` is also computed twice.
    taken_apart = _entries(column, separator).list.eval(pl.struct(entry.alias("entry"), parts.alias("parts")))
    entry, parts = (pl.element().struct.field(name) for name in ("entry", "parts"))
    name, value = parts.struct.field("name"), parts.struct.field("value")
    # `C#` and `https://...` are values without a name.
    whole = name.is_null() | (entry.str.ends_with("#") & (value == "")) | value.str.starts_with("//")
    pair = pl.struct(
        pl.when(whole).then(pl.lit("")).otherwise(name).alias("name"),
        pl.when(whole).then(entry).otherwise(value).alias("value"),
    )
    filled = _filled(pl.element(), pl.element().struct.field("value"))
    return taken_apart.list.eval(pair).list.eval(filled).list.unique(maintain_order=True)


def _pair_structs(cell: str | None, separator: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in cells.parse_pairs(cell, separator)]
