"""What a sample product costs, how many there are, and until when it is offered."""

from __future__ import annotations

from random import Random

from tagloom.data.sample.goods import Goods

# Of a kind's usual price; the levels do not overlap, so that the price says the level.
_SHARE_OF_PRICE = {"平价": (0.4, 0.7), "中端": (0.8, 1.3), "高端": (1.5, 3.0)}
_STOCK_UNKNOWN, _OUT_OF_STOCK, _EXPIRED, _ENDS = 0.1, 0.04, 0.02, 0.03
_MOST_IN_STOCK, _LAST_DAY = 400, "2099-12-31"


def offer(goods: Goods, rng: Random) -> dict[str, str]:
    """The cells `price`, `stock` and `until`: a few products are out of stock, a few expired in March 2026."""
    low, high = _SHARE_OF_PRICE[goods.brand.level.name]
    price = int(goods.kind.price * rng.uniform(low, high)) + 0.9
    chance = rng.random()
    stock = str(rng.randint(1, _MOST_IN_STOCK))
    if chance < _STOCK_UNKNOWN + _OUT_OF_STOCK:
        stock = "0" if chance < _OUT_OF_STOCK else ""
    day, chance = rng.randint(1, 31), rng.random()
    ends = _LAST_DAY if chance < _EXPIRED + _ENDS else ""
    return {"price": f"{price:.2f}", "stock": stock, "until": f"2026-03-{day:02d}" if chance < _EXPIRED else ends}
