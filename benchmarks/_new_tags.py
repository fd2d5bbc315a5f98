"""Tags that training never saw: hidden from it, then added by a name alone, or by a name and five examples.

Shapes: P texts, N new tags.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from _data import Catalogue
from _features import truth_of

from tagloom.data.tables import Products
from tagloom.tags.tagger import Tagger

EXAMPLES = 5
MEASURES = ("average precision", "AUC", "precision@n")
_FEWEST_TRAIN, _FEWEST_TEST = 20, 5


def figures(catalogue: Catalogue, count: int, seed: int, fit: Callable[[Products, Products], Tagger]) -> dict[str, Any]:
    """Hide `count` tags and add them again, each way; beside random scores and a Tagger that was trained on them.

    Of each new tag: average precision and AUC over the test texts, and the share of right ones among the n texts in
    which it is surest, n being those that have it. Means over the tags.
    """
    draw = np.random.default_rng(seed)
    hidden = _drawn(catalogue, count, draw)
    names = [value_of(tag) for tag in hidden]
    texts, truth = catalogue.test.texts.to_list(), truth_of(catalogue.test, hidden).toarray() > 0
    started = time.perf_counter()
    without = fit(_without(catalogue.train, hidden), _without(catalogue.valid, hidden))
    training = time.perf_counter() - started
    ways: dict[str, Any] = {"random": _of(draw.random(truth.shape), truth)}
    given: dict[str, list[list[str]]] = {
        "name": [[] for _ in hidden],
        f"name and {EXAMPLES} examples": [_examples(catalogue.train, tag, draw) for tag in hidden],
    }
    for way, examples in given.items():
        started = time.perf_counter()
        tagger = without
        for name, some in zip(names, examples, strict=True):
            tagger = tagger.with_tag(name, examples=some)
        seconds = (time.perf_counter() - started) / len(names)
        ways[way] = {**_of(_columns(tagger, texts, names), truth), "seconds a tag": round(seconds, 3)}
    started = time.perf_counter()
    full = fit(catalogue.train, catalogue.valid)
    training = max(training, time.perf_counter() - started)
    ways["full retrain"] = {**_of(_columns(full, texts, hidden), truth), "seconds a tag": round(training, 1)}
    return {"seed": seed, "hidden": hidden, "share of texts with one": round(float(truth.mean()), 4), "ways": ways}


def value_of(tag: str) -> str:
    """`colour=Dark Blue` -> `Dark Blue`; a tag without a field is its own name."""
    return tag.partition("=")[2] or tag


def _drawn(catalogue: Catalogue, count: int, draw: np.random.Generator) -> list[str]:
    """Tags on enough products to learn from and to measure, and whose names alone are told apart."""
    on_train, on_test = (_counts(part) for part in (catalogue.train, catalogue.test))
    often = [tag for tag, n in on_train.items() if n >= _FEWEST_TRAIN and on_test.get(tag, 0) >= _FEWEST_TEST]
    values = [value_of(tag) for tag in on_train]
    alone = sorted(tag for tag in often if values.count(value_of(tag)) == 1)
    return sorted(draw.choice(alone, min(count, len(alone)), replace=False).tolist())


def _counts(products: Products) -> dict[str, int]:
    return dict(products.frame["tags"].explode().drop_nulls().value_counts().iter_rows())


def _without(products: Products, tags: Sequence[str]) -> Products:
    kept = pl.col("tags").list.eval(pl.element().filter(~pl.element().is_in(list(tags))))
    return Products(products.frame.with_columns(kept))


def _examples(products: Products, tag: str, draw: np.random.Generator) -> list[str]:
    texts = products.texts.filter(products.frame["tags"].list.contains(tag)).to_list()
    return [texts[ix] for ix in draw.choice(len(texts), EXAMPLES, replace=False)]


def _columns(tagger: Tagger, texts: Sequence[str], tags: Sequence[str]) -> np.ndarray:
    """Confidences [P, N] of some tags."""
    column = {tag: ix for ix, tag in enumerate(tagger.tags)}
    wanted = [column[tag] for tag in tags]
    return np.vstack([known[:, wanted] for known in tagger.confidences(texts)])


def _of(scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    each = []
    for column, right in zip(scores.T, truth.T, strict=True):
        first = np.argsort(-column, kind="stable")[: right.sum()]
        each.append((average_precision_score(right, column), roc_auc_score(right, column), right[first].mean()))
    return {measure: round(float(mean), 4) for measure, mean in zip(MEASURES, np.mean(each, axis=0), strict=True)}
