"""Experts joined: the log-odds of a tag are a weighted sum of the experts' scores, fitted on valid.

Wolpert 1992, "Stacked Generalization"; with weights that are never negative, Breiman 1996, "Stacked Regressions".
Shapes: B texts, P texts of valid, L tags, E experts, N pairs of text and tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.errors import UserError

Floats = npt.NDArray[np.floating[Any]]

# Of each text these many tags, by each expert, are looked at: the rest are easy, and would drown the others.
_CANDIDATES = 50
_MOST_PAIRS = 400_000


@dataclass(frozen=True)
class Blend:
    """Weights and offset of some experts, and those that hold when one of them is left out.

    Args:
        weights: by expert, from 0.
        offset: added to the sum.
        without: by the expert that is left out.
    """

    weights: Mapping[str, float]
    offset: float
    without: Mapping[str, Blend]

    @classmethod
    def fit(cls, scores: Mapping[str, Floats], truth: Floats, weights: Floats, seed: int) -> Blend:
        """Logistic regression over the pairs that some expert puts among a text's first 50.

        Args:
            scores: by expert, [P, L].
            truth: [P, L], 1 or 0 or a share in between.
            weights: [P] how much each text counts.
            seed: of the draw, where there are more than 400,000 pairs.
        """
        names = tuple(scores)
        rows, columns = _candidates(list(scores.values()), seed)
        given = np.stack([scores[name][rows, columns] for name in names], axis=1).astype(np.float64)  # [N, E]
        targets, counts = truth[rows, columns].astype(np.float64), weights[rows].astype(np.float64)
        whole = cls._fitted(names, given, targets, counts)
        if len(names) < 2:
            return whole
        others = {
            name: cls._fitted(
                tuple(other for other in names if other != name), np.delete(given, ix, axis=1), targets, counts
            )
            for ix, name in enumerate(names)
        }
        return cls(whole.weights, whole.offset, others)

    @classmethod
    def _fitted(cls, names: Sequence[str], given: Floats, targets: Floats, counts: Floats) -> Blend:
        from scipy.optimize import minimize
        from scipy.special import expit

        total = counts.sum()

        def loss(curve: Floats) -> tuple[float, Floats]:
            line = given @ curve[:-1] + curve[-1]
            error = (expit(line) - targets) * counts
            value = float(((np.logaddexp(0, line) - targets * line) * counts).sum() / total)
            return value, np.append(given.T @ error, error.sum()) / total

        start = np.append(np.full(len(names), 1 / max(1, len(names))), 0.0)
        bounds = [(0.0, None)] * len(names) + [(None, None)]
        curve = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        if not curve[:-1].any():  # experts that learned nothing: any order is as good
            curve = start
        return cls(dict(zip(names, map(float, curve[:-1]), strict=True)), float(curve[-1]), {})

    def joined(self, scores: Mapping[str, Floats]) -> Floats:
        """Scores [B, L] by expert -> log-odds [B, L]; those of experts without weight may be missing."""
        total: Floats | None = None
        for name, weight in self.weights.items():
            if name in scores:
                part = np.float32(weight) * scores[name]
                total = part if total is None else total + part
        assert total is not None  # noqa: S101 (a blend has experts)
        return total + np.float32(self.offset)

    def leaving_out(self, expert: str) -> Blend:
        """The blend of the others.

        Raises:
            UserError: it has no such expert, or no other.
        """
        if expert not in self.without:
            known = ", ".join(self.without) or "none: it has one expert alone"
            raise UserError(f"without: expected an expert of the blend ({known}), came {expert!r}")
        return self.without[expert]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "weights": dict(self.weights),
            "offset": self.offset,
            "without": {name: other.as_dict() for name, other in self.without.items()},
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Blend:
        """What `as_dict` gave."""
        others = {name: cls.from_dict(other) for name, other in values["without"].items()}
        return cls(values["weights"], values["offset"], others)


def _candidates(scores: Sequence[Floats], seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the pairs that are fitted on."""
    texts, tags = scores[0].shape
    chosen: npt.NDArray[np.bool_] = np.zeros((texts, tags), bool)
    most = min(_CANDIDATES, tags)
    for some in scores:
        best = np.argpartition(-some, most - 1, axis=1)[:, :most]
        np.put_along_axis(chosen, best, True, axis=1)
    rows, columns = np.nonzero(chosen)
    if len(rows) > _MOST_PAIRS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(rows), _MOST_PAIRS, replace=False))
        rows, columns = rows[drawn], columns[drawn]
    return rows, columns
