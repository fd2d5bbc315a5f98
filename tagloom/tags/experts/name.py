"""Does a tag's name, or one of its aliases, stand in the text, and how often was that right?

Shapes: B texts, P training texts, L tags, K tags asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.config import TaggerSettings
from tagloom.data.words.text import WordSplitter, normalise
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

_HAN = "\u3005\u3007\u3400-\u9fff\U00020000-\U0003ffff"
_ALL_HAN, _SOME_HAN = re.compile(f"[{_HAN}]+"), re.compile(f"[ {_HAN}]")
_GAP = re.compile(f"(?<=[{_HAN}]) (?=[{_HAN}])")
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
        hits = matches(data.train.reading, by_spelling(spellings), len(spellings))  # CSR [P, L]
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
        return by_spelling(self.spellings)

    def scores(self, reading: Reading) -> Floats:
        """The log-odds of a tag whose name stands there, or does not."""
        scores = np.repeat(self.absent[None], len(reading), axis=0)
        hits = matches(reading, self._tags_of, len(self.absent)).tocoo()
        scores[hits.row, hits.col] = self.found[hits.col]
        return scores

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """The words of the name."""
        found: list[Carried] = []
        for ix in range(len(reading)):
            asked = set(tags[ix].tolist())
            terms, weights = [], []
            for _, spelling, tag in standing(units(reading.words[ix]), self._tags_of):
                if tag in asked:
                    terms.append(spelling)
                    weights.append(np.where(tags[ix] == tag, self.found[tag] - self.absent[tag], np.float32(0)))
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


def by_spelling(spellings: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """The tags that are written so, by the units of the spelling with blanks between them."""
    tags: dict[str, list[int]] = {}
    for tag, ways in enumerate(spellings):
        for key in keys_of(ways):
            tags.setdefault(key, []).append(tag)
    return tags


def keys_of(spellings: Iterable[str]) -> list[str]:
    """The units of each spelling with blanks between them; none for a spelling without a letter or digit."""
    keys = (" ".join(units(WordSplitter().split(spelling))) for spelling in spellings)
    return [key for key in dict.fromkeys(keys) if key]


def units(words: Iterable[str]) -> list[str]:
    """Words as names are compared: each Chinese character by itself, however the text was cut; any other word whole.

    >>> units(["5g", "手机", "five trees"])
    ['5g', '手', '机', 'five', 'trees']
    """
    found: list[str] = []
    for word in words:
        if _ALL_HAN.fullmatch(word):
            found += word
        elif _SOME_HAN.search(word):  # a word of the shop's own, or one such as t恤
            for part in WordSplitter().split(" ".join(re.split(f"([{_HAN}])", word))):
                found += part if _ALL_HAN.fullmatch(part) else [part]
        else:
            found.append(word)
    return found


def matches(reading: Reading, tags_of: Mapping[str, list[int]], tags: int) -> Any:
    """Which tags' spellings stand in which texts: CSR [B, L] of ones."""
    from scipy.sparse import csr_matrix

    rows, columns = [], []
    for ix, words in enumerate(reading.words):
        found = {tag for _, _, tag in standing(units(words), tags_of)}
        rows += [ix] * len(found)
        columns += sorted(found)
    ones = np.ones(len(rows), np.float32)
    return csr_matrix((ones, (rows, columns)), shape=(len(reading), tags))


def standing(said: Sequence[str], tags_of: Mapping[str, list[int]]) -> Iterator[tuple[int, str, int]]:
    """Where spellings stand in a text of these `units`, the spelling, and each tag that is written so."""
    for start in range(len(said)):
        run = ""
        for unit in said[start : start + _LONGEST]:
            run = f"{run} {unit}" if run else unit
            for tag in tags_of.get(run, ()):
                yield start, _GAP.sub("", run), tag


def _log_odds(share: npt.NDArray[np.float64]) -> Floats:
    share = np.clip(share, 1e-6, 1 - 1e-6)
    return np.log(share / (1 - share)).astype(np.float32)
