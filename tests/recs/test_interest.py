"""Which tags a user wants next: each source by hand, and which of them is believed."""

from __future__ import annotations

import numpy as np
import pytest

from tagloom.data.histories import Histories, history_of
from tagloom.data.tables import Products
from tagloom.recs.blend import Blend
from tagloom.recs.experts.contract import Asked
from tagloom.recs.interest import Interest, fit_interest, log_shares
from tagloom.recs.items import Items, Known
from tagloom.recs.scored import Scored

# Six products; tags in the columns blue, dress, red, shoe.
TAGS = {
    "a": ["red", "dress"],
    "b": ["blue", "dress"],
    "c": ["red"],
    "d": [],
    "e": ["blue", "shoe"],
    "f": ["red", "shoe"],
}
COLUMNS = ("blue", "dress", "red", "shoe")
POPULAR = np.log(np.array([0.3, 0.3, 0.3, 0.1], np.float32))
LEVEL = np.zeros((1, len(TAGS)), np.float32)


def items(names=tuple(TAGS)):
    products = Products.of([{"product_id": name, "tags": TAGS[name]} for name in names])
    return Items.of(products, Known.of(products, {}, (), 100))


def asked(*users):
    """From each user's letters, each a purchase; a dot is a search."""
    shelf = items()
    each = [
        history_of([("search", "red") if letter == "." else letter for letter in user], list(TAGS)) for user in users
    ]
    return Asked(
        Histories(
            user_ids=users,
            starts=np.cumsum([0, *map(len, users)]),
            product_ix=np.concatenate([one.product_ix for one in each]),
            action_ix=np.concatenate([one.action_ix for one in each]),
            seconds=np.concatenate([one.seconds for one in each]),
            values=np.concatenate([one.values for one in each]),
            texts=tuple(text for one in each for text in one.texts),
            left_out={},
        ),
        shelf,
    )


def sources(*users, products=None):
    level = np.repeat(LEVEL, len(users), 0) if products is None else products
    return Interest(Blend((), np.zeros(0, np.float32)), POPULAR).sources(asked(*users), Scored(level), {})


def test_a_products_tags_have_shares_that_sum_to_1():
    found = items().tag_shares.toarray()
    assert found[0].tolist() == [0, 0.5, 0.5, 0]
    assert found[2].tolist() == [0, 0, 1, 0]
    assert found[3].tolist() == [0, 0, 0, 0]


def test_log_shares_are_logs_of_shares_also_of_huge_scores():
    found = log_shares(np.array([[0, 0], [5_000, 0], [-np.inf, 3]], np.float32))
    assert np.exp(found).tolist() == [[0.5, 0.5], [1, 0], [0, 1]]
    assert log_shares(np.zeros((3, 0), np.float32)).shape == (3, 0)


# What each source says


def test_sources_are_everybody_the_history_and_the_products_that_are_likely():
    assert list(sources("a")) == ["popular", "history", "products"]
    assert sources("a", "bc")["popular"].tolist() == [POPULAR.tolist()] * 2


def test_the_tags_of_a_history_count_the_more_the_newer_they_are():
    history = np.exp(sources("ab", "ba", "cc", "c")["history"])
    np.testing.assert_allclose(history.sum(1), 1, rtol=1e-3)
    assert history[0, 0] > history[0, 2] > 0.01  # blue came after red
    assert history[1, 2] > history[1, 0] > 0.01
    assert history[2].tolist() == pytest.approx(history[3].tolist())


def test_what_was_searched_and_what_has_no_tag_says_nothing_of_tags():
    history = sources("a", ".a", "a.", "ad", ".", "d", "")["history"]
    for row in range(1, 4):
        assert history[row].tolist() == pytest.approx(history[0].tolist(), abs=1e-5)
    for row in range(4, 7):
        assert len(set(history[row].tolist())) == 1


def test_products_that_are_likely_lend_their_tags():
    sure = LEVEL.copy()
    sure[0, 4] = 50
    found = np.exp(sources("a", products=sure)["products"])
    assert found[0].tolist() == pytest.approx([0.5, 0, 0, 0.5], abs=1e-3)
    even = np.exp(sources("a")["products"])
    assert even[0].tolist() == pytest.approx(items().tag_shares.toarray().mean(0).tolist(), abs=1e-3)


# Joined


def test_scores_are_logs_of_shares_of_all_tags():
    interest = Interest(Blend(("popular", "history", "products"), np.array([0.2, 1, 0.5], np.float32)), POPULAR)
    found = interest.scores(asked("ab", ".", ""), Scored(np.repeat(LEVEL, 3, 0)), {})
    assert found.shape == (3, len(COLUMNS))
    np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-5)


def test_confidences_are_shares_times_the_tags_of_a_product_and_1_at_most():
    interest = Interest(Blend((), np.zeros(0, np.float32)), POPULAR, each=2.5)
    assert interest.confidences(np.array([[0.1, 0.9]], np.float32)).tolist() == [[0.25, 1.0]]


def fitted(wanted, products):
    """The weights by source, when each of many users who have `a`, `b`, `c` and so on took `wanted(user)` next."""
    users = list("abcef") * 20
    rows = np.array([list(TAGS).index(wanted(user)) for user in users])
    batches = [
        (asked(*users[:30]), rows[:30], Scored(products[rows[:30]])),
        (asked(*users[30:]), rows[30:], Scored(products[rows[30:]])),
    ]
    interest = fit_interest(batches, {}, POPULAR)
    return dict(zip(interest.blend.names, interest.blend.weights.tolist(), strict=True))


def test_where_people_take_what_they_took_the_history_is_believed():
    weights = fitted(lambda user: user, np.zeros((6, 6), np.float32))
    assert weights["history"] > 0.5
    assert weights["history"] > max(weights["popular"], weights["products"])


def test_where_the_products_that_come_next_are_known_these_are_believed():
    next_one = dict(zip("abcef", "fecba", strict=True))
    weights = fitted(next_one.__getitem__, 20 * np.eye(6, dtype=np.float32))
    assert weights["products"] > 0.5
    assert weights["products"] > max(weights["popular"], weights["history"])
