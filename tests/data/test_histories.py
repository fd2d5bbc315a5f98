"""Histories: each figure planted, and again as a plain loop over the events gives it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.data.histories import ACTION_WEIGHTS, Histories, histories_of, history_of
from tagloom.data.tables import ACTIONS, EVENT_SCHEMA, Events
from tagloom.errors import UserError

START = datetime(2024, 1, 1, tzinfo=UTC)
FIRST = int(START.timestamp())
PRODUCTS = ["p0", "p1", "p2"]

# Users a and b, in the order of the log: (user, action, product, minutes after the start).
LOG = [
    ("b", "view", "p2", 0),
    ("a", "view", "p0", 10),
    ("b", "cart", "p2", 30),
    ("b", "search", None, 61),
    ("a", "purchase", "p1", 70),
    ("b", "purchase", "p2", 61 + 24 * 60),
    ("a", "view", "p0", 71),
]


def events(rows, **more):
    """Events from (user, action, product, minutes); a search is for "red dress"; `more` is the same for all."""
    plain = [
        {
            "user_id": user,
            "action": action,
            "time": START + timedelta(minutes=minutes),
            "product_id": product,
            "text": "red dress" if product is None else None,
            "value": None,
            **more,
        }
        for user, action, product, minutes in rows
    ]
    return Events(pl.DataFrame(plain, schema=EVENT_SCHEMA))


def made(rows, **more):
    return histories_of(events(rows, **more), PRODUCTS)


def content(histories: Histories):
    """Each user's events as plain rows: (product, action, seconds, text), users by id."""
    columns = (one.tolist() for one in (histories.product_ix, histories.action_ix, histories.seconds))
    rows = list(zip(*columns, histories.texts, strict=True))
    return {
        user_id: rows[start:end]
        for user_id, (start, end) in zip(histories.user_ids, pairwise(histories.starts.tolist()), strict=True)
    }


# What the log says, as numbers


def test_users_come_as_they_first_appear_and_events_in_time_order():
    histories = made(LOG)
    assert histories.user_ids == ("b", "a")
    assert histories.starts.tolist() == [0, 4, 7]
    assert histories.product_ix.tolist() == [2, 2, -1, 2, 0, 1, 0]
    assert [ACTIONS[action] for action in histories.action_ix] == [
        "view", "cart", "search", "purchase", "view", "purchase", "view",
    ]  # fmt: skip
    assert (histories.seconds - FIRST).tolist() == [60 * n for n in (0, 30, 61, 61 + 24 * 60, 10, 70, 71)]
    assert histories.texts == ("", "", "red dress", "", "", "", "")
    assert np.isnan(histories.values).all()
    assert histories.left_out == {}
    assert (len(histories), histories.row("a"), histories.row("nobody")) == (2, 1, None)


def test_types_are_as_promised():
    histories = made(LOG)
    whole = ("starts", "product_ix", "action_ix", "seconds", "lengths", "user", "places", "later")
    assert {getattr(histories, name).dtype for name in whole} == {np.dtype(np.int64)}
    assert histories.sessions().dtype == np.int64
    assert {one.dtype for one in (histories.values, histories.gaps, histories.weights())} == {np.dtype(np.float32)}


def test_values_are_kept_and_no_number_is_none():
    frame = events([("a", "rate", "p0", 0), ("a", "rate", "p1", 1), ("a", "rate", "p2", 2)]).frame
    histories = histories_of(Events(frame.with_columns(value=pl.Series([4.5, float("nan"), None]))), PRODUCTS)
    assert histories.values == pytest.approx([4.5, np.nan, np.nan], nan_ok=True)


def test_seconds_are_rounded_down_before_1970_too():
    moments = [datetime(1969, 12, 31, 23, 59, 58, 500_000, UTC), datetime(1970, 1, 1, 0, 0, 1, 999_999, UTC)]
    frame = events([("a", "view", "p0", 0)] * 2).frame
    histories = histories_of(Events(frame.with_columns(time=pl.Series(moments, dtype=EVENT_SCHEMA["time"]))), PRODUCTS)
    assert histories.seconds.tolist() == [-2, 1]


def test_ties_in_time_keep_the_order_of_the_log():
    random = np.random.default_rng(0)
    rows = [(f"u{random.integers(3)}", "search", None, int(random.integers(2))) for _ in range(500)]
    log = pl.concat([events([row], text=f"{number:03}").frame for number, row in enumerate(rows)])
    found = content(histories_of(Events(log), PRODUCTS))
    assert sum(map(len, found.values())) == 500
    for kept in found.values():
        assert kept == sorted(kept, key=lambda row: (row[2], row[3]))


def test_a_log_out_of_order_gives_the_same_histories():
    assert content(made(LOG[::-1])) == content(made(LOG))


