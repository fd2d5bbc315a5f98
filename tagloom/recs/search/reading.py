"""The catalogue as words: what stands in each product's title, tags, category and description.

Shapes: P products, W different words, N words in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.tags.experts.name import spellings_of

Ints = npt.NDArray[np.int64]
Cut = Callable[[str], list[str]]

FIELDS = ("title", "tags", "category", "description")
# What is at the end of a description is seldom what it is about.
_MOST_WORDS = 300


@dataclass(frozen=True, eq=False)
class ProductWords:
    """The words of P products in their order, by field.

    Args:
        words: [W] all different words, sorted.
        starts: of each of `FIELDS` int64 [P + 1].
        numbers: of each of `FIELDS` int64 [N], rows of `words`; those of product p are `starts[p] : starts[p + 1]`.
    """

    words: tuple[str, ...]
    starts: dict[str, Ints]
    numbers: dict[str, Ints]

    @classmethod
    def of(cls, products: Products, splitter: WordSplitter, aliases: Mapping[str, Sequence[str]]) -> ProductWords:
        """Read a catalogue.

        Args:
            products: with clean tags.
            splitter: cuts texts into words.
            aliases: other ways to write some tags; who searches for them means the tag.
        """
        known: dict[str, int] = {}
        starts, numbers = {}, {}
        for field in FIELDS:
            found: list[int] = []
            ends = [0]
            for words in _words_of(products, field, splitter.split, aliases):
                found += [known.setdefault(word, len(known)) for word in words[:_MOST_WORDS]]
                ends.append(len(found))
            starts[field], numbers[field] = np.array(ends, np.int64), np.array(found, np.int64)
        order = sorted(known)
        place = np.empty(len(order), np.int64)
        place[[known[word] for word in order]] = np.arange(len(order))
        return cls(tuple(order), starts, {field: place[rows] for field, rows in numbers.items()})

    def __len__(self) -> int:
        return len(self.starts["title"]) - 1

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    def rows(self, field: str) -> Any:
        """CSR matrix [P, W], 1 where the field holds the word."""
        starts, numbers = self.starts[field], self.numbers[field]
        counts = csr_matrix((np.ones(len(numbers), np.float32), numbers, starts), shape=(len(self), len(self.words)))
        counts.sum_duplicates()
        counts.data[:] = 1
        return counts

    @cached_property
    def holders(self) -> Any:
        """CSC matrix [P, W], not 0 where any field holds the word."""
        return sum((self.rows(field) for field in FIELDS[1:]), self.rows(FIELDS[0])).tocsc()

    @cached_property
    def counts(self) -> Ints:
        """[W] the products that hold each word."""
        found: Ints = np.diff(self.holders.indptr).astype(np.int64)
        return found

    def holding(self, word: str) -> Ints:
        """The rows of the products that hold a word."""
        column = self.row_of.get(word)
        if column is None:
            return np.zeros(0, np.int64)
        start, end = self.holders.indptr[column : column + 2]
        found: Ints = self.holders.indices[start:end].astype(np.int64)
        return found

    def texts(self, field: str, separator: str = " ") -> Iterator[str]:
        """Each product's words of a field, joined; a blank within a word becomes a sign that no text has."""
        plain = [word.replace(" ", "\x1f") for word in self.words]
        numbers = self.numbers[field]
        for start, end in pairwise(self.starts[field].tolist()):
            yield separator.join([plain[ix] for ix in numbers[start:end].tolist()])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All numbers that must be saved beside `words`."""
        return {
            f"{name}.{field}": part[field]
            for name, part in (("starts", self.starts), ("numbers", self.numbers))
            for field in FIELDS
        }

    @classmethod
    def from_arrays(cls, words: Sequence[str], arrays: Mapping[str, npt.NDArray[Any]]) -> ProductWords:
        """From what `arrays` gave."""
        starts, numbers = ({field: arrays[f"{name}.{field}"] for field in FIELDS} for name in ("starts", "numbers"))
        return cls(tuple(words), starts, numbers)


def _words_of(products: Products, field: str, cut: Cut, aliases: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """The words of one field of each product."""
    values = products.frame[field].to_list()
    if field in ("title", "description"):
        return map(cut, values)
    cut = _remembering(cut)
    if field == "category":
        return ([word for step in steps for word in cut(step)] for steps in values)
    return (
        [word for tag in tags for way in spellings_of(tag, aliases.get(tag, ())) for word in cut(way)]
        for tags in values
    )


def _remembering(cut: Cut) -> Cut:
    """The same function, which cuts a text once: tags and categories come again and again."""
    known: dict[str, list[str]] = {}

    def cached(text: str) -> list[str]:
        if text not in known:
            known[text] = cut(text)
        return known[text]

    return cached
