"""One weight for each term and tag, those near zero left out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import TaggerSettings
from tagloom.errors import SettingsError
from tagloom.measure.tagging import tag_metrics
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData, terms_carried
from tagloom.tags.experts.learning import (
    VALID_BATCH,
    batch_size_for,
    by_trial,
    learn,
    sparse_batches,
    warn_if_broken_off,
    watched,
)
from tagloom.tags.families import family_log_odds
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

# Small catalogues of long texts want the largest, large ones of short texts the smallest.
_PRUNED_BELOW = (0.0, 0.1, 0.2, 0.4, 0.6)
_PASSES = 5
# Weights of the table in training, 4 bytes each.
MOST_WEIGHTS = 250_000_000
# Tags up to which a text's rows of weights are best looked at whole.
_FEW_TAGS = 5_000


@dataclass(frozen=True, eq=False)
class LinearExpert:
    """A CSR matrix [V, L] as its three arrays, and the bias [L]."""

    values: Floats
    columns: Rows
    starts: Rows
    bias: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[LinearExpert, Trained | None]:
        """Train `nn.linear.LinearEncoder`, then leave out the weights that valid does not miss.

        Raises:
            SettingsError: terms times tags are too many for a table.
        """
        import torch

        from tagloom.nn.linear import LinearEncoder

        terms, tags = len(data.features), len(data.names)
        if terms * tags > MOST_WEIGHTS:
            raise SettingsError(
                f"linear: {terms:,} terms times {tags:,} tags are more weights than its table holds ({MOST_WEIGHTS:,});"
                " use encoder tree, nearest or blend, or lower tagger.max_features"
            )
        prior = torch.from_numpy(data.prior)
        batch_size = batch_size_for(data, settings)
        batches = sparse_batches(data.train, batch_size, settings.seed), sparse_batches(watched(data), VALID_BATCH)

        def run(step_size: float, **plan: Any) -> tuple[LinearEncoder, Trained]:
            sgd = settings.optimiser in ("auto", "sgd")
            # A batch's loss is a mean over its texts: a step of this size a text is so much more a batch.
            told = {
                "epochs": settings.epochs or _PASSES,
                "optimiser": "sgd" if sgd else settings.optimiser,
                "learning_rate": step_size * batch_size if sgd else step_size,
                "dropout": 0.0,
                "warmup": 0.0,
                "clip": 0.0,
                "precision": "32",
                **plan,
            }
            return learn(lambda: LinearEncoder(terms, prior), batches, data, settings, **told)

        step_size = by_trial(run, data, settings)
        encoder, trained = run(step_size)
        warn_if_broken_off(trained, step_size)
        weights, bias = encoder.words.weight.detach().numpy(), encoder.bias.detach().numpy()
        return cls._pruned(weights, bias, data, settings), trained

    @classmethod
    def _pruned(cls, weights: Floats, bias: Floats, data: TrainingData, settings: TaggerSettings) -> LinearExpert:
        part = watched(data)
        truth, families = part.truth.toarray(), data.families if settings.loss == "family" else ()
        experts = [cls._without_below(least, weights, bias) for least in _PRUNED_BELOW]
        figures = [
            tag_metrics([(family_log_odds(expert.scores(part.reading), families), truth)], np.inf).values["nDCG@10"]
            for expert in experts
        ]
        # The last of the best: a few per cent of the weights carry everything, and less noise often ranks better.
        return experts[max(range(len(experts)), key=lambda ix: (round(figures[ix], 3), ix))]

    @classmethod
    def _without_below(cls, least: float, weights: Floats, bias: Floats) -> LinearExpert:
        from scipy.sparse import csr_matrix

        kept = csr_matrix(np.where(np.abs(weights) >= least, weights, np.float32(0)))
        return cls(kept.data, kept.indices, kept.indptr, bias)

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> LinearExpert:  # noqa: ARG003
        """What was saved."""
        return cls(**arrays)

    @cached_property
    def weights(self) -> Any:
        """The CSR matrix [V, L]."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.values, self.columns, self.starts), shape=(len(self.starts) - 1, len(self.bias)))

    def scores(self, reading: Reading) -> Floats:
        """Weighted sum of the terms' rows."""
        result: Floats = (reading.rows @ self.weights).toarray() + self.bias
        return result

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """Exact: the terms of the sum."""
        rows = reading.rows
        found = []
        for ix in range(len(reading)):
            part = slice(rows.indptr[ix], rows.indptr[ix + 1])
            weights = picked(self.weights, rows.indices[part], tags[ix])  # [N, K]
            found.append(terms_carried(reading, ix, rows.data[part][:, None] * weights))
        return found

    def arrays(self) -> Arrays:
        """Weights and bias."""
        return {"values": self.values, "columns": self.columns, "starts": self.starts, "bias": self.bias}

    def about(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def picked(weights: Any, rows: Rows, columns: Rows) -> Floats:
    """Some rows and columns of a CSR matrix as an array [N, K]."""
    if weights.shape[1] > _FEW_TAGS:
        some: Floats = weights[rows][:, columns].toarray()
        return some
    # Much quicker than taking columns of a sparse matrix.
    starts, ends = weights.indptr[rows], weights.indptr[rows + 1]
    whole = np.zeros((len(rows), weights.shape[1]), np.float32)
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        whole[row, weights.indices[start:end]] = weights.data[start:end]
    result: Floats = whole[:, columns]
    return result
