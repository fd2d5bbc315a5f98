"""A vector for each term; a text is the weighted sum of its terms' vectors, with one hidden layer above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import TaggerSettings
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData, terms_carried
from tagloom.tags.experts.learning import (
    VALID_BATCH,
    batch_size_for,
    first_vectors,
    learn,
    sparse_batches,
    warn_if_broken_off,
    watched,
)
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

_RATE = 1e-3
_EPSILON = 1e-5


@dataclass(frozen=True, eq=False)
class BagExpert:
    """`nn.bag.BagEncoder` after training, in NumPy: words [V, D], norm [2, D] (scale, shift), tags [L, D], bias [L]."""

    words: Floats
    norm: Floats
    tags: Floats
    bias: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[BagExpert, Trained | None]:
        """Train `nn.bag.BagEncoder`, from the shop's word vectors where there are any."""
        import torch

        from tagloom.nn.bag import BagEncoder

        start = first_vectors(data, settings, list(data.features.terms))
        width = settings.width if start is None else start.shape[1]
        vectors = None if start is None else torch.from_numpy(start)
        terms, prior = len(data.features), torch.from_numpy(data.prior)

        def make() -> BagEncoder:
            random = torch.Generator().manual_seed(settings.seed)
            return BagEncoder(terms, width, prior, random, vectors, settings.dropout)

        batch_size = batch_size_for(data, settings)
        batches = sparse_batches(data.train, batch_size, settings.seed), sparse_batches(watched(data), VALID_BATCH)
        step_size = settings.learning_rate or _RATE
        encoder, trained = learn(make, batches, data, settings, learning_rate=step_size, precision="32")
        warn_if_broken_off(trained, step_size)
        norm = torch.stack([encoder.norm.weight, encoder.norm.bias])
        parts = (encoder.words.weight, norm, encoder.tags.weight, encoder.tags.bias)
        return cls(*(part.detach().numpy() for part in parts)), trained

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> BagExpert:  # noqa: ARG003
        """What was saved."""
        return cls(**arrays)

    def scores(self, reading: Reading) -> Floats:
        """Sum of vectors, hidden layer, then one product per tag."""
        pooled = reading.rows @ self.words  # [B, D]
        middle, spread = _moments(pooled)
        hidden = np.maximum((pooled - middle) / spread * self.norm[0] + self.norm[1], 0)
        result: Floats = hidden @ self.tags.T + self.bias
        return result

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """Each term's share of the score.

        With the spread of the layer and which of its units are open taken as they are in this text, the score is a sum
        over the terms and a rest that no term adds to.
        """
        rows = reading.rows
        pooled = rows @ self.words
        middle, spread = _moments(pooled)
        open_units = (pooled - middle) / spread * self.norm[0] + self.norm[1] > 0  # [B, D]
        found = []
        for ix in range(len(reading)):
            part = slice(rows.indptr[ix], rows.indptr[ix + 1])
            slope = self.tags[tags[ix]] * (open_units[ix] * self.norm[0] / spread[ix])  # [K, D]
            slope = slope - slope.mean(1, keepdims=True)  # the layer takes the mean away
            added = rows.data[part][:, None] * (self.words[rows.indices[part]] @ slope.T)  # [N, K]
            found.append(terms_carried(reading, ix, added))
        return found

    def arrays(self) -> Arrays:
        """Vectors and bias."""
        return {"words": self.words, "norm": self.norm, "tags": self.tags, "bias": self.bias}

    def about(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def _moments(pooled: Floats) -> tuple[Floats, Floats]:
    """Mean and spread of each row [B, 1], as `torch.nn.LayerNorm` reckons them."""
    return pooled.mean(1, keepdims=True), np.sqrt(pooled.var(1, keepdims=True) + _EPSILON)
