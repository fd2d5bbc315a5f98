"""Any number of sample events, fast and in time order, for measuring; products are known by number only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

from tagloom.data.sample.behaviour import DAYS, START, product_id
from tagloom.data.sample.catalogue import Catalogue

_MIX = 2_654_435_761  # spreads user numbers over kinds (Knuth's multiplicative hash)
_OPEN_SESSIONS = 64  # of different users, going on side by side

Step = tuple[str, str, str | None, str | None, float | None]  # user, action, product, text, value


def stream(count: int, shop: Catalogue, products: int, users: int, rng: Random) -> Iterator[dict[str, object]]:
    """Any number of events in time order, without making the products: a session holds to one kind.

    Args:
        products: product numbers run from 1 to this.
    """
    random = rng.random
    step = DAYS * 86_400 / max(count, 1)
    sessions = [_steps(shop, products, users, rng) for _ in range(_OPEN_SESSIONS)]
    day, stamp = -1, ""
    for number in range(count):
        seconds = int(number * step)
        today, rest = divmod(seconds, 86_400)
        if today != day:
            day, stamp = today, (START + timedelta(days=today)).strftime("%Y-%m-%d")
        user, action, product, text, value = next(sessions[int(random() * _OPEN_SESSIONS)])
        yield {
            "user_id": user,
            "action": action,
            "time": f"{stamp}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z",
            "product_id": product,
            "text": text,
            "value": value,
        }


def _steps(shop: Catalogue, products: int, users: int, rng: Random) -> Iterator[Step]:
    """Session after session, each of another user who likes two kinds of product."""
    random = rng.random
    places: dict[int, list[int]] = {}
    for place, kind_ix in enumerate(shop.order):
        places.setdefault(kind_ix, []).append(place)
    turn = len(shop.order)
    blocks = max(products // turn, 1)
    while True:
        number = int(random() * random() * users) + 1
        user = f"u{number:04d}"
        kind_ix = number * (_MIX if random() < 0.6 else _MIX + 2) // 128 % len(shop.kinds)
        kind, slots = shop.kinds[kind_ix], places[kind_ix]
        if random() < 0.6:
            yield user, "search", None, kind.queries[int(random() * len(kind.queries))], None
        product = ""
        for _ in range(1 + int(random() * 4)):
            ix = int(blocks * random() ** 3) * turn + slots[int(random() * len(slots))]
            product = product_id(min(max(ix, 1), products))
            yield user, "view", product, None, None
        if random() < 0.5:
            yield user, "purchase", product, None, 1.0
