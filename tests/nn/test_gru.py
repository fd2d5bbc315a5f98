"""The GRU over events: it looks back alone, padding is never read, and its first weights are the generator's."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.gru import GruEncoder
from tagloom.nn.sizes import Size

WIDTH, EVENTS = 16, 6


def make(seed=0, layers=4, dropout=0.0):
    with torch.device("meta"):
        encoder = GruEncoder(Size(WIDTH, layers, 2), dropout)
    encoder = encoder.to_empty(device="cpu")
    encoder.start(torch.Generator().manual_seed(seed))
    return encoder


def histories(count=2, seed=0):
    return torch.randn(count, EVENTS, WIDTH, generator=torch.Generator().manual_seed(seed))


def test_a_later_event_changes_no_earlier_state():
    given, lengths = histories(), torch.tensor([EVENTS, EVENTS])
    changed = given.clone()
    changed[0, 3, 0] += 1  # not all numbers of an event alike: the norm would take that away
    moved = (make()(given, lengths) - make()(changed, lengths)).abs().sum(2) > 1e-6
    assert moved[0].tolist() == [False, False, False, True, True, True]
    assert not moved[1].any()


def test_padding_is_never_read(check_padding):
    check_padding(make(), histories())


def test_a_history_alone_has_the_states_that_it_has_among_longer_ones():
    given, lengths = histories(), torch.tensor([EVENTS, 3])
    alone = make()(given[1:, :3], lengths[1:])
    torch.testing.assert_close(make()(given, lengths)[1:, :3], alone, atol=1e-6, rtol=1e-5)


def test_order_counts():
    given, lengths = histories(1), torch.tensor([EVENTS])
    swapped = given[:, [1, 0, 2, 3, 4, 5]]
    assert not torch.allclose(make()(given, lengths)[:, -1], make()(swapped, lengths)[:, -1], atol=1e-3)


def test_weights_come_from_the_generator_alone(check_first_weights):
    check_first_weights(make)


def test_half_as_many_layers_as_the_size_says():
    assert [len(make(layers=layers).layers) for layers in (2, 6)] == [1, 3]


def test_numbers_are_hidden_in_training_alone():
    encoder, given, lengths = make(dropout=0.5), histories(), torch.tensor([EVENTS, EVENTS])
    assert torch.equal(encoder.eval()(given, lengths), make()(given, lengths))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.allclose(encoder.train()(given, lengths), make()(given, lengths), atol=1e-2)


def test_half_precision_gives_nearly_the_same_and_sound_gradients():
    encoder, given, lengths = make(), histories(), torch.tensor([EVENTS, EVENTS])
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder(given, lengths)
    torch.testing.assert_close(half.float(), encoder(given, lengths), atol=0.1, rtol=0.1)
    half.square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in encoder.parameters())


@pytest.mark.parametrize("events", [1, 200])
def test_any_length_is_read(events):
    given = torch.randn(1, events, WIDTH, generator=torch.Generator().manual_seed(0))
    assert make()(given, torch.tensor([events])).isfinite().all()
