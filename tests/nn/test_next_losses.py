"""The losses of what comes next, against their definitions and against the softmax over all products."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy, logsigmoid

from tagloom.nn.items import Bags
from tagloom.nn.losses import softmax_cross_entropy
from tagloom.nn.next_losses import (
    DRAWING,
    LOSSES,
    Question,
    binary_cross_entropy,
    figures,
    full_softmax,
    loss_named,
    mean_squared_error,
    sampled_softmax,
    tag_cross_entropy,
)

STATES, PRODUCTS, WIDTH = 6, 5, 4

# How often each product is drawn; popular ones far more often than once.
COUNTS = [1, 2, 16, 4, 8]


def asked(drawn=(), counts=COUNTS, states=STATES, products=PRODUCTS):
    generator = torch.Generator().manual_seed(0)
    shares = torch.tensor(counts[:products]) / sum(counts[:products])
    return Question(
        torch.randn(states, WIDTH, generator=generator),
        torch.randn(products, WIDTH, generator=generator),
        torch.arange(states) % products,
        torch.full((states,), torch.nan),
        torch.tensor(3.0),
        torch.tensor(drawn, dtype=torch.int64),
        (shares * max(1, len(drawn))).log(),
    )


def scores_of(one):
    return one.pointing @ one.table.T


def bags(rows):
    return Bags(
        torch.tensor([tag for row in rows for tag in row], dtype=torch.int64),
        torch.tensor([0, *map(len, rows)]).cumsum(0),
        torch.tensor([1 / len(row) for row in rows for _ in row]),
    )


# Softmax


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_full_softmax_is_the_cross_entropy_over_all_products(smoothing):
    one = asked()
    expected = cross_entropy(scores_of(one), one.wanted, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(loss_named("full_softmax", smoothing)(one), expected)


def test_with_every_product_drawn_as_often_as_its_share_says_it_is_the_full_softmax():
    one = asked([product for product, count in enumerate(COUNTS) for _ in range(count)])
    torch.testing.assert_close(sampled_softmax(one), full_softmax(one))
    alike = asked(range(PRODUCTS), counts=[1] * PRODUCTS)
    torch.testing.assert_close(sampled_softmax(alike), full_softmax(alike))


def test_what_the_next_product_competes_with_is_all_others_in_expectation():
    """The mean over many draws of exp(loss), the sum of exp(score - score of the next one), is that of all products."""
    one, draws = asked(), 8_000
    generator = torch.Generator().manual_seed(1)
    shares = torch.tensor(COUNTS) / sum(COUNTS)
    total = torch.zeros(STATES)
    for drawn in shares.expand(draws, -1).multinomial(7, replacement=True, generator=generator):
        total += sampled_softmax(replace(one, drawn=drawn, log_share=(shares * 7).log())).exp()
    torch.testing.assert_close(total / draws, full_softmax(one).exp(), rtol=0.05, atol=0)


def test_popular_products_come_out_as_likely_as_they_are():
    """Scores learned from many draws by popularity at a step: what is taken often must not come out higher still."""
    truth, drawn = torch.tensor([0.5, 0.25, 0.15, 0.07, 0.03]), 200
    shares = truth.sqrt() / truth.sqrt().sum()
    scores = torch.zeros(PRODUCTS, 1, requires_grad=True)
    optimiser = torch.optim.Adam([scores], 0.05)
    generator = torch.Generator().manual_seed(0)
    every = replace(asked(states=PRODUCTS), pointing=torch.ones(PRODUCTS, 1), wanted=torch.arange(PRODUCTS))
    for _ in range(250):
        picked = shares.multinomial(drawn, replacement=True, generator=generator)
        losses = sampled_softmax(replace(every, table=scores, drawn=picked, log_share=(shares * drawn).log()))
        optimiser.zero_grad()
        (truth * losses).sum().backward()
        optimiser.step()
    torch.testing.assert_close(scores.detach()[:, 0].softmax(0), truth, atol=0.03, rtol=0)


def test_the_log_of_how_often_a_product_is_drawn_is_taken_off_its_score():
    one = replace(asked([1, 4]), wanted=torch.zeros(STATES, dtype=torch.int64))
    scores = scores_of(one)
    # Of two draws 2/31 times 2 are product 1, and 8/31 times 2 product 4.
    kept = torch.stack([scores[:, 0], scores[:, 1] - math.log(4 / 31), scores[:, 4] - math.log(16 / 31)], 1)
    torch.testing.assert_close(sampled_softmax(one), kept.logsumexp(1) - scores[:, 0])


# What is drawn and is what came next


@pytest.mark.parametrize("loss", [sampled_softmax, binary_cross_entropy])
def test_the_next_product_drawn_is_no_rival_of_itself(loss):
    one = replace(asked([3, 4]), wanted=torch.ones(STATES, dtype=torch.int64))
    hit = replace(one, drawn=torch.tensor([1, 3, 1, 4, 1]))
    torch.testing.assert_close(loss(hit), loss(one))


@pytest.mark.parametrize("loss", [sampled_softmax, binary_cross_entropy])
def test_a_single_product_has_no_rival_and_a_sound_gradient(loss):
    one = asked([0, 0, 0], products=1)
    table = one.table.clone().requires_grad_()
    losses = loss(replace(one, table=table))
    yes = scores_of(one)[:, 0]
    torch.testing.assert_close(losses, torch.zeros(STATES) if loss is sampled_softmax else -logsigmoid(yes))
    losses.sum().backward()
    assert table.grad.isfinite().all()


# Yes and no


def test_binary_cross_entropy_by_hand():
    one = replace(asked([0, 2, 2]), wanted=torch.tensor([0, 1, 2, 3, 4, 0]))
    for state, lost in enumerate(binary_cross_entropy(one).tolist()):
        scores, wanted = scores_of(one)[state], int(one.wanted[state])
        no = [-logsigmoid(-scores[product]).item() for product in (0, 2, 2) if product != wanted]
        assert lost == pytest.approx(-logsigmoid(scores[wanted]).item() + sum(no) / len(no), rel=1e-5)


# Ratings


def rated(values):
    return replace(asked(states=len(values)), rated=torch.tensor(values))


def test_the_score_above_the_mean_rating_shall_be_the_rating():
    one = rated([5.0, 1.0, 3.0])
    expected = [(3.0 + float(scores_of(one)[row, row]) - value) ** 2 for row, value in enumerate((5.0, 1.0, 3.0))]
    assert mean_squared_error(one).tolist() == pytest.approx(expected, rel=1e-5)


def test_what_was_not_rated_costs_nothing_and_moves_nothing():
    one = rated([math.nan, 2.0])
    pointing, level = one.pointing.clone().requires_grad_(), one.level.clone().requires_grad_()
    losses = mean_squared_error(replace(one, pointing=pointing, level=level))
    assert losses[0] == 0 < losses[1]
    losses.sum().backward()
    assert not pointing.grad[0].any()
    assert pointing.grad[1].isfinite().all()
    assert level.grad.isfinite()


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_scores_that_ran_away_are_not_taken_for_right(wrong):
    one = rated([math.nan, 2.0])
    assert not mean_squared_error(replace(one, pointing=one.pointing + wrong)).isfinite().any()


# Figures


def test_the_figure_is_what_a_state_adds_to_ndcg_at_10():
    table = torch.arange(12.0)[:, None]
    one = replace(asked(states=4), pointing=torch.ones(4, 1), table=table, wanted=torch.tensor([11, 9, 2, 1]))
    expected = [1.0, 1 / math.log2(4), 1 / math.log2(11), 0.0]  # ranks 0, 2, 9 and 10
    for name in LOSSES.keys() - {"mean_squared_error"}:
        assert figures(one, name).tolist() == pytest.approx(expected)


def test_scores_all_the_same_gain_nothing():
    one = replace(asked(states=2, products=5), pointing=torch.zeros(2, WIDTH), table=torch.ones(11, WIDTH))
    assert figures(one, "full_softmax").tolist() == [0.0, 0.0]


def test_the_figure_of_ratings_is_minus_the_squared_error():
    one = rated([5.0, math.nan])
    torch.testing.assert_close(figures(one, "mean_squared_error"), -mean_squared_error(one))


# Tags


def test_the_true_tags_share_the_probability():
    scores = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    truth = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    found = tag_cross_entropy(scores, bags([[0, 2], [], [1], [0, 1, 2]]))
    torch.testing.assert_close(found, softmax_cross_entropy(scores, truth))
    assert found[1] == 0


def test_weights_of_tags_count():
    scores = torch.tensor([[0.0, math.log(3)]])
    truth = Bags(torch.tensor([0, 1]), torch.tensor([0, 2]), torch.tensor([0.75, 0.25]))
    expected = -(0.75 * math.log(1 / 4) + 0.25 * math.log(3 / 4))
    assert tag_cross_entropy(scores, truth).tolist() == pytest.approx([expected])


def test_without_states_or_without_any_tags_there_is_nothing_to_pay():
    assert tag_cross_entropy(torch.zeros(0, 3), bags([])).tolist() == []
    assert tag_cross_entropy(torch.zeros(2, 0), bags([[], []])).tolist() == [0.0, 0.0]


# All of them


@pytest.mark.parametrize("name", LOSSES)
def test_each_state_has_its_own_loss(name):
    one = replace(asked([0, 2, 4, 4]), rated=torch.tensor([1.0, 2.0, torch.nan, 4.0, 5.0, 3.0]))
    rows = [torch.tensor([row]) for row in range(STATES)]
    each = [replace(one, pointing=one.pointing[row], wanted=one.wanted[row], rated=one.rated[row]) for row in rows]
    losses = loss_named(name)(one)
    assert losses.shape == (STATES,)
    torch.testing.assert_close(losses, torch.cat([loss_named(name)(state) for state in each]))


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_gives_nearly_the_same(name):
    one = replace(asked([0, 2, 4, 4]), rated=torch.arange(6.0))
    with torch.autocast("cpu", torch.bfloat16):
        half = loss_named(name)(one)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss_named(name)(one), atol=0.05, rtol=0.02)


def test_a_loss_that_there_is_not_is_refused():
    with pytest.raises(KeyError, match="hinge"):
        loss_named("hinge")
    assert LOSSES.keys() > DRAWING
