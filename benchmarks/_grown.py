"""Shops of any size with a planted structure, so that quality can be checked at each size.

Products come in kinds of 200; a kind has a tag, a word of its own, and popular and rare products in it (Zipf). A user
starts at a kind. The next product is of the kind of the last one (7 in 10), of the kind that goes with it (2 in 10), or
of any (1 in 10). Who knows that, and how popular each product is within its kind, foresees as well as can be: `oracle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from tagloom.data.tables import EVENT_SCHEMA, PRODUCT_SCHEMA, Events, Products

Ints = npt.NDArray[np.int64]
KIND, BRANDS, COLOURS = 200, 500, 40
STAYS, GOES_WITH = 0.7, 0.2
_START = datetime(2026, 1, 1, tzinfo=UTC)
_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]


@dataclass(frozen=True, eq=False)
class Grown:
    """A shop: P products in P / 200 kinds, and events of users in time order.

    Args:
        products, events: as tagloom takes them; the last event of each user is not among the events.
        users: ids of users who have a last event.
        last: int64, the row of each one's last product.
        before: int64, the row of the product before it.
        goes_with: of each kind the one that goes with it.
    """

    products: Products
    events: Events
    users: list[str]
    last: Ints
    before: Ints
    goes_with: Ints


def grown(count: int, events: int, seed: int = 0) -> Grown:
    """A shop with so many products (a multiple of 200) and about so many events, ten a user on average."""
    draw = np.random.default_rng(seed)
    kinds = count // KIND
    goes_with = np.roll(np.arange(kinds), 1)[draw.permutation(kinds)]
    lengths = 2 + draw.geometric(1 / 9, events // 10)  # [U]
    user = np.repeat(np.arange(len(lengths)), lengths)
    total = len(user)
    first = np.zeros(total, np.bool_)
    first[np.concatenate([[0], np.cumsum(lengths)[:-1]])] = True
    kind, step, anywhere = np.empty(total, np.int64), draw.random(total), draw.integers(0, kinds, total)
    now = 0
    moves = np.where(first | (step >= STAYS + GOES_WITH), 2, (step >= STAYS).astype(np.int64))
    told, other = goes_with.tolist(), anywhere.tolist()
    for place, move in enumerate(moves.tolist()):
        now = now if move == 0 else told[now] if move == 1 else other[place]
        kind[place] = now
    zipf = 1 / np.arange(1, KIND + 1)
    within = np.searchsorted(np.cumsum(zipf / zipf.sum()), draw.random(total)).clip(max=KIND - 1)
    product = kind * KIND + within
    # Sessions of a user follow one another; users come and go over the year.
    seconds = np.sort(draw.integers(0, 300 * 86_400, len(lengths)))[user] + 7_200 * _places(lengths)
    is_last = np.append(first[1:], True)
    rest = np.flatnonzero(~is_last)
    rest = rest[np.argsort(seconds[rest], kind="stable")]
    last = np.flatnonzero(is_last)
    log = pl.DataFrame({"user": user[rest], "product": product[rest], "seconds": seconds[rest]}).select(
        user_id="u" + pl.col("user").cast(pl.String),
        action=pl.lit("purchase", EVENT_SCHEMA["action"]),
        time=(pl.lit(_START) + pl.duration(seconds=pl.col("seconds"))).cast(EVENT_SCHEMA["time"]),
        product_id="p" + pl.col("product").cast(pl.String),
        text=pl.lit(None, pl.String),
        value=pl.lit(None, pl.Float64),
    )
    users = [f"u{number}" for number in range(len(lengths))]
    return Grown(_products(count, draw), Events(log), users, product[last], product[last - 1], goes_with)


def oracle(shop: Grown, most: int = 10) -> float:
    """HR@10 of whoever knows how the shop was made: the share of last products among the likeliest 10."""
    zipf = 1 / np.arange(1, KIND + 1)
    zipf /= zipf.sum()
    own, other = STAYS * zipf, GOES_WITH * zipf
    # The ten likeliest of the two kinds; those of all other kinds are too many to count.
    best = np.sort(np.concatenate([own, other]))[-most]
    kind, place = shop.last // KIND, shop.last % KIND
    last_kind = shop.before // KIND
    hit = ((kind == last_kind) & (own[place] >= best)) | ((kind == shop.goes_with[last_kind]) & (other[place] >= best))
    return float(hit.mean())


def _products(count: int, draw: np.random.Generator) -> Products:
    kind = np.arange(count) // KIND
    brand, colour = draw.integers(0, BRANDS, count), draw.integers(0, COLOURS, count)
    words = pl.Series([_word(number) for number in range(count // KIND + BRANDS + COLOURS)])
    kinds, brands, colours = words[kind], words[count // KIND + brand], words[count // KIND + BRANDS + colour]
    made = pl.DataFrame({"number": np.arange(count), "kind": kinds, "brand": brands, "colour": colours}).select(
        product_id="p" + pl.col("number").cast(pl.String),
        title=pl.concat_str("brand", "colour", "kind", separator=" "),
        description=pl.lit(""),
        category=pl.concat_list("kind"),
        tags=pl.concat_list("kind", "brand", "colour"),
    )
    rest = {name: kind for name, kind in PRODUCT_SCHEMA.items() if name not in made.columns}
    more = [pl.lit([] if name == "attributes" else None, kind).alias(name) for name, kind in rest.items()]
    return Products(made.with_columns(more).select(PRODUCT_SCHEMA.names()))


def _word(number: int) -> str:
    """Words of three syllables, then of four."""
    parts, size = [], len(_SYLLABLES)
    number += size**2
    while number:
        number, ix = divmod(number, size)
        parts.append(_SYLLABLES[ix])
    return "".join(parts)


def _places(lengths: Ints) -> Ints:
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
