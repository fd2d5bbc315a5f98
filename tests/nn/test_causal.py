"""The transformer that looks back alone: what it knows of a history is what it knew when the history ended there."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.sizes import Size
from tagloom.nn.transformer import TransformerEncoder

WIDTH, EVENTS = 16, 6


def make(causal=True, dropout=0.0):
    encoder = TransformerEncoder(Size(WIDTH, 3, 2), dropout, causal=causal)
    encoder.start(torch.Generator().manual_seed(0))
    return encoder


def histories(count=2):
    return torch.randn(count, EVENTS, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("causal", [True, False])
def test_a_later_event_changes_no_earlier_state_where_it_is_causal(causal):
    given, lengths = histories(), torch.tensor([EVENTS, EVENTS])
    changed = given.clone()
    changed[0, 3, 0] += 1  # not all numbers of an event alike: the norm would take that away
    moved = (make(causal)(given, lengths) - make(causal)(changed, lengths)).abs().sum(2) > 1e-4
    assert moved[0].tolist() == [not causal] * 3 + [True] * 3
    assert not moved[1].any()


def test_every_state_is_that_of_the_history_that_ends_there():
    given = histories(1)
    states = make()(given, torch.tensor([EVENTS]))
    for end in range(1, EVENTS + 1):
        alone = make()(given[:, :end], torch.tensor([end]))[:, -1]
        torch.testing.assert_close(states[:, end - 1], alone, atol=1e-5, rtol=1e-5)


def test_padding_is_never_read():
    given, lengths = histories(), torch.tensor([4, 1])
    spoiled = given.clone()
    spoiled[0, 4:], spoiled[1, 1:] = 1e3, -7.0
    states, others = make()(given, lengths), make()(spoiled, lengths)
    torch.testing.assert_close(states[0, :4], others[0, :4])
    torch.testing.assert_close(states[1, :1], others[1, :1])


def test_without_events_states_and_gradients_stay_finite():
    encoder = make()
    states = encoder(histories(), torch.tensor([0, EVENTS]))
    assert states.isfinite().all()
    states.square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in encoder.parameters())


def test_of_a_single_event_both_kinds_say_the_same():
    given, lengths = histories()[:, :1], torch.tensor([1, 1])
    torch.testing.assert_close(make(causal=True)(given, lengths), make(causal=False)(given, lengths))


def test_half_precision_gives_nearly_the_same():
    given, lengths = histories(), torch.tensor([EVENTS, EVENTS])
    with torch.autocast("cpu", torch.bfloat16):
        half = make()(given, lengths)
    torch.testing.assert_close(half.float(), make()(given, lengths), atol=0.1, rtol=0.1)
