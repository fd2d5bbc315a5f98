"""Tags that are new since training: a few examples, or only a name, and they are scored without training again.

A text is near a new tag when its words are near those of the examples, when the tags that the Tagger already knows say
the same of both, and when the name stands in it. How much each counts is learned at training time by playing the game
on known tags: each in turn is taken for new, with five examples or with none. Vinyals et al. 2016, "Matching Networks
for One Shot Learning", for learning on tasks like the one to come.
Shapes: B texts, P texts of valid, V terms, M columns of the trained experts, N new tags, C cues (4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.tags.experts.name import keys_of, units
from tagloom.tags.features import Reading

Floats = npt.NDArray[np.floating[Any]]

_EXAMPLES = 5
_MOST_TASKS, _MOST_TEXTS = 150, 800
_FEWEST_TASKS = 5
CUES = 4
_UNTAUGHT = np.array([4.0, 2.0, 0.0, 4.0, -4.0])


@dataclass(frozen=True, eq=False)
class Newcomer:
    """What is known of a new tag.

    Args:
        name, spellings: as `experts.name` has them.
        terms, weights: the mean of the examples' TF-IDF rows, of length 1: columns and values.
        profile: [M] the mean of what the Tagger says of the examples, of length 1.
        shown: whether there are examples; otherwise the name is the only one.
    """

    name: str
    spellings: tuple[str, ...]
    terms: npt.NDArray[np.int64]
    weights: Floats
    profile: Floats
    shown: bool

    @classmethod
    def of(cls, name: str, spellings: tuple[str, ...], reading: Reading, confidences: Floats, shown: bool) -> Newcomer:
        """From examples as they are read, or the name where there are none, and what the Tagger says of them [B, M]."""
        mean = np.asarray(reading.rows.mean(axis=0)).ravel()
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
        terms = np.flatnonzero(mean)
        profile = _unit(_unit(confidences).mean(0, keepdims=True))[0]
        return cls(name, spellings, terms, mean[terms], profile, shown)

    def cues(self, reading: Reading, profiles: Floats) -> Floats:
        """[B, C]: nearness of words, of profiles (of length 1, [B, M]), the product of both, the name in the text."""
        vector = np.zeros(reading.rows.shape[1], np.float32)
        vector[self.terms] = self.weights
        words = np.asarray(reading.rows @ vector).ravel()
        tags = profiles @ self.profile
        return np.stack([words, tags, words * tags, self.named(reading)], axis=1)

    def named(self, reading: Reading) -> Floats:
        """[B] 1 where the name, or another spelling, stands in the text."""
        ways = [f" {key} " for key in keys_of(self.spellings)]
        texts = (f" {' '.join(units(words))} " for words in reading.words)
        return np.array([any(way in text for way in ways) for text in texts], np.float64)

    def carried(self, terms: npt.NDArray[Any], weights: Floats, steepness: float) -> Floats:
        """What each term of one text's row [n] adds by nearness of words."""
        vector = dict(zip(self.terms.tolist(), self.weights.tolist(), strict=True))
        own = np.array([vector.get(term, 0.0) for term in terms.tolist()])
        found: Floats = weights * own * steepness
        return found


@dataclass(frozen=True, eq=False)
class Judge:
    """Cues to confidence: a logistic curve for tags with examples and one for those with a name alone, [2, C + 1]."""

    curves: Floats

    @classmethod
    def fit(cls, tasks: Sequence[Task], valid: tuple[Reading, Floats]) -> Judge:
        """Learn on known tags that are taken for new: texts of valid, and what the Tagger says of them [P, M]."""
        cues: tuple[list[Floats], list[Floats]] = ([], [])
        truths: list[Floats] = []
        roots = np.sqrt(valid[1])
        lengths = (roots**2).sum(1, keepdims=True)
        for task in tasks:
            # The tag itself is left out of all profiles: a new one would not be in them.
            profiles = roots / np.sqrt(np.maximum(lengths - roots[:, [task.column]] ** 2, 1e-24))
            truths.append(task.truth)
            for way, (reading, confidences) in enumerate((task.examples, task.name)):
                own = _without(confidences, task.column)
                newcomer = Newcomer.of("", task.spellings, reading, own, shown=way == 0)
                cues[way].append(newcomer.cues(valid[0], profiles))
        return cls(np.stack([_curve(cues[way], truths) for way in (0, 1)]))

    def steepness(self, newcomer: Newcomer) -> float:
        """What a nearness of words of 1 adds to the log-odds."""
        return float(self.curves[0 if newcomer.shown else 1, 0])

    def log_odds(self, newcomer: Newcomer, reading: Reading, confidences: Floats) -> Floats:
        """[B] log-odds of a new tag; `confidences` [B, M] are those of the trained columns."""
        curve = self.curves[0 if newcomer.shown else 1]
        result: Floats = newcomer.cues(reading, _unit(confidences)) @ curve[:-1] + curve[-1]
        return result


