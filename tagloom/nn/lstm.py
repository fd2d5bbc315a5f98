"""LSTM encoder: each text read from the front and from the back.

Hochreiter and Schmidhuber 1997; both directions as Graves and Schmidhuber 2005; what a layer adds goes on top of what
came in, as in Wu et al. 2016 (section 3.1), without which many layers do not train.
Shapes: B texts, T tokens, D width (of each direction too).
Cost: T steps one after the other in each layer, whatever the hardware; the transformer has none of that.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tagloom.nn.dropout import TextDropout
from tagloom.nn.hardware import cpu_has_16_bits
from tagloom.nn.padding import back_to_front
from tagloom.nn.sizes import Size


class LstmEncoder(nn.Module):
    """Word vectors -> states that know their text. The weights are nothing until `start`.

    Args:
        size: width, and layers: half as many as the transformer's.
        dropout: share of what every layer adds that is hidden in training.
    """

    def __init__(self, size: Size, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(size.width, dropout) for _ in range(size.layers // 2))
        self.norm = nn.LayerNorm(size.width)

    def start(self, generator: torch.Generator) -> None:
        """Draw the first weights."""
        self.norm.reset_parameters()
        for layer in self.layers:
            layer.start(generator, len(self.layers))  # type: ignore[operator]

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Word vectors [B, T, D] of texts with lengths [B] -> states [B, T, D]; those of padding mean nothing."""
        states = embedded
        for layer in self.layers:
            states = layer(states, lengths)
        normed: Tensor = self.norm(states)
        return normed


class _Layer(nn.Module):
    """One pass from the front, one from the back, and a linear layer that joins them."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        # Two of one direction instead of one of both: the second reads reversed texts, so that it begins with a text's
        # last word and padding comes after all words in either. Packed sequences do the same, but cannot be exported,
        # need the lengths on the CPU and refuse texts without words.
        self.forwards = nn.LSTM(width, width, batch_first=True)
        self.backwards = nn.LSTM(width, width, batch_first=True)
        self.joined = nn.Linear(2 * width, width)
        self.dropout = TextDropout(dropout)

    def start(self, generator: torch.Generator, layers: int) -> None:
        self.norm.reset_parameters()
        for lstm in (self.forwards, self.backwards):
            for name, weight in lstm.named_parameters():
                if name.startswith("weight"):
                    nn.init.normal_(weight, 0.0, lstm.hidden_size**-0.5, generator)
                else:
                    nn.init.zeros_(weight)
            # Memory that keeps by default (Jozefowicz et al. 2015); the gates are input, forget, cell, output.
            nn.init.ones_(lstm.bias_hh_l0.chunk(4)[1])  # type: ignore[operator]
        nn.init.normal_(self.joined.weight, 0.0, (2 * self.norm.normalized_shape[0] * layers) ** -0.5, generator)
        nn.init.zeros_(self.joined.bias)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        normed = self.norm(states)
        kind = states.device.type
        # A CPU without instructions for 16 bits has no LSTM in 16 bits at all.
        half = torch.is_autocast_enabled(kind) and (kind != "cpu" or cpu_has_16_bits())
        with torch.autocast(kind, enabled=half):
            front, _ = self.forwards(normed)  # [B, T, D]
            back, _ = self.backwards(back_to_front(normed, lengths))  # [B, T, D]
        joined = self.joined(torch.cat([front, back_to_front(back, lengths)], dim=2))  # [B, T, D]
        added: Tensor = states + self.dropout(joined)
        return added
