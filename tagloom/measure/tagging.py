"""How good tags are: precision, recall and nDCG at k, F1; each as docs/measures.md defines it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

TOP = 10


@dataclass(frozen=True)
class TagMetrics:
    """Figures over P products and L tags; products without any true tag count for precision only.

    `products` counts all of them. `per_tag` has columns support, predicted, right: [L, 3] counts at the threshold.
    """

    products: int
    values: dict[str, float]
    per_tag: npt.NDArray[np.int64]

    def f1_per_tag(self) -> Floats:
        """F1 of each tag, [L]; 0 where it is neither there nor given."""
        support, predicted, right = self.per_tag.T
        f1: Floats = 2 * right / np.maximum(support + predicted, 1)
        return f1


def tag_metrics(batches: Iterable[tuple[Floats, Floats]], threshold: float) -> TagMetrics:
    """Measure scores against the truth, batch by batch.

    Args:
        batches: pairs of confidences [B, L] and true tags [B, L] (1 or 0); -inf marks a tag that was not on offer,
            which is never right and never given.
        threshold: confidence from which a tag counts as given, for F1, precision and recall.

    Returns:
        P@1, P@5, R@5, R@10, nDCG@5, nDCG@10 (binary gain, log2 discount, Järvelin and Kekäläinen 2002), micro and
        macro F1 (macro over tags that occur), micro precision and recall, all over the products of all batches.
    """
    sums: dict[str, float] = dict.fromkeys(("P@1", "P@5", "R@5", "R@10", "nDCG@5", "nDCG@10"), 0.0)
    per_tag: npt.NDArray[np.int64] | None = None
    products = tagged = 0
    for confidences, truth in batches:
        hits, relevant = _top_hits(confidences, truth)
        some = relevant > 0
        products, tagged = products + len(hits), tagged + int(some.sum())
        for k in (1, 5):
            sums[f"P@{k}"] += float(hits[:, :k].sum()) / k
        for k in (5, 10):
            sums[f"R@{k}"] += float((hits[some, :k].sum(1) / relevant[some]).sum())
            sums[f"nDCG@{k}"] += float(_ndcg(hits[some], relevant[some], k).sum())
        given = confidences >= threshold
        counts = np.stack([truth.sum(0), given.sum(0), (truth * given).sum(0)], axis=1).astype(np.int64)
        per_tag = counts if per_tag is None else per_tag + counts
    if per_tag is None:
        per_tag = np.zeros((0, 3), np.int64)
    values = {name: total / max(products if name[0] == "P" else tagged, 1) for name, total in sums.items()}
    return TagMetrics(products, {**values, **_at_threshold(per_tag)}, per_tag)


def best_threshold(confidences: Floats, truth: Floats) -> float:
    """The one confidence from which giving a tag makes micro-F1 highest, over [P, L] confidences and truths.

    Halfway between the lowest confidence that is given and the highest that is not; of equally good ones the highest.
    1 when there is nothing to give.
    """
    if not confidences.size:
        return 1.0
    flat = confidences.ravel()
    order = np.argsort(-flat, kind="stable")
    falling = flat[order]
    right = np.cumsum(truth.ravel()[order], dtype=np.float64)
    f1 = 2 * right / (np.arange(1, flat.size + 1) + max(right[-1], 1))
    # No threshold parts equal confidences: only the last of each run of equals can be the last one given.
    f1[:-1][falling[:-1] == falling[1:]] = -1
    best = int(np.argmax(f1))
    given = float(falling[best])
    middle = (given + (float(falling[best + 1]) if best + 1 < flat.size else 0.0)) / 2
    # Between two neighbouring floats there is no middle: it rounds to one of them, which may be the lower.
    return middle if best + 1 == flat.size or middle > falling[best + 1] else given


def top_columns(scores: Floats, k: int) -> npt.NDArray[np.int64]:
    """The columns of the k largest scores of each row, the largest first, equal ones in column order: [B, min(k, L)].

    Args:
        scores: [B, L], finite or -inf.
        k: at least 1.
    """
    columns = scores.shape[1]
    if k >= columns:
        return np.argsort(-scores, axis=1, kind="stable")
    # A full sort of 600 tags costs ten times as much as finding the ten best and sorting those.
    some = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    values = np.take_along_axis(scores, some, 1)
    result = np.take_along_axis(some, np.argsort(-values, axis=1, kind="stable"), 1)
    # Where equals of the last one were left out, the partition chose among them as it liked.
    tied = (scores >= values.min(axis=1, keepdims=True)).sum(axis=1) > k
    if tied.any():
        result[tied] = np.argsort(-scores[tied], axis=1, kind="stable")[:, :k]
    return result


def _top_hits(confidences: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """Whether each of the TOP most confident tags is true [B, TOP], and how many true tags there are [B]."""
    order = top_columns(confidences, TOP)
    offered = np.take_along_axis(confidences, order, 1) > -np.inf
    hits = np.zeros((len(truth), TOP))
    hits[:, : order.shape[1]] = np.take_along_axis(truth, order, 1) * offered
    return hits, truth.sum(1)


def _ndcg(hits: Floats, relevant: Floats, k: int) -> Floats:
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(relevant, k).astype(int) - 1]
    result: Floats = (hits[:, :k] * discount).sum(1) / ideal  # [B]
    return result


def _at_threshold(per_tag: npt.NDArray[np.int64]) -> dict[str, float]:
    support, predicted, right = (float(column.sum()) for column in per_tag.T) if len(per_tag) else (0.0, 0.0, 0.0)
    occurring = per_tag[per_tag[:, 0] > 0]
    f1 = 2 * occurring[:, 2] / np.maximum(occurring[:, 0] + occurring[:, 1], 1)
    return {
        "micro-F1": 2 * right / max(support + predicted, 1),
        "macro-F1": float(f1.mean()) if len(f1) else 0.0,
        "precision": right / max(predicted, 1),
        "recall": right / max(support, 1),
    }
