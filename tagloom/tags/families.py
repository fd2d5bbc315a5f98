"""Families of tags of which a product has one at most, such as `colour=red` and `colour=blue`, found in the data.

Shapes: B texts, P products, L tags, M members of a family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Families = tuple[tuple[int, ...], ...]

_LEAST_MEMBERS = 2
_LEAST_PRODUCTS = 20
_CERTAIN = 40.0
_MOST_ALONE, _PLAIN_GROUPS = 256, 32


def exclusive_families(names: Sequence[str], parents: Mapping[str, str], truth: Any, least: float) -> Families:
    """The families that the data show to be exclusive.

    Candidates are the values of one attribute (`name=value`) and the children of one parent. A candidate is exclusive
    when, of its products, at least a share of `least` have exactly one of its members; and it has 20 products or more.

    Args:
        names: [L] the tags.
        parents: the parent's name of tags that have one.
        truth: CSR matrix [P, L] of true tags; with shares in between where several products have one text.
        least: above 0.5.

    Returns:
        The columns of each family, ascending; no tag is in two.
    """
    candidates: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        attribute, equals, _ = name.partition("=")
        parent = parents.get(name)
        if equals:
            candidates.setdefault(attribute, []).append(column)
        elif parent is not None:
            candidates.setdefault(f"\n{parent}", []).append(column)
    found = []
    by_tag = truth.tocsc()
    for columns in candidates.values():
        if len(columns) < _LEAST_MEMBERS:
            continue
        count = np.asarray(by_tag[:, columns].sum(1)).ravel()
        count = count[count > 0]
        # A mean of 1 over the products of one text can only come from one member each.
        if len(count) >= _LEAST_PRODUCTS and (count < 1 + 1e-3).mean() >= least:
            found.append(tuple(columns))
    return tuple(found)


def alike(names: Sequence[str]) -> Families:
    """Groups of tags that answer one question, for `nn.heads.LabelwiseHead`: the values of one attribute, `name=value`.

    Exclusive or not, together they learn faster and rank better than each alone. Tags without an attribute stand alone,
    unless they are more than 256: then in 32 groups, since what they cost grows with their number.
    """
    values: dict[str, list[int]] = {}
    plain = []
    for column, name in enumerate(names):
        attribute, equals, _ = name.partition("=")
        if equals:
            values.setdefault(attribute, []).append(column)
        else:
            plain.append(column)
    groups = [tuple(columns) for columns in values.values() if len(columns) > 1]
    if len(plain) > _MOST_ALONE:
        groups += [tuple(part.tolist()) for part in np.array_split(plain, _PLAIN_GROUPS)]
    return tuple(groups)


def family_log_odds(scores: Floats, families: Families) -> Floats:
    """Scores [B, L] of a model trained by `nn.losses.family_cross_entropy` -> log-odds of each tag [B, L].

    A member's probability is exp(score) / (1 + sum of exp(score) over its family): 1 is for none of them.
    """
    found = np.array(scores, np.float32)
    for columns in families:
        some = scores[:, columns].astype(np.float64)  # [B, M]
        most = np.maximum(some.max(1, keepdims=True), 0)
        weight = np.exp(some - most)
        total = weight.sum(1, keepdims=True) + np.exp(-most)
        # What the others weigh together, themselves and none; of all the member's own a sum, not a difference.
        others = np.maximum(total - weight, np.exp(-_CERTAIN) * total)
        found[:, columns] = np.log(np.maximum(weight, np.exp(-_CERTAIN) * total)) - np.log(others)
    return found


def one_of_each(confidences: Floats, given: npt.NDArray[np.bool_], families: Families) -> npt.NDArray[np.bool_]:
    """Of each family's given tags only the surest: confidences and given [B, L] -> given [B, L]."""
    kept = given.copy()
    for columns in families:
        index = np.array(columns)
        best = index[confidences[:, index].argmax(1)]  # [B]
        mine = given[np.arange(len(given)), best]
        kept[:, index] = False
        kept[np.arange(len(given)), best] = mine
    return kept
