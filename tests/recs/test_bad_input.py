"""Whatever a log, a catalogue or a question holds: the answer that was decided on, or one clear error."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from tagloom import Events, Products, Recommender
from tagloom.data.tables import EVENT_SCHEMA
from tagloom.errors import DataError, NotFittedError, SettingsError, UserError
from tagloom.recs.models import MODELS

START = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCTS = 12
SETTINGS = {"model": "neighbours", "split": "last"}
NETWORK = {"split": "last", "epochs": 1, "batch_events": 64, "numbers": "32"}


def goods(count=PRODUCTS, **more):
    rows = [{"product_id": f"p{n}", "title": f"red own{n} w{n % 5}", "tags": [f"t{n % 4}"]} for n in range(count)]
    return Products.of([{**row, **more} for row in rows])


def log(users, **more):
    """From each user's product ids: a purchase a day."""
    rows = [
        {"user_id": user, "action": "purchase", "time": START + timedelta(days=day), "product_id": name, **more}
        for user, entries in users.items()
        for day, name in enumerate(entries)
    ]
    return Events.of(rows)


def walks(users=30, length=5, products=PRODUCTS):
    """Each takes one product after the other, and in the end all have been taken as often."""
    return {f"u{user}": [f"p{(user + day) % products}" for day in range(length)] for user in range(users)}


@pytest.fixture(scope="module")
def recommender():
    return Recommender(**SETTINGS).fit(goods(), log(walks()))


def ids(found):
    return [one.product_id for one in found]


def first(found):
    return found[0].product_id


# Who is asked about


def test_an_unknown_user_gets_what_is_taken_now_and_it_is_said(recommender):
    recent = Recommender(**SETTINGS).fit(goods(), log({**walks(), **{f"more{n}": ["p7"] for n in range(9)}}))
    found = recent.products("nobody", top=3)
    assert (first(found), found.basis, found.left_out) == ("p7", "default", {})
    assert recent.tags("nobody").basis == "default"
    assert recent.tags("nobody")[0].tag == "t3"  # of p7
    assert recommender.products("").basis == "default"


def test_an_empty_history_is_an_unknown_user(recommender):
    for history in ([], (), iter([])):
        assert recommender.products(history=history) == recommender.products("nobody")
    assert recommender.tags(history=[]) == recommender.tags("nobody")
    assert len(recommender.tags(history=[], texts="red")) > 0


def test_unknown_products_of_a_history_are_left_out_and_counted(recommender):
    found = recommender.products(history=["gone", "p1", ("view", "p2"), "gone too"])
    assert ids(found) == ids(recommender.products(history=["p1", ("view", "p2")]))
    assert (found.left_out, found.basis) == ({"unknown product": 2}, "history")
    nothing = recommender.products(history=["gone"])
    assert (nothing.left_out, nothing.basis) == ({"unknown product": 1}, "default")
    assert recommender.tags(history=["gone"]).left_out == {"unknown product": 1}


def test_an_event_given_twice_in_a_history_counts_once(recommender):
    twice = [{"action": "view", "product_id": "p1", "time": START}] * 2
    found = recommender.products(history=twice)
    assert found.left_out == {"duplicate": 1}
    assert ids(found) == ids(recommender.products(history=twice[:1]))


def test_a_history_out_of_order_is_read_in_the_order_of_its_times(recommender):
    entries = [{"action": "purchase", "product_id": f"p{n}", "time": START + timedelta(days=n)} for n in (3, 1, 2)]
    assert first(recommender.products(history=entries)) == "p4"
    assert recommender.products(history=entries) == recommender.products(
        history=sorted(entries, key=lambda e: e["time"])
    )


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("p1", "a history is a list of entries, came 'p1'; put it in brackets"),
        ("", "a history is a list of entries, came ''"),
        (7, "a history is a list of entries, came 7"),
        ({"product_id": "p1"}, "a history is a list of entries"),
        (["p1", 7], r"history\[1\] is 7; give a product id, a pair of an action and a product id or text, or a dict"),
        ([None], r"history\[0\] is None"),
        ([("buy", "p1")], r"history\[0\]: unknown action 'buy'"),
        ([("vieuw", "p1")], "did you mean 'view'"),
        ([("view", 7)], r"history\[0\]: product_id is 7; give it as a string"),
        ([("view", "p1", 3)], r"history\[0\] is \('view', 'p1', 3\)"),
        ([{"action": "view"}], r"history\[0\] has neither product_id nor text"),
        ([{"action": "view", "product": "p1"}], r"history\[0\]: unknown key 'product'; did you mean 'product_id'"),
        ([{"action": "view", "product_id": "p1", "time": "yesterday"}], r"history\[0\]: time is 'yesterday'"),
        ([{"action": "rate", "product_id": "p1", "value": "good"}], r"history\[0\]: value is 'good'; give a number"),
        (
            ["p1", {"action": "view", "product_id": "p1", "time": START}],
            r"history\[0\] has no time, though others have",
        ),
    ],
)
def test_an_entry_that_is_none_is_refused_with_its_place(recommender, history, message):
    for ask in (recommender.products, recommender.tags):
        with pytest.raises(UserError, match=message):
            ask(history=history)


