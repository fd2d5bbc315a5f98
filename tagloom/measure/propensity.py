"""Precision that counts a rare tag for more: what a catalogue lacks most are its rare tags.

Source: Jain, Prabhu and Varma 2016, "Extreme Multi-label Loss Functions for Recommendation, Tagging, Ranking and Other
Missing Label Applications", sections 4 and 5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

_A, _B = 0.55, 1.5


def propensities(counts: npt.ArrayLike, trained_on: int) -> Floats:
    """How likely a tag that fits is found on a product, guessed from how frequent it is: [L] in 0..1.

    1 / (1 + C (n + B)^-A) with n training products of the tag, C = (log N - 1) (B + 1)^A of N products, A = 0.55 and
    B = 1.5: the paper's values for data of unknown kind.

    Args:
        counts: [L] training products with each tag; 0 for a tag that is new.
        trained_on: N, the products trained on. Below 3 the paper's C is negative, and 0 is taken for it.
    """
    c = max(float(np.log(max(trained_on, 1))) - 1, 0.0) * (_B + 1) ** _A
    result: Floats = 1 / (1 + c * (np.asarray(counts, np.float64) + _B) ** -_A)
    return result


def best_reachable(true: npt.NDArray[np.bool_], weights: Floats, most: int) -> Floats:
    """The weights of each product's true tags, the largest `most` of them, falling; 0 where there are fewer: [B, most].

    Args:
        true: [B, L].
        weights: [L], above 0.
        most: how many.
    """
    rows, columns = np.nonzero(true)
    order = np.lexsort((-weights[columns], rows))
    rows, columns = rows[order], columns[order]
    starts = np.searchsorted(rows, np.arange(len(true)))
    rank = np.arange(len(rows)) - starts[rows]
    first = rank < most
    best = np.zeros((len(true), most))
    best[rows[first], rank[first]] = weights[columns[first]]
    return best
