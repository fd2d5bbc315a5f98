"""The Tagger's models behind one contract, and the dict that names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from tagloom.artifact import load_arrays, save_arrays
from tagloom.config import TaggerSettings
from tagloom.data.batches import SparseBatches
from tagloom.measure.tagging import tag_metrics

if TYPE_CHECKING:
    from torch import nn

    from tagloom.data.words.wordvectors import WordVectors
    from tagloom.nn.training import Trained
    from tagloom.tags.features import Features

_VALID_BATCH = 1_024
_STEP_SIZES = (
    1.0,
    4.0,
    16.0,
)  # small catalogues of long texts want the largest, large ones of short texts the smallest

Encoder = TypeVar("Encoder", bound="nn.Module")
Floats = npt.NDArray[np.float32]
Progress = Callable[[int, dict[str, float]], object]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a model learns from: CSR matrices of features [P, V] and truth [P, L], for train and valid."""

    features: Features
    train: tuple[Any, Any]
    valid: tuple[Any, Any]
    word_vectors: WordVectors | None = None
    log_folder: Path | None = None
    progress: Progress | None = None


class TagModel(Protocol):
    """What every model can do. V features, L tags, B texts."""

    def scores(self, rows: Any) -> Floats:
        """CSR features [B, V] -> a score of each tag [B, L]; larger is likelier."""

    def carried(self, row: Any, tag_ix: int) -> Floats:
        """How much each feature of one CSR row [1, V] added to a tag's score, in the order of `row.indices`."""

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

    def carried(self, row: Any, tag_ix: int) -> Floats:  # noqa: ARG002
        """Nothing in the text carried anything."""
        return np.zeros(row.nnz, np.float32)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The log-odds."""
        return {"log_odds": self.log_odds}


@dataclass(frozen=True, eq=False)
class LinearModel:
    """One weight for each feature and tag: [V, L]."""

    weights: Floats
    bias: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[LinearModel, Trained | None]:
        """Train `nn.linear.LinearEncoder`."""
        import torch

        from tagloom.nn.linear import LinearEncoder

        prior = torch.from_numpy(_prior(data))
        encoder, trained = _train(lambda: LinearEncoder(data.train[0].shape[1], prior), data, settings)
        return cls(encoder.words.weight.detach().numpy(), encoder.bias.detach().numpy()), trained

    def scores(self, rows: Any) -> Floats:
        """Weighted sum of the features' rows."""
        result: Floats = rows @ self.weights + self.bias
        return result

    def carried(self, row: Any, tag_ix: int) -> Floats:
        """Exact: the terms of the sum."""
        result: Floats = row.data * self.weights[row.indices, tag_ix]
        return result

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Weights and bias."""
        return {"weights": self.weights, "bias": self.bias}


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

    def carried(self, row: Any, tag_ix: int) -> Floats:
        """Exact: the score is a sum over features."""
        result: Floats = row.data * (self.words[row.indices] @ self.tags[tag_ix])
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
    """Train a new encoder, with the step size of the settings or the best of `_STEP_SIZES` after one pass."""
    from tagloom.nn.losses import binary_cross_entropy
    from tagloom.nn.training import TrainingPlan, train

    def run(step_size: float, epochs: int, **watched: Any) -> tuple[Encoder, Trained]:
        encoder = make()
        # A batch's loss is a mean over its texts: a step of this size a text is so much more a batch.
        plan = TrainingPlan(
            epochs, settings.patience, step_size * settings.batch_size, settings.dropout, settings.seed, **watched
        )
        train_batches = SparseBatches(*data.train, settings.batch_size, settings.seed)
        valid_batches = SparseBatches(*data.valid, _VALID_BATCH)
        return encoder, train(encoder, binary_cross_entropy, plan, train_batches, valid_batches, _ndcg)

    step_size = settings.learning_rate
    if not step_size:
        step_size = max(_STEP_SIZES, key=lambda size: run(size, 1)[1].best)
    return run(step_size, settings.epochs, log_folder=data.log_folder, progress=data.progress)


def _ndcg(scores: Any, truth: Any) -> float:
    return tag_metrics([(scores.numpy(), truth.numpy())], np.inf).values["nDCG@10"]


def _first_vectors(data: TrainingData, settings: TaggerSettings) -> Floats | None:
    """[V, D] the shop's word vectors for single words, the mean of its words for a run; None without vectors."""
    if data.word_vectors is None or not settings.word_vectors:
        return None
    words = sorted({word for term in data.features.terms for word in term.split(" ")})
    known = dict(zip(words, data.word_vectors.matrix_for(words, settings.seed), strict=True))
    vectors = np.stack([np.mean([known[word] for word in term.split(" ")], axis=0) for term in data.features.terms])
    return vectors.astype(np.float32)
