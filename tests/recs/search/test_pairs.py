"""What was taken after a query: the same session, before the next query, the strongest action."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tagloom.data.tables import Events
from tagloom.data.words.text import WordSplitter
from tagloom.recs.search.pairs import LEAST_USERS, Pairs

START = datetime(2026, 1, 1, tzinfo=UTC)


def pairs_of(*steps, minutes=30.0):
    """Steps of (user, minute, action, product or text); of a search with its product `text -> product`."""
    rows = []
    for user, minute, action, what in steps:
        text, _, product = what.partition(" -> ") if action == "search" else ("", "", what)
        of = {"text": text or None, "product_id": product or None}
        rows.append({"user_id": user, "action": action, "time": START + timedelta(minutes=minute), **of})
    return Pairs.of(Events.of(rows), ["a", "b", "c"], WordSplitter().split, minutes)


def told(pairs):
    weights = [round(weight, 2) for weight in pairs.weights.tolist()]
    return list(zip(pairs.texts, pairs.products.tolist(), weights, strict=True))


def test_each_product_is_paired_with_the_query_before_it():
    pairs = pairs_of(
        ("u", 0, "view", "c"),
        ("u", 1, "search", "tea"),
        ("u", 2, "view", "a"),
        ("u", 3, "search", "cup"),
        ("u", 4, "view", "b"),
    )
    assert told(pairs) == [("tea", 0, 0.3), ("cup", 1, 0.3)]


def test_a_product_stands_once_with_the_strongest_action():
    pairs = pairs_of(("u", 0, "search", "tea"), ("u", 1, "view", "a"), ("u", 2, "purchase", "a"), ("u", 3, "view", "a"))
    assert told(pairs) == [("tea", 0, 1.0)]
    assert pairs.bought.tolist() == [True]


def test_a_search_with_its_own_product_is_paired_with_that_alone():
    pairs = pairs_of(
        ("u", 0, "search", "tea -> a"),
        ("u", 1, "purchase", "b"),
        ("u", 2, "search", "cup"),
        ("u", 3, "purchase", "c"),
    )
    assert list(zip(pairs.texts, pairs.products.tolist(), strict=True)) == [("tea", 0), ("cup", 2)]


@pytest.mark.parametrize("later", [("u", 40, "view", "a"), ("v", 1, "view", "a"), ("u", 1, "view", "unknown")], ids=str)
def test_another_session_user_or_an_unknown_product_says_nothing(later):
    assert len(pairs_of(("u", 0, "search", "tea"), later)) == 0


def test_the_newest_bought_are_held_out():
    pairs = pairs_of(
        *(
            step
            for n in range(10)
            for step in (("u", 60 * n, "search", f"q{n}"), ("u", 60 * n + 1, "cart" if n % 2 else "view", "a"))
        )
    )
    older, newest = pairs.held_out(0.2)
    assert older.texts == tuple(f"q{n}" for n in range(8))
    assert newest.texts == ("q9",)


def test_only_queries_of_several_users_are_counted():
    users = [f"u{n}" for n in range(LEAST_USERS)]
    pairs = pairs_of(
        *((user, 0, "search", "Ｔｅａ") for user in users),
        *((user, 1, "search", "cup") for user in users[1:]),
        *((users[0], 2 + n, "search", "mine") for n in range(9)),
    )
    assert pairs.counts == {"tea": LEAST_USERS}


@pytest.mark.parametrize("action", ["purchase", "cart"])
def test_a_word_counts_when_several_users_took_something_after_it_whatever_stands_beside_it(action):
    users = [f"u{n}" for n in range(LEAST_USERS)]
    steps = [((user, 0, "search", f"green tea own{user}"), (user, 1, action, "a")) for user in users]
    assert pairs_of(*(step for one in steps for step in one)).words == {"green": LEAST_USERS, "tea": LEAST_USERS}
    # One of them took nothing.
    assert pairs_of(*(step for one in steps for step in one[: 1 if one is steps[0] else 2])).words == {}
    assert pairs_of(*(step for one in steps for step in one)).counts == {}


def test_a_word_after_which_users_only_looked_does_not_count():
    users = [f"u{n}" for n in range(LEAST_USERS)]
    assert pairs_of(*(s for user in users for s in ((user, 0, "search", "tea"), (user, 1, "view", "a")))).words == {}


def test_a_log_without_searches_has_no_pairs():
    pairs = pairs_of(("u", 0, "view", "a"))
    assert len(pairs) == len(pairs.held_out(0.1)[1]) == 0
