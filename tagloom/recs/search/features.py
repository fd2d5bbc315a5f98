"""Words as bags of what has a vector: the word itself where it is known, and the pieces that it is spelt with.

A misspelt or new word has pieces, and so a vector. Shapes: V known words, G pieces, F = V + G, P products, W words of
the catalogue, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from tagloom.recs.search.reading import FIELDS, ProductWords
from tagloom.recs.search.spelling import grams

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Bag = tuple[list[int], list[float]]

_FIELD_WEIGHTS = {"title": 1.0, "tags": 1.0, "category": 0.7, "description": 0.3}
# How much of a known word its pieces are; how many bags of words are remembered.
_PIECES, _REMEMBERED = 0.5, 200_000
_LONGEST = 40


@dataclass(frozen=True, eq=False)
class WordFeatures:
    """Which words and pieces have a vector.

    Args:
        words: [V], known.
        idf: float32 [V], how telling each is.
    """

    words: tuple[str, ...]
    idf: Floats
    _bags: dict[str, Bag] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, words: ProductWords, asked: Iterable[str], most: int) -> WordFeatures:
        """The most frequent words of a catalogue, and those that are asked for.

        Args:
            words: of P products.
            asked: words of queries.
            most: the largest V.
        """
        kept = np.sort(np.argsort(-words.counts, kind="stable")[:most])
        count = len(words) + 1
        known = {words.words[row]: int(words.counts[row]) for row in kept.tolist()}
        for word in asked:
            known.setdefault(word, 0)
        idf = np.log(count / (np.array(list(known.values()), np.float64) + 1)) + 1
        return cls(tuple(known), idf.astype(np.float32))

    def __len__(self) -> int:
        return len(self.words) + len(self._gram_ix)

    def knows(self, word: str) -> bool:
        """Whether a word has a vector of its own."""
        return word in self._word_ix

    def of_word(self, word: str) -> Bag:
        """The features of a word in a query and their weights; none where not even a piece is known."""
        bag = self._bags.get(word)
        if bag is None:
            bag = self._made(word)
            if len(self._bags) < _REMEMBERED:
                self._bags[word] = bag
        return bag

    def of_words(self, words: Iterable[tuple[str, float]]) -> Bag:
        """The features of several weighted words together."""
        entries: list[int] = []
        weights: list[float] = []
        for word, weight in words:
            some, each = self.of_word(word)
            entries += some
            weights += [one * weight for one in each]
        return entries, weights

    def products(self, words: ProductWords) -> Any:
        """CSR matrix [P, F] of a catalogue, each row of length 1; a product without known words or pieces is empty.

        A known word stands for itself alone: its pieces are for those who type.
        """
        bags = [self._as_product_has_it(word) for word in words.words]
        starts = np.cumsum([0, *(len(entries) for entries, _ in bags)])
        entries = np.array([one for some, _ in bags for one in some], np.int64)
        weights = np.array([one for _, some in bags for one in some], np.float32)
        of_words = csr_matrix((weights, entries, starts), shape=(len(words.words), len(self)))
        total = sum(
            (words.rows(name) * _FIELD_WEIGHTS[name] for name in FIELDS[1:]),
            words.rows(FIELDS[0]) * _FIELD_WEIGHTS["title"],
        )
        rows = (total @ of_words).tocsr()
        rows.data /= np.repeat(np.sqrt(rows.multiply(rows).sum(1)).A1, np.diff(rows.indptr)).astype(np.float32)
        return rows

    def _as_product_has_it(self, word: str) -> Bag:
        ix = self._word_ix.get(word)
        return ([ix], [float(self.idf[ix])]) if ix is not None else self.of_word(word)

    def _made(self, word: str) -> Bag:
        pieces = [ix for gram in grams(word[:_LONGEST]) if (ix := self._gram_ix.get(gram)) is not None]
        ix = self._word_ix.get(word)
        told = float(self.idf[ix]) if ix is not None else self._rare
        each = told * (1.0 if ix is None else _PIECES) / max(1, len(pieces)) ** 0.5
        entries, weights = pieces, [each] * len(pieces)
        return ([ix, *entries], [told, *weights]) if ix is not None else (entries, weights)

    @cached_property
    def _rare(self) -> float:
        return float(np.median(self.idf)) if len(self.idf) else 1.0

    @cached_property
    def _word_ix(self) -> dict[str, int]:
        return {word: ix for ix, word in enumerate(self.words)}

    @cached_property
    def _gram_ix(self) -> dict[str, int]:
        """The pieces of all known words, numbered after them."""
        pieces = dict.fromkeys(gram for word in self.words for gram in grams(word))
        return {gram: len(self.words) + ix for ix, gram in enumerate(pieces)}


def joined(bags: Sequence[Bag]) -> tuple[Ints, Ints, Floats]:
    """Bags in a row: entries, starts [bags + 1] and weights, as `nn.items.Bags` has them."""
    starts = np.cumsum([0, *(len(entries) for entries, _ in bags)]).astype(np.int64)
    entries = np.array([one for some, _ in bags for one in some], np.int64)
    return entries, starts, np.array([one for _, some in bags for one in some], np.float32)
