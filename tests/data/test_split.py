"""Splits: disjoint, complete, the same for the same seed, and without a text in two parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.config import SplitSettings
from tagloom.data.split import hold_out, kfold, split_products, take
from tagloom.data.tables import EVENT_SCHEMA, Events, Products
from tagloom.errors import DataError

START = datetime(2024, 1, 1, tzinfo=UTC)
words = st.sampled_from(["", "tea", "Tea", "lamp", "red dress", "茶", "手机", "x", "y", "z"])
catalogues = st.lists(st.tuples(words, words), min_size=12, max_size=60)
seeds = st.integers(0, 2**32)
ways = st.sampled_from(["random", "group"])


def products(texts):
    return Products.of(
        [{"product_id": str(n), "title": f"{title}", "description": text} for n, (title, text) in enumerate(texts)]
    )


def distinct(count):
    return products([("same title", f"text {n}") for n in range(count)])


def keys(catalogue):
    """What makes two products variants of one: the description, or the title where there is none."""
    return [(text or title).lower() for title, text in catalogue.frame.select("title", "description").iter_rows()]


def events(hours):
    """An event for each (product, hours after the start)."""
    rows = [
        {"user_id": "u", "action": "view", "time": START + timedelta(hours=hour), "product_id": str(n)}
        for n, hour in hours
    ]
    return Events(pl.DataFrame([{"text": None, "value": None, **row} for row in rows], schema=EVENT_SCHEMA))


def parts_of(catalogue, how, held=None):
    split = split_products(catalogue, how, held)
    return [part.tolist() for part in (split.train, split.valid, split.test)]


# Random and by group


@given(catalogues, seeds, ways)
def test_parts_are_disjoint_complete_and_in_order(texts, seed, by):
    catalogue = products(texts)
    how = SplitSettings(by=by, seed=seed, valid=0.2, test=0.2)
    try:
        parts = parts_of(catalogue, how)
    except DataError:
        return
    assert sorted(row for part in parts for row in part) == list(range(len(texts)))
    assert all(part and part == sorted(part) for part in parts)
    assert parts == parts_of(catalogue, how)


@given(catalogues, seeds)
def test_equal_descriptions_never_cross_parts(texts, seed):
    catalogue = products(texts)
    try:
        parts = parts_of(catalogue, SplitSettings(by="group", seed=seed, valid=0.2, test=0.2))
    except DataError:
        return
    key = keys(catalogue)
    held = [{key[row] for row in part} for part in parts]
    assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]


@pytest.mark.parametrize("by", ["random", "group"])
@pytest.mark.parametrize("seed", [0, 1, 2**70])
def test_shares_are_kept_about(seed, by):
    parts = parts_of(distinct(4_000), SplitSettings(by=by, seed=seed, valid=0.2, test=0.1))
    # Each product is drawn for itself: three standard deviations.
    assert [len(part) for part in parts] == pytest.approx([2_800, 800, 400], abs=3 * (4_000 * 0.7 * 0.3) ** 0.5)


@given(st.integers(3, 12), seeds, ways)
def test_in_a_tiny_catalogue_too_no_part_is_empty(count, seed, by):
    how = SplitSettings(by=by, seed=seed, valid=0.34, test=0.34)
    assert all(parts_of(distinct(count), how))


def test_another_seed_is_another_division():
    assert parts_of(distinct(100), SplitSettings(seed=1)) != parts_of(distinct(100), SplitSettings(seed=2))


@given(seeds, ways, st.lists(st.integers(0, 200), min_size=1, max_size=20))
@settings(deadline=None)
def test_products_added_anywhere_move_nobody(seed, by, added):
    """So that what a model was trained on never moves to the test, however the catalogue grows or is sorted."""
    how = SplitSettings(by=by, seed=seed, valid=0.2, test=0.2)
    before = distinct(100).frame
    more = products([("other colour", f"TEXT {number}") for number in added]).frame
    grown = Products(more.with_columns(product_id=pl.concat_str(pl.lit("new"), "product_id")).vstack(before))
    old = split_products(Products(before), how)
    new = split_products(grown, how)
    for one, other in zip((old.train, old.valid, old.test), (new.train, new.valid, new.test), strict=True):
        assert [row - len(added) for row in other if row >= len(added)] == one.tolist()
        if by == "group":  # a variant goes where its group is
            known = {row for row, number in enumerate(added) if number in one.tolist()}
            assert known <= set(other.tolist())


@pytest.mark.parametrize("by", ["random", "group"])
@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_too_few_products_is_an_error_with_a_remedy(by, count):
    with pytest.raises(DataError, match=rf"{count} products with different texts are too few.*import more products"):
        split_products(distinct(count), SplitSettings(by=by))


def test_the_same_description_everywhere_names_the_way_out():
    same = products([(f"title {n}", "free shipping") for n in range(50)])
    with pytest.raises(DataError, match=r"1 products with different texts are too few.*set split\.by to random"):
        split_products(same, SplitSettings())
    assert all(parts_of(same, SplitSettings(by="random")))


# By time


def test_the_latest_products_are_the_test():
    random = np.random.default_rng(0)
    hours = random.permutation(50).tolist()
    catalogue = distinct(50)
    # A second, later event of each product says nothing about when it came.
    held = events([(n, hours[n]) for n in range(50)] + [(n, 1_000 - hours[n]) for n in range(50)])
    train, valid, test = parts_of(catalogue, SplitSettings(by="time", valid=0.2, test=0.2), held)
    assert (len(train), len(valid), len(test)) == (30, 10, 10)
    train, valid, test = ({hours[row] for row in part} for part in (train, valid, test))
    assert max(train) < min(valid)
    assert max(valid) < min(test)


def test_products_without_events_are_the_newest():
    held = events([(n, n) for n in range(8)])
    assert parts_of(distinct(10), SplitSettings(by="time", valid=0.1, test=0.2), held)[2] == [8, 9]


@given(st.lists(st.tuples(words, st.integers(0, 5)), min_size=20, max_size=60), seeds)
@settings(deadline=None)
def test_by_time_too_equal_texts_stay_together_and_the_seed_says_nothing(timed, seed):
    catalogue = products([("t", text) for text, _ in timed])
    held = events([(n, hour) for n, (_, hour) in enumerate(timed)])
    try:
        parts = parts_of(catalogue, SplitSettings(by="time", seed=seed, valid=0.2, test=0.2), held)
    except DataError:
        return
    key = keys(catalogue)
    first = {}
    for row, (_, hour) in enumerate(timed):
        first[key[row]] = min(hour, first.get(key[row], hour))
    train, valid, test = ({first[key[row]] for row in part} for part in parts)
    assert max(train) <= min(valid)
    assert max(valid) <= min(test)
    assert len({key[row] for part in parts for row in part}) == sum(len({key[row] for row in part}) for part in parts)
    assert parts == parts_of(catalogue, SplitSettings(by="time", valid=0.2, test=0.2), held)


@pytest.mark.parametrize("held", [None, events([])])
def test_by_time_without_events_is_an_error_with_a_remedy(held):
    with pytest.raises(DataError, match=r"needs events; import some, or set split\.by"):
        split_products(distinct(20), SplitSettings(by="time"), held)


# Folds, and a part held out


@given(catalogues, seeds, st.integers(2, 6), st.sampled_from(["random", "group", "time"]))
def test_each_product_is_held_out_exactly_once(texts, seed, folds, by):
    catalogue = products(texts)
    try:
        pairs = [
            (rest.tolist(), held.tolist()) for rest, held in kfold(catalogue, folds, SplitSettings(by=by, seed=seed))
        ]
    except DataError:
        assert len(set(keys(catalogue))) < folds
        return
    assert len(pairs) == folds
    assert sorted(row for _, held in pairs for row in held) == list(range(len(texts)))
    assert all(sorted(rest + held) == list(range(len(texts))) and held for rest, held in pairs)
    if by != "random":
        key = keys(catalogue)
        assert all(not {key[row] for row in rest} & {key[row] for row in held} for rest, held in pairs)


def test_folds_differ_by_a_product_at_most_and_by_the_seed():
    sizes = [len(held) for _, held in kfold(distinct(23), 5, SplitSettings())]
    assert sorted(sizes) == [4, 4, 5, 5, 5]
    first, second = (next(kfold(distinct(50), 5, SplitSettings(seed=seed)))[1].tolist() for seed in (0, 1))
    assert first != second


@given(catalogues, seeds, st.floats(0.01, 0.99))
def test_a_part_is_held_out_whole(texts, seed, share):
    catalogue = products(texts)
    key = keys(catalogue)
    if len(set(key)) < 2:
        with pytest.raises(DataError, match="too few to hold one out"):
            hold_out(catalogue, share, seed)
        return
    rest, held = (rows.tolist() for rows in hold_out(catalogue, share, seed))
    assert rest
    assert held
    assert sorted(rest + held) == list(range(len(texts)))
    assert not {key[row] for row in rest} & {key[row] for row in held}


def test_take_keeps_the_order_asked_for():
    assert take(distinct(5), np.array([3, 1])).frame["product_id"].to_list() == ["3", "1"]
