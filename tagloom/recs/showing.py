"""What may be shown of what is likely, and in which mixture: rules carried out on scores.

Shapes: B users, P products, C candidates of a user, K places.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.recs.nearest import EXACT
from tagloom.recs.offers import Offers
from tagloom.recs.rules import Bools, Rules, arranged, varied
from tagloom.recs.scored import Floats, Ints, Scored

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary

# Of what is taken most now so many stand by, for users of whose likeliest products none may be shown.
_STAND_BY = 200
_MOST_KEPT = 16  # rules that were asked for last
_LOOKED_THROUGH = 20  # times the places: among so many of the best the mixture is tried first


@dataclass(frozen=True)
class Today:
    """What a shop says of its catalogue now.

    Args:
        hidden: ids of products that are never shown.
        rules: they hold where a question gives none of its own.
        new_events: a product with fewer events is new, for `rules.new_share`.
        vocabulary: gives the search the tags' names and aliases of today; None: those of training.
        index_folder: where the search keeps the catalogue's words; None: nowhere.
    """

    hidden: Collection[str] = ()
    rules: Rules = field(default_factory=Rules)
    new_events: int = 5
    vocabulary: Vocabulary | None = None
    index_folder: Path | None = None


def _unknown() -> Floats:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class Showing:
    """A shop's offers and rules of now.

    Args:
        offers: what can be had.
        rules: what holds where a question does not say otherwise.
        new_events: a product with fewer events is new.
        counts: [P] events of each product.
        default: [P] logs of shares: what is taken now.
    """

    offers: Offers
    rules: Rules = field(default_factory=Rules)
    new_events: int = 5
    counts: Floats = field(default_factory=_unknown)
    default: Floats = field(default_factory=_unknown)
    _last: list[Any] = field(default_factory=list, repr=False)

    def counting(self, counts: Floats, default: Floats) -> Showing:
        """The same with what users took."""
        return Showing(self.offers, self.rules, self.new_events, counts, default)

    def ruled(self, rules: Rules | None = None, now: datetime | None = None) -> Ruled:
        """What a question's rules come to, or the shop's where it has none.

        Args:
            rules: None: those of the shop.
            now: offers that ended before are gone; None: by the clock.

        Raises:
            UserError: a name that the catalogue does not have.
        """
        rules = self.rules if rules is None else rules
        moment = (datetime.now(UTC) if now is None else now).replace(second=0, microsecond=0)
        for known, found in self._last:
            if known == (rules, moment):
                return found  # type: ignore[no-any-return]
        allowed = self.offers.allowed(rules, moment)
        made = Ruled(self, rules, None if allowed.all() else allowed)
        self._last[:] = [((rules, moment), made), *self._last[: _MOST_KEPT - 1]]
        return made

    def mixed(self, rules: Rules | None = None) -> Ruled:
        """The same with everything there, to measure on what was taken before some of it was gone."""
        rules = self.rules if rules is None else rules
        return Ruled(self, replace(rules, include={}, exclude={}, price_from=None, price_to=None), None)


@dataclass(frozen=True, eq=False)
class Ruled:
    """Rules on a catalogue.

    Args:
        showing: whose rules.
        rules: they.
        allowed: [P] what may be shown; None: everything.
    """

    showing: Showing
    rules: Rules
    allowed: Bools | None

    @cached_property
    def rows(self) -> Ints | None:
        """The products that may be shown, where they are so few that each can be looked at."""
        few = self.allowed is not None and np.count_nonzero(self.allowed) <= EXACT
        return np.flatnonzero(self.allowed) if few and self.allowed is not None else None

    @cached_property
    def share(self) -> float:
        """The share of the catalogue that may be shown."""
        return 1.0 if self.allowed is None or not len(self.allowed) else float(self.allowed.mean())

    def standing_by(self, most: int) -> Ints:
        """Products that may be shown to anybody: those taken most now, and where new ones have a share, new ones."""
        return self._standing_by if most <= _STAND_BY else self._taken_most(most)

    @cached_property
    def _standing_by(self) -> Ints:
        return self._taken_most(_STAND_BY)

    def _taken_most(self, most: int) -> Ints:
        default = self.showing.default
        may = np.ones(len(default), np.bool_) if self.allowed is None else self.allowed
        rows = every = np.flatnonzero(may)
        if len(rows) > most:
            rows = rows[np.argpartition(-default[rows], most)[:most]]
        if self.rules.per_category:
            rows = np.union1d(rows, self._of_each_category(every)[: 10 * _STAND_BY])
        if self.rules.new_share:
            rows = np.union1d(rows, np.flatnonzero(may & self.fresh)[-10 * _STAND_BY :])
        return rows

    def _of_each_category(self, rows: Ints) -> Ints:
        """Of each category as many as may be shown, those taken most now, and of these the most taken first."""
        default, categories = self.showing.default[rows], self.showing.offers.categories[rows]
        order = np.lexsort((-default, categories))
        begins = np.append(True, np.diff(categories[order]) != 0)
        places = np.arange(len(order)) - np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
        first = order[places < self.rules.per_category]
        return rows[first[np.argsort(-default[first], kind="stable")]]

    @cached_property
    def fresh(self) -> Bools:
        """[P] whether hardly anybody has met the product yet."""
        return self.showing.counts < self.showing.new_events

    def lists(self, scored: Scored, most: int) -> tuple[Ints, Floats]:
        """Of each user what is shown, rows of the catalogue, and their shares: [B, K] each; -1: no more."""
        if self.allowed is not None:
            scored = scored.without_rows(~self.allowed)
        if self.rules.variety:
            scored = scored.ranked_with(self._lowered)
        if not self.rules.per_category and not self.rules.new_share:
            return scored.top(most)
        width = scored.scores.shape[1]
        few = self._mixed(*scored.top(min(width, _LOOKED_THROUGH * most)), most)
        # Where the best of them have too few categories, or too few new products, all are looked through.
        needed = int(self.rules.new_share * most)
        there = few[0] >= 0
        short = (there.sum(1) < most) | ((self.fresh[few[0]] & there).sum(1) < needed)
        return few if not short.any() or width <= _LOOKED_THROUGH * most else self._mixed(*scored.top(width), most)

    @cached_property
    def _lowered(self) -> Floats:
        """[P] what the rule `variety` takes off each score."""
        counts = self.showing.counts
        left: Floats = varied(np.zeros(len(counts), np.float32), counts, self.rules.variety)
        return left

    def _mixed(self, ranked: Ints, shares: Floats, most: int) -> tuple[Ints, Floats]:
        """Of each user's products, the best first, those that keep within the rules."""
        rows, kept = np.full((len(ranked), most), -1, np.int64), np.zeros((len(ranked), most), np.float32)
        for user, (one, share) in enumerate(zip(ranked, shares, strict=True)):
            shown = arranged(
                one, most=most, rules=self.rules, categories=self.showing.offers.categories, fresh=self.fresh
            )
            rows[user, : len(shown)] = shown
            place = dict(zip(one.tolist(), share.tolist(), strict=True))
            kept[user, : len(shown)] = [place[row] for row in shown.tolist()]
        return rows, kept
