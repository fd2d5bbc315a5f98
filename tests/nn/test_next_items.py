"""What comes next: a planted cycle of products is learned, with each loss and each encoder."""

from __future__ import annotations

import math

import pytest
import torch

from tagloom.nn.events import PaddedHistories
from tagloom.nn.items import Bags, ItemTable, Shelf
from tagloom.nn.next_items import ENCODERS, NextItems, NextLearner, figure_of, loss_of
from tagloom.nn.next_losses import DRAWING, LOSSES, tag_cross_entropy
from tagloom.nn.sizes import Size

PRODUCTS, TAGS, WORDS, ACTIONS = 15, 3, 4, 2
WIDTH, EVENTS = 16, 6
SHARES = torch.arange(1.0, PRODUCTS + 1) / sum(range(PRODUCTS + 1))

every_encoder = pytest.mark.parametrize("kind", ENCODERS)
every_loss = pytest.mark.parametrize("loss", LOSSES)

pytestmark = pytest.mark.usefixtures("one_thread")


def network(kind="gru", dropout=0.0, seed=0, level=0.0):
    with torch.device("meta"):
        made = NextItems(kind, Size(WIDTH, 2, 2), ItemTable(PRODUCTS, TAGS, WORDS, WIDTH), ACTIONS, dropout)
    made = made.to_empty(device="cpu")
    made.start(torch.Generator().manual_seed(seed), torch.full((TAGS,), -math.log(TAGS)), level)
    return made


def shelf():
    """Each product has an id, tag p % 3 and word p % 4."""
    ends, weights = torch.arange(PRODUCTS + 1), torch.ones(PRODUCTS)
    return Shelf(
        torch.arange(PRODUCTS),
        Bags(torch.arange(PRODUCTS) % TAGS, ends, weights),
        Bags(torch.arange(PRODUCTS) % WORDS, ends, weights),
    )


def learner(loss="full_softmax", kind="gru", drawn=10, **more):
    return NextLearner(network(kind, **more.pop("network", {})), shelf(), loss, SHARES, drawn=drawn, **more)


