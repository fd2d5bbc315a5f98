"""Train one system on a catalogue and measure it on valid and test.

Shapes: P texts, L tags.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from _data import Catalogue
from _features import tags_of, truth_of
from _fitted import THREADS, Fitted, Settings, timed
from _peers import omikuji_trees, one_versus_rest
from _peers_apart import fasttext_ova, pecos_xr_linear

from tagloom.config import settings_from
from tagloom.data.tables import Products
from tagloom.measure.propensity import propensities
from tagloom.measure.tagging import best_threshold, tag_metrics
from tagloom.tags.tagger import Tagger

PROMISE = 0.95
# Name -> settings; what they leave out has its default.
OURS: dict[str, Settings] = {
    name: {"encoder": name}
    for name in (
        "popular",
        "name",
        "nearest",
        "neighbours",
        "linear",
        "tree",
        "bag",
        "cnn",
        "lstm",
        "transformer",
        "blend",
    )
}
Peer = Callable[[Catalogue, int, int, Settings | None], Fitted]
# Name -> peer and its longest run of words. Both lengths stand in the table: which is better depends on the catalogue.
# fastText chooses its length itself.
PEERS: dict[str, tuple[Peer, int]] = {
    "one-vs-rest, words": (one_versus_rest, 1),
    "one-vs-rest, pairs": (one_versus_rest, 2),
    "omikuji, words": (omikuji_trees, 1),
    "omikuji, pairs": (omikuji_trees, 2),
    "PECOS, words": (pecos_xr_linear, 1),
    "PECOS, pairs": (pecos_xr_linear, 2),
    "fastText": (fasttext_ova, 2),
}
# The same on every run.
SEEDLESS = {"popular", "name", "nearest", "neighbours", "tree", "omikuji, words", "omikuji, pairs"}


def measure(catalogue: Catalogue, system: str, seed: int, known: Settings | None) -> dict[str, Any]:
    """Train and measure; a peer takes the settings in `known` instead of choosing some."""
    import torch

    # Imported here, since one import takes longer than some trainings.
    import tagloom.nn.training  # noqa: F401

    torch.set_num_threads(THREADS)
    load = os.getloadavg()[0]
    if system in PEERS:
        peer, longest = PEERS[system]
        fitted = peer(catalogue, seed, longest, known)
    else:
        fitted = ours(catalogue, OURS[system], seed)
    confidences, _ = fitted.answer(catalogue.valid.texts.to_list())
    thresholds = _thresholds(confidences, truth_of(catalogue.valid, fitted.tags).toarray(), fitted)
    valid = figures_of(confidences, catalogue.valid, fitted, thresholds, catalogue.train)
    texts = catalogue.test.texts.to_list()
    confidences, seconds = fitted.answer(texts)
    test = figures_of(confidences, catalogue.test, fitted, thresholds, catalogue.train)
    fitted.close()
    found = {
        "seed": seed,
        "valid": valid,
        "test": test,
        "training seconds": round(fitted.seconds, 1),
        "texts a second": round(len(texts) / seconds),
        "peak MiB": fitted.peak_mib(),
        "load average before": round(load, 2),
        "chosen": fitted.chosen,
        "about": fitted.about,
    }
    if fitted.given is None:
        found["thresholds"] = {"best": thresholds[None], f"for {PROMISE}": thresholds[PROMISE]}
    if fitted.search_seconds is not None:
        found["seconds with the search"] = round(fitted.search_seconds, 1)
    return found


def ours(catalogue: Catalogue, settings: Settings, seed: int) -> Fitted:
    """A Tagger with its defaults but for `settings`."""
    tagger = Tagger(**settings, seed=seed)
    started = time.perf_counter()
    tagger.fit(catalogue.train, catalogue.valid)
    seconds = time.perf_counter() - started
    about: Settings = {"settings": settings_of(tagger)}
    about["passes"] = {name: f"{how.best_epoch} best of {how.epochs}" for name, how in tagger.trained.items()}
    about["seconds of passes"] = {
        name: round(sum(one["train/seconds"] for one in how.history), 1) for name, how in tagger.trained.items()
    }
    if settings["encoder"] == "blend":
        about["contributions"] = tagger.contributions

    def given(confidences: np.ndarray, promise: float | None) -> np.ndarray:
        return np.asarray(tagger.given(confidences, precision=promise))

    answer = timed(lambda texts: np.vstack(list(tagger.confidences(texts))))
    return Fitted(list(tagger.tags), answer, seconds, about=about, given=given)


def settings_of(tagger: Tagger) -> Settings:
    """All settings of a Tagger, the defaults too."""
    return settings_from({"tagger": tagger.settings}).tagger.model_dump(mode="json")


def figures_of(
    known: np.ndarray,
    products: Products,
    fitted: Fitted,
    thresholds: dict[float | None, float],
    train: Products,
) -> dict[str, float]:
    """Measure confidences [P, L]; true tags that training never showed count as missed, as in `Tagger.evaluate`.

    Precision, recall and F1 are those of the tags that ours gives by its own rules, and of those that reach the one
    threshold, chosen on valid, for a peer.
    """
    unknown = sorted(set(tags_of(products)) - set(fitted.tags))
    tags = [*fitted.tags, *unknown]
    truth = truth_of(products, tags).toarray()
    scores = np.hstack([known, np.full((len(known), len(unknown)), -np.inf, known.dtype)])
    propensity = propensities(np.asarray(truth_of(train, tags).sum(0)).ravel(), len(train))

    def given(promise: float | None) -> np.ndarray:
        some = known >= thresholds[promise] if fitted.given is None else fitted.given(known, promise)
        return np.hstack([some, np.zeros((len(known), len(unknown)), bool)])

    own, promised = given(None), given(PROMISE)
    values = tag_metrics([(scores, truth, own)], propensity=propensity).values
    kept = tag_metrics([(scores, truth, promised)]).values
    values |= {
        "texts with a tag": float(own.any(1).mean()),
        f"precision at {PROMISE}": kept["precision"],
        f"recall at {PROMISE}": kept["recall"],
        f"texts with a tag at {PROMISE}": float(promised.any(1).mean()),
    }
    return {measure: round(float(value), 4) for measure, value in values.items()}


def threshold_for(precision: float, confidences: np.ndarray, truth: np.ndarray) -> float:
    """The lowest confidence from which `precision` of the given tags are right, over [P, L]; 2 where there is none."""
    flat = confidences.ravel()
    order = np.argsort(-flat, kind="stable")
    falling = flat[order]
    right = np.cumsum(truth.ravel()[order], dtype=np.float64)
    kept = right / np.arange(1, flat.size + 1) >= precision
    # No threshold parts equal confidences.
    kept[:-1] &= falling[:-1] > falling[1:]
    return float(falling[np.flatnonzero(kept)[-1]]) if kept.any() else 2.0


def _thresholds(confidences: np.ndarray, truth: np.ndarray, fitted: Fitted) -> dict[float | None, float]:
    if fitted.given is not None:
        return {}
    return {None: best_threshold(confidences, truth), PROMISE: threshold_for(PROMISE, confidences, truth)}


def means(runs: Sequence[dict[str, Any]], measure: str) -> tuple[float, float]:
    """Mean and spread (standard deviation; 0 of one run) of one figure on test; not a number where it is missing."""
    row = [run["test"].get(measure, float("nan")) for run in runs]
    return float(np.mean(row)), float(np.std(row, ddof=1)) if len(row) > 1 else 0.0
