"""Raw cells to checked rows: what is wrong is set aside with its reason, what can be mended is mended and counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from tagloom.config import ReadSettings
from tagloom.data.intake import cells, spread
from tagloom.data.intake.batches import LINE, BadRow, Batch
from tagloom.data.intake.columns import ColumnMap, action_synonyms
from tagloom.data.intake.offers import offers_of
from tagloom.data.intake.prose import prose, trimmed, without_controls
from tagloom.data.intake.times import parse_times
from tagloom.data.tables import ACTIONS, EVENT_SCHEMA, PRODUCT_SCHEMA
from tagloom.errors import DataError

_DECIMAL_ID = r"^\d+\.0$"
_SNIFFED_CELLS = 2_000
_SHOWN = 40  # characters of a cell in a reason; the whole row stands beside it


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
            if settings.list_separator or (field == "attributes" and columns.wide):
                return settings.list_separator or "|"
            return cells.guess_separator(cell for name in names for cell in frame[name].drop_nulls()[:_SNIFFED_CELLS])

        return cls(guess("tags"), guess("attributes"))


def check_products(batch: Batch, columns: ColumnMap, separators: Separators, settings: ReadSettings) -> Checked:
    """Turn raw rows into `PRODUCT_SCHEMA` rows.

    A file without an id column gets ids made from the text, so that the same product has the same id next time.
    """
    raw, mended, most = batch.frame, Counter[str](), settings.max_characters
    title = prose(raw, columns.fields.get("title", ()), "title", most, mended).fill_null("")
    description = prose(raw, columns.fields.get("description", ()), "description", most, mended).fill_null("")
    id_column = columns.one("product_id")
    ids = _ids(raw, id_column, "product_id", mended) if id_column else made_ids(title, description)
    if not id_column:
        mended["product_id: made from the text"] += raw.height - ids.null_count()
    frame = pl.DataFrame(
        [
            raw[LINE],
            ids.alias("product_id"),
            title,
            description,
            _lists(raw, columns.fields.get("category", ()), None).alias("category"),
            _attributes(raw, columns, separators.attributes).alias("attributes"),
            _lists(raw, columns.fields.get("tags", ()), separators.tags).alias("tags"),
            trimmed(raw, columns.one("image")).alias("image"),
            *offers_of(raw, columns, mended),
        ]
    )
    no_id = "empty; every product needs an id" if id_column else "no text to make an id from"
    return _set_aside(frame, raw, columns, _without_id(no_id), mended)


def check_offers(batch: Batch, columns: ColumnMap) -> Checked:
    """Turn raw rows of a file of offers alone into ids and `OFFERS`."""
    raw, mended = batch.frame, Counter[str]()
    ids = _ids(raw, columns.one("product_id"), "product_id", mended).alias("product_id")
    frame = pl.DataFrame([raw[LINE], ids, *offers_of(raw, columns, mended)])
    return _set_aside(frame, raw, columns, _without_id("empty; every offer needs the id of its product"), mended)


def check_events(batch: Batch, columns: ColumnMap, settings: ReadSettings) -> Checked:
    """Turn raw rows into `EVENT_SCHEMA` rows.

    Without a time column the order in the file is the order in time: row n happens n seconds after 1970-01-01.
    """
    raw, mended = batch.frame, Counter[str]()
    time_cells, value_cells = (trimmed(raw, columns.one(field)) for field in ("time", "value"))
    action = _actions(raw, columns, settings)
    times = parse_times(time_cells) if columns.one("time") else pl.from_epoch(raw[LINE]).dt.replace_time_zone("UTC")
    value = value_cells.cast(pl.Float64, strict=False)
    text = columns.fields.get("text", ())
    frame = pl.DataFrame(
        [
            raw[LINE],
            _ids(raw, columns.one("user_id"), "user_id", mended).alias("user_id"),
            _known_actions(action, settings).alias("action"),
            times.cast(EVENT_SCHEMA["time"]).alias("time"),
            _ids(raw, columns.one("product_id"), "product_id", mended).alias("product_id"),
            prose(raw, text, "text", settings.max_characters, mended),
            value.set(~value.is_finite(), None).alias("value"),
        ]
    )
    return _set_aside(frame, raw, columns, _wrong_events(action, time_cells, value_cells), mended)


def require_action(columns: ColumnMap, settings: ReadSettings, where: str) -> None:
    """Check that a log says what its users did, or the settings do.

    Raises:
        DataError: neither does.
    """
    if not (columns.one("action") or columns.one("value") or settings.default_action):
        raise DataError(
            f"{where}: no column found for action; say in tagloom.toml which one it is,"
            ' [read] event_columns = { action = "..." }, or what all rows are, [read] default_action = "purchase"'
        )


def made_ids(*texts: pl.Series) -> pl.Series:
    """Ids from the text itself: 16 hex digits of its hash; null where there is no text."""
    numbered = pl.DataFrame([text.alias(str(place)) for place, text in enumerate(texts)])
    joined = numbered.select(pl.concat_str(pl.all(), separator="\n").str.strip_chars()).to_series()
    made = [hashlib.sha256(text.encode()).hexdigest()[:16] if text else None for text in joined]
    return pl.Series("product_id", made, dtype=pl.String)


def _actions(raw: pl.DataFrame, columns: ColumnMap, settings: ReadSettings) -> pl.Series:
    """The action cells, or the default action where the file has no column for it."""
    column = columns.one("action")
    if column:
        return trimmed(raw, column)
    default = settings.default_action or ("rate" if columns.one("value") else None)
    return pl.Series("action", [default], dtype=pl.String).new_from_index(0, raw.height)


def _known_actions(action: pl.Series, settings: ReadSettings) -> pl.Series:
    names = action_synonyms(settings.actions)
    known = action.str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.String)
    return known.cast(pl.Enum(ACTIONS))


def _without_id(reason: str) -> dict[str, pl.Expr]:
    return {"product_id": pl.when(pl.col("product_id").is_null()).then(pl.lit(reason))}


def _wrong_events(action: pl.Series, time: pl.Series, value: pl.Series) -> dict[str, pl.Expr]:
    """For each field the reason that holds where its column is null although it must not be."""
    user, product, text = (pl.col(name).is_null() for name in ("user_id", "product_id", "text"))
    known = f"; known are {', '.join(ACTIONS)} and usual words for them; add yours to read.actions in tagloom.toml"
    times = "; write 2026-01-31T12:00:00 or seconds since 1970"
    return {
        "user_id": pl.when(user).then(pl.lit("empty; every event needs a user")),
        "action": pl.when(pl.col("action").is_null()).then(_not_a("known action", action, known)),
        "time": pl.when(pl.col("time").is_null()).then(_not_a("time", time, times)),
        "product_id": pl.when(product & text).then(pl.lit("an event needs a product or a text")),
        "value": pl.when(pl.col("value").is_null() & pl.lit(value.is_not_null())).then(_not_a("number", value, "")),
    }


def _not_a(what: str, cell: pl.Series, remedy: str) -> pl.Expr:
    shown = pl.lit(f"not a {what}: '") + pl.lit(cell.fill_null("").str.head(_SHOWN)) + pl.lit(f"'{remedy}")
    return pl.when(pl.lit(cell.is_null())).then(pl.lit(f"empty, expected a {what}{remedy}")).otherwise(shown)


def _ids(raw: pl.DataFrame, column: str | None, field: str, mended: Counter[str]) -> pl.Series:
    """Ids as they stand, but numbers that a spreadsheet or pandas wrote as decimals (123.0) are whole again."""
    ids = trimmed(raw, column)
    decimal = ids.str.contains(_DECIMAL_ID)
    if not decimal.any():
        return ids
    mended[f"{field}: .0 after a whole number removed"] += int(decimal.sum())
    return ids.zip_with(~decimal.fill_null(False), ids.str.strip_suffix(".0"))


def _lists(raw: pl.DataFrame, names: tuple[str, ...], separator: str | None) -> pl.Series:
    """One list per row, of tags with a separator and else of a path's steps; several columns join their entries."""
    if not names:
        return pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, raw.height)
    columns = [without_controls(raw[name]) for name in names]
    return spread.joined(
        [spread.paths(column) if separator is None else spread.lists(column, separator) for column in columns]
    )


