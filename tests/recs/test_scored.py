"""Scores of all products and of candidates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from tagloom.recs.scored import Scored, at, joined, largest, log_sum, sparse

SCORES = np.log(np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]], np.float32))
ROWS = np.array([[0, 2, -1], [3, 1, 0]])
TAGS = csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32))


def candidates():
    """The same scores of some products; the others' together beside."""
    picked = np.where(ROWS < 0, -np.inf, np.take_along_axis(SCORES, np.maximum(0, ROWS), 1))
    return Scored(picked, ROWS, np.log(np.array([0.4, 0.3], np.float32)))


def test_shares_of_candidates_are_those_over_the_whole_catalogue():
    assert candidates().shares()[0].tolist() == pytest.approx([0.4, 0.2, 0])
    assert candidates().shares()[1].tolist() == pytest.approx([0.4, 0.2, 0.1])
    assert Scored(SCORES).shares() == pytest.approx(np.exp(SCORES))


def test_scores_that_are_large_have_shares_too():
    assert Scored(np.array([[1_000.0, 999.0]], np.float32)).shares().sum() == pytest.approx(1)


def test_the_best_come_first_as_rows_of_the_catalogue():
    rows, shares = candidates().top(3)
    assert rows.tolist() == [[0, 2, -1], [3, 1, 0]]
    assert shares.ravel().tolist() == pytest.approx([0.4, 0.2, 0, 0.4, 0.2, 0.1])
    assert Scored(SCORES).top(9)[0].tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]


@pytest.mark.parametrize("scored", [Scored(SCORES), candidates()], ids=["all", "candidates"])
def test_what_is_hidden_is_not_given_and_keeps_its_share(scored):
    hidden = scored.without(csr_matrix(([1], ([0], [0])), shape=(2, 4)))
    assert 0 not in hidden.top(4)[0][0].tolist()
    assert hidden.top(1)[0][1].tolist() == [3]
    assert hidden.shares() == pytest.approx(scored.shares())
    again = hidden.without(csr_matrix(([1], ([0], [2])), shape=(2, 4)))
    assert not {0, 2} & set(again.top(4)[0][0].tolist())


def test_means_count_each_product_by_its_share():
    assert Scored(SCORES).mean_of(TAGS)[0].tolist() == pytest.approx([0.7, 0.3])
    assert candidates().mean_of(TAGS)[0].tolist() == pytest.approx([0.4, 0.2])


def test_some_users_can_have_others_candidates():
    other = Scored(np.zeros((1, 4), np.float32), np.array([[1, 0, 2, 3]]), np.array([-9.0], np.float32))
    both = candidates().replaced(np.array([1]), other)
    assert both.rows.tolist() == [[0, 2, -1, -1], [1, 0, 2, 3]]
    assert both.shares()[0].tolist() == pytest.approx([0.4, 0.2, 0, 0])
    assert Scored(SCORES).replaced(np.array([0]), Scored(SCORES[[1]])).scores.tolist() == SCORES[[1, 1]].tolist()


def test_nobody_and_nothing_have_answers():
    assert Scored(np.zeros((0, 4), np.float32)).top(3)[0].shape == (0, 3)
    assert Scored(np.zeros((2, 0), np.float32)).top(3)[0].tolist() == [[-1], [-1]]


def test_entries_at_rows():
    matrix = csr_matrix(np.array([[5, 0, 7], [0, 3, 0]], np.float32))
    assert at(matrix, np.array([[2, -1, 1], [1, 0, -1]])).tolist() == [[7, 0, 0], [3, 0, 0]]


def test_rows_of_several_sources_stand_once():
    found = joined([np.array([[3, 1]]), np.array([[1, -1]]), np.array([[7, 3]])])
    assert sorted(found[found >= 0].tolist()) == [1, 3, 7]


def test_the_largest_entries_of_each_row():
    found = largest(csr_matrix(np.array([[0, 2, 9, 4], [0, 0, 0, 0], [1, 0, 0, 0]], np.float32)), 2)
    assert [sorted(row) for row in found.tolist()] == [[2, 3], [-1, -1], [-1, 0]]


def test_rows_as_a_matrix():
    assert sparse(ROWS, 4).toarray().tolist() == [[1, 0, 1, 0], [1, 1, 0, 1]]


def test_the_log_of_a_sum_of_exponentials():
    assert log_sum(np.array([[1_000.0, 1_000.0]], np.float32)) == pytest.approx(1_000 + np.log(2))
