"""The bag encoder."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.bag import BagEncoder


def make(seed=0, vectors=None, features=3, width=4):
    return BagEncoder(features, width, torch.tensor([10.0, 20.0]), torch.Generator().manual_seed(seed), vectors)


def test_scores_are_those_of_a_hidden_layer_over_the_weighted_sum_of_vectors():
    encoder = make()
    batch = torch.tensor([0, 2]), torch.tensor([0, 2]), torch.tensor([1.0, 2.0])
    pooled = encoder.words.weight[0] + 2 * encoder.words.weight[2]
    hidden = ((pooled - pooled.mean()) / (pooled.var(correction=0) + 1e-5).sqrt()).relu()
    expected = torch.stack([encoder.tags.weight @ hidden + encoder.tags.bias, encoder.tags.bias])
    torch.testing.assert_close(encoder(*batch), expected)


def test_weights_come_from_the_generator_alone(check_first_weights):
    check_first_weights(make)
    assert make().tags.bias.tolist() == [10, 20]
    spread = make(width=64, features=500).words.weight.std().item()
    assert spread == pytest.approx(64**-0.5, rel=0.05)


def test_it_starts_from_vectors_without_changing_them():
    vectors = torch.ones(3, 4)
    encoder = make(vectors=vectors)
    assert torch.equal(encoder.words.weight, vectors)
    with torch.no_grad():
        encoder.words.weight += 1
    assert torch.equal(vectors, torch.ones(3, 4))
