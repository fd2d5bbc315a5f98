"""Dropout that hides the same numbers in all words of a text."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.dropout import TextDropout


def test_the_same_numbers_are_hidden_in_all_words_of_a_text():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hidden = TextDropout(0.5)(torch.ones(20, 7, 50))
    assert (hidden == hidden[:, :1]).all()
    assert set(hidden.unique().tolist()) == {0.0, 2.0}
    assert float(hidden.mean()) == pytest.approx(1, abs=0.1)
    assert not torch.equal(hidden[0], hidden[1])


def test_nothing_is_hidden_after_training_or_without_a_share():
    states = torch.randn(2, 3, 4)
    assert TextDropout(0.5).eval()(states) is states
    assert TextDropout(0.0)(states) is states
