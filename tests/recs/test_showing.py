"""Rules carried out by a Recommender: on a planted shop, in which what is likely is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tagloom import Events, Products, Recommender
from tagloom.errors import NotFittedError, UserError
from tagloom.recs.rules import Rules
from tagloom.recs.showing import Today

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("tea", "cup", "pot")
EACH = 8


def rows(**more):
    """Products tea0 to pot7; prices rise with the number; what is told of a product counts."""
    made = [
        {
            "product_id": f"{kind}{number}",
            "title": kind,
            "category": ["Shop", kind],
            "tags": ["even" if number % 2 == 0 else "odd"],
            "price": 10.0 * number,
        }
        for kind in KINDS
        for number in range(EACH)
    ]
    return [{**row, **more.get(row["product_id"], {})} for row in made]


def log():
    """After each tea the cup of its number, then the pot; tea0 and cup0 are what most take."""
    events = []
    for user in range(160):
        number = (user // 2) % EACH if user % 2 else 0
        for hour, kind in enumerate(KINDS):
            time = START + timedelta(days=user, hours=hour)
            events.append({"user_id": f"u{user}", "action": "purchase", "time": time, "product_id": f"{kind}{number}"})
    return Events.of(events)


@pytest.fixture(scope="module")
def recommender():
    return Recommender(experts=("neighbours", "recent"), split="last", again="no").fit(Products.of(rows()), log())


def seeing(recommender, hidden=(), rules=None, **more):
    return recommender.seeing(Products.of(rows(**more)), log(), today=Today(hidden, rules or Rules()))


def ids(found):
    return [one.product_id for one in found]


def test_without_rules_the_cup_follows_the_tea(recommender):
    assert ids(recommender.products(history=["tea3"], top=1)) == ["cup3"]


@pytest.mark.parametrize(
    "gone",
    [
        {"cup3": {"stock": 0.0}},
        {"cup3": {"until": START - timedelta(days=1)}},
        {"hidden": ["cup3"]},
    ],
    ids=["out of stock", "expired", "hidden"],
)
def test_what_cannot_be_had_is_gone_at_once_for_everybody(recommender, gone):
    hidden = gone.pop("hidden", ())
    now = seeing(recommender, hidden, **gone)
    assert "cup3" not in ids(now.products(history=["tea3"], top=99))
    assert "cup3" not in ids(now.products("nobody", top=99))
    assert all("cup3" not in ids(found) for found in now.for_users(["u1", "nobody"], top=99))


def test_what_comes_back_is_there_again(recommender):
    gone = seeing(recommender, cup3={"stock": 0.0})
    assert ids(seeing(gone, cup3={"stock": 5.0}).products(history=["tea3"], top=1)) == ["cup3"]


def test_what_was_bought_is_gone_and_can_be_asked_for(recommender):
    bought = recommender.products(history=["tea3", "cup3"], top=99)
    assert not {"tea3", "cup3"} & set(ids(bought))
    assert "cup3" in ids(recommender.products(history=["tea3", "cup3"], top=99, rules=Rules(again=True)))


def test_nothing_but_what_is_included_and_nothing_that_is_excluded(recommender):
    rules = Rules(include={"category": "pot"}, exclude={"tag": "odd"}, price_to=40)
    found = ids(recommender.products(history=["tea2", "cup2"], top=99, rules=rules))
    assert sorted(found) == ["pot0", "pot2", "pot4"]
    assert found[0] == "pot2"


def test_of_a_category_come_at_most_as_many_as_the_rule_says(recommender):
    found = ids(recommender.products(history=["tea2"], top=6, rules=Rules(per_category=2)))
    assert len(found) == 6
    assert all(sum(one.startswith(kind) for one in found) == 2 for kind in KINDS)


def test_new_products_get_their_places(recommender):
    new = [{"product_id": f"new{n}", "title": "spoon"} for n in range(5)]
    now = recommender.seeing(Products.of([*rows(), *new]), log())
    plain = ids(now.products(history=["tea0"], top=5))
    mixed = ids(now.products(history=["tea0"], top=5, rules=Rules(new_share=0.4)))
    assert not any(one.startswith("new") for one in plain)
    assert sum(one.startswith("new") for one in mixed) == 2
    assert mixed[0] == plain[0]


def test_with_variety_what_everybody_takes_comes_later(recommender):
    def popular(level):
        return ids(recommender.products(history=["tea5"], top=99, rules=Rules(variety=level))).index("pot0")

    assert popular(0) < popular(1.0)


def test_shares_stay_what_they_are(recommender):
    plain = {one.product_id: one.share for one in recommender.products(history=["tea3"], top=99)}
    ruled = recommender.products(history=["tea3"], top=99, rules=Rules(exclude={"category": "cup"}, variety=0.5))
    assert all(one.share == pytest.approx(plain[one.product_id]) for one in ruled)


def test_the_rules_of_the_shop_hold_where_a_question_has_none(recommender):
    now = seeing(recommender, rules=Rules(per_category=1))
    assert len(now.products(history=["tea3"], top=99)) == 3
    assert now.rules.per_category == 1
    assert len(now.products(history=["tea3"], top=5, rules=Rules())) == 5


def test_where_nothing_may_be_shown_the_answer_is_empty(recommender):
    everything = [row["product_id"] for row in rows()]
    assert len(seeing(recommender, everything).products(history=["tea3"])) == 0
    assert len(seeing(recommender, everything).products("nobody")) == 0
    assert len(recommender.products(history=["tea3"], rules=Rules(price_from=1_000))) == 0


def test_a_name_that_there_is_not_is_told_with_the_nearest(recommender):
    with pytest.raises(UserError, match="no category 'cupp'; did you mean 'cup'"):
        recommender.products(history=["tea3"], rules=Rules(include={"category": "cupp"}))


def test_loaded_it_knows_no_offers_until_it_sees_the_catalogue(recommender, tmp_path):
    recommender.save(tmp_path / "version")
    loaded = Recommender.load(tmp_path / "version")
    assert ids(loaded.products(history=["tea3"], top=1)) == ["cup3"]
    with pytest.raises(NotFittedError, match="seeing"):
        loaded.products(history=["tea3"], rules=Rules(price_to=5))
    assert len(seeing(loaded).products(history=["tea3"], rules=Rules(price_to=5), top=99)) == 3


def test_it_is_measured_what_variety_costs_and_brings(recommender):
    later = [
        {
            "user_id": f"u{user}",
            "action": "purchase",
            "time": START + timedelta(days=400),
            "product_id": f"pot{user % 8}",
        }
        for user in range(160)
    ]
    found = recommender.seeing(Products.of(rows())).evaluate(log(), Events.of(later))
    assert [*found.variety] == [0.0, 0.25, 0.5, 1.0]
    assert found.variety[0.0]["HR@10"] == pytest.approx(found.products["recommender"].values["HR@10"])
    assert found.variety[1.0]["popularity@10"] < found.variety[0.0]["popularity@10"]
    assert len(found.as_dict()["variety"]) == 4
