"""How label trees grow: tags are parted in two by the words of their texts, again and again, down to leaves of 100.

Balanced spherical 2-means over the tags' mean texts, and for each branch and each tag a linear machine with squared
hinge that tells its products from those of its siblings: Prabhu et al. 2018, "Parabel". All machines of a node are
fitted at once, by Newton's method: Keerthi and DeCoste 2005, "A Modified Finite Newton Method for Fast Solution of
Large Scale Linear SVMs", with conjugate gradients as in Lin, Weng and Keerthi 2008, "Trust Region Newton Method for
Large-Scale Logistic Regression". omikuji grows the same trees in the same time, but takes no seed: no two of its
trainings are alike, and one that is broken off cannot end as if it had not been.
Shapes: P products of U different texts, V terms, L tags, n texts of a node, D terms in them, K children.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.tags.experts.contract import Floats, Part, Rows

_LEAF, _DEEPEST = 100, 20
_LEAST_GAIN = 1e-4  # of the mean cosine, from which another round of 2-means is worth it
_COST = 1.0  # of a unit of squared hinge, against half the squared length of the weights
_LEAST_WEIGHT = 0.1  # smaller weights are left out
_STEPS, _INNER_STEPS, _HALVINGS = 12, 12, 12
_ENOUGH, _INNER_ENOUGH = 0.05, 0.1  # of the first gradient's length, at which to stop
_MOST_PAIRS = 4_000_000  # of text and child at once


@dataclass(frozen=True, eq=False)
class Node:
    """A branch or a leaf.

    Args:
        tags: [K] the tags of a leaf's children; of a branch none.
        terms: [D] the columns that stand in its texts; V is the constant.
        weights: CSR [D, K], a machine for each child.
        children: K nodes under a branch.
    """

    tags: Rows
    terms: Rows
    weights: Any
    children: list[Node] = field(default_factory=list)


def grow(part: Part, seed: Sequence[int]) -> Node | None:
    """One tree over the products that have a known term and a tag; None where there are none."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.preprocessing import normalize

    rows = part.reading.rows
    known = np.diff(rows.indptr) > 0
    products = np.flatnonzero(known[part.text_of] & (np.diff(part.products.indptr) > 0))
    if not len(products):
        return None
    forest = _Ground(
        hstack([rows, csr_matrix(np.ones((rows.shape[0], 1), np.float32))], format="csr"),
        part.products[products],
        part.text_of[products],
        normalize((part.products[products].T @ rows[part.text_of[products]]).tocsr()),
        np.random.default_rng(seed),
    )
    tags = np.unique(forest.products.indices)
    return forest.node(tags, np.arange(len(products)), 0)


