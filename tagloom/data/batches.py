"""Rows in batches of tensors: the only place where texts of different length are put into one tensor.

A batch is (inputs, truth [B, L], weights [B]); an encoder takes the inputs apart: `encoder(*inputs)` -> scores [B, L].
The batches of a pass depend on the seed and the pass's number alone, so that training can be broken off and resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

    Batch = tuple[tuple[Tensor, ...], Tensor, Tensor]

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

# Wide enough that a text meets others in each pass, narrow enough that padding stays near a tenth of a batch.
_LENGTHS_MIXED = 0.2


@dataclass(frozen=True, eq=False)
class SparseBatches:
    """Batches whose inputs are (features [N], starts [B], weights of the features [N]); N features of B texts.

    Iterating gives the first pass; without a seed that is the rows as they are.

    Args:
        features: CSR matrix [P, V] of feature weights.
        truth: CSR matrix [P, L] of true tags: 1 or 0, or a share in between.
        batch_size: B.
        seed: of the order; None keeps the rows as they are.
        weights: [P] how many products stand behind each row; None: one each.
    """

    features: Any
    truth: Any
    batch_size: int
    seed: int | None = None
    weights: Floats | None = None

    def __len__(self) -> int:
        rows: int = self.features.shape[0]
        return -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self.of_pass(0)

    def of_pass(self, number: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The batches of pass `number`, from 0, that process `rank` of `world` takes: of all processes equally many."""
        order = np.arange(self.features.shape[0])
        if self.seed is not None:
            order = np.random.default_rng((self.seed, number)).permutation(len(order))
        for ix in shared(len(self), rank, world):
            rows = order[ix * self.batch_size : (ix + 1) * self.batch_size]
            yield packed(self.features[rows]), *_truth_of(rows, self.truth, self.weights)


@dataclass(frozen=True, eq=False)
class TokenBatches:
    """Batches whose inputs are (tokens [B, T], lengths [B]), int64, padded with 0 at the end to the batch's longest.

    Texts of similar length stand together. With a seed each pass mixes lengths a fifth apart anew and shuffles the
    batches. Without one the shortest come first, and `order` tells which rows they were:
    `scores_of_rows[batches.order] = scores_as_they_came`.

    Args:
        tokens: P arrays of token numbers; a text may be empty.
        truth: CSR matrix [P, L] of true tags: 1 or 0, or a share in between. None: L is 0.
        batch_size: the most texts of a batch; sizes differ by one at most, unless `batch_tokens` makes them smaller.
        seed: of the order.
        weights: [P] how many products stand behind each row; None: one each.
        max_length: tokens kept of a text.
        batch_tokens: about the most tokens of a batch, padding included, where memory is short; 0: no such limit.
            Long texts then come in smaller batches, and each of them counts for more.
    """

    tokens: Sequence[Ints]
    truth: Any
    batch_size: int
    seed: int | None = None
    weights: Floats | None = None
    max_length: int = 512
    batch_tokens: int = 0

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[Batch]:
        return self.of_pass(0)

    @cached_property
    def lengths(self) -> Ints:
        """[P] tokens of each text that are kept."""
        return np.minimum(np.array([len(text) for text in self.tokens], np.int64), self.max_length)

    @cached_property
    def order(self) -> Ints:
        """[P] the rows from the shortest to the longest: the order in which they come without a seed."""
        return np.argsort(self.lengths, kind="stable")

    def of_pass(self, number: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The batches of pass `number`, from 0, that process `rank` of `world` takes: of all processes equally many."""
        order, turn = self.order, np.arange(len(self))
        if self.seed is not None:
            random = np.random.default_rng((self.seed, number))
            # One is added, so that texts of one token mix with empty ones and with those of two.
            order = np.argsort((self.lengths + 1) * random.uniform(1, 1 + _LENGTHS_MIXED, len(self.lengths)))
            turn = random.permutation(len(turn))
        starts = [0, *self._ends]
        for ix in shared(len(self), rank, world):
            rows = order[starts[turn[ix]] : self._ends[turn[ix]]]
            yield self._padded(rows), *_truth_of(rows, self.truth, self.weights)

    @cached_property
    def _ends(self) -> list[int]:
        """Where each batch ends in `order`. The same in every pass: the number of steps must not change."""
        rows = len(self.lengths)
        if not rows:
            return []
        if not self.batch_tokens:
            count = -(-rows // self.batch_size)
            return [rows * (ix + 1) // count for ix in range(count)]
        # From the longest down: a batch's first text then tells how many it can take.
        ends, end = [], rows
        while end:
            ends.append(end)
            longest = max(1, int(self.lengths[self.order[end - 1]]))
            end = max(0, end - max(1, min(self.batch_size, self.batch_tokens // longest)))
        return ends[::-1]

    def _padded(self, rows: Ints) -> tuple[Tensor, Tensor]:
        import torch

        lengths = self.lengths[rows]
        tokens = np.zeros((len(rows), max(1, int(lengths.max()))), np.int64)  # [B, T]
        for text, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            tokens[text, :length] = self.tokens[row][:length]
        return torch.from_numpy(tokens), torch.from_numpy(lengths)


def packed(features: Any) -> tuple[Tensor, Tensor, Tensor]:
    """A CSR matrix [B, V] as (features [N], starts [B], weights [N])."""
    import torch

    return (
        torch.from_numpy(features.indices.astype(np.int64)),
        torch.from_numpy(features.indptr[:-1].astype(np.int64)),
        torch.from_numpy(features.data.astype(np.float32)),
    )


def _truth_of(rows: Ints, truth: Any, weights: Floats | None) -> tuple[Tensor, Tensor]:
    """True tags [B, L] and weights [B] of some rows."""
    import torch

    tags = np.zeros((len(rows), 0)) if truth is None else truth[rows].toarray()
    counts = np.ones(len(rows)) if weights is None else weights[rows]
    return torch.from_numpy(tags.astype(np.float32)), torch.from_numpy(counts.astype(np.float32))


def shared(count: int, rank: int, world: int) -> list[int]:
    """Every `world`-th of `count` batches from `rank` on; the first ones once more where they do not share out."""
    return [ix % count for ix in range(rank, -(-count // world) * world, world)]
