"""Tagged catalogues from the benchmarks' data folder, divided into train, valid and test.

The folder is the one in TAGLOOM_DATA, else ../shared/data beside the repository. None of it belongs in the repository.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tagloom.config import TagSettings
from tagloom.data.split import take
from tagloom.data.tables import Products
from tagloom.data.vocabulary.clean import clean_tags, default_stop_tags, read_word_list

FOLDER = Path(os.environ.get("TAGLOOM_DATA", Path(__file__).parents[2] / "shared" / "data"))

_HM_FIELDS = (
    "product_type",
    "product_group",
    "graphical_appearance",
    "colour_group",
    "perceived_colour_master",
    "perceived_colour_value",
    "department",
    "index",
    "section",
    "garment_group",
)
_VALID_ROWS = 500
_VALID_SEED = 0
_READERS = 5
_BOOKS_SEED = 0


@dataclass(frozen=True)
class Catalogue:
    """Products with tags, in three parts, and the language their words are cut by (`zh` or `en`)."""

    language: str
    train: Products
    valid: Products
    test: Products


def _hm() -> Catalogue:
    """Fashion articles in English; the parts as given: colour variants of one product stand in one part."""
    table = pl.read_parquet(FOLDER / "hm" / "articles.parquet")
    parts: dict[str, list[dict[str, object]]] = {"train": [], "valid": [], "test": []}
    for row in table.iter_rows(named=True):
        product = {
            "product_id": str(row["article_id"]),
            "title": row["name"] or "",
            "description": row["description"] or "",
            "tags": [f"{field}={row[field]}" for field in _HM_FIELDS if row[field]],
        }
        parts[row["split"]].append(product)
    return Catalogue("en", *(Products.of(parts[part]) for part in ("train", "valid", "test")))


def _advertisegen() -> Catalogue:
    """Advertising texts for clothes, Chinese; valid is drawn from the training file, test is the official dev file."""
    train, test = (_advertising(FOLDER / "zh" / f"advertisegen_{part}.parquet") for part in ("train", "dev"))
    order = np.random.default_rng(_VALID_SEED).permutation(len(train))
    valid = set(order[:_VALID_ROWS].tolist())
    return Catalogue(
        "zh",
        Products.of([row for ix, row in enumerate(train) if ix not in valid]),
        Products.of([train[ix] for ix in sorted(valid)]),
        Products.of(test),
    )


def _advertising(path: Path) -> list[dict[str, object]]:
    table = pl.read_parquet(path, columns=["content", "summary"])
    return [
        {
            "product_id": str(ix),
            "description": summary.replace("<UNK>", ""),
            "tags": list(dict.fromkeys(pair.replace("#", "=") for pair in content.split("*"))),
        }
        for ix, (content, summary) in enumerate(table.iter_rows())
    ]


def _goodbooks() -> Catalogue:
    """Title and author of books, and the shelves that readers put them on, cleaned as a shop's tags are.

    The large vocabulary: several thousand tags, fifty on a book. A shelf counts on a book from five readers on. A tenth
    of the books each is drawn for valid and test.
    """
    shelves = pl.read_parquet(FOLDER / "goodbooks" / "book_tags.parquet").filter(pl.col("count") >= _READERS)
    pairs = shelves.select(product_ix=pl.col("book_id").cast(pl.UInt32), raw="tag")
    counts = pairs.group_by("raw").agg(products=pl.len()).sort("raw")
    books = pl.read_parquet(FOLDER / "goodbooks" / "books.parquet", columns=["book_id", "title", "authors"])
    stop = read_word_list(default_stop_tags())
    mapping = clean_tags(counts, TagSettings(), books.height, pairs=pairs, stop=stop).mapping
    placed = pairs.join(mapping.drop_nulls("name"), on="raw").unique(["product_ix", "name"])
    tags = placed.group_by(book_id=pl.col("product_ix").cast(pl.Int64)).agg(tags=pl.col("name").sort())
    rows = books.join(tags, on="book_id").sort("book_id")
    products = Products.of(
        [
            {"product_id": str(book), "title": title or "", "description": authors or "", "tags": shelved}
            for book, title, authors, shelved in rows.iter_rows()
        ]
    )
    order = np.random.default_rng(_BOOKS_SEED).permutation(len(products))
    tenth = len(products) // 10
    test, valid, train = (np.sort(part) for part in np.split(order, [tenth, 2 * tenth]))
    return Catalogue("en", take(products, train), take(products, valid), take(products, test))


CATALOGUES: dict[str, tuple[Callable[[], Catalogue], str]] = {
    "advertisegen": (_advertisegen, "zh/advertisegen_train.parquet"),
    "hm": (_hm, "hm/articles.parquet"),
    "goodbooks": (_goodbooks, "goodbooks/book_tags.parquet"),
}


def is_there(name: str) -> bool:
    """Whether the catalogue's file lies in the folder."""
    return (FOLDER / CATALOGUES[name][1]).exists()


def read_catalogue(name: str, rows: int | None = None) -> Catalogue:
    """One of `CATALOGUES`; with `rows` at most so many drawn products of each part, for a trial."""
    catalogue = CATALOGUES[name][0]()
    if rows is None:
        return catalogue
    parts = (_drawn(part, rows) for part in (catalogue.train, catalogue.valid, catalogue.test))
    return Catalogue(catalogue.language, *parts)


def _drawn(products: Products, rows: int) -> Products:
    if rows >= len(products):
        return products
    return take(products, np.sort(np.random.default_rng(0).choice(len(products), rows, replace=False)))
