"""How a candidate's features are joined: two blends, one for what users often ask, one for what nobody has asked yet.

A log says that what is taken most should come first, which holds for what users ask; for a name that nobody typed yet
the words say more. One blend for both was worse for each. So queries of the log, and queries drawn from the catalogue,
fit a blend each, and a query gets a mean of both by the share of its words that several users typed.
Shapes: Q queries, C candidates, E features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.recs.blend import Blend, fit_blend, sharpened
from tagloom.recs.blend import Candidates as Compared
from tagloom.recs.search.queries import Query
from tagloom.recs.search.shown import FEATURES, Candidates, Personal, Shown
from tagloom.recs.search.vectors import Vectors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# Of a user's own scores, where no log says what they are worth: the query says most of what is wanted.
_PERSONAL_WEIGHT = 0.3


@dataclass(frozen=True, eq=False)
class Held:
    """Q queries that are not learned from.

    Args:
        words: of each.
        products: int64 [Q] what was taken.
        personal: [Q] the scores of who asked; None: nobody is known.
    """

    words: Sequence[Sequence[str]]
    products: Ints
    personal: Sequence[Personal | None]

    def __len__(self) -> int:
        return len(self.words)

    def read(self, shown: Shown, vectors: Vectors, most: int) -> list[tuple[Query, Floats | None]]:
        """Each query as it is read, and its vector."""
        read = [Query.of(said, shown.spelling, most, half_typed=True) for said in self.words]
        return [(query, vectors.query(query.meant)) for query in read]


@dataclass(frozen=True, eq=False)
class Joining:
    """Weights of the features, in the order of `FEATURES`.

    Args:
        asked: for queries whose words several users typed.
        other: for queries of other words.
    """

    asked: Blend
    other: Blend

    def of(self, share: float) -> Blend:
        """The weights for a query, so much of which several users typed."""
        weights = share * self.asked.weights + (1 - share) * self.other.weights
        return Blend(self.asked.names, weights.astype(np.float32))

    def scores(self, candidates: Candidates, share: float) -> Floats:
        """[C] the joined scores."""
        blend = self.of(share)
        return blend.joined([candidates.scores[:, FEATURES.index(name)] for name in blend.names])

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {"asked": self.asked.as_dict(), "other": self.other.as_dict()}

    @classmethod
    def from_dict(cls, about: dict[str, Any]) -> Joining:
        """From what `as_dict` gave."""
        return cls(Blend.from_dict(about["asked"]), Blend.from_dict(about["other"]))

    @classmethod
    def fit(cls, shown: Shown, vectors: Vectors, most: int, logged: Held, drawn: Held) -> Joining:
        """By what was taken after queries.

        Args:
            shown: the catalogue.
            vectors: of queries.
            most: words that are read.
            logged: queries of the log; where there are none all get the weights of drawn ones.
            drawn: queries that were drawn.
        """
        other = _fitted(shown, vectors, most, drawn)
        return cls(_fitted(shown, vectors, most, logged) if len(logged) else other, other)


def _fitted(shown: Shown, vectors: Vectors, most: int, held: Held) -> Blend:
    """The weights under which what was taken is likeliest among the candidates."""
    scores, truth = [], []
    asked = zip(held.read(shown, vectors, most), held.products.tolist(), held.personal, strict=True)
    for (query, vector), product, personal in asked:
        found = shown.candidates(query, vector, personal=personal)
        there = found.rows == product
        if there.any():
            scores.append(found.scores)
            truth.append(there)
    # A user's own scores, where none are known, are all alike and would get any weight.
    known = any(one is not None for one in held.personal)
    names = FEATURES if known else FEATURES[:-1]
    width = max(map(len, truth), default=0)
    filled = np.full((len(truth), width, len(names)), -np.inf, np.float32)
    told = np.zeros((len(truth), width), np.float32)
    for row, (part, true) in enumerate(zip(scores, truth, strict=True)):
        filled[row, : len(true)], told[row, : len(true)] = part[:, : len(names)], true
    compared = Compared(filled, told)
    blend = sharpened(fit_blend(names, compared), compared)
    return blend if known else Blend(FEATURES, np.append(blend.weights, np.float32(_PERSONAL_WEIGHT)))
