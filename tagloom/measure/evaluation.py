"""All that `evaluate` shows of a Tagger: figures, curves, calibration, the worst tags and products, what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.data.tables import Products
from tagloom.files import write_json
from tagloom.measure.advice import for_product, for_tag
from tagloom.measure.mistakes import Ints, Mistakes, Product
from tagloom.measure.propensity import propensities
from tagloom.measure.tagging import Bools, Floats, TagMetrics, tag_metrics

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

Judged = tuple[Floats, Floats, Bools]
_TRAINING = "training.json"
_OFTEN = 5
_MOST_TAGS = 100


@dataclass(frozen=True)
class Curve:
    """How one expert's training went: the figures of each pass, the best pass (from 1), why it broke off."""

    history: tuple[Mapping[str, float], ...]
    best_epoch: int = 0
    stopped: str = ""


@dataclass(frozen=True)
class Expert:
    """What one expert of a blend is for: its weight, nDCG@10 on valid alone, and that of the blend without it."""

    name: str
    weight: float
    alone: float
    without: float


@dataclass(frozen=True, eq=False)
class Training:
    """What is known of the training of what is measured; all of it may be missing.

    Args:
        counts: [L] training products of each tag; 0 for a new one.
        products: how many products there were to train on.
        curves: by expert.
        experts: of a blend.
    """

    counts: Ints | None = None
    products: int = 0
    curves: Mapping[str, Curve] = field(default_factory=dict)
    experts: tuple[Expert, ...] = ()


@dataclass(frozen=True)
class WorstTag:
    """A tag that goes wrong often; `confused` is the tag that stands in its place, with on how many products."""

    tag: str
    f1: float
    true: int
    given: int
    right: int
    confused: tuple[str, int] | None
    todo: str


@dataclass(frozen=True)
class WorstProduct:
    """A product whose given tags are most unlike its true ones; tags with confidence, -inf for one not on offer."""

    product_id: str
    text: str
    apart: float
    right: tuple[tuple[str, float], ...]
    wrong: tuple[tuple[str, float], ...]
    missed: tuple[tuple[str, float], ...]
    todo: str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came of measuring.

    Args:
        figures: the measures.
        tags: [L] the names of their columns, tags that are new since training last.
        worst_tags: of those on at least five products, or given as often; the worst F1 first.
        worst_products: the furthest apart first.
        over_thresholds: threshold, precision, recall [3, 200] with one threshold for all tags.
        training: what the training tells.
    """

    figures: TagMetrics
    tags: tuple[str, ...]
    worst_tags: tuple[WorstTag, ...]
    worst_products: tuple[WorstProduct, ...]
    over_thresholds: Floats
    training: Training

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON; the confidence of a tag that was not on offer is null."""
        figures = self.figures
        bins = {
            name: {
                "pairs": [int(count) for count in of.pairs],
                "confidence": of.confidence.tolist(),
                "frequency": of.frequency.tolist(),
            }
            for name, of in (("all pairs", figures.pairs), ("ten surest", figures.surest))
        }
        known = self.tags[: len(figures.per_tag)]  # none without products
        counts = zip(known, figures.per_tag.tolist(), figures.f1_per_tag().tolist(), strict=True)
        thresholds, precision, recall = self.over_thresholds.tolist()
        return {
            "products": figures.products,
            "metrics": figures.values,
            "tags": {tag: {"true": n, "given": g, "right": r, "F1": f1} for tag, (n, g, r), f1 in counts},
            "worst_tags": [asdict(tag) for tag in self.worst_tags],
            "worst_products": [_product_dict(product) for product in self.worst_products],
            "reliability": bins,
            "thresholds": {"threshold": thresholds, "precision": precision, "recall": recall},
            "curves": {name: asdict(curve) for name, curve in self.training.curves.items()},
            "experts": [asdict(expert) for expert in self.training.experts],
        }


def evaluate_tags(
    products: Products, tags: Sequence[str], batches: Iterable[Judged], training: Training | None = None
) -> Evaluation:
    """Measure, and look for what goes wrong, in one pass over the products.

    Args:
        products: P products with their true tags.
        tags: [L] the names of the batches' columns.
        batches: confidences [B, L], truth [B, L], given [B, L] over all P products, in order; see `judged`.
        training: what is known of it. With `counts` the figures have PSP@k.
    """
    training = training or Training()
    mistakes = Mistakes(len(tags))

    def watched() -> Iterator[Judged]:
        for confidences, truth, given in batches:
            mistakes.add(confidences, truth > 0, given)
            yield confidences, truth, given

    propensity = None if training.counts is None else propensities(training.counts, training.products)
    figures = tag_metrics(watched(), propensity=propensity)
    support, texts = int(figures.per_tag[:, 0].sum()), products.texts.to_list()
    return Evaluation(
        figures,
        tuple(tags),
        _worst_tags(products, tags, figures, mistakes, training),
        tuple(_worst_product(products, texts, tags, one) for one in mistakes.products),
        mistakes.over_thresholds(support),
        training,
    )


