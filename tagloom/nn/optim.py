"""Optimisers by name, and the size of each step.

Shapes: V features, D width, L tags.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

OPTIMISERS = ("sgd", "adam", "adamw")
_RATE_BESIDE_TABLES = 0.003


def sparse_tables(encoder: nn.Module) -> list[nn.Parameter]:
    """The tables [V, D] or [V, L] of which a step moves only the rows that occurred."""
    found: list[nn.Parameter] = []
    for module in encoder.modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.sparse:
            found.append(cast(nn.Parameter, module.weight))
        found += getattr(module, "sparse_tables", ())  # a module may keep a table of its own
    return found


def dense_weights(encoder: nn.Module) -> list[nn.Parameter]:
    """All parameters but the sparse tables."""
    tables = {id(table) for table in sparse_tables(encoder)}
    return [weight for weight in encoder.parameters() if id(weight) not in tables]


def matrices(encoder: nn.Module) -> list[nn.Parameter]:
    """The weights that multiply: not a norm, not a bias, not an embedding, nor what is tied to one."""
    embeddings = (nn.Embedding, nn.EmbeddingBag)
    spared = {id(module.weight) for module in encoder.modules() if isinstance(module, embeddings)}
    return [weight for weight in encoder.parameters() if weight.ndim >= 2 and id(weight) not in spared]


def optimisers(
    encoder: nn.Module, name: str, learning_rate: float, weight_decay: float
) -> tuple[torch.optim.Optimizer, ...]:
    """One optimiser for the sparse tables, where there are any, and one for the rest.

    `sgd`: plain SGD for the sparse tables, as it moves a rare feature little: Adam and Adagrad give rare features the
    largest steps, and on TF-IDF features both ended at an nDCG a third lower. Its steps are large (1 to 16 a text),
    since a text's features have length 1 together; the few parameters that every text moves get Adam at a rate of
    their own. An encoder without sparse tables gets SGD throughout.

    `adam` and `adamw`: with `SparseAdam` for the sparse tables. Weight decay (for `adamw` decoupled: Loshchilov and
    Hutter 2019, "Decoupled Weight Decay Regularization") leaves out biases, norms and embeddings.

    Args:
        encoder: what is trained, on its device already.
        name: one of `OPTIMISERS`.
        learning_rate: the largest step.
        weight_decay: the pull of the weights towards zero; `sgd` has none.

    Raises:
        KeyError: no such optimiser.
    """
    tables, others = sparse_tables(encoder), dense_weights(encoder)
    made: list[torch.optim.Optimizer] = []
    if name == "sgd":
        if tables:
            made.append(torch.optim.SGD(tables, lr=learning_rate))
        if others and tables:
            made.append(torch.optim.Adam(others, lr=_RATE_BESIDE_TABLES))
        elif others:
            made.append(torch.optim.SGD(others, lr=learning_rate))
        return tuple(made)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    if tables:
        made.append(torch.optim.SparseAdam(tables, lr=learning_rate))
    if others:
        decayed = {id(weight) for weight in matrices(encoder)}
        groups = [
            {"params": [weight for weight in others if id(weight) in decayed], "weight_decay": weight_decay},
            {"params": [weight for weight in others if id(weight) not in decayed], "weight_decay": 0.0},
        ]
        made.append(kind([group for group in groups if group["params"]], lr=learning_rate, fused=True))
    return tuple(made)


def step_size(step: int, steps: int, warmup: float) -> float:
    """The share of the learning rate at a step, from 0: rising in a line while warming up, then falling to zero.

    >>> [step_size(step, 4, 0.5) for step in range(5)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = round(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return max(0.0, 1 - (step - rising) / max(1, steps - rising))


@torch.no_grad()
def average_in(averaged: nn.Module, encoder: nn.Module, decay: float, step: int) -> None:
    """Draw a copy's weights towards those of the encoder after another step: their exponential moving average.

    Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging"; the decay starts small, so that
    the first random weights are soon forgotten.

    Args:
        averaged: the copy.
        encoder: as it is after the step.
        decay: how much of the average stays at a step, below 1.
        step: from 0.
    """
    kept = min(decay, (1 + step) / (10 + step))
    for old, new in zip(averaged.parameters(), encoder.parameters(), strict=True):
        old.lerp_(new, 1 - kept)
    for copied, now in zip(averaged.buffers(), encoder.buffers(), strict=True):
        copied.copy_(now)
