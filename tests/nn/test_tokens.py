"""Encoders of words in their order: planted order, padding, randomness, and the words that carried a tag."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.bag import BagEncoder
from tagloom.nn.heads import carried, missed
from tagloom.nn.losses import binary_cross_entropy
from tagloom.nn.tokens import ENCODERS, HEADS, PADDING, UNKNOWN, token_encoder

WORDS, TAGS, LONGEST = 60, 4, 10
PRIOR = torch.tensor([-2.0, 0.0, 1.0, -1.0])

every = pytest.mark.parametrize(("kind", "head"), [(kind, head) for kind in ENCODERS for head in HEADS])

pytestmark = pytest.mark.usefixtures("one_thread")


def make(kind="transformer", head="labelwise", seed=0, **settings):
    generator = torch.Generator().manual_seed(seed)
    return token_encoder(kind, "tiny", head, WORDS, PRIOR, generator, settings.pop("dropout", 0.0), **settings)


def spoiled(model, seed=3):
    """A model whose every weight says something, as if trained."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in (model.head.weight, *([model.head.queries] if hasattr(model.head, "queries") else [])):
            weight.normal_(generator=generator)
    return model.eval()


def texts(count, seed=0, longest=LONGEST):
    """Words that say nothing: tokens [B, T], lengths [B]."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(4, longest + 1, (count,), generator=generator)
    tokens = torch.randint(10, WORDS, (count, longest), generator=generator)
    return tokens.masked_fill(torch.arange(longest) >= lengths[:, None], PADDING), lengths


def in_order(count, seed=0, longest=LONGEST):
    """`2 3` somewhere in the text means tag 0, `3 2` tag 1: the words are the same."""
    tokens, lengths = texts(count, seed, longest)
    generator = torch.Generator().manual_seed(seed + 1)
    place = (torch.rand(count, generator=generator) * (lengths - 1)).long()
    tag = torch.randint(0, 2, (count,), generator=generator)
    rows = torch.arange(count)
    tokens[rows, place], tokens[rows, place + 1] = 2 + tag, 3 - tag
    return tokens, lengths, torch.eye(TAGS)[tag]


def single_words(count, seed=0):
    """Word 2 + l means tag l; each text has two such words. Also the place of each tag's word, -1 for none [B, L]."""
    tokens, lengths = texts(count, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    truth, places = torch.zeros(count, TAGS), torch.full((count, TAGS), -1)
    for row in range(count):
        tags = torch.randperm(TAGS, generator=generator)[:2]
        where = torch.randperm(int(lengths[row]), generator=generator)[:2]
        tokens[row, where], truth[row, tags], places[row, tags] = 2 + tags, 1.0, where
    return tokens, lengths, truth, places


def learn(model, inputs, truth, steps, batch=32):
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for step in range(steps):
            rows = torch.arange(step * batch, (step + 1) * batch) % len(truth)
            loss = binary_cross_entropy(model(*(part[rows] for part in inputs)), truth[rows]).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
    return model.eval()


@torch.no_grad()
def right(model, inputs, truth):
    return (model(*inputs).argmax(1) == truth.argmax(1)).float().mean().item()


# What they learn


@every
def test_order_is_learned(kind, head):
    *inputs, truth = in_order(3_200)
    model = learn(make(kind, head, dropout=0.1), inputs, truth, steps=120)
    *fresh, truth = in_order(200, seed=7)
    assert right(model, fresh, truth) > 0.95


def test_a_bag_cannot_learn_order():
    tokens, _, truth = in_order(800)
    model = BagEncoder(WORDS, 32, PRIOR, torch.Generator().manual_seed(0))
    model.words.sparse = False
    # One row of features for each word in turn: a text's padding, word 0, weighs nothing.
    features, starts = tokens.flatten(), torch.arange(800) * LONGEST

    def scores(rows):
        return model(features.view(800, -1)[rows].flatten(), starts[: len(rows)], (tokens[rows] > 0).float().flatten())

    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for step in range(200):
        rows = torch.arange(step * 32, (step + 1) * 32) % 600
        optimiser.zero_grad()
        binary_cross_entropy(scores(rows), truth[rows]).mean().backward()
        optimiser.step()
    held_out = torch.arange(600, 800)
    correct = (scores(held_out).argmax(1) == truth[held_out].argmax(1)).float().mean().item()
    assert correct < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENCODERS)
def test_texts_three_times_as_long_as_any_seen_are_understood(kind):
    *inputs, truth = in_order(3_200)
    model = learn(make(kind, dropout=0.1), inputs, truth, steps=120)
    *long, truth = in_order(200, seed=7, longest=3 * LONGEST)
    assert right(model, long, truth) > 0.85


