"""The index of vectors beside looking at each of them."""

from __future__ import annotations

import numpy as np
import pytest

from tagloom.recs.nearest import Nearest, packed_index

ROWS, WIDTH = 3_000, 16


def table(rows=ROWS, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(rows, WIDTH)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def indexed():
    return Nearest.of(table(), np.arange(ROWS), exact=0)


def test_a_small_table_is_looked_at_whole():
    near = Nearest.of(table(5), np.arange(5))
    assert near.index is None
    assert near.rows(table(5)[[3]], 1).tolist() == [[3]]
    assert sorted(near.rows(table(5)[[3]], 99)[0].tolist()) == [0, 1, 2, 3, 4]


def test_the_index_finds_what_is_nearest(indexed):
    asked = table(50, seed=1)
    exact = np.argsort(-(asked @ table().T), 1)[:, :10]
    found = indexed.rows(asked, 100)
    assert np.mean([np.isin(true, near).mean() for true, near in zip(exact, found, strict=True)]) > 0.99


def test_one_and_nobody_can_ask(indexed):
    assert indexed.rows(table()[[7]], 3)[0, 0] == 7
    assert indexed.rows(table()[:0], 3).shape == (0, 3)


def test_more_than_there_are_cannot_be_found():
    near = Nearest.of(table(3), np.array([10, 20, 30]), exact=0)
    assert sorted(near.rows(table(2), 9)[0].tolist()) == [0, 1, 2]


def test_it_follows_a_catalogue_that_has_changed(indexed):
    """Row 0 is gone, row 1 has another vector, one is new: all from the index of before, which stays as it is."""
    changed = np.concatenate([-table()[1:2], table()[2:], table(1, seed=9)])
    keys = np.array([*range(1, ROWS), ROWS + 5])
    now = Nearest.of(changed, keys, indexed.index, exact=0)
    assert len(now.index) == len(changed)
    assert now.rows(changed[[0, 1, -1]], 1).ravel().tolist() == [0, 1, len(changed) - 1]
    assert indexed.rows(table()[[0, 1]], 1).ravel().tolist() == [0, 1]


def test_what_is_the_same_is_not_put_in_anew(indexed):
    same = Nearest.of(table(), np.arange(ROWS), indexed.index, exact=0)
    assert packed_index(same.index).tobytes() == packed_index(indexed.index).tobytes()


def test_packed_and_unpacked_it_answers_alike(indexed):
    back = Nearest.of(table(), np.arange(ROWS), Nearest.unpacked(packed_index(indexed.index)), exact=0)
    asked = table(20, seed=2)
    assert np.array_equal(back.rows(asked, 10), indexed.rows(asked, 10))


@pytest.mark.parametrize("exact", [0, ROWS])
def test_only_what_is_allowed_is_found_for_one(exact):
    near = Nearest.of(table(), np.arange(ROWS), exact=exact)
    allowed = np.zeros(ROWS, np.bool_)
    allowed[[4, 9, 700]] = True
    rows, scores = near.found(table()[9], 2, allowed)
    assert rows[0] == 9
    assert set(rows.tolist()) < {4, 9, 700}
    assert (np.diff(scores) <= 0).all()
    assert near.found(table()[7], 5)[0][0] == 7
    assert len(near.found(table()[7], 5, np.zeros(ROWS, np.bool_))[0]) == 0


class Watched:
    """An index that notes how many it is asked for."""

    def __init__(self, index):
        self.index, self.counts = index, []

    def search(self, asked, most, **how):
        self.counts.append(most)
        return self.index.search(asked, most, **how)


def test_where_some_are_forbidden_the_index_is_asked_for_more(indexed):
    allowed = np.arange(ROWS) % 2 == 0
    asked = table(20, seed=3)
    exact = [np.flatnonzero(allowed)[np.argsort(-(table()[allowed] @ one))[:10]] for one in asked]
    near = Nearest(table(), Watched(indexed.index), np.arange(ROWS), 0)
    found = [near.found(one, 10, allowed)[0] for one in asked]
    assert np.mean([np.isin(true, near).mean() for true, near in zip(exact, found, strict=True)]) > 0.99
    assert {20} <= set(near.index.counts) <= {20, 40, 80, 160}


def test_keys_can_be_any_numbers():
    keys = np.arange(50)[::-1] * 10**12 + 7
    near = Nearest.of(table(50), keys, exact=0)
    assert near.rows(table(50), 1).ravel().tolist() == list(range(50))
