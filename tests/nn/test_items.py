"""A catalogue as vectors: bags against a plain loop, and a product as the sum of what is known of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from tagloom.nn.items import Bags, ItemTable, Shelf
from tagloom.nn.optim import sparse_tables

WIDTH, VOCABULARY = 4, 7

# Bags of (entry, weight): empty ones in front, in the middle and at the end, one with an entry twice.
PLAIN = [[], [(3, 0.5), (0, 2.0)], [], [(6, 1.0)], [(2, -1.0), (2, 0.25), (5, 3.0)], []]


def made(plain):
    flat = [pair for bag in plain for pair in bag]
    lengths = torch.tensor([0, *map(len, plain)])
    return Bags(
        torch.tensor([entry for entry, _ in flat], dtype=torch.int64),
        lengths.cumsum(0),
        torch.tensor([weight for _, weight in flat], dtype=torch.float32),
    )


def taken_apart(bags):
    pairs = list(zip(bags.entries.tolist(), bags.weights.tolist(), strict=True))
    ends = bags.starts.tolist()
    return [pairs[start:end] for start, end in pairwise(ends)]


def looped(plain, table):
    zero = torch.zeros(table.shape[1])
    return torch.stack([sum((weight * table[entry] for entry, weight in bag), zero) for bag in plain])


def random_table(rows, seed=0):
    return torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(seed))


# Bags


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 5], [4, 1, 4], [2, 0, 5], [3], []])
def test_some_bags_are_those_asked_for_in_their_order(rows):
    assert taken_apart(made(PLAIN).of(torch.tensor(rows, dtype=torch.int64))) == [PLAIN[row] for row in rows]


def test_a_bag_is_the_weighted_sum_of_its_rows():
    table = random_table(VOCABULARY)
    torch.testing.assert_close(made(PLAIN).summed(table), looped(PLAIN, table))


@pytest.mark.parametrize("rows", [0, VOCABULARY])
def test_bags_without_entries_are_zero_and_move_nothing(rows):
    table = random_table(rows).requires_grad_()
    summed = made([[], []]).summed(table)
    assert summed.tolist() == [[0.0] * WIDTH] * 2
    summed.sum().backward()
    assert not table.grad.any()


def test_no_bags_are_no_rows():
    assert made([]).summed(random_table(VOCABULARY)).shape == (0, WIDTH)
    assert made(PLAIN).of(torch.tensor([], dtype=torch.int64)).summed(random_table(VOCABULARY)).shape == (0, WIDTH)


def test_what_is_learned_goes_to_the_rows_in_the_bags():
    table, same = (random_table(VOCABULARY).requires_grad_() for _ in range(2))
    upstream = random_table(len(PLAIN), seed=1)
    made(PLAIN).summed(table).backward(upstream)
    looped(PLAIN, same).backward(upstream)
    torch.testing.assert_close(table.grad, same.grad)


# Products

# Three products: all known; no own vector; a tag alone.
IDS, TAGS, WORDS = [1, -1, 0], [[(0, 0.5), (1, 0.5)], [(1, 1.0)], [(0, 1.0)]], [[(2, 0.6), (4, 0.8)], [(4, 1.0)], []]
SHELF = Shelf(torch.tensor(IDS), made(TAGS), made(WORDS))


def items(ids=2, tags=2, words=5, seed=0, id_dropout=0.0):
    table = ItemTable(ids, tags, words, WIDTH, id_dropout)
    table.start(torch.Generator().manual_seed(seed))
    return table


def test_a_product_is_its_id_its_tags_and_its_words():
    table = items()
    expected = looped(TAGS, table.tags) + looped(WORDS, table.words)
    expected[0] += table.ids[1]
    expected[2] += table.ids[0]
    torch.testing.assert_close(table(SHELF), expected)


def test_some_rows_are_those_of_the_whole():
    table, rows = items(), torch.tensor([2, 0, 2])
    torch.testing.assert_close(table(SHELF, rows), table(SHELF)[rows])
    assert table(SHELF, rows[:0]).shape == (0, WIDTH)


def test_a_product_without_id_teaches_its_tags_and_words_alone():
    table = items()
    table(SHELF, torch.tensor([1])).sum().backward()
    assert not table.ids.grad.any()
    assert table.tags.grad.any(1).tolist() == [False, True]
    assert table.words.grad.any(1).tolist() == [False, False, False, False, True]


def test_a_shelf_without_tags_and_words_has_its_ids():
    bare = Shelf(torch.tensor([0, -1, 1]), made([[]] * 3), made([[]] * 3))
    table = items(tags=0, words=0)
    found = table(bare)
    assert torch.equal(found, torch.stack([table.ids[0], torch.zeros(WIDTH), table.ids[1]]))
    found.sum().backward()
    assert table.ids.grad.tolist() == [[1.0] * WIDTH] * 2


def test_ids_are_lost_in_training_alone_each_as_a_whole():
    count = 400
    shelf = Shelf(torch.arange(count), made([[(0, 1.0)]] * count), made([[]] * count))
    table = items(ids=count, tags=1, id_dropout=0.25)
    assert torch.equal(table.eval()(shelf), table.ids + table.tags)
    table.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = table(shelf)
        again = table(shelf)
    has_id = (found == table.ids + table.tags).all(1)
    assert torch.equal(found[~has_id], table.tags.expand(int((~has_id).sum()), -1))
    assert float(has_id.float().mean()) == pytest.approx(0.75, abs=0.08)
    assert not torch.equal(found, again)


def test_first_weights_come_from_the_generator_alone():
    before = torch.get_rng_state()
    one, same, other = items(seed=1), items(seed=1), items(seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, same.state_dict()[name])
        assert not torch.equal(weight, other.state_dict()[name])


def test_a_shelf_knows_its_size_and_moves_as_a_whole():
    moved = SHELF.to(torch.device("meta"))
    assert (len(SHELF), len(moved)) == (3, 3)
    parts = (moved.ids, moved.tags.entries, moved.tags.starts, moved.tags.weights, moved.words.entries)
    assert {part.device.type for part in parts} == {"meta"}


def test_a_sparse_table_of_ids_learns_as_a_dense_one_and_moves_what_occurred():
    shelf = Shelf(torch.tensor([0, 2, -1]), *(Bags(torch.zeros(0, dtype=torch.int64), torch.zeros(4, dtype=torch.int64),
                                                   torch.zeros(0)) for _ in range(2)))  # fmt: skip
    grads = []
    for sparse in (False, True):
        table = ItemTable(4, 0, 0, 3, sparse=sparse)
        table.start(torch.Generator().manual_seed(0))
        (table(shelf) * torch.arange(9.0).view(3, 3)).sum().backward()
        grads.append(table.ids.grad)
    assert grads[1].is_sparse
    assert torch.equal(grads[1].to_dense(), grads[0])
    assert table.ids in sparse_tables(table)
