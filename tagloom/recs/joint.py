"""The tags of a product for one user: what its text says and what the user wants, joined.

Logistic regression over the log-odds of the Tagger's confidence, and the user's interest in the tag above everybody's.
Shapes: N pairs of a user and a product, T tags of the Tagger, L tags of the Recommender.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tagloom.recs.experts.contract import Floats, Ints

_SUREST = 1e-6


@dataclass(frozen=True, eq=False)
class Joint:
    """Two views and their weights.

    Args:
        columns: [T] the Recommender's column of each tag of the Tagger's; -1: it does not know the tag.
        tagger, interest: what each view weighs.
        added: to the sum.
    """

    columns: Ints
    tagger: float
    interest: float
    added: float

    def confidences(self, sure: Floats, interest: Floats, popular: Floats) -> Floats:
        """How likely each tag is one of the product's that this user takes it for, [N, T].

        Args:
            sure: [N, T] the Tagger's confidences.
            interest: [N, L] the log of each tag's share in what the user wants.
            popular: [L] the same for everybody.
        """
        lift = self.lift(self.columns, interest, popular)
        found = 1 / (1 + np.exp(-(self.tagger * log_odds(sure) + self.interest * lift + self.added)))
        return found.astype(np.float32)

    @staticmethod
    def lift(columns: Ints, interest: Floats, popular: Floats) -> Floats:
        """[N, T] the user's interest less everybody's; 0 for a tag that the Recommender does not know."""
        above = np.hstack([interest - popular, np.zeros((len(interest), 1), np.float32)])
        result: Floats = above[:, columns]
        return result

    def truth(self, tags: Any) -> Floats:
        """CSR matrix [N, L] of products' tags -> [N, T], 1 or 0."""
        found = np.zeros((tags.shape[0], len(self.columns)), np.float32)
        known = self.columns >= 0
        found[:, known] = tags.toarray()[:, self.columns[known]]
        return found

    @classmethod
    def fit(cls, columns: Ints, sure: Floats, interest: Floats, popular: Floats, truth: Floats) -> Joint:
        """The weights under which the tags of what users took are likely.

        Args:
            columns, sure, interest, popular: as above, for products that the Tagger has not learned from.
            truth: [N, T] the products' tags, 1 or 0.
        """
        from sklearn.linear_model import LogisticRegression

        views = np.stack([log_odds(sure).ravel(), cls.lift(columns, interest, popular).ravel()], 1)
        fitted = LogisticRegression(C=1e3).fit(views, truth.ravel() > 0)
        if (fitted.coef_[0] < 0).any():
            # What the text says, or what a user wants, never makes a tag less likely: that view is left out.
            views[:, fitted.coef_[0] < 0] = 0
            fitted = LogisticRegression(C=1e3).fit(views, truth.ravel() > 0)
        tagger, wanted = (max(0.0, float(weight)) for weight in fitted.coef_[0])
        return cls(columns, tagger, wanted, float(fitted.intercept_[0]))

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {
            "columns": self.columns.tolist(),
            "tagger": self.tagger,
            "interest": self.interest,
            "added": self.added,
        }

    @classmethod
    def from_dict(cls, about: dict[str, Any]) -> Joint:
        """From what `as_dict` gave."""
        return cls(**{**about, "columns": np.array(about["columns"], np.int64)})


def columns_of(tagger_tags: Sequence[str], tags: Sequence[str]) -> Ints:
    """[T] where each tag of the Tagger's stands among the Recommender's; -1: it is not there."""
    column = {tag: ix for ix, tag in enumerate(tags)}
    return np.array([column.get(tag, -1) for tag in tagger_tags], np.int64)


def log_odds(sure: Floats) -> Floats:
    """Of confidences, as far as 32 bits tell them from certainty."""
    kept = np.clip(sure, _SUREST, 1 - _SUREST)
    result: Floats = np.log(kept / (1 - kept))
    return result
