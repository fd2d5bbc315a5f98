"""What a shop asks of its recommendations: only these, never those, how many of a kind, how many new ones.

Decides nothing about single products, which `Offers` does; orders what may be shown. Shapes: P products, C candidates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tagloom.data.intake.cells import parse_path
from tagloom.errors import UserError, unknown

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Named = Mapping[str, str | Sequence[str]]

KINDS = ("category", "tag", "product")
_ROUNDING = 1e-9  # 0.1 * 30 is a little more than 3


@dataclass(frozen=True)
class Rules:
    """What may be recommended, and in which mixture.

    `include` and `exclude` are kind -> names, of the kinds `category`, `tag` and `product`. A category is the name of
    any level of a path, or a path from the root (`鞋包>鞋`), and means all that lies under it. A product is included
    when it has, of each kind that is named, any of the names; it is excluded when it has any name of any kind.

    Args:
        include: nothing but these; empty: everything.
        exclude: none of these.
        price_from, price_to: products that cost less or more are left out; with a bound also those without a price.
        per_category: most products of one category (its whole path) in an answer; 0: any number.
        new_share: share of an answer's places for products that hardly anybody has met yet.
        variety: how much of the log of a product's popularity is taken off its score; 0: none.
        again: whether what the user has already is shown; None: as the Recommender found best.

    Raises:
        UserError: rules that contradict each other, an unknown kind, a number out of its range.

    >>> Rules(include={"category": "鞋包>鞋"}, price_to=200, per_category=3).include["category"]
    ('鞋包>鞋',)
    """

    include: Named = field(default_factory=dict)
    exclude: Named = field(default_factory=dict)
    price_from: float | None = None
    price_to: float | None = None
    per_category: int = 0
    new_share: float = 0.0
    variety: float = 0.0
    again: bool | None = None

    def __post_init__(self) -> None:
        for side in ("include", "exclude"):
            object.__setattr__(self, side, _names_of(side, getattr(self, side)))
        for kind in self.include.keys() & self.exclude.keys():
            excluded = {_same(kind, name) for name in self.exclude[kind]}
            if both := [name for name in self.include[kind] if _same(kind, name) in excluded]:
                raise UserError(f"rules: {kind} {both[0]!r} is both included and excluded; leave it in one of the two")
        _check_number("price_from", self.price_from)
        _check_number("price_to", self.price_to)
        _check_number("per_category", self.per_category, whole=True)
        _check_number("new_share", self.new_share, most=1)
        _check_number("variety", self.variety)
        if self.again is not None and not isinstance(self.again, bool):
            raise UserError(f"rules, again: expected true, false or nothing, came {self.again!r}")
        if self.price_from is not None and self.price_to is not None and self.price_from > self.price_to:
            raise UserError(
                f"rules: price_from {self.price_from:g} is above price_to {self.price_to:g}; no price lies between"
            )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Rules:
        """Rules from plain values, as JSON or a command line gives them.

        Raises:
            UserError: also an unknown rule; names the nearest one.
        """
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                raise UserError(unknown("rule", name, known))
        return cls(**values)


def _names_of(side: str, given: Named) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        raise UserError(f"rules, {side}: expected names by kind, such as {{'tag': ['红']}}, came {given!r}")
    found = {}
    for kind, names in given.items():
        if kind not in KINDS:
            raise UserError(f"rules, {side}: {unknown('kind', kind, KINDS)}")
        listed = [names] if isinstance(names, str) or not isinstance(names, Iterable) else list(names)
        if not all(isinstance(name, str) and name.strip() for name in listed):
            raise UserError(f"rules, {side}: expected a name or a list of names for {kind!r}, came {names!r}")
        if once := tuple(dict.fromkeys(name.strip() for name in listed)):
            found[kind] = once
    return MappingProxyType(found)


def _same(kind: str, name: str) -> Any:
    """What is equal where two names mean the same."""
    return tuple(parse_path(name)) if kind == "category" else name


def _check_number(name: str, value: Any, *, most: float = math.inf, whole: bool = False) -> None:
    if value is None and name.startswith("price_"):
        return
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    fits = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= most
    if not fits:
        up_to = "" if math.isinf(most) else f" to {most:g}"
        raise UserError(f"rules, {name}: expected a {'whole ' * whole}number from 0{up_to}, came {value!r}")


def varied(scores: npt.NDArray[Any], counts: npt.NDArray[Any], variety: float) -> npt.NDArray[Any]:
    """Scores of products with the log of their popularity taken off, so that what everybody is shown counts less.

    Args:
        scores: [..., P] log odds.
        counts: [P] how often each was taken; one is added, so that those that nobody took come out finite.
        variety: the weight of that log; 0 leaves the scores.
    """
    if not variety:
        return scores
    shares = (counts + 1.0) / (counts.sum() + len(counts))
    left: npt.NDArray[Any] = scores - (variety * np.log(shares)).astype(scores.dtype)
    return left


def arranged(ranked: Ints, *, most: int, rules: Rules, categories: Ints, fresh: Bools) -> Ints:
    """What is shown of one user's candidates: the best ones that keep within the rules.

    New products get `new_share` of the places, spread over the list: those that are among the best anyway, then the
    best of the others. Where there are too few, their places go back. Only `per_category` can make an answer shorter.

    Args:
        ranked: [C] rows of products that may be shown, the best first; below 0: no product.
        most: places.
        rules: `per_category` and `new_share` count here.
        categories: [P] the number of each product's category; below 0: it has none, and never too many.
        fresh: [P] whether hardly anybody has met the product yet.

    Returns:
        Rows in the order they are shown, `most` or fewer.
    """
    rows = ranked[ranked >= 0]
    needed = min(most, math.ceil(rules.new_share * most - _ROUNDING))
    if not rules.per_category and not needed:
        return rows[:most]
    pick = _Pick(categories[rows].tolist(), rules.per_category)
    new = fresh[rows].tolist()
    chosen = pick.best(range(len(rows)), most)
    own = [place for place in chosen if new[place]]
    if len(own) < needed:
        pick.start(own)
        there = set(own)
        own += pick.best((place for place in np.flatnonzero(new).tolist() if place not in there), needed - len(own))
        there = set(own)
        chosen = own + pick.best((place for place in range(len(rows)) if place not in there), most - len(own))
    return rows[_spread(sorted(chosen), new, needed)]


class _Pick:
    """Picks places of candidates as long as their categories have room; without a limit they always have."""

    def __init__(self, categories: list[int], limit: int) -> None:
        self.categories, self.limit = categories, limit
        self.taken: dict[int, int] = {}

    def start(self, places: Iterable[int]) -> None:
        """Begin anew, these taken."""
        self.taken = dict(Counter(self.categories[place] for place in places))

    def best(self, places: Iterable[int], most: int) -> list[int]:
        """The first `most` places that fit."""
        if not self.limit:
            return list(islice(places, most))
        found: list[int] = []
        for place in places:
            if len(found) >= most:
                break
            category = self.categories[place]
            count = self.taken.get(category, 0)
            if category < 0 or count < self.limit:
                self.taken[category] = count + 1
                found.append(place)
        return found


def _spread(chosen: list[int], new: list[bool], needed: int) -> list[int]:
    """Chosen places by rank, but new products come in time for their share of the list."""
    fresh, others = ([place for place in chosen if new[place] is wanted][::-1] for wanted in (True, False))
    needed = min(needed, len(fresh))
    due = [0] * len(chosen)
    for number in range(needed):
        due[int((number + 0.5) * len(chosen) / needed)] += 1
    shown: list[int] = []
    owed = 0  # new products that should be shown by now and are not; below 0: some are ahead of time
    for more in due:
        owed += more
        is_new = bool(fresh) and (owed > 0 or not others or fresh[-1] < others[-1])
        shown.append(fresh.pop() if is_new else others.pop())
        owed -= is_new
    return shown
