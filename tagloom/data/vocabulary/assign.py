"""The vocabulary's merges and splits carried out on products, a column at a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary


def assigned(vocabulary: Vocabulary, frame: pl.DataFrame) -> pl.DataFrame:
    """Replace the products' tags by the live names that stand for them; see `Vocabulary.apply`."""
    rows = frame.select(row=pl.int_range(pl.len(), dtype=pl.UInt32), name="tags")
    rows = rows.explode("name", empty_as_null=False).drop_nulls()
    names = rows["name"].unique().to_list()
    found = [vocabulary.find(name) for name in names]
    ids = pl.DataFrame(
        {"name": names, "tag": [None if tag is None else tag.id for tag in found]},
        schema={"name": pl.String, "tag": pl.Int64},
    )
    rows = rows.join(ids, on="name", maintain_order="left").select("row", "tag").drop_nulls()
    for whole, parts in vocabulary.splits:
        rows = _divided(rows, frame, whole, parts)
    shown = pl.DataFrame(
        {"tag": [tag.id for tag in vocabulary.tags], "name": [tag.name for tag in vocabulary.tags]},
        schema={"tag": pl.Int64, "name": pl.String},
    )
    rows = rows.unique(maintain_order=True).join(shown, on="tag", maintain_order="left")
    lists = rows.group_by("row", maintain_order=True).agg(tags="name")
    order = frame.drop("tags").with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    joined = order.join(lists, on="row", how="left", maintain_order="left")
    return joined.with_columns(pl.col("tags").fill_null([])).select(frame.columns)


def _divided(
    rows: pl.DataFrame, frame: pl.DataFrame, whole: int, parts: tuple[tuple[int, tuple[str, ...]], ...]
) -> pl.DataFrame:
    holders = rows.filter(pl.col("tag") == whole)["row"].unique(maintain_order=True)
    text = frame[holders].select(
        text=pl.concat_str("title", "description", pl.col("category").list.join("\n"), separator="\n")
        .str.normalize("NFKC")
        .str.to_lowercase()
    )["text"]
    claimed = [
        pl.DataFrame({"row": holders.filter(text.str.contains(_pattern(words))), "tag": part}, schema=rows.schema)
        for part, words in parts
    ]
    gained = pl.concat(claimed)
    kept = rows.join(gained.select("row").unique().with_columns(tag=whole), on=["row", "tag"], how="anti")
    return pl.concat([kept, gained])


def _pattern(words: tuple[str, ...]) -> str:
    # Latin words claim whole words only ("pen" is not in "open"); Chinese has no blanks to go by.
    return "|".join(
        rf"(?:^|[^a-z0-9]){re.escape(word)}(?:[^a-z0-9]|$)" if word.isascii() else re.escape(word) for word in words
    )
