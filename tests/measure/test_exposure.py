"""What lists show of a catalogue: planted answers, and slow loops over pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics.pairwise import cosine_similarity

from tagloom.errors import DataError
from tagloom.measure.exposure import exposure_metrics


def measure(top, products=10, popularity=None, **rest):
    top = np.array(top)
    popularity = np.ones(products) if popularity is None else popularity
    return exposure_metrics(top, products=products, popularity=popularity, **{"k": top.shape[1], **rest})


def same_for_all(users=7):
    return np.tile([3, 1, 4, 0, 5], (users, 1))


@st.composite
def some_lists(draw):
    users, products, length = draw(st.integers(2, 6)), draw(st.integers(4, 9)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    top = np.stack([random.permutation(products)[:length] for _ in range(users)])
    top[random.random(top.shape) < 0.2] = -1
    top[0, 0] = 0 if 0 not in top[0] else top[0, 0]
    return top, products, random


# The catalogue


def test_the_same_list_for_all_covers_only_itself():
    found = measure(same_for_all(), 20)
    assert found["coverage@5"] == 5 / 20
    assert found["overlap@5"] == 1
    # Five products equally often, fifteen never.
    assert found["gini@5"] == pytest.approx(15 / 20)


def test_lists_that_share_nothing_and_show_all_are_even():
    found = measure(np.arange(20).reshape(4, 5), 20)
    assert found["coverage@5"] == 1
    assert found["overlap@5"] == 0
    assert found["gini@5"] == pytest.approx(0)


def test_one_product_for_all_is_as_uneven_as_can_be():
    assert measure([[2], [2], [2]], 50)["gini@1"] == pytest.approx(1 - 1 / 50)


def test_gini_by_hand():
    # Shown 0, 1 and 3 times: the mean distance of two products is 4/3, divided by twice the mean, 8/3.
    assert measure([[2, -1], [2, -1], [2, 1]], 3)["gini@2"] == pytest.approx(1 / 2)


@settings(max_examples=60, deadline=None)
@given(some_lists())
def test_counts_are_those_of_slow_loops(case):
    top, products, _ = case
    found, k = measure(top, products), top.shape[1]
    sets = [{product for product in row if product >= 0} for row in top.tolist()]
    assert found[f"coverage@{k}"] == pytest.approx(len(set().union(*sets)) / products)
    same = [len(one & other) / k for one, other in combinations(sets, 2)]
    assert found[f"overlap@{k}"] == pytest.approx(np.mean(same))
    shown = np.array([sum(product in one for one in sets) for product in range(products)])
    uneven = np.abs(shown[:, None] - shown).mean() / (2 * shown.mean())
    assert found[f"gini@{k}"] == pytest.approx(uneven)


def test_a_single_user_shares_with_nobody():
    assert measure([[0, 1]])["overlap@2"] == 0


# Tags


def test_products_with_the_same_tags_are_not_diverse():
    tags = csr_matrix(np.tile([1, 0, 1], (10, 1)))
    assert measure(same_for_all(), tags=tags)["diversity@5"] == pytest.approx(0)


def test_products_that_share_no_tag_are_as_diverse_as_can_be():
    assert measure(same_for_all(), tags=csr_matrix(np.eye(10)))["diversity@5"] == pytest.approx(1)


def test_products_without_tags_are_like_no_other():
    assert measure(same_for_all(), tags=csr_matrix((10, 3)))["diversity@5"] == 1


@settings(max_examples=60, deadline=None)
@given(some_lists())
def test_diversity_is_that_of_a_loop_over_pairs(case):
    top, products, random = case
    tags = random.random((products, 5)) < 0.4
    alike = cosine_similarity(tags)
    lists = [[product for product in row if product >= 0] for row in top]
    each = [1 - np.mean([alike[pair] for pair in combinations(one, 2)]) for one in lists if len(one) > 1]
    found = measure(top, products, tags=csr_matrix(tags)).get(f"diversity@{top.shape[1]}")
    assert found == (pytest.approx(np.mean(each)) if each else None)


def test_lists_of_fewer_than_two_say_nothing_about_diversity():
    tags = csr_matrix(np.ones((10, 1)))
    assert measure([[0, 1], [2, -1], [-1, -1]], tags=tags)["diversity@2"] == pytest.approx(0)
    assert "diversity@1" not in measure([[0], [1]], tags=tags)
    assert "diversity@2" not in measure([[0, 1]])


# Popularity


def test_novelty_by_hand():
    # Counts raised by one: 4, 2, 1, 1 of 8.
    counts = [3, 1, 0, 0]
    assert measure([[0, 1], [3, -1]], 4, counts)["novelty@2"] == pytest.approx(((1 + 2) / 2 + 3) / 2)
    assert measure([[0]], 4, counts)["novelty@1"] < measure([[2]], 4, counts)["novelty@1"] == pytest.approx(3)


def test_the_whole_catalogue_is_of_average_popularity():
    counts = np.array([5, 5, 5, 0, 100, 2, 2, 9, 1, 0])
    assert measure([np.arange(10)], popularity=counts)["popularity@10"] == pytest.approx(0.5)
    assert measure([np.arange(10)], popularity=np.ones(10))["popularity@10"] == pytest.approx(0.5)


def test_popular_products_stand_high_and_equals_together():
    counts = [9, 4, 4, 0]
    found = [measure([[product]], 4, counts)["popularity@1"] for product in range(4)]
    assert found == pytest.approx([3.5 / 4, 2 / 4, 2 / 4, 0.5 / 4])


def test_each_user_counts_the_same_and_empty_lists_do_not():
    # A full list of the least popular ones, one that shows the most popular alone, and one that shows nothing.
    counts = [0, 1, 2, 3]
    found = measure([[0, 1], [3, -1], [-1, -1]], 4, counts)
    assert found["popularity@2"] == pytest.approx(((0.5 + 1.5) / 2 + 3.5) / 2 / 4)


def test_lift_is_1_for_what_users_took_and_above_for_what_is_more_popular():
    counts = [8, 4, 2, 0]
    truth = csr_matrix([[0, 1, 0, 0], [0, 0, 1, 0]])
    assert measure([[1], [2]], 4, counts, truth=truth)["popularity lift@1"] == pytest.approx(1)
    assert measure([[0], [0]], 4, counts, truth=truth)["popularity lift@1"] == pytest.approx(8 / 3)


def test_lift_is_over_users_who_were_shown_something_and_took_something():
    counts = [8, 4, 2, 0]
    truth = csr_matrix([[0, 5, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    found = measure([[0, 1], [-1, -1], [3, 2]], 4, counts, truth=truth)
    assert found["popularity lift@2"] == pytest.approx(6 / 3)


@pytest.mark.parametrize("truth", [None, csr_matrix((1, 4)), csr_matrix([[0, 0, 0, 1]])])
def test_without_popularity_to_divide_by_there_is_no_lift(truth):
    assert "popularity lift@1" not in measure([[0]], 4, [8, 4, 2, 0], truth=truth)


# What is measured


def test_only_the_first_k_are_looked_at():
    top = np.array([[0, 1, 2], [0, 3, 4]])
    counts = np.arange(10)
    tags, truth = csr_matrix(np.eye(10)), csr_matrix(np.eye(10)[:2])
    first = measure(top[:, :1], popularity=counts, tags=tags, truth=truth)
    assert measure(top, popularity=counts, tags=tags, truth=truth, k=1) == first
    assert all(name.endswith("@1") for name in first)


def test_lists_without_any_product_are_refused():
    with pytest.raises(DataError, match="none of 2 lists holds a product; give a model's answers"):
        measure([[-1], [-1]])


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"k": 3}, r"lists of 2 cannot be measured at \[3\]"),
        ({"products": 2}, "column 2 of 2 products"),
        ({"popularity": np.ones(4)}, r"popularity of shape \(4,\) do not fit the lists; give a shape of \(10,\)"),
        ({"tags": csr_matrix((4, 3))}, r"tags of shape \(4, 3\) do not fit the lists; give a shape of \(10, 3\)"),
        ({"truth": csr_matrix((2, 10))}, r"truth of shape \(2, 10\) do not fit the lists; give a shape of \(1, 10\)"),
    ],
)
def test_what_does_not_fit_is_refused(rest, message):
    with pytest.raises(ValueError, match=message):
        measure([[1, 2]], **rest)
