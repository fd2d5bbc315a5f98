"""A Recommender that searches: for a user, with rules, from a version on disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tagloom import Events, Products, Recommender
from tagloom.config import SearchSettings
from tagloom.errors import NotFittedError, UserError
from tagloom.recs.rules import Rules
from tagloom.recs.showing import Today

START = datetime(2026, 1, 1, tzinfo=UTC)
COLOURS = ("red", "blue", "green")


def catalogue(**more):
    """Shirts and cups of three colours, ten each."""
    return Products.of(
        [
            {"product_id": f"{kind}-{colour}-{n}", "title": f"{colour} {kind} number{n}", "tags": [colour, kind],
             **more.get(f"{kind}-{colour}-{n}".replace("-", "_"), {})}
            for kind in ("shirt", "cup") for colour in COLOURS for n in range(10)
        ]
    )  # fmt: skip


def log():
    """Each user keeps to a colour, and buys what was searched for in it."""
    rows = []
    for user in range(120):
        colour = COLOURS[user % 3]
        for step in range(4):
            kind, time = ("shirt", "cup")[step % 2], START + timedelta(days=user % 40, hours=6 * step)
            about = {"user_id": f"u{user}"}
            rows.append({**about, "action": "search", "time": time, "text": kind})
            number = (user + 3 * step) % 10
            bought = {
                "action": "purchase",
                "time": time + timedelta(minutes=5),
                "product_id": f"{kind}-{colour}-{number}",
            }
            rows.append({**about, **bought})
    return Events.of(rows)


@pytest.fixture(scope="module")
def recommender():
    settings = {"experts": ("neighbours", "recent"), "split": "time", "again": "yes"}
    return Recommender(**settings).fit(catalogue(), log(), search=SearchSettings(epochs=4))


def colours(answer):
    return [one.product_id.split("-")[1] for one in answer.products]


def test_what_is_searched_for_is_found_for_nobody_in_particular(recommender):
    answer = recommender.search("shirt", top=10)
    assert answer.basis == "match"
    assert all(one.product_id.startswith("shirt") for one in answer.products)
    assert len(set(colours(answer))) > 1


def test_a_user_finds_first_what_fits_the_user(recommender):
    for user in range(3):
        answer = recommender.search("shirt", f"u{user}", top=3)
        assert all(one.product_id.startswith("shirt") for one in answer.products)
        assert colours(answer)[0] == COLOURS[user]


def test_a_history_by_hand_counts_like_a_user(recommender):
    answer = recommender.search("cup", history=["shirt-green-1", "cup-green-4"], top=3)
    assert colours(answer)[:2] == ["green"] * 2


def test_somebody_unknown_finds_what_everybody_does(recommender):
    assert recommender.search("shirt", "nobody") == recommender.search("shirt")
    assert not recommender.search("shirt", "nobody").personal
    assert recommender.search("shirt", "u1").personal


def test_what_may_not_be_shown_is_not_found(recommender):
    gone = recommender.seeing(catalogue(shirt_red_1={"stock": 0.0}), log(), today=Today(hidden=["shirt-red-2"]))
    found = {one.product_id for one in gone.search("red shirt", top=99).products}
    assert "shirt-red-3" in found
    assert not {"shirt-red-1", "shirt-red-2"} & found
    blue = recommender.search("shirt", top=99, rules=Rules(include={"tag": "blue"}))
    assert set(colours(blue)) == {"blue"}


def test_where_everything_is_hidden_nothing_is_found(recommender):
    hidden = catalogue().frame["product_id"].to_list()
    answer = recommender.seeing(catalogue(), log(), today=Today(hidden=hidden)).search("red shirt")
    assert (answer.basis, answer.products, answer.tags) == ("nothing", (), ())


def test_a_new_product_is_found_at_once(recommender):
    new = Products.of([*catalogue().frame.to_dicts(), {"product_id": "new", "title": "purple umbrella"}])
    answer = recommender.seeing(new, log()).search("umbrela", top=1)
    assert [one.product_id for one in answer.products] == ["new"]
    assert answer.understood == "umbrella"


def test_it_completes_what_is_typed(recommender):
    assert "shirt" in recommender.suggest("shi")


def test_a_version_searches_when_it_sees_the_catalogue(recommender, tmp_path):
    recommender.save(tmp_path / "version")
    loaded = Recommender.load(tmp_path / "version")
    with pytest.raises(NotFittedError, match="seeing"):
        loaded.search("shirt")
    back = loaded.seeing(catalogue(), log(), today=Today(index_folder=tmp_path / "index"))
    assert [one.product_id for one in back.search("shirt", "u1").products] == [
        one.product_id for one in recommender.search("shirt", "u1").products
    ]
    assert (tmp_path / "index").is_dir()


def test_without_having_learned_to_it_does_not_search():
    plain = Recommender(model="popular", split="time").fit(catalogue(), log())
    with pytest.raises(NotFittedError, match="has not learned to search"):
        plain.search("shirt")


def test_wrong_questions_are_told(recommender):
    with pytest.raises(UserError, match="one of the two"):
        recommender.search("shirt", "u1", history=["cup-red-1"])
    with pytest.raises(UserError, match="top"):
        recommender.search("shirt", top=0)
    assert recommender.search("").basis == "empty"
