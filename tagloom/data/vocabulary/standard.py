"""A whole catalogue's tags made standard: raw tags gathered, cleaned, and put back on the products."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import polars as pl

from tagloom.config import TagSettings
from tagloom.data.tables import Products, product_texts
from tagloom.data.vocabulary.clean import TagCleaning, clean_tags
from tagloom.data.vocabulary.identifiers import find_identifier_attributes
from tagloom.data.vocabulary.lists import UserLists
from tagloom.data.vocabulary.normal import attribute_of, normal_form
from tagloom.data.vocabulary.vocab import Vocabulary

_SAMPLED = 100_000
_AT_ONCE = 50_000


@dataclass(frozen=True)
class Standard:
    """What cleaning a catalogue found: the tags, and which attributes are no tags and why.

    The values of attributes that are no tags are counted in `identifiers` and do not stand in `cleaning.mapping`.
    """

    cleaning: TagCleaning
    identifiers: pl.DataFrame


def raw_tags(products: Products, settings: TagSettings, without: Set[str] = frozenset()) -> pl.DataFrame:
    """Everything on the products that may become a tag: `product_ix`, `raw`, one row each.

    Args:
        products: the catalogue.
        settings: which columns become tags.
        without: attributes to leave out.
    """
    return pl.concat(_raw_slices(products.frame, settings, without))


def standardise(products: Products, settings: TagSettings, lists: UserLists, vocabulary: Vocabulary) -> Standard:
    """Clean the tags of a catalogue.

    Args:
        products: the catalogue with tags as they were imported.
        settings: `[tags]` of tagloom.toml.
        lists: the user's synonyms and stop tags.
        vocabulary: the tags so far; ids and a person's decisions stay.
    """
    # Enough products to tell what an attribute is; the choice is the same every time.
    sample = products.frame.sample(min(_SAMPLED, len(products)), seed=0)
    sample = sample.with_columns(product_ix=pl.int_range(pl.len(), dtype=pl.UInt32), text=product_texts(sample))
    identifiers = find_identifier_attributes(_attributes(sample))
    names = set(identifiers.filter("is_identifier")["name"])
    # A million article numbers need not be looked at one by one, unless a person gave one of them a name.
    wanted = {normal_form(attribute_of(tag.name)) for tag in vocabulary.tags if vocabulary.by_hand(tag.name)}
    pairs = raw_tags(products, settings, {name for name in names if normal_form(name) not in wanted})
    cleaning = clean_tags(
        pairs.group_by("raw", maintain_order=True).agg(products=pl.len()),
        settings,
        len(products),
        pairs=pairs,
        synonyms=lists.synonyms,
        stop=lists.stop,
        identifiers=names,
        vocabulary=vocabulary,
    )
    return Standard(cleaning, identifiers)


def with_standard_tags(
    products: Products, settings: TagSettings, mapping: pl.DataFrame, vocabulary: Vocabulary
) -> Products:
    """The products with clean tags: mapped, the vocabulary's merges and splits carried out, parents set by hand added.

    Args:
        products: tags as they were imported.
        settings: as they were cleaned with.
        mapping: `raw`, `name`, as `TagCleaning.mapping`.
        vocabulary: the names of today.
    """
    names = mapping.select("raw", "name").drop_nulls()
    slices = _raw_slices(products.frame, settings, frozenset())
    named = pl.concat([rows.join(names, on="raw", maintain_order="left") for rows in slices])
    lists = named.group_by("product_ix", maintain_order=True).agg(tags=pl.col("name"))
    order = products.frame.drop("tags").with_columns(product_ix=pl.int_range(pl.len(), dtype=pl.UInt32))
    frame = order.join(lists, on="product_ix", how="left", maintain_order="left")
    frame = frame.with_columns(pl.col("tags").fill_null([])).select(products.frame.columns)
    return Products(_with_parents(vocabulary.apply(frame), vocabulary))


def _raw_slices(frame: pl.DataFrame, settings: TagSettings, without: Set[str]) -> Iterator[pl.DataFrame]:
    """`product_ix` and `raw` of some products at a time: lists laid out in rows take many times their room."""
    numbered = frame.with_columns(product_ix=pl.int_range(pl.len(), dtype=pl.UInt32))
    text = pl.when(pl.col("name") == "").then("value").otherwise(pl.concat_str("name", "value", separator="="))
    for start in range(0, max(frame.height, 1), _AT_ONCE):
        rows = numbered.slice(start, _AT_ONCE)
        sources = [_exploded(rows, "tags").rename({"tags": "raw"})]
        if settings.from_attributes:
            named = _attributes(rows).filter(~pl.col("name").is_in(list(without)))
            sources.append(named.select("product_ix", raw=text))
        if settings.from_category:
            sources.append(_exploded(rows, "category").rename({"category": "raw"}))
        yield pl.concat(sources).unique(maintain_order=True)


def _with_parents(frame: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    """Add the parents that a person set; those found by counting hold for most products only and are not added."""
    above = {
        tag.name: [vocabulary.tag(parent).name for parent in vocabulary.ancestors(tag.id)]
        for tag in vocabulary.tags
        if tag.parent is not None and vocabulary.parent_by_hand(tag.id)
    }
    if not above:
        return frame
    table = pl.DataFrame({"tags": list(above), "above": list(above.values())})
    rows = frame.select("tags").with_row_index("row").explode("tags", empty_as_null=False).join(table, on="tags")
    added = rows.explode("above").group_by("row", maintain_order=True).agg(added=pl.col("above"))
    return (
        frame.with_row_index("row")
        .join(added, on="row", how="left", maintain_order="left")
        .with_columns(tags=pl.col("tags").list.concat(pl.col("added").fill_null([])).list.unique(maintain_order=True))
        .select(frame.columns)
    )


def _exploded(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    return frame.select("product_ix", column).explode(column, empty_as_null=False).drop_nulls()


def _attributes(frame: pl.DataFrame) -> pl.DataFrame:
    kept = [name for name in ("product_ix", "text") if name in frame.columns]
    return (
        frame.select(*kept, "attributes")
        .explode("attributes", empty_as_null=False)
        .drop_nulls("attributes")
        .unnest("attributes")
    )
