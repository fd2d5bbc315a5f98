"""The losses, against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from tagloom.nn.losses import (
    LOSSES,
    asymmetric,
    binary_cross_entropy,
    family_cross_entropy,
    family_log_odds,
    softmax_cross_entropy,
)

FAMILIES = [torch.tensor([0, 2]), torch.tensor([4, 1, 5])]
EVERY = {**LOSSES, "family_cross_entropy": family_cross_entropy(FAMILIES)}


def example(texts=5, tags=7):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(texts, tags, generator=generator)
    return scores, (torch.rand(texts, tags, generator=generator) < 0.4).float()


@pytest.mark.parametrize("name", EVERY)
def test_each_text_has_its_own_loss_and_a_sound_gradient(name):
    scores, truth = example()
    losses = EVERY[name](scores, truth)
    assert losses.shape == (5,)
    one_by_one = [EVERY[name](scores[[ix]], truth[[ix]]) for ix in range(5)]
    torch.testing.assert_close(losses, torch.cat(one_by_one))
    exact = scores.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: EVERY[name](given, truth.double()), exact)


@pytest.mark.parametrize("name", EVERY)
def test_sure_scores_stay_finite_right_ones_cost_nothing_and_wrong_ones_much(name):
    truth = torch.eye(7)[[3]]
    scores = (2e4 * truth - 1e4).requires_grad_()
    assert EVERY[name](scores, truth).item() == pytest.approx(0, abs=1e-6)
    wrong = EVERY[name](-scores, truth)
    assert 1e4 <= wrong.item() < 1e6 or name == "asymmetric"  # whose wrong "no" cost -log(clip) at most
    assert wrong.item() > 1e4
    wrong.sum().backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("name", EVERY)
def test_truth_may_be_a_share(name):
    """Minimised over the scores, the scores of a text follow the shares: the larger share, the larger score."""
    truth = torch.tensor([[0.1, 0.7, 0.3, 0.0, 0.05, 0.0, 0.0]])
    scores = torch.zeros(1, 7, requires_grad=True)
    optimiser = torch.optim.SGD([scores], 1.0)
    for _ in range(150):
        optimiser.zero_grad()
        EVERY[name](scores, truth).sum().backward()
        optimiser.step()
    if name == "family_cross_entropy":
        scores = family_log_odds(FAMILIES)(scores)
    assert scores[0].argsort(descending=True)[:3].tolist() == [1, 2, 0]


def test_binary_cross_entropy_is_the_sum_over_tags():
    scores, truth = example()
    p = scores.sigmoid()
    expected = -(truth * p.log() + (1 - truth) * (1 - p).log()).sum(1)
    torch.testing.assert_close(binary_cross_entropy(scores, truth), expected)


def test_softmax_cross_entropy_by_hand():
    scores = torch.tensor([[math.log(1), math.log(2), math.log(5)]]).expand(3, 3)  # probabilities 1/8, 2/8, 5/8
    truth = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    expected = [-math.log(5 / 8), -(math.log(2 / 8) + math.log(5 / 8)) / 2, 0.0]
    assert softmax_cross_entropy(scores, truth).tolist() == pytest.approx(expected)


def test_softmax_cross_entropy_of_a_text_without_tags_moves_nothing():
    scores = torch.randn(1, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    softmax_cross_entropy(scores, torch.zeros(1, 3)).sum().backward()
    assert scores.grad.tolist() == [[0, 0, 0]]


def test_asymmetric_by_hand():
    scores = torch.tensor([[0.8, 0.3, 0.04]]).logit()
    truth = torch.tensor([[1.0, 0.0, 0.0]])
    # yes: (1 - 0.8)^1 log 0.8; no: (0.3 - 0.05)^2 log(1 - 0.25); 0.04 is below the clip.
    expected = -(0.2 * math.log(0.8) + 0.25**2 * math.log(0.75))
    found = asymmetric(scores, truth, gamma_negative=2.0, gamma_positive=1.0, clip=0.05)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_asymmetric_without_its_arguments_at_work_is_binary_cross_entropy():
    scores, truth = example()
    found = asymmetric(scores, truth, gamma_negative=0.0, gamma_positive=0.0, clip=0.0)
    torch.testing.assert_close(found, binary_cross_entropy(scores, truth))


def test_a_family_is_a_softmax_with_none_and_the_rest_yes_or_no():
    loss = family_cross_entropy([torch.tensor([2, 0])])
    scores = torch.tensor([[math.log(2), 0.0, math.log(5)]]).expand(3, 3)  # of the family: 2/8, 5/8, none 1/8
    truth = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    yes_or_no = math.log(2)
    family = [-math.log(2 / 8), -math.log(1 / 8), -(math.log(2 / 8) + math.log(5 / 8)) / 2]
    assert loss(scores, truth).tolist() == pytest.approx([one + yes_or_no for one in family])


def test_log_odds_of_families_by_hand():
    scores = torch.tensor([[math.log(2), 0.7, math.log(5)]])  # of the family: 2/8, 5/8, none 1/8
    found = family_log_odds([torch.tensor([2, 0])])(scores)
    assert found.tolist()[0] == pytest.approx([math.log(2 / 6), 0.7, math.log(5 / 3)], rel=1e-5)
    assert scores.tolist()[0] == pytest.approx([math.log(2), 0.7, math.log(5)])


def test_log_odds_of_families_stay_finite_and_are_the_scores_where_there_is_no_rival():
    scores = torch.tensor([[1e4, -1e4, 25.0, -25.0]])
    assert family_log_odds(FAMILIES[:1])(torch.full((1, 3), 1e4)).isfinite().all()
    assert family_log_odds([torch.tensor([0]), torch.tensor([1])])(scores).isfinite().all()
    torch.testing.assert_close(family_log_odds([torch.tensor([2]), torch.tensor([3])])(scores), scores)
    assert torch.equal(family_log_odds([])(scores), scores)


def test_no_family_and_families_of_one_are_binary_cross_entropy():
    scores, truth = example()
    expected = binary_cross_entropy(scores, truth)
    torch.testing.assert_close(family_cross_entropy([])(scores, truth), expected)
    torch.testing.assert_close(family_cross_entropy([torch.tensor([3]), torch.tensor([0])])(scores, truth), expected)


@pytest.mark.parametrize(
    ("families", "message"),
    [([[0, 1], [1, 2]], "in two families"), ([[0, 0]], "in two families"), ([[0], []], "no members")],
)
def test_families_that_overlap_or_are_empty_are_refused(families, message):
    with pytest.raises(ValueError, match=message):
        family_cross_entropy([torch.tensor(family, dtype=torch.int64) for family in families])
