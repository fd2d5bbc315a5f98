"""How the experts that are networks are trained: the loss, the plan, and the step size found by trial.

Shapes: P texts, L tags.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tagloom.config import TaggerSettings
from tagloom.data.batches import SparseBatches, TokenBatches
from tagloom.errors import SettingsError
from tagloom.measure.tagging import tag_metrics
from tagloom.tags.experts.contract import Floats, Part, TrainingData
from tagloom.tags.families import family_log_odds

if TYPE_CHECKING:
    from torch import nn

    from tagloom.nn.losses import Loss
    from tagloom.nn.training import Trained

VALID_BATCH = 256  # texts at once when valid is measured
# More texts of valid choose the best pass no better, and each pass would wait for them.
_MOST_WATCHED = 4_000
_STEP_SIZES = (1.0, 4.0, 16.0)
# A shop of a hundred products would see a handful of steps in all with the batches of a large one.
_FEWEST_STEPS = 32
_TEXTS_SEEN, _FEWEST_PASSES, _MOST_PASSES = 240_000, 6, 16

Network = TypeVar("Network", bound="nn.Module")


def passes_for(data: TrainingData, settings: TaggerSettings) -> int:
    """The setting, or as many passes as make about 240,000 texts, from 6 to 16: small catalogues need more of them."""
    wanted = _TEXTS_SEEN // max(1, len(data.train.reading))
    return settings.epochs or max(_FEWEST_PASSES, min(_MOST_PASSES, wanted))


def batch_size_for(data: TrainingData, settings: TaggerSettings) -> int:
    """The setting, and less for a catalogue that would make a handful of steps with it."""
    return max(1, min(settings.batch_size, len(data.train.reading) // _FEWEST_STEPS))


def loss_for(data: TrainingData, settings: TaggerSettings) -> Loss:
    """The loss that the settings name."""
    import torch

    from tagloom.nn.losses import LOSSES, family_cross_entropy

    if settings.loss == "family":
        return family_cross_entropy([torch.tensor(family) for family in data.families])
    return LOSSES[settings.loss]


def sparse_batches(part: Part, batch_size: int, seed: int | None = None) -> SparseBatches:
    """Batches of TF-IDF rows."""
    return SparseBatches(part.reading.rows, part.truth, batch_size, seed, part.weights)


def token_batches(tokens: Any, part: Part, settings: TaggerSettings, batch_size: int, seed: int | None) -> TokenBatches:
    """Batches of word numbers; of valid when there is no seed."""
    longest = min(settings.max_words, settings.max_tokens)
    return TokenBatches(tokens, part.truth, batch_size, seed, part.weights, longest)


def learn(
    make: Callable[[], Network], batches: tuple[Any, Any], data: TrainingData, settings: TaggerSettings, **plan: Any
) -> tuple[Network, Trained]:
    """Train a new network; the best pass by nDCG@10 on valid counts.

    Args:
        make: a network with its first weights.
        batches: of train and of valid.
        data: families, and whom to tell.
        settings: loss, passes, patience, seed.
        plan: what differs from the settings, as for `nn.training.TrainingPlan`.

    Raises:
        SettingsError: the scores were no longer finite numbers before the first pass was over.
    """
    from tagloom.nn.training import TrainingPlan, train

    families = data.families if settings.loss == "family" else ()

    def ndcg(scores: Any, truth: Any) -> float:
        log_odds = family_log_odds(scores.numpy(), families)
        return tag_metrics([(log_odds, truth.numpy())], np.inf).values["nDCG@10"]

    told = {
        "epochs": passes_for(data, settings),
        "patience": settings.patience,
        "dropout": settings.word_dropout,
        "seed": settings.seed,
        "optimiser": "adamw" if settings.optimiser == "auto" else settings.optimiser,
        "learning_rate": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "warmup": settings.warmup,
        "clip": settings.clip,
        "precision": settings.numbers,
        "devices": settings.devices,
        "threads": settings.threads,
        "log_folder": data.log_folder,
        "checkpoint": data.checkpoint,
        "progress": data.progress,
        "fingerprint": fingerprint(data, settings) if data.checkpoint else "",
    }
    network = make()
    trained = train(network, loss_for(data, settings), TrainingPlan(**{**told, **plan}), *batches, ndcg)
    if not trained.epochs:
        raise SettingsError(
            f"nothing was learned: {trained.stopped} in the first pass, with a step size of"
            f" {plan.get('learning_rate', settings.learning_rate):g}; lower tagger.learning_rate"
            + (", or look into the word vectors" if data.word_vectors is not None else "")
        )
    return network, trained


def warn_if_broken_off(trained: Trained, step_size: float) -> None:
    """Say so when numbers ran away in a later pass."""
    if trained.stopped:
        warnings.warn(
            f"training stopped in pass {trained.epochs + 1}: {trained.stopped}; the best pass before it counts."
            f" Lower tagger.learning_rate (it was {step_size:g})",
            RuntimeWarning,
            stacklevel=2,
        )


def by_trial(run: Callable[..., tuple[Network, Trained]], data: TrainingData, settings: TaggerSettings) -> float:
    """The step size of the settings, or half of the best of `_STEP_SIZES` after one pass of `run`.

    Half, because one pass alone favours larger steps than several do. `data.progress` hears of the trials as pass 0,
    with the size as "trial/learning_rate".
    """

    def after_one_pass(step_size: float) -> tuple[float, float]:
        def tell(_: int, figures: dict[str, float]) -> None:
            if data.progress is not None:
                data.progress(0, {**figures, "trial/learning_rate": step_size})

        return run(step_size, epochs=1, progress=tell, log_folder=None, checkpoint=None)[1].best

    return settings.learning_rate or max(_STEP_SIZES, key=after_one_pass) / 2


def watched(data: TrainingData) -> Part:
    """The part of valid that is measured after each pass."""
    return data.valid.head(_MOST_WATCHED)


def fingerprint(data: TrainingData, settings: TaggerSettings) -> str:
    """Tells what is trained on, and how, from anything else."""
    told = hashlib.sha256(settings.model_dump_json().encode())
    for part in (data.train, data.valid):
        for text in part.reading.texts:
            told.update(text.encode("utf-8", "surrogatepass") + b"\n")
        for array in (part.truth.indices, part.truth.indptr, part.truth.data):
            told.update(np.ascontiguousarray(array).tobytes())
    told.update("\n".join(data.names).encode())
    return told.hexdigest()


def first_vectors(data: TrainingData, settings: TaggerSettings, terms: list[str]) -> Floats | None:
    """[V, D] the shop's word vectors for some terms, the mean of its words for a run; None without vectors."""
    if data.word_vectors is None or not settings.word_vectors:
        return None
    # A custom word may have a blank in it and is no run then.
    parts = [[term] if term in data.word_vectors else term.split(" ") for term in terms]
    words = sorted({word for words in parts for word in words})
    known = dict(zip(words, data.word_vectors.matrix_for(words, settings.seed), strict=True))
    return np.stack([np.mean([known[word] for word in words], axis=0) for words in parts]).astype(np.float32)
