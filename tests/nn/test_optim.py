"""Which optimiser moves what, and how far."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tagloom.nn.bag import BagEncoder
from tagloom.nn.linear import LinearEncoder
from tagloom.nn.optim import average_in, dense_weights, optimisers, sparse_tables, step_size


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(5, 4)
        self.norm = nn.LayerNorm(4)
        self.tags = nn.Linear(4, 3)


def bag():
    return BagEncoder(5, 4, torch.zeros(3), torch.Generator().manual_seed(0))


def names(encoder, optimiser):
    """The names of the parameters that each group of an optimiser moves."""
    known = {id(weight): name for name, weight in encoder.named_parameters()}
    return [{known[id(weight)] for weight in group["params"]} for group in optimiser.param_groups]


def test_sgd_moves_tables_as_far_as_it_is_told_and_adam_the_rest():
    encoder = bag()
    table, rest = optimisers(encoder, "sgd", 16.0, 0.1)
    assert isinstance(table, torch.optim.SGD)
    assert isinstance(rest, torch.optim.Adam)
    assert names(encoder, table) == [{"words.weight"}]
    assert names(encoder, rest) == [{"norm.weight", "norm.bias", "tags.weight", "tags.bias"}]
    assert (table.defaults["lr"], rest.defaults["lr"]) == (16.0, 0.003)
    assert table.defaults["weight_decay"] == rest.defaults["weight_decay"] == 0


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_adam_of_tables_is_sparse(name, kind):
    encoder = bag()
    table, rest = optimisers(encoder, name, 0.01, 0.0)
    assert isinstance(table, torch.optim.SparseAdam)
    assert isinstance(rest, kind)
    assert table.defaults["lr"] == rest.defaults["lr"] == 0.01


def test_without_tables_one_optimiser_moves_everything():
    for name, kind in (("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)):
        encoder = Tokens()
        (optimiser,) = optimisers(encoder, name, 0.1, 0.0)
        assert isinstance(optimiser, kind)
        assert set().union(*names(encoder, optimiser)) == {name for name, _ in encoder.named_parameters()}


def test_only_matrices_that_multiply_decay():
    encoder = Tokens()
    (optimiser,) = optimisers(encoder, "adamw", 0.1, 0.01)
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.01, 0.0]
    assert names(encoder, optimiser) == [
        {"tags.weight"},
        {"words.weight", "norm.weight", "norm.bias", "tags.bias"},
    ]


def test_a_table_that_is_tied_to_a_layer_does_not_decay():
    encoder = Tokens()
    encoder.tied = nn.Linear(4, 5, bias=False)
    encoder.tied.weight = encoder.words.weight
    (optimiser,) = optimisers(encoder, "adamw", 0.1, 0.01)
    assert names(encoder, optimiser)[0] == {"tags.weight"}


def test_tables_and_the_rest_are_everything():
    encoder = LinearEncoder(5, torch.zeros(3))
    assert [id(weight) for weight in sparse_tables(encoder)] == [id(encoder.words.weight)]
    assert [id(weight) for weight in dense_weights(encoder)] == [id(encoder.bias)]
    assert sparse_tables(Tokens()) == []


def test_the_step_size_rises_to_one_and_falls_to_zero():
    sizes = [step_size(step, 100, 0.1) for step in range(101)]
    assert sizes[0] == pytest.approx(0.1)
    assert sizes[9] == sizes[10] == max(sizes) == 1
    assert sizes[100] == 0
    assert sizes[55] == pytest.approx(0.5)
    assert [step_size(step, 4, 0.0) for step in range(6)] == [1, 0.75, 0.5, 0.25, 0, 0]


def test_the_average_forgets_the_first_weights_and_lags_behind_the_last():
    encoder, averaged = nn.Linear(1, 1), nn.Linear(1, 1)
    with torch.no_grad():
        averaged.weight.fill_(1e3)
        for step in range(2_000):
            encoder.weight.fill_(float(step))
            average_in(averaged, encoder, 0.9, step)
    # Under a line that rises by one a step, an average with decay d lags d / (1 - d) behind.
    assert averaged.weight.item() == pytest.approx(1_999 - 9, rel=1e-4)
