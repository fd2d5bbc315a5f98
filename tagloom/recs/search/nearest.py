"""The products whose vectors point most the way of a query: all compared, or, of many, through usearch's graph.

The graph (Malkov and Yashunin 2018, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs") is grown, not made again, as the catalogue changes: a product that came or was rewritten
gets a new key, and old keys are passed over until they are the most. Shapes: P products, D width, C found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# Of dead keys so many times the living ones, and the graph is made again; how many more than asked for are looked up.
_DEAD, _MORE = 1.0, 2


@dataclass(frozen=True, eq=False)
class Nearest:
    """The vectors of a catalogue.

    Args:
        product_ids: [P].
        vectors: float32 [P, D] of length 1.
        graph: usearch's index; None: all are compared.
        keys: int64 [P], each product's key in the graph.
        rows: int64 [keys so far], the row of each key; -1: it is dead.
    """

    product_ids: tuple[str, ...]
    vectors: Floats
    graph: Any = None
    keys: Ints | None = None
    rows: Ints | None = None

    @classmethod
    def of(cls, product_ids: tuple[str, ...], vectors: Floats, exact: int, last: Nearest | None = None) -> Nearest:
        """A catalogue.

        Args:
            product_ids: [P].
            vectors: [P, D].
            exact: up to so many products all are compared.
            last: the catalogue before, whose graph is grown.
        """
        if len(vectors) <= exact:
            return cls(product_ids, vectors)
        keys, graph, used = np.full(len(vectors), -1, np.int64), None, 0
        if last is not None and last.graph is not None and last.keys is not None:
            graph, used = last.graph, len(last.graph)
            before = {product_id: row for row, product_id in enumerate(last.product_ids)}
            met = np.array([before.get(product_id, -1) for product_id in product_ids], np.int64)
            same = np.flatnonzero(met >= 0)
            same = same[np.isclose(last.vectors[met[same]], vectors[same], atol=1e-6).all(1)]
            keys[same] = last.keys[met[same]]
        if graph is None or used + (keys < 0).sum() > (1 + _DEAD) * len(vectors):
            graph, used = _graph(vectors.shape[1]), 0
            keys[:] = -1
        new = np.flatnonzero(keys < 0)
        keys[new] = used + np.arange(len(new))
        if len(new):
            graph.add(keys[new].astype(np.uint64), vectors[new], threads=1)
        rows = np.full(used + len(new), -1, np.int64)
        rows[keys] = np.arange(len(vectors))
        return cls(product_ids, vectors, graph, keys, rows)

    def found(self, query: Floats, limit: int, allowed: npt.NDArray[np.bool_] | None = None) -> tuple[Ints, Floats]:
        """The nearest products, the best first: rows [C] and scores [C].

        Args:
            query: [D].
            limit: the largest C.
            allowed: bool [P], what may be found; None: all.
        """
        if self.graph is None or self.rows is None or (allowed is not None and not allowed.all()):
            scores = self.vectors @ query
            if allowed is not None:
                scores[~allowed] = -np.inf
            some = min(limit, len(scores))
            best = np.argpartition(-scores, some - 1)[:some] if some else np.zeros(0, np.int64)
            best = best[np.isfinite(scores[best])]
        else:
            keys = self.graph.search(query, _MORE * limit, threads=1).keys.astype(np.int64)
            # A graph that has grown since knows keys that this catalogue does not.
            best = self.rows[keys[keys < len(self.rows)]]
            best = np.unique(best[best >= 0])
        scores = self.vectors[best] @ query
        order = np.lexsort((best, -scores))[:limit]
        return best[order], scores[order]


def _graph(width: int) -> Any:
    from usearch.index import Index

    return Index(ndim=width, metric="ip", dtype="f32")
