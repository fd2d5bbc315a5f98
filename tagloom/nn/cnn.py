"""Convolution over neighbouring words: each state knows the words beside it. The cheapest encoder that reads order.

Kim 2014, "Convolutional Neural Networks for Sentence Classification"; with attention for each tag on top Mullenbach and
others 2018, "Explainable Prediction of Medical Codes from Clinical Text" (CAML). Each layer looks at three words and is
added to what came in (He et al. 2016).
Shapes: B texts, T tokens (1 or more), D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tagloom.nn.dropout import TextDropout
from tagloom.nn.padding import is_word
from tagloom.nn.sizes import Size

_SEEN = 3  # words: the one before, itself, the one after


class CnnEncoder(nn.Module):
    """Word vectors -> states that know their neighbours. The weights are nothing until `start`.

    Args:
        size: width and layers; half as many layers as the transformer.
        dropout: share of what every layer adds that is hidden in training.
    """

    def __init__(self, size: Size, dropout: float = 0.0) -> None:
        super().__init__()
        width, count = size.width, max(1, size.layers // 2)
        self.layers = nn.ModuleList(nn.Linear(_SEEN * width, width) for _ in range(count))
        self.norm = nn.LayerNorm(width)
        self.dropout = TextDropout(dropout)

    def start(self, generator: torch.Generator) -> None:
        """Draw the first weights."""
        self.norm.reset_parameters()
        with torch.no_grad():
            for layer in self.layers:
                assert isinstance(layer, nn.Linear)  # noqa: S101 (for mypy: a ModuleList holds any module)
                layer.weight.normal_(0.0, layer.in_features**-0.5, generator=generator)
                layer.bias.zero_()

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Word vectors [B, T, D] of texts with lengths [B] -> states [B, T, D]; those of padding mean nothing."""
        padding = ~is_word(lengths, embedded.shape[1]).unsqueeze(2)  # [B, T, 1]
        states = embedded
        for layer in self.layers:
            # A text's last word has nothing after it, whatever the batch is padded with.
            around = nn.functional.pad(states.masked_fill(padding, 0.0), (0, 0, 1, 1))  # [B, T + 2, D]
            beside = torch.cat([around[:, :-2], around[:, 1:-1], around[:, 2:]], dim=2)  # [B, T, 3 D]
            states = states + self.dropout(layer(beside).relu())
        normed: Tensor = self.norm(states)
        return normed
