"""How the networks of the Recommender are trained: on which batches, with which steps.

Shapes: L tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import RecommenderSettings
from tagloom.errors import DataError, SettingsError
from tagloom.recs.experts.contract import TrainingData, fingerprint
from tagloom.recs.windows import WindowBatches, Windows, ratings_of

if TYPE_CHECKING:
    import torch

_MOST_WATCHED, _MOST_WATCHED_SCORES = 5_000, 2_000_000_000
# Events of a history that is read to measure, at a time.
_WATCHED_EVENTS = 4_096
# Products from which most of a step is the softmax, which 16 bits make three times as fast.
_WORTH_16_BITS = 5_000
_STEPS_OF_A_PASS, _AT_ONCE = 64, (256, 2_048)


def mean_rating(data: TrainingData) -> float:
    """What a rating is on average.

    Raises:
        SettingsError: there are none.
    """
    rated = ratings_of(data.asked.histories)
    if not np.isfinite(rated).any():
        raise SettingsError(
            "recommender.loss = 'mean_squared_error' learns ratings, and no event has one; import events with a value,"
            " or take another loss"
        )
    return float(np.nanmean(rated))


def prior(data: TrainingData) -> torch.Tensor:
    """[L] the log share of each tag among those of all events' products."""
    import torch

    counts = np.asarray(data.items.tags.T @ data.counts).ravel() + 1
    return torch.from_numpy(np.log(counts / counts.sum()).astype(np.float32))


def batches(data: TrainingData, settings: RecommenderSettings) -> tuple[WindowBatches, WindowBatches]:
    """What is learned from, and what each pass is measured on.

    Raises:
        DataError: nobody has two products, one after the other.
    """
    words, learned = data.items.known.word_rows, data.asked.histories
    windows = Windows.of(learned, words, learned.weights(settings.weights), settings.max_events)
    if not len(windows):
        raise DataError(
            "nobody has two products, one after the other, so there is no order to learn; import more events, or set"
            " recommender.model to popular"
        )
    watched = np.arange(len(data.valid))
    most = min(_MOST_WATCHED, _MOST_WATCHED_SCORES // len(data.items))
    if len(watched) > most:
        watched = np.sort(np.random.default_rng(settings.seed).permutation(watched)[:most])
    before = data.valid.histories.of(watched)
    valid = Windows.asking(before, words, settings.max_events, data.wanted[watched], data.rated[watched])
    # A small log needs small steps, or there are too few of them to learn from.
    at_once = settings.batch_events or int(np.clip(len(windows.products) // _STEPS_OF_A_PASS, *_AT_ONCE))
    return (
        WindowBatches(windows, at_once, settings.seed),
        WindowBatches(valid, _WATCHED_EVENTS),
    )


def _precision(data: TrainingData, settings: RecommenderSettings) -> str:
    """Bits of training; not measured, so that a machine gives the same answer each time."""
    from tagloom.nn.processes import multiplies_in_16_bits

    if settings.numbers != "auto":
        return settings.numbers
    pays = settings.loss == "full_softmax" and len(data.items) >= _WORTH_16_BITS
    return "bf16" if pays and multiplies_in_16_bits() else "32"


def plan(data: TrainingData, settings: RecommenderSettings) -> Any:
    """The settings as the training loop takes them."""
    from tagloom.nn.training import TrainingPlan

    return TrainingPlan(
        epochs=settings.epochs,
        patience=settings.patience,
        learning_rate=settings.learning_rate,
        dropout=0.0,
        seed=settings.seed,
        log_folder=data.log_folder,
        progress=data.progress,
        optimiser="adamw",
        weight_decay=settings.weight_decay,
        warmup=settings.warmup,
        clip=settings.clip,
        average=settings.average,
        precision=_precision(data, settings),
        checkpoint=data.checkpoint,
        fingerprint=fingerprint(data, settings) if data.checkpoint else "",
        devices=settings.devices,
        threads=settings.threads,
    )
