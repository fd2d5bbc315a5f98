"""A catalogue as vectors: a product is its id, its tags and its words together.

So a product that nobody has met has a vector from the moment its text is known, and two products of one brand and kind
start near each other. In training some products lose their id at each step, so that tags and words learn to stand
alone (Volkovs et al. 2017, "DropoutNet: Addressing Cold Start in Recommender Systems").
Shapes: P products, I of them with an id, L tags, V words, D width, M entries of bags in a row, N rows asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag


@dataclass(frozen=True, eq=False)
class Bags:
    """Ragged lists of numbers with weights: bag n holds `entries[starts[n] : starts[n + 1]]`.

    Args:
        entries: int64 [M].
        starts: int64 [N + 1].
        weights: [M].
    """

    entries: Tensor
    starts: Tensor
    weights: Tensor

    def of(self, rows: Tensor) -> Bags:
        """Some bags, int64 [N], in their order."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        starts = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        moved = (self.starts[rows] - starts[:-1]).repeat_interleave(lengths)
        places = torch.arange(len(moved), device=moved.device) + moved
        return Bags(self.entries[places], starts, self.weights[places])

    def summed(self, table: Tensor) -> Tensor:
        """The weighted sum of each bag's rows of a table [V, D] -> [N, D]; 0 for an empty bag."""
        weights = self.weights.to(table.dtype)  # what comes with a batch has the precision of training
        return embedding_bag(
            self.entries, table, self.starts, mode="sum", per_sample_weights=weights, include_last_offset=True
        )

    def to(self, device: torch.device) -> Bags:
        """The same on a device."""
        return Bags(self.entries.to(device), self.starts.to(device), self.weights.to(device))


@dataclass(frozen=True, eq=False)
class Shelf:
    """What is known of P products before anything is learned.

    Args:
        ids: int64 [P], the row of each product's own vector; -1: it has none.
        tags: of each product, weights that sum to 1.
        words: of each product's text, weights of length 1.
    """

    ids: Tensor
    tags: Bags
    words: Bags

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> Shelf:
        """The same on a device."""
        return Shelf(self.ids.to(device), self.tags.to(device), self.words.to(device))


class ItemTable(nn.Module):
    """Products -> vectors. The weights are nothing until `start`.

    Args:
        ids: I.
        tags: L.
        words: V.
        width: D.
        id_dropout: share of the products that lose their id at a step of training.
        sparse: a step moves the ids alone that occurred in it, so that it costs the same however many there are.
    """

    def __init__(
        self, ids: int, tags: int, words: int, width: int, id_dropout: float = 0.0, *, sparse: bool = False
    ) -> None:
        super().__init__()
        self.ids = nn.Parameter(torch.empty(ids, width))
        self.tags = nn.Parameter(torch.empty(tags, width))
        self.words = nn.Parameter(torch.empty(words, width))
        self.id_dropout, self.sparse = id_dropout, sparse

    @property
    def sparse_tables(self) -> list[nn.Parameter]:
        """The tables of which a step moves only the rows that occurred."""
        return [self.ids] if self.sparse else []

    def start(self, generator: torch.Generator) -> None:
        """Draw the first weights."""
        for table in (self.ids, self.tags, self.words):
            nn.init.normal_(table, 0.0, table.shape[1] ** -0.5, generator)

    def forward(self, shelf: Shelf, rows: Tensor | None = None) -> Tensor:
        """Vectors of the shelf's products, or of some rows [N] -> [P or N, D]."""
        ids, tags, words = shelf.ids, shelf.tags, shelf.words
        if rows is not None:
            ids, tags, words = ids[rows], tags.of(rows), words.of(rows)
        known = ids >= 0
        if self.training and self.id_dropout:
            known = known & (torch.rand(len(ids), device=ids.device) >= self.id_dropout)
        own = embedding(ids.clamp(min=0), self.ids, sparse=self.sparse) * known.unsqueeze(1)
        return own + tags.summed(self.tags) + words.summed(self.words)
