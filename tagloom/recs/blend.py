"""Experts joined: a weighted sum of their scores, fitted so that what users took next is likely.

A conditional logit (McFadden 1974): the scores of a user's candidates compete in a softmax. Candidates are the best of
each expert: what none has among its best is seldom among the first of the sum. Users who took nothing of that are left
out: with them the fit made all weights small, and joined the experts worse than one of them alone.
Shapes: Q users, P products, E experts, C candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_BEST_OF_EACH = 100
# A little pull of the weights towards equal shares: with few users one expert would take all.
_PULL = 1e-3
# Standard errors from which other weights rank clearly better; the least weight of an expert, of the largest one.
_ERRORS, _FLOOR = 2.0, 0.01
# What each weight is tried times, one after the other; how many rounds of that; where nDCG is cut.
_FACTORS, _ROUNDS, _CUT = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.4, 2.5), 3, 10


@dataclass(frozen=True, eq=False)
class Blend:
    """Weights of some experts.

    Args:
        names: [E].
        weights: [E], none below 0.
    """

    names: tuple[str, ...]
    weights: Floats

    def joined(self, scores: Sequence[Floats]) -> Floats:
        """The experts' scores [P] or [Q, P] each -> their weighted sum."""
        total = np.zeros_like(scores[0])
        for weight, part in zip(self.weights, scores, strict=True):
            total += weight * part
        return total

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {"names": self.names, "weights": self.weights.tolist()}

    @classmethod
    def from_dict(cls, about: dict[str, Any]) -> Blend:
        """From what `as_dict` gave."""
        return cls(tuple(about["names"]), np.array(about["weights"], np.float32))


@dataclass(frozen=True, eq=False)
class Candidates:
    """What is compared in the fit: of each of Q users C products or tags, with the experts' scores.

    Args:
        scores: [Q, C, E]; -inf in places that are not filled.
        truth: [Q, C] shares; they sum to 1 for products, to 1 at most for tags, of which some may be no candidates.
    """

    scores: Floats
    truth: Floats

    @classmethod
    def of(cls, batches: Iterable[tuple[list[Floats], Floats]], best: int = _BEST_OF_EACH) -> Candidates:
        """From batches of the experts' scores [B, P] each, -inf for what is hidden, and the truth [B, P] in shares."""
        scores, truths = [], []
        for parts, truth in batches:
            most = min(best, truth.shape[1])
            chosen = [np.argpartition(-part, most - 1, axis=1)[:, :most].copy() for part in parts]
            for row in range(len(truth)):
                columns = np.unique(np.concatenate([ix[row] for ix in chosen]))
                columns = columns[np.isfinite(parts[0][row, columns])]
                if truth[row, columns].any():
                    scores.append(np.stack([part[row, columns] for part in parts], 1))
                    truths.append(truth[row, columns])
        width, experts = max(map(len, truths), default=0), len(parts)
        filled = np.full((len(scores), width, experts), -np.inf, np.float32)
        told = np.zeros((len(scores), width), np.float32)
        for row, (part, truth_part) in enumerate(zip(scores, truths, strict=True)):
            filled[row, : len(part)], told[row, : len(part)] = part, truth_part
        return cls(filled, told)


def fit_blend(names: tuple[str, ...], candidates: Candidates) -> Blend:
    """The weights under which the truth is likeliest; an expert that only harms has 0.

    Args:
        names: [E] of the experts.
        candidates: what was compared; where there are none all weights are equal.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    count = len(names)
    even = np.full(count, 1.0 / count)
    if not len(candidates.truth):
        return Blend(names, even.astype(np.float32))
    there = np.isfinite(candidates.scores[:, :, 0])  # [Q, C]
    scores = np.where(there[..., None], candidates.scores, 0.0).astype(np.float64)
    truth = candidates.truth.astype(np.float64)
    counted = truth.sum(1)

    def lost(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        total = np.where(there, scores @ weights, -np.inf)
        log_odds = total - logsumexp(total, axis=1, keepdims=True)
        wrong = np.exp(log_odds) * counted[:, None] - truth  # [Q, C]
        value = -np.sum(truth * np.where(there, log_odds, 0.0)) / counted.sum()
        pulled = weights - even
        slope = np.einsum("qc,qce->e", wrong, scores) / counted.sum()
        return value + _PULL * float(pulled @ pulled), slope + 2 * _PULL * pulled

    found = minimize(lost, even, jac=True, method="L-BFGS-B", bounds=[(0, None)] * count)
    return Blend(names, found.x.astype(np.float32))


def sharpened(blend: Blend, candidates: Candidates) -> Blend:
    """The weights of a blend, or others that clearly rank better, by nDCG@10 among the candidates.

    What is likely all over and what ranks best at the top are not the same: likelihood alone once gave an expert a
    weight with which the blend ranked worse than without it. Others are what is reached by changing one weight at a
    time, from the blend's and from the best expert's alone. A gain counts from two standard errors on: smaller ones did
    not come again with other users.
    """
    alone = max(np.eye(len(blend.names), dtype=np.float32), key=lambda weights: _gained(weights, candidates).mean())
    tried = [_climbed(weights, candidates) for weights in (blend.weights, alone)]
    best = max(tried, key=lambda weights: _gained(weights, candidates).mean())
    more = _gained(best, candidates) - _gained(blend.weights, candidates)
    clear = len(more) > 1 and more.mean() > _ERRORS * more.std(ddof=1) / len(more) ** 0.5
    weights = best if clear else blend.weights
    # An expert that adds nothing here may be the only one that knows a new product, or anything of a user.
    return Blend(blend.names, np.maximum(weights, _FLOOR * weights.max()))


def _climbed(weights: Floats, candidates: Candidates) -> Floats:
    """The best weights that can be reached by changing one at a time."""
    best, reached = weights, _gained(weights, candidates).mean()
    for ix in [*range(len(weights))] * _ROUNDS:
        for factor in _FACTORS:
            tried = best.copy()
            tried[ix] = factor * (tried[ix] or float(tried.max()))
            gained = _gained(tried, candidates).mean()
            if gained > reached:
                best, reached = tried, gained
    return best


def _gained(weights: Floats, candidates: Candidates) -> Floats:
    """[Q] nDCG@10 of the likeliest of each user's true candidates; of equal scores the truth counts as the last."""
    if not len(candidates.truth):
        return np.zeros(1, np.float32)
    there = np.isfinite(candidates.scores[:, :, 0])
    scores = np.where(there, np.nan_to_num(candidates.scores, neginf=0.0) @ weights, -np.inf)
    true = candidates.truth.argmax(1)[:, None]
    ranks = (scores >= np.take_along_axis(scores, true, 1)).sum(1) - 1
    return np.where(ranks < _CUT, 1 / np.log2(ranks + 2.0), 0.0).astype(np.float32)
