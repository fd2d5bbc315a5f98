"""What training makes small: scores [B, L] against true tags [B, L] (1 or 0) -> the mean over B of the sum over L."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def binary_cross_entropy(scores: Tensor, truth: Tensor) -> Tensor:
    """Each tag is a yes or no of its own; the scores become log-odds."""
    return binary_cross_entropy_with_logits(scores, truth, reduction="sum") / len(truth)