def _attributes(raw: pl.DataFrame, mapped: ColumnMap, separator: str) -> pl.Series:
    """One list of name/value structs per row, from one cell or from a column each."""
    names = mapped.fields.get("attributes", ())
    if not names:
        return pl.Series([[]], dtype=PRODUCT_SCHEMA["attributes"]).new_from_index(0, raw.height)
    if mapped.wide:
        return spread.from_columns([trimmed(raw, name).alias(name) for name in names])
    return spread.pairs(without_controls(raw[names[0]]), separator)


def _set_aside(
    frame: pl.DataFrame, raw: pl.DataFrame, columns: ColumnMap, wrong: Mapping[str, pl.Expr], mended: Counter[str]
) -> Checked:
    """Split checked rows into good ones and `BadRow`s, by the first reason that holds."""
    reasons = frame.select(**wrong)
    field = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in wrong)
    first = reasons.select(field=field, reason=pl.coalesce(pl.all()))
    is_bad = first["reason"].is_not_null()
    if not is_bad.any():
        return Checked(frame, [], +mended)
    bad = [
        BadRow(row[LINE], columns.one(name) or name, reason, {key: cell for key, cell in row.items() if key != LINE})
        for (name, reason), row in zip(first.filter(is_bad).rows(), raw.filter(is_bad).to_dicts(), strict=True)
    ]
    return Checked(frame.filter(~is_bad), bad, +mended)
