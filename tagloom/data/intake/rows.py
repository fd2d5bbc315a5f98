"""Raw cells to checked rows: what is wrong is set aside with its reason, what can be mended is mended and counted."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import polars as pl

from tagloom.config import ReadSettings
from tagloom.data.intake import cells
from tagloom.data.intake.columns import ColumnMap, action_synonyms
from tagloom.data.intake.read import LINE, BadRow, Batch
from tagloom.data.tables import ACTIONS, ATTRIBUTE, EVENT_SCHEMA, PRODUCT_SCHEMA
from tagloom.errors import DataError

_CONTROLS = r"[\x00-\x08\x0B-\x1F\x7F\u200B\uFEFF]"
_HTML_TAG = r"</?[a-zA-Z!][^<>]{0,1000}>"
_ENTITY = r"&(#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});"
_TIME_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
)
_OLDEST_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138, as milliseconds 1973


@dataclass(frozen=True)
class Checked:
    """Rows of one table's schema plus `LINE`; `mended` counts rows by what was done to them."""

    frame: pl.DataFrame
    bad: list[BadRow]
    mended: Counter[str]


@dataclass(frozen=True)
class Separators:
    """What separates list entries in the cells of one file."""

    tags: str
    attributes: str

    @classmethod
    def of(cls, frame: pl.DataFrame, columns: ColumnMap, settings: ReadSettings) -> Separators:
        """From the settings, or guessed from a file's first rows."""

        def guess(field: str) -> str:
            names = columns.fields.get(field, ())
            if settings.list_separator or len(names) != 1:
                return settings.list_separator or "|"
            return cells.guess_separator(frame[names[0]].drop_nulls().head(2_000))

        return cls(guess("tags"), guess("attributes"))


def check_products(batch: Batch, columns: ColumnMap, separators: Separators, settings: ReadSettings) -> Checked:
    """Turn raw rows into `PRODUCT_SCHEMA` rows.

    A file without an id column gets ids made from the text, so that the same product has the same id next time.
    """
    raw, mended = batch.frame, Counter[str]()
    title = _text(raw, columns.one("title"), "title", settings, mended)
    description = _text(raw, columns.one("description"), "description", settings, mended)
    id_column = columns.one("product_id")
    ids = _cell(raw, id_column) if id_column else made_ids(title, description)
    if not id_column:
        mended["product_id made from the text"] += raw.height
    frame = pl.DataFrame(
        {
            LINE: raw[LINE],
            "product_id": ids,
            "title": title,
            "description": description,
            "category": _lists(raw, columns.fields.get("category", ()), cells.parse_path),
            "attributes": _attributes(raw, columns, separators.attributes),
            "tags": _lists(raw, columns.fields.get("tags", ()), lambda cell: cells.parse_list(cell, separators.tags)),
            "image": _cell(raw, columns.one("image")),
        },
        schema={LINE: pl.Int64, **PRODUCT_SCHEMA},
    )
    wrong = {"product_id": pl.when(pl.col("product_id").is_null()).then(pl.lit("empty; every product needs an id"))}
    return _set_aside(frame, raw, columns, wrong, mended)


def check_events(batch: Batch, columns: ColumnMap, settings: ReadSettings) -> Checked:
    """Turn raw rows into `EVENT_SCHEMA` rows.

    Without a time column the order in the file is the order in time: row n happens n seconds after 1970-01-01.
    A time without a zone is UTC; numbers are seconds or milliseconds since 1970-01-01.
    """
    raw, mended = batch.frame, Counter[str]()
    action_column, time_column, value_column = (columns.one(field) for field in ("action", "time", "value"))
    action = (
        _cell(raw, action_column)
        if action_column
        else pl.Series("action", [_default_action(columns, settings)] * raw.height)
    )
    names = action_synonyms(settings.actions)
    value_cells = _cell(raw, value_column)
    text = _text(raw, columns.one("text"), "text", settings, mended, empty=None)
    frame = pl.DataFrame(
        {
            LINE: raw[LINE],
            "user_id": _cell(raw, columns.one("user_id")),
            "action": action.str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.String),
            "time": _times(_cell(raw, time_column))
            if time_column
            else pl.from_epoch(raw[LINE]).dt.replace_time_zone("UTC"),
            "product_id": _cell(raw, columns.one("product_id")),
            "text": text,
            "value": value_cells.cast(pl.Float64, strict=False),
            "_action": action,
            "_value": value_cells,
        }
    ).with_columns(pl.col("action").cast(pl.Enum(ACTIONS)), pl.col("time").cast(EVENT_SCHEMA["time"]))
    known = "; known are " + ", ".join(ACTIONS) + " and usual words for them; add yours to read.actions in tagloom.toml"
    wrong = {
        "user_id": pl.when(pl.col("user_id").is_null()).then(pl.lit("empty; every event needs a user")),
        "action": pl.when(pl.col("action").is_null()).then(
            pl.lit("unknown action '") + pl.col("_action").fill_null("") + pl.lit("'" + known)
        ),
        "time": pl.when(pl.col("time").is_null()).then(
            pl.lit("not a time; write 2026-01-31T12:00:00 or seconds since 1970")
        ),
        "product_id": pl.when(pl.col("product_id").is_null() & pl.col("text").is_null()).then(
            pl.lit("an event needs a product or a text")
        ),
        "value": pl.when(pl.col("_value").is_not_null() & pl.col("value").is_null()).then(pl.lit("not a number")),
    }
    return _set_aside(frame, raw, columns, wrong, mended)


