"""What the Tagger promises, tried on held-out products.

    python benchmarks/tagging_proofs.py [--data advertisegen hm goodbooks] [--encoder blend] [--seeds 3] [--rows N]

- promises: a precision of .8, .9, .95 and .99 is asked for; the one reached on test, and what it costs in recall.
- calibration: by confidence, how sure the Tagger was and how often it was right; all pairs, and ten tags a text.
- because: of 500 test texts each given tag loses the words named as its cause, or as many words at random; how far its
  confidence falls. Both are cut from the same list of words, and a text with no other words left is not counted.
- cost: seconds to answer with the cause, over those without.
- new tags: 30 tags are hidden from training and added again, see `_new_tags.py`.

Data: see `_data.py`. Figures go to results/tagging_proofs.json, each part of each catalogue when it is done; with
--rows, a trial, none are written.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import _new_tags
import numpy as np
from _data import CATALOGUES, FOLDER, Catalogue, is_there, read_catalogue
from _features import tags_of, truth_of
from _fitted import THREADS
from _report import circumstances, known_figures, write_figures

from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.measure.calibration import Reliability
from tagloom.measure.tagging import tag_metrics
from tagloom.tags.tagger import Tagger, Word

FILE = "tagging_proofs.json"
PROMISES = (0.8, 0.9, 0.95, 0.99)
PARTS = ("promises", "because", "cost", "new tags")
_LIBRARIES = ("torch", "lightning", "scikit-learn", "omikuji", "scipy", "numpy", "rjieba", "polars")
_TEXTS, _TIMED_TEXTS, _TIMINGS = 500, 1_000, 5
_MOST_TAGS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=tuple(CATALOGUES), default=tuple(CATALOGUES))
    parser.add_argument("--encoder", default="blend")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of training and of what is drawn: 0, 1, ...")
    parser.add_argument("--new", type=int, default=30, help="tags to hide")
    parser.add_argument("--rows", type=int, help="at most so many products of each part; nothing is written then")
    wanted = parser.parse_args()

    import torch

    torch.set_num_threads(THREADS)
    for name in wanted.data:
        if not is_there(name):
            print(f"skipped: {FOLDER / CATALOGUES[name][1]} is missing; set TAGLOOM_DATA to the data folder")
            continue
        catalogue = read_catalogue(name, wanted.rows)
        for seed in range(wanted.seeds):
            prove(name, catalogue, seed, wanted)


def prove(name: str, catalogue: Catalogue, seed: int, wanted: argparse.Namespace) -> None:
    """All parts with one seed, each printed and written when it is done."""

    def fit(train: Products, valid: Products) -> Tagger:
        return Tagger(encoder=wanted.encoder, seed=seed).fit(train, valid)

    def done(part: str, found: Any) -> None:
        print(
            f"\n{name}, {wanted.encoder}, seed {seed}, {part}\n{json.dumps(found, ensure_ascii=False, indent=1)}",
            flush=True,
        )
        if wanted.rows is None:
            known = known_figures(FILE)
            entry = {**circumstances(_LIBRARIES), "encoder": wanted.encoder, "figures": found}
            known.setdefault(name, {}).setdefault(part, {})[f"{wanted.encoder}, seed {seed}"] = entry
            write_figures(FILE, known)

    if {"promises", "because", "cost"} & set(wanted.only):
        tagger = fit(catalogue.train, catalogue.valid)
        if "promises" in wanted.only:
            done("promises", promises(tagger, catalogue.test))
        if "because" in wanted.only:
            done("because", deletion(tagger, catalogue.test, seed))
        if "cost" in wanted.only:
            done("cost", cost(tagger, catalogue.test))
    if "new tags" in wanted.only:
        done("new tags", _new_tags.figures(catalogue, wanted.new, seed, fit))


def promises(tagger: Tagger, test: Products) -> dict[str, Any]:
    """Asked and reached precision, and the calibration by bins of confidence; a tag that is new in test is missed."""
    tags = [*tagger.tags, *sorted(set(tags_of(test)) - set(tagger.tags))]
    truth = truth_of(test, tags).toarray()
    known = np.full(truth.shape, -np.inf)
    known[:, : len(tagger.tags)] = np.vstack(list(tagger.confidences(test.texts.to_list())))

    def reached(promise: float | None) -> dict[str, float]:
        given = np.zeros(known.shape, bool)
        given[:, : len(tagger.tags)] = tagger.given(known[:, : len(tagger.tags)], precision=promise)
        values = tag_metrics([(known, truth, given)]).values
        shown = {measure: round(values[measure], 4) for measure in ("precision", "recall", "micro-F1", "coverage")}
        return {**shown, "texts with a tag": round(float(given.any(1).mean()), 4)}

    metrics = tag_metrics([(known, truth)])
    return {
        "own thresholds": reached(None),
        **{f"promise {promise}": reached(promise) for promise in PROMISES},
        **{f"{measure}": round(metrics.values[measure], 5) for measure in ("ECE", "ECE@10", "Brier")},
        "all pairs": _bins(metrics.pairs),
        "ten a text": _bins(metrics.surest),
    }


def _bins(found: Reliability) -> list[str]:
    rows = zip(found.confidence, found.frequency, found.pairs, strict=True)
    return [f"confidence {sure:.4f}, right {right:.4f}, pairs {int(pairs):,}" for sure, right, pairs in rows if pairs]


def deletion(tagger: Tagger, test: Products, seed: int) -> dict[str, Any]:
    """How far a tag's confidence falls without its cause, and without as many words drawn from the whole text."""
    draw = np.random.default_rng(seed)
    known = test.texts.to_list()
    chosen = [_words(known[ix]) for ix in draw.permutation(len(known))[:_TEXTS]]
    answers = tagger.suggest([" ".join(words) for words in chosen], top=_MOST_TAGS, because=True)
    texts: list[str] = []
    tags: list[str] = []
    unnamed = no_other = 0
    for words, answer in zip(chosen, answers, strict=True):
        for score in answer:
            cause = places(words, score.because)
            unnamed += not cause
            no_other += len(cause) == len(words)
            if 0 < len(cause) < len(words):
                others = set(draw.choice(len(words), len(cause), replace=False).tolist())
                texts += [_left(words, gone) for gone in (set(), cause, others)]
                tags.append(score.tag)
    known_each = _confidences(tagger, texts, [tag for tag in tags for _ in range(3)])
    whole, without_cause, without_others = known_each.reshape(-1, 3).T
    fell, fell_by_chance = whole - without_cause, whole - without_others
    return {
        "texts": len(chosen),
        "given tags measured": len(tags),
        "left out, no cause named": unnamed,
        "left out, no other words": no_other,
        "mean confidence": round(float(whole.mean()), 4),
        "mean fall without the cause": round(float(fell.mean()), 4),
        "mean fall without random words": round(float(fell_by_chance.mean()), 4),
        "share that falls more without the cause": round(float((fell > fell_by_chance).mean()), 4),
    }