@every
def test_the_planted_words_carried_their_tags(kind, head):
    *inputs, truth, _ = single_words(2_000)
    model = learn(make(kind, head, dropout=0.1), inputs, truth, steps=80)
    tokens, lengths, truth, places = single_words(100, seed=7)
    for values, least in (
        (carried(model, tokens, lengths, torch.arange(TAGS)), 0.95 if kind == "lstm" else 0.6),
        (missed(model, tokens, lengths, torch.arange(TAGS), UNKNOWN), 0.95),
    ):
        found = values.argmax(1)[truth > 0] == places[truth > 0]
        assert found.float().mean() > least


# What must not matter


@every
def test_padding_changes_nothing(kind, head):
    model = spoiled(make(kind, head))
    tokens, lengths = texts(6)
    alone = torch.cat([model(tokens[[ix], : lengths[ix]], lengths[[ix]]) for ix in range(6)])
    torch.testing.assert_close(model(tokens, lengths), alone, atol=1e-4, rtol=1e-4)
    padded = torch.nn.functional.pad(tokens, (0, 7))
    torch.testing.assert_close(model(padded, lengths), alone, atol=1e-4, rtol=1e-4)
    # Whatever stands there:
    other = padded.masked_fill(torch.arange(LONGEST + 7) >= lengths[:, None], 17)
    torch.testing.assert_close(model(other, lengths), alone, atol=1e-4, rtol=1e-4)


@every
def test_a_text_without_words_gets_the_prior_and_spoils_no_gradient(kind, head):
    model = spoiled(make(kind, head))
    scores = model(torch.tensor([[0, 0], [5, 6]]), torch.tensor([0, 2]))
    torch.testing.assert_close(scores[0], PRIOR)
    scores.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@every
def test_until_trained_the_answer_is_the_prior(kind, head):
    assert torch.equal(make(kind, head)(*texts(3)), PRIOR.expand(3, -1))


# Randomness


@every
def test_weights_come_from_the_generator_alone(kind, head, check_first_weights):
    check_first_weights(lambda seed: make(kind, head, seed), zero=["head.weight"])


def test_hidden_words_are_those_of_the_seed_and_none_in_answers():
    model = spoiled(make(word_dropout=0.5))
    tokens, lengths = texts(4)
    assert torch.equal(model(tokens, lengths), model(tokens, lengths))
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        one = model(tokens, lengths)
        assert not torch.equal(one, model(tokens, lengths))
        torch.manual_seed(0)
        assert torch.equal(one, model(tokens, lengths))
        model.word_dropout = 1.0
        unknown = tokens.masked_fill(tokens != PADDING, UNKNOWN)
        hidden = model(tokens, lengths)
    torch.testing.assert_close(hidden, model.eval()(unknown, lengths))


def test_it_starts_from_vectors_without_changing_them_and_padding_stays_nothing():
    vectors = torch.ones(WORDS, 128)
    model = spoiled(make(vectors=vectors))
    assert torch.equal(model.words.weight[1:], vectors[1:])
    assert not model.words.weight[PADDING].any()
    model(*texts(3)).sum().backward()
    assert not model.words.weight.grad[PADDING].any()
    with torch.no_grad():
        model.words.weight += 1
    assert torch.equal(vectors, torch.ones(WORDS, 128))


# How they run


@every
def test_half_precision_gives_nearly_the_same_in_full_precision(kind, head):
    model = spoiled(make(kind, head))
    with torch.no_grad():
        model.head.weight /= 10
    full = model(*texts(4))
    with torch.autocast("cpu", torch.bfloat16):
        half = model(*texts(4))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, atol=0.3, rtol=0.1)
    binary_cross_entropy(half, torch.ones_like(half)).sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@every
def test_the_shares_of_the_words_add_up(kind, head):
    model = spoiled(make(kind, head))
    tokens, lengths = texts(3)
    scores = model(tokens, lengths)
    for tags in (torch.tensor([2, 0]), torch.tensor([[2, 0], [1, 1], [3, 0]])):
        shares = carried(model, tokens, lengths, tags)
        assert shares.shape == (3, LONGEST, 2)
        expected = (scores - PRIOR).gather(1, tags.expand(3, -1))
        torch.testing.assert_close(shares.sum(1), expected, atol=1e-3, rtol=1e-3)


@every
def test_what_is_missed_is_the_score_with_less_the_score_without(kind, head):
    model = spoiled(make(kind, head))
    tokens, lengths = texts(3)
    tags = torch.tensor([[2, 0], [1, 1], [3, 0]])
    lost = missed(model, tokens, lengths, tags, UNKNOWN)
    without = tokens.clone()
    without[1, 2] = UNKNOWN
    expected = (model(tokens, lengths) - model(without, lengths))[1, tags[1]]
    torch.testing.assert_close(lost[1, 2], expected, atol=1e-3, rtol=1e-3)
    assert not lost[tokens == PADDING].any()


def test_an_unknown_kind_size_or_head_is_an_error():
    for names in (("gru", "tiny", "pooled"), ("lstm", "huge", "pooled"), ("lstm", "tiny", "mean")):
        with pytest.raises(KeyError):
            token_encoder(*names, WORDS, PRIOR, torch.Generator(), 0.0)
