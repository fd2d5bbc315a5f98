"""Sparse rows in batches of tensors: the only place where texts of different length are put into one tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    Batch = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass
class SparseBatches:
    """Batches of (features [N], starts [B], weights [N], truth [B, L]); each pass in a new order drawn from the seed.

    Args:
        features: CSR matrix [P, V] of feature weights.
        truth: CSR matrix [P, L] of true tags.
        batch_size: B.
        seed: of the order; None keeps the rows as they are.
    """

    features: Any
    truth: Any
    batch_size: int
    seed: int | None = None
    passes: int = 0

    def __len__(self) -> int:
        rows: int = self.features.shape[0]
        return -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        rows = self.features.shape[0]
        order = np.arange(rows)
        if self.seed is not None:
            order = np.random.default_rng((self.seed, self.passes)).permutation(rows)
            self.passes += 1
        for start in range(0, rows, self.batch_size):
            yield self._batch(order[start : start + self.batch_size])

    def _batch(self, rows: np.ndarray[Any, Any]) -> Batch:
        import torch

        features, truth = self.features[rows], self.truth[rows].toarray()
        return (*packed(features), torch.from_numpy(truth.astype(np.float32)))


def packed(features: Any) -> tuple[Tensor, Tensor, Tensor]:
    """A CSR matrix [B, V] as (features [N], starts [B], weights [N])."""
    import torch

    return (
        torch.from_numpy(features.indices.astype(np.int64)),
        torch.from_numpy(features.indptr[:-1].astype(np.int64)),
        torch.from_numpy(features.data.astype(np.float32)),
    )
