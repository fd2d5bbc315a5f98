"""The linear encoder."""

from __future__ import annotations

import torch

from tagloom.nn.linear import LinearEncoder


def test_scores_are_weighted_sums_and_the_prior():
    encoder = LinearEncoder(3, torch.tensor([10.0, 20.0]))
    # Two texts: features 0 and 2 with weights 1 and 2, and none at all.
    batch = torch.tensor([0, 2]), torch.tensor([0, 2]), torch.tensor([1.0, 2.0])
    assert encoder(*batch).tolist() == [[10, 20], [10, 20]]
    with torch.no_grad():
        encoder.words.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert encoder(*batch).tolist() == [[21, 34], [10, 20]]


def test_a_step_touches_only_the_features_that_occur():
    encoder = LinearEncoder(3, torch.zeros(2))
    encoder(torch.tensor([2]), torch.tensor([0]), torch.tensor([1.0])).sum().backward()
    assert encoder.words.weight.grad.is_sparse
    assert encoder.words.weight.grad.coalesce().indices().tolist() == [[2]]


def test_making_one_draws_no_random_numbers_and_keeps_the_prior_to_itself():
    before, prior = torch.get_rng_state(), torch.zeros(2)
    encoder = LinearEncoder(3, prior)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        encoder.bias += 1
    assert prior.tolist() == [0, 0]