def test_user_and_history_and_a_top_of_nothing_are_refused(recommender):
    for ask in (recommender.products, recommender.tags):
        with pytest.raises(UserError, match="user_id and history: give one of the two"):
            ask("u1", history=["p1"])
        with pytest.raises(UserError, match="top: expected a whole number from 1, came 0"):
            ask("u1", top=0)


# What a log holds


def trained_on(events):
    return Recommender(**SETTINGS).fit(goods(), events)


def answers(recommender):
    return [recommender.products(f"u{n}") for n in range(30)]


def test_a_log_out_of_order_is_read_in_the_order_of_its_times(recommender):
    frame = log(walks()).frame
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=0)
    assert answers(trained_on(Events(shuffled))) == answers(recommender)


def test_events_that_are_there_twice_count_once(recommender):
    frame = log(walks()).frame
    assert answers(trained_on(Events(pl.concat([frame, frame])))) == answers(recommender)


def test_events_on_products_that_no_longer_exist_are_left_out(recommender):
    gone = log({**walks(), "other": ["old1", "old2"]}).frame
    gone = pl.concat([gone, log({"u1": ["old3"], "u2": ["old3"]}).frame])
    assert answers(trained_on(Events(gone))) == answers(recommender)
    assert recommender.seeing(goods(), log({"new": ["old1"]})).products("new").basis == "default"


def test_events_in_the_future_are_left_out_when_it_is_told_what_is_now(recommender):
    events = log({"u1": ["p1", "p5"]})
    today = recommender.seeing(goods(), events, now=START + timedelta(hours=1))
    assert first(today.products("u1")) == "p2"
    assert first(recommender.seeing(goods(), events).products("u1")) == "p6"
    naive = datetime(2026, 1, 1, 1)  # without a zone it is UTC
    assert today.products("u1") == recommender.seeing(goods(), events, now=naive).products("u1")


@pytest.mark.parametrize("value", [None, float("nan"), -1.0, 1e30])
def test_values_of_events_are_taken_as_they_are(recommender, value):
    assert answers(trained_on(log(walks(), value=value))) == answers(recommender)


def test_texts_of_any_kind_are_searched_for(recommender):
    for text in ("", " ", "🎁", "فستان", "a" * 100_000, "half\ud83d", "\0"):
        asked = [("search", text), "p1"] if text else ["p1"]
        assert first(recommender.products(history=asked)) == "p2"
        assert len(recommender.tags(history=["p1"], texts=text)) > 0


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_user_with_a_hundred_thousand_events_is_learned_from_and_answered():
    count = 100_000
    numbers = np.arange(count)
    long = pl.DataFrame(
        {
            "user_id": ["busy"] * count,
            "action": ["view"] * count,
            "time": [START + timedelta(minutes=40 * n) for n in numbers.tolist()],
            "product_id": [f"p{n}" for n in numbers % PRODUCTS],
            "text": None,
            "value": None,
        },
        schema=EVENT_SCHEMA,
    )
    events = Events(pl.concat([log(walks()).frame, long]))
    for model in sorted(set(MODELS) - {"gru", "transformer"}):
        recommender = Recommender(model=model, split="last", again="yes").fit(goods(), events)
        began = time.monotonic()
        found = recommender.products("busy", top=99)
        assert len(found) == PRODUCTS
        assert all(np.isfinite(one.share) for one in found)
        assert len(recommender.tags("busy")) == 4
        assert time.monotonic() - began < 2


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gru", "transformer"])
def test_a_network_learns_from_a_user_with_a_hundred_thousand_events(model):
    users = {"busy": [f"p{n % PRODUCTS}" for n in range(100_000)], **walks()}
    settings = {**NETWORK, "batch_events": 0, "again": "yes"}
    recommender = Recommender(model=model, **settings).fit(goods(), log(users))
    assert first(recommender.products("busy")) == f"p{100_000 % PRODUCTS}"


# Too little


@pytest.mark.parametrize("split", ["last", "time"])
@pytest.mark.parametrize(
    "users", [{}, {"u1": ["p1"]}, {f"u{n}": [f"p{n}"] for n in range(9)}, {"u1": ["old1", "old2"], "u2": ["p1"]}]
)
def test_where_nobody_has_two_products_it_says_what_to_do(users, split):
    with pytest.raises(DataError, match="nobody has one before and one after what is held out; import more events"):
        Recommender(split=split).fit(goods(), log(users))


def test_where_few_have_two_the_networks_are_left_out_with_a_warning():
    few = "9 users with two products are too few for a network to learn from: trained are neighbours, recent alone"
    with pytest.warns(RuntimeWarning, match=few):
        recommender = Recommender(experts=("transformer", "neighbours", "recent"), split="last").fit(
            goods(), log(walks(9))
        )
    assert [one["name"] for one in recommender.contributions] == ["neighbours", "recent"]
    assert first(recommender.products(history=["p1"])) == "p2"
    with pytest.warns(RuntimeWarning, match="trained are popular alone"):
        recommender = Recommender(experts=("gru",), split="last").fit(goods(), log(walks(9)))
    assert recommender.products("u1").basis == "history"


