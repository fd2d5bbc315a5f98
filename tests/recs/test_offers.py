"""What may be shown: by stock, end, price, category, tag and name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.data.tables import Products
from tagloom.errors import UserError
from tagloom.recs.items import Items, Known
from tagloom.recs.offers import Offers, numbered_categories
from tagloom.recs.rules import Rules

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GOODS = [
    {"product_id": "boot", "category": ["鞋包", "鞋", "靴子"], "tags": ["红", "冬季"], "price": 300, "stock": 3},
    {"product_id": "shoe", "category": ["鞋包", "鞋", "运动鞋"], "tags": ["蓝"], "price": 50, "until": NOW},
    {"product_id": "bag", "category": ["鞋包", "包"], "tags": ["红"], "price": 200},
    {"product_id": "kids", "category": ["儿童", "鞋"], "tags": ["儿童", "蓝"], "price": 49.9},
    {"product_id": "gift", "category": [], "tags": [], "stock": 1},
    {"product_id": "lens", "category": ["数码", "影音/相机"], "tags": ["红"]},
]


def allowed(rows, now=NOW, hidden=(), **rules):
    products = Products.of(rows)
    fits = Offers(products, hidden).allowed(Rules(**rules), now)
    return set(products.frame.filter(fits)["product_id"])


EVERY = {row["product_id"] for row in GOODS}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, EVERY),
        ({"include": {"category": "鞋"}}, {"boot", "shoe", "kids"}),  # a level, wherever it stands
        ({"include": {"category": "鞋包>鞋"}}, {"boot", "shoe"}),  # a path from the root
        ({"include": {"category": "鞋包 / 鞋 / 靴子"}}, {"boot"}),
        ({"include": {"category": "影音/相机"}}, {"lens"}),  # a level's name with a sign of paths
        ({"include": {"category": ["靴子", "包"]}}, {"boot", "bag"}),  # any name of a kind
        ({"include": {"category": "鞋包", "tag": "红"}}, {"boot", "bag"}),  # of each kind
        ({"include": {"tag": "蓝"}, "exclude": {"tag": "儿童"}}, {"shoe"}),
        ({"exclude": {"category": "鞋", "tag": "红"}}, {"gift"}),  # any kind excludes
        ({"include": {"product": ["bag", "gift"]}}, {"bag", "gift"}),
        ({"include": {"tag": "红"}, "exclude": {"product": "bag"}}, {"boot", "lens"}),
        ({"price_from": 50, "price_to": 200}, {"shoe", "bag"}),  # both bounds count in; none without a price
        ({"price_from": 0}, EVERY - {"gift", "lens"}),
        ({"price_to": 49.9}, {"kids"}),
        ({"include": {"tag": "儿童"}, "exclude": {"category": "鞋"}}, set()),
    ],
)
def test_rules_choose_products(rules, expected):
    assert allowed(GOODS, **rules) == expected


@pytest.mark.parametrize(("stock", "there"), [(None, True), (0.5, True), (0, False), (-2, False)])
def test_what_is_out_of_stock_is_not_shown(stock, there):
    assert bool(allowed([{"product_id": "1", "stock": stock}])) is there


@pytest.mark.parametrize(
    ("now", "there"),
    [
        (NOW, True),
        (NOW + timedelta(microseconds=1), False),
        (NOW.replace(tzinfo=None), True),
        (datetime(2026, 6, 1, 8, tzinfo=timezone(timedelta(hours=8))), True),
        (datetime(2026, 6, 1, 8, 1, tzinfo=timezone(timedelta(hours=8))), False),
    ],
)
def test_what_has_expired_is_not_shown(now, there):
    assert ("shoe" in allowed(GOODS, now)) is there
    assert "boot" in allowed(GOODS, now)


def test_hidden_products_are_not_shown_and_unknown_ones_are_no_error():
    assert allowed(GOODS, hidden={"boot", "gone"}) == EVERY - {"boot"}
    assert allowed(GOODS, hidden=EVERY) == set()
    assert allowed(GOODS, hidden=EVERY, include={"tag": "红"}, price_to=500) == set()
    assert allowed([]) == set()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"include": {"category": "靴"}}, "there is no category '靴'; did you mean '靴子'"),
        ({"include": {"category": "鞋包>靴子"}}, "there is no category '鞋包>靴子'; did you mean '鞋包>鞋>靴子'"),
        ({"exclude": {"tag": "冬天季"}}, "there is no tag '冬天季'; did you mean '冬季'"),
        ({"include": {"tag": "xyz"}}, "there is no tag 'xyz'; give one of the catalogue's 4 names"),
        ({"include": {"product": "boots"}}, "there is no product 'boots'; did you mean 'boot'"),
    ],
)
def test_names_that_the_catalogue_does_not_have_are_told_with_the_nearest(rules, message):
    with pytest.raises(UserError, match=message):
        allowed(GOODS, **rules)


@pytest.mark.parametrize("gone", [{"tag": "xyz"}, {"category": "家具>床"}, {"product": ["boots", "xyz"]}])
def test_a_name_to_exclude_that_no_product_has_any_more_excludes_nothing(gone):
    assert allowed(GOODS, exclude=gone) == EVERY
    both = {kind: [*([names] if isinstance(names, str) else names)] for kind, names in gone.items()}
    both.setdefault("tag", []).append("红")
    assert allowed(GOODS, exclude=both) == {"shoe", "kids", "gift"}
    assert allowed([{"product_id": "1"}], exclude=gone) == {"1"}


def test_categories_are_numbered_as_the_experts_number_them():
    products = Products.of(GOODS)
    numbers, paths = numbered_categories(products.frame)
    told = [row["category"] for row in GOODS]
    assert [list(paths[number]) if number >= 0 else [] for number in numbers] == told
    assert len(paths) == len(set(paths)) == 5
    items = Items.of(products, Known.of(products, {}, (), 100))
    assert np.array_equal(items.categories, Offers(products).categories)
    assert numbered_categories(Products.of([]).frame)[1] == []


NAMES = st.sampled_from(["a", "b", "c", "d"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "category": st.lists(NAMES, max_size=3),
            "tags": st.lists(NAMES, max_size=3, unique=True),
            "price": st.none() | st.integers(0, 9),
            "stock": st.none() | st.integers(-1, 2),
            "until": st.none() | st.integers(-2, 2).map(lambda days: NOW + timedelta(days=days)),
        }
    ),
    max_size=12,
)
SOME = st.fixed_dictionaries({}, optional={kind: st.lists(NAMES, max_size=2) for kind in ("category", "tag")})


@given(ROWS, SOME, SOME, st.none() | st.integers(0, 9), st.sets(st.sampled_from("0123456789")))
def test_what_is_allowed_is_what_one_would_choose_by_hand(rows, include, exclude, price_to, hidden):
    everything = {"product_id": "all", "category": ["a", "b", "c", "d"], "tags": ["a", "b", "c", "d"], "stock": 0}
    goods = [everything, *({"product_id": str(number), **row} for number, row in enumerate(rows))]
    try:
        rules = Rules(include, exclude, price_to=price_to)
    except UserError:
        assert any(set(include.get(kind, ())) & set(exclude.get(kind, ())) for kind in include)
        return

    def has(row, kind, names):
        return bool(set(names) & set(row["tags" if kind == "tag" else "category"]))

    expected = {
        row["product_id"]
        for row in goods[1:]
        if row["product_id"] not in hidden
        and (row["stock"] is None or row["stock"] > 0)
        and (row["until"] is None or row["until"] >= NOW)
        and (price_to is None or (row["price"] is not None and row["price"] <= price_to))
        and all(has(row, kind, names) for kind, names in include.items() if names)
        and not any(has(row, kind, names) for kind, names in exclude.items())
    }
    fits = Offers(Products.of(goods), hidden).allowed(rules, NOW)
    assert {row["product_id"] for row, fit in zip(goods, fits, strict=True) if fit} == expected


def test_offers_of_an_old_catalogue_are_all_open():
    frame = Products.of([{"product_id": "1"}, {"product_id": "2"}]).frame
    assert frame.select(pl.col("price", "stock", "until").null_count()).row(0) == (2, 2, 2)
    assert Offers(Products(frame)).allowed(Rules(), NOW).all()
