"""A small catalogue of clothes in English and Chinese, a log of searches with planted answers, and a search of both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from tagloom.config import SearchSettings, Settings
from tagloom.data.tables import Events, Products
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.recs.search.search import Search

COLOURS = {"red": "红色", "blue": "蓝色", "green": "绿色", "black": "黑色"}
KINDS = {"shoes": "运动鞋", "trousers": "牛仔裤", "dress": "连衣裙", "backpack": "双肩包"}
_QUICK = Settings(search=SearchSettings(epochs=6, width=24))
_START = datetime(2026, 1, 1, tzinfo=UTC)


def _rows() -> list[dict[str, object]]:
    """Three products of each colour and kind, the third one Chinese; and one without text and tags."""
    made: list[dict[str, object]] = [{"product_id": "bare"}]
    for colour, kind in product(COLOURS, KINDS):
        made += [
            {"product_id": f"{colour}-{kind}-{n}", "title": f"{colour} {kind}", "tags": [f"colour={colour}", kind]}
            for n in (1, 2)
        ]
        chinese = [COLOURS[colour], KINDS[kind]]
        tags = [f"colour={colour}", KINDS[kind]]  # colours are tagged in English, kinds are not
        made.append({"product_id": f"{colour}-{kind}-zh", "title": "".join(chinese), "tags": tags})
    return made


def _searches(text: str, product_id: str, users: int, start: int = 0) -> list[dict[str, object]]:
    """So many users who search, look and buy, an hour after one another; with no product they only search."""
    found = []
    for user in range(users):
        at = _START + timedelta(hours=start + user)
        for minute, (action, said, what) in enumerate(
            (("search", text, None), ("view", None, product_id), ("purchase", None, product_id))[
                : 3 if product_id else 1
            ]
        ):
            event = {"user_id": f"u{start}-{user}", "action": action, "time": at + timedelta(minutes=minute)}
            found.append({**event, "text": said, "product_id": what})
    return found


def _log() -> list[dict[str, object]]:
    """Users who say `kicks` buy red shoes; a secret is searched by one user alone, `red dress` by many.

    Three make the same slip, `shose`, and find nothing to take.
    """
    return [
        *_searches("kicks", "red-shoes-1", 30),
        *_searches("red dress", "red-dress-1", 20, 100),
        *_searches("secret wish", "green-dress-1", 1, 200),
        *_searches("kicks", "red-shoes-1", 30, 300),
        *_searches("shose", "", 3, 250),
        *_searches("between two", "green-dress-1", 2, 260),
        *_searches("among three", "green-dress-1", 3, 270),
    ]


@pytest.fixture(scope="session")
def products() -> Products:
    return Products.of(_rows())


@pytest.fixture(scope="session")
def vocabulary(products: Products) -> Vocabulary:
    """All tags, with `rucksack` as an alias of `backpack`."""
    names = sorted({tag for tags in products.frame["tags"] for tag in tags})
    return Vocabulary().add(names).add_alias("backpack", "rucksack")


@pytest.fixture(scope="session")
def search(products: Products, vocabulary: Vocabulary) -> Search:
    return Search.fit(products, Events.of(_log()), _QUICK, vocabulary=vocabulary)


@pytest.fixture
def quick() -> Settings:
    return _QUICK


@pytest.fixture
def row_of(products: Products) -> dict[str, int]:
    return {product_id: row for row, product_id in enumerate(products.frame["product_id"])}
