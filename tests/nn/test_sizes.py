"""The sizes: what the table in the docstring says is what comes out."""

from __future__ import annotations

import re

import pytest
import torch

from tagloom.nn import sizes
from tagloom.nn.tokens import ENCODERS, TokenEncoder, token_encoder

ROW = re.compile(r"\| `(\w+)` \| ([\d,]+) \| (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|")
TABLE = {row[0]: row[1:] for row in ROW.findall(sizes.__doc__)}


def count(model):
    return sum(weight.numel() for weight in model.parameters())


def test_the_table_has_every_size():
    told = {name: sizes.Size(*(int(cell.replace(",", "")) for cell in row[:3])) for name, row in TABLE.items()}
    assert told == sizes.SIZES
    assert all(size.width == 64 * size.heads for size in sizes.SIZES.values())


@pytest.mark.parametrize("size", sizes.SIZES)
@pytest.mark.parametrize("kind", ENCODERS)
def test_the_table_gives_the_parameters(kind, size):
    with torch.device("meta"):
        model = TokenEncoder(kind, size, "labelwise", words=5_000, tags=100)
    told = float(TABLE[size][{"transformer": 3, "lstm": 4, "cnn": 5}[kind]])
    assert count(model) / 1e6 == pytest.approx(told, abs=0.051)


@pytest.mark.parametrize("kind", ENCODERS)
def test_tiny_is_about_a_million(kind):
    model = token_encoder(kind, "tiny", "labelwise", 5_000, torch.zeros(100), torch.Generator().manual_seed(0), 0.1)
    assert 0.6e6 < count(model) < 1.1e6
    assert all(weight.device.type == "cpu" for weight in model.parameters())
