"""Batches: every row once a pass, in an order of the seed's, as the tensors that the encoders read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from tagloom.data.batches import SparseBatches, packed

ROWS = 7


def matrices():
    """Row n has feature n with weight n + 1 and tag n % 3; row 0 has no feature."""
    features = np.diag(np.arange(1, ROWS + 1)).astype(np.float32)
    features[0] = 0
    return csr_matrix(features), csr_matrix(np.eye(3)[np.arange(ROWS) % 3])


def seen(batches):
    """The rows of one pass, in order, told by their feature."""
    return [feature for features, *_ in batches for feature in features.tolist()]


def test_packed_is_one_run_of_features_and_where_each_text_begins():
    features, starts, weights = packed(csr_matrix(np.array([[0, 2, 3], [0, 0, 0], [4, 0, 0]], np.float64)))
    assert (features.tolist(), starts.tolist(), weights.tolist()) == ([1, 2, 0], [0, 2, 2], [2, 3, 4])
    assert (features.dtype, starts.dtype, weights.dtype) == (torch.int64, torch.int64, torch.float32)


@pytest.mark.parametrize(("size", "count"), [(1, 7), (2, 4), (7, 1), (100, 1)])
def test_every_row_comes_once_a_pass(size, count):
    batches = SparseBatches(*matrices(), size, seed=3)
    assert len(batches) == len(list(batches)) == count
    assert sorted(seen(batches)) == list(range(1, ROWS))


def test_truth_belongs_to_its_row():
    for features, starts, weights, truth in SparseBatches(*matrices(), 3, seed=1):
        assert truth.dtype == torch.float32
        assert len(starts) == len(truth)
        ends = [*starts.tolist()[1:], len(features)]
        for text, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
            row = features[start].item() if end > start else 0
            assert truth[text].tolist() == np.eye(3)[row % 3].tolist()
            assert weights[start:end].tolist() == ([row + 1] if row else [])


def test_without_a_seed_rows_come_as_they_are():
    batches = SparseBatches(*matrices(), 2)
    assert seen(batches) == seen(batches) == list(range(1, ROWS))


def test_each_pass_has_an_order_of_its_own_and_the_seed_decides():
    one, same, other = (SparseBatches(*matrices(), 2, seed) for seed in (5, 5, 6))
    passes = [seen(one) for _ in range(3)]
    assert passes == [seen(same) for _ in range(3)]
    assert len({tuple(order) for order in passes}) == 3
    assert passes != [seen(other) for _ in range(3)]


def test_no_rows_make_no_batches():
    empty = SparseBatches(csr_matrix((0, 4)), csr_matrix((0, 3)), 2, seed=0)
    assert (len(empty), list(empty)) == (0, [])
