"""The loss, against its definition."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.losses import binary_cross_entropy


def test_it_is_the_sum_over_tags_and_the_mean_over_texts():
    scores, truth = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.eye(5)[:, :3]
    p = scores.sigmoid()
    expected = -(truth * p.log() + (1 - truth) * (1 - p).log()).sum(1).mean()
    torch.testing.assert_close(binary_cross_entropy(scores, truth), expected)


def test_sure_and_right_costs_nothing_and_sure_and_wrong_stays_finite():
    sure = torch.tensor([[1e4, -1e4]])
    assert binary_cross_entropy(sure, torch.tensor([[1.0, 0.0]])).item() == 0
    assert binary_cross_entropy(sure, torch.tensor([[0.0, 1.0]])).item() == pytest.approx(2e4)
