"""The sample shop's users: hidden tastes that drift, and what they search, view, buy and post because of them."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np

from tagloom.data.sample.goods import Goods

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 90
_ENGLISH_USERS = 0.12
_EXPLORES = 0.12  # share of steps outside every taste
_REBUYS = {"食品": 0.35, "美妆": 0.25}
_POSTS = (
    "刚收到的{kind}，{clause}{emoji} #{tag}#",
    "{clause}！这{measure}{kind}我给满分{emoji}#{tag}# #{brand}#",
    "逛了好久终于下手，{brand}的{kind}没让我失望{emoji} #{tag}#",
    "{kind}到啦{emoji}{clause}，同事都来问链接 #{tag}#",
    "用了一周来交作业：{clause}。#{kind}# #{tag}#{emoji}",
    "第二次买{brand}了，{clause}{emoji}",
    "今日份开心是新{kind}给的{emoji}{emoji} #{tag}# #好物分享#",
)
_POSTS_EN = (
    "My new {kind} is here {emoji} #{tag}",
    "{clause}. Ten out of ten {emoji} #{tag} #{brand}",
    "Finally ordered from {brand} and no regrets {emoji} #{tag}",
    "One week in: {clause_low}. #{tag} {emoji}",
)
_EMOJI = "😍🥰👍✨🔥😄💯🎉❤🙌"


@dataclass(frozen=True)
class Taste:
    """What a user likes within one family between two days; values are Chinese tags."""

    family: str
    values: tuple[str, ...]
    level: str
    from_day: float
    until_day: float


@dataclass(frozen=True)
class User:
    """A sample user and the planted answer to what they like."""

    user_id: str
    english: bool
    tastes: tuple[Taste, ...]

    def inside(self, goods: Goods, day: float) -> bool:
        """Whether a product lies inside a taste: its family, and at least one of the values liked on that day."""
        tags = goods.tags()
        return any(
            taste.family == goods.kind.family and any(value in tags for value in taste.values)
            for taste in self.tastes
            if taste.from_day <= day < taste.until_day
        )


@dataclass(frozen=True)
class Shelf:
    """The catalogue as users see it: popularity is long-tailed, some products have an English twin."""

    goods: Sequence[Goods]
    twins: frozenset[int]  # product numbers
    popularity: np.ndarray  # [P]
    families: dict[str, np.ndarray]  # family -> rows of goods
    tagged: dict[str, np.ndarray]  # tag -> [P] 0/1
    kinds: dict[str, np.ndarray]  # kind -> [P] 0/1

    @classmethod
    def of(cls, goods: Sequence[Goods], twins: frozenset[int], rng: Random) -> Shelf:
        """Rank products by chance; the one of rank r is bought in proportion to r^-0.8."""
        ranks = list(range(len(goods)))
        rng.shuffle(ranks)
        tagged: dict[str, np.ndarray] = {}
        kinds: dict[str, np.ndarray] = {}
        families: dict[str, list[int]] = {}
        for row, one in enumerate(goods):
            for tag in {*one.tags(), one.brand.level.name}:
                tagged.setdefault(tag, np.zeros(len(goods)))[row] = 1
            kinds.setdefault(one.kind.name, np.zeros(len(goods)))[row] = 1
            families.setdefault(one.kind.family, []).append(row)
        rows = {name: np.array(members) for name, members in families.items()}
        return cls(goods, twins, (np.array(ranks) + 1.0) ** -0.8, rows, tagged, kinds)

    def draw(self, rows: np.ndarray, weights: np.ndarray, rng: Random) -> int:
        """One of `rows` in proportion to `weights` ([R] each)."""
        sums = np.cumsum(weights)
        return int(rows[min(bisect(sums, rng.random() * float(sums[-1])), len(rows) - 1)])


def make_users(count: int, shelf: Shelf, rng: Random) -> list[User]:
    """Users with one to three tastes each, read off a real product so that a taste can be met."""
    return [_user(number, shelf, rng) for number in range(1, count + 1)]


def _user(number: int, shelf: Shelf, rng: Random) -> User:
    families = rng.sample(sorted(shelf.families), rng.choice((1, 2, 2, 3)))
    tastes: list[Taste] = []
    for family in families:
        level = rng.choice(("平价", "平价", "中端", "高端"))
        values = _liked(family, level, shelf, rng)
        turn = rng.uniform(25, 70)
        tastes.append(Taste(family, values, level, 0, turn))
        # Tastes drift: one value goes, another comes, the rest stays.
        fresh = [value for value in _liked(family, level, shelf, rng) if value not in values]
        tastes.append(Taste(family, (*values[1:], *fresh[:1]), level, turn, DAYS))
    return User(f"u{number:04d}", rng.random() < _ENGLISH_USERS, tuple(tastes))


def _liked(family: str, level: str, shelf: Shelf, rng: Random) -> tuple[str, ...]:
    rows = shelf.families[family]
    row = shelf.draw(rows, 0.02 + shelf.popularity[rows] * shelf.tagged[level][rows], rng)
    values = [value.name for value in shelf.goods[row].values if value.tagged and value.attribute != "价位"]
    return tuple(rng.sample(values, min(3, len(values))))


@dataclass
class _Life:
    """One user's ninety days while they are being told."""

    user: User
    shelf: Shelf
    rng: Random
    events: list[dict[str, object]]
    bought: list[int]
    due: list[tuple[float, str]]  # day from which a follow-up purchase is wanted, and its kind
    clock: datetime = START

    def note(self, action: str, row: int | None = None, text: str | None = None, value: float | None = None) -> None:
        self.clock += timedelta(seconds=self.rng.randint(8, 240))
        product_id = None if row is None else self.product_id(row)
        self.events.append(
            {
                "user_id": self.user.user_id,
                "action": action,
                "time": self.clock.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "product_id": product_id,
                "text": text,
                "value": value,
            }
        )

    def product_id(self, row: int) -> str:
        number = self.shelf.goods[row].number
        english = self.user.english and number in self.shelf.twins and self.rng.random() < 0.85
        return product_id(number, english)

    @property
    def day(self) -> float:
        return (self.clock - START) / timedelta(days=1)


