"""Which places of a batch are words and which are padding. Shapes: B texts, T tokens, D width."""

from __future__ import annotations

import torch
from torch import Tensor


def is_word(lengths: Tensor, tokens: int) -> Tensor:
    """Lengths [B] and T -> [B, T], true where a text has a word.

    >>> is_word(torch.tensor([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]
    """
    return torch.arange(tokens, device=lengths.device) < lengths[:, None]


def back_to_front(values: Tensor, lengths: Tensor) -> Tensor:
    """Values [B, T, D] with the words of each text in reverse order, the padding still at the end.

    >>> back_to_front(torch.tensor([[[1], [2], [3], [0]]]), torch.tensor([3])).flatten().tolist()
    [3, 2, 1, 0]
    """
    places = torch.arange(values.shape[1], device=values.device).expand(values.shape[:2])  # [B, T]
    places = torch.where(is_word(lengths, values.shape[1]), lengths[:, None] - 1 - places, places)
    return values.gather(1, places.unsqueeze(2).expand_as(values))
