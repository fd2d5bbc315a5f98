"""What lists do to a catalogue and its users: how much of it they show, how even, varied, novel and popular they are.

U users, P products, K length of the lists, L tags. A list holds columns of P, the best first, and -1 where nothing is.
Of the first k, where a mean is over users, of the mean over each one's list unless that is empty:

coverage@k: the share of the products that stand in a list.
gini@k: Gini coefficient of how often each product is shown: 0 all equally often, 1 - 1/P one product alone.
overlap@k: the share of two users' lists that is the same, expected over all pairs of users.
novelty@k: mean of -log2 of the share of all popularity that a product has, every count raised by one. Source: Vargas
    and Castells 2011, "Rank and Relevance in Novelty and Diversity Metrics for Recommender Systems".
popularity@k: mean percentile of popularity, equal ones sharing the middle of theirs: 0.5 is the catalogue's mean.
popularity lift@k: mean popularity of what users are shown, divided by that of what they took: 1 is as they are. Over
    users with both; left out where there are none. Source: Abdollahpouri et al. 2019, "The Unfairness of Popularity
    Bias in Recommendation", whose lift is ours - 1.
diversity@k: 1 - mean cosine similarity of the tags of all pairs in a list, over lists of two or more; left out where
    there are none. A product without tags is like no other. Source: Ziegler et al. 2005, "Improving Recommendation
    Lists Through Topic Diversification".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.errors import DataError
from tagloom.measure.ranking import Lists, check_lists

Floats = npt.NDArray[np.float64]


def exposure_metrics(
    top: Lists,
    *,
    products: int,
    popularity: npt.ArrayLike,
    tags: Any = None,
    truth: Any = None,
    k: int = 10,
) -> dict[str, float]:
    """Measure lists by the figures above.

    Args:
        top: [U, K].
        products: P.
        popularity: [P] how often each product was taken, at training time.
        tags: CSR matrix [P, L] of each product's tags; what is not 0 is there. None leaves diversity out.
        truth: CSR matrix [U, P] of what users took next; what is not 0 was taken. None leaves the lift out.
        k: how much of the lists is looked at.

    Raises:
        DataError: no list holds anything.
        ValueError: lists shorter than k or with a product twice, or shapes that do not fit.
    """
    counts = np.asarray(popularity, np.float64)
    check_lists(top, products, [k])
    _check_shape("popularity", counts.shape, (products,))
    if tags is not None:
        _check_shape("tags", tags.shape, (products, tags.shape[1]))
    if truth is not None:
        _check_shape("truth", truth.shape, (len(top), products))
    lists = _matrix(top[:, :k], products)
    if not lists.nnz:
        raise DataError(f"none of {len(top):,} lists holds a product; give a model's answers")
    shown = np.bincount(lists.indices, minlength=products)
    figures = {
        "coverage": float((shown > 0).mean()),
        "gini": _gini(shown),
        "overlap": _overlap(shown, len(top), k),
        "novelty": _mean_over_lists(lists, -np.log2((counts + 1) / (counts + 1).sum())),
        "popularity": _mean_over_lists(lists, _percentiles(counts)),
        "popularity lift": None if truth is None else _lift(lists, truth, counts),
        "diversity": None if tags is None else _diversity(lists, tags),
    }
    return {f"{name}@{k}": figure for name, figure in figures.items() if figure is not None}


def _check_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise ValueError(f"{name} of shape {shape} do not fit the lists; give a shape of {expected}")


def _matrix(top: Lists, products: int) -> Any:
    """CSR array [U, P]: 1 where a product stands in a user's list."""
    from scipy.sparse import csr_array

    rows, places = np.nonzero(top >= 0)
    return csr_array((np.ones(len(rows)), (rows, top[rows, places])), shape=(len(top), products))


def _gini(counts: npt.NDArray[np.int64]) -> float:
    rising = np.sort(counts)
    ranks = np.arange(1, len(rising) + 1)
    return float((2 * ranks - len(rising) - 1) @ rising / (len(rising) * rising.sum()))


def _overlap(shown: npt.NDArray[np.int64], users: int, k: int) -> float:
    """Over ordered pairs of different users, what both are shown divided by k."""
    return float((shown * (shown - 1)).sum() / (users * (users - 1) * k)) if users > 1 else 0.0


def _percentiles(counts: Floats) -> Floats:
    from scipy.stats import rankdata

    percentiles: Floats = (rankdata(counts) - 0.5) / len(counts)
    return percentiles


def _means(lists: Any, values: Floats) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which rows hold something, [U], and the mean of the products' values in each row, [U]; 0 where it is empty."""
    lengths = np.diff(lists.indptr)
    return lengths > 0, lists @ values / np.maximum(lengths, 1)


def _mean_over_lists(lists: Any, values: Floats) -> float:
    some, means = _means(lists, values)
    return float(means[some].mean())


def _lift(lists: Any, truth: Any, counts: Floats) -> float | None:
    """None where no user has both, or what they took was never taken before."""
    from scipy.sparse import csr_array

    shown, mean_shown = _means(lists, counts)
    rows, columns = truth.nonzero()
    taken, mean_taken = _means(csr_array((np.ones(len(rows)), (rows, columns)), shape=truth.shape), counts)
    both = shown & taken
    total = mean_taken[both].sum()
    return float(mean_shown[both].sum() / total) if total else None


def _diversity(lists: Any, tags: Any) -> float | None:
    """None where no list has two products.

    With vectors v of length 1, the cosines of all ordered pairs sum to |sum of v|² - sum of |v|²: no loop over pairs.
    """
    from scipy.sparse import csr_array

    rows, columns = tags.nonzero()
    per_product = np.bincount(rows, minlength=tags.shape[0])
    unit = csr_array((1 / np.sqrt(per_product[rows]), (rows, columns)), shape=tags.shape)
    summed = lists @ unit  # [U, L]
    cosines = summed.power(2).sum(axis=1) - lists @ (per_product > 0)
    lengths = np.diff(lists.indptr)
    some = lengths > 1
    pairs = lengths[some] * (lengths[some] - 1)
    return float((1 - cosines[some] / pairs).mean()) if some.any() else None
