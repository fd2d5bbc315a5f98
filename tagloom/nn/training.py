"""The one training loop: a Lightning module around any tag encoder, stopped when valid no longer improves.

Shapes: B texts, L tags. A batch is (features, starts, weights, truth).
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

_DENSE_RATE = 0.003

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class TrainingPlan:
    """How to train: passes, steps, patience, and where to write curves (None: nowhere)."""

    epochs: int
    patience: int
    learning_rate: float
    dropout: float
    seed: int
    log_folder: Path | None = None
    progress: Callable[[int, dict[str, float]], object] | None = None


@dataclass(frozen=True)
class Trained:
    """What training did: passes completed, the best of them (from 1; 0 without any), the figures of each.

    `history` has `train/loss` (the mean over the pass, dropout included), `valid/loss` and `valid/ndcg`. `stopped` says
    why training broke off; empty when it came to its end.
    """

    epochs: int
    best_epoch: int
    history: tuple[dict[str, float], ...]
    stopped: str = ""

    @property
    def best(self) -> tuple[float, float]:
        """The best pass's nDCG on valid, and minus its loss there; below everything when no pass was completed."""
        return max(map(_rank, self.history), default=(-math.inf, -math.inf))


class TagTraining(lightning.LightningModule):
    """Trains an encoder by stochastic gradient descent with a step that falls linearly to zero.

    Plain SGD for the tables of features, as it moves a rare feature little: Adam and Adagrad give rare features the
    largest steps, and on TF-IDF features both ended at an nDCG a third lower. The steps are large (1 to 16 a text),
    since a text's features have length 1 together.

    Args:
        encoder: (features, starts, weights) -> scores [B, L].
        loss: scores, truth -> scalar.
        plan: passes, step size, dropout over features.
        steps: training steps in all, for the falling step size.
        measure: scores [P, L], truth [P, L] -> the figure to make large on valid.
        best_weights: the file for the encoder's weights after the best pass so far.
    """

    def __init__(
        self,
        encoder: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        plan: TrainingPlan,
        steps: int,
        measure: Callable[[Tensor, Tensor], float],
        best_weights: Path,
    ) -> None:
        super().__init__()
        self.best_weights = best_weights
        self.encoder, self.loss, self.plan, self.steps, self.measure = encoder, loss, plan, steps, measure
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.history: list[dict[str, float]] = []
        self.lost, self.learned = 0.0, 0  # sum of the losses, and texts, of this pass
        self.random = torch.Generator().manual_seed(plan.seed)
        self.automatic_optimization = False

    def training_step(self, batch: Batch, batch_ix: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """One step on one batch, a share of the features hidden."""
        features, starts, weights, truth = batch
        if self.plan.dropout:
            shown = torch.rand(len(weights), generator=self.random).to(weights.device) >= self.plan.dropout
            weights = weights * shown / (1 - self.plan.dropout)
        loss = self.loss(self.encoder(features, starts, weights), truth)
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError("the loss was no finite number")
        self.lost, self.learned = self.lost + value * len(truth), self.learned + len(truth)
        optimisers: Any = self.optimizers()
        falling: Any = self.lr_schedulers()
        for optimiser in optimisers:
            optimiser.zero_grad()
        self.manual_backward(loss)
        for optimiser, schedule in zip(optimisers, falling, strict=True):
            optimiser.step()
            schedule.step()

    def validation_step(self, batch: Batch, batch_ix: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """Keep scores and truth until the pass over valid is complete."""
        features, starts, weights, truth = batch
        scores = self.encoder(features, starts, weights)
        if not scores.isfinite().all():
            raise FloatingPointError("the scores on valid were no finite numbers")
        self.seen.append((scores.float().cpu(), truth.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Measure the whole of valid at once; this pass over train is over by now."""
        scores, truth = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        self.seen.clear()
        figures = {
            "train/loss": self.lost / max(self.learned, 1),
            "valid/loss": self.loss(scores, truth).item(),
            "valid/ndcg": self.measure(scores, truth),
        }
        self.lost, self.learned = 0.0, 0
        self.log_dict(figures)
        if _rank(figures) > max(map(_rank, self.history), default=(-math.inf, -math.inf)):
            save_file(self.encoder.state_dict(), self.best_weights)
        self.history.append(figures)
        if self.plan.progress is not None:
            self.plan.progress(self.current_epoch + 1, dict(figures))

    def configure_optimizers(self) -> Any:
        """SGD for the sparse tables, Adam for the few parameters that every text moves."""
        tables = [module.weight for module in self.encoder.modules() if isinstance(module, nn.EmbeddingBag)]
        others = [weight for weight in self.encoder.parameters() if all(weight is not table for table in tables)]
        optimisers = [torch.optim.SGD(tables, lr=self.plan.learning_rate), torch.optim.Adam(others, lr=_DENSE_RATE)]
        return optimisers, [
            torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.0, 1 - step / self.steps))
            for optimiser in optimisers
        ]


def train(
    encoder: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    plan: TrainingPlan,
    train_batches: Iterable[Batch],
    valid_batches: Iterable[Batch],
    measure: Callable[[Tensor, Tensor], float],
) -> Trained:
    """Train `encoder` in place; it ends with the weights of its best pass: by nDCG on valid, of equals by loss there.

    Args:
        encoder, loss, plan, measure: as for `TagTraining`.
        train_batches: anything with a length that can be iterated once per pass, in an order of its own.
        valid_batches: the same, for valid.

    Returns:
        What happened. When loss or scores are no longer finite numbers training stops and the best pass so far counts;
        with none so far nothing was learned, and the weights are of no use.

    Raises:
        KeyboardInterrupt: Ctrl-C; the encoder is then somewhere in its training.
    """
    steps = plan.epochs * len(train_batches)  # type: ignore[arg-type]
    stopped = ""
    with tempfile.TemporaryDirectory() as folder, _quiet(), _one_thread():
        best_weights = Path(folder) / "best.safetensors"
        module = TagTraining(encoder, loss, plan, steps, measure, best_weights)
        stop = EarlyStopping("valid/ndcg", mode="max", patience=plan.patience, min_delta=1e-4)
        trainer = _trainer(plan, folder, [stop])
        try:
            with _interruptible():
                trainer.fit(module, train_batches, valid_batches)
        except FloatingPointError as error:
            stopped = str(error)
            if not module.history:
                return Trained(0, 0, (), stopped)
        encoder.load_state_dict(load_file(best_weights))
    ranks = [_rank(figures) for figures in module.history]
    return Trained(len(ranks), ranks.index(max(ranks)) + 1, tuple(module.history), stopped)


def _rank(figures: dict[str, float]) -> tuple[float, float]:
    """What passes are compared by. On a small valid many have the same nDCG, and the loss tells them apart."""
    return figures["valid/ndcg"], -figures["valid/loss"]


def _trainer(plan: TrainingPlan, folder: str, callbacks: list[Callback]) -> lightning.Trainer:
    """Lightning's Trainer on one device, writing nothing but curves where the plan says."""
    return lightning.Trainer(
        # Not "auto": that takes all GPUs at once, and Apple's, which know no sparse gradients.
        accelerator="cuda" if torch.cuda.is_available() else "cpu",
        devices=1,
        # A variable of a job scheduler in the environment does not make this one of many processes.
        plugins=[LightningEnvironment()],
        default_root_dir=folder,
        max_epochs=plan.epochs,
        callbacks=callbacks,
        logger=TensorBoardLogger(plan.log_folder, name="") if plan.log_folder else False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1_000_000,
    )


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """One CPU core for torch: a step over a few dozen texts is too small to share out.

    Beside another busy process two threads made it 5 to 15 times slower, each waiting for the other at every step.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C as everywhere in Python: Lightning turns it into `sys.exit(1)` and leaves later ones ignored."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        if main and handler is not None and signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's tips, device lists and advice about workers: nothing in them is for our user."""
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
