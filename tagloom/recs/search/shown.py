"""The catalogue of now, ready to be searched: candidates of words and of vectors, and what is known of each.

Shapes: P products, L tags, C candidates, E features of a candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tagloom.data.words.text import WordSplitter
from tagloom.recs.nearest import Nearest, counts_to_ask
from tagloom.recs.search.queries import NEXT_READING, Query
from tagloom.recs.search.reading import ProductWords
from tagloom.recs.search.spelling import Spelling
from tagloom.recs.search.suggest import Suggestions
from tagloom.recs.search.tags import TagNames
from tagloom.recs.search.words import WordIndex

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Allowed = npt.NDArray[np.bool_]
# Rows of products -> a user's log-scores of them.
Personal = Callable[[Ints], Floats]

# What is known of a candidate: BM25 of its words; the share of the query that it holds, rare words counting more; how
# near its vector is; the log of its share of all that is taken; where a user asks, their own score of it.
FEATURES = ("words", "share", "vectors", "popular", "personal")
CANDIDATES = 300


@dataclass(frozen=True, eq=False)
class Candidates:
    """C products that are compared.

    Args:
        rows: [C].
        scores: float32 [C, E], in the order of `FEATURES`; `personal` is 0 where nobody is known.
        matched: whether any holds a word of the query.
    """

    rows: Ints
    scores: Floats
    matched: bool


@dataclass(frozen=True, eq=False)
class Shown:
    """P products.

    Args:
        product_ids: [P].
        words: what stands in them.
        splitter: cuts queries into words as it cut the products.
        spelling: what can be searched for.
        index: finds by words.
        nearest: finds by vectors.
        popular: [P] the log of each product's share of all that is taken.
        tags: the tags of now, those first that were learned.
        by_units: of `TagNames.by_units`.
        suggestions: while somebody types.
        state: whether its words were `kept` in a folder; see `kept.kept_words`.
    """

    product_ids: tuple[str, ...]
    words: ProductWords
    splitter: WordSplitter
    spelling: Spelling
    index: WordIndex
    nearest: Nearest
    popular: Floats
    tags: TagNames
    by_units: Mapping[str, list[int]]
    suggestions: Suggestions
    state: str = "new"

    def __len__(self) -> int:
        return len(self.product_ids)

    def read(self, text: str, most: int) -> Query:
        """A query as it came; its last word may be half typed, unless a blank follows it."""
        return Query.of(self.splitter.split(text), self.spelling, most, half_typed=not text[-1:].isspace())

    def candidates(
        self,
        query: Query,
        vector: Floats | None,
        *,
        allowed: Allowed | None = None,
        personal: Personal | None = None,
        limit: int = CANDIDATES,
    ) -> Candidates:
        """The best products by words and by vectors; of neither, those that are taken most.

        Args:
            query: as it was read.
            vector: its vector [D], None where none of its words has one.
            allowed: bool [P], what may be found; None: all.
            personal: a user's scores.
            limit: products of each kind.
        """
        found, scores = self._by_words(query, limit, allowed)
        near = found[:0] if vector is None else self.nearest.found(vector, limit, allowed)[0]
        rows = np.union1d(found, near)
        if not len(rows):
            shown = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
            rows = shown[np.argsort(-self.popular[shown], kind="stable")[:limit]]
        table = np.zeros((len(rows), len(FEATURES)), np.float32)
        table[np.searchsorted(rows, found), 0] = scores
        table[:, 1] = self._shares(query, rows)
        table[:, 2] = 0.0 if vector is None else self.nearest.table[rows] @ vector
        table[:, 3] = self.popular[rows]
        table[:, 4] = 0.0 if personal is None else personal(rows)
        return Candidates(rows, table, bool(len(found)))

    def _by_words(self, query: Query, limit: int, allowed: Allowed | None) -> tuple[Ints, Floats]:
        """The best products by words, and their scores; of forbidden ones so many more are asked for."""
        if allowed is None:
            return self.index.found(query.read, limit)
        for count in counts_to_ask(limit, allowed):
            found, scores = self.index.found(query.read, count)
            kept = allowed[found]
            if kept.sum() >= limit or len(found) < count:
                break
        return found[kept][:limit], scores[kept][:limit]

    def held(self, query: Query, row: int) -> tuple[str, ...]:
        """The words of a query that a product holds, as they were typed."""
        return tuple(
            dict.fromkeys(word.typed for word in query.read if any(self._holds(said, row) for said in word.words))
        )

    def missing(self, query: Query, allowed: Allowed | None) -> tuple[str, ...]:
        """The words of a query that no product that may be found holds, as they were typed."""

        def there(word: str) -> bool:
            holding = self.words.holding(word)
            return bool(len(holding) if allowed is None else allowed[holding].any())

        return tuple(word.typed for word in query.read if not any(map(there, word.words)))

    def _holds(self, word: str, row: int) -> bool:
        holding = self.words.holding(word)
        place = int(np.searchsorted(holding, row))
        return place < len(holding) and int(holding[place]) == row

    def _shares(self, query: Query, rows: Ints) -> Floats:
        """[C] the share of a query that each product holds; a rare word is a larger part of it."""
        held, whole = np.zeros(len(rows)), 0.0
        for word in query.read:
            best, told = np.zeros(len(rows)), 0.0
            for place, said in enumerate(word.words):
                holding = self.words.holding(said)
                at = np.searchsorted(holding, rows)
                there = np.zeros(len(rows), np.bool_)
                there[at < len(holding)] = holding[at[at < len(holding)]] == rows[at < len(holding)]
                best = np.maximum(best, there * NEXT_READING**place)
                told = told or float(np.log1p(len(self) / (1 + len(holding))))
            told = told or float(np.log1p(len(self)))
            held += told * best
            whole += told
        result: Floats = (held / (whole or 1.0)).astype(np.float32)
        return result
