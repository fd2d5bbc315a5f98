"""Which words of a text carried its tags: the experts' own sums, joined by the blend's weights."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.tags.experts.contract import Expert
from tagloom.tags.features import Reading

_BECAUSE = 3
# Chinese and Japanese; Korean parts its words.
_NO_BLANKS = re.compile("[\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@dataclass(frozen=True)
class Word:
    """A word of the text, or a run of words with a blank between them, and what it added to a tag's score."""

    text: str
    weight: float


def because(
    experts: Mapping[str, Expert], weights: Mapping[str, float], reading: Reading, columns: npt.NDArray[np.int64]
) -> list[list[tuple[Word, ...]]]:
    """For each text and each of its K tags, columns [B, K], the words that carried it, the strongest first."""
    texts: list[dict[str, npt.NDArray[Any]]] = [{} for _ in range(len(reading))]
    for name, expert in experts.items():
        weight = weights.get(name, 0.0)
        if not weight:
            continue
        for found, (terms, added) in zip(texts, expert.carried(reading, columns), strict=True):
            for term, share in zip(terms, weight * added, strict=True):
                found[term] = found[term] + share if term in found else share
    return [[strongest(found, k) for k in range(columns.shape[1])] for found in texts]


def strongest(carried: Mapping[str, npt.NDArray[Any]], k: int) -> tuple[Word, ...]:
    """The words that added most to tag k, those of a run together: `soft`, not also `very soft`."""
    terms = sorted(((float(shares[k]), term) for term, shares in carried.items() if shares[k] > 0), reverse=True)
    return distinct((term, weight) for weight, term in terms)


def distinct(terms: Iterable[tuple[str, float]]) -> tuple[Word, ...]:
    """The strongest terms, without those that share a word with a stronger one, or are a part of it in Chinese."""
    chosen: list[Word] = []
    seen: set[str] = set()
    for term, weight in terms:
        words = term.split(" ")
        if seen.isdisjoint(words) and not any(_one_in_the_other(term, word) for word in seen):
            chosen.append(Word(_as_written(words), weight))
            seen.update(words)
        if len(chosen) == _BECAUSE:
            break
    return tuple(chosen)


def _one_in_the_other(term: str, other: str) -> bool:
    """Whether two ways of cutting Chinese name the same characters: a brand and half of it."""
    return term[:1] > "\u2e7f" and (term in other or other in term)


def _as_written(words: Sequence[str]) -> str:
    """A run of words as it stands in a text: Chinese without blanks."""
    joined = words[0]
    for before, word in itertools.pairwise(words):
        joined += word if _NO_BLANKS.search(before[-1:] + word[:1]) else f" {word}"
    return joined
