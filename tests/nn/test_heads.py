"""The heads: against their definitions, the prior at the start, and the shares of words."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.heads import LabelwiseHead, PooledHead

PRIOR = torch.tensor([-1.0, 2.0, -3.0, 0.5])
LENGTHS = torch.tensor([3, 1, 0])
WIDTH, TOKENS = 8, 4


def states(seed=0):
    return torch.randn(3, TOKENS, WIDTH, generator=torch.Generator().manual_seed(seed))


def make(kind, trained=True, groups=()):
    generator = torch.Generator().manual_seed(1)
    head = kind(WIDTH, len(PRIOR), groups) if groups else kind(WIDTH, len(PRIOR))
    head.start(generator, PRIOR)
    if trained:
        with torch.no_grad():
            for name, weight in head.named_parameters():
                if name != "bias":
                    weight.normal_(generator=generator)
    return head


def with_groups(width, tags):
    return LabelwiseHead(width, tags, ((2, 0),))


def of_groups_alone(width, tags):
    return LabelwiseHead(width, tags, ((2, 0), (1, 3)))


both = pytest.mark.parametrize("kind", [PooledHead, LabelwiseHead, with_groups, of_groups_alone])


@both
def test_an_untrained_head_gives_the_prior_and_keeps_it_to_itself(kind):
    head = make(kind, trained=False)
    assert torch.equal(head(states(), LENGTHS), PRIOR.expand(3, -1))
    with torch.no_grad():
        head.bias += 1
    assert PRIOR.tolist() == [-1.0, 2.0, -3.0, 0.5]


@both
def test_an_untrained_head_learns_from_its_first_step(kind):
    head = make(kind, trained=False)
    head(states(), LENGTHS).sum().backward()
    weights = [weight for name, weight in head.named_parameters() if name.endswith("weight")]
    assert sum(weight.grad.abs().sum() for weight in weights) > 0


@both
def test_a_text_without_words_gets_the_prior_and_no_gradient_that_is_not_a_number(kind):
    head = make(kind)
    given = states().requires_grad_()
    scores = head(given, LENGTHS)
    assert torch.equal(scores[2], PRIOR)
    scores.sum().backward()
    assert given.grad.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in head.parameters())


@both
def test_padding_may_hold_anything(kind):
    head, spoiled = make(kind), states()
    spoiled[0, 3:], spoiled[1, 1:], spoiled[2] = float("nan"), float("inf"), float("nan")
    assert torch.equal(head(spoiled, LENGTHS), head(states(), LENGTHS))


@both
def test_the_shares_add_up_to_the_score(kind):
    head = make(kind)
    tags = torch.tensor([[0, 3], [1, 2], [3, 3]])
    shares = head.shares(states(), LENGTHS, tags)
    assert shares.shape == (3, TOKENS, 2)
    expected = (head(states(), LENGTHS) - PRIOR).gather(1, tags)
    torch.testing.assert_close(shares.sum(1), expected, atol=1e-5, rtol=1e-5)
    assert not shares[0, 3:].any()
    assert not shares[2].any()


def test_the_largest_value_is_shared_by_words_that_are_alike():
    head = make(PooledHead)
    same = torch.ones(1, 2, WIDTH)
    first, second = head.shares(same, torch.tensor([2]), torch.arange(4)[None])[0]
    torch.testing.assert_close(first, second)


def test_pooled_is_mean_and_maximum():
    head, given = make(PooledHead), states()
    words = given[0, :3]
    expected = head.weight @ torch.cat([words.mean(0), words.amax(0)]) + head.bias
    torch.testing.assert_close(head(given, LENGTHS)[0], expected)


def test_labelwise_is_attention_for_each_tag():
    head, given = make(LabelwiseHead), states()
    words = given[0, :3]  # [T, D]
    attention = (words @ head.queries.T).softmax(0)  # [T, L]
    expected = ((attention.T @ words) * head.weight).sum(1) + head.bias
    torch.testing.assert_close(head(given, LENGTHS)[0], expected)


def test_the_tags_of_a_group_share_their_queries_and_have_weights_of_their_own():
    head, given = make(LabelwiseHead, groups=((2, 0),)), states()
    words = given[0, :3]  # [T, D]
    pooled = ((words @ head.group_queries.T).softmax(0).T @ words).flatten()  # [Q D]
    scores = head(given, LENGTHS)[0] - head.bias
    torch.testing.assert_close(scores[[2, 0]], head.group_weight @ pooled)
    attention = (words @ head.queries.T).softmax(0)
    torch.testing.assert_close(scores[[1, 3]], ((attention.T @ words) * head.weight).sum(1))
