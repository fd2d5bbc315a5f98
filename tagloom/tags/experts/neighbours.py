"""The tags of the nearest products: nothing is learned, the training texts are looked up.

Cover and Hart 1967, "Nearest Neighbor Pattern Classification"; for many tags Zhang and Zhou 2007, "ML-KNN", without its
counts per tag: the blend and the calibration take their place.
Shapes: B texts, U training texts kept, V terms, L tags, N neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.config import TaggerSettings
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData, terms_carried
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

_NEIGHBOURS = 50
# Near ones count for much more: the share of a neighbour is its cosine to this power.
_POWER = 8
# Of a text the heaviest terms find its neighbours; the others stand in half of all texts and cost the most.
_TERMS = 16
# More texts find better neighbours, but every answer passes over them.
_MOST_TEXTS = 100_000
_AT_ONCE = 256
_SURE = 1e-3


@dataclass(frozen=True, eq=False)
class NeighboursExpert:
    """The training texts: CSR matrices [V, U] of rows and [U, L] of tags, three arrays each; weights [U]."""

    row_values: Floats
    row_columns: Rows
    row_starts: Rows
    tag_values: Floats
    tag_columns: Rows
    tag_starts: Rows
    weights: Floats
    prior: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[NeighboursExpert, Trained | None]:
        """Keep the texts, at most 100,000 drawn by the seed."""
        part = data.train
        kept = np.arange(len(part.reading))
        if len(kept) > _MOST_TEXTS:
            kept = np.sort(np.random.default_rng(settings.seed).choice(kept, _MOST_TEXTS, replace=False))
        rows, tags = part.reading.rows[kept].T.tocsr(), part.truth[kept]
        weights = np.sqrt(part.weights[kept])
        arrays = (rows.data, rows.indices, rows.indptr, tags.data, tags.indices, tags.indptr)
        return cls(*arrays, weights.astype(np.float32), data.prior), None

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> NeighboursExpert:  # noqa: ARG003
        """What was saved."""
        return cls(**arrays)

    @cached_property
    def texts(self) -> Any:
        """The CSR matrix [V, U]."""
        from scipy.sparse import csr_matrix

        shape = (len(self.row_starts) - 1, len(self.weights))
        return csr_matrix((self.row_values, self.row_columns, self.row_starts), shape=shape)

    @cached_property
    def tags(self) -> Any:
        """The CSR matrix [U, L]."""
        from scipy.sparse import csr_matrix

        shape = (len(self.weights), len(self.prior))
        return csr_matrix((self.tag_values, self.tag_columns, self.tag_starts), shape=shape)

    def scores(self, reading: Reading) -> Floats:
        """Log-odds of the share of the neighbours, weighted by nearness, that have the tag; a little of the prior."""
        prior = 1 / (1 + np.exp(-self.prior))
        found = []
        for start in range(0, len(reading), _AT_ONCE):
            near, nearness = self._nearest(reading.rows[start : start + _AT_ONCE])
            share = self._shares(near, nearness)
            share = np.clip((1 - _SURE) * share + _SURE * prior, 1e-5, 1 - 1e-5)
            found.append(np.log(share / (1 - share)))
        result: Floats = np.concatenate(found).astype(np.float32) if found else np.zeros((0, len(prior)), np.float32)
        return result

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """What each term adds to the nearness of the neighbours that have the tag, less of those that do not."""
        near, nearness = self._nearest(reading.rows)
        share = self._weighted(near, nearness)
        rows, found = reading.rows, []
        for ix in range(len(reading)):
            part = slice(rows.indptr[ix], rows.indptr[ix + 1])
            has = self.tags[near[ix]][:, tags[ix]].toarray()  # [N, K]
            mean = share[ix] @ has
            common = self.texts[rows.indices[part]][:, near[ix]].toarray()  # [n, N]
            added = rows.data[part][:, None] * (common @ (share[ix][:, None] * (has - mean)))
            found.append(terms_carried(reading, ix, _POWER * added))
        return found

    def _nearest(self, rows: Any) -> tuple[npt.NDArray[np.int64], Floats]:
        """Rows [B, V] -> the nearest texts [B, N] and their cosines [B, N], in the order of the texts."""
        most = min(_NEIGHBOURS, len(self.weights))
        cosines = (_heaviest(rows) @ self.texts).toarray()  # [B, U]
        near = np.sort(np.argpartition(-cosines, most - 1, axis=1)[:, :most], axis=1)
        return near, np.take_along_axis(cosines, near, 1)

    def _weighted(self, near: npt.NDArray[np.int64], nearness: Floats) -> Floats:
        share = nearness**_POWER * self.weights[near]  # [B, N]
        result: Floats = share / np.maximum(share.sum(1, keepdims=True), 1e-12)
        return result

    def _shares(self, near: npt.NDArray[np.int64], nearness: Floats) -> Floats:
        """[B, L] what share of the neighbours has each tag."""
        from scipy.sparse import csr_matrix

        share = self._weighted(near, nearness)
        starts = np.arange(len(near) + 1) * near.shape[1]
        result: Floats = (
            csr_matrix((share.ravel(), near.ravel(), starts), shape=(len(near), len(self.weights))) @ self.tags
        ).toarray()
        return result

    def arrays(self) -> Arrays:
        """All of it."""
        names = ("row_values", "row_columns", "row_starts", "tag_values", "tag_columns", "tag_starts")
        return {name: getattr(self, name) for name in (*names, "weights", "prior")}

    def about(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def _heaviest(rows: Any) -> Any:
    """CSR rows [B, V] with the 16 heaviest terms of each."""
    from scipy.sparse import csr_matrix

    values = rows.data.copy()
    for start, end in zip(rows.indptr[:-1].tolist(), rows.indptr[1:].tolist(), strict=True):
        if end - start > _TERMS:
            part = values[start:end]
            part[np.argpartition(part, end - start - _TERMS)[: end - start - _TERMS]] = 0
    lighter = csr_matrix((values, rows.indices, rows.indptr), shape=rows.shape)
    lighter.eliminate_zeros()
    return lighter
