"""Which tags are given: thresholds, one of each exclusive family, parents implied, tags that are wanted or not.

Shapes: B texts, P texts of valid, L tags, R promised precisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tagloom.errors import UserError
from tagloom.tags.families import Families, one_of_each

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Values = TypeVar("Values", Floats, Bools)

PROMISES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
# What is four times as likely wrong as right is not given, however sure the rest of the tag's products are.
_LEAST = 0.2
# Fewer expected right answers say too little of one tag; it then has the threshold of all.
_ENOUGH = 30.0
NEVER = 2.0


@dataclass(frozen=True, eq=False)
class Decision:
    """How confidences become given tags.

    Args:
        threshold: for all tags: the one that made micro-F1 highest on valid.
        promised: [R, L] a threshold for each of `PROMISES` and each tag.
        families: columns of tags of which one at most is given.
        parents: [L] the column of each tag's parent, -1 without.
    """

    threshold: float
    promised: Floats
    families: Families
    parents: npt.NDArray[np.int64]

    def thresholds(self, precision: float | None) -> Floats | float:
        """The least confidence of each tag [L] for a promised share of right tags, or the one for all tags.

        Raises:
            UserError: the promise is outside 0.5 to 0.99.
        """
        if precision is None:
            return self.threshold
        if not PROMISES[0] <= precision <= PROMISES[-1]:
            raise UserError(f"precision: expected a share from {PROMISES[0]} to {PROMISES[-1]}, came {precision}")
        above = int(np.searchsorted(PROMISES, precision))
        if PROMISES[above] == precision:
            exact: Floats = self.promised[above]
            return exact
        share = (precision - PROMISES[above - 1]) / (PROMISES[above] - PROMISES[above - 1])
        between: Floats = (1 - share) * self.promised[above - 1] + share * self.promised[above]
        return between

    def with_parents(self, confidences: Values) -> Values:
        """A tag is at least as sure as its surest child, and given when one is: [B, L] -> [B, L]."""
        children = np.flatnonzero(self.parents >= 0)
        if not len(children):
            return confidences
        raised = confidences.copy()
        while True:  # a parent's parent hears of it in the next round
            before = raised.copy()
            np.maximum.at(raised.T, self.parents[children], raised.T[children])
            if np.array_equal(before, raised):
                return raised

    def given(self, confidences: Floats, least: Floats | float, allowed: Bools | None = None) -> Bools:
        """Confidences [B, L] and least confidences -> given [B, L].

        A tag brings its parents with it; where a family's surer member displaces a parent, its children go too.
        """
        given: Bools = self.with_parents(confidences >= least)
        if allowed is not None:
            given &= allowed
        if not self.families:
            return given
        kept = one_of_each(confidences, given, self.families)
        children, dropped = np.flatnonzero(self.parents >= 0), given & ~kept
        while dropped.any():
            orphans = np.zeros_like(kept)
            orphans[:, children] = kept[:, children] & dropped[:, self.parents[children]]
            kept, dropped = kept & ~orphans, orphans
        return kept

    def without_families(self) -> Decision:
        """The same, but several tags of a family may be given."""
        return replace(self, families=())


def promised_thresholds(confidences: Floats, weights: Floats) -> Floats:
    """For each of `PROMISES` and each tag the least confidence that keeps it, [R, L]; 2 where nothing does.

    The lowest confidence, from 0.2 on, such that the mean confidence of all that is given is the promise: what is
    calibrated needs no truth, and a mean of confidences is steadier than a count of the few that were wrong. A tag of
    which too little would be given to tell has the threshold that keeps the promise over all tags together.

    Args:
        confidences: [P, L], calibrated.
        weights: [P] how much each text counts.
    """
    shared = [
        _least_for(confidences.ravel(), np.repeat(weights, confidences.shape[1]), promise) for promise in PROMISES
    ]
    result = np.repeat(np.array(shared)[:, None], confidences.shape[1], axis=1)
    enough = np.flatnonzero(weights @ np.where(confidences >= _LEAST, confidences, 0) >= _ENOUGH)
    for tag in enough.tolist():
        for row, promise in enumerate(PROMISES):
            result[row, tag] = _least_for(confidences[:, tag], weights, promise)
    return result


def _least_for(confidences: Floats, weights: Floats, promise: float) -> float:
    kept = confidences >= min(_LEAST, promise)
    order = np.argsort(-confidences[kept], kind="stable")
    falling, counts = confidences[kept][order], weights[kept][order]
    mean = np.cumsum(falling * counts) / np.maximum(np.cumsum(counts), 1e-12)
    # No threshold parts equal confidences: only the last of each run of equals can be the last one given.
    last = np.append(falling[:-1] > falling[1:], True)[: len(falling)]
    enough = np.flatnonzero((mean >= promise) & last)
    return float(falling[enough[-1]]) if len(enough) else NEVER


def allowed_tags(
    names: Sequence[str], include: Sequence[str], exclude: Sequence[str], standing: Sequence[str] = ()
) -> Bools | None:
    """Which tags may be given, [L]; None: all. A rule is a tag's name, or `attribute=*` for all of its values.

    Args:
        names: [L] the tags.
        include: these alone, where there are any.
        exclude: never these.
        standing: never these either; a rule of the settings, which may be about a tag that a model does not have.

    Raises:
        UserError: a rule of the first two fits no tag, or they leave none.
    """
    if not include and not exclude and not standing:
        return None
    allowed = np.ones(len(names), bool) if not include else np.zeros(len(names), bool)
    for kind, rules in (("include", include), ("exclude", exclude)):
        for rule in rules:
            fits = _fitting(names, rule)
            if not fits:
                raise UserError(
                    f"{kind}: no tag is called {rule!r}; give a tag's name, or attribute=* for all its values"
                )
            allowed[fits] = kind == "include"
    for rule in standing:
        allowed[_fitting(names, rule)] = False
    if not allowed.any():
        raise UserError("include and exclude leave no tag to give; drop one of the rules")
    return allowed


def _fitting(names: Sequence[str], rule: str) -> list[int]:
    """The columns of the tags that a rule is about."""
    start = rule[:-1] if rule.endswith("=*") else None
    return [ix for ix, name in enumerate(names) if (name.startswith(start) if start else name == rule)]