@dataclass(frozen=True, eq=False)
class _Ground:
    """Texts with a constant of 1 [U, V + 1], products [P, L], their texts [P], the tags' mean texts [L, V]."""

    texts: Any
    products: Any
    text_of: Rows
    means: Any
    random: np.random.Generator

    def node(self, tags: Rows, products: Rows, depth: int) -> Node:
        """The node of some tags and of the products that have one of them."""
        truth = self.products[products][:, tags]  # [p, l]
        if len(tags) < _LEAF or depth == _DEEPEST:
            return Node(tags, *self._machines(products, truth))
        side = _parted(self.means[tags], self.random)
        halves = [np.flatnonzero(side == half) for half in (0, 1)]
        on_side = np.stack([np.asarray(truth[:, half].sum(1)).ravel() > 0 for half in halves], axis=1)  # [p, 2]
        children = [self.node(tags[half], products[on], depth + 1) for half, on in zip(halves, on_side.T, strict=True)]
        return Node(np.array([], np.int64), *self._machines(products, on_side.astype(np.float32)), children)

    def _machines(self, products: Rows, truth: Any) -> tuple[Rows, Any]:
        """Terms [D] and weights [D, K] of machines that tell the products with each child [p, K] from the others."""
        from scipy.sparse import csr_matrix, hstack

        own, text = np.unique(self.text_of[products], return_inverse=True)
        ones = np.ones(len(products), np.float32)
        by_text = csr_matrix((ones, (text, np.arange(len(products)))), shape=(len(own), len(products)))
        terms, rows = _compact(self.texts[own])
        counts = np.bincount(text, minlength=len(own)).astype(np.float32)
        right = csr_matrix(by_text @ truth)  # [n, K] products of the text that have the child
        size = max(1, _MOST_PAIRS // len(own))
        columns = (right[:, start : start + size].toarray() for start in range(0, right.shape[1], size))
        weights = [csr_matrix(machines(rows, some, counts[:, None] - some)) for some in columns]
        return terms, hstack(weights, format="csr")


def _compact(rows: Any) -> tuple[Rows, Any]:
    """The columns that are not empty, and the rows in terms of these."""
    from scipy.sparse import csr_matrix

    columns, places = np.unique(rows.indices, return_inverse=True)
    return columns, csr_matrix((rows.data, places, rows.indptr), shape=(rows.shape[0], len(columns)))


def _parted(means: Any, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Rows of length 1, CSR [l, V] -> the half of each, 0 or 1; both as large."""
    count = means.shape[0]
    middles = means[random.choice(count, 2, replace=False)].toarray()
    before = -np.inf
    while True:
        near = means @ middles.T  # [l, 2]
        half = np.ones(count, np.int64)
        half[np.argsort(near[:, 1] - near[:, 0], kind="stable")[: count // 2]] = 0
        now = float(near[np.arange(count), half].mean())
        if now - before < _LEAST_GAIN:
            return half
        before = now
        middles = np.stack([np.asarray(means[half == side].sum(0)).ravel() for side in (0, 1)])
        middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)


def machines(rows: Any, right: Floats, wrong: Floats) -> Floats:
    """Linear machines over some texts, one for each child.

    Each makes |w|² / 2 + cost * sum of (right * max(0, 1 - w x)² + wrong * max(0, 1 + w x)²) small.

    Args:
        rows: CSR [n, D].
        right, wrong: [n, K] how many products of each text have the child, and have not.

    Returns:
        [D, K], small weights 0.
    """
    task = _Task(rows, rows.T.tocsr(), right, wrong)
    weights = np.zeros((rows.shape[1], right.shape[1]), np.float32)
    margins = np.zeros_like(right)
    going, enough = np.arange(right.shape[1]), np.full(right.shape[1], -1.0)
    for step in range(_STEPS):
        slope = task.slope(weights[:, going], margins[:, going])
        length = np.linalg.norm(slope, axis=0)
        if not step:
            smaller = np.minimum(right.sum(0), wrong.sum(0)) / (right.sum(0) + wrong.sum(0))
            enough = _ENOUGH * length * np.maximum(smaller, 1e-4)
        still = length > enough[going]
        if not still.any():
            break
        going, task = going[still], task.only(still)
        weights[:, going], margins[:, going] = task.step(weights[:, going], margins[:, going], slope[:, still])
    weights[np.abs(weights) <= _LEAST_WEIGHT] = 0
    return weights


@dataclass(frozen=True, eq=False)
class _Task:
    """What `machines` is told: rows CSR [n, D] and the same turned, right and wrong [n, K]."""

    rows: Any
    turned: Any
    right: Floats
    wrong: Floats

    def only(self, columns: npt.NDArray[np.bool_]) -> _Task:
        """The same for some of the children."""
        if columns.all():
            return self
        return _Task(self.rows, self.turned, self.right[:, columns], self.wrong[:, columns])

    def loss(self, weights: Floats, margins: Floats) -> npt.NDArray[np.float64]:
        """[K]."""
        missed = self.right * np.maximum(1 - margins, 0) ** 2 + self.wrong * np.maximum(1 + margins, 0) ** 2
        result: npt.NDArray[np.float64] = _COST * missed.sum(0, dtype=np.float64) + _squares(weights) / 2
        return result

    def slope(self, weights: Floats, margins: Floats) -> Floats:
        """The loss's gradient [D, K]."""
        pull = self.right * np.maximum(1 - margins, 0) - self.wrong * np.maximum(1 + margins, 0)
        result: Floats = weights - 2 * _COST * (self.turned @ pull)
        return result

    def step(self, weights: Floats, margins: Floats, slope: Floats) -> tuple[Floats, Floats]:
        """Weights and margins after a step of Newton's, halved until it makes the loss smaller."""
        bend = 2 * _COST * (self.right * (margins < 1) + self.wrong * (margins > -1))  # [n, K]
        way, along = self._solved(bend, slope)
        now, gain = self.loss(weights, margins), (slope * way).sum(0, dtype=np.float64)
        size = np.ones(weights.shape[1], np.float32)
        for _ in range(_HALVINGS):
            moved = weights + size * way, margins + size * along
            worse = self.loss(*moved) > now + 0.01 * size * gain
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        return moved

    def _solved(self, bend: Floats, slope: Floats) -> tuple[Floats, Floats]:
        """The way w [D, K] with (1 + X' bend X) w = -slope by conjugate gradients, and X w [n, K]."""
        way, along = np.zeros_like(slope), np.zeros_like(bend)
        rest, ahead = -slope, -slope
        length = first = _squares(rest)
        for _ in range(_INNER_STEPS):
            across = self.rows @ ahead
            turn = ahead + self.turned @ (bend * across)
            size = (length / np.maximum((ahead * turn).sum(0), 1e-30)).astype(np.float32)
            way, along, rest = way + size * ahead, along + size * across, rest - size * turn
            before, length = length, _squares(rest)
            if (length <= _INNER_ENOUGH**2 * first).all():
                break
            ahead = rest + (length / np.maximum(before, 1e-30)).astype(np.float32) * ahead
        return way, along


def _squares(columns: Floats) -> npt.NDArray[np.float64]:
    """The squared length of each column."""
    result: npt.NDArray[np.float64] = np.square(columns).sum(0, dtype=np.float64)
    return result