def product_id(number: int, english: bool = False) -> str:
    """`p00012`, and `p00012-en` for its English twin."""
    return f"p{number:05d}-en" if english else f"p{number:05d}"


def tell(user: User, shelf: Shelf, rng: Random) -> list[dict[str, object]]:
    """All events of one user, in time order: 30 to 60 of them, in sessions over `DAYS` days."""
    wanted = rng.randint(30, 60)
    sessions = wanted // 4
    life = _Life(user, shelf, rng, [], [], [])
    for number in range(sessions):
        day = (DAYS - 1) * (number + rng.random()) / sessions
        # People shop in the evening, UTC+8.
        life.clock = max(life.clock, START + timedelta(days=int(day), hours=rng.triangular(1, 15, 12)))
        _session(life)
        if len(life.events) >= wanted:
            break
    while len(life.events) < 30:
        _session(life)
    return life.events[:60]


def _session(life: _Life) -> None:
    rng, shelf = life.rng, life.shelf
    if life.due and life.due[0][0] <= life.day:
        _buy(life, _follow_up(life, life.due.pop(0)[1]))
        return
    again = [row for row in life.bought if rng.random() < _REBUYS.get(shelf.goods[row].kind.family, 0)]
    if again and rng.random() < 0.5:
        _buy(life, again[0])
        return
    taste = rng.choice([one for one in life.user.tastes if one.from_day <= life.day < one.until_day])
    found = [_pick(life, taste) for _ in range(rng.randint(2, 4))]
    best = found[-1]
    if rng.random() < 0.7:
        life.note("search", text=_query(life, best))
    for row in found:
        life.note("view", row)
    if rng.random() < 0.2:
        life.note("like", best)
    if rng.random() < 0.75:
        _buy(life, best)


