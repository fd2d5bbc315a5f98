"""The nearest tags: each tag has a vector, the mean of its texts' TF-IDF rows, and a text is near some of them.

Rocchio 1971, "Relevance Feedback in Information Retrieval"; as prototypes Snell, Swersky and Zemel 2017. It learns in
one pass, however many tags there are, and needs a handful of texts for each.
Shapes: B texts, V terms, L tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import TaggerSettings
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData, terms_carried
from tagloom.tags.experts.linear import picked
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

# Of a vector's terms those that make less than this share of its largest are left out: noise, and most of the memory.
_LEAST = 0.02
# How much a cosine of 1 raises the log-odds; the blend and the calibration set the scale.
_STEEPNESS = 10.0


@dataclass(frozen=True, eq=False)
class NearestExpert:
    """The tags' vectors, of length 1, as a CSR matrix [V, L] in three arrays, and the tags' log-odds [L]."""

    values: Floats
    columns: Rows
    starts: Rows
    prior: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[NearestExpert, Trained | None]:  # noqa: ARG003
        """Add up the rows of each tag's texts."""
        vectors = tag_vectors(data.train.reading.rows, data.train.truth.multiply(data.train.weights[:, None]).tocsr())
        matrix = vectors.T.tocsr()
        return cls(matrix.data, matrix.indices, matrix.indptr, data.prior), None

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> NearestExpert:  # noqa: ARG003
        """What was saved."""
        return cls(**arrays)

    @cached_property
    def vectors(self) -> Any:
        """The CSR matrix [V, L]."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.values, self.columns, self.starts), shape=(len(self.starts) - 1, len(self.prior)))

    def scores(self, reading: Reading) -> Floats:
        """The prior and the cosine with each tag's vector."""
        result: Floats = self.prior + _STEEPNESS * (reading.rows @ self.vectors).toarray()
        return result

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """Exact: the cosine is a sum over the terms."""
        rows = reading.rows
        found = []
        for ix in range(len(reading)):
            part = slice(rows.indptr[ix], rows.indptr[ix + 1])
            added = rows.data[part][:, None] * picked(self.vectors, rows.indices[part], tags[ix])
            found.append(terms_carried(reading, ix, _STEEPNESS * added))
        return found

    def arrays(self) -> Arrays:
        """Vectors and prior."""
        return {"values": self.values, "columns": self.columns, "starts": self.starts, "prior": self.prior}

    def about(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def tag_vectors(rows: Any, weights: Any) -> Any:
    """Rows [P, V], what each counts for each tag [P, L] -> vectors of length 1 [L, V], small terms gone; all CSR."""
    from sklearn.preprocessing import normalize

    sums = (weights.T @ rows).tocsr()
    least = _LEAST * np.asarray(sums.max(axis=1).todense()).ravel()
    sums.data[sums.data < np.repeat(least, np.diff(sums.indptr))] = 0
    sums.eliminate_zeros()
    return normalize(sums).astype(np.float32)
