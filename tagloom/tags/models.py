"""The Tagger's models behind one contract, and the dict that names them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from tagloom.artifact import load_arrays, save_arrays
from tagloom.config import TaggerSettings
from tagloom.data.batches import SparseBatches
from tagloom.errors import SettingsError
from tagloom.measure.tagging import tag_metrics

if TYPE_CHECKING:
    from torch import nn

    from tagloom.data.words.wordvectors import WordVectors
    from tagloom.nn.training import Trained
    from tagloom.tags.features import Features

_VALID_BATCH = 1_024
# Small catalogues of long texts want the largest, large ones of short texts the smallest.
_PRUNED_BELOW = (0.0, 0.1, 0.2, 0.4, 0.6)
_STEP_SIZES = (1.0, 4.0, 16.0)
# A shop of a hundred products would see a handful of steps in all with the batches of a large one.
_FEWEST_STEPS = 32

Encoder = TypeVar("Encoder", bound="nn.Module")
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.integer[Any]]
Progress = Callable[[int, dict[str, float]], object]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a model learns from: CSR matrices of features [P, V] and truth [P, L], for train and valid."""

    features: Features
    train: tuple[Any, Any]
    valid: tuple[Any, Any]
    # What may help, and whom to tell.
    word_vectors: WordVectors | None = None
    log_folder: Path | None = None
    progress: Progress | None = None


class TagModel(Protocol):
    """What every model can do. V features, L tags, B texts."""

    def scores(self, rows: Any) -> Floats:
        """CSR features [B, V] -> a score of each tag [B, L]; larger is likelier."""

    def carried(self, features: Rows, weights: Floats, tags: Rows) -> Floats:
        """How much each of one text's features added to the scores of some tags: [N, K].

        Args:
            features: [N] columns of the text's features.
            weights: [N] their weights in the text.
            tags: [K] columns of the tags.
        """

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that must be saved."""


@dataclass(frozen=True, eq=False)
class PopularModel:
    """The baseline: every text gets the most frequent tags of the training data."""

    log_odds: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[PopularModel, Trained | None]:  # noqa: ARG003
        """Count tags; nothing else is learned."""
        return cls(_prior(data)), None

    def scores(self, rows: Any) -> Floats:
        """The same row for each text."""
        return np.repeat(self.log_odds[None], rows.shape[0], axis=0)

    def carried(self, features: Rows, weights: Floats, tags: Rows) -> Floats:  # noqa: ARG002
        """Nothing in the text carried anything."""
        return np.zeros((len(features), len(tags)), np.float32)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The log-odds."""
        return {"log_odds": self.log_odds}


