"""How to train and what came of it.

Shapes: B texts, P texts of valid, L tags.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from tagloom.errors import SettingsError
from tagloom.nn.optim import OPTIMISERS

Batch = tuple[tuple[Tensor, ...], Tensor, Tensor]
# scores [P, L], truth [P, L] -> the figure to make large
Measure = Callable[[Tensor, Tensor], float]

PRECISIONS = ("32", "bf16", "auto")
_LEAST_GAIN = 1e-4
_NOT_OF_THE_RESULT = ("log_folder", "progress", "checkpoint", "fingerprint", "threads")


class Batches(Protocol):
    """What is trained on; see `data.batches`."""

    def __len__(self) -> int:
        """Batches of a pass."""

    def of_pass(self, number: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The share of one process in pass `number`, from 0: (inputs, truth [B, L], weights [B])."""


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Args:
        epochs: the most passes.
        patience: passes without a better nDCG on valid before training ends.
        learning_rate: the largest step.
        dropout: share of the features hidden at a step, for sparse input; encoders of tokens have their own.
        seed: of everything random in training.
        log_folder: where TensorBoard curves go.
        progress: told the number of each pass, from 1, and its figures.
        optimiser: one of `nn.optim.OPTIMISERS`.
        weight_decay: for `adam` and `adamw`.
        warmup: share of the steps over which the step size rises; it then falls in a line to zero.
        clip: the largest norm of the gradient of all dense weights together; 0: any.
        average: of the exponential moving average of the weights what stays at a step; valid then measures the
            average, and it is what training gives back. 0: none.
        precision: `32`, `bf16`, or `auto`: the faster of both, measured.
        checkpoint: the folder to go on from when training is broken off.
        fingerprint: tells the data and the encoder's settings apart from any others; for the checkpoint.
        devices: GPUs, or on a machine without any processes, that share each pass; each takes batches of its own.
        threads: CPU threads; 0: one for short steps and for sparse input, else all cores.
    """

    epochs: int
    patience: int
    learning_rate: float
    dropout: float
    seed: int
    log_folder: Path | None = None
    progress: Callable[[int, dict[str, float]], object] | None = None
    optimiser: str = "sgd"
    weight_decay: float = 0.0
    warmup: float = 0.0
    clip: float = 0.0
    average: float = 0.0
    precision: str = "32"
    checkpoint: Path | None = None
    fingerprint: str = ""
    devices: int = 1
    threads: int = 0


@dataclass(frozen=True)
class Trained:
    """What training did: passes completed, the best of them (from 1; 0 without any), the figures of each.

    `history` has `train/loss` (the mean over the pass, dropout included), `train/learning_rate` (at the end of the
    pass), `train/seconds`, `train/texts_per_second`, `valid/loss` and `valid/ndcg`. `stopped` says why training broke
    off; empty when it came to its end. `precision` is the one that was used.
    """

    epochs: int
    best_epoch: int
    history: tuple[dict[str, float], ...]
    stopped: str = ""
    precision: str = "32"

    @property
    def best(self) -> tuple[float, float]:
        """The best pass's nDCG on valid, and minus its loss there; below everything when no pass was completed."""
        return max(map(rank, self.history), default=(-math.inf, -math.inf))


def rank(figures: dict[str, float]) -> tuple[float, float]:
    """What passes are compared by. On a small valid many have the same nDCG, and the loss tells them apart."""
    return figures["valid/ndcg"], -figures["valid/loss"]


def goes_on(plan: TrainingPlan, history: list[dict[str, float]]) -> bool:
    """Whether another pass is due: the plan has one, and one of the last `patience` made nDCG clearly better."""
    best, waited = -math.inf, 0
    for figures in history:
        if figures["valid/ndcg"] > best + _LEAST_GAIN:
            best, waited = figures["valid/ndcg"], 0
        else:
            waited += 1
    return len(history) < plan.epochs and (waited == 0 or waited < plan.patience)


def check_plan(plan: TrainingPlan) -> None:
    """See that a plan can be carried out.

    Raises:
        SettingsError: an unknown optimiser or precision, or a number out of its range.
    """
    for name, value, known in (("optimiser", plan.optimiser, OPTIMISERS), ("precision", plan.precision, PRECISIONS)):
        if value not in known:
            raise SettingsError(f"{name}: expected one of {', '.join(known)}; got {value!r}")
    for name, number, fits in (
        ("devices", plan.devices, plan.devices >= 1),
        ("warmup", plan.warmup, 0 <= plan.warmup < 1),
        ("average", plan.average, 0 <= plan.average < 1),
        ("clip", plan.clip, plan.clip >= 0),
    ):
        if not fits:
            raise SettingsError(f"{name}: {number} is out of range")


def identity(plan: TrainingPlan, encoder: nn.Module, batches: int) -> dict[str, Any]:
    """What a checkpoint must be of for training to go on from it; as JSON has it."""
    settings = {name: value for name, value in asdict(plan).items() if name not in _NOT_OF_THE_RESULT}
    shapes = {name: [str(part.dtype), *part.shape] for name, part in encoder.state_dict().items()}
    return {"plan": settings, "encoder": shapes, "batches": batches, "fingerprint": plan.fingerprint}
