"""Cleaning real tags: goodbooks' 34,250 raw shelves before and after, and openbg's attributes that are no tags.

    python benchmarks/tag_cleaning.py [--support 5] [--show 50]

Data: the folder in TAGLOOM_DATA, else ../shared/data beside the repository. Figures go to results/tag_cleaning.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from pathlib import Path
from typing import Any

import polars as pl

from tagloom.config import TagSettings
from tagloom.data.vocabulary.clean import (
    TagCleaning,
    clean_tags,
    default_stop_tags,
    find_identifier_attributes,
    read_word_list,
)

HERE = Path(__file__).parent
DATA = Path(os.environ.get("TAGLOOM_DATA", HERE.parents[1] / "shared" / "data"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--support", type=int, default=5, help="a shelf counts on a book from so many readers up")
    parser.add_argument("--show", type=int, default=50, help="how many of the largest merges to print")
    options = parser.parse_args()
    results = {
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "goodbooks": goodbooks(options.support, options.show),
    }
    results["openbg_items"] = openbg()
    path = HERE / "results" / "tag_cleaning.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", "utf-8")
    print(f"\nFigures: {path}")


def goodbooks(support: int, show: int) -> dict[str, Any]:
    shelves = pl.read_parquet(DATA / "goodbooks" / "book_tags.parquet")
    total = shelves["book_id"].n_unique()
    pairs = shelves.filter(pl.col("count") >= support).select(product_ix=pl.col("book_id").cast(pl.UInt32), raw="tag")
    # Every raw shelf is judged; one that never reaches the support stands on no book.
    counts = shelves.select(raw="tag").unique().join(pairs.group_by("raw").agg(products=pl.len()), on="raw", how="left")
    counts = counts.with_columns(pl.col("products").fill_null(0)).sort("raw")
    settings, stop = TagSettings(), read_word_list(default_stop_tags())
    started = time.perf_counter()
    cleaning = clean_tags(counts, settings, total, pairs=pairs, stop=stop)
    seconds = time.perf_counter() - started
    again = clean_tags(counts, settings, total, pairs=pairs, stop=stop, vocabulary=cleaning.vocabulary)
    show_cleaning(cleaning, counts, show)
    by_reason = cleaning.mapping["reason"].value_counts().sort("count", "reason", descending=[True, False])
    figures = {
        "readers_for_a_shelf_to_count": support,
        "raw": counts.height,
        "tags": len(cleaning.vocabulary),
        "by_reason": dict(by_reason.iter_rows()),
        "placements_before": pairs.height,
        "placements_after": pairs.join(cleaning.mapping, on="raw")
        .drop_nulls("name")
        .select("product_ix", "name")
        .n_unique(),
        "proposals": cleaning.proposals.height,
        "parents": cleaning.parents.height,
        "seconds": round(seconds, 1),
        "twice_is_once": again.mapping.equals(cleaning.mapping) and again.vocabulary == cleaning.vocabulary,
        "none_vanished": sorted(cleaning.mapping["raw"]) == sorted(counts["raw"]),
    }
    print(json.dumps(figures, indent=2))
    return figures


def show_cleaning(cleaning: TagCleaning, counts: pl.DataFrame, show: int) -> None:
    print(f"\nThe {show} largest merges: name, products, what was merged into it")
    for name, variants, products in cleaning.merges.select("name", "variants", "products").head(show).iter_rows():
        print(f"  {name:<28} {products:>6}  {', '.join(variants)}")
    draw = random.Random(0)
    for (reason,), rows in cleaning.mapping.join(counts, on="raw").sort("raw").group_by("reason", maintain_order=True):
        if str(reason).startswith("dropped"):
            names = rows["raw"].to_list()
            print(f"\n{reason}, {len(names)}, 60 at random:\n  {', '.join(draw.sample(names, min(60, len(names))))}")
    typos = cleaning.mapping.filter(pl.col("reason") == "merged: typo").join(counts, on="raw")
    print("\nTyping errors: " + ", ".join(f"{raw} > {name}" for raw, name in typos.select("raw", "name").iter_rows()))
    with pl.Config(tbl_rows=30, fmt_str_lengths=50, tbl_width_chars=120, tbl_hide_dataframe_shape=True):
        print("\nNear-synonyms proposed", cleaning.proposals.height, cleaning.proposals.head(30), sep="\n")
        print("\nImplied parents", cleaning.parents.height, cleaning.parents.head(30), sep="\n")


def openbg() -> dict[str, Any]:
    items = pl.read_parquet(DATA / "zh" / "openbg_items.parquet").with_row_index("product_ix")
    rows = items.explode("attributes", empty_as_null=False).unnest("attributes")
    started = time.perf_counter()
    table = find_identifier_attributes(rows.select("product_ix", "name", "value", text="title"))
    seconds = time.perf_counter() - started
    found = table.filter("is_identifier")
    with pl.Config(tbl_rows=-1, fmt_str_lengths=60, tbl_width_chars=140, tbl_hide_dataframe_shape=True):
        print("\nAttributes that are no tags", found.drop("is_identifier"), sep="\n")
        print(
            "\nThe most frequent of the others",
            table.filter(~pl.col("is_identifier")).head(40).drop("is_identifier", "why"),
            sep="\n",
        )
    figures = {
        "items": items.height,
        "attributes": table.height,
        "attributes_on_5_items": table.filter(pl.col("products") >= 5).height,
        "identifiers": found.height,
        "by_why": dict(found["why"].value_counts().sort("why").iter_rows()),
        "rows": rows.height,
        "rows_dropped": rows.join(found, on="name", how="semi").height,
        "seconds": round(seconds, 2),
    }
    print(json.dumps(figures, ensure_ascii=False, indent=2))
    return figures


if __name__ == "__main__":
    main()