@dataclass(frozen=True, eq=False)
class LinearModel:
    """One weight for each feature and tag, those near zero left out: a CSR matrix [V, L] as its three arrays."""

    values: Floats
    columns: Rows
    starts: Rows
    bias: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[LinearModel, Trained | None]:
        """Train `nn.linear.LinearEncoder`, then leave out the weights that valid does not miss."""
        import torch

        from tagloom.nn.linear import LinearEncoder

        prior = torch.from_numpy(_prior(data))
        encoder, trained = _train(lambda: LinearEncoder(data.train[0].shape[1], prior), data, settings)
        weights, bias = encoder.words.weight.detach().numpy(), encoder.bias.detach().numpy()
        models = [cls._without_below(least, weights, bias) for least in _PRUNED_BELOW]
        truth = data.valid[1].toarray()
        figures = [tag_metrics([(model.scores(data.valid[0]), truth)], np.inf).values["nDCG@10"] for model in models]
        # The last of the best: a few per cent of the weights carry everything, and less noise often ranks better.
        return models[max(range(len(models)), key=lambda ix: (round(figures[ix], 3), ix))], trained

    @classmethod
    def _without_below(cls, least: float, weights: Floats, bias: Floats) -> LinearModel:
        from scipy.sparse import csr_matrix

        kept = csr_matrix(np.where(np.abs(weights) >= least, weights, np.float32(0)))
        return cls(kept.data, kept.indices, kept.indptr, bias)

    @cached_property
    def weights(self) -> Any:
        """The CSR matrix [V, L]."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.values, self.columns, self.starts), shape=(len(self.starts) - 1, len(self.bias)))

    def scores(self, rows: Any) -> Floats:
        """Weighted sum of the features' rows."""
        result: Floats = (rows @ self.weights).toarray() + self.bias
        return result

    def carried(self, features: Rows, weights: Floats, tags: Rows) -> Floats:
        """Exact: the terms of the sum."""
        result: Floats = weights[:, None] * self.weights[features][:, tags].toarray()
        return result

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Weights and bias."""
        return {"values": self.values, "columns": self.columns, "starts": self.starts, "bias": self.bias}


@dataclass(frozen=True, eq=False)
class BagModel:
    """A vector for each feature [V, D] and each tag [L, D]; a text is the weighted sum of its features' vectors."""

    words: Floats
    tags: Floats
    bias: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[BagModel, Trained | None]:
        """Train `nn.bag.BagEncoder`, from the shop's word vectors where there are any."""
        import torch

        from tagloom.nn.bag import BagEncoder

        start = _first_vectors(data, settings)
        width = settings.width if start is None else start.shape[1]
        vectors = None if start is None else torch.from_numpy(start)
        features, prior = data.train[0].shape[1], torch.from_numpy(_prior(data))

        def make() -> BagEncoder:
            return BagEncoder(features, width, prior, torch.Generator().manual_seed(settings.seed), vectors)

        encoder, trained = _train(make, data, settings)
        head = encoder.tags
        return cls(*(part.detach().numpy() for part in (encoder.words.weight, head.weight, head.bias))), trained

    def scores(self, rows: Any) -> Floats:
        """Sum of vectors, then one product per tag."""
        result: Floats = (rows @ self.words) @ self.tags.T + self.bias
        return result

    def carried(self, features: Rows, weights: Floats, tags: Rows) -> Floats:
        """Exact: the score is a sum over features."""
        result: Floats = weights[:, None] * (self.words[features] @ self.tags[tags].T)
        return result

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Vectors and bias."""
        return {"words": self.words, "tags": self.tags, "bias": self.bias}


MODELS: dict[str, type[PopularModel] | type[LinearModel] | type[BagModel]] = {
    "popular": PopularModel,
    "linear": LinearModel,
    "bag": BagModel,
}


def save_model(model: TagModel, folder: Path) -> None:
    """Write `weights.safetensors`."""
    save_arrays(folder / "weights.safetensors", model.arrays())


def load_model(name: str, folder: Path) -> TagModel:
    """Read what `save_model` wrote."""
    return MODELS[name](**load_arrays(folder / "weights.safetensors"))


def _prior(data: TrainingData) -> Floats:
    """[L] log-odds of each tag in the training data, drawn a little to even odds."""
    truth = data.train[1]
    share = (np.asarray(truth.sum(0)).ravel() + 0.5) / (truth.shape[0] + 1)
    odds: Floats = np.log(share / (1 - share)).astype(np.float32)
    return odds


def _train(make: Callable[[], Encoder], data: TrainingData, settings: TaggerSettings) -> tuple[Encoder, Trained]:
    """Train a new encoder, with the step size of the settings or half of the best of `_STEP_SIZES` after one pass.

    Half, because one pass alone favours larger steps than several do.

    `data.progress` hears of the passes that try a step size as pass 0, with the size as "trial/learning_rate".

    Raises:
        SettingsError: the scores were no longer finite numbers before the first pass was over.
    """
    from tagloom.nn.losses import binary_cross_entropy
    from tagloom.nn.training import TrainingPlan, train

    batch_size = max(1, min(settings.batch_size, data.train[0].shape[0] // _FEWEST_STEPS))

    def run(step_size: float, epochs: int, **watched: Any) -> tuple[Encoder, Trained]:
        encoder = make()
        # A batch's loss is a mean over its texts: a step of this size a text is so much more a batch.
        plan = TrainingPlan(
            epochs, settings.patience, step_size * batch_size, settings.dropout, settings.seed, **watched
        )
        train_batches = SparseBatches(*data.train, batch_size, settings.seed)
        valid_batches = SparseBatches(*data.valid, _VALID_BATCH)
        return encoder, train(encoder, binary_cross_entropy, plan, train_batches, valid_batches, _ndcg)

    def after_one_pass(step_size: float) -> tuple[float, float]:
        def tell(_: int, figures: dict[str, float]) -> None:
            if data.progress is not None:
                data.progress(0, {**figures, "trial/learning_rate": step_size})

        return run(step_size, 1, progress=tell)[1].best

    step_size = settings.learning_rate or max(_STEP_SIZES, key=after_one_pass) / 2
    encoder, trained = run(step_size, settings.epochs, log_folder=data.log_folder, progress=data.progress)
    if not trained.epochs:
        raise SettingsError(
            f"nothing was learned: {trained.stopped} in the first pass, with a step size of {step_size:g} a text;"
            " lower tagger.learning_rate" + (", or look into the word vectors" if data.word_vectors is not None else "")
        )
    if trained.stopped:
        warnings.warn(
            f"training stopped in pass {trained.epochs + 1}: {trained.stopped}; the best pass before it counts."
            f" Lower tagger.learning_rate (it was {step_size:g})",
            RuntimeWarning,
            stacklevel=2,
        )
    return encoder, trained


def _ndcg(scores: Any, truth: Any) -> float:
    return tag_metrics([(scores.numpy(), truth.numpy())], np.inf).values["nDCG@10"]


def _first_vectors(data: TrainingData, settings: TaggerSettings) -> Floats | None:
    """[V, D] the shop's word vectors for single words, the mean of its words for a run; None without vectors."""
    if data.word_vectors is None or not settings.word_vectors:
        return None
    # A custom word may have a blank in it and is no run then.
    parts = [[term] if term in data.word_vectors else term.split(" ") for term in data.features.terms]
    words = sorted({word for words in parts for word in words})
    known = dict(zip(words, data.word_vectors.matrix_for(words, settings.seed), strict=True))
    return np.stack([np.mean([known[word] for word in words], axis=0) for words in parts]).astype(np.float32)