def _words(text: str) -> list[str]:
    """The words that stand between blanks in all three texts: whole, without the cause, without random words.

    Cut twice: a word that stands alone may be cut further than it was in its sentence.
    """
    splitter = WordSplitter()
    return splitter.split(" ".join(splitter.split(text)))


def _confidences(tagger: Tagger, texts: Sequence[str], tags: Sequence[str]) -> np.ndarray:
    """[P] the confidence of one tag for each text, batch by batch: of all tags at once they would take a gigabyte."""
    column = {tag: ix for ix, tag in enumerate(tagger.tags)}
    wanted, found, start = np.array([column[tag] for tag in tags], int), np.zeros(len(texts)), 0
    for known in tagger.confidences(texts):
        end = start + len(known)
        found[start:end] = known[np.arange(len(known)), wanted[start:end]]
        start = end
    return found


def places(words: Sequence[str], because: Sequence[Word]) -> set[int]:
    """Where in the text the words of a cause stand; a run of words is written with blanks or without."""
    found: set[int] = set()
    for word in because:
        wanted = word.text.replace(" ", "")
        for start in range(len(words)):
            end, joined = start, ""
            while end < len(words) and len(joined) < len(wanted):
                joined, end = joined + words[end].replace(" ", ""), end + 1
            if joined == wanted:
                found.update(range(start, end))
    return found


def _left(words: Sequence[str], gone: set[int]) -> str:
    return " ".join(word for ix, word in enumerate(words) if ix not in gone)


def cost(tagger: Tagger, test: Products) -> dict[str, Any]:
    """Seconds for the answers to the same texts with and without the cause: medians of five, taken in turn."""
    texts = test.texts.to_list()[:_TIMED_TEXTS]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for timing in range(_TIMINGS + 1):
        for because, taken in seconds.items():
            started = time.perf_counter()
            tagger.suggest(texts, because=because)
            if timing:  # the first round warms up
                taken.append(time.perf_counter() - started)
    without, with_cause = (float(np.median(taken)) for taken in seconds.values())
    return {
        "texts": len(texts),
        "seconds": round(without, 4),
        "seconds with the cause": round(with_cause, 4),
        "times": round(with_cause / without, 2),
    }


if __name__ == "__main__":
    main()
