"""What is held out of a log, on planted logs in which it is plain."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tagloom.data.histories import histories_of
from tagloom.data.tables import Events
from tagloom.errors import DataError
from tagloom.recs.split import hold_out, split_events

PRODUCTS = tuple("abcde")
START = datetime(2026, 1, 1, tzinfo=UTC)


def log(*users, **more):
    """From each user's letters, a day apart: a product that is bought; a dot is a search, a capital a cart of it."""
    rows = [
        {"user_id": f"u{number}", "time": START + timedelta(days=day), **event(letter), **more}
        for number, letters in enumerate(users)
        for day, letter in enumerate(letters)
        if letter != " "
    ]
    return Events.of(rows)


def event(letter):
    if letter == ".":
        return {"action": "search", "text": "red"}
    return {"action": "cart" if letter.isupper() else "purchase", "product_id": letter.lower()}


def told(histories):
    """Each user's events as letters; a dot where there is no product."""
    letters = ["." if ix < 0 else PRODUCTS[ix] for ix in histories.product_ix]
    return ["".join(letters[start:end]) for start, end in zip(histories.starts, histories.starts[1:], strict=False)]


def letters(events):
    """The same of a log, by user."""
    found: dict[str, str] = {}
    for user, product in events.frame.select("user_id", "product_id").iter_rows():
        found[user] = found.get(user, "") + (product or ".")
    return found


def held(*users, by="last", share=0.25, **more):
    return hold_out(histories_of(log(*users, **more), PRODUCTS), by, share)


# Each user's last product


def test_the_last_product_of_each_user_and_what_came_after_it_is_held_out():
    found = held("abc", "de..", "a.b")
    assert told(found.rest) == ["ab", "d", "a."]
    assert [PRODUCTS[ix] for ix in found.wanted] == ["c", "e", "b"]
    assert told(found.before) == ["ab", "d", "a."]


def test_who_has_one_product_is_learned_from_and_not_asked():
    found = held("a", "ab", "..c.", "..")
    assert told(found.rest) == ["a", "a", "..c.", ".."]
    assert found.rows.tolist() == [1]


def test_the_rating_of_what_is_held_out_is_kept():
    assert held("ab", action="rate", value=4.5).rated.tolist() == [4.5]
    assert math.isnan(held("ab", action="rate").rated[0])
    assert math.isnan(held("ab", value=3).rated[0])  # three pieces are no rating


# All after a moment


def test_all_that_happens_after_a_moment_is_held_out():
    found = held("abcd", "edcb", by="time")
    assert told(found.rest) == ["abc", "edc"]
    assert [PRODUCTS[ix] for ix in found.wanted] == ["d", "b"]


def test_of_what_is_taken_later_the_first_is_wanted():
    found = held("aabbcbb", by="time", share=5 / 7)
    assert told(found.rest) == ["aa"]
    assert found.wanted.tolist() == [1]


def test_only_those_with_something_before_and_a_product_after_are_asked():
    found = held("abcd", "abc", ".  d", "abc.", "   d", by="time")
    assert told(found.rest) == ["abc", "abc", ".", "abc", ""]
    assert found.rows.tolist() == [0, 2]  # a search, too, is something before


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_is_that_of_the_events_with_a_product(share):
    found = held("abcdeabcde" * 4, ".........." * 4, by="time", share=share)
    assert sum(ix >= 0 for ix in found.rest.product_ix) == 40 * (1 - share)


@pytest.mark.parametrize("by", ["last", "time"])
def test_when_nobody_can_be_asked_it_says_what_to_do(by):
    told = "3 users with 3 events on products.*import more events"
    with pytest.raises(DataError, match=told):
        held("a", "b", "c", by=by)
    with pytest.raises(DataError, match="0 users with 0 events"):
        held(by=by)


# The same for a log


def test_of_a_log_the_events_on_the_last_product_are_held_out_together():
    before, after = split_events(log("abCc", "aBbb", "e"), PRODUCTS, "last", 0.1)
    assert letters(before) == {"u0": "ab", "u1": "a", "u2": "e"}
    assert letters(after) == {"u0": "cc", "u1": "bbb"}


def test_what_is_typed_between_them_is_neither_learned_nor_asked():
    before, after = split_events(log("a.B.b."), PRODUCTS, "last", 0.1)
    assert (letters(before), letters(after)) == ({"u0": "a."}, {"u0": "bb"})


def test_events_on_products_that_are_not_there_hold_nothing_out():
    before, after = split_events(log("abx"), PRODUCTS, "last", 0.1)
    assert (letters(before), letters(after)) == ({"u0": "a"}, {"u0": "b"})
    before, after = split_events(log("xy"), PRODUCTS, "last", 0.1)
    assert (len(before), len(after)) == (2, 0)


def test_of_a_log_all_after_a_moment_is_held_out_searches_too():
    before, after = split_events(log("abcd", "abc."), PRODUCTS, "time", 0.15)
    assert letters(before) == {"u0": "abc", "u1": "abc"}
    assert letters(after) == {"u0": "d", "u1": "."}


@pytest.mark.parametrize("by", ["last", "time"])
@pytest.mark.parametrize("users", [[], ["xyz"], ["..", "."]])
def test_of_a_log_without_known_products_nothing_is_held_out(by, users):
    before, after = split_events(log(*users), PRODUCTS, by, 0.5)
    assert len(before) == sum(map(len, users))
    assert len(after) == 0


@pytest.mark.parametrize("by", ["last", "time"])
def test_no_event_is_in_both_parts_and_time_order_stays(by):
    draw = np.random.default_rng(0)
    events = log(*("".join(draw.choice([*"abcde."], draw.integers(1, 12))) for _ in range(50)))
    before, after = split_events(events, PRODUCTS, by, 0.3)
    both = set(before.frame.rows()) & set(after.frame.rows())
    assert not both
    assert before.frame["time"].is_sorted()
    assert after.frame["time"].is_sorted()
    assert set(before.frame.rows()) | set(after.frame.rows()) <= set(events.frame.rows())
