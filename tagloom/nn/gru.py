"""GRU encoder: a sequence read from the front, one event after the other.

Cho et al. 2014; for recommending Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks";
what a layer adds goes on top of what came in, as in Wu et al. 2016 (section 3.1).
Shapes: B sequences, T events, D width.
Cost: T steps one after the other in each layer, whatever the hardware; the transformer has none of that.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tagloom.nn.dropout import TextDropout
from tagloom.nn.sizes import Size


class GruEncoder(nn.Module):
    """Vectors of events -> states that know all events up to theirs. The weights are nothing until `start`.

    Args:
        size: width, and layers: half as many as the transformer's.
        dropout: share of what every layer adds that is hidden in training.
    """

    def __init__(self, size: Size, dropout: float = 0.0) -> None:
        super().__init__()
        count = size.layers // 2
        self.norms = nn.ModuleList(nn.LayerNorm(size.width) for _ in range(count))
        self.layers = nn.ModuleList(nn.GRU(size.width, size.width, batch_first=True) for _ in range(count))
        self.dropout = TextDropout(dropout)
        self.norm = nn.LayerNorm(size.width)

    def start(self, generator: torch.Generator) -> None:
        """Draw the first weights."""
        for norm in (*self.norms, self.norm):
            norm.reset_parameters()
        for layer in self.layers:
            for name, weight in layer.named_parameters():
                if name.startswith("weight"):
                    nn.init.normal_(weight, 0.0, weight.shape[1] ** -0.5, generator)
                else:
                    nn.init.zeros_(weight)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002 (as the other encoders)
        """Vectors [B, T, D] of events, `lengths` [B] of them -> states [B, T, D]; those of padding mean nothing."""
        states = embedded
        for norm, layer in zip(self.norms, self.layers, strict=True):
            read, _ = layer(norm(states))  # padding comes last and is never read by an event before it
            states = states + self.dropout(read)
        normed: Tensor = self.norm(states)
        return normed
