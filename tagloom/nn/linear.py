"""Linear scores straight from TF-IDF features: one weight for every pair of feature and tag.

One-versus-rest in one table, so that a step touches only the rows of the features that occur.
Shapes: B texts, N features of all texts in a row, V features known, L tags.
Loss: binary cross-entropy (see `nn.losses`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearEncoder(nn.Module):
    """Text as features and weights -> scores of all tags.

    Args:
        features: V, features known.
        prior: [L] log-odds of each tag when nothing is known of a text.
    """

    def __init__(self, features: int, prior: Tensor) -> None:
        super().__init__()
        # Zeros handed in: torch's own first weights would be drawn from the process's random numbers.
        zeros = torch.zeros(features, len(prior))
        self.words = nn.EmbeddingBag(features, len(prior), mode="sum", sparse=True, _weight=zeros)
        self.bias = nn.Parameter(prior.clone())

    def forward(self, features: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
        """Features [N] and weights [N] of B texts that begin at starts [B] -> scores [B, L]."""
        scores: Tensor = self.words(features, starts, per_sample_weights=weights) + self.bias  # [B, L]
        return scores
