"""What is dirty in a catalogue: texts, tags before and after cleaning, events; as tables and as a page with plots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tagloom.data.tables import Events, Products
from tagloom.files import write_text
from tagloom.measure.page import Plot, bars, histogram, page

if TYPE_CHECKING:
    from tagloom.data.vocabulary.standard import Standard

_MOST_ROWS = 200
_EXAMPLES = 3
_CODES = "dropped: identifier attribute"


@dataclass(frozen=True)
class Part:
    """One finding: a title, what it means, and a table."""

    title: str
    meaning: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    plot: Plot | None = None


@dataclass(frozen=True)
class CatalogueCheck:
    """All findings, in the order in which a person would look at them."""

    parts: list[Part]

    def as_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Every table as a list of rows by column name."""
        return {part.title: [dict(zip(part.columns, row, strict=True)) for row in part.rows] for part in self.parts}


def check_catalogue(raw: Products, clean: Products, events: Events, standard: Standard) -> CatalogueCheck:
    """Look at a whole catalogue.

    Args:
        raw: products with tags as they were imported.
        clean: the same products with clean tags.
        events: users' behaviour.
        standard: what cleaning found.
    """
    parts = [
        _gaps(raw.frame, clean.frame),
        _repeats(raw.frame),
        _lengths(raw),
        _reasons(standard),
        _tag_counts(clean.frame),
        _merges(standard),
        _proposals(standard),
        _parents(standard),
        _identifiers(standard),
        _actions(raw.frame, events.frame),
    ]
    return CatalogueCheck(parts)


def write_html(check: CatalogueCheck, path: Path) -> None:
    """Write the findings as one page that needs nothing else to be read."""
    shown = [part for part in check.parts if part.rows]
    sections = [(part.title, part.meaning, part.columns, part.rows[:_MOST_ROWS], part.plot) for part in shown]
    write_text(path, page("What is in this catalogue", sections))


def _gaps(raw: pl.DataFrame, clean: pl.DataFrame) -> Part:
    lists = ("category", "attributes", "tags")
    missing = {
        "title": raw["title"] == "",
        "description": raw["description"] == "",
        **{name: raw[name].list.len() == 0 for name in lists},
        "tags after cleaning": clean["tags"].list.len() == 0,
        "image": raw["image"].is_null(),
    }
    counts = {name: int(gone.sum()) for name, gone in missing.items()}
    rows = [(name, count, f"{count / max(raw.height, 1):.1%}") for name, count in counts.items()]
    meaning = f"Of {raw.height:,} products."
    return Part("Products with something missing", meaning, ("missing", "products", "share"), rows)


def _repeats(raw: pl.DataFrame) -> Part:
    text = pl.when(pl.col("description") != "").then("description").otherwise("title")
    repeated = (
        raw.group_by(text.alias("text"))
        .agg(products=pl.len(), ids=pl.col("product_id").head(_EXAMPLES))
        .filter((pl.col("products") > 1) & (pl.col("text") != ""))
        .sort("products", "text", descending=[True, False])
    )
    rows = [(count, ", ".join(ids), _short(text)) for text, count, ids in repeated.head(_MOST_ROWS).iter_rows()]
    meaning = "Variants of one product usually. They stay together when products are divided into train and test."
    return Part("Texts that several products share", meaning, ("products", "for example", "text"), rows)


def _lengths(raw: Products) -> Part:
    lengths = raw.texts.str.len_chars()
    points = {"shortest": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "longest": 1.0}
    rows = [(name, int(lengths.quantile(point) or 0)) for name, point in points.items()] if len(lengths) else []
    shown = lengths.clip(upper_bound=int(lengths.quantile(0.99) or 1)).to_list()
    plot = histogram(shown, "characters in title and description", "products")
    return Part("Length of the texts", "Very short texts carry few tags.", ("", "characters"), rows, plot)


