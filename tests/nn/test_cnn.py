"""The convolution: it knows neighbours and nobody else, and padding is nothing."""

from __future__ import annotations

import torch

from tagloom.nn.cnn import CnnEncoder
from tagloom.nn.sizes import Size

WIDTH, TOKENS = 8, 6


def make(layers=2):
    encoder = CnnEncoder(Size(WIDTH, layers, 2))
    encoder.start(torch.Generator().manual_seed(0))
    return encoder.eval()


def texts(seed=0):
    return torch.randn(2, TOKENS, WIDTH, generator=torch.Generator().manual_seed(seed))


def test_a_state_knows_the_words_beside_it_alone():
    given = texts()
    changed = given.clone()
    changed[0, 3] += 1
    lengths = torch.tensor([TOKENS, TOKENS])
    moved = (make()(given, lengths) - make()(changed, lengths)).abs().sum(2) > 1e-6
    assert moved[0].tolist() == [False, False, True, True, True, False]
    assert not moved[1].any()


def test_what_stands_in_the_padding_is_nothing(check_padding):
    check_padding(make(), texts())


def test_half_as_many_layers_as_the_size_says_and_one_at_least():
    assert [len(make(layers).layers) for layers in (1, 2, 6)] == [1, 1, 3]
