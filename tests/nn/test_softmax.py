"""Softmax over a table against the plain cross-entropy, which keeps every score."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from tagloom.nn.softmax import ranks_in_table, softmax_over_table

PRODUCTS, WIDTH = 30, 8

# More than are done at once, as many, and fewer.
counts = pytest.mark.parametrize("count", [600, 256, 5])
smoothings = pytest.mark.parametrize("smoothing", [0.0, 0.1])


def example(count=40, products=PRODUCTS, scale=1.0):
    """States [N, D], table [P, D], targets [N], and gradients [N] that differ by state."""
    generator = torch.Generator().manual_seed(0)
    states = scale * torch.randn(count, WIDTH, generator=generator)
    table = torch.randn(products, WIDTH, generator=generator)
    targets = torch.randint(products, (count,), generator=generator)
    return states, table, targets, torch.randn(count, generator=generator)


def plain(states, table, targets, smoothing):
    return cross_entropy(states @ table.T, targets, reduction="none", label_smoothing=smoothing)


def learned(loss, states, table, targets, upstream, smoothing):
    """Losses, and the gradients of states and table."""
    states, table = states.clone().requires_grad_(), table.clone().requires_grad_()
    losses = loss(states, table, targets, smoothing)
    losses.backward(upstream)
    return losses.detach(), states.grad, table.grad


@counts
@smoothings
def test_losses_and_gradients_are_those_of_the_plain_cross_entropy(count, smoothing):
    found = learned(softmax_over_table, *example(count), smoothing)
    expected = learned(plain, *example(count), smoothing)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@counts
@smoothings
def test_in_half_precision_they_are_near(count, smoothing):
    with torch.autocast("cpu", torch.bfloat16):
        losses, *gradients = learned(softmax_over_table, *example(count), smoothing)
    exact, *expected = learned(plain, *example(count), smoothing)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, exact, atol=0.05, rtol=0.02)
    for found, right in zip(gradients, expected, strict=True):
        assert found.dtype == torch.float32
        assert (found - right).norm() < 0.02 * right.norm()


@pytest.mark.parametrize("learns", ["states", "table"])
def test_one_of_them_may_be_fixed(learns):
    states, table, targets, upstream = example()
    wanted = {"states": states, "table": table}[learns].requires_grad_()
    softmax_over_table(states, table, targets).backward(upstream)
    _, *gradients = learned(plain, states.detach(), table.detach(), targets, upstream, 0.0)
    torch.testing.assert_close(wanted.grad, gradients[learns == "table"], atol=1e-5, rtol=1e-5)
    assert (states if learns == "table" else table).grad is None


def test_without_gradients_the_losses_are_the_same():
    states, table, targets, _ = example(300)
    expected = softmax_over_table(states.requires_grad_(), table, targets, 0.1)
    with torch.no_grad():
        found = softmax_over_table(states * 1, table, targets, 0.1)
    assert found.grad_fn is None
    assert torch.equal(found, expected.detach())


def test_gradients_have_the_type_of_what_they_are_of():
    states, table, targets, upstream = example()
    losses, *gradients = learned(softmax_over_table, states.double(), table.bfloat16(), targets, upstream, 0.0)
    assert losses.dtype == torch.float32
    assert [one.dtype for one in gradients] == [torch.float64, torch.bfloat16]


def test_scores_far_apart_keep_losses_finite_and_gradients_right():
    found = learned(softmax_over_table, *example(scale=100.0), 0.0)
    expected = learned(plain, *example(scale=100.0), 0.0)
    assert expected[0].max() > 100
    torch.testing.assert_close(found[0], expected[0].clamp(max=85.2), atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(found[1:], expected[1:], atol=1e-4, rtol=1e-4)


@smoothings
def test_a_single_product_is_certain(smoothing):
    losses, *gradients = learned(softmax_over_table, *example(products=1), smoothing)
    for one in (losses, *gradients):
        torch.testing.assert_close(one, torch.zeros_like(one), atol=1e-6, rtol=0)


@smoothings
def test_without_states_there_is_no_loss_and_no_gradient(smoothing):
    losses, of_states, of_table = learned(softmax_over_table, *example(0), smoothing)
    assert (losses.shape, of_states.shape) == ((0,), (0, WIDTH))
    assert not of_table.any()


@counts
def test_ranks_count_the_rows_that_score_higher(count):
    states, table, targets, _ = example(count)
    scores = states @ table.T
    expected = [int((row > row[target]).sum()) for row, target in zip(scores, targets, strict=True)]
    assert ranks_in_table(states, table, targets).tolist() == expected


def test_what_scores_the_same_counts_as_before_the_target():
    table = torch.tensor([[1.0], [2.0], [2.0], [2.0], [3.0]])
    assert ranks_in_table(torch.ones(3, 1), table, torch.tensor([4, 2, 0])).tolist() == [0, 3, 4]
    assert ranks_in_table(torch.zeros(1, 1), table, torch.tensor([4])).tolist() == [4]
    assert ranks_in_table(torch.ones(0, 1), table, torch.ones(0, dtype=torch.int64)).tolist() == []