def cycle(count=PRODUCTS, seed=0):
    """Histories of 3 to 6 events in which i + 1 follows i, rated 5 where even, 1 where odd: a learner's inputs."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, EVENTS + 1, (count,), generator=generator)
    products = (torch.randint(PRODUCTS, (count, 1), generator=generator) + torch.arange(EVENTS)) % PRODUCTS
    targets = (products + 1) % PRODUCTS
    beyond = torch.arange(EVENTS) >= lengths[:, None]
    none, some = torch.zeros(0, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
    actions, gaps = torch.zeros_like(products), torch.zeros_like(products)
    ratings = 5.0 - 4.0 * (targets % 2)
    seen = PaddedHistories(products.masked_fill(beyond, -1), actions, gaps, lengths, none, none, some, torch.zeros(0))
    return (*seen, targets.masked_fill(beyond, -1), ratings.masked_fill(beyond, torch.nan))


def asked_in(inputs):
    return int((inputs[-2] >= 0).sum())


def encoded(model, inputs):
    """What the encoder gave when the learner was called."""
    kept = []
    hook = model.network.encoder.register_forward_hook(lambda *call: kept.append(call[-1]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model(*inputs)
    hook.remove()
    return kept[0]


# What it gives


@every_encoder
@every_loss
def test_of_each_next_event_a_loss_and_a_figure(loss, kind):
    model, inputs = learner(loss, kind), cycle()
    found = model.train()(*inputs)
    assert found.shape == (asked_in(inputs), 2)
    assert found.isfinite().all()
    assert not found[:, 1].any()
    loss_of(found, found).mean().backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())
    assert model.eval()(*inputs)[:, 1].any()


@every_encoder
def test_the_figure_is_ndcg_at_10_as_a_plain_loop_has_it(kind):
    model, inputs = learner(kind=kind).eval(), cycle(40)
    vectors = model.network.items(shelf())
    scores = torch.nn.functional.cosine_similarity(encoded(model, inputs).unsqueeze(2), vectors, dim=-1)  # [B, T, P]
    expected = []
    for history, place in (inputs[-2] >= 0).nonzero().tolist():
        order = scores[history, place].argsort(descending=True).tolist()
        rank = order.index(int(inputs[-2][history, place]))
        expected.append(1 / math.log2(rank + 2) if rank < 10 else 0.0)
    found = model(*inputs).detach()
    assert found[:, 1].tolist() == pytest.approx(expected)
    assert figure_of(found, found) == pytest.approx(sum(expected) / len(expected))


def test_the_figure_of_ratings_is_minus_the_squared_error():
    model, inputs = learner("mean_squared_error", network={"level": 3.0}).eval(), cycle()
    found = model(*inputs).detach()
    torch.testing.assert_close(found[:, 1], -found[:, 0])
    assert figure_of(found, found) == pytest.approx(-float(found[:, 0].mean()))


@every_encoder
def test_a_score_is_the_cosine_times_the_scale(kind):
    made, generator = network(kind), torch.Generator().manual_seed(0)
    states = torch.randn(3, WIDTH, generator=generator)
    vectors = made.items(shelf())
    scores = made.pointing(states) @ torch.nn.functional.normalize(vectors, dim=-1).T
    expected = made.scale * torch.nn.functional.cosine_similarity(states[:, None], vectors, dim=-1)
    torch.testing.assert_close(scores, expected)


# Losses that draw


@pytest.mark.parametrize("loss", sorted(DRAWING))
@pytest.mark.parametrize("drawn", [1, 500])
def test_states_are_the_same_whether_all_vectors_are_made_or_a_few(loss, drawn):
    """With 500 draws of 15 products that is all of them, with 1 those alone that were met."""
    inputs = cycle(4)
    expected = encoded(learner("full_softmax").train(), inputs)
    torch.testing.assert_close(encoded(learner(loss, drawn=drawn).train(), inputs), expected)


def test_the_sampled_softmax_of_many_draws_is_near_the_full_one():
    inputs = cycle()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        many = learner("sampled_softmax", drawn=50_000).train()(*inputs)
    torch.testing.assert_close(many, learner("full_softmax").train()(*inputs), atol=0.03, rtol=0.03)


def test_draws_are_of_the_process_and_ratings_need_none():
    inputs = cycle()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        one, other = learner("sampled_softmax").train()(*inputs), learner("sampled_softmax").train()(*inputs)
        torch.manual_seed(0)
        assert torch.equal(one, learner("sampled_softmax").train()(*inputs))
        assert not torch.equal(one, other)
        before = torch.get_rng_state()
        learner("mean_squared_error", drawn=0).train()(*inputs)
        assert torch.equal(torch.get_rng_state(), before)


# Tags


@pytest.mark.parametrize("loss", ["full_softmax", "sampled_softmax"])
def test_a_share_of_the_next_tags_loss_is_added(loss):
    inputs = cycle()
    models = [learner(loss, tag_share=share).train() for share in (0.0, 0.5)]
    with torch.random.fork_rng(devices=[]):
        found = []
        for model in models:
            torch.manual_seed(0)
            found.append(model(*inputs)[:, 0])
    wanted = inputs[-2] >= 0
    scores = models[0].network.tag_scores(encoded(models[0], inputs)[wanted])
    lost = tag_cross_entropy(scores, shelf().tags.of(inputs[-2][wanted]))
    torch.testing.assert_close(found[1] - found[0], 0.5 * lost, atol=1e-4, rtol=1e-4)


# What must not matter


@every_encoder
@every_loss
def test_a_batch_in_which_nothing_is_asked_gives_nothing(loss, kind):
    *seen, targets, ratings = cycle()
    for model in (learner(loss, kind, tag_share=0.5).train(), learner(loss, kind, tag_share=0.5).eval()):
        found = model(*seen, torch.full_like(targets, -1), ratings)
        assert found.shape == (0, 2)
        found.sum().backward()


@every_encoder
def test_padding_and_the_other_histories_change_nothing(kind):
    model, inputs = learner(kind=kind).eval(), cycle(6)
    *seen, targets, ratings = inputs
    longer = [torch.nn.functional.pad(one, (0, 3), value=fill) for one, fill in zip(seen[:3], (-1, 1, 2), strict=True)]
    further = [torch.nn.functional.pad(targets, (0, 3), value=-1), torch.nn.functional.pad(ratings, (0, 3))]
    torch.testing.assert_close(model(*longer, *seen[3:], *further), model(*inputs), atol=1e-5, rtol=1e-4)
    alone = [model(*(one[[row]] for one in seen[:4]), *seen[4:], targets[[row]], ratings[[row]]) for row in range(6)]
    torch.testing.assert_close(torch.cat(alone), model(*inputs), atol=1e-5, rtol=1e-4)


@every_encoder
@every_loss
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_every_weight_that_asks_for_a_gradient_gets_one(loss, kind, share):
    """Processes that train together wait for all of them."""
    model = learner(loss, kind, tag_share=share).train()
    loss_of(model(*cycle()), None).mean().backward()
    assert [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None] == []
    asks = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert ("network.level" in asks) == (loss == "mean_squared_error")
    assert ("network.tag_bias" in asks) == (share > 0)


@every_encoder
def test_first_weights_come_from_the_generator_alone(kind, check_first_weights):
    check_first_weights(lambda seed: network(kind, seed=seed))


@every_encoder
@every_loss
def test_half_precision_gives_nearly_the_same_and_sound_gradients(loss, kind):
    model, inputs = learner(loss, kind, tag_share=0.1).train(), cycle()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        full = model(*inputs)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(*inputs)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, atol=0.3, rtol=0.05)
    half[:, 0].mean().backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())


# What it learns


def learned(model, steps=100):
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for step in range(steps):
            losses = loss_of(model(*cycle(32, seed=step)), None)
            optimiser.zero_grad()
            losses.mean().backward()
            optimiser.step()
    return model.eval()


@torch.no_grad()
def figure(model):
    found = model(*cycle(100, seed=1_000))
    return figure_of(found, found)


@every_encoder
@pytest.mark.parametrize("loss", sorted(LOSSES.keys() - {"mean_squared_error"}))
def test_a_planted_cycle_is_learned(loss, kind):
    model = learner(loss, kind, tag_share=0.1, network={"dropout": 0.1})
    assert figure(model.eval()) < 0.6
    assert figure(learned(model)) > 0.95


@every_encoder
def test_planted_ratings_are_learned(kind):
    model = learner("mean_squared_error", kind, network={"level": 3.0})
    assert figure(model.eval()) < -2
    assert figure(learned(model)) > -0.3


def test_the_tags_of_what_comes_next_are_learned():
    model, inputs = learned(learner(tag_share=1.0)), cycle(100, seed=1_000)
    with torch.no_grad():
        best = model.network.tag_scores(encoded(model, inputs)).argmax(2)
    wanted = inputs[-2] >= 0
    assert (best == inputs[-2] % TAGS)[wanted].float().mean() > 0.95
