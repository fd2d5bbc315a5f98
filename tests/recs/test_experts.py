"""The experts that count, on logs whose answer was planted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tagloom.config import RecommenderSettings
from tagloom.data.histories import Histories
from tagloom.data.tables import ACTIONS, Products
from tagloom.recs.experts.contract import Asked, TrainingData
from tagloom.recs.experts.neighbours import NeighboursExpert
from tagloom.recs.experts.popular import PopularExpert
from tagloom.recs.experts.repeats import RepeatsExpert
from tagloom.recs.items import Items, Known

DAY = 24 * 60
SETTINGS = RecommenderSettings()


def catalogue(names, known=None, categories=()):
    """Products of one letter each, in today's order."""
    rows = [{"product_id": name, "category": [category]} for name, category in zip(names, categories, strict=False)]
    rows += [{"product_id": name} for name in names[len(rows) :]]
    products = Products.of(rows)
    return Items.of(products, known or Known.of(products, {}, (), 100))


def asked(users, items):
    """From each user's events: a product's letter (bought, a day after the one before) or (letter, action, minutes)."""
    given = [
        [(*event, "purchase", DAY * place)[:3] if isinstance(event, str) else event for place, event in enumerate(u)]
        for u in users
    ]
    rows = [event for user in given for event in user]
    return Asked(
        Histories(
            user_ids=tuple(f"u{number}" for number in range(len(users))),
            starts=np.cumsum([0, *map(len, users)]),
            product_ix=np.array([items.row_of.get(name, -1) for name, _, _ in rows], np.int64),
            action_ix=np.array([ACTIONS.index(action) for _, action, _ in rows], np.int64),
            seconds=60 * np.array([minutes for _, _, minutes in rows], np.int64),
            values=np.full(len(rows), np.nan, np.float32),
            texts=("",) * len(rows),
            left_out={},
        ),
        items,
    )


def data(users, items):
    """Everybody's last product is what came next on valid."""
    log = asked(users, items)
    last = log.histories.starts[1:][log.histories.lengths > 1] - 1
    valid = Asked(log.histories.without_last(1), items).of(np.flatnonzero(log.histories.lengths > 1))
    return TrainingData(log, valid, log.histories.product_ix[last], np.full(len(last), np.nan, np.float32))


def ranked(expert, history, items):
    """All products, the best first; of equals the first of the catalogue."""
    (scores,) = expert.scores(asked([history], items))
    return "".join(items.product_ids[ix] for ix in np.argsort(-scores, kind="stable"))


def score(expert, history, items, name):
    return float(expert.scores(asked([history], items))[0, items.row_of[name]])


# What everybody takes


def popular(users, items, kind="popular", settings=SETTINGS):
    return PopularExpert.fit(data(users, items), settings, kind)


def test_what_is_taken_most_comes_first_for_everybody():
    items = catalogue("abcd")
    expert = popular(["cc", "cb", "bcd"], items)
    assert ranked(expert, "", items) == ranked(expert, "d", items) == "cbda"


def test_an_action_counts_by_its_weight():
    items = catalogue("ab")
    users = [[("a", "view", 0)] * 3, [("b", "purchase", 0)]]
    assert ranked(popular(users, items), "", items) == "ba"  # three views of 0.3 against a purchase of 1
    views = SETTINGS.model_copy(update={"weights": {"view": 1.0}})
    assert ranked(popular(users, items, settings=views), "", items) == "ab"


@pytest.mark.parametrize("kind", ["popular", "recent"])
def test_scores_are_logs_of_shares(kind):
    items = catalogue("abc")
    found = popular(["aab", "ca"], items, kind).scores(asked(["", "a"], items))
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-5)


def test_what_is_taken_now_counts_most_and_half_of_it_after_a_week():
    items = catalogue("abc")
    users = [[("a", "purchase", 0)]] * 9 + [[("b", "purchase", 100 * DAY)]]
    assert ranked(popular(users, items), "", items) == "abc"
    assert ranked(popular(users, items, "recent"), "", items) == "bac"
    week = [[("a", "purchase", 0)]] * 2 + [[("b", "purchase", 7 * DAY)]]
    expert = popular(week, items, "recent")
    assert score(expert, "", items, "a") == pytest.approx(score(expert, "", items, "b"))


def test_products_of_the_users_categories_come_first_the_latest_in_front():
    items = catalogue("abcdef", categories="xxyyzz")
    expert = popular(["fffeeeeec", "bbd", "a"], items, "category")
    assert ranked(expert, "", items) == "efbacd"
    assert ranked(expert, "a", items) == "baefcd"
    assert ranked(expert, "ac", items) == "cdbaef"
    assert ranked(expert, "ca", items) == "bacdef"


