"""Suggestions while somebody types: what others searched, tags, and words that stand side by side in titles.

A query of the log is shown only when several different users typed it (`pairs.LEAST_USERS`): what one user alone
searched is nobody else's business. Shapes: E entries, S places where an entry can begin to match.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tagloom.data.words.text import WordSplitter, normalise
from tagloom.recs.search.reading import ProductWords

_MOST_CHARACTERS = 60
# Titles that a pair of words must stand in; the most pairs kept.
_LEAST_TITLES, _MOST_PAIRS = 3, 5_000
# What begins in the middle comes after what begins at the start, unless it is searched so many times as often.
_INSIDE = 0.2


@dataclass(frozen=True, eq=False)
class Suggestions:
    """What can be suggested.

    Args:
        entries: [E] as they are shown.
        starts: [S] sorted: the entries from each of their words on.
        entry: int64 [S] whose.
        weights: float64 [S].
        first: bool [S], whether it is the first of the entry's words.
    """

    entries: tuple[str, ...]
    starts: tuple[str, ...]
    entry: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    first: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        asked: Mapping[str, int],
        tags: Iterable[tuple[str, int]],
        words: ProductWords,
        splitter: WordSplitter,
    ) -> Suggestions:
        """From what there is.

        Args:
            asked: queries of the log, normalised, and how many users typed each.
            tags: the ways to say each tag, and how many products carry it.
            words: the catalogue.
            splitter: cuts an entry into words, from each of which on it can be found.
        """
        carried: dict[str, int] = {}
        for text, count in [*_title_pairs(words), *tags]:
            shown = normalise(text, _MOST_CHARACTERS)
            carried[shown] = max(count, carried.get(shown, 0))
        # How often it was searched comes first, then on how many products it is: a share below 1 is added.
        most = max(carried.values(), default=0) + 1
        weights = {text: count / most for text, count in carried.items() if text and count}
        for text, count in asked.items():
            weights[text] = weights.get(text, 0.0) + count
        entries = tuple(weights)
        places: list[tuple[str, int, bool]] = []
        for ix, text in enumerate(entries):
            at = 0
            for number, word in enumerate(splitter.split(text)):
                at = max(at, text.find(word, at))
                places.append((text[at:], ix, not number))
                at += len(word)
        places.sort()
        entry = np.array([ix for _, ix, _ in places], np.int64)
        first = np.array([begins for *_, begins in places], np.bool_)
        each = np.array(list(weights.values()), np.float64)[entry] * np.where(first, 1.0, _INSIDE)
        return cls(entries, tuple(start for start, _, _ in places), entry, each, first)

    def complete(self, typed: str, top: int = 10) -> tuple[str, ...]:
        """What begins like this, the most searched first; of nothing typed the most searched of all.

        Where nothing does, the last word alone is completed, behind those before it.

        Args:
            typed: as far as it is typed, in any spelling, simplified or traditional.
            top: at most so many.
        """
        start = normalise(typed, _MOST_CHARACTERS)
        found = self._beginning(start, top)
        before, blank, last = start.rpartition(" ")
        if not found and blank:
            found = tuple(f"{before} {rest}" for rest in self._beginning(last, top, inside=False))
        return found

    def _beginning(self, start: str, top: int, inside: bool = True) -> tuple[str, ...]:
        first, last = bisect_left(self.starts, start), bisect_left(self.starts, start + "\U0010ffff")
        weights = self.weights[first:last]
        if not inside:
            chosen = np.flatnonzero(self.first[first:last])
            return self._best(first + chosen, weights[chosen], top)
        return self._best(np.arange(first, last), weights, top)

    def _best(self, places: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], top: int) -> tuple[str, ...]:
        """The entries at some places, the heaviest first."""
        # More than are shown: an entry may be found at several of its words.
        some = min(len(weights), 4 * top)
        best = np.argpartition(-weights, some - 1)[:some] if some else np.zeros(0, np.int64)
        order = places[best[np.lexsort((best, -weights[best]))]]
        shown = dict.fromkeys(self.entries[ix] for ix in self.entry[order].tolist())
        return tuple(shown)[:top]


def _title_pairs(words: ProductWords) -> list[tuple[str, int]]:
    """Words that stand side by side in several titles, with how many."""
    numbers, most = words.numbers["title"], max(1, len(words.words))
    title = np.repeat(np.arange(len(words)), np.diff(words.starts["title"]))
    # A pair as one number: as Python's own pairs they would take many times the memory.
    within = title[:-1] == title[1:]
    pairs, title = (numbers[:-1] * most + numbers[1:])[within], title[1:][within]
    order = np.lexsort((pairs, title))
    pairs, title = pairs[order], title[order]
    # Each once in a title.
    new = np.append(True, (np.diff(pairs) != 0) | (np.diff(title) != 0))[: len(pairs)]
    found, counts = np.unique(pairs[new], return_counts=True)
    best = np.argsort(-counts, kind="stable")[:_MOST_PAIRS]
    best = best[counts[best] >= _LEAST_TITLES]
    said = ((words.words[pair // most], words.words[pair % most]) for pair in found[best].tolist())
    return [(_side_by_side(*both), count) for both, count in zip(said, counts[best].tolist(), strict=True)]


def _side_by_side(one: str, other: str) -> str:
    """Two words as they are written: Chinese without a blank between them."""
    return f"{one}{other}" if one[-1:] > "\u2e7f" and other[:1] > "\u2e7f" else f"{one} {other}"