def test_a_network_that_is_asked_for_by_name_learns_from_few_too():
    recommender = Recommender(model="gru", **NETWORK).fit(goods(), log(walks(9)))
    assert len(recommender.products("u1")) > 0


def test_a_network_without_any_order_says_what_to_do():
    """Of each user only the last two products differ: what is left without the last tells nothing."""
    users = {f"u{n}": [f"p{n}", f"p{n + 1}"] for n in range(9)}
    with pytest.raises(DataError, match=r"no order to learn; import more events, or set recommender.model to popular"):
        Recommender(model="gru", **NETWORK).fit(goods(), log(users))


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_catalogue_of_one_product(model):
    recommender = Recommender(model=model, **NETWORK).fit(goods(1), log({f"u{n}": ["p0"] * 3 for n in range(9)}))
    for found in (recommender.products("u1"), recommender.products("nobody"), recommender.products(history=["p0"])):
        assert [(one.product_id, one.share) for one in found] == [("p0", 1.0)]
    assert [one.tag for one in recommender.tags("u1")] == ["t0"]


def test_a_catalogue_of_nothing(recommender):
    with pytest.raises(DataError, match="0 events on products"):
        Recommender(**SETTINGS).fit(Products.of([]), log(walks()))
    empty = recommender.seeing(Products.of([]), log(walks()))
    assert len(empty.products("u1")) == len(empty.products(history=["p1"])) == 0
    assert list(map(len, empty.for_users(["u1", "nobody"]))) == [0, 0]
    assert len(empty.tags("u1")) == 4


@pytest.mark.parametrize("model", ["gru", "neighbours"])
def test_without_tags_there_are_products_and_no_tags(model, tmp_path):
    recommender = Recommender(model=model, **NETWORK).fit(goods(tags=[]), log(walks()))
    recommender.save(tmp_path / "model")
    for one in (recommender, Recommender.load(tmp_path / "model")):
        assert len(one.products(history=["p1"])) > 0
        assert len(one.tags(history=["p1"])) == len(one.tags(history=[])) == 0
        with pytest.raises(NotFittedError, match="import products with texts and tags, and train again"):
            one.tags(history=["p1"], texts="red")


@pytest.mark.parametrize("model", ["gru", "neighbours"])
def test_without_texts_there_are_products_and_tags_and_nothing_of_texts(model, tmp_path):
    recommender = Recommender(model=model, **NETWORK).fit(goods(title=""), log(walks()))
    recommender.save(tmp_path / "model")
    for one in (recommender, Recommender.load(tmp_path / "model")):
        assert len(one.products(history=["p1", ("search", "red")])) > 0
        assert len(one.tags(history=["p1"])) == 4
        with pytest.raises(NotFittedError, match="which tags a text has could not be learned"):
            one.tags(history=["p1"], texts="red")


def test_where_nothing_that_is_taken_has_a_tag_the_tags_are_as_usual():
    rows = [*goods(tags=[]).frame.to_dicts(), {"product_id": "q", "title": "blue", "tags": ["rare"]}]
    recommender = Recommender(**SETTINGS).fit(Products.of(rows), log(walks()))
    assert [one.tag for one in recommender.tags("u1")] == ["rare"]
    assert first(recommender.products(history=["p1"])) == "p2"


# Wrong settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "bert"}, r"recommender\.model = 'bert': input should be 'blend'"),
        ({"experts": ()}, r"recommender\.experts"),
        ({"experts": ("bert",)}, r"recommender\.experts"),
        ({"again": "maybe"}, r"recommender\.again = 'maybe'"),
        ({"split": "random"}, r"recommender\.split = 'random'"),
        ({"valid": 0}, r"recommender\.valid = 0"),
        ({"learning_rate": 0}, r"recommender\.learning_rate = 0"),
        ({"max_events": 0}, r"recommender\.max_events = 0"),
        ({"weights": {"purchase": -1}}, r"recommender\.weights\.purchase = -1"),
        ({"weights": {"purchase": float("nan")}}, r"recommender\.weights\.purchase = nan"),
        ({"epoch": 3}, r"unknown key 'recommender\.epoch'; did you mean 'epochs'"),
    ],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(SettingsError, match=message):
        Recommender(**settings).fit(goods(), log(walks()))


def test_an_action_that_there_is_not_has_no_weight():
    with pytest.raises(UserError, match="weights: unknown action 'buy'"):
        Recommender(**SETTINGS, weights={"buy": 1}).fit(goods(), log(walks()))


def test_when_no_action_weighs_anything_all_products_are_alike():
    found = Recommender(**SETTINGS, weights={}).fit(goods(), log(walks())).products("u1", top=99)
    assert len({round(one.share, 6) for one in found}) == 1
