"""Words that no product has, read as words that products have: completed, corrected, or taken apart.

Shapes: W words of the catalogue.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tagloom.data.vocabulary.normal import has_han
from tagloom.recs.search.answers import ReadWord
from tagloom.recs.search.reading import ProductWords

Ints = npt.NDArray[np.int64]

_DIGIT = re.compile(r"\d")
# Letters from which one slip, and from which two, are forgiven. A shorter word is too often another word.
_ONE_SLIP, _TWO_SLIPS = 4, 8
# How many words stand in place of one; how many are looked at closely; the shortest pieces of a Latin word.
_MOST, _LOOKED_AT, _LEAST_PIECE = 5, 50, 3
_LONGEST = 40
# Words of the same letters that are looked at closely; the signs that letters are told apart by; how many times as
# frequent a longer word must be to be meant by a half-typed one that is a word, too.
_OF_THESE_LETTERS, _SIGNS, _MUCH_MORE = 200, 32, 20


def grams(word: str) -> list[str]:
    """The pieces that a word shares with words spelt like it.

    Three letters each, with the word's ends; of Chinese each character and each pair of neighbours.

    >>> grams("bag"), grams("双肩包")
    (['<ba', 'bag', 'ag>'], ['双', '肩', '包', '双肩', '肩包'])
    """
    if has_han(word):
        return [*word, *(word[at : at + 2] for at in range(len(word) - 1))]
    closed = f"<{word}>"
    return [closed[at : at + 3] for at in range(len(closed) - 2)]


def slips(one: str, other: str, most: int) -> int:
    """How many letters are missing, too many, wrong or swapped with their neighbour; more than `most` is `most` + 1.

    Optimal string alignment: Damerau 1964, "A technique for computer detection and correction of spelling errors".

    >>> slips("sheos", "shoes", 2), slips("trouser", "trousers", 2), slips("cap", "shoe", 2)
    (1, 1, 3)
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        older, before, row = before, row, [at]
        for to, another in enumerate(other, 1):
            cost = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + (letter != another))
            if at > 1 and to > 1 and letter == other[to - 2] and one[at - 2] == another:
                cost = min(cost, older[to - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def _letter_counts(words: Sequence[str]) -> npt.NDArray[np.int8]:
    """How often each letter stands in each word: [words, 32]; rare letters share a place."""
    lengths = [len(word) for word in words]
    codes = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32) % _SIGNS
    places = np.repeat(np.arange(len(words)), lengths) * _SIGNS + codes
    counts = np.bincount(places, minlength=len(words) * _SIGNS)
    return np.minimum(counts, 60).astype(np.int8).reshape(len(words), _SIGNS)


@dataclass(frozen=True, eq=False)
class Spelling:
    """The words that can be searched for, and how often each is met.

    Args:
        words: [W], sorted.
        counts: [W] products that hold each; 0: users ask for it, but no product has it.
    """

    words: tuple[str, ...]
    counts: Ints

    @classmethod
    def of(cls, words: ProductWords, asked: Iterable[str]) -> Spelling:
        """The words of a catalogue, and words that users asked for."""
        counts = dict.fromkeys(asked, 0) | dict(zip(words.words, words.counts.tolist(), strict=True))
        ordered = sorted(counts)
        return cls(tuple(ordered), np.array([counts[word] for word in ordered], np.int64))

    def read(self, word: str, half_typed: bool) -> list[ReadWord]:
        """How a word is read; several pieces where it is taken apart.

        Args:
            word: as `WordSplitter` gives it.
            half_typed: whether it is the last one, so that its end may be missing.
        """
        if word in self._row_of:
            if not self.counts[self._row_of[word]]:
                return [ReadWord(word, (word,), "asked")]
            return [ReadWord(word, (word, *(self._much_more(word) if half_typed else ())), "typed")]
        if len(word) > _LONGEST:
            return [ReadWord(word, (), "unknown")]
        completed = self.completed(word) if half_typed else ()
        if completed:
            return [ReadWord(word, completed, "completed")]
        if has_han(word):
            for how, words in (("completed", self.containing(word)), ("part", self.parts(word))):
                if how == "part" and words:
                    return [ReadWord(piece, (piece,), how) for piece in words]
                if words:
                    return [ReadWord(word, words, how)]
        corrected = self.corrected(word)
        if corrected:
            return [ReadWord(word, corrected, "corrected")]
        # In the middle of a query words are cut short, too, though seldom.
        completed = self.completed(word)
        if completed:
            return [ReadWord(word, completed, "completed")]
        pieces = () if has_han(word) else self._halves(word)
        return [ReadWord(piece, (piece,), "part") for piece in pieces] or [ReadWord(word, (), "unknown")]

    def knows(self, word: str) -> bool:
        """Whether a word is met as it stands, or, Chinese, in others or in pieces; a slip or an unknown one is not."""
        return word in self._row_of or (has_han(word) and self.read(word, False)[0].how in ("completed", "part"))

    def completed(self, start: str) -> tuple[str, ...]:
        """Words that begin like this, the most frequent first; of one Latin letter too many do."""
        if len(start) < 2 and not has_han(start):
            return ()
        first = bisect_left(self.words, start)
        last = bisect_left(self.words, start + "\U0010ffff")
        return self._frequent(np.arange(first, last))

    def containing(self, part: str) -> tuple[str, ...]:
        """Words that have this inside, the most frequent first."""
        found = [row for row in self._sharing(part).tolist() if part in self.words[row]]
        return self._frequent(np.array(found, np.int64))

    def corrected(self, word: str) -> tuple[str, ...]:
        """Words that are a slip of the hand away, the nearest first, of equally near ones the most frequent.

        A number or a size is never corrected: 128gb is no slip for 256gb. Of Chinese one character may be wrong.
        """
        han = has_han(word)
        letters = len(word)
        most = (letters >= 3) if han else (letters >= _ONE_SLIP) + (letters >= _TWO_SLIPS)
        if not most or _DIGIT.search(word):
            return ()
        found = []
        for row in (self._sharing(word) if han else self._of_these_letters(word, most)).tolist():
            other = self.words[row]
            away = slips(word, other, most)
            if away <= most and not _DIGIT.search(other) and len(other) > 1:
                found.append((away, other[0] != word[0], -int(self.counts[row]), other))
        nearest = min((one[0] for one in found), default=0)
        return tuple(other for away, _, _, other in sorted(found) if away == nearest)[:_MOST]

    def parts(self, word: str) -> tuple[str, ...]:
        """A Chinese word as the fewest words that products have; what none has is passed over.

        Of ways with equally few the one with the most frequent words.
        """
        best: list[tuple[float, tuple[str, ...]]] = [(0.0, ())]
        for end in range(1, len(word) + 1):
            # A character that no product has costs more than any number of words.
            ways = [(best[end - 1][0] + 100.0, best[end - 1][1])]
            for start in range(end):
                row = self._row_of.get(word[start:end])
                if row is not None:
                    cost, pieces = best[start]
                    ways.append((cost + 1 + 1 / (2 + float(self.counts[row])), (*pieces, word[start:end])))
            best.append(min(ways))
        return best[-1][1]

    def _halves(self, word: str) -> tuple[str, ...]:
        """A Latin word as two that were typed without the blank between them; the most frequent ones."""
        ways = [
            (min(self._count(word[:at]), self._count(word[at:])), word[:at], word[at:])
            for at in range(_LEAST_PIECE, len(word) - _LEAST_PIECE + 1)
        ]
        count, *pieces = max(ways, default=(0, "", ""))
        return tuple(map(str, pieces)) if count else ()

    def _much_more(self, word: str) -> tuple[str, ...]:
        """Words that begin like a rare one and are so much more frequent that they may be meant, too."""
        least = _MUCH_MORE * max(1, self._count(word))
        return tuple(other for other in self.completed(word) if other != word and self._count(other) >= least)

    def _count(self, word: str) -> int:
        row = self._row_of.get(word)
        return 0 if row is None else max(1, int(self.counts[row]))

    def _frequent(self, rows: Ints) -> tuple[str, ...]:
        order = np.argsort(-self.counts[rows], kind="stable")[:_MOST]
        return tuple(self.words[row] for row in rows[order].tolist())

    def _sharing(self, word: str) -> Ints:
        """Rows of the words that share the most pieces with a word, for their length."""
        shared = [self._with_gram[gram] for gram in set(grams(word)) if gram in self._with_gram]
        if not shared:
            return np.zeros(0, np.int64)
        rows, counts = np.unique(np.concatenate(shared), return_counts=True)
        alike = counts / (self._lengths[rows] + len(word))
        order = np.argsort(-alike, kind="stable")[:_LOOKED_AT]
        found: Ints = rows[order]
        return found

    def _of_these_letters(self, word: str, most: int) -> Ints:
        """Rows of words of about the same letters, in whatever order: a slip changes at most two of their counts."""
        away = np.abs(self._letters - _letter_counts([word])).sum(1, dtype=np.int64)
        near = np.flatnonzero((away <= 2 * most) & (np.abs(self._lengths - len(word)) <= most))
        found: Ints = near[np.argsort(away[near], kind="stable")[:_OF_THESE_LETTERS]]
        return found

    @cached_property
    def _letters(self) -> npt.NDArray[np.int8]:
        return _letter_counts(self.words)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def _lengths(self) -> Ints:
        return np.array([len(word) for word in self.words], np.int64)

    @cached_property
    def _with_gram(self) -> dict[str, Ints]:
        """Of each piece the rows of the words that have it."""
        found: dict[str, list[int]] = {}
        for row, word in enumerate(self.words):
            for gram in set(grams(word)):
                found.setdefault(gram, []).append(row)
        return {gram: np.array(rows, np.int64) for gram, rows in found.items()}