def judged(
    products: Products, tags: Sequence[str], answers: Iterable[tuple[Floats, Bools]]
) -> tuple[tuple[str, ...], Iterator[Judged]]:
    """What a Tagger says beside what is true.

    Args:
        products: P products with their true tags.
        tags: [L] that the Tagger knows.
        answers: confidences [B, L] and what is given [B, L], over all products, in order.

    Returns:
        The columns' names, first `tags`, then those of the products that the Tagger does not know and that therefore
        are never on offer; and the batches.
    """
    true = products.frame["tags"].to_list()
    names = (*tags, *sorted({tag for some in true for tag in some} - set(tags)))
    columns = {name: column for column, name in enumerate(names)}

    def batches() -> Iterator[Judged]:
        start = 0
        for known, given in answers:
            unknown = (len(known), len(names) - len(tags))
            truth = np.zeros((len(known), len(names)), np.float32)
            for row, some in enumerate(true[start : start + len(known)]):
                truth[row, [columns[tag] for tag in some]] = 1
            start += len(known)
            yield np.hstack([known, np.full(unknown, -np.inf)]), truth, np.hstack([given, np.zeros(unknown, np.bool_)])

    return names, batches()


def write_training(folder: Path, trained: Mapping[str, Trained]) -> None:
    """Keep how training went beside a model's weights, by expert."""
    about = {
        name: {"history": [*one.history], "best_epoch": one.best_epoch, "stopped": one.stopped}
        for name, one in trained.items()
    }
    write_json(folder / _TRAINING, about)


def read_training(folder: Path) -> dict[str, Curve]:
    """What `write_training` wrote; empty for a model that was written without."""
    path = folder / _TRAINING
    if not path.is_file():
        return {}
    about = json.loads(path.read_text(encoding="utf-8"))
    return {name: Curve(tuple(one["history"]), one["best_epoch"], one["stopped"]) for name, one in about.items()}


def _worst_tags(
    products: Products, tags: Sequence[str], figures: TagMetrics, mistakes: Mistakes, training: Training
) -> tuple[WorstTag, ...]:
    support, given, right = figures.per_tag.T
    f1 = figures.f1_per_tag()
    ids = products.frame["product_id"]
    often = np.flatnonzero(np.maximum(support, given) >= _OFTEN)
    worst = often[np.lexsort((often, -support[often], f1[often]))][:_MOST_TAGS]
    found = []
    for column in map(int, worst):
        other = mistakes.confused(column, support - right, given - right)
        tag = WorstTag(
            tags[column],
            float(f1[column]),
            int(support[column]),
            int(given[column]),
            int(right[column]),
            other and (tags[other[0]], other[1]),
            for_tag(
                (int(support[column]), int(given[column]), int(right[column])),
                on_offer=bool(mistakes.offered[column]),
                trained=None if training.counts is None else int(training.counts[column]),
                confused=other and (tags[other[0]], other[1]),
                missed_on=[ids[row] for row in mistakes.missed_on.of(column)],
                wrong_on=[ids[row] for row in mistakes.wrong_on.of(column)],
            ),
        )
        found.append(tag)
    return tuple(found)


def _worst_product(products: Products, texts: Sequence[str], tags: Sequence[str], product: Product) -> WorstProduct:
    row = product.row
    right, wrong, missed = (
        tuple((tags[column], confidence) for column, confidence in some)
        for some in (product.right, product.wrong, product.missed)
    )
    text = texts[row]
    todo = for_product(text, wrong, missed)
    return WorstProduct(products.frame["product_id"][row], text, product.apart, right, wrong, missed, todo)


def _product_dict(product: WorstProduct) -> dict[str, Any]:
    named = {
        kind: [{"tag": tag, "confidence": sure if np.isfinite(sure) else None} for tag, sure in getattr(product, kind)]
        for kind in ("right", "wrong", "missed")
    }
    about = {key: getattr(product, key) for key in ("product_id", "text", "apart")}
    return {**about, **named, "todo": product.todo}
