"""One pass over train, and the figures on valid after it.

Shapes: B texts, N features of all texts in a row, P texts of valid, L tags.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tagloom.nn.losses import Loss
from tagloom.nn.optim import average_in, dense_weights, step_size
from tagloom.nn.plan import Batch, Batches, Measure, TrainingPlan

if TYPE_CHECKING:
    from lightning.fabric import Fabric

# Looking at the loss makes a GPU wait for itself, so that is done now and then, and before a pass is measured.
_STEPS_BETWEEN_LOOKS = 50


@dataclass
class Run:
    """Where training stands, on one of its processes."""

    encoder: nn.Module
    optimisers: tuple[torch.optim.Optimizer, ...] = ()
    averaged: nn.Module | None = None
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def measured(self) -> nn.Module:
        """The encoder with the weights that count."""
        return self.encoder if self.averaged is None else self.averaged


def one_pass(
    fabric: Fabric, module: Any, run: Run, loss: Loss, plan: TrainingPlan, batches: Batches
) -> dict[str, float]:
    """All steps of one pass; returns its figures, of all processes together.

    Raises:
        FloatingPointError: the loss is no finite number, on any of the processes.
    """
    began, number = time.perf_counter(), len(run.history)
    in_a_pass = -(-len(batches) // fabric.world_size)
    clipped = dense_weights(run.encoder)
    sums = torch.zeros(3, dtype=torch.float64, device=fabric.device)  # of the losses, their weights, the texts
    module.train()
    share = batches.of_pass(number, fabric.global_rank, fabric.world_size)
    for step, batch in enumerate(share, number * in_a_pass):
        inputs, truth, weights = fabric.to_device(batch)
        scores = module(*_hidden(inputs, plan.dropout))
        value = (loss(scores, truth) * weights).sum() / weights.sum()
        for optimiser in run.optimisers:
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = optimiser.defaults["lr"] * step_size(step, plan.epochs * in_a_pass, plan.warmup)
        fabric.backward(value)
        if plan.clip:
            torch.nn.utils.clip_grad_norm_(clipped, plan.clip)
        for optimiser in run.optimisers:
            optimiser.step()
        if run.averaged is not None:
            average_in(run.averaged, run.encoder, plan.average, step)
        texts = weights.sum()
        sums += torch.stack([value.detach() * texts, texts, torch.full_like(texts, len(truth))])
        if step % _STEPS_BETWEEN_LOOKS == 0:
            _look(fabric, sums)
    lost, texts, rows = _look(fabric, sums)
    seconds = time.perf_counter() - began
    return {
        "train/loss": lost / (texts or 1),
        "train/learning_rate": run.optimisers[0].param_groups[0]["lr"],
        "train/seconds": seconds,
        "train/texts_per_second": rows / seconds,
    }


def _look(fabric: Fabric, sums: Tensor) -> list[float]:
    """The sums of all processes; so all of them stop when one must."""
    everywhere: Any = fabric.all_reduce(sums.clone(), reduce_op="sum")
    total: list[float] = everywhere.tolist()
    if not all(map(math.isfinite, total)):
        raise FloatingPointError("the loss was no finite number")
    return total


def _hidden(inputs: tuple[Tensor, ...], dropout: float) -> tuple[Tensor, ...]:
    """Sparse input with a share of its features hidden, the rest made larger for it; any other as it is."""
    if not dropout or len(inputs) != 3:
        return inputs
    features, starts, weights = inputs
    shown = torch.rand(len(weights), device=weights.device) >= dropout
    return features, starts, weights * shown / (1 - dropout)


@torch.no_grad()
def on_valid(
    fabric: Fabric, encoder: nn.Module, loss: Loss, batches: Iterable[Batch], measure: Measure
) -> dict[str, float]:
    """Figures on the whole of valid, in 32 bits whatever the precision of training: scores rounded alike have no order.

    Raises:
        FloatingPointError: the scores are no finite numbers.
    """
    encoder.eval()
    seen: list[tuple[Tensor, Tensor]] = []
    lost, texts = 0.0, 0.0
    for batch in batches:
        inputs, truth, weights = fabric.to_device(batch)
        scores = encoder(*inputs)
        if not scores.isfinite().all():
            raise FloatingPointError("the scores on valid were no finite numbers")
        lost, texts = lost + (loss(scores, truth) * weights).sum().item(), texts + weights.sum().item()
        seen.append((scores.cpu(), truth.cpu()))
    if not math.isfinite(lost):
        raise FloatingPointError("the loss on valid was no finite number")
    scores, truth = (torch.cat(parts) for parts in zip(*seen, strict=True))
    return {"valid/loss": lost / texts, "valid/ndcg": measure(scores, truth)}
