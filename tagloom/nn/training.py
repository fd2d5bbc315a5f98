"""The one training loop: a Lightning module around any tag encoder, stopped when valid no longer improves.

Shapes: B texts, L tags. A batch is (features, starts, weights, truth).
"""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
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
    warn: Callable[[str], object] = bool


@dataclass(frozen=True)
class Trained:
    """What training did: passes made, the best pass, and the figures of every pass on valid."""

    epochs: int
    best_epoch: int
    history: tuple[dict[str, float], ...]

    @property
    def best(self) -> float:
        """The best figure on valid; 0 when no pass was completed."""
        return max((figures["valid/ndcg"] for figures in self.history), default=0.0)


class TagTraining(lightning.LightningModule):
    """Trains an encoder by stochastic gradient descent with a step that falls linearly to zero.

    Plain SGD for the tables of features, because it moves a rare feature little: Adam and Adagrad give rare features the
    largest steps, and on TF-IDF features both ended at an nDCG a third lower. The steps are large (1 to 16 a text),
    since a text's features have length 1 together.

    Args:
        encoder: (features, starts, weights) -> scores [B, L].
        loss: scores, truth -> scalar.
        plan: passes, step size, dropout over features.
        steps: training steps in all, for the falling step size.
        measure: scores [P, L], truth [P, L] -> the figure to make large on valid.
    """

    def __init__(
        self,
        encoder: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        plan: TrainingPlan,
        steps: int,
        measure: Callable[[Tensor, Tensor], float],
    ) -> None:
        super().__init__()
        self.encoder, self.loss, self.plan, self.steps, self.measure = encoder, loss, plan, steps, measure
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.history: list[dict[str, float]] = []
        self.random = torch.Generator().manual_seed(plan.seed)
        self.automatic_optimization = False

    def training_step(self, batch: Batch, batch_ix: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """One step on one batch, a share of the features hidden."""
        features, starts, weights, truth = batch
        if self.plan.dropout:
            shown = torch.rand(len(weights), generator=self.random).to(weights.device) >= self.plan.dropout
            weights = weights * shown / (1 - self.plan.dropout)
        loss = self.loss(self.encoder(features, starts, weights), truth)
        if not math.isfinite(loss.item()):
            raise FloatingPointError("the loss is not a finite number")
        optimisers: Any = self.optimizers()
        falling: Any = self.lr_schedulers()
        for optimiser in optimisers:
            optimiser.zero_grad()
        self.manual_backward(loss)
        for optimiser, schedule in zip(optimisers, falling, strict=True):
            optimiser.step()
            schedule.step()
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(truth))

    def validation_step(self, batch: Batch, batch_ix: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """Keep scores and truth until the pass over valid is complete."""
        features, starts, weights, truth = batch
        scores = self.encoder(features, starts, weights)
        self.log("valid/loss", self.loss(scores, truth), on_epoch=True, batch_size=len(truth))
        self.seen.append((scores.float().cpu(), truth.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Measure the whole of valid at once."""
        scores, truth = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        self.seen.clear()
        value = self.measure(scores, truth)
        self.log("valid/ndcg", value)
        figures = {name: float(figure) for name, figure in self.trainer.callback_metrics.items()}
        self.history.append({**figures, "valid/ndcg": value})
        if self.plan.progress is not None:
            self.plan.progress(self.current_epoch + 1, self.history[-1])

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
    """Train `encoder` in place; it ends with the weights of its best pass over valid.

    Args:
        encoder, loss, plan, measure: as for `TagTraining`.
        train_batches: anything with a length that can be iterated once per pass, in an order of its own.
        valid_batches: the same, for valid.

    Returns:
        What happened. When the loss is no longer a finite number training stops and the best pass so far counts.
    """
    steps = plan.epochs * len(train_batches)  # type: ignore[arg-type]
    module = TagTraining(encoder, loss, plan, steps, measure)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        best = ModelCheckpoint(folder, monitor="valid/ndcg", mode="max", save_weights_only=True)
        stop = EarlyStopping("valid/ndcg", mode="max", patience=plan.patience, min_delta=1e-4)
        callbacks: list[Callback] = [best, stop]
        logger = TensorBoardLogger(plan.log_folder, name="") if plan.log_folder else False
        trainer = lightning.Trainer(
            max_epochs=plan.epochs,
            callbacks=callbacks,
            logger=logger,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1_000_000,
        )
        try:
            trainer.fit(module, train_batches, valid_batches)
        except FloatingPointError as error:
            plan.warn(
                f"training stopped early: {error}; " + ("the best pass counts" if module.history else "nothing learned")
            )
            if not module.history:
                return Trained(0, 0, ())
        state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
        encoder.load_state_dict({name.removeprefix("encoder."): value for name, value in state.items()})
    figures = [entry["valid/ndcg"] for entry in module.history]
    return Trained(len(figures), figures.index(max(figures)) + 1, tuple(module.history))


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
