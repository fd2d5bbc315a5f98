"""Batches: every row once a pass, in an order of the seed's, as the tensors that the encoders read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from tagloom.data.batches import SparseBatches, TokenBatches, packed

ROWS = 7


def matrices():
    """Row n has feature n with weight n + 1 and tag n % 3; row 0 has no feature."""
    features = np.diag(np.arange(1, ROWS + 1)).astype(np.float32)
    features[0] = 0
    return csr_matrix(features), csr_matrix(np.eye(3)[np.arange(ROWS) % 3])


def seen(batches):
    """The rows that came, in order, told by their feature."""
    return [feature for (features, *_), _, _ in batches for feature in features.tolist()]


def test_packed_is_one_run_of_features_and_where_each_text_begins():
    features, starts, weights = packed(csr_matrix(np.array([[0, 2, 3], [0, 0, 0], [4, 0, 0]], np.float64)))
    assert (features.tolist(), starts.tolist(), weights.tolist()) == ([1, 2, 0], [0, 2, 2], [2, 3, 4])
    assert (features.dtype, starts.dtype, weights.dtype) == (torch.int64, torch.int64, torch.float32)


@pytest.mark.parametrize(("size", "count"), [(1, 7), (2, 4), (7, 1), (100, 1)])
def test_every_row_comes_once_a_pass(size, count):
    batches = SparseBatches(*matrices(), size, seed=3)
    assert len(batches) == len(list(batches)) == count
    assert sorted(seen(batches)) == list(range(1, ROWS))


def test_truth_and_weights_belong_to_their_row():
    counts = np.arange(10, 10 + ROWS)
    for (features, starts, weights), truth, texts in SparseBatches(*matrices(), 3, seed=1, weights=counts):
        assert truth.dtype == texts.dtype == torch.float32
        assert len(starts) == len(truth) == len(texts)
        ends = [*starts.tolist()[1:], len(features)]
        for text, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
            row = features[start].item() if end > start else 0
            assert truth[text].tolist() == np.eye(3)[row % 3].tolist()
            assert weights[start:end].tolist() == ([row + 1] if row else [])
            assert texts[text].item() == 10 + row


def test_without_weights_each_row_counts_once():
    assert [weights.tolist() for *_, weights in SparseBatches(*matrices(), 4)] == [[1] * 4, [1] * 3]


def test_truth_may_be_a_share():
    ((_, truth, _),) = SparseBatches(csr_matrix(np.eye(2)), csr_matrix([[0.25, 1], [0, 0.5]]), 2)
    assert truth.tolist() == [[0.25, 1], [0, 0.5]]


def test_without_a_seed_rows_come_as_they_are():
    batches = SparseBatches(*matrices(), 2)
    assert seen(batches) == seen(batches) == seen(batches.of_pass(5)) == list(range(1, ROWS))


def test_each_pass_has_an_order_of_its_own_and_the_seed_decides():
    one, same, other = (SparseBatches(*matrices(), 2, seed) for seed in (5, 5, 6))
    passes = [seen(one.of_pass(number)) for number in range(3)]
    assert passes == [seen(same.of_pass(number)) for number in range(3)]
    assert seen(one.of_pass(1)) == passes[1], "a pass does not depend on those before it"
    assert len({tuple(order) for order in passes}) == 3
    assert passes != [seen(other.of_pass(number)) for number in range(3)]


@pytest.mark.parametrize("seed", [None, 0])
def test_no_rows_make_no_batches(seed):
    empty = SparseBatches(csr_matrix((0, 4)), csr_matrix((0, 3)), 2, seed=seed)
    assert (len(empty), list(empty)) == (0, [])
    assert list(TokenBatches([], csr_matrix((0, 3)), 2, seed=seed)) == []


@pytest.mark.parametrize("world", [2, 3, 10])
def test_processes_share_a_pass_and_take_equally_many_batches(world):
    for batches in (SparseBatches(*matrices(), 2, 1), TokenBatches(*texts([1] * 7), 2, 1)):
        shares = [[batch[1].tolist() for batch in batches.of_pass(4, rank, world)] for rank in range(world)]
        assert len({len(share) for share in shares}) == 1
        whole = [batch[1].tolist() for batch in batches.of_pass(4)]
        assert [shares[ix % world][ix // world] for ix in range(len(whole))] == whole


# Texts as tokens


def texts(lengths):
    """Row n is n + 1 over and over, and has tag n % 3."""
    rows = [np.full(length, row + 1, np.int32) for row, length in enumerate(lengths)]
    return rows, csr_matrix(np.eye(3)[np.arange(len(rows)) % 3])


def rows_in(batches):
    """Row numbers of each batch, told by their first token; every text must have one."""
    return [(tokens[:, 0] - 1).tolist() for (tokens, _), _, _ in batches]


def test_texts_are_padded_at_the_end_to_the_longest_of_their_batch():
    ((tokens, lengths), truth, weights), *_ = TokenBatches(*texts([2, 0, 3]), 3)
    assert tokens.tolist() == [[0, 0, 0], [1, 1, 0], [3, 3, 3]]
    assert lengths.tolist() == [0, 2, 3]
    assert (tokens.dtype, lengths.dtype, truth.dtype) == (torch.int64, torch.int64, torch.float32)
    assert truth.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert weights.tolist() == [1, 1, 1]


def test_a_batch_of_empty_texts_still_has_a_place():
    (((tokens, lengths), *_),) = TokenBatches(*texts([0, 0]), 2)
    assert (tokens.tolist(), lengths.tolist()) == ([[0], [0]], [0, 0])


def test_long_texts_are_cut():
    (((tokens, lengths), *_),) = TokenBatches(*texts([9, 2]), 2, max_length=4)
    assert (tokens.shape, lengths.tolist()) == ((2, 4), [2, 4])


def test_order_tells_which_rows_came():
    batches = TokenBatches(*texts([5, 1, 4, 2, 3, 1, 9]), 3, weights=np.arange(7))
    assert batches.order.tolist() == [1, 5, 3, 4, 2, 0, 6] == [row for rows in rows_in(batches) for row in rows]
    assert [row for *_, weights in batches for row in weights.tolist()] == batches.order.tolist()


def test_without_truth_there_are_no_tags():
    ((_, truth, _),) = TokenBatches(texts([1, 2])[0], None, 2)
    assert truth.shape == (2, 0)


@pytest.mark.parametrize(("size", "tokens"), [(8, 0), (1000, 0), (8, 60), (50, 20)])
def test_every_text_comes_once_a_pass_among_others_of_its_length(size, tokens):
    lengths = np.random.default_rng(0).integers(1, 40, 203)
    batches = TokenBatches(*texts(lengths), size, seed=2, batch_tokens=tokens)
    passes = [rows_in(batches.of_pass(number)) for number in range(3)]
    for rows in passes:
        assert sorted(row for batch in rows for row in batch) == list(range(203))
        assert len(rows) == len(batches)
        assert max(map(len, rows)) <= size
    assert size == 1000 or passes[0] != passes[1] != passes[2]
    assert passes == [rows_in(batches.of_pass(number)) for number in range(3)]


def test_neighbours_change_between_passes_and_padding_stays_small():
    lengths = np.random.default_rng(0).integers(1, 60, 2_000)
    batches = TokenBatches(*texts(lengths), 32, seed=2)
    padded = sum(tokens.numel() for (tokens, _), _, _ in batches.of_pass(0))
    assert padded < 1.2 * lengths.sum()
    neighbours = [{frozenset(rows) for rows in rows_in(batches.of_pass(number))} for number in range(2)]
    assert not neighbours[0] & neighbours[1]
    means = [np.mean(lengths[rows]) for rows in rows_in(batches.of_pass(0))]
    assert np.abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.4, "batches come in no order of length"


def test_batches_are_of_one_size_unless_memory_is_short():
    lengths = [3] * 101
    assert {len(rows) for rows in rows_in(TokenBatches(*texts(lengths), 32, seed=0))} == {25, 26}
    short = TokenBatches(*texts([2] * 10 + [8] * 10), 8, batch_tokens=16)
    assert [tokens.shape for (tokens, _), _, _ in short] == [(2, 2), (8, 2)] + [(2, 8)] * 5
