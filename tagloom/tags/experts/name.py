"""Does a tag's name, or one of its aliases, stand in the text, and how often was that right?

Shapes: B texts, P training texts, L tags, K tags asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.config import TaggerSettings
from tagloom.data.words.text import normalise
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_LONGEST = 12  # words of a name, or Chinese characters
# A tag's own count of "stood there and was right" weighs as much as all tags' together from so many texts on.
_TRUST = 5.0


@dataclass(frozen=True, eq=False)
class NameExpert:
    """The ways each tag is written, and the tag's log-odds when it does and does not stand in a text, both [L]."""

    spellings: tuple[tuple[str, ...], ...]
    found: Floats
    absent: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[NameExpert, Trained | None]:  # noqa: ARG003
        """Count how often a name in the text was right, and how often the tag is there without it."""
        spellings = tuple(spellings_of(name, data.aliases.get(name, ())) for name in data.names)
        hits = matches(data.train.reading, _by_spelling(spellings), len(spellings))  # CSR [P, L]
        weights = data.train.weights[:, None].astype(np.float64)
        stood = np.asarray(hits.multiply(weights).sum(0)).ravel()
        right = np.asarray(hits.multiply(data.train.truth).multiply(weights).sum(0)).ravel()
        share = (right.sum() + 1) / (stood.sum() + 2)
        precision = (right + _TRUST * share) / (stood + _TRUST)
        without = (data.counts - right + 0.5) / (float(weights.sum()) - stood + 1)
        return cls(spellings, _log_odds(precision), _log_odds(without)), None

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> NameExpert:  # noqa: ARG003
        """What was saved."""
        return cls(tuple(map(tuple, about["spellings"])), **arrays)

    @cached_property
    def _tags_of(self) -> dict[str, list[int]]:
        return _by_spelling(self.spellings)

    def scores(self, reading: Reading) -> Floats:
        """The log-odds of a tag whose name stands there, or does not."""
        scores = np.repeat(self.absent[None], len(reading), axis=0)
        hits = matches(reading, self._tags_of, len(self.absent)).tocoo()
        scores[hits.row, hits.col] = self.found[hits.col]
        return scores

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """The words of the name."""
        found = []
        for ix in range(len(reading)):
            column = {tag: k for k, tag in enumerate(tags[ix].tolist())}
            terms, weights = [], []
            for spelling, tag in _standing(reading.words[ix], self._tags_of):
                if tag in column:
                    terms.append(spelling)
                    row = np.zeros(len(column), np.float32)
                    row[column[tag]] = self.found[tag] - self.absent[tag]
                    weights.append(row)
            found.append((terms, np.stack(weights) if weights else np.zeros((0, tags.shape[1]), np.float32)))
        return found

    def arrays(self) -> Arrays:
        """Both log-odds."""
        return {"found": self.found, "absent": self.absent}

    def about(self) -> dict[str, Any]:
        """The spellings."""
        return {"spellings": self.spellings}


def spellings_of(name: str, aliases: Sequence[str] = ()) -> tuple[str, ...]:
    """The ways a tag is written in a text: its name, or the value of `attribute=value`, and its aliases; normalised."""
    plain = (normalise(way.partition("=")[2] or way) for way in (name, *aliases))
    return tuple(dict.fromkeys(way for way in plain if way))


def _by_spelling(spellings: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    tags: dict[str, list[int]] = {}
    for tag, ways in enumerate(spellings):
        for way in ways:
            tags.setdefault(way, []).append(tag)
    return tags


def matches(reading: Reading, tags_of: Mapping[str, list[int]], tags: int) -> Any:
    """Which tags' spellings stand in which texts: CSR [B, L] of ones."""
    from scipy.sparse import csr_matrix

    rows, columns = [], []
    for ix, words in enumerate(reading.words):
        standing = {tag for _, tag in _standing(words, tags_of)}
        rows += [ix] * len(standing)
        columns += sorted(standing)
    ones = np.ones(len(rows), np.float32)
    return csr_matrix((ones, (rows, columns)), shape=(len(reading), tags))


def _standing(words: Sequence[str], tags_of: Mapping[str, list[int]]) -> Iterator[tuple[str, int]]:
    """Each spelling that stands in a text, with each tag that is written so.

    A name of Chinese stands anywhere in a run of Chinese words, however that was cut; any other is a run of whole words.
    """
    for start in range(len(words)):
        run = ""
        for word in words[start : start + _LONGEST]:
            if _HAN.match(word):
                break
            run = f"{run} {word}" if run else word
            for tag in tags_of.get(run, ()):
                yield run, tag
            if len(run) > 40:
                break
    for chinese in _chinese_runs(words):
        for start in range(len(chinese)):
            for end in range(start + 1, min(start + _LONGEST, len(chinese)) + 1):
                for tag in tags_of.get(chinese[start:end], ()):
                    yield chinese[start:end], tag


def _chinese_runs(words: Sequence[str]) -> Iterator[str]:
    run = ""
    for word in words:
        if _HAN.match(word):
            run += word
        elif run:
            yield run
            run = ""
    if run:
        yield run


def _log_odds(share: npt.NDArray[np.float64]) -> Floats:
    share = np.clip(share, 1e-6, 1 - 1e-6)
    return np.log(share / (1 - share)).astype(np.float32)
