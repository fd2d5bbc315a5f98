"""Words and padding told apart."""

from __future__ import annotations

import torch

from tagloom.nn.padding import back_to_front, is_word


def test_words_are_the_first_places():
    expected = [[False, False, False], [True, True, False], [True, True, True]]
    assert is_word(torch.tensor([0, 2, 3]), 3).tolist() == expected


def test_back_to_front_leaves_the_padding_and_undoes_itself():
    values = torch.arange(12.0).view(2, 3, 2)
    lengths = torch.tensor([2, 0])
    turned = back_to_front(values, lengths)
    assert turned.tolist() == [[[2, 3], [0, 1], [4, 5]], values[1].tolist()]
    assert torch.equal(back_to_front(turned, lengths), values)
