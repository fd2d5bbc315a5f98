"""Events as vectors: what was touched, what was typed, how, and how long after the event before.

A search's words are looked up in the table of the products' words, so a query stands near the products that it names.
Shapes: B histories, T events of the longest, D width, P products, S events with a text, G steps of time gaps.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tagloom.nn.items import Bags, ItemTable

# Steps of time gaps: below a minute, two, four, ... minutes; the last is a gap of three weeks or more.
GAPS = 16


class PaddedHistories(NamedTuple):
    """B histories, padded at the end.

    Args:
        products: int64 [B, T], columns of the shelf; -1: none.
        actions: int64 [B, T].
        gaps: int64 [B, T], steps from 0 to `GAPS` - 1.
        lengths: int64 [B].
        text_places: int64 [S], b * T + t of each event with a text.
        text_words: int64 [M], rows of the table of words; the texts one after the other.
        text_starts: int64 [S + 1].
        text_weights: [M].
    """

    products: Tensor
    actions: Tensor
    gaps: Tensor
    lengths: Tensor
    text_places: Tensor
    text_words: Tensor
    text_starts: Tensor
    text_weights: Tensor


class EventVectors(nn.Module):
    """Histories -> a vector of each event. The weights are nothing until `start`.

    Args:
        actions: how many kinds there are.
        width: D.
        dropout: share of a vector's numbers that is hidden in training.
    """

    def __init__(self, actions: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.actions = nn.Parameter(torch.empty(actions, width))
        self.gaps = nn.Parameter(torch.empty(GAPS, width))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def start(self, generator: torch.Generator) -> None:
        """Draw the first weights."""
        self.norm.reset_parameters()
        for table in (self.actions, self.gaps):
            nn.init.normal_(table, 0.0, 0.1 * table.shape[1] ** -0.5, generator)

    def forward(self, seen: PaddedHistories, products: Tensor, items: ItemTable) -> Tensor:
        """Histories, vectors of all products [P, D], the tables of words -> [B, T, D]."""
        touched = products[seen.products.clamp(min=0)] * (seen.products >= 0).unsqueeze(2)  # [B, T, D]
        if len(seen.text_places):
            texts = Bags(seen.text_words, seen.text_starts, seen.text_weights).summed(items.words)  # [S, D]
            flat = touched.flatten(0, 1).index_add(0, seen.text_places, texts.to(touched.dtype))
            touched = flat.view_as(touched)
        vectors: Tensor = self.norm(touched) + self.actions[seen.actions] + self.gaps[seen.gaps]
        hidden: Tensor = self.dropout(vectors)
        return hidden
