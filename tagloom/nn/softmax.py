"""Softmax over all products without keeping a score for each of them in full: of every state its cross-entropy.

The scores of N states with P products are made, used and dropped a few states at a time; what the backward pass needs
of them, the probabilities, is kept, in 16 bits under `torch.autocast`, else in 32. With 16-bit multiplication a step
over 12,000 products took a third of the time of `F.cross_entropy(states @ table.T, targets)` on a CPU that has it, and
half the memory. The idea of working in parts is that of Wijmans et al. 2024, "Cut Your Losses in Large-Vocabulary
Language Models". Shapes: N states, P products, D width, C states at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# States at a time, and the most scores.
_AT_ONCE, _SCORES_AT_ONCE = 256, 2**25
_TINY = 1e-37


def softmax_over_table(states: Tensor, table: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of each state's target among all rows of a table.

    Args:
        states: [N, D].
        table: [P, D]; a score is the product of a state and a row.
        targets: int64 [N], rows of the table.
        smoothing: share of the truth that is spread over all rows (Szegedy et al. 2016, section 7).

    Returns:
        [N] losses, in 32 bits; none is above 85, where a probability of 32 bits ends.
    """
    losses: Tensor = _Softmax.apply(states, table, targets, smoothing, _half(states))  # type: ignore[no-untyped-call]
    return losses


def ranks_in_table(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
    """How many rows of the table score at least as high as a state's target, the target not counted: [N], from 0."""
    ranks = torch.empty_like(targets)
    for part in _parts(states, table):
        scores = states[part] @ table.T  # [C, P]
        ranks[part] = (scores >= scores.gather(1, targets[part, None])).sum(1) - 1
    return ranks


def _parts(states: Tensor, table: Tensor) -> list[slice]:
    """The states part by part."""
    size = max(1, min(_AT_ONCE, _SCORES_AT_ONCE // max(1, len(table))))
    return [slice(start, start + size) for start in range(0, len(states), size)]


def _half(states: Tensor) -> bool:
    """Whether to multiply in 16 bits: where training does."""
    return torch.is_autocast_enabled(states.device.type)


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, targets: Tensor, smoothing: float, half: bool) -> Tensor:
        dtype = torch.bfloat16 if half else torch.float32
        with torch.autocast(states.device.type, enabled=False):
            rows = table.to(dtype)
            keeps = any(ctx.needs_input_grad)  # not when nobody asks for gradients: of large catalogues they are large
            kept = torch.empty(len(states) if keeps else 0, len(table), dtype=dtype, device=states.device)
            losses = torch.empty(len(states), dtype=torch.float32, device=states.device)
            for part in _parts(states, rows):
                scores = states[part].to(dtype) @ rows.T  # [C, P]
                probability = scores.softmax(1, dtype=torch.float32)
                hit = probability.gather(1, targets[part, None]).clamp(min=_TINY).log().squeeze(1)
                losses[part] = -hit
                if smoothing:
                    # The mean of all log probabilities is that of the scores, moved as far as the target's is.
                    wanted = scores.gather(1, targets[part, None]).squeeze(1).float()
                    mean = scores.mean(1, dtype=torch.float32) + hit - wanted
                    losses[part] += smoothing * (hit - mean)
                if keeps:
                    kept[part] = probability
        ctx.save_for_backward(states, rows, targets, kept)
        ctx.smoothing = smoothing
        return losses

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """Probability less truth, times what it was multiplied with; the truth's part is a row each, not a matrix."""
        states, rows, targets, kept = ctx.saved_tensors
        grad, smoothing = grads[0].unsqueeze(1), ctx.smoothing
        weighted = states.float() * grad  # [N, D]
        short = weighted.to(rows.dtype)
        to_states = -(1 - smoothing) * rows[targets].float()  # [N, D]
        to_table = torch.zeros(rows.shape, dtype=torch.float32, device=rows.device)
        to_table.index_add_(0, targets, weighted, alpha=smoothing - 1)
        if smoothing:
            to_states -= smoothing * rows.float().mean(0)
            to_table -= smoothing / len(rows) * weighted.sum(0)
        for part in _parts(states, rows):
            to_states[part] += kept[part] @ rows
            to_table += kept[part].T @ short[part]
        return (to_states * grad).to(states.dtype), to_table, None, None, None