def made_ids(*texts: pl.Series) -> pl.Series:
    """Ids from the text itself: 16 hex digits of its hash; null where there is no text."""
    import hashlib

    joined = pl.DataFrame(list(texts)).select(text=pl.concat_str(pl.all(), separator="\n").str.strip_chars())["text"]
    made = [hashlib.sha256(text.encode()).hexdigest()[:16] if text else None for text in joined]
    return pl.Series("product_id", made, dtype=pl.String)


def _default_action(columns: ColumnMap, settings: ReadSettings) -> str:
    if settings.default_action:
        return settings.default_action
    if columns.one("value"):
        return "rate"
    raise DataError(
        "the events have no column for the action; name it in read.event_columns of tagloom.toml,"
        ' or say what all of them are: read.default_action = "purchase"'
    )


def _cell(raw: pl.DataFrame, column: str | None) -> pl.Series:
    """A column trimmed, with every way of writing 'nothing' as null."""
    if column is None:
        return pl.Series("", [None] * raw.height, dtype=pl.String)
    trimmed = raw[column].str.strip_chars()
    return trimmed.set(trimmed.str.to_lowercase().is_in(list(cells.EMPTY)), None)


def _text(
    raw: pl.DataFrame,
    column: str | None,
    field: str,
    settings: ReadSettings,
    mended: Counter[str],
    empty: str | None = "",
) -> pl.Series:
    """A column of prose: no HTML, no control characters, not longer than allowed; every change is counted."""
    before = raw[column].str.strip_chars() if column else _cell(raw, None)
    text = _cell(raw, column)
    mended[f"{field}: a word for nothing emptied"] += int(
        (before.is_not_null() & text.is_null() & (before != "")).sum()
    )

    def step(what: str, changed: pl.Series) -> pl.Series:
        nonlocal text
        mended[f"{field}: {what}"] += int((changed != text).sum())
        return changed

    if bool(text.str.contains(_HTML_TAG).any()):
        text = step("HTML removed", text.str.replace_all(_HTML_TAG, " ").str.strip_chars())
    if bool(text.str.contains(_ENTITY).any()):
        text = step("HTML entities decoded", text.map_elements(html.unescape, return_dtype=pl.String, skip_nulls=True))
    if bool(text.str.contains(_CONTROLS).any()):
        text = step("control characters removed", text.str.replace_all(_CONTROLS, ""))
    if (text.str.len_bytes() > settings.max_characters).any():
        text = step(f"cut to {settings.max_characters} characters", text.str.head(settings.max_characters))
    return (text if empty is None else text.fill_null(empty)).alias(field)


def _lists(raw: pl.DataFrame, names: tuple[str, ...], parse: object) -> pl.Series:
    """One list per row; several columns join their entries in order."""
    assert callable(parse)  # noqa: S101 (ours)
    if not names:
        return pl.Series([[]] * raw.height, dtype=pl.List(pl.String))
    columns = [[parse(cell) for cell in raw[name]] for name in names]
    joined = (
        columns[0] if len(columns) == 1 else [list(dict.fromkeys(chain(*row))) for row in zip(*columns, strict=True)]
    )
    return pl.Series(joined, dtype=pl.List(pl.String))


def _attributes(raw: pl.DataFrame, mapped: ColumnMap, separator: str) -> pl.Series:
    """One list of name/value structs per row, from one cell or from a column each."""
    names = mapped.fields.get("attributes", ())
    if names and not mapped.wide:
        pairs = [cells.parse_pairs(cell, separator) for cell in raw[names[0]]]
    else:
        columns = [_cell(raw, name) for name in names]
        pairs = [
            [(name, cell) for name, cell in zip(names, row, strict=True) if cell is not None]
            for row in zip(*columns, strict=True)
        ] or [[] for _ in range(raw.height)]
    structs = [[{"name": name, "value": value} for name, value in row] for row in pairs]
    return pl.Series(structs, dtype=pl.List(ATTRIBUTE))


def _times(text: pl.Series) -> pl.Series:
    """Times in the usual forms, as UTC; null where none fits."""
    # A zone is an offset at the end; with 'Z' read as one, two passes cover zoned and plain times.
    zoned = text.str.replace(r"[zZ]$", "+00:00").str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us", exact=True
    )
    found = zoned.dt.convert_time_zone("UTC") if zoned.dtype.time_zone else zoned.dt.replace_time_zone("UTC")  # type: ignore[attr-defined]
    plain = text.str.replace(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)", "${1}T${2}")
    for form in _TIME_FORMATS:
        if not found.null_count():
            break
        kind = pl.Datetime("us") if "%H" in form else pl.Date
        parsed = plain.str.strptime(kind, form, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        found = found.zip_with(found.is_not_null(), parsed)
    if found.null_count():
        number = text.cast(pl.Float64, strict=False)
        seconds = number.zip_with(number < _OLDEST_MILLISECONDS, number / 1_000)
        stamped = (seconds * 1_000_000).cast(pl.Int64, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        found = found.zip_with(found.is_not_null(), stamped)
    return found


def _set_aside(
    frame: pl.DataFrame, raw: pl.DataFrame, columns: ColumnMap, wrong: Mapping[str, pl.Expr], mended: Counter[str]
) -> Checked:
    """Split checked rows into good ones and `BadRow`s, by the first reason that holds."""
    reasons = frame.select(**wrong)
    field = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in wrong)
    first = reasons.select(field=field, reason=pl.coalesce(pl.all()))
    is_bad = first["reason"].is_not_null()
    bad = [
        BadRow(row[LINE], columns.one(name) or name, reason, {key: cell for key, cell in row.items() if key != LINE})
        for (name, reason), row in zip(first.filter(is_bad).rows(), raw.filter(is_bad).to_dicts(), strict=True)
    ]
    good = frame.filter(~is_bad).select(column for column in frame.columns if column not in ("_action", "_value"))
    return Checked(good, bad, +mended)
