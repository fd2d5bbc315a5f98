"""Dirty tags in, standard ones out; every raw tag is accounted for with a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

import polars as pl

from tagloom.config import TagSettings
from tagloom.data.vocabulary.identifiers import find_identifier_attributes
from tagloom.data.vocabulary.lists import default_stop_tags, read_synonyms, read_word_list
from tagloom.data.vocabulary.merge import spelling_key
from tagloom.data.vocabulary.normal import attribute_of, display_form, normal_form
from tagloom.data.vocabulary.propose import find_parents, near_synonyms
from tagloom.data.vocabulary.roots import find_roots
from tagloom.data.vocabulary.shapes import dropped_for, stop_keys
from tagloom.data.vocabulary.usage import Usage
from tagloom.data.vocabulary.vocab import BY_CLEANING, Vocabulary

__all__ = [
    "TagCleaning",
    "attribute_of",
    "clean_tags",
    "default_stop_tags",
    "display_form",
    "find_identifier_attributes",
    "normal_form",
    "read_synonyms",
    "read_word_list",
]


@dataclass(frozen=True)
class TagCleaning:
    """What became of every raw tag, and what a person should look at.

    Attributes:
        mapping: `raw`, `name` (null if dropped), `reason`; every raw tag exactly once.
        proposals: `a` (the rarer), `b`, `score`, `why`: near-synonyms and doubtful spellings; none is carried out.
        parents: `child`, `parent`, `confidence`, `support`: implied parents.
        merges: `name`, `variants`, `products`, `reasons`: what became one tag, the largest first.
        vocabulary: the vocabulary with the new names, aliases and parents; old ids as they were.
    """

    mapping: pl.DataFrame
    proposals: pl.DataFrame
    parents: pl.DataFrame
    merges: pl.DataFrame
    vocabulary: Vocabulary


def clean_tags(
    counts: pl.DataFrame,
    settings: TagSettings,
    total_products: int,
    *,
    pairs: pl.DataFrame | None = None,
    synonyms: Mapping[str, str] | None = None,
    stop: Set[str] = frozenset(),
    identifiers: Set[str] = frozenset(),
    vocabulary: Vocabulary | None = None,
) -> TagCleaning:
    """Clean a catalogue's tags; cleaning the result again changes nothing.

    Args:
        counts: `raw`, `products`: each raw tag once, with the number of products that carry it.
        settings: the limits.
        total_products: products in the catalogue.
        pairs: `product_ix`, `raw`; with it counts of merged tags are exact, merges are checked against use, and
            parents and near-synonyms are found.
        synonyms: alias -> name, as `read_synonyms` gives it.
        stop: tags that are never wanted, as `read_word_list` gives them.
        identifiers: names of attributes that are no tags, as `find_identifier_attributes` finds them.
        vocabulary: the tags as they are; its names and aliases win over everything found here.

    Returns:
        The cleaning; nothing of it is written anywhere.
    """
    vocabulary = _with_synonyms(vocabulary or Vocabulary(), synonyms or {})
    forms = _forms(counts)
    anchors = _anchors(forms, vocabulary, synonyms or {})
    reasons = _reasons(
        forms, anchors, settings, stop_keys(stop), {normal_form(name) for name in identifiers}, vocabulary
    )
    usable = {raw: form for raw, (_, form, _) in forms.items() if form not in reasons}
    usage = None if pairs is None else Usage.of(pairs, usable, total_products)
    roots, doubtful = find_roots(_weights(forms, usable, usage), anchors, usage, vocabulary, settings)
    rooted = {raw: roots.get(form, form) for raw, form in usable.items()}
    usage = None if pairs is None else Usage.of(pairs, rooted, total_products)
    weights = _weights(forms, rooted, usage)
    names = _names(forms, rooted, vocabulary, synonyms or {})
    dropped = {root: reason for root, weight in weights.items() if (reason := _out(weight, total_products, settings))}
    mapping = _mapping(forms, reasons, rooted, dropped, names, synonyms or {}, vocabulary)
    kept = {root: name for root, name in names.items() if root not in dropped}
    parents = find_parents(usage, kept, settings)
    proposals = near_synonyms(usage, weights, kept, doubtful)
    updated = _updated(vocabulary, mapping, weights, kept, parents)
    return TagCleaning(mapping, proposals, parents, _merge_table(mapping, counts, kept, weights), updated)


# raw -> (display form, normal form, products)
_Forms = dict[str, tuple[str, str, int]]


def _forms(counts: pl.DataFrame) -> _Forms:
    rows = counts.group_by(pl.col("raw").fill_null(""), maintain_order=True).agg(pl.col("products").sum())
    return {raw: (display_form(raw), normal_form(raw), products) for raw, products in rows.iter_rows()}


def _with_synonyms(vocabulary: Vocabulary, synonyms: Mapping[str, str]) -> Vocabulary:
    # The file is a person's decision too: tags that it calls one become one, with the old ids still leading there.
    for alias, name in synonyms.items():
        one, other = vocabulary.find(alias), vocabulary.find(name)
        if one is None or one == other:
            continue
        if other is None:
            if not vocabulary.by_hand(alias):
                vocabulary = vocabulary.rename(one.id, name)
        elif not vocabulary.refused(one.name, other.id):
            vocabulary = vocabulary.merge(one.id, other.id)
    return vocabulary


def _anchors(forms: _Forms, vocabulary: Vocabulary, synonyms: Mapping[str, str]) -> dict[str, str]:
    """Where the vocabulary and the synonym file put a normal form; spelled otherwise counts for synonyms too."""
    by_key = {spelling_key(normal_form(alias)): normal_form(name) for alias, name in synonyms.items()}
    by_key |= {spelling_key(normal_form(name)): normal_form(name) for name in synonyms.values()}
    anchors: dict[str, str] = {}
    for form in {form for _, form, _ in forms.values() if form}:
        tag = vocabulary.find(form)
        if tag is not None:
            anchors[form] = normal_form(tag.name)
        elif (key := spelling_key(form)) in by_key:
            target = vocabulary.find(by_key[key])
            anchors[form] = by_key[key] if target is None else normal_form(target.name)
    anchors.update({root: root for root in list(anchors.values())})
    return anchors


def _reasons(
    forms: _Forms,
    anchors: Mapping[str, str],
    settings: TagSettings,
    stop: Set[str],
    identifiers: Set[str],
    vocabulary: Vocabulary,
) -> dict[str, str]:
    """Normal form -> why it is dropped, for those that are, whatever their counts."""
    reasons: dict[str, str] = {}
    for shown, form, _ in forms.values():
        if form in reasons:
            continue
        reason = dropped_for(shown, form, settings, stop) if form else "dropped: empty"
        if attribute_of(form) in identifiers and attribute_of(form):
            reason = "dropped: identifier attribute"
        # What a person named, or a synonym file, is wanted, whatever it looks like; the stop list is a person's too.
        wanted = form in anchors and vocabulary.by_hand(form)
        if reason and not (wanted and reason not in ("dropped: stop-tag", "dropped: empty")):
            reasons[form] = reason
    return reasons


def _weights(forms: _Forms, place: Mapping[str, str], usage: Usage | None) -> dict[str, int]:
    weights: dict[str, int] = defaultdict(int)
    for raw, name in place.items():
        weights[name] += forms[raw][2]
    # Counted products are exact; a sum counts a product twice that has two spellings of one tag.
    return dict(weights) if usage is None else {**weights, **usage.products}


def _names(
    forms: _Forms, rooted: Mapping[str, str], vocabulary: Vocabulary, synonyms: Mapping[str, str]
) -> dict[str, str]:
    """Root -> the name to show: the vocabulary's, the synonym file's, else the most frequent way of writing it."""
    written: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for shown, form, products in forms.values():
        written[form][shown] += products
    from_file = {normal_form(name): display_form(name) for name in synonyms.values()}
    names = {}
    for root in set(rooted.values()):
        tag = vocabulary.find(root)
        common = max(written[root].items(), key=lambda item: (item[1], item[0]), default=(root, 0))[0]
        names[root] = tag.name if tag is not None else from_file.get(root, common)
    return names


def _out(weight: int, total: int, settings: TagSettings) -> str:
    if weight < settings.min_support:
        return "dropped: rare"
    return "dropped: on every product" if weight > settings.max_share * total else ""


def _mapping(
    forms: _Forms,
    reasons: Mapping[str, str],
    rooted: Mapping[str, str],
    dropped: Mapping[str, str],
    names: Mapping[str, str],
    synonyms: Mapping[str, str],
    vocabulary: Vocabulary,
) -> pl.DataFrame:
    aliases = {spelling_key(normal_form(alias)) for alias in synonyms}
    rows: list[tuple[str, str | None, str]] = []
    for raw, (_, form, _) in forms.items():
        if form in reasons:
            rows.append((raw, None, reasons[form]))
        elif rooted[raw] in dropped:
            rows.append((raw, None, dropped[rooted[raw]]))
        else:
            name = names[rooted[raw]]
            rows.append((raw, name, _why(raw, form, name, aliases, vocabulary)))
    return pl.DataFrame(rows, schema={"raw": pl.String, "name": pl.String, "reason": pl.String}, orient="row")


def _why(raw: str, form: str, name: str, aliases: Set[str], vocabulary: Vocabulary) -> str:
    if raw == name:
        return "kept"
    target = normal_form(name)
    if form == target:
        return "normalised"
    if spelling_key(form) in aliases:
        return "merged: synonym"
    if spelling_key(form) == spelling_key(target):
        return "merged: spelling"
    return "merged: by hand" if vocabulary.by_hand(form) else "merged: typo"


def _updated(
    vocabulary: Vocabulary,
    mapping: pl.DataFrame,
    weights: Mapping[str, int],
    kept: Mapping[str, str],
    parents: pl.DataFrame,
) -> Vocabulary:
    ordered = sorted(kept, key=lambda root: (-weights[root], root))
    vocabulary = vocabulary.add((kept[root] for root in ordered), by=BY_CLEANING)
    merged = mapping.filter(pl.col("reason").str.starts_with("merged"))
    aliases = dict(zip(merged["raw"], merged["name"], strict=True))
    return vocabulary.with_found(aliases, dict(zip(parents["child"], parents["parent"], strict=True)))


def _merge_table(
    mapping: pl.DataFrame, counts: pl.DataFrame, kept: Mapping[str, str], weights: Mapping[str, int]
) -> pl.DataFrame:
    totals = pl.DataFrame(
        {"name": list(kept.values()), "products": [weights[root] for root in kept]},
        schema={"name": pl.String, "products": pl.Int64},
    )
    merged = mapping.filter(pl.col("name").is_not_null() & (pl.col("raw") != pl.col("name")))
    raw_counts = counts.select(pl.col("raw").fill_null(""), count="products")
    return (
        merged.join(raw_counts, on="raw", how="left")
        .sort("count", "raw", descending=[True, False])
        .group_by("name", maintain_order=True)
        .agg(variants="raw", moved=pl.col("count").sum(), reasons=pl.col("reason").unique().sort())
        .join(totals, on="name")
        .sort("moved", "name", descending=[True, False])
    )