def test_places_lengths_and_users():
    histories = made(LOG)
    assert histories.lengths.tolist() == [4, 3]
    assert histories.user.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert histories.places.tolist() == [0, 1, 2, 3, 0, 1, 2]


def test_gaps_are_hours_since_the_users_previous_event():
    assert made(LOG).gaps == pytest.approx([0, 0.5, 31 / 60, 24, 0, 1, 1 / 60])


def test_a_session_ends_with_a_gap_of_more_than_half_an_hour():
    histories = made(LOG)
    assert histories.sessions().tolist() == [0, 0, 1, 2, 0, 1, 1]  # 30 minutes are not more than 30
    assert histories.sessions(session_minutes=29.9).tolist() == [0, 1, 2, 3, 0, 1, 1]
    assert histories.sessions(session_minutes=60 * 24).tolist() == [0] * 7


def test_later_events_are_those_of_the_user_after_each():
    assert made(LOG).later.tolist() == [3, 2, 1, 0, 2, 1, 0]


def test_weights_are_those_of_the_actions():
    histories = made(LOG)
    assert set(ACTION_WEIGHTS) == set(ACTIONS)
    assert histories.weights() == pytest.approx([0.3, 0.7, 0.3, 1, 0.3, 1, 0.3])
    assert histories.weights({"purchase": 2}).tolist() == [0, 0, 0, 2, 0, 2, 0]
    with pytest.raises(UserError, match=r"weights: unknown action 'veiw'; did you mean 'view'\? Known are: purchase"):
        histories.weights({"veiw": 1})


# Against a plain loop

logs = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["view", "purchase"]),
        st.sampled_from([None, *PRODUCTS]),
        st.integers(0, 300),
    ),
    max_size=40,
)


def by_loop(rows, session_minutes):
    """Hours of gaps, sessions and later events of one user's (product, action, seconds, text)."""
    gaps, sessions, later, before, session = [], [], [], None, 0
    for place, (_, _, seconds, _) in enumerate(rows):
        waited = 0 if before is None else seconds - before
        session += waited > session_minutes * 60
        gaps.append(waited / 3600)
        sessions.append(session)
        later.append(len(rows) - 1 - place)
        before = seconds
    return gaps, sessions, later


@given(logs, st.integers(0, 100), st.integers(0, 300))
@settings(deadline=None)
def test_what_is_derived_is_what_a_loop_gives(rows, session_minutes, minutes):
    # `before` leaves users with an empty history anywhere among the others.
    for histories in (made(rows), made(rows).before(FIRST + minutes * 60)):
        expected = [by_loop(kept, session_minutes) for kept in content(histories).values()]
        gaps, sessions, later = ([one for user in expected for one in user[part]] for part in range(3))
        assert histories.gaps == pytest.approx(gaps)
        assert histories.sessions(session_minutes).tolist() == sessions
        assert histories.later.tolist() == later


@given(logs, st.integers(0, 5), st.integers(0, 300))
@settings(deadline=None)
def test_parts_are_what_slices_give(rows, count, minutes):
    histories = made(rows)
    whole = content(histories)
    moment = FIRST + minutes * 60
    assert content(histories.recent(count)) == {user: kept[max(len(kept) - count, 0) :] for user, kept in whole.items()}
    assert content(histories.without_last(count)) == {
        user: kept[: max(len(kept) - count, 0)] for user, kept in whole.items()
    }
    assert content(histories.before(moment)) == {
        user: [one for one in kept if one[2] < moment] for user, kept in whole.items()
    }
    backwards = histories.of(range(len(histories))[::-1])
    assert content(backwards) == whole
    assert backwards.user_ids == histories.user_ids[::-1]


# Parts


def test_some_users_in_the_order_asked_for():
    histories = made([*LOG, ("c", "view", "p1", 5000)])
    some = histories.of([2, 0])
    assert some.user_ids == ("c", "b")
    assert some.product_ix.tolist() == [1, 2, 2, -1, 2]
    assert some.texts == ("", "", "", "red dress", "")
    assert (some.row("c"), some.row("b"), some.row("a")) == (0, 1, None)
    assert len(histories.of([])) == 0


def test_users_without_events_before_a_moment_stay():
    early = made(LOG).before(FIRST + 10 * 60)
    assert early.user_ids == ("b", "a")
    assert early.lengths.tolist() == [1, 0]
    assert early.sessions().tolist() == early.later.tolist() == early.gaps.tolist() == [0]
    assert early.of([1]).lengths.tolist() == [0]


def test_a_part_keeps_what_was_left_out_of_the_log():
    histories = made([*LOG, LOG[0]])
    assert histories.recent(1).left_out == histories.of([0]).left_out == {"duplicate": 1}


