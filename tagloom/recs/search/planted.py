"""Queries drawn from the catalogue itself, as somebody might type who wants a certain product; slips included.

So a search learns before anybody has searched, and new words and tags are learned where nobody searches for them yet.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from tagloom.recs.search.reading import ProductWords

# How many things a query names, and how often: the shares of Spink et al. 2001, "Searching the Web", come near.
_THINGS = (1, 2, 3, 4)
_HOW_OFTEN = (2, 4, 3, 1)
_FROM = {"tags": 0.55, "title": 0.25, "category": 0.1, "description": 0.1}
_SLIPS, _HALF_TYPED = 0.15, 0.1
_LEAST_LETTERS = 4


@dataclass(frozen=True, eq=False)
class Planter:
    """Draws queries for products.

    Args:
        words: of P products.
        tags: CSR matrix [P, L], whose entries are the tags of each product.
        ways: [L] of each tag the ways to say it, each in words.
    """

    words: ProductWords
    tags: Any
    ways: Sequence[Sequence[Sequence[str]]]

    def draw(self, row: int, random: Random, slips: float = _SLIPS, half_typed: float = _HALF_TYPED) -> list[str]:
        """The words of a query for a product; none where the product has neither words nor tags."""
        tags = self.tags.indices[self.tags.indptr[row] : self.tags.indptr[row + 1]]
        fields = {field: self._of_field(field, row) for field in ("title", "category", "description")}
        full = [kind for kind in _FROM if (len(tags) if kind == "tags" else fields[kind][1] > fields[kind][0])]
        if not full:
            return []
        found: list[str] = []
        count = random.choices(_THINGS, _HOW_OFTEN)[0]
        for kind in random.choices(full, [_FROM[kind] for kind in full], k=count):
            if kind == "tags":
                ways = self.ways[tags[random.randrange(len(tags))]]
                found += random.choice(ways) if ways else ()
            else:
                found.append(self.words.words[self._numbers[kind][random.randrange(*fields[kind])]])
        found = list(dict.fromkeys(found))
        if found and random.random() < slips:
            place = random.randrange(len(found))
            found[place] = slipped(found[place], random)
        if found and random.random() < half_typed:
            found[-1] = half(found[-1], random)
        return found

    def _of_field(self, field: str, row: int) -> tuple[int, int]:
        starts = self._starts[field]
        return starts[row], starts[row + 1]

    @cached_property
    def _starts(self) -> dict[str, list[int]]:
        return {field: part.tolist() for field, part in self.words.starts.items()}

    @cached_property
    def _numbers(self) -> dict[str, list[int]]:
        return {field: part.tolist() for field, part in self.words.numbers.items()}


def slipped(word: str, random: Random) -> str:
    """A word with one slip of the hand: a letter missing, doubled, wrong, or swapped with the next one.

    Short words and numbers stay. Of a Chinese word of three characters or more one goes missing.
    """
    if word.isascii():
        if len(word) < _LEAST_LETTERS or not word.isalpha():
            return word
        at = random.randrange(1, len(word) - 1)
        ways = (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + random.choice(string.ascii_lowercase) + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
        return random.choice(ways)
    if len(word) < _LEAST_LETTERS - 1:
        return word
    at = random.randrange(len(word))
    return word[:at] + word[at + 1 :]


def half(word: str, random: Random) -> str:
    """The beginning of a word, at least half of it; a short one stays."""
    least = max(2, (len(word) + 1) // 2) if word.isascii() else (len(word) + 1) // 2
    return word[: random.randrange(least, len(word))] if least < len(word) else word
