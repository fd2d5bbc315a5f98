"""The rows of a table that are nearest to a vector: exact in a small table, through an index in a large one.

The index is a graph of neighbours (Malkov and Yashunin 2018, "Efficient and Robust Approximate Nearest Neighbor Search
Using Hierarchical Navigable Small World Graphs") over vectors in 8 bits, by usearch. It only proposes: who asks scores
what it gives anew, with all bits. Shapes: B vectors asked, P rows of the table, D width, K found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# Rows up to which looking at each is quick enough.
EXACT = 50_000
# What the index looks at when it is asked and when it grows, at least, and edges of each row.
_LOOKS, _ADD_LOOKS, _EDGES = 384, 64, 16
_BITS = "i8"
# A vector with less than this cosine to the one that the index has of it is put in anew. Eight bits alone cost .0005.
_SAME, _AT_ONCE = 0.99, 50_000


@dataclass(frozen=True, eq=False)
class Nearest:
    """A table of vectors of length 1.

    Args:
        table: [P, D].
        index: of the rows by their `keys`; None: the table is small, and all of it is looked at.
        keys: int64 [P] what the index calls each row.
        exact: rows up to which each is looked at.
    """

    table: Floats
    index: Any
    keys: Ints
    exact: int = EXACT

    @classmethod
    def of(cls, table: Floats, keys: Ints, kept: Any = None, *, exact: int = EXACT) -> Nearest:
        """Ready to be asked.

        Args:
            table: [P, D].
            keys: int64 [P] a number of each row that it keeps, no two alike; they need not be in order.
            kept: an index of an earlier table, as it was in `Nearest.index`: rows that are the same are taken from it.
            exact: rows up to which no index is made.
        """
        found = cls(table, None, keys, exact)
        if len(table) <= exact:
            return found
        if kept is None:
            from usearch.index import Index

            kept = Index(ndim=table.shape[1], metric="cos", dtype=_BITS, connectivity=_EDGES)
        else:
            kept = kept.copy()  # others may be asking it
        kept.expansion_search, kept.expansion_add = _LOOKS, _ADD_LOOKS
        gone = np.setdiff1d(np.asarray(kept.keys, np.int64), keys)
        old = kept.contains(keys)
        moved = _moved(kept, keys, table, np.flatnonzero(old))
        for key in (*gone.tolist(), *keys[moved].tolist()):
            kept.remove(key)
        fresh = np.union1d(np.flatnonzero(~old), moved)
        if len(fresh):
            kept.add(keys[fresh], table[fresh], threads=1)
        return replace(found, index=kept)

    def rows(self, asked: Floats, most: int) -> Ints:
        """Of each vector [B, D] the nearest rows [B, K] by inner product, the nearest first; -1: there are no more."""
        most = min(most, len(self.table))
        if self.index is None:
            scores = asked @ self.table.T
            some = np.argpartition(-scores, max(0, most - 1), axis=1)[:, :most]
            order = np.argsort(-np.take_along_axis(scores, some, 1), axis=1, kind="stable")
            return np.take_along_axis(some, order, 1)
        if not len(asked):
            return np.zeros((0, most), np.int64)
        found = self.index.search(np.ascontiguousarray(asked, np.float32), most, threads=1)
        keys = np.asarray(found.keys, np.int64).reshape(len(asked), -1)
        # What was not found has no sound key; what was found is told by its distance.
        there = np.isfinite(np.asarray(found.distances).reshape(keys.shape))
        order, ordered = self._by_key
        places = np.searchsorted(ordered, keys).clip(max=len(ordered) - 1)
        return np.where(there & (ordered[places] == keys), order[places], -1)

    def found(self, asked: Floats, most: int, allowed: npt.NDArray[np.bool_] | None = None) -> tuple[Ints, Floats]:
        """For one vector [D] the nearest rows [C], the nearest first, and their scores.

        Args:
            asked: [D].
            most: the largest C.
            allowed: [P] what may be found; None: all. Where few are, each of them is looked at.
        """
        if allowed is None or allowed.all():
            (rows,) = self.rows(asked[None], most)
            rows = rows[rows >= 0]
        else:
            rows = self._allowed_rows(asked, most, allowed)
        scores = self.table[rows] @ asked
        order = np.lexsort((rows, -scores))[:most]
        return rows[order], scores[order]

    def _allowed_rows(self, asked: Floats, most: int, allowed: npt.NDArray[np.bool_]) -> Ints:
        """Rows that may be found, the nearest `most` among them."""
        if self.index is not None and np.count_nonzero(allowed) > self.exact:
            for count in counts_to_ask(most, allowed):
                # To look at all that is allowed takes less than to ask the graph for everything.
                if count >= len(allowed):
                    break
                (rows,) = self.rows(asked[None], count)
                near: Ints = rows[(rows >= 0) & allowed[rows]]
                if len(near) >= most:
                    return near
        return np.flatnonzero(allowed)

    @cached_property
    def _by_key(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.keys)
        return order, self.keys[order]

    @staticmethod
    def unpacked(told: Bytes) -> Any:
        """What `packed_index` gave as an index."""
        from usearch.index import Index

        return Index.restore(bytes(told))


def counts_to_ask(most: int, allowed: npt.NDArray[np.bool_]) -> Iterator[int]:
    """How many to ask for until `most` of them are allowed: as many as are likely to do, then twice as many, then all.

    >>> list(counts_to_ask(2, np.array([True, False, False, False, False, False, False, True] * 4)))
    [8, 16, 32]
    """
    count = most / max(float(allowed.mean()), 1 / len(allowed)) if len(allowed) else 0.0
    while count < len(allowed):
        yield math.ceil(count)
        count *= 2
    yield len(allowed)


def packed_index(index: Any) -> Bytes:
    """An index as bytes, for `Nearest.unpacked`."""
    return np.frombuffer(bytes(index.save()), np.uint8)


def _moved(index: Any, keys: Ints, table: Floats, rows: Ints) -> Ints:
    """Of rows that the index has, those that are no longer where it has them."""
    moved = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        there, vectors = np.asarray(index.get(keys[part]), np.float32), table[part]
        lengths = np.linalg.norm(there, axis=1) * np.linalg.norm(vectors, axis=1)
        cosines = (there * vectors).sum(1) / np.maximum(lengths, np.finfo(np.float32).tiny)
        moved.append(part[cosines < _SAME])
    return np.concatenate([*moved, rows[:0]])
