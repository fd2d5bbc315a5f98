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

from tagloom.data.tables import Products

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


CATALOGUES: dict[str, tuple[Callable[[], Catalogue], str]] = {
    "advertisegen": (_advertisegen, "zh/advertisegen_train.parquet"),
    "hm": (_hm, "hm/articles.parquet"),
}


def is_there(name: str) -> bool:
    """Whether the catalogue's file lies in the folder."""
    return (FOLDER / CATALOGUES[name][1]).exists()


def read_catalogue(name: str) -> Catalogue:
    """One of `CATALOGUES`."""
    return CATALOGUES[name][0]()
