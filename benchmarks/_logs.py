"""Logs of what users did, from the benchmarks' data folder, each with its catalogue and the way its end is held out.

The folder is the one in TAGLOOM_DATA, else ../shared/data beside the repository. None of it belongs in the repository.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
from _data import FOLDER

from tagloom.data.tables import EVENT_SCHEMA, Events, Products

_FIRST = pl.datetime(2020, 1, 1, time_zone="UTC").dt.cast_time_unit("us")
_COLOURS = ("product_type", "graphical_appearance", "colour_group", "department", "section", "garment_group")


@dataclass(frozen=True)
class Log:
    """A catalogue and what users did, and how both are measured.

    Args:
        products: with tags.
        events: in order.
        settings: of the Recommender, as far as the data asks for them: how its end is held out, and whether what a user
            has is recommended again. They say nothing of how to learn.
    """

    products: Products
    events: Events
    settings: dict[str, object]


def _amazon(name: str) -> Log:
    """Reviews in order of their day (of one day in the order of the files, by item), at least five of each user.

    A user's last item is test, the one before it valid; ranked are all items but those that the user has.
    """
    items = pl.read_parquet(FOLDER / name / "items.parquet").sort("item")
    tags = "tags" if "tags" in items.columns else "tag_ids"
    rows = [
        {
            "product_id": str(row["item"]),
            "title": row.get("short_text") or "",
            "tags": list(dict.fromkeys(map(str, row[tags]))),
        }
        for row in items.iter_rows(named=True)
    ]
    sequences = pl.read_parquet(FOLDER / name / "sequences.parquet").sort("user").explode("items")
    events = _ordered(sequences.select(user="user", product="items"), "purchase")
    return Log(Products.of(rows), events, {"split": "last", "again": "no"})


def _goodbooks() -> Log:
    """Ratings in their order; the file has no times. The tags are authors."""
    books = pl.read_parquet(FOLDER / "goodbooks" / "books.parquet").sort("book_id")
    rows = [
        {"product_id": str(row["book_id"]), "title": row["title"] or "", "tags": _split(row["authors"])}
        for row in books.iter_rows(named=True)
    ]
    ratings = pl.read_parquet(FOLDER / "goodbooks" / "ratings.parquet")
    events = _ordered(ratings.select(user="user_id", product="book_id", value="rating"), "rate")
    return Log(Products.of(rows), events, {"split": "last", "again": "no"})


def _hm() -> Log:
    """One week of purchases by day; the last day is held out, and what was bought before may be bought again."""
    articles = pl.read_parquet(FOLDER / "hm" / "articles.parquet")
    rows = [
        {
            "product_id": str(row["article_id"]),
            "title": row["name"] or "",
            "description": row["description"] or "",
            "tags": [f"{field}={row[field]}" for field in _COLOURS if row[field]],
        }
        for row in articles.iter_rows(named=True)
    ]
    bought = pl.read_parquet(FOLDER / "hm" / "purchases.parquet").with_columns(
        time=pl.col("t_dat").str.to_datetime(time_unit="us", time_zone="UTC")
    )
    frame = bought.sort("time", maintain_order=True).select(
        user_id=pl.col("customer").cast(pl.String),
        action=pl.lit("purchase").cast(EVENT_SCHEMA["action"]),
        time="time",
        product_id=pl.col("article_id"),
        text=pl.lit(None, pl.String),
        value=pl.lit(None, pl.Float64),
    )
    return Log(Products.of(rows), Events(frame), {"split": "time", "test": 0.12, "valid": 0.13})


def _ordered(rows: pl.DataFrame, action: str) -> Events:
    """Events of `user`, `product` and perhaps `value`, the n-th of each user on the n-th day."""
    value = pl.col("value").cast(pl.Float64) if "value" in rows.columns else pl.lit(None, pl.Float64)
    return Events(
        rows.select(
            user_id=pl.col("user").cast(pl.String),
            action=pl.lit(action).cast(EVENT_SCHEMA["action"]),
            time=_FIRST + pl.duration(days=pl.int_range(pl.len()).over("user")),
            product_id=pl.col("product").cast(pl.String),
            text=pl.lit(None, pl.String),
            value=value,
        )
    )


def _split(authors: str | None) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in (authors or "").split(",") if name.strip()))


LOGS: dict[str, tuple[Callable[[], Log], str]] = {
    "amazon_beauty": (lambda: _amazon("amazon_beauty"), "amazon_beauty/sequences.parquet"),
    "amazon_toys": (lambda: _amazon("amazon_toys"), "amazon_toys/sequences.parquet"),
    "goodbooks": (_goodbooks, "goodbooks/ratings.parquet"),
    "hm": (_hm, "hm/purchases.parquet"),
}


def read_log(name: str) -> Log:
    """One of `LOGS`."""
    return LOGS[name][0]()


def is_there(name: str) -> bool:
    """Whether the log's file lies in the folder."""
    return (FOLDER / LOGS[name][1]).exists()
