"""What to do about a tag or a product that goes wrong, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

Tags = Sequence[tuple[str, float]]

_FEW = 20
_SURE, _UNLIKELY = 0.9, 0.05
_SHORT_TEXT = 8


def for_tag(
    counts: tuple[int, int, int],
    *,
    on_offer: bool,
    trained: int | None,
    confused: tuple[str, int] | None,
    missed_on: Sequence[str],
    wrong_on: Sequence[str],
) -> str:
    """What to do about a tag.

    Args:
        counts: products that have it, that were given it, and both.
        on_offer: whether the Tagger knows it.
        trained: products it was trained on; None when that is not known.
        confused: the tag that stands in its place, and on how many products.
        missed_on: ids of some products that have it and were not given it.
        wrong_on: ids of some products that were given it and do not have it.
    """
    support, given, right = counts
    missed, wrong = support - right, given - right
    learned = "" if trained is None else f" It had {trained:,} examples in training."
    if not on_offer:
        return "New since this model was trained: train again."
    if confused:
        other, count = confused
        return (
            f"Swapped with “{other}” on {count:,} products: if they mean the same, merge them; if not, look at"
            f" {_named(missed_on or wrong_on)}."
        )
    if not given:
        if trained is not None and trained < _FEW:
            return f"Never given.{learned} Tag more products with it, or make it an alias of a more frequent tag."
        return f"Never given.{learned} Lower its threshold, or see whether the texts tell it: {_named(missed_on)}."
    if not support:
        return f"Given to {given:,} products of which none has it: is it missing there? See {_named(wrong_on)}."
    if given >= 2 * support:
        return (
            f"Given {given / support:.1f} times as often as it is true: raise its threshold; or it is missing in the"
            f" catalogue, see {_named(wrong_on)}."
        )
    if 2 * given <= support:
        return f"Found on {right:,} of {support:,} products.{learned} Lower its threshold; see {_named(missed_on)}."
    if wrong > missed:
        return f"Mostly given where it is not true: see {_named(wrong_on)}."
    if missed:
        return f"Mostly missed where it is true: see {_named(missed_on)}."
    return "Nothing."


def for_product(text: str, wrong: Tags, missed: Tags) -> str:
    """What to do about a product.

    Args:
        text: what the Tagger read.
        wrong: tags that were given and are not true, with confidence, the surest first.
        missed: tags that are true and were not given, with confidence (-inf: not on offer), the surest first.
    """
    told = []
    if len(text) < _SHORT_TEXT:
        told.append(f"The text has {len(text)} characters: write more of it.")
    for tag, sure in [one for one in wrong if one[1] >= _SURE][:2]:
        rival = next(
            (f"“{other}”" for other, _ in missed if _attribute(tag) and _attribute(other) == _attribute(tag)), ""
        )
        otherwise = f"the catalogue says {rival}" if rival else "the catalogue does not have it"
        told.append(f"The Tagger is sure of “{tag}” ({sure:.2f}) and {otherwise}: check the catalogue.")
    new = [tag for tag, sure in missed if sure == -math.inf]
    if new:
        told.append(f"New since training: {_quoted(new)}. Train again.")
    unlikely = [tag for tag, sure in missed if -math.inf < sure < _UNLIKELY]
    if unlikely and len(text) >= _SHORT_TEXT:
        told.append(f"Nothing in the text speaks for {_quoted(unlikely)}: add it to the text, or check the tags.")
    if not told:
        told.append("Close calls: decide on the tags by hand, then train again.")
    return " ".join(told)


def _attribute(tag: str) -> str:
    """`颜色` of `颜色=红色`; empty for a tag that is no attribute."""
    name, sign, _ = tag.partition("=")
    return name if sign else ""


def _quoted(tags: Sequence[str], most: int = 3) -> str:
    more = f" and {len(tags) - most} more" if len(tags) > most else ""
    return ", ".join(f"“{tag}”" for tag in tags[:most]) + more


def _named(ids: Sequence[str]) -> str:
    return f"product{'s' if len(ids) > 1 else ''} {', '.join(ids)}" if ids else "some products with it"