def test_a_long_history_is_cut_to_its_last_events():
    seconds = pl.Series(np.arange(100_000)).cast(pl.Int64)
    frame = pl.select(
        user_id=pl.lit("a"),
        action=pl.lit("view").cast(EVENT_SCHEMA["action"]),
        time=pl.from_epoch(seconds, "s").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        product_id=pl.format("p{}", seconds % 3),
        text=pl.lit(None, pl.String),
        value=pl.lit(None, pl.Float64),
    )
    whole = histories_of(Events(frame), PRODUCTS)
    recent = whole.recent(50)
    assert whole.lengths.tolist() == [100_000]
    assert whole.later.tolist() == list(range(99_999, -1, -1))
    assert recent.seconds.tolist() == list(range(99_950, 100_000))
    assert recent.places.tolist() == list(range(50))


@pytest.mark.parametrize("count", [1, 10_000])
def test_short_and_long_histories(count):
    histories = made([("a", "view", PRODUCTS[number % 3], number) for number in range(count)])
    assert histories.lengths.tolist() == [count]
    assert histories.gaps == pytest.approx([0] + [1 / 60] * (count - 1))
    assert not histories.sessions().any()


def test_a_log_without_events_has_no_users():
    empty = made([])
    assert (len(empty), empty.starts.tolist(), empty.texts) == (0, [0], ())
    assert len(empty.user) == len(empty.places) == len(empty.gaps) == len(empty.later) == len(empty.sessions()) == 0
    assert len(empty.weights()) == len(empty.recent(5).seconds) == len(empty.of([])) == 0


# What is left out


def test_a_repeated_event_counts_once():
    histories = made([("a", "view", "p0", 0), ("a", "search", None, 0)] * 3)
    assert histories.product_ix.tolist() == [0, -1]
    assert histories.left_out == {"duplicate": 4}


@pytest.mark.parametrize(
    "other",
    [
        {"user_id": "b"},
        {"action": "cart"},
        {"product_id": "p1"},
        {"time": START + timedelta(microseconds=1)},
        {"text": "nice"},
        {"value": 5.0},
    ],
)
def test_events_that_differ_in_anything_are_two(other):
    one = {"user_id": "a", "action": "rate", "time": START, "product_id": "p0", "text": None, "value": 4.0}
    histories = histories_of(Events(pl.DataFrame([one, {**one, **other}], schema=EVENT_SCHEMA)), PRODUCTS)
    assert (len(histories.seconds), histories.left_out) == (2, {})


def test_no_text_is_an_empty_text_and_no_value_is_no_number():
    one = {"user_id": "a", "action": "rate", "time": START, "product_id": "p0", "text": None, "value": None}
    rows = [one, {**one, "text": ""}, {**one, "value": float("nan")}]
    assert histories_of(Events(pl.DataFrame(rows, schema=EVENT_SCHEMA)), PRODUCTS).left_out == {"duplicate": 2}


@pytest.mark.parametrize(
    "now",
    [
        START + timedelta(minutes=61),
        (START + timedelta(minutes=61)).replace(tzinfo=None),
        (START + timedelta(minutes=61)).astimezone(timezone(timedelta(hours=8))),
    ],
)
def test_events_of_the_future_are_left_out(now):
    histories = histories_of(events(LOG), PRODUCTS, now=now)
    assert histories.lengths.tolist() == [3, 1]  # the search at `now` is in
    assert histories.left_out == {"in the future": 3}


def test_an_unknown_product_is_left_out_unless_there_is_a_text():
    rows = [("a", "view", "gone", 0), ("a", "view", "p1", 1)]
    assert made(rows).product_ix.tolist() == [1]
    assert made(rows).left_out == {"unknown product": 1}
    told = made(rows, text="dry")
    assert told.product_ix.tolist() == [-1, 1]
    assert told.texts == ("dry", "dry")
    assert told.left_out == {}


def test_each_event_is_kept_or_counted_once():
    rows = [("a", "view", "gone", 0), ("a", "view", "gone", 0), ("b", "view", "gone", 9), ("c", "view", "p0", 1)]
    histories = histories_of(events(rows), PRODUCTS, now=START + timedelta(minutes=5))
    assert histories.left_out == {"duplicate": 1, "in the future": 1, "unknown product": 1}
    assert histories.user_ids == ("a", "c", "b")
    assert histories.lengths.tolist() == [0, 1, 0]


# By hand


