"""How tags are used: counts on products, which tags stand together, and in what company a tag is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tagloom.data.vocabulary.normal import attribute_of

_COMPANY = 2_000
_SAMPLE = 1_000
_ENOUGH_COMPANY = 10


@dataclass(frozen=True)
class Usage:
    """Which product carries which tag, each once: `matrix` is products x tags, columns in the order of `names`."""

    names: tuple[str, ...]
    matrix: Any
    total: int

    @classmethod
    def of(cls, pairs: pl.DataFrame, place: Mapping[str, str], total: int) -> Usage:
        """Count tags on products.

        Args:
            pairs: `product_ix`, `raw`: which product carries which raw tag.
            place: the name under which each raw tag counts; what is not in it is left out.
            total: products in the catalogue.
        """
        from scipy.sparse import csc_matrix

        names = sorted(set(place.values()))
        index = {name: at for at, name in enumerate(names)}
        lookup = pl.DataFrame(
            {"raw": list(place), "tag": [index[name] for name in place.values()]},
            schema={"raw": pl.String, "tag": pl.UInt32},
        )
        rows = pairs.join(lookup, on="raw").select("product_ix", "tag").unique()
        products = rows["product_ix"].to_numpy()
        shape = (int(products.max()) + 1 if products.size else 0, len(names))
        ones = np.ones(rows.height, dtype=np.float32)
        matrix = csc_matrix((ones, (products, rows["tag"].to_numpy())), shape=shape)
        matrix.sort_indices()
        return cls(tuple(names), matrix, total)

    @cached_property
    def products(self) -> dict[str, int]:
        """On how many products each tag stands."""
        return dict(zip(self.names, map(int, self._counts), strict=True))

    def holders(self, name: str) -> npt.NDArray[np.int32]:
        """The products that carry a tag, ascending."""
        at = self._index.get(name)
        if at is None:
            return np.empty(0, dtype=np.int32)
        found: npt.NDArray[np.int32] = self.matrix.indices[self.matrix.indptr[at] : self.matrix.indptr[at + 1]]
        return found

    def columns(self, names: list[str]) -> Any:
        """The matrix with only these tags, in this order."""
        return self.matrix[:, [self._index[name] for name in names]]

    def sizes(self, names: list[str]) -> npt.NDArray[np.int64]:
        """On how many products each of these tags stands."""
        found: npt.NDArray[np.int64] = self._counts[[self._index[name] for name in names]]
        return found

    @cached_property
    def reach(self) -> dict[str, int]:
        """For each attribute's name, on how many products it stands with any value."""
        columns: dict[str, list[str]] = {}
        for name in self.names:
            if attribute_of(name):
                columns.setdefault(attribute_of(name), []).append(name)
        reached = {}
        for attribute, names in columns.items():
            seen = np.zeros(self.matrix.shape[0], dtype=bool)
            for name in names:
                seen[self.holders(name)] = True
            reached[attribute] = int(seen.sum())
        return reached

    def together(self, one: str, other: str) -> int:
        """On how many products two tags stand together."""
        return int(np.intersect1d(self.holders(one), self.holders(other), assume_unique=True).size)

    def alike(self, one: str, other: str) -> float | None:
        """How like the company of two tags is, 0 to 1; None when there is too little of it to tell.

        The cosine of their positive pointwise mutual information with the most frequent tags (Bullinaria and Levy
        2007), the two themselves left out.
        """
        a, b = self._profile(one).copy(), self._profile(other).copy()
        for name in (one, other):
            if name in self._seats:
                a[self._seats[name]] = b[self._seats[name]] = 0
        if min(np.count_nonzero(a), np.count_nonzero(b)) < _ENOUGH_COMPANY:
            return None
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.names)}

    @cached_property
    def _counts(self) -> npt.NDArray[np.int64]:
        counts: npt.NDArray[np.int64] = np.diff(self.matrix.indptr).astype(np.int64)
        return counts

    @cached_property
    def _company(self) -> npt.NDArray[np.int64]:
        return np.argsort(-self._counts, kind="stable")[:_COMPANY]

    @cached_property
    def _seats(self) -> dict[str, int]:
        return {self.names[tag]: seat for seat, tag in enumerate(self._company)}

    @cached_property
    def _company_rows(self) -> Any:
        return self.matrix[:, self._company].tocsr()

    @cached_property
    def _profiles(self) -> dict[str, npt.NDArray[np.float64]]:
        return {}

    def _profile(self, name: str) -> npt.NDArray[np.float64]:
        if name not in self._profiles:
            holders = self.holders(name)
            # A thousand products show a tag's company as well as all of them.
            holders = holders[:: max(1, holders.size // _SAMPLE)]
            together = np.asarray(self._company_rows[holders].sum(axis=0), dtype=np.float64).ravel()
            expected = holders.size * self._counts[self._company] / max(1, self.total)
            ratio = np.divide(together, expected, out=np.ones_like(together), where=(together > 0) & (expected > 0))
            self._profiles[name] = np.log(np.maximum(ratio, 1.0))
        return self._profiles[name]
