"""The checked tables: the only place where column names stand. Nothing downstream checks again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from tagloom.errors import DataError

ACTIONS = ("purchase", "cart", "view", "like", "rate", "search", "post")

ATTRIBUTE = pl.Struct({"name": pl.String, "value": pl.String})

_PRODUCT_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "product_id": pl.String,
    "title": pl.String,
    "description": pl.String,
    "category": pl.List(pl.String),
    "attributes": pl.List(ATTRIBUTE),
    "tags": pl.List(pl.String),
    "image": pl.String,
    "price": pl.Float64,
    "stock": pl.Float64,
    "until": pl.Datetime("us", "UTC"),
}
PRODUCT_SCHEMA = pl.Schema(_PRODUCT_TYPES)
# What changes by the hour, and what no model learns from; null: not known.
OFFERS = ("price", "stock", "until")

_EVENT_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "user_id": pl.String,
    "action": pl.Enum(ACTIONS),
    "time": pl.Datetime("us", "UTC"),
    "product_id": pl.String,
    "text": pl.String,
    "value": pl.Float64,
}
EVENT_SCHEMA = pl.Schema(_EVENT_TYPES)

_HASHED_ROWS = 50_000


@dataclass(frozen=True)
class Products:
    """A catalogue: one row a product, columns and types as in `PRODUCT_SCHEMA`.

    `product_id` is present and unique; `title`, `description` and lists are never null (empty instead);
    `image` and `OFFERS` may be null. Of these a `price` that is null is not known, without a `stock` the product counts
    as there (0 or less: it is out of stock), without an `until` it is offered for ever.

    Raises:
        DataError: a column is missing or of another type, an id is missing or stands twice, a price is below 0, a price
            or stock is no finite number.
    """

    frame: pl.DataFrame

    def __post_init__(self) -> None:
        _check_schema(self.frame, PRODUCT_SCHEMA, "products")
        _check_no_nulls(self.frame, ("product_id", "title", "description", "category", "attributes", "tags"))
        _check_numbers(self.frame)
        twice = self.frame["product_id"].is_duplicated()
        if twice.any():
            row = twice.arg_true()[0]
            raise DataError(
                f"products, row {row}, product_id: {self.frame['product_id'][row]!r} stands more than once;"
                " every product needs its own id"
            )

    def __len__(self) -> int:
        return self.frame.height

    @property
    def texts(self) -> pl.Series:
        """What a model reads of each product: title and description, a line each. [P] strings."""
        return product_texts(self.frame)

    def fingerprint(self) -> str:
        """A hash of what models learn from: the same rows in the same order give the same 16 hex digits.

        `OFFERS` are not in it: a new price or stock makes no model old.
        """
        return fingerprint(self.frame.drop(OFFERS))

    @classmethod
    def of(cls, rows: list[dict[str, object]]) -> Products:
        """Build a catalogue from plain dicts; what is missing is empty, of `image` and `OFFERS` null.

        >>> products = Products.of([{"product_id": "1", "title": "宽松牛仔外套", "tags": ["牛仔"]}])
        >>> len(products), products.texts.to_list()
        (1, ['宽松牛仔外套'])
        """
        empty: dict[str, object] = {
            "title": "",
            "description": "",
            "category": [],
            "attributes": [],
            "tags": [],
            **dict.fromkeys(("image", *OFFERS)),
        }
        unknown = sorted({key for row in rows for key in row} - set(PRODUCT_SCHEMA))
        if unknown:
            raise DataError(f"products: unknown fields {unknown}; a product has {list(PRODUCT_SCHEMA)}")
        return cls(pl.DataFrame([{**empty, **row} for row in rows], schema=PRODUCT_SCHEMA))


@dataclass(frozen=True)
class Events:
    """Users' behaviour in time order, columns and types as in `EVENT_SCHEMA`; ties keep the file's order.

    `user_id`, `action` and `time` are always present; an event has a `product_id`, a `text`, or both.

    Raises:
        DataError: a column is missing or of another type, or a required value is null.
    """

    frame: pl.DataFrame

    def __post_init__(self) -> None:
        _check_schema(self.frame, EVENT_SCHEMA, "events")
        _check_no_nulls(self.frame, ("user_id", "action", "time"))
        if not self.frame["time"].is_sorted():
            object.__setattr__(self, "frame", self.frame.sort("time", maintain_order=True))

    def __len__(self) -> int:
        return self.frame.height

    def fingerprint(self) -> str:
        """A hash of the contents, as for `Products`."""
        return fingerprint(self.frame)

    def before(self, moment: datetime) -> Events:
        """The events up to a moment, itself included."""
        return Events(self.frame.filter(pl.col("time") <= moment))

    @classmethod
    def of(cls, rows: list[dict[str, object]]) -> Events:
        """Build a log from plain dicts; what is missing is null.

        >>> from datetime import datetime
        >>> len(Events.of([{"user_id": "u", "action": "view", "time": datetime(2026, 1, 1), "product_id": "1"}]))
        1
        """
        unknown = sorted({key for row in rows for key in row} - set(EVENT_SCHEMA))
        if unknown:
            raise DataError(f"events: unknown fields {unknown}; an event has {list(EVENT_SCHEMA)}")
        return cls(pl.DataFrame([{**dict.fromkeys(EVENT_SCHEMA), **row} for row in rows], schema=EVENT_SCHEMA))


def product_texts(frame: pl.DataFrame) -> pl.Series:
    """Title and description of each row, a line each."""
    return frame.select(text=pl.concat_str("title", "description", separator="\n").str.strip_chars())["text"]


def fingerprint(frame: pl.DataFrame) -> str:
    """Hash a table's rows, in order: 16 hex digits. Independent of how the table was stored."""
    digest = hashlib.sha256(",".join(frame.columns).encode())
    for part in _slices(frame):
        digest.update(part.write_ndjson().encode())
    return digest.hexdigest()[:16]


def _slices(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for start in range(0, frame.height, _HASHED_ROWS):
        yield frame.slice(start, _HASHED_ROWS)


def _check_schema(frame: pl.DataFrame, schema: pl.Schema, table: str) -> None:
    for name, dtype in schema.items():
        if name not in frame.columns:
            raise DataError(f"{table}: the column {name!r} is missing; there are {frame.columns}")
        if frame.schema[name] != dtype:
            raise DataError(f"{table}, column {name!r}: expected {dtype}, came {frame.schema[name]}")
    extra = [name for name in frame.columns if name not in schema]
    if extra:
        raise DataError(f"{table}: unknown columns {extra}; expected only {list(schema)}")


def _check_numbers(frame: pl.DataFrame) -> None:
    for name, wanted in (("price", "a finite number from 0"), ("stock", "a finite number")):
        wrong = ~frame[name].is_finite() | ((frame[name] < 0) & (name == "price"))
        if wrong.any():
            row = wrong.arg_true()[0]
            raise DataError(f"products, row {row}, {name}: expected {wanted} or null, came {frame[name][row]}")


def _check_no_nulls(frame: pl.DataFrame, columns: tuple[str, ...]) -> None:
    for name in columns:
        if frame[name].null_count():
            row = frame[name].is_null().arg_true()[0]
            raise DataError(f"row {row}, column {name!r}: a value is required, none came")