@pytest.mark.parametrize("kind", ["popular", "recent", "category"])
def test_a_product_that_came_later_is_behind_what_was_taken_and_the_rest_keep_their_place(kind):
    items = catalogue("abc", categories="xxx")
    expert = popular(["bba", "bc"], items, kind)
    today = catalogue("ncb", items.known, "xxx")
    assert ranked(expert, "b", today) == "bcn"
    assert np.isfinite(expert.scores(asked(["n", "", "bn"], today))).all()


@pytest.mark.parametrize("kind", ["popular", "recent", "category"])
def test_without_events_all_are_alike(kind):
    items = catalogue("abc", categories="xyz")
    expert = popular(["", ""], items, kind)
    assert expert.scores(asked([""], items))[0].tolist() == pytest.approx([math.log(1 / 3)] * 3)
    assert expert.scores(asked([], items)).shape == (0, 3)


@pytest.mark.parametrize("kind", ["popular", "recent", "category"])
def test_a_popular_expert_that_is_saved_comes_back_and_counts_anew(kind):
    items = catalogue("abc", categories="xyz")
    expert = popular(["bba", "bc"], items, kind)
    back = PopularExpert.load(expert.arrays(), expert.about(), SETTINGS)
    question = asked(["a", "cb"], items)
    assert np.array_equal(back.scores(question), expert.scores(question))
    anew = back.relearned(data(["ccc"], items), SETTINGS)
    assert anew.kind == kind
    assert ranked(anew, "", items)[0] == "c"


# What is taken after what


def neighbours(users, items, settings=SETTINGS):
    return NeighboursExpert.fit(data(users, items), settings)


def test_what_followed_in_other_histories_comes_first():
    items = catalogue("abcdef")
    expert = neighbours(["abc", "def"] * 5, items)
    assert ranked(expert, "a", items)[:2] == "bc"
    assert ranked(expert, "d", items)[:2] == "ef"


def test_it_is_what_follows_and_not_what_went_before():
    items = catalogue("abc")
    expert = neighbours(["abc"] * 5, items)
    assert ranked(expert, "b", items)[0] == "c"
    assert score(expert, "b", items, "a") == 0
    assert not expert.scores(asked(["c"], items)).any()


def test_the_nearer_a_pair_the_more_it_counts_and_users_are_kept_apart():
    items = catalogue("abcd")
    expert = neighbours(["abc", "d"], items)
    assert ranked(expert, "a", items)[:2] == "bc"
    assert score(expert, "c", items, "d") == 0


def test_what_is_taken_again_is_offered_again():
    """Everybody takes m again and again, and a lamp once."""
    items = catalogue("lmxyz")
    expert = neighbours(["lmxm", "lmym", "lmzm", "lmmm"] * 3, items)
    assert ranked(expert, "lm", items)[0] == "m"
    assert score(expert, "l", items, "l") == 0 < score(expert, "m", items, "m")


def test_the_newest_product_of_the_history_speaks_loudest():
    items = catalogue("abxy")
    expert = neighbours(["ax", "by"] * 5, items)
    assert ranked(expert, "ab", items)[:2] == "yx"
    assert ranked(expert, "ba", items)[:2] == "xy"


def test_a_pair_counts_by_the_action_it_led_to():
    items = catalogue("abc")
    users = [[("a", "view", 0), ("b", "view", 1)], [("a", "view", 0), ("c", "purchase", 1)]]
    assert ranked(neighbours(users, items), "a", items)[0] == "c"
    views = SETTINGS.model_copy(update={"weights": {"view": 1.0}})
    assert ranked(neighbours(users, items, views), "a", items)[0] == "b"


def test_the_strongest_of_each_product_are_kept():
    items = catalogue("abcd")
    expert = neighbours(["ab", "ab", "ac", "ad", "ad", "ad"], items, SETTINGS.model_copy(update={"neighbours": 2}))
    assert [score(expert, "a", items, name) > 0 for name in "bcd"] == [True, False, True]


def test_a_product_that_came_later_is_offered_where_those_like_it_are():
    rows = [{"product_id": name, "title": name, "tags": [tag]} for name, tag in (("a", "x"), ("b", "x"), ("c", "y"))]
    items = Items.of(Products.of(rows), Known.of(Products.of(rows), {}, (), 100))
    expert = neighbours(["abc"] * 3, items)
    more = [{"product_id": "n", "title": "new", "tags": ["y"]}, *rows]
    today = Items.of(Products.of(more), items.known)
    assert 0 < score(expert, "b", today, "n") < score(expert, "b", today, "c")
    assert score(expert, "c", today, "n") == 0