@dataclass(frozen=True, eq=False)
class Task:
    """A known tag that is taken for new.

    Args:
        column: its column in the profiles.
        spellings: of its name.
        truth: [P] whether the texts of valid have it.
        examples: five texts of train that have it, and what the Tagger says of them [5, M].
        name: its name as a text, and what the Tagger says of that [1, M].
    """

    column: int
    spellings: tuple[str, ...]
    truth: Floats
    examples: tuple[Reading, Floats]
    name: tuple[Reading, Floats]


def draw_tasks(counts: Floats, truth: Any, seed: int) -> dict[int, list[int]]:
    """Which known tags are taken for new, at most 150, and the five texts of train that are shown of each.

    Args:
        counts: [L] products of train that have each tag.
        truth: CSR matrix [U, L] of the texts of train.
    """
    random = np.random.default_rng(seed)
    often = np.flatnonzero(counts >= 2 * _EXAMPLES)
    if len(often) > _MOST_TASKS:
        often = np.sort(random.choice(often, _MOST_TASKS, replace=False))
    by_tag = truth[:, often].tocsc()
    tasks = {}
    for ix, tag in enumerate(often.tolist()):
        have = by_tag.indices[by_tag.indptr[ix] : by_tag.indptr[ix + 1]]
        if len(have) >= _EXAMPLES:
            tasks[tag] = random.choice(have, _EXAMPLES, replace=False).tolist()
    return tasks


def draw_texts(texts: int, seed: int) -> list[int]:
    """The texts of valid that are played with, at most 800."""
    if texts <= _MOST_TEXTS:
        return list(range(texts))
    return sorted(np.random.default_rng(seed).choice(texts, _MOST_TEXTS, replace=False).tolist())


def _curve(cues: list[Floats], truths: list[Floats]) -> Floats:
    """Weights of the cues and offset; of too few tasks a curve that asks for nearness."""
    if len(cues) < _FEWEST_TASKS:
        return _UNTAUGHT
    from scipy.optimize import minimize
    from scipy.special import expit

    given, right = np.concatenate(cues), (np.concatenate(truths) > 0.5).astype(np.float64)

    def loss(curve: Floats) -> tuple[float, Floats]:
        line, off = given @ curve[:-1] + curve[-1], curve - _UNTAUGHT
        error = expit(line) - right
        value = float((np.logaddexp(0, line) - right * line).sum() + off @ off / 2)
        return value, np.append(given.T @ error, error.sum()) + off

    # Nearness never counts against a tag. A cue that known tags never gave, such as names that stand in no text, keeps
    # its weight.
    bounds = [(0.0, None)] * CUES + [(None, None)]
    result: Floats = minimize(loss, _UNTAUGHT, jac=True, method="L-BFGS-B", bounds=bounds).x
    return result


def _without(confidences: Floats, column: int) -> Floats:
    """The confidences but that of one column, which a new tag would not have."""
    some = confidences.copy()
    some[:, column] = 0
    return some


def _unit(confidences: Floats) -> Floats:
    """Profiles of length 1; of the root, so that what is nearly sure does not drown the rest."""
    roots = np.sqrt(confidences)
    result: Floats = roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)
    return result