def _pick(life: _Life, taste: Taste) -> int:
    shelf, rng = life.shelf, life.rng
    if rng.random() < _EXPLORES:
        return shelf.draw(np.arange(len(shelf.goods)), shelf.popularity, rng)
    rows = shelf.families[taste.family]
    liked = sum((shelf.tagged[value][rows] for value in taste.values), np.zeros(len(rows)))
    weights = (
        shelf.popularity[rows] * np.exp(1.5 * liked + 0.7 * shelf.tagged[taste.level][rows]) * (0.02 + (liked > 0))
    )
    return shelf.draw(rows, weights * _language(life, rows), rng)


def _follow_up(life: _Life, kind: str) -> int:
    """A product of the wanted kind, preferably one that meets the user's tastes."""
    shelf = life.shelf
    liked = np.zeros(len(shelf.goods))
    for taste in life.user.tastes:
        if taste.from_day <= life.day < taste.until_day:
            liked += sum((shelf.tagged[value] for value in taste.values), np.zeros(len(shelf.goods)))
    rows = np.flatnonzero(shelf.kinds[kind])
    row = shelf.draw(rows, shelf.popularity[rows] * np.exp(1.5 * liked[rows]) * _language(life, rows), life.rng)
    life.note("search", text=shelf.goods[row].kind.english if life.user.english else kind)
    life.note("view", row)
    return row


def _language(life: _Life, rows: np.ndarray) -> np.ndarray:
    if not life.user.english:
        return np.ones(len(rows))
    return np.array([12.0 if life.shelf.goods[row].number in life.shelf.twins else 1.0 for row in rows])


def _buy(life: _Life, row: int) -> None:
    rng = life.rng
    goods = life.shelf.goods[row]
    if rng.random() < 0.45:
        life.note("cart", row)
    life.note("purchase", row, value=float(rng.choice((1, 1, 1, 1, 2, 3))))
    life.bought.append(row)
    known = [kind for kind in goods.kind.follow_ups if kind in life.shelf.kinds]
    if known and rng.random() < 0.7:
        # The first follow-up is by far the commonest: that is the rule to be found.
        life.due.append((life.day + rng.uniform(1, 8), known[0] if rng.random() < 0.75 else rng.choice(known)))
    if rng.random() < 0.25:
        inside = life.user.inside(goods, life.day)
        life.note("rate", row, value=float(rng.choice((4, 5, 5, 5) if inside else (2, 3, 3, 4))))
    if rng.random() < 0.18:
        life.note("post", row, text=_post(life, goods))


def _query(life: _Life, row: int) -> str:
    rng, goods = life.rng, life.shelf.goods[row]
    values = [value for value in goods.values if value.tagged and value.titles]
    value = rng.choice(values) if values else None
    if life.user.english:
        return f"{value.english} {goods.kind.english}" if value else goods.kind.english
    noun = rng.choice(goods.kind.nouns)
    if value is None or rng.random() < 0.25:
        return rng.choice(goods.kind.queries)
    return rng.choice(value.titles) + rng.choice(("", " ")) + noun


def _post(life: _Life, goods: Goods) -> str:
    rng, english = life.rng, life.user.english
    value = rng.choice(goods.values)
    clause = rng.choice(value.clauses_en if english else value.clauses)
    tag = rng.choice(goods.tags(english)[2:]).replace(" ", "")  # without kind and brand, which are named anyway
    return rng.choice(_POSTS_EN if english else _POSTS).format(
        kind=goods.kind.english if english else goods.kind.name,
        brand=goods.brand.english if english else goods.brand.name,
        measure=goods.kind.measure,
        clause=clause,
        clause_low=clause[:1].lower() + clause[1:],
        tag=tag,
        emoji=rng.choice(_EMOJI),
    )


def all_events(users: Sequence[User], shelf: Shelf, rng: Random) -> Iterator[dict[str, object]]:
    """Every user's events, merged in time order."""
    told = [event for user in users for event in tell(user, shelf, rng)]
    yield from sorted(told, key=lambda event: str(event["time"]))
