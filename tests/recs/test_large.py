"""A catalogue in which only the likeliest products of a user are looked at, against looking at all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from tagloom import Events, Products, Recommender
from tagloom.data.tables import PRODUCT_SCHEMA
from tagloom.recs.experts.contract import Asked
from tagloom.recs.nearest import EXACT
from tagloom.recs.scored import Scored

COUNT, USERS, EACH = EXACT + 1_000, 300, 8
START = datetime(2026, 1, 1, tzinfo=UTC)


def products(count=COUNT):
    numbers = pl.Series(range(count))
    made = pl.DataFrame(
        {
            "product_id": "p" + numbers.cast(pl.String),
            "title": "kind" + (numbers // 100).cast(pl.String) + " thing",
            "description": "",
            "category": (numbers // 1_000).cast(pl.String).reshape((count, 1)).arr.to_list(),
            "tags": [[f"t{number // 100}"] if number < 3_000 else [] for number in range(count)],
        }
    )
    return Products(
        made.select(
            made[name].cast(kind)
            if name in made.columns
            else pl.lit([] if name == "attributes" else None, kind).alias(name)
            for name, kind in PRODUCT_SCHEMA.items()
        )
    )


@pytest.fixture(scope="module")
def shop():
    """Each user keeps to a hundred products of one kind."""
    draw = np.random.default_rng(0)
    rows = [
        {"user_id": f"u{user}", "action": "purchase", "time": START + timedelta(hours=hour), "product_id": f"p{number}"}
        for user in range(USERS)
        for hour, number in enumerate(100 * (user % 30) + draw.choice(100, EACH, replace=False))
    ]
    settings = {"experts": ("neighbours", "repeats", "recent"), "split": "last"}
    return Recommender(**settings).fit(products(), Events.of(rows))


def test_the_likeliest_are_those_of_all(shop):
    fitted = shop._fitted
    assert fitted.items.large
    users = Asked(fitted.histories.of(np.arange(20)), fitted.items)
    few, every = fitted.scored(users), Scored(fitted._joined(users))
    assert few.rows.shape[1] < COUNT / 10
    (found, shares), (truth, true_shares) = few.top(10), every.top(10)
    assert np.array_equal(found, truth)
    np.testing.assert_allclose(shares, true_shares, rtol=0.1)


def test_each_user_gets_what_is_near_to_the_history(shop):
    numbers = [int(found.product_id[1:]) for found in shop.products("u7", top=5)]
    assert all(number // 100 == 7 for number in numbers)


def test_nobody_knows_whom_nothing_is_known_of(shop):
    default = shop.products("nobody", top=5)
    assert default.basis == "default"
    assert len(default) == 5
    answers = list(shop.for_users(["u1", "nobody"], top=5))
    assert [found.product_id for found in answers[1]] == [found.product_id for found in default]
    assert [found.product_id for found in answers[0]] == [found.product_id for found in shop.products("u1", top=5)]


def test_a_new_product_is_found_by_what_it_is_like(shop):
    more = products(COUNT + 1).frame.with_columns(
        title=pl.when(pl.col("product_id") == f"p{COUNT}").then(pl.lit("kind7 thing")).otherwise("title"),
        tags=pl.when(pl.col("product_id") == f"p{COUNT}").then(pl.lit(["t7"])).otherwise("tags"),
    )
    fitted = shop._fitted
    seeing = shop.seeing(Products(more))
    bought = [f"p{700 + n}" for n in range(3)]
    assert f"p{COUNT}" in [found.product_id for found in seeing.products(history=bought, top=100)]
    assert shop._fitted is fitted


def test_tags_are_those_of_the_products(shop):
    assert [wanted.tag for wanted in shop.tags("u7", top=1)] == ["t7"]