def test_a_history_by_hand():
    mine = history_of(
        [
            "p1",
            ("view", "p2"),
            ["search", "红色 裙子"],
            ("post", "arrived"),
            {"action": "rate", "product_id": "p1", "value": 4, "text": "fine"},
            {"action": "view", "product_id": "p0", "value": None, "text": ""},
        ],
        PRODUCTS,
        now=START,
    )
    assert mine.user_ids == ("",)
    assert mine.starts.tolist() == [0, 6]
    assert [ACTIONS[action] for action in mine.action_ix] == ["purchase", "view", "search", "post", "rate", "view"]
    assert mine.product_ix.tolist() == [1, 2, -1, -1, 1, 0]
    assert mine.texts == ("", "", "红色 裙子", "arrived", "fine", "")
    assert mine.values == pytest.approx([np.nan] * 4 + [4, np.nan], nan_ok=True)
    assert (mine.seconds - FIRST).tolist() == [-5, -4, -3, -2, -1, 0]


def test_a_history_by_hand_ends_in_1970_without_now():
    assert history_of(["p1", "p1"], PRODUCTS).seconds.tolist() == [-1, 0]


def test_times_by_hand_settle_the_order():
    entries = [
        {"action": "view", "product_id": "p0", "time": "2024-01-01T12:00:00+08:00"},
        {"action": "view", "product_id": "p1", "time": START.replace(tzinfo=None)},
        {"action": "view", "product_id": "p2", "time": FIRST + 2},
        {"action": "cart", "product_id": "p2", "time": date(2024, 1, 1)},
        {"action": "like", "product_id": "p2", "time": datetime(2025, 1, 1, tzinfo=UTC)},
    ]
    mine = history_of(entries, PRODUCTS, now=datetime(2024, 6, 1))
    assert mine.product_ix.tolist() == [1, 2, 2, 0]
    assert (mine.seconds - FIRST).tolist() == [0, 0, 2, 4 * 3600]
    assert mine.left_out == {"in the future": 1}


def test_unknown_products_by_hand_are_counted():
    mine = history_of(["gone", "p1", ("cart", "gone")], PRODUCTS)
    assert mine.product_ix.tolist() == [1]
    assert mine.left_out == {"unknown product": 2}
    assert history_of(["gone"], PRODUCTS).lengths.tolist() == [0]


def test_no_entries_are_one_user_without_events():
    mine = history_of([], PRODUCTS, now=START)
    assert (len(mine), mine.lengths.tolist(), mine.texts) == (1, [0], ())
    assert len(mine.gaps) == len(mine.sessions()) == len(mine.recent(3).later) == 0


def test_half_a_character_does_no_harm():
    assert history_of([("search", "red \ud83d"), "p\ud83d"], PRODUCTS).texts == ("red ?",)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (("veiw", "p1"), r": unknown action 'veiw'; did you mean 'view'\? Known are: purchase, cart, view"),
        (("xyz", "p1"), r": unknown action 'xyz'\. Known are: purchase"),
        (("view", 17), r": product_id is 17; give it as a string"),
        (("search", None), r" has neither product_id nor text"),
        ("", r" has neither product_id nor text"),
        ({"product_id": "p1"}, r": unknown action None"),
        ({"action": "view"}, r" has neither product_id nor text"),
        ({"action": "view", "product": "p1"}, r": unknown key 'product'; did you mean 'product_id'\?"),
        ({"action": "view", "product_id": "p1", "user_id": "u"}, r": unknown key 'user_id'"),
        ({"action": "post", "text": ["a"]}, r": text is \['a'\]"),
        ({"action": "rate", "product_id": "p1", "value": "4"}, r": value is '4'; give a number"),
        ({"action": "rate", "product_id": "p1", "value": True}, r": value is True"),
        ({"action": "rate", "product_id": "p1", "value": 10**400}, r": value is 10000"),
        (17, r" is 17; give a product id, a pair"),
        (("view", "p1", 3), r" is \('view', 'p1', 3\); give a product id, a pair"),
        (None, r" is None; give a product id"),
    ],
)
def test_a_wrong_entry_is_named(entry, message):
    with pytest.raises(UserError, match=rf"history\[1\]{message}"):
        history_of(["p1", entry], PRODUCTS)


def test_wrong_times_by_hand_are_named():
    timed = {"action": "view", "product_id": "p1", "time": START}
    with pytest.raises(UserError, match=r"history\[1\]: time is 'soon'; give a datetime or 2026-01-31T12:00:00Z"):
        history_of([timed, {**timed, "time": "soon"}], PRODUCTS)
    with pytest.raises(UserError, match=r"history\[1\] has no time, though others have; give all entries a time"):
        history_of([timed, "p1"], PRODUCTS)


@pytest.mark.parametrize("history", ["p1", {"action": "view", "product_id": "p1"}, 17])
def test_a_history_that_is_no_list_is_an_error(history):
    with pytest.raises(UserError, match=r"a history is a list of entries, came .*; put it in brackets"):
        history_of(history, PRODUCTS)
