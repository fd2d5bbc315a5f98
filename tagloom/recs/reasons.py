"""Why a product is recommended: which events and which tags carried its score, found by taking each of them away.

What an event carried is by how much the log of the product's share falls when it is not there: all experts are asked
again, with the blend's own weights (leave one out; Robnik-Sikonja and Kononenko 2008, "Explaining Classifications For
Individual Instances"). What a tag carried is by how much the networks' part of the score falls when no product has it,
neither the one that is recommended nor those of the history.
Shapes: K products, J reasons that are tried, P products of the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tagloom.data.histories import Histories
from tagloom.data.tables import ACTIONS
from tagloom.recs.answers import Because, EventReason, TagReason
from tagloom.recs.experts.contract import Asked, Floats, Ints
from tagloom.recs.experts.network import NetworkExpert
from tagloom.recs.fitted import Fitted

# What is tried: the latest different products and texts of a history. What is told: reasons with this much of all.
_MOST_TRIED, _LEAST_SHARE, _MOST_TOLD = 60, 0.1, 3


def reasons(fitted: Fitted, asked: Asked, rows: Sequence[int]) -> list[Because]:
    """Why some products, rows of the catalogue, are recommended to one user; nothing for one who is unknown."""
    if not len(rows) or not fitted.knows(asked)[0]:
        return [Because((), ())] * len(rows)
    chosen = np.array(rows, np.int64)
    told, masks = _events(asked.histories)
    fallen = _without_each(fitted, asked, masks, chosen)  # [J, K]
    lost = _without_tags(fitted, asked, chosen)  # [L, K] of the tags that any of them has
    items, found = asked.items, []
    for place, row in enumerate(rows):
        events = tuple(EventReason(*_named(asked, told[ix]), share) for ix, share in _largest(fallen[:, place]))
        own = items.tags.indices[items.tags.indptr[row] : items.tags.indptr[row + 1]]
        carried = {int(tag): lost[tag][place] for tag in own if tag in lost}
        tags = tuple(
            TagReason(items.known.tags[tag], items.known.tag_ids[tag], share)
            for ix, share in _largest(np.array([*carried.values()]))
            for tag in [[*carried][ix]]
        )
        found.append(Because(events, tags))
    return found


def _events(histories: Histories) -> tuple[list[int], npt.NDArray[np.bool_]]:
    """Of each different product and text of one history its last event, and which events are about it [J, N]."""
    about = [
        (product, "") if product >= 0 else (-1, text)
        for product, text in zip(histories.product_ix.tolist(), histories.texts, strict=True)
    ]
    last = {key: place for place, key in enumerate(about)}
    told = sorted(last.values())[-_MOST_TRIED:]
    number = {key: ix for ix, key in enumerate(last)}
    numbers = np.array([number[key] for key in about], np.int64)
    return told, numbers[None, :] == numbers[told][:, None]


def _without_each(fitted: Fitted, asked: Asked, masks: npt.NDArray[np.bool_], rows: Ints) -> Floats:
    """[J, K] by how much the log of each product's share falls without some events [J, N] of the one user."""
    kept = np.concatenate([np.ones((1, masks.shape[1]), np.bool_), ~masks])
    variants = asked.histories.of(np.zeros(len(kept), np.int64)).where(kept.ravel())
    asking, logs = Asked(variants, asked.items), []
    seen = fitted.candidates(asked)
    # The same products are looked at whatever is taken away.
    looked_at = None if seen is None else np.union1d(seen[seen >= 0], rows)
    columns = rows if looked_at is None else np.searchsorted(looked_at, rows)
    for _, part in fitted.in_parts(asking):
        shares = fitted.among(part, looked_at).shares()
        logs.append(np.log(np.maximum(shares[:, columns], np.finfo(np.float32).tiny)))
    fallen: Floats = np.concatenate(logs)[0] - np.concatenate(logs)[1:]
    return fallen


def _without_tags(fitted: Fitted, asked: Asked, rows: Ints) -> dict[int, Floats]:
    """Of each tag of the products by how much the networks' part of each one's score falls without it: [K]."""
    tags = np.unique(asked.items.tags[rows].indices).astype(np.int64)
    total = np.zeros((len(tags), len(rows)), np.float32)
    for name, weight in zip(fitted.blend.names, fitted.blend.weights, strict=True):
        expert = fitted.experts[name]
        if isinstance(expert, NetworkExpert):
            total += weight * expert.without_tags(asked, rows, tags)
    return dict(zip(tags.tolist(), total, strict=True))


def _largest(carried: npt.NDArray[np.floating]) -> list[tuple[int, float]]:
    """The places of the largest, and their shares of all that speaks for the product."""
    total = float(carried[carried > 0].sum()) if len(carried) else 0.0
    if total <= 0:
        return []
    shares = carried / total
    best = np.argsort(-shares, kind="stable")[:_MOST_TOLD]
    return [(int(ix), float(shares[ix])) for ix in best if shares[ix] >= _LEAST_SHARE]


def _named(asked: Asked, event: int) -> tuple[str | None, str | None, str]:
    histories = asked.histories
    product = int(histories.product_ix[event])
    action = ACTIONS[histories.action_ix[event]]
    if product >= 0:
        return asked.items.product_ids[product], None, action
    return None, histories.texts[event], action
