"""What holds of every network."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def check_padding():
    """`check_padding(encoder, given)` reads two rows, 2 x T x D, of lengths 4 and 1: what stands behind is nothing."""

    def check(encoder, given):
        lengths = torch.tensor([4, 1])
        spoiled = given.clone()
        spoiled[0, 4:], spoiled[1, 1:] = float("nan"), 7.0
        states, others = encoder(given, lengths), encoder(spoiled, lengths)
        assert torch.equal(states[0, :4], others[0, :4])
        assert torch.equal(states[1, :1], others[1, :1])

    return check


@pytest.fixture
def check_first_weights():
    """`check_first_weights(make)` makes networks of seeds 1, 1 and 2: all but `zero` and biases are the seed's."""

    def check(make, zero=()):
        before = torch.get_rng_state()
        one, same, other = (make(seed).state_dict() for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        for name, weight in one.items():
            assert weight.isfinite().all(), name
            assert torch.equal(weight, same[name]), name
        assert {name for name, weight in one.items() if weight.ndim > 1 and torch.equal(weight, other[name])} == {*zero}

    return check
