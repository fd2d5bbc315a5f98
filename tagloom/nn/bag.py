"""Bag encoder: the weighted sum of word vectors, one hidden layer, then one linear score per tag.

Iyyer et al. 2015, "Deep Unordered Composition Rivals Syntactic Methods for Text Classification" (one layer), with
TF-IDF weights in place of the plain mean and a normalised layer (Ba et al. 2016) before the ReLU.
Shapes: B texts, N features of all texts in a row, V features known, D width, L tags.
Loss: any of `nn.losses`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BagEncoder(nn.Module):
    """Text as features and weights -> scores of all tags.

    Args:
        features: V, features known.
        width: D.
        prior: [L] log-odds of each tag when nothing is known of a text.
        generator: randomness for the first weights.
        vectors: [V, D] to start the word vectors from, or None.
        dropout: share of the hidden layer that is hidden in training.
    """

    def __init__(
        self,
        features: int,
        width: int,
        prior: Tensor,
        generator: torch.Generator,
        vectors: Tensor | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # Made without numbers at first: torch's own would be drawn from the process's random numbers.
        self.words = nn.EmbeddingBag(features, width, mode="sum", sparse=True, device="meta").to_empty(device="cpu")
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.tags = nn.Linear(width, len(prior), device="meta").to_empty(device="cpu")
        with torch.no_grad():
            self.words.weight.normal_(0.0, width**-0.5, generator=generator)
            if vectors is not None:
                self.words.weight.copy_(vectors)
            self.tags.weight.normal_(0.0, 0.02, generator=generator)
            self.tags.bias.copy_(prior)

    def forward(self, features: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
        """Features [N] and weights [N] of B texts that begin at starts [B] -> scores [B, L]."""
        pooled: Tensor = self.words(features, starts, per_sample_weights=weights)  # [B, D]
        hidden = self.dropout(self.norm(pooled).relu())  # [B, D]
        scores: Tensor = self.tags(hidden)  # [B, L]
        return scores
