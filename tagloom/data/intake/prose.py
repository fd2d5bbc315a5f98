"""Text columns: no HTML, no control characters, not longer than allowed; every change is counted."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence

import polars as pl

from tagloom.data.intake import cells

_CONTROLS = r"[\x00-\x08\x0B-\x1F\x7F-\x84\x86-\x9F\x{200B}\x{FEFF}]"
_LINE_BREAK = r"\r\n?|\x{2028}|\x{2029}"
_SCRIPT = r"(?is)<script\b[^>]*>.*?</script\s*>|<style\b[^>]*>.*?</style\s*>|<!--.*?-->"
_TAG = r"(?s)</?[a-zA-Z!][^<>]{0,1000}>"
_ENTITY = r"&(#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});"


def trimmed(raw: pl.DataFrame, column: str | None) -> pl.Series:
    """A column without blanks around its cells, and with every way of writing 'nothing' as null."""
    if column is None:
        return pl.Series("", [None], dtype=pl.String).new_from_index(0, raw.height)
    text = without_controls(raw[column]).str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(list(cells.EMPTY)), None)


def without_controls(text: pl.Series) -> pl.Series:
    """A column without control characters; line breaks of every kind become one."""
    if text.str.contains(_LINE_BREAK).any():
        text = text.str.replace_all(_LINE_BREAK, "\n")
    return text.str.replace_all(_CONTROLS, "") if text.str.contains(_CONTROLS).any() else text


def prose(raw: pl.DataFrame, columns: Sequence[str], field: str, most: int, mended: Counter[str]) -> pl.Series:
    """A text field, from one column or several (a line each); null where nothing stands.

    Args:
        raw: the raw cells.
        columns: the columns that make up the text.
        field: our name for it, for `mended`.
        most: characters; what is longer is cut.
        mended: counts the rows by what was done to them.
    """
    if len(columns) > 1:
        parts = [prose(raw, (column,), field, most, mended) for column in columns]
        whole = pl.DataFrame([part.alias(str(place)) for place, part in enumerate(parts)])
        text = whole.select(pl.concat_str(pl.all(), separator="\n", ignore_nulls=True)).to_series()
        text = text.set(text == "", None)
        return _cut(text, field, most, mended).alias(field)
    if not columns:
        return trimmed(raw, None).alias(field)
    text, before = trimmed(raw, columns[0]), raw[columns[0]]
    mended[f"{field}: a word for nothing emptied"] += int(
        (before.is_not_null() & text.is_null() & (before.str.strip_chars() != "")).sum()
    )
    mended[f"{field}: control characters removed"] += int(before.str.contains(_CONTROLS_BUT_RETURN).sum())
    if text.str.contains("<").any():
        text = _step(text, f"{field}: HTML removed", mended, _without_html(text))
    if text.str.contains(_ENTITY).any():
        decoded = text.map_elements(html.unescape, return_dtype=pl.String, skip_nulls=True)
        text = _step(text, f"{field}: HTML entities decoded", mended, without_controls(decoded).str.strip_chars())
    return _cut(text.set(text == "", None), field, most, mended).alias(field)


_CONTROLS_BUT_RETURN = _CONTROLS.replace(r"\x0B-\x1F", r"\x0B\x0C\x0E-\x1F")


def _without_html(text: pl.Series) -> pl.Series:
    return text.str.replace_all(_SCRIPT, " ").str.replace_all(_TAG, " ").str.strip_chars()


def _step(before: pl.Series, what: str, mended: Counter[str], after: pl.Series) -> pl.Series:
    mended[what] += int((after != before).sum())
    return after


def _cut(text: pl.Series, field: str, most: int, mended: Counter[str]) -> pl.Series:
    if not (text.str.len_bytes() > most).any():
        return text
    return _step(text, f"{field}: cut to {most} characters", mended, text.str.head(most))
