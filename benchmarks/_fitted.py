"""What a trained system hands to the measuring, ours or a peer's; and how a peer's settings are chosen.

Shapes: P texts, L tags.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from _data import Catalogue
from _features import truth_of

from tagloom.measure.tagging import tag_metrics

THREADS = 2
Settings = dict[str, Any]
# Texts -> confidences [P, L], and the seconds from raw text to there.
Answer = Callable[[Sequence[str]], tuple[np.ndarray, float]]


def own_peak() -> int:
    """The peak memory of this process in MiB."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def nothing() -> None:
    """There is nothing to close."""


@dataclass(frozen=True)
class Fitted:
    """A trained system.

    Args:
        tags: [L], the columns of its confidences.
        answer: texts -> confidences and seconds.
        seconds: what training took, from raw text.
        chosen: the settings that were chosen, if any were: enough to train again without choosing.
        about: more that should stand in the figures.
        given: confidences [P, L] and a promised precision (None: none) -> whether a tag is given; None for a peer.
        search_seconds: what training took together with all settings that were tried and lost.
        peak_mib: peak memory of the process that trained and answered.
        close: lets its process go.
    """

    tags: list[str]
    answer: Answer
    seconds: float
    chosen: Settings = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    given: Callable[[np.ndarray, float | None], np.ndarray] | None = None
    search_seconds: float | None = None
    peak_mib: Callable[[], int] = own_peak
    close: Callable[[], None] = nothing


def timed(confidences: Callable[[Sequence[str]], np.ndarray]) -> Answer:
    """Confidences with the seconds that they took."""

    def answer(texts: Sequence[str]) -> tuple[np.ndarray, float]:
        started = time.perf_counter()
        known = confidences(texts)
        return known, time.perf_counter() - started

    return answer


def searched(
    catalogue: Catalogue,
    first: Settings,
    steps: Iterable[tuple[str, Sequence[Any]]],
    fit: Callable[[Settings], Fitted | None],
) -> Fitted:
    """The best settings by nDCG@10 on valid, one setting after the other.

    Args:
        catalogue: its valid part decides.
        first: where the search begins.
        steps: name of a setting, and values to try for it with the best so far of all others. The first value that is
            no better ends the step, and a later step of the same name too where an earlier one brought something:
            it is the way in the other direction.
        fit: settings -> a trained system; None where nothing was learned.

    Returns:
        The best, whose `seconds` are its own alone, as if it had been known.

    Raises:
        RuntimeError: with none of the settings anything was learned.
    """
    chosen, best, moved = first, fit(first), set()
    reached, spent = _on_valid(best, catalogue), 0.0 if best is None else best.seconds
    for name, values in steps:
        for value in () if name in moved else values:
            other = fit({**chosen, name: value})
            came, spent = _on_valid(other, catalogue), spent + (0.0 if other is None else other.seconds)
            worse = other if came <= reached else best
            if worse is not None:
                worse.close()
            if came <= reached:
                break
            chosen, best, reached = {**chosen, name: value}, other, came
            moved.add(name)
    if best is None:
        raise RuntimeError(f"nothing was learned with any settings from {first} on")
    return replace(best, search_seconds=spent)


def _on_valid(fitted: Fitted | None, catalogue: Catalogue) -> float:
    if fitted is None:
        return -np.inf
    known, _ = fitted.answer(catalogue.valid.texts.to_list())
    truth = truth_of(catalogue.valid, fitted.tags).toarray()
    return tag_metrics([(known, truth)], np.inf).values["nDCG@10"]
