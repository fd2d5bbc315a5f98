"""Transformer encoder: every word looks at every other word of its text.

Vaswani et al. 2017, "Attention Is All You Need", with the norm before each part (Xiong et al. 2020) and places told by
turning queries and keys (Su et al. 2021, "RoFormer"): only distances count, so no longest text is built in, and a text
longer than those of training still gets sound states.
Shapes: B texts, T tokens, D width, H heads, E = D / H.
Cost: B T^2 D in time for the attention; its weights are never kept.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from tagloom.nn.dropout import TextDropout
from tagloom.nn.padding import is_word
from tagloom.nn.sizes import Size

_BASE = 10_000.0


class TransformerEncoder(nn.Module):
    """Word vectors -> states that know their text. The weights are nothing until `start`.

    Args:
        size: width, layers and heads.
        dropout: share of what every part adds that is hidden in training.
        causal: no state knows what comes after it (Kang and McAuley 2018, "Self-Attentive Sequential Recommendation").
    """

    def __init__(self, size: Size, dropout: float = 0.0, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = size.heads, causal
        self.layers = nn.ModuleList(_Layer(size, dropout) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)

    def start(self, generator: torch.Generator) -> None:
        """Draw the first weights."""
        self.norm.reset_parameters()
        for layer in self.layers:
            layer.start(generator, len(self.layers))  # type: ignore[operator]

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Word vectors [B, T, D] of texts with lengths [B] -> states [B, T, D]; those of padding mean nothing."""
        # A text without words looks at its first padding: a softmax over nothing is no number. Who looks back alone
        # never meets padding, which comes last.
        word = is_word(lengths.clamp(min=1), embedded.shape[1])  # [B, T]
        seen = None if self.causal else word[:, None, None, :]  # [B, 1, 1, T]
        turns = _turns(embedded.shape[1], embedded.shape[2] // self.heads, embedded.device)
        states = embedded
        for layer in self.layers:
            states = layer(states, seen, turns)
        normed: Tensor = self.norm(states)
        return normed


class _Layer(nn.Module):
    """Attention, then two linear layers, each added to what came in."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        width = size.width
        self.heads = size.heads
        self.norm_before_attention = nn.LayerNorm(width)
        # Four layers of their own: `nn.MultiheadAttention` hides its weights from quantisation and adapters.
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.gathered = nn.Linear(width, width), nn.Linear(width, width)
        self.norm_before_wide = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = TextDropout(dropout)

    def start(self, generator: torch.Generator, layers: int) -> None:
        for norm in (self.norm_before_attention, self.norm_before_wide):
            norm.reset_parameters()
        for linear in (self.query, self.key, self.value, self.gathered, self.wide, self.narrow):
            # What is added to the states starts smaller the more layers add to them (Radford et al. 2019).
            adds = linear is self.gathered or linear is self.narrow
            spread = (linear.in_features * (2 * layers if adds else 1)) ** -0.5
            nn.init.normal_(linear.weight, 0.0, spread, generator)
            nn.init.zeros_(linear.bias)

    def forward(self, states: Tensor, seen: Tensor | None, turns: tuple[Tensor, Tensor]) -> Tensor:
        states = states + self.dropout(self._attention(self.norm_before_attention(states), seen, turns))
        inner = nn.functional.gelu(self.wide(self.norm_before_wide(states)))  # [B, T, 4 D]
        added: Tensor = states + self.dropout(self.narrow(inner))
        return added

    def _attention(self, states: Tensor, seen: Tensor | None, turns: tuple[Tensor, Tensor]) -> Tensor:
        query = _turned(self._by_head(self.query(states)), turns)
        key = _turned(self._by_head(self.key(states)), turns)
        value = self._by_head(self.value(states))
        found = scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=seen is None)  # [B, H, T, E]
        gathered: Tensor = self.gathered(found.transpose(1, 2).flatten(2))  # [B, T, D]
        return gathered

    def _by_head(self, states: Tensor) -> Tensor:
        """[B, T, D] -> [B, H, T, E]."""
        batch, tokens, _ = states.shape
        return states.view(batch, tokens, self.heads, -1).transpose(1, 2)


def _turns(tokens: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine [T, E] of each place's angles, one angle for each pair of numbers."""
    speeds = _BASE ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)  # [E / 2]
    angles = torch.arange(tokens, device=device, dtype=torch.float32)[:, None] * speeds  # [T, E / 2]
    angles = torch.cat([angles, angles], dim=1)  # [T, E]
    return angles.cos(), angles.sin()


def _turned(values: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Values [B, H, T, E], each pair (n, n + E / 2) turned by the angle of its place."""
    cosine, sine = (turn.to(values.dtype) for turn in turns)
    first, second = values.chunk(2, dim=-1)
    return values * cosine + torch.cat([-second, first], dim=-1) * sine
