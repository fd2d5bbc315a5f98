"""How good tags are: precision, recall and nDCG at k, F1, calibration; each as docs/measures.md defines it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.measure.calibration import Reliability
from tagloom.measure.propensity import best_reachable

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Batch = tuple[Floats, Floats] | tuple[Floats, Floats, Bools]

TOP = 10
_PRECISION_AT, _RECALL_AT, _NDCG_AT = (1, 3, 5), (5, 10), (5, 10)


@dataclass(frozen=True)
class TagMetrics:
    """Figures over P products and L tags; products without any true tag count for precision and accuracy only.

    `products` counts all of them. `per_tag` has columns support, predicted, right: [L, 3] counts of what was given.
    `pairs` holds the confidences of all pairs on offer by bins, `surest` those of each product's ten surest tags.
    """

    products: int
    values: dict[str, float]
    per_tag: npt.NDArray[np.int64]
    pairs: Reliability = field(default_factory=Reliability)
    surest: Reliability = field(default_factory=Reliability)

    def f1_per_tag(self) -> Floats:
        """F1 of each tag, [L]; 0 where it is neither there nor given."""
        support, predicted, right = self.per_tag.T
        f1: Floats = 2 * right / np.maximum(support + predicted, 1)
        return f1

    def precision_per_tag(self) -> Floats:
        """Of the products that were given a tag, the share that has it: [L]; 0 where it was never given."""
        precision: Floats = self.per_tag[:, 2] / np.maximum(self.per_tag[:, 1], 1)
        return precision

    def recall_per_tag(self) -> Floats:
        """Of the products that have a tag, the share that was given it: [L]; 0 where none has it."""
        recall: Floats = self.per_tag[:, 2] / np.maximum(self.per_tag[:, 0], 1)
        return recall


def tag_metrics(
    batches: Iterable[Batch], threshold: float | Floats = 0.5, propensity: Floats | None = None
) -> TagMetrics:
    """Measure confidences against the truth, batch by batch; memory grows with B and L, not with the products.

    Args:
        batches: confidences [B, L] and true tags [B, L] (1 or 0); -inf marks a tag that was not on offer, which is
            never right and never given. A third array, bools [B, L], says what was given where no threshold decides.
        threshold: confidence from which a tag counts as given; one for all tags, or [L] one for each.
        propensity: [L] how likely each tag is found where it fits, see `propensities`; None leaves PSP@k out.

    Returns:
        The figures of docs/measures.md over the products of all batches. Scores that are no confidences can be ranked
        and given too; then Brier and ECE mean nothing.
    """
    counted = _Counted(propensity)
    for batch in batches:
        confidences, truth = batch[0], batch[1]
        counted.add(confidences, truth > 0, batch[2] if len(batch) == 3 else confidences >= threshold)
    return TagMetrics(counted.products, counted.values(), counted.per_tag, counted.pairs, counted.surest)


class _Counted:
    """Sums over the products so far."""

    def __init__(self, propensity: Floats | None) -> None:
        self.weights = None if propensity is None else 1 / propensity  # [L]
        self.products = self.tagged = self.exact = 0
        names = [("P", _PRECISION_AT), ("R", _RECALL_AT), ("nDCG", _NDCG_AT)]
        self.sums: dict[str, float] = {f"{name}@{k}": 0.0 for name, ks in names for k in ks}
        self.gained, self.reachable = np.zeros(len(_PRECISION_AT)), np.zeros(len(_PRECISION_AT))
        self.per_tag = np.zeros((0, 3), np.int64)
        self.offered, self.shown = np.zeros(0, np.bool_), np.zeros(0, np.bool_)  # [L] ever, ever among the surest
        self.pairs, self.surest = Reliability(), Reliability()

    def add(self, confidences: Floats, true: Bools, given: Bools) -> None:
        """Count a batch: arrays [B, L]."""
        if not len(self.per_tag):
            columns = confidences.shape[1]
            self.per_tag = np.zeros((columns, 3), np.int64)
            self.offered, self.shown = np.zeros(columns, np.bool_), np.zeros(columns, np.bool_)
        offered = confidences > -np.inf
        given = given & offered
        self.products += len(true)
        self.exact += int((given == true).all(axis=1).sum())
        counts = [one.sum(0, dtype=np.int64) for one in (true, given, true & given)]
        self.per_tag = self.per_tag + np.stack(counts, axis=1)
        self.offered = self.offered | offered.any(axis=0)
        self.pairs = self.pairs.plus(confidences[offered], true[offered])
        self._add_ranking(confidences, true)

    def _add_ranking(self, confidences: Floats, true: Bools) -> None:
        order = top_columns(confidences, TOP)
        sure = np.take_along_axis(confidences, order, 1)
        on_offer = sure > -np.inf
        right = np.take_along_axis(true, order, 1) & on_offer
        self.shown[order[on_offer]] = True
        self.surest = self.surest.plus(sure[on_offer], right[on_offer])
        hits = np.zeros((len(true), TOP))
        hits[:, : order.shape[1]] = right
        relevant = true.sum(1)
        some = relevant > 0
        self.tagged += int(some.sum())
        for k in _PRECISION_AT:
            self.sums[f"P@{k}"] += float(hits[:, :k].sum()) / k
        for k in _RECALL_AT:
            self.sums[f"R@{k}"] += float((hits[some, :k].sum(1) / relevant[some]).sum())
        for k in _NDCG_AT:
            self.sums[f"nDCG@{k}"] += float(_ndcg(hits[some], relevant[some], k).sum())
        if self.weights is not None:
            most = max(_PRECISION_AT)
            gained = (right * self.weights[order])[:, :most].sum(0).cumsum()
            gained = np.pad(gained, (0, most - len(gained)), mode="edge")
            reachable = best_reachable(true, self.weights, most).sum(0).cumsum()
            places = np.array(_PRECISION_AT) - 1
            self.gained, self.reachable = self.gained + gained[places], self.reachable + reachable[places]

    def values(self) -> dict[str, float]:
        """Every figure by its name, in the order in which they are shown."""
        values = {
            name: total / max(self.products if name[0] == "P" else self.tagged, 1) for name, total in self.sums.items()
        }
        if self.weights is not None:
            # One quotient of two sums, as in the paper's own programs; both have the same 1/k.
            for k, gained, reachable in zip(_PRECISION_AT, self.gained, self.reachable, strict=True):
                values[f"PSP@{k}"] = float(gained / reachable) if reachable else 0.0
        return {
            **values,
            **_of_given(self.per_tag),
            "accuracy": self.exact / max(self.products, 1),
            "Brier": self.pairs.brier,
            "ECE": self.pairs.error,
            "ECE@10": self.surest.error,
            "coverage": _share(self.per_tag[:, 1] > 0, self.offered),
            "coverage@10": _share(self.shown, self.offered),
        }


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


def _ndcg(hits: Floats, relevant: npt.NDArray[np.int64], k: int) -> Floats:
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(relevant, k) - 1]
    result: Floats = (hits[:, :k] * discount).sum(1) / ideal  # [B]
    return result


def _share(some: Bools, of: Bools) -> float:
    return float(some.sum()) / max(int(of.sum()), 1)


def _of_given(per_tag: npt.NDArray[np.int64]) -> dict[str, float]:
    support, predicted, right = map(int, per_tag.sum(0))
    occurring = per_tag[per_tag[:, 0] > 0]
    there, given, found = occurring.T
    means = {
        "macro-F1": 2 * found / np.maximum(there + given, 1),
        "macro-precision": found / np.maximum(given, 1),
        "macro-recall": found / np.maximum(there, 1),
    }
    macro = {name: float(each.mean()) if len(each) else 0.0 for name, each in means.items()}
    return {
        "micro-F1": 2 * right / max(support + predicted, 1),
        "macro-F1": macro["macro-F1"],
        "precision": right / max(predicted, 1),
        "recall": right / max(support, 1),
        "macro-precision": macro["macro-precision"],
        "macro-recall": macro["macro-recall"],
    }
