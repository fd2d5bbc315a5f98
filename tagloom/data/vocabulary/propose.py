"""What only a person should decide, prepared from use: near-synonyms and implied parents."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import polars as pl

from tagloom.config import TagSettings
from tagloom.data.vocabulary.merge import spelling_key
from tagloom.data.vocabulary.normal import attribute_of, has_han
from tagloom.data.vocabulary.usage import Usage

_PARENTS = {"child": pl.String, "parent": pl.String, "confidence": pl.Float64, "support": pl.Int64}
_PROPOSALS = {"a": pl.String, "b": pl.String, "score": pl.Float64, "why": pl.String}
# A tag that half of the products carry is implied by everything: parents must be told apart from that.
_LIFT = 2.0
_CHILD_PRODUCTS = 5
# A child nearly as frequent as its parent is rather another word for it.
_NARROWER = 0.7
# So unlikely must it be, as a negative logarithm, that all of a child's products carry the parent by chance.
_SURPRISE = 15.0
_TOLERANCE = 0.01
_SAME_PRODUCTS = 0.5
_SAME_COMPANY = 0.5
_COMMON_PRODUCTS = 10
_BEYOND_CHANCE = 0.4
_SELDOM = 0.2
_OTHER_ORDER = "the same words but for order and articles"
_MOST_TAGS = 20_000
_BAND = 500
# Pairs that share less of the rarer one's products are nobody's parent or synonym.
_LEAST_SHARE = 0.5


def find_parents(usage: Usage | None, kept: Mapping[str, str], settings: TagSettings) -> pl.DataFrame:
    """Find the tags that nearly always come with a wider one: association rules (Agrawal and others 1993).

    Args:
        usage: tags on products; None finds nothing.
        kept: the tags that count, and the names to show for them.
        settings: `parent_confidence` and `min_support`.

    Returns:
        `child`, `parent`, `confidence`, `support` (products that carry both); one parent a child,
        the narrowest of the surest.
    """
    if usage is None:
        return pl.DataFrame(schema=_PARENTS)
    rows: list[tuple[str, str, float, int]] = []
    for child, wider in _pairs(usage, kept, settings.parent_confidence).items():
        surest = max(both for _, both in wider) - _TOLERANCE * usage.products[child]
        fit = [found for found in wider if found[1] >= surest]
        parent, both = min(fit, key=lambda found: (usage.products[found[0]], found[0]))
        rows.append((kept[child], kept[parent], both / usage.products[child], both))
    return pl.DataFrame(rows, schema=_PARENTS, orient="row").sort("support", "child", descending=[True, False])


def _pairs(usage: Usage, kept: Mapping[str, str], confidence: float) -> dict[str, list[tuple[str, int]]]:
    """Child -> its possible parents, each with the number of products that carry both."""
    wider: dict[str, list[tuple[str, int]]] = {}
    for one, other, both in _together(usage, kept):
        for child, parent in ((one, other), (other, one)):
            own, above = usage.products[child], usage.products[parent]
            # Of the products with the parent's attribute: a value that nearly all of them have says nothing.
            expected = min(1.0, above / max(1, usage.reach.get(attribute_of(parent), usage.total)))
            wide = own >= _CHILD_PRODUCTS and own <= _NARROWER * above and both >= confidence * own
            if wide and both >= _LIFT * expected * own and -own * math.log(expected) >= _SURPRISE:
                wider.setdefault(child, []).append((parent, both))
    return wider


def _together(usage: Usage, kept: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """Pairs of kept tags that stand together on products, with the number of those; a band of rows at a time."""
    from scipy.sparse import triu

    counts = usage.products
    names = sorted((name for name in usage.names if name in kept), key=lambda name: (-counts[name], name))[:_MOST_TAGS]
    columns = usage.columns(names)
    for start in range(0, len(names), _BAND):
        # Upper triangle only: every pair once.
        band = triu(columns[:, start : start + _BAND].T @ columns, k=start + 1).tocoo()
        likely = band.data >= _LEAST_SHARE * np.minimum(
            usage.sizes(names)[band.row + start], usage.sizes(names)[band.col]
        )
        for row, column, both in zip(band.row[likely], band.col[likely], band.data[likely], strict=True):
            yield names[start + row], names[column], int(both)


def near_synonyms(
    usage: Usage | None,
    weights: Mapping[str, int],
    kept: Mapping[str, str],
    doubtful: Iterable[tuple[str, str]],
) -> pl.DataFrame:
    """Propose pairs of tags that may be one; nothing is carried out.

    Args:
        usage: tags on products; None leaves only what spelling says.
        weights: products of each tag.
        kept: the tags that count, and the names to show for them.
        doubtful: pairs whose spelling says one thing and whose use another.

    Returns:
        `a` (the rarer), `b`, `score` from 0 to 1, `why`; first what a merge would
        most likely mend on most products.
    """
    found: dict[tuple[str, str], tuple[float, str]] = {}
    spelled = ((one, other) for one, other in doubtful if one in kept and other in kept and one != other)
    for pairs, why in ((spelled, "spelled alike, used differently"), (_same_words(kept), _OTHER_ORDER)):
        for one, other in pairs:
            alike = 0.0 if usage is None else usage.alike(one, other) or 0.0
            found.setdefault(_ordered(one, other, weights), (alike, why))
    if usage is not None:
        for one, other, score, why in (*_beside(usage, kept), *_instead(usage, kept)):
            found.setdefault(_ordered(one, other, weights), (score, why))
    rows = [
        (kept[one], kept[other], score, why, score * weights.get(one, 0))
        for (one, other), (score, why) in found.items()
    ]
    table = pl.DataFrame(rows, schema={**_PROPOSALS, "worth": pl.Float64}, orient="row")
    return table.sort("worth", "a", "b", descending=[True, False, False]).drop("worth")


def _beside(usage: Usage, kept: Mapping[str, str]) -> Iterator[tuple[str, str, float, str]]:
    """Tags that people put on the same things: where many tag one product, synonyms stand side by side."""
    for one, other, both in _together(usage, kept):
        if attribute_of(one) != attribute_of(other):
            continue
        share = _share(usage, one, other, both)
        chance = _share(usage, one, other, usage.products[one] * usage.products[other] / max(1, usage.total))
        beyond = (share - chance) / max(1e-9, 1 - chance)
        if (
            share >= _SAME_PRODUCTS
            and both >= _COMMON_PRODUCTS
            and beyond >= _BEYOND_CHANCE
            and _in_same_company(usage, one, other)
        ):
            yield one, other, share, f"on the same products ({share:.0%}) and in the same company"


def _instead(usage: Usage, kept: Mapping[str, str]) -> Iterator[tuple[str, str, float, str]]:
    """Tags that stand in for each other: where one person tags a product, only one of two synonyms is on it."""
    for one, other in _within(kept):
        fewer = min(usage.products[one], usage.products[other])
        if fewer >= _COMMON_PRODUCTS and usage.together(one, other) <= _SELDOM * fewer:
            alike = usage.alike(one, other)
            if alike is not None and alike >= _SAME_COMPANY:
                yield one, other, alike, "one name within the other, in the same company, seldom on the same product"


def _share(usage: Usage, one: str, other: str, both: float) -> float:
    return both / (usage.products[one] + usage.products[other] - both)


def _in_same_company(usage: Usage, one: str, other: str) -> bool:
    alike = usage.alike(one, other)
    return alike is not None and alike >= _SAME_COMPANY


def _ordered(one: str, other: str, weights: Mapping[str, int]) -> tuple[str, str]:
    return (one, other) if (weights.get(one, 0), one) < (weights.get(other, 0), other) else (other, one)


def _within(kept: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of Chinese tags of which one begins or ends with the other: 双肩, 双肩包."""
    for form in sorted(filter(has_han, kept)):
        for at in range(1, len(form)):
            yield from ((part, form) for part in (form[:at], form[at:]) if part in kept and has_han(part))


def _same_words(kept: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    by_words: dict[tuple[str, ...], list[str]] = {}
    for form in sorted(kept):
        words = sorted(word for word in re.split(r"[\s\-_/&,]+", form) if word not in ("", "and", "the", "of"))
        if len(words) > 1:
            by_words.setdefault(tuple(map(spelling_key, words)), []).append(form)
    for forms in by_words.values():
        yield from itertools.combinations(forms, 2)
