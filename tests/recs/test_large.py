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
from tagloom.recs.rules import Rules
from tagloom.recs.scored import Scored
from tagloom.recs.showing import Today

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


def log():
    """Each user keeps to a hundred products of one kind."""
    draw = np.random.default_rng(0)
    rows = [
        {"user_id": f"u{user}", "action": "purchase", "time": START + timedelta(hours=hour), "product_id": f"p{number}"}
        for user in range(USERS)
        for hour, number in enumerate(100 * (user % 30) + draw.choice(100, EACH, replace=False))
    ]
    return Events.of(rows)


LOG = log()


@pytest.fixture(scope="module")
def shop():
    settings = {"experts": ("neighbours", "repeats", "recent"), "split": "last"}
    return Recommender(**settings).fit(products(), LOG)


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


def test_with_a_product_hidden_shares_are_still_shares(shop):
    hidden = shop.seeing(products(), LOG, today=Today(hidden=["p50"]))
    for user in ("u7", "nobody"):
        found = hidden.products(user, top=20)
        assert len(found) == 20
        assert "p50" not in [one.product_id for one in found]
        assert all(0 < one.share < 1 for one in found)
        assert sum(one.share for one in found) < 1


def test_rules_that_leave_few_look_at_each_of_them(shop):
    rules = Rules(include={"category": "7"})
    found = shop.products("u7", top=1_500, rules=rules)
    assert len(found) == 1_000
    assert all(int(one.product_id[1:]) // 1_000 == 7 for one in found)


def test_rules_that_leave_many_get_as_many_as_are_asked_for(shop):
    rules = Rules(exclude={"category": "0"})
    for user in ("u7", "nobody"):
        found = shop.products(user, top=600, rules=rules)
        assert len(found) == 600
        assert all(int(one.product_id[1:]) >= 1_000 for one in found)


def test_no_more_of_a_category_than_the_rule_says_though_all_that_is_likely_is_of_one(shop):
    found = shop.products("u7", top=10, rules=Rules(per_category=2))
    kinds = [int(one.product_id[1:]) // 1_000 for one in found]
    assert len(found) == 10
    assert all(kinds.count(kind) <= 2 for kind in kinds)


def test_reasons_are_the_same_before_and_after_loading(shop, tmp_path):
    history = ["p701", "p702", "p1503"]
    told = [one.because for one in shop.products(history=history, top=3, why=True)]
    assert {event.product_id for because in told for event in because.events} <= set(history)
    assert any(because.events for because in told)
    shop.save(tmp_path / "version")
    loaded = Recommender.load(tmp_path / "version").products(history=history, top=3, why=True)
    assert [[event.product_id for event in one.because.events] for one in loaded] == [
        [event.product_id for event in because.events] for because in told
    ]
