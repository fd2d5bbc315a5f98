"""Rules are kept: nothing that is forbidden is shown, never too many of a kind, new products get their places."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.errors import UserError
from tagloom.recs.rules import Rules, arranged, varied

# Rules


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"include": {"tag": ["红"]}, "exclude": {"tag": "红"}},
            "tag '红' is both included and excluded; leave",
        ),
        ({"include": {"category": "鞋包>鞋"}, "exclude": {"category": ["鞋包 > 鞋"]}}, "category '鞋包>鞋' is both"),
        ({"price_from": 50, "price_to": 20}, "price_from 50 is above price_to 20; no price lies between"),
        ({"price_from": -1}, "price_from: expected a number from 0, came -1"),
        ({"price_to": float("nan")}, "price_to: expected a number from 0, came nan"),
        ({"price_to": "20"}, "price_to: expected a number from 0, came '20'"),
        ({"per_category": -1}, "per_category: expected a whole number from 0, came -1"),
        ({"per_category": 1.5}, "per_category: expected a whole number from 0, came 1.5"),
        ({"per_category": True}, "per_category: expected a whole number"),
        ({"new_share": 1.1}, r"new_share: expected a number from 0 to 1, came 1\.1"),
        ({"variety": -0.1}, "variety: expected a number from 0, came -0.1"),
        ({"variety": None}, "variety: expected a number from 0, came None"),
        ({"include": {"tags": "红"}}, "include: unknown kind 'tags'; did you mean 'tag'"),
        ({"exclude": {"brand": "红"}}, "exclude: unknown kind 'brand'.* Known are: category, tag, product"),
        ({"include": {"tag": [3]}}, r"include: expected a name or a list of names for 'tag', came \[3\]"),
        ({"include": {"tag": " "}}, "expected a name or a list of names"),
        ({"include": {"tag": 3}}, "expected a name or a list of names"),
        ({"include": ["红"]}, "include: expected names by kind, such as .*, came"),
        ({"prise_to": 20}, "unknown rule 'prise_to'; did you mean 'price_to'. Known are: include, exclude,"),
    ],
)
def test_rules_that_cannot_be_kept_are_named_with_what_to_do(values, message):
    with pytest.raises(UserError, match=message):
        Rules.of(values)


def test_rules_are_what_was_said_and_do_not_change():
    rules = Rules.of({"include": {"tag": ["红", " 蓝 ", "红"], "category": []}, "price_from": 0, "per_category": 2})
    assert rules == Rules({"tag": ("红", "蓝")}, price_from=0, per_category=2)
    assert (rules.price_to, rules.new_share, rules.variety, dict(rules.exclude)) == (None, 0, 0, {})
    with pytest.raises(TypeError):
        rules.include["tag"] = ("x",)


def test_a_name_of_one_kind_does_not_contradict_that_of_another():
    assert Rules(include={"tag": "红"}, exclude={"category": "红", "tag": "蓝"})


def test_variety_takes_the_log_of_popularity_off():
    scores = np.zeros((2, 3), np.float32)
    pressed = varied(scores, np.array([97, 0, 0]), 0.5)
    assert pressed == pytest.approx(np.tile(-0.5 * np.log([0.98, 0.01, 0.01]), (2, 1)), rel=1e-5)
    assert pressed.dtype == np.float32
    assert varied(scores, np.zeros(3), 0) is scores
    hidden = varied(np.array([[-np.inf, 1.0]], np.float32), np.array([5, 5]), 1.0)
    assert np.isneginf(hidden[0, 0])


# The order of what is shown


def shown(ranked, most, categories, new=(), **rules):
    size = max([*ranked, *new], default=0) + 1
    fresh = np.isin(np.arange(size), list(new))
    padded = np.array([*categories, *[-1] * size], np.int64)
    return arranged(
        np.array(ranked, np.int64), most=most, rules=Rules(**rules), categories=padded, fresh=fresh
    ).tolist()


def test_without_rules_the_best_are_shown_as_they_are():
    assert shown([4, 2, 7, -1, -1], 2, []) == [4, 2]
    assert shown([4, 2, 7, -1, -1], 9, []) == [4, 2, 7]
    assert shown([], 3, [], per_category=1, new_share=0.5) == []


def test_no_more_of_a_category_than_asked_for_and_the_next_best_instead():
    categories = [0, 0, 0, 1, 1, -1, -1, -1]
    assert shown(range(8), 5, categories, per_category=1) == [0, 3, 5, 6, 7]
    assert shown(range(8), 5, categories, per_category=2) == [0, 1, 3, 4, 5]
    assert shown(range(5), 5, categories, per_category=1) == [0, 3]


def test_new_products_get_their_share_of_the_places_spread_over_the_list():
    assert shown(range(20), 10, [], new=[15, 17, 19], new_share=0.2) == [0, 1, 15, 2, 3, 4, 5, 17, 6, 7]
    assert shown(range(20), 10, [], new=[15], new_share=0.2) == [0, 1, 2, 3, 4, 15, 5, 6, 7, 8]
    assert shown(range(20), 10, [], new_share=0.2) == list(range(10))
    assert shown(range(6), 3, [], new=[3, 4, 5], new_share=1) == [3, 4, 5]


def test_new_products_that_are_among_the_best_stay_where_they_are():
    assert shown(range(9), 4, [], new=[0, 1, 8], new_share=0.5) == [0, 1, 2, 3]
    assert shown(range(9), 4, [], new=[0, 8], new_share=0.5) == [0, 1, 2, 8]
    assert shown(range(9), 4, [], new=[0, 1, 2, 3], new_share=0.25) == [0, 1, 2, 3]


def test_a_new_product_takes_the_place_of_an_old_one_of_its_category():
    assert shown([0, 1, 2, 3], 2, [0, 1, 0, 1], new=[2], per_category=1, new_share=0.5) == [1, 2]


CASES = st.integers(0, 40).flatmap(
    lambda size: st.fixed_dictionaries(
        {
            "ranked": st.permutations(range(size)),
            "categories": st.lists(st.integers(-1, 4), min_size=size, max_size=size),
            "fresh": st.lists(st.booleans(), min_size=size, max_size=size),
            "most": st.integers(1, 20),
            "per_category": st.integers(0, 4),
            "new_share": st.sampled_from([0, 0.1, 0.3, 0.5, 1]),
        }
    )
)


@given(CASES)
def test_every_answer_keeps_the_rules_as_far_as_it_can_be_done(case):
    ranked, categories, fresh, most = case["ranked"], case["categories"], case["fresh"], case["most"]
    rules = Rules(per_category=case["per_category"], new_share=case["new_share"])
    arguments = {"categories": np.array(categories, np.int64), "fresh": np.array(fresh, bool)}
    rows = arranged(np.array([*ranked, -1], np.int64), most=most, rules=rules, **arguments).tolist()
    assert len(rows) == len(set(rows))
    assert set(rows) <= set(ranked)
    limit = rules.per_category or len(ranked)

    def possible(members):
        """How many can be shown at once."""
        counts = Counter(categories[row] for row in members)
        return sum(count if category < 0 else min(count, limit) for category, count in counts.items())

    counts = Counter(categories[row] for row in rows)
    assert all(count <= limit for category, count in counts.items() if category >= 0)
    assert len(rows) == min(most, possible(ranked))
    wanted = min(np.ceil(rules.new_share * most - 1e-9), possible([row for row in ranked if fresh[row]]))
    new = [place for place, row in enumerate(rows) if fresh[row]]
    assert len(new) >= wanted
    # Among themselves both stay in the order of the candidates; the first half has its part of the new ones.
    for kind in (True, False):
        part = [ranked.index(row) for row in rows if fresh[row] is kind]
        assert part == sorted(part)
    assert sum(place < (len(rows) + 1) // 2 for place in new) >= wanted // 2


@pytest.mark.parametrize("rules", [{"per_category": 3}, {"new_share": 0.5}, {"per_category": 3, "new_share": 0.5}])
def test_a_thousand_candidates_take_about_a_millisecond(rules):
    draw = np.random.default_rng(0)
    ranked, categories = draw.permutation(1_000), draw.integers(0, 200, 1_000)
    fresh = draw.random(1_000) < 0.2
    took = []
    for _ in range(20):
        begin = time.perf_counter()
        arranged(ranked, most=100, rules=Rules(**rules), categories=categories, fresh=fresh)
        took.append(time.perf_counter() - begin)
    assert min(took) < 0.003


def test_names_may_come_from_a_generator():
    assert Rules(exclude={"product": (name for name in ["p1"])}).exclude["product"] == ("p1",)


def test_again_is_a_yes_or_a_no():
    with pytest.raises(UserError, match="rules, again: expected true, false or nothing, came 'no'"):
        Rules.of({"again": "no"})
