"""One setting for how large a network is: `tiny`, `small`, `base` or `large`.

Parameters in millions with 5,000 words and 100 tags, one query for each tag (`nn.heads.LabelwiseHead`); each further
word adds `width`, each further tag two times `width` and one.

| size | width | layers | heads | transformer | LSTM | CNN | meant for |
|---|---|---|---|---|---|---|---|
| `tiny` | 128 | 2 | 2 | 1.1 | 1.0 | 0.7 | a laptop; up to some ten thousand products |
| `small` | 256 | 6 | 4 | 6.1 | 4.9 | 1.9 | a laptop with patience; some hundred thousand products |
| `base` | 512 | 12 | 8 | 40.5 | 31.0 | 7.4 | one GPU |
| `large` | 1,024 | 24 | 16 | 307.6 | 232.1 | 43.1 | several GPUs |

LSTM and CNN have half as many layers; each of the LSTM's has two directions and is half as large again as the
transformer's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Width D of every state, layers of the transformer, heads of its attention (D / heads is 64)."""

    width: int
    layers: int
    heads: int


SIZES: dict[str, Size] = {
    "tiny": Size(128, 2, 2),
    "small": Size(256, 6, 4),
    "base": Size(512, 12, 8),
    "large": Size(1024, 24, 16),
}
