"""What was searched, and what was taken after it: what a search learns from.

Shapes: N events, M pairs of a query and a product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tagloom.data.histories import ACTION_WEIGHTS, Histories, histories_of
from tagloom.data.tables import ACTIONS, Events
from tagloom.data.words.text import normalise

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_SEARCH = ACTIONS.index("search")
_BOUGHT = ("purchase", "cart")
# So many different users must have typed the same before anybody else is shown it, or a word of it is kept.
LEAST_USERS = 3
_LONGEST = 200


@dataclass(frozen=True, eq=False)
class Pairs:
    """Queries, each with a product that was taken after it in the same session, before the next query.

    A query that stands in one event with a product is paired with that one alone.

    Args:
        texts: [M] as they were typed.
        products: int64 [M] rows of the catalogue; a product that was touched more than once stands once.
        weights: [M] of the strongest action.
        bought: bool [M]: it was put into the cart or bought.
        seconds: int64 [M] of the query.
        users: [M] who asked.
        counts: of each different query, normalised, how many different users typed it; none below `LEAST_USERS`.
        words: likewise of each word, whatever else stood beside it; only of users who took something after it, or a
            slip that many make would be a word like any other.
    """

    texts: tuple[str, ...]
    products: Ints
    weights: Floats
    bought: npt.NDArray[np.bool_]
    seconds: Ints
    users: tuple[str, ...]
    counts: Mapping[str, int]
    words: Mapping[str, int]

    @classmethod
    def of(
        cls,
        events: Events,
        product_ids: Sequence[str],
        cut: Callable[[str], list[str]],
        session_minutes: float,
        by_action: Mapping[str, float] = ACTION_WEIGHTS,
    ) -> Pairs:
        """From a log; events on products that are not in the catalogue say nothing. `cut` gives a query's words."""
        log = histories_of(events, product_ids)
        asks = (log.action_ix == _SEARCH) & np.array([bool(text) for text in log.texts], np.bool_)
        places = np.arange(len(asks))
        asked = np.maximum.accumulate(np.where(asks, places, -1)) if len(places) else places
        sessions, weights = log.sessions(session_minutes), log.weights(by_action)
        # A search that names its product is answered by that alone: what comes after it says nothing of its words.
        closed = asks & (log.product_ix >= 0)
        taken = (log.product_ix >= 0) & (asked >= 0) & (weights > 0) & (closed | ~asks & ~closed[asked])
        taken &= (log.user == log.user[asked]) & (sessions == sessions[asked])
        rows = np.flatnonzero(taken)
        # The strongest action on a product first, so that `unique` keeps that one.
        rows = rows[np.argsort(-weights[rows], kind="stable")]
        both = asked[rows] * (log.product_ix.max(initial=0) + 1) + log.product_ix[rows]
        rows = rows[np.sort(np.unique(both, return_index=True)[1])]
        rows = rows[np.argsort(rows, kind="stable")]
        queries = asked[rows]
        bought = np.isin(log.action_ix[rows], [ACTIONS.index(action) for action in _BOUGHT])
        return cls(
            texts=tuple(log.texts[ix] for ix in queries.tolist()),
            products=log.product_ix[rows],
            weights=weights[rows],
            bought=bought,
            seconds=log.seconds[queries],
            users=tuple(log.user_ids[ix] for ix in log.user[queries].tolist()),
            counts=_of_several(_typed(log, np.flatnonzero(asks))),
            words=_of_several(_by_word(_typed(log, queries[bought | closed[rows]]), cut)),
        )

    def __len__(self) -> int:
        return len(self.texts)

    def of_rows(self, rows: Ints) -> Pairs:
        """Some of the pairs; the counts stay those of all."""
        chosen = rows.tolist()
        return Pairs(
            tuple(self.texts[row] for row in chosen),
            self.products[rows],
            self.weights[rows],
            self.bought[rows],
            self.seconds[rows],
            tuple(self.users[row] for row in chosen),
            self.counts,
            self.words,
        )

    def newest_from(self, share: float) -> float:
        """The moment from which on the newest `share` of all queries were asked; of none infinite."""
        return float(np.quantile(self.seconds, 1 - share)) if len(self) else np.inf

    def held_out(self, share: float) -> tuple[Pairs, Pairs]:
        """The older pairs, and of the newest `share` of all queries those that ended in something bought."""
        if not len(self):
            return self, self
        moment = self.newest_from(share)
        return self.of_rows(np.flatnonzero(self.seconds < moment)), self.of_rows(
            np.flatnonzero((self.seconds >= moment) & self.bought)
        )


def _typed(log: Histories, rows: Ints) -> dict[str, set[int]]:
    """Who typed each query."""
    users: dict[str, set[int]] = {}
    for row, user in zip(rows.tolist(), log.user[rows].tolist(), strict=True):
        users.setdefault(normalise(log.texts[row], _LONGEST), set()).add(user)
    return users


def _by_word(typed: Mapping[str, set[int]], cut: Callable[[str], list[str]]) -> dict[str, set[int]]:
    """Who typed each word."""
    users: dict[str, set[int]] = {}
    for text, who in typed.items():
        for word in cut(text):
            users.setdefault(word, set()).update(who)
    return users


def _of_several(typed: Mapping[str, set[int]]) -> dict[str, int]:
    """How many users typed each; what few typed is nobody else's business and is left out."""
    return {text: len(who) for text, who in sorted(typed.items()) if text and len(who) >= LEAST_USERS}