def _reasons(standard: Standard) -> Part:
    found = (
        standard.cleaning.mapping.group_by("reason")
        .agg(tags=pl.len(), examples=pl.col("raw").head(_EXAMPLES))
        .sort("tags", descending=True)
    )
    rows = [(reason, tags, " · ".join(_short(raw, 24) for raw in some)) for reason, tags, some in found.iter_rows()]
    codes = standard.identifiers.filter("is_identifier")
    values = int(codes["distinct"].sum())
    if values:
        names = " · ".join(f"{name}=…" for name in codes["name"].head(_EXAMPLES))
        kept = [row for row in rows if row[0] != _CODES]
        rows = sorted([*kept, (_CODES, values, names)], key=lambda row: -row[1])
    after = standard.cleaning.mapping["name"].drop_nulls().n_unique()
    plot = bars([row[0] for row in rows], [row[1] for row in rows], "raw tags")
    meaning = f"{sum(row[1] for row in rows):,} raw tags became {after:,} tags."
    return Part("What became of the raw tags", meaning, ("reason", "raw tags", "examples"), rows, plot)


def _tag_counts(clean: pl.DataFrame) -> Part:
    counts = clean.select(pl.col("tags").explode()).drop_nulls()["tags"].value_counts(sort=True)
    rows = [(name, int(count)) for name, count in counts.head(_MOST_ROWS).iter_rows()]
    plot = bars([row[0] for row in rows[:20]], [row[1] for row in rows[:20]], "products")
    return Part("Most frequent tags after cleaning", f"{counts.height:,} tags in all.", ("tag", "products"), rows, plot)


def _merges(standard: Standard) -> Part:
    table = standard.cleaning.merges.head(_MOST_ROWS)
    rows = [(row["name"], row["products"], " · ".join(row["variants"][:12])) for row in table.to_dicts()]
    meaning = (
        "Look here first. A wrong one is taken back with `tagloom tags undo SHOP NUMBER`;"
        " `tagloom tags history SHOP --like TAG` has the numbers."
    )
    return Part("Largest merges", meaning, ("tag", "products", "written as"), rows)


def _proposals(standard: Standard) -> Part:
    table = standard.cleaning.proposals.head(_MOST_ROWS)
    rows = [(row["a"], row["b"], round(float(row["score"]), 2), row["why"]) for row in table.to_dicts()]
    meaning = (
        "Never merged by themselves. If two are one: `tagloom tags merge SHOP A B`, or a line in the synonym file."
    )
    return Part("Tags that may mean the same", meaning, ("tag", "and", "score", "why"), rows)


def _parents(standard: Standard) -> Part:
    table = standard.cleaning.parents.head(_MOST_ROWS)
    rows = [
        (row["child"], row["parent"], round(float(row["confidence"]), 3), row["support"]) for row in table.to_dicts()
    ]
    meaning = "Nearly all products with the tag also have its parent."
    return Part("Implied parents", meaning, ("tag", "parent", "share", "products"), rows)


def _identifiers(standard: Standard) -> Part:
    table = standard.identifiers.filter("is_identifier")
    rows = [(row["name"], row["products"], row["distinct"], row["why"]) for row in table.to_dicts()]
    meaning = "Their values tell products apart instead of describing them, so they are no tags."
    return Part("Attributes that are no tags", meaning, ("attribute", "products", "values", "why"), rows)


def _actions(raw: pl.DataFrame, events: pl.DataFrame) -> Part:
    known = events.join(raw.select("product_id"), on="product_id", how="semi").height
    counts = events.group_by("action").agg(pl.len(), users=pl.col("user_id").n_unique()).sort("len", descending=True)
    rows = [(str(action), count, users) for action, count, users in counts.iter_rows()]
    stray = events["product_id"].drop_nulls().len() - known
    meaning = f"{events['user_id'].n_unique():,} users; {stray:,} events name products that are not in the catalogue."
    plot = bars([row[0] for row in rows], [row[1] for row in rows], "events") if rows else None
    return Part("Events", meaning, ("action", "events", "users"), rows, plot)


def _short(text: str, most: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
