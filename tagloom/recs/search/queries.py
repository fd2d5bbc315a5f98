"""A query as it is read: word by word, whatever signs stand between them; there is no query syntax."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tagloom.data.vocabulary.normal import has_han
from tagloom.recs.search.answers import ReadWord
from tagloom.recs.search.spelling import Spelling

# How much less each further reading of a word says.
NEXT_READING = 0.7


@dataclass(frozen=True, eq=False)
class Query:
    """A query as it was read.

    Args:
        read: word by word, each different word once.
        left_out: words beyond the most that are read.
    """

    read: tuple[ReadWord, ...]
    left_out: int

    @classmethod
    def of(cls, words: Sequence[str], spelling: Spelling, most: int, *, half_typed: bool) -> Query:
        """Read a query's words; what comes after `most` different ones is left out."""
        different = list(dict.fromkeys(words))
        kept = different[:most]
        read = dict.fromkeys(_read(kept, spelling, half_typed and kept == different))
        return cls(tuple(read), len(different) - len(kept))

    @cached_property
    def understood(self) -> str:
        """The words as they were read; between two Chinese words stands no blank."""
        parts: list[str] = []
        for word in self.read:
            said = word.words[0] if word.words else word.typed
            joined = parts and has_han(parts[-1][-1:]) and has_han(said[:1])
            parts.append(said if joined or not parts else f" {said}")
        return "".join(parts)

    @property
    def meant(self) -> list[tuple[str, float]]:
        """The words with weights, for their vectors; of a word with several readings these share the weight."""
        found: list[tuple[str, float]] = []
        for word in self.read:
            readings = word.words or (word.typed,)
            each = [NEXT_READING**place for place in range(len(readings))]
            found += [(said, weight / sum(each)) for said, weight in zip(readings, each, strict=True)]
        return found


def _read(words: Sequence[str], spelling: Spelling, half_typed: bool) -> Iterator[ReadWord]:
    for place, word in enumerate(words):
        yield from spelling.read(word, half_typed and place == len(words) - 1)