def test_products_that_came_later_and_are_like_no_other_say_nothing_and_are_not_offered():
    items = catalogue("abc")
    expert = neighbours(["abc"] * 3, items)
    today = catalogue("ncba", items.known)  # in another order, too
    assert ranked(expert, "a", today)[:2] == "bc"
    assert score(expert, "a", today, "n") == 0
    assert not expert.scores(asked(["n", ""], today)).any()
    assert ranked(expert, "an", today)[:2] == "bc"


def test_searches_are_passed_over():
    items = catalogue("ab")
    users = [[("a", "view", 0), ("", "search", 1), ("b", "view", 2)]] * 3
    expert = neighbours(users, items)
    assert ranked(expert, "a", items)[0] == "b"
    assert not expert.scores(asked([[("", "search", 0)]], items)).any()


def test_a_neighbours_expert_that_is_saved_comes_back_and_counts_anew():
    items = catalogue("abc")
    expert = neighbours(["abc", "aab"] * 3, items)
    back = NeighboursExpert.load(expert.arrays(), expert.about(), SETTINGS)
    question = asked(["a", "cb", ""], items)
    assert np.array_equal(back.scores(question), expert.scores(question))
    assert back.scores(asked([], items)).shape == (0, 3)
    anew = back.relearned(data(["acb"] * 3, items), SETTINGS)
    assert ranked(anew, "a", items)[0] == "c"
    assert anew.about() == expert.about()


# Of a large catalogue only some products are looked at


EVERY = {
    **{kind: lambda told, kind=kind: PopularExpert.fit(told, SETTINGS, kind) for kind in ("popular", "recent")},
    "category": lambda told: PopularExpert.fit(told, SETTINGS, "category"),
    "neighbours": lambda told: NeighboursExpert.fit(told, SETTINGS),
    "repeats": lambda told: RepeatsExpert.fit(told, SETTINGS),
}


@pytest.fixture(params=EVERY)
def of_every_kind(request):
    """An expert, and today's catalogue: `n` is new, `d` is gone."""
    met = catalogue("abcdefg", categories="xxyyzz")
    today = catalogue("gnfecba", met.known, categories="zxzzyyx")
    return EVERY[request.param](data(["abcab", "bcdbc", "efgef", "abca", "fgf"], met)), today


ASKING = ["ab", "", "gf", "n", "bcna"]


def test_some_rows_have_the_scores_that_they_have_among_all(of_every_kind):
    expert, today = of_every_kind
    question = asked(ASKING, today)
    rows = np.array([[0, 3, 1], [1, 2, 0], [6, -1, 1], [1, 5, 4], [4, 0, -1]])
    every = np.take_along_axis(expert.scores(question), np.maximum(0, rows), 1)
    there = rows >= 0
    np.testing.assert_allclose(expert.scores(question, rows)[there], every[there], rtol=1e-5)


def test_what_scores_highest_is_among_the_best(of_every_kind):
    expert, today = of_every_kind
    question = asked(ASKING, today)
    scores, best = expert.scores(question), expert.best(question, 2)
    for user, found in zip(scores, best, strict=True):
        # Whoever has nothing that an expert goes by has nothing put forward by it.
        if len(np.unique(user)) > 1:
            assert user.argmax() in found.tolist()


def test_pairs_are_counted_in_parts_as_they_are_at_once():
    draw = np.random.default_rng(0)
    users = ["".join(draw.choice(list("abcdefgh"), 12)) for _ in range(40)]
    question = asked(users, catalogue("abcdefgh"))
    whole = NeighboursExpert.counted(question, SETTINGS)
    np.testing.assert_allclose(NeighboursExpert.counted(question, SETTINGS, 500).toarray(), whole.toarray(), rtol=1e-5)


def test_a_history_that_repeats_256_times_is_still_taken():
    question = asked(["a" * 256 + "b"], catalogue("abc"))
    assert question.taken.toarray().tolist() == [[True, True, False]]


def test_in_an_empty_catalogue_a_search_has_no_answer():
    met = catalogue("abc")
    nothing = Items.of(Products.of([]), met.known)
    expert = NeighboursExpert.fit(data(["abc", "abc"], met), SETTINGS)
    assert expert.scores(asked([[("", "search", 0)]], nothing)).shape == (1, 0)
