"""Where each way of writing a tag belongs: spelling says what could be one, use says what is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from tagloom.config import TagSettings
from tagloom.data.vocabulary.merge import (
    differ_by_substitution,
    spelling_key,
    spelling_merges,
    typo_merges,
    written_alike,
)
from tagloom.data.vocabulary.usage import Usage
from tagloom.data.vocabulary.vocab import Vocabulary

# Tags on fewer products than this are compared by their spelling alone.
_COMPARED = 20
_ALIKE = 0.5
# A typing error is seen on few products: less is asked of its company, or it stands beside what was meant.
_SLIP_ALIKE = 0.3
_SLIP_TOGETHER = 0.5
_SLIP_BEYOND_CHANCE = 0.3


def find_roots(
    weights: Mapping[str, int],
    anchors: Mapping[str, str],
    usage: Usage | None,
    vocabulary: Vocabulary,
    settings: TagSettings,
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Find for every form the one it belongs to: its place if that is settled, else its commonest spelling.

    Args:
        weights: products of each normal form.
        anchors: forms whose place is settled by the vocabulary or the synonym file, and where they belong.
        usage: tags on products, or None: then only spelling counts.
        vocabulary: what was undone there is not merged again.
        settings: `merge_typos`.

    Returns:
        form -> root, and the pairs of forms that only a person can judge.
    """
    agree, slip = _agreement(weights, usage, vocabulary), _slip_agreement(usage, vocabulary)
    merges, doubtful = spelling_merges(weights, anchors, agree)
    roots = {form: anchors.get(form, merges.get(form, form)) for form in weights}
    anchored = set(anchors.values())
    while settings.merge_typos:
        # A merge makes the common form more common, which can decide about the next one: until nothing moves.
        summed: dict[str, int] = defaultdict(int)
        for form, root in roots.items():
            summed[root] += weights[form]
        found = typo_merges(summed, anchored, slip)
        if not found:
            break
        roots = {form: _followed(root, found) for form, root in roots.items()}
    return roots, doubtful


def _followed(form: str, merges: Mapping[str, str]) -> str:
    while form in merges:
        form = merges[form]
    return form


def _agreement(weights: Mapping[str, int], usage: Usage | None, vocabulary: Vocabulary) -> Callable[[str, str], bool]:
    def agree(form: str, root: str) -> bool:
        if vocabulary.find(root) is not None and vocabulary.refused(form, root):
            return False
        if usage is None or min(weights.get(form, 0), weights.get(root, 0)) < _COMPARED or written_alike(form, root):
            return True
        alike = usage.alike(form, root)
        return alike is None or alike >= _ALIKE

    return agree


def _slip_agreement(usage: Usage | None, vocabulary: Vocabulary) -> Callable[[str, str], bool]:
    def agree(rare: str, common: str) -> bool:
        if vocabulary.find(common) is not None and vocabulary.refused(rare, common):
            return False
        if usage is not None and not usage.products.get(rare):
            # On no product: nothing is known and nothing is gained.
            return False
        alike = None if usage is None else usage.alike(rare, common)
        substituted = differ_by_substitution(spelling_key(rare), spelling_key(common))
        if usage is None or alike is None:
            return not substituted
        beside = usage.together(rare, common) / max(1, usage.products.get(rare, 0))
        # A tag on most products stands beside everything.
        by_chance = usage.products.get(common, 0) / max(1, usage.total)
        told = beside >= _SLIP_TOGETHER and beside - by_chance >= _SLIP_BEYOND_CHANCE
        return alike >= _SLIP_ALIKE or (told and not substituted)

    return agree
