"""How good recommended lists are: HR, nDCG, recall and precision at k, MRR, over all candidates, with intervals.

U users, B of them at a time, P products (or tags), K length of the lists. A list holds columns of P, the best first,
and -1 where nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.errors import DataError

Floats = npt.NDArray[np.floating[Any]]
Lists = npt.NDArray[np.integer[Any]]
Each = dict[str, npt.NDArray[np.float64]]

_DRAWN_AT_ONCE = 2_000_000


def _unknown() -> npt.NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class RankingMetrics:
    """Figures over users, and those of each user, so that two models can be compared user by user.

    Args:
        users: how many counted: those with something true to find.
        values: mean over them of every figure, by name.
        each: [users] every figure of each of them, in the order of the rows.
        rows: [users] which rows of the truth they are; empty where that is not known.
    """

    users: int
    values: dict[str, float]
    each: Each
    rows: npt.NDArray[np.int64] = field(default_factory=_unknown)

    def interval(self, name: str, samples: int = 1000, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
        """Between which two values a figure lies, had other users of the same kind been asked.

        Percentile bootstrap over users: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.

        Args:
            name: of a figure.
            samples: how often as many users are drawn, with replacement.
            seed: of the draws; the same one gives the same interval.
            level: the share of the samples that lies between the two.
        """
        return _interval(self.each[name], samples, seed, level)


def difference(
    ours: RankingMetrics,
    theirs: RankingMetrics,
    name: str,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """How much higher a figure is in ours than in theirs, and its paired bootstrap interval: (mean, low, high).

    Users are drawn with both their figures: what makes a user hard for both models cancels out, and the interval is
    narrower than two separate ones let expect. The arguments are those of `RankingMetrics.interval`.

    Raises:
        ValueError: the two are not over the same users.
    """
    if ours.users != theirs.users or not np.array_equal(ours.rows, theirs.rows):
        raise ValueError(
            f"{ours.users:,} users cannot be paired with {theirs.users:,} that are not the same; measure both models"
            " with the same truth"
        )
    each = ours.each[name] - theirs.each[name]
    return (float(each.mean()), *_interval(each, samples, seed, level))


def top_of(scores: Floats, k: int, hidden: Any = None, seed: int = 0) -> npt.NDArray[np.int64]:
    """The columns of the k best scores of each row, the best first: [B, k]; -1 where no candidate is left.

    Equal scores stand in an order of all columns that is drawn once from the seed, the same in every row and every
    call with so many columns. Not in that of the columns: a catalogue's order (oldest first, best sold first) may
    itself tell the answer, and a model that gives all the same score would be praised for it.

    Args:
        scores: [B, P]; a candidate with -inf is never given.
        k: at least 1.
        hidden: CSR matrix [B, P]; what has an entry other than 0 is never given. None hides nothing.
        seed: of the order among equals.

    Raises:
        ValueError: a score is NaN, k is below 1, or `hidden` has another shape.
    """
    _check_scores(scores, hidden)
    if k < 1:
        raise ValueError(f"a list of {k} cannot be made; give a k of 1 or more")
    rows, columns = scores.shape
    some = min(k, columns)
    result = np.full((rows, k), -1)
    if not rows or not columns:
        return result
    costs = -scores
    if hidden is not None:
        costs[_entries(hidden)] = np.inf
    column_at = np.random.default_rng(seed).permutation(columns)
    turn = np.argsort(column_at).astype(np.int32)  # [P] the place of each column among its equals
    # A full sort of 12,000 columns costs more than finding the k-th best, then the k columns, then sorting those. The
    # second time all numbers differ: numpy's partition is ten times as slow where most are equal.
    last = np.partition(costs, some - 1, axis=1)[:, some - 1 : some]
    side = (costs > last).astype(np.int32) - (costs < last)
    best = column_at[np.partition(turn + columns * side, some - 1, axis=1)[:, :some] % columns]
    values = np.take_along_axis(costs, best, 1)
    order = np.lexsort((turn[best], values))
    given = np.take_along_axis(values, order, 1) < np.inf
    result[:, :some] = np.where(given, np.take_along_axis(best, order, 1), -1)
    return result


def ranking_metrics(top: Lists, truth: Any, ks: Sequence[int] = (5, 10, 20)) -> RankingMetrics:
    """Measure lists against what users really took.

    Of each user with something true, by name:
        HR@k: 1 if any of the first k is true (hit rate, also called success), else 0.
        nDCG@k: sum of 1 / log2(rank + 1) over the true ones among the first k, divided by the same sum for the best
            list, which has the first min(k, true) ranks right. Source: Järvelin and Kekäläinen 2002, "Cumulated
            gain-based evaluation of IR techniques", with gain 1.
        recall@k, precision@k: true ones among the first k, divided by all true ones, and by k.
        MRR@K: 1 / rank of the first true one in the whole list of K; 0 where there is none (Voorhees 1999, "The
            TREC-8 Question Answering Track Report").

    The lists must have been chosen among all candidates, see `top_of`: against a sample of them models can change
    places. Source: Krichene and Rendle 2020, "On Sampled Metrics for Item Recommendation".

    Args:
        top: [U, K] columns, the best first; -1 is nothing, and takes its rank.
        truth: CSR matrix [U, P]; what has an entry other than 0 is true.
        ks: how much of the lists is looked at.

    Raises:
        DataError: no user has anything true.
        ValueError: lists shorter than a k, with a product twice, or not of the rows and columns of the truth.
    """
    check_lists(top, truth.shape[1], ks)
    users, columns = truth.shape
    length = top.shape[1]
    if len(top) != users:
        raise ValueError(f"{len(top):,} lists cannot be measured against {users:,} rows of truth; give one for each")
    pairs = np.unique(_numbers(*_entries(truth), columns))
    relevant = np.bincount(pairs // max(columns, 1), minlength=users)
    rows = np.flatnonzero(relevant)
    if not len(rows):
        raise DataError(f"none of {users:,} users took anything that could be found; give a truth with entries")
    listed = top[rows]
    hits = np.isin(_numbers(rows[:, None], listed, columns), pairs) & (listed >= 0)  # [users, K]
    return _metrics(rows, _figures(hits, relevant[rows], ks) | {f"MRR@{length}": _reciprocal_rank(hits)})


def sampled_metrics(
    scores: Floats,
    truth: Any,
    negatives: int = 100,
    seed: int = 0,
    hidden: Any = None,
    ks: Sequence[int] = (5, 10),
) -> RankingMetrics:
    """The true one against a few others drawn at random: only to compare with papers that measure so.

    It flatters, and may put a worse model first (Krichene and Rendle 2020, "On Sampled Metrics for Item
    Recommendation"); that is why every name starts with "sampled-100 ", the number of others. The others are drawn
    uniformly, without replacement, never a true or hidden one. Where another has the same score, the true one ranks
    below it. The figures are those of `ranking_metrics`, with MRR over all of the list.

    Args:
        scores: [B, P].
        truth: CSR matrix [B, P] with exactly one entry other than 0 in each row.
        negatives: how many others.
        seed: of the draws. They go on from row to row: give each batch its own.
        hidden: CSR matrix [B, P] of what is never drawn; a true one that is hidden ranks last.
        ks: how much of the list of negatives + 1 is looked at.

    Raises:
        DataError: no row at all.
        ValueError: a score is NaN, a row has not exactly one true entry or too few others, or shapes differ.
    """
    _check_scores(scores, hidden)
    rows, columns = _entries(truth)
    if truth.shape != scores.shape or not np.array_equal(rows, np.arange(len(scores))):
        raise ValueError("sampled figures need a truth of the scores' shape with exactly one entry in each row")
    out_rows, out = (_unknown(), _unknown()) if hidden is None else _entries(hidden)
    starts = np.searchsorted(out_rows, np.arange(len(scores) + 1))
    random = np.random.default_rng(seed)
    top = np.full((len(scores), negatives + 1), -1)
    for row, one in enumerate(columns):
        candidate = np.ones(scores.shape[1], np.bool_)
        candidate[out[starts[row] : starts[row + 1]]] = False
        mine = scores[row, one] if candidate[one] else -np.inf
        candidate[one] = False
        others = np.flatnonzero(candidate)
        if len(others) < negatives:
            raise ValueError(f"row {row} has {len(others)} others to draw {negatives} from; ask for fewer negatives")
        above = scores[row, random.choice(others, negatives, replace=False)] >= mine
        top[row, above.sum()] = one
    found = ranking_metrics(top, truth, ks)
    return _metrics(found.rows, {f"sampled-{negatives} {name}": each for name, each in found.each.items()})


def check_lists(top: Lists, products: int, ks: Sequence[int]) -> None:
    """Refuse lists [U, K] with a column beyond the products, a product twice, or a k outside 1..K, by ValueError."""
    length = top.shape[1]
    if not all(1 <= k <= length for k in ks):
        raise ValueError(f"lists of {length} cannot be measured at {list(ks)}; make longer lists or take smaller k")
    if top.size and top.max() >= products:
        raise ValueError(f"a list holds column {top.max()} of {products} products; number the columns from 0")
    ordered = np.sort(top, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise ValueError("a list holds a product twice; list each product once")


def _check_scores(scores: Floats, hidden: Any) -> None:
    if np.isnan(scores).any():
        raise ValueError("scores with NaN cannot be ranked; give -inf for what is no candidate")
    if hidden is not None and hidden.shape != scores.shape:
        raise ValueError(f"scores {scores.shape} need hidden entries of the same shape, not {hidden.shape}")


def _entries(matrix: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows, rising, and columns of what is not 0 in a CSR matrix."""
    rows, columns = matrix.nonzero()
    return rows.astype(np.int64), columns.astype(np.int64)


def _numbers(rows: Lists, columns: Lists, width: int) -> npt.NDArray[np.int64]:
    """One number for each (row, column)."""
    numbers: npt.NDArray[np.int64] = rows * width + columns
    return numbers


def _figures(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.integer[Any]], ks: Sequence[int]) -> Each:
    """Every figure at k of each user, from hits [users, K] and how many true ones each has."""
    at = np.array(ks, np.int64)
    true = relevant[:, None]
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    found = hits.cumsum(axis=1)[:, at - 1]  # [users, ks]
    tables = {
        "HR": (found > 0).astype(np.float64),
        "nDCG": (hits * discount).cumsum(axis=1)[:, at - 1] / np.cumsum(discount)[np.minimum(true, at) - 1],
        "recall": found / true,
        "precision": found / at,
    }
    return {f"{name}@{k}": table[:, place] for name, table in tables.items() for place, k in enumerate(ks)}


def _reciprocal_rank(hits: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = hits.any(axis=1) / (hits.argmax(axis=1) + 1)
    return result


def _metrics(rows: npt.NDArray[np.int64], each: Each) -> RankingMetrics:
    return RankingMetrics(len(rows), {name: float(one.mean()) for name, one in each.items()}, each, rows)


def _interval(each: npt.NDArray[np.float64], samples: int, seed: int, level: float) -> tuple[float, float]:
    from scipy.stats import bootstrap

    if len(each) < 2:  # nothing to draw from: scipy refuses
        return float(each.mean()), float(each.mean())
    found = bootstrap(
        (each,),
        np.mean,
        n_resamples=samples,
        batch=max(1, _DRAWN_AT_ONCE // len(each)),  # all draws for 22,000 users at once would take 350 MB
        confidence_level=level,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)
