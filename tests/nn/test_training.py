"""The training loop: the best pass counts, figures are those of their pass, and runaway numbers end it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

from tagloom.data.batches import SparseBatches, TokenBatches
from tagloom.errors import SettingsError
from tagloom.nn.bag import BagEncoder
from tagloom.nn.linear import LinearEncoder
from tagloom.nn.losses import binary_cross_entropy
from tagloom.nn.training import Trained, TrainingPlan, train

TAGS, PRODUCTS = 4, 40


def data(products=PRODUCTS):
    """Feature n stands for tag n; two more features say nothing."""
    tag = np.arange(products) % TAGS
    features = np.zeros((products, TAGS + 2), np.float32)
    features[np.arange(products), tag] = 0.8
    features[np.arange(products), TAGS + tag % 2] = 0.6
    return csr_matrix(features), csr_matrix(np.eye(TAGS, dtype=np.float32)[tag])


def accuracy(scores, truth):
    return float((scores.argmax(1) == truth.argmax(1)).float().mean())


def encoder(kind="linear"):
    if kind == "linear":
        return LinearEncoder(TAGS + 2, torch.zeros(TAGS))
    return BagEncoder(TAGS + 2, 8, torch.zeros(TAGS), torch.Generator().manual_seed(0))


def run(model, measure=accuracy, batch_size=8, scale=1.0, **settings):
    plan = TrainingPlan(**{"epochs": 4, "patience": 9, "learning_rate": 20.0, "dropout": 0.0, "seed": 0, **settings})
    features, truth = data()
    batches = SparseBatches(features * scale, truth, batch_size, seed=0), SparseBatches(features * scale, truth, 16)
    return train(model, binary_cross_entropy, plan, *batches, measure)


def loss_of(model):
    (batch,) = SparseBatches(*data(), PRODUCTS)
    with torch.no_grad():
        inputs, truth, _ = batch
        return binary_cross_entropy(model(*inputs), truth).mean().item()


@pytest.mark.parametrize("kind", ["linear", "bag"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_it_learns_what_was_planted(kind, dropout):
    model = encoder(kind)
    # The bag has a hidden layer, which the large steps of plain SGD would shut.
    how = {"optimiser": "adamw", "learning_rate": 0.03, "epochs": 20, "patience": 20} if kind == "bag" else {}
    trained = run(model, dropout=dropout, **how)
    assert (trained.epochs, trained.stopped, trained.best[0]) == (how.get("epochs", 4), "", 1.0)
    assert loss_of(model) < 0.3


def test_the_figures_are_those_of_their_pass():
    """One batch a pass: the loss of pass n is that of the weights that n - 1 passes made, and valid's that of n."""
    lengths, losses = range(1, 4), []
    for epochs in lengths:
        model = encoder()
        # The step size falls over the plan's passes: a tiny one in a long plan is as good as constant.
        losses.append((run(model, epochs=epochs, learning_rate=1e-2, batch_size=PRODUCTS), loss_of(model)))
    trained, _ = losses[-1]
    assert trained.history[0]["train/loss"] == pytest.approx(loss_of(encoder()), rel=1e-6)
    for figures, after in zip(trained.history[1:], trained.history, strict=False):
        assert figures["train/loss"] == pytest.approx(after["valid/loss"], rel=1e-6)
    for one, loss in losses:
        assert one.history[-1]["valid/loss"] == pytest.approx(loss, rel=1e-6)


def test_the_loss_of_a_pass_is_the_mean_over_its_texts():
    # Batches of 32 and 8, and steps too small to matter: each text must count the same.
    trained = run(encoder(), learning_rate=1e-12, batch_size=32)
    assert trained.history[0]["train/loss"] == pytest.approx(loss_of(encoder()), rel=1e-3)


def test_the_weights_of_the_best_pass_come_back():
    told = iter([0.1, 0.9, 0.5, 0.4])
    kept = []
    model = encoder()
    trained = run(
        model, measure=lambda *_: next(told), progress=lambda *_: kept.append(model.words.weight.detach().clone())
    )
    assert (trained.epochs, trained.best_epoch, trained.best[0]) == (4, 2, 0.9)
    assert torch.equal(model.words.weight, kept[1])
    assert not torch.equal(model.words.weight, kept[3])


def test_of_equally_good_passes_the_one_with_the_smaller_loss_counts():
    trained = run(encoder(), measure=lambda *_: 1.0)
    losses = [figures["valid/loss"] for figures in trained.history]
    assert trained.best_epoch == losses.index(min(losses)) + 1 > 1


def test_patience_ends_it():
    told = iter([0.1, 0.9, *[0.5] * 98])
    trained = run(encoder(), measure=lambda *_: next(told), epochs=100, patience=3)
    assert (trained.epochs, trained.best_epoch, trained.stopped) == (5, 2, "")


@pytest.mark.parametrize("kind", ["linear", "bag"])
def test_the_seed_decides(kind):
    def weights(**settings):
        model = encoder(kind)
        run(model, **settings)
        return model.words.weight

    assert torch.equal(weights(dropout=0.5), weights(dropout=0.5))
    assert not torch.equal(weights(dropout=0.5), weights(dropout=0.5, seed=1))


@pytest.mark.parametrize("kind", ["linear", "bag"])
def test_numbers_that_run_away_end_it_before_anything_was_learned(kind):
    # Features out of all proportion: with sound ones the gradient, never above 1, keeps even absurd steps finite.
    assert run(encoder(kind), scale=1e30, learning_rate=1e30) == Trained(0, 0, (), "the loss was no finite number")


def test_when_numbers_run_away_later_the_best_pass_so_far_counts():
    model, kept = encoder(), []

    def spoil(number, figures):
        if number == 1:
            kept.append(model.words.weight.detach().clone())
        if number == 2:
            with torch.no_grad():
                model.words.weight.fill_(float("nan"))

    told = iter([0.9, 0.5])
    trained = run(model, measure=lambda *_: next(told), progress=spoil)
    assert (trained.epochs, trained.best_epoch, trained.stopped) == (2, 1, "the loss was no finite number")
    assert torch.equal(model.words.weight, kept[0])


def test_scores_on_valid_that_are_no_numbers_end_it():
    # One step a pass: the loss before it is fine, the scores after it are not.
    trained = run(encoder(), scale=1e30, learning_rate=1e30, batch_size=PRODUCTS)
    assert trained == Trained(0, 0, (), "the scores on valid were no finite numbers")


def test_without_a_pass_nothing_is_best():
    assert Trained(0, 0, ()).best < run(encoder(), measure=lambda *_: 0.0, epochs=1).best


def test_exit_and_interrupt_pass_through():
    for wanted in (KeyboardInterrupt, SystemExit, LookupError):

        def leave(*_, wanted=wanted):
            raise wanted

        with pytest.raises(wanted):
            run(encoder(), progress=leave)


# What the plan can ask for


class Tokens(nn.Module):
    """Mean of word vectors, some hidden."""

    def __init__(self):
        super().__init__()
        self.words, self.tags, self.hide = nn.Embedding(TAGS + 3, 8), nn.Linear(8, TAGS), nn.Dropout(0.2)
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.normal_(0.0, 0.3, generator=random)

    def forward(self, tokens, lengths):
        mean = (self.words(tokens) * (tokens > 0)[:, :, None]).sum(1) / lengths[:, None]
        return self.tags(self.hide(mean))


def run_tokens(model, measure=accuracy, loss=binary_cross_entropy, weights=None, **settings):
    """Word n + 1 stands for tag n, beside one or two words that say nothing."""
    plan = TrainingPlan(**{"epochs": 8, "patience": 9, "learning_rate": 0.03, "dropout": 0.0, "seed": 0, **settings})
    tag = np.arange(PRODUCTS) % TAGS
    texts = [np.array([one + 1, *[TAGS + 2] * (ix % 3)]) for ix, one in enumerate(tag)]
    truth = csr_matrix(np.eye(TAGS, dtype=np.float32)[tag])
    batches = TokenBatches(texts, truth, 8, seed=0, weights=weights), TokenBatches(texts, truth, 16)
    return train(model, loss, plan, *batches, measure)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimiser": "adam"},
        {"optimiser": "adamw", "weight_decay": 0.1, "warmup": 0.2, "clip": 1.0},
        {"optimiser": "adamw", "precision": "bf16"},
        {"optimiser": "adamw", "average": 0.8},
        {"optimiser": "sgd", "learning_rate": 3.0},
    ],
    ids=str,
)
def test_every_plan_learns_from_tokens_what_was_planted(settings):
    trained = run_tokens(Tokens(), **{"learning_rate": 0.1, "epochs": 12, **settings})
    assert (trained.stopped, trained.best[0]) == ("", 1.0)
    assert trained.precision == settings.get("precision", "32")


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
@pytest.mark.parametrize("kind", ["linear", "bag"])
def test_sparse_tables_learn_with_adam_too(kind, optimiser):
    trained = run(encoder(kind), optimiser=optimiser, learning_rate=0.1, epochs=8)
    assert (trained.stopped, trained.best[0]) == ("", 1.0)


def test_the_seed_decides_what_an_encoder_hides_whatever_the_process_drew():
    def weights(**settings):
        model = Tokens()
        run_tokens(model, optimiser="adam", **settings)
        return model.words.weight

    first = weights()
    torch.rand(5)
    assert torch.equal(first, weights())
    assert not torch.equal(first, weights(seed=1))


def test_the_history_has_the_figures_of_every_pass():
    trained = run_tokens(Tokens(), optimiser="adamw", warmup=0.25)
    assert all(
        figures.keys()
        == {
            "train/loss",
            "train/learning_rate",
            "train/seconds",
            "train/texts_per_second",
            "valid/loss",
            "valid/ndcg",
        }
        for figures in trained.history
    )
    rates = [figures["train/learning_rate"] for figures in trained.history]
    # 5 steps a pass, 10 of 40 to warm up; what is told is the last step of the pass.
    assert rates[:2] == pytest.approx([0.015, 0.03])
    assert rates[2:] == pytest.approx([0.03 * (1 - step / 30) for step in range(4, 30, 5)])
    assert all(figures["train/texts_per_second"] > 0 for figures in trained.history)


def test_a_row_counts_as_often_as_products_stand_behind_it():
    """Equal texts with other tags: what is learned is the share of the products."""
    words = LinearEncoder(1, torch.zeros(2))
    features, truth = csr_matrix(np.ones((2, 1))), csr_matrix([[1.0, 0.25], [0.0, 0.25]])
    batches = SparseBatches(features, truth, 2, weights=np.array([9, 1]))
    plan = TrainingPlan(300, 300, 10.0, 0.0, 0)
    trained = train(words, binary_cross_entropy, plan, batches, batches, accuracy)
    scores = words.words.weight.detach()[0] + words.bias.detach()
    torch.testing.assert_close(scores.sigmoid(), torch.tensor([0.9, 0.25]), atol=0.01, rtol=0)
    entropy = -sum(p * np.log(p) + (1 - p) * np.log(1 - p) for p in (0.9, 0.25))
    assert trained.history[-1]["valid/loss"] == pytest.approx(entropy, rel=1e-3)
    assert trained.history[-1]["train/loss"] == pytest.approx(entropy, rel=1e-3)


def test_clipping_keeps_every_step_short():
    """Plain SGD with a step size of 1 moves the weights by the gradient."""
    seen = []

    class Watched(Tokens):
        def forward(self, tokens, lengths):
            if self.training:
                seen.append(torch.cat([weight.detach().flatten() for weight in self.parameters()]))
            return super().forward(tokens, lengths)

    def longest_step(clip):
        seen.clear()
        run_tokens(Watched(), optimiser="sgd", learning_rate=1.0, epochs=1, clip=clip)
        return max((new - old).norm().item() for old, new in itertools.pairwise(seen))

    assert longest_step(0.01) == pytest.approx(0.01, rel=1e-3)
    assert longest_step(0.0) > 0.1


def test_the_average_is_measured_and_given_back():
    plain, averaged = Tokens(), Tokens()
    kept = []
    run_tokens(plain, optimiser="adam", epochs=1)
    trained = run_tokens(averaged, optimiser="adam", epochs=1, average=0.9, measure=lambda *_: kept.append(1) or 1.0)
    assert not torch.equal(plain.words.weight, averaged.words.weight)
    start = Tokens().words.weight
    moved = [(model.words.weight - start).norm().item() for model in (plain, averaged)]
    assert 0 < moved[1] < moved[0], "the average lags behind"
    assert len(kept) == trained.best_epoch == 1


def test_the_encoder_comes_back_without_gradients():
    model = Tokens()
    run_tokens(model, optimiser="adam")
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimiser": "adma"}, "optimiser: expected one of sgd, adam, adamw; got 'adma'"),
        ({"precision": "16"}, "precision: expected one of 32, bf16, auto; got '16'"),
        ({"devices": 0}, "devices: 0 is out of range"),
        ({"warmup": 1.0}, "warmup: 1.0 is out of range"),
        ({"average": 1.0}, "average: 1.0 is out of range"),
        ({"clip": -1.0}, "clip: -1.0 is out of range"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        run_tokens(Tokens(), **settings)


def test_numbers_that_run_away_between_two_looks_never_become_the_best_pass():
    """The loss is looked at every 50th step: a pass that is spoilt at its last step must not count."""
    calls = []

    def loss(scores, truth):
        calls.append(scores.requires_grad)
        late = calls.count(True) == 2 * 5  # the last step of the second pass
        return binary_cross_entropy(scores, truth) * (float("nan") if late and scores.requires_grad else 1.0)

    model = Tokens()
    trained = run_tokens(model, loss=loss, optimiser="adam")
    assert (trained.epochs, trained.best_epoch, trained.stopped) == (1, 1, "the loss was no finite number")
    assert all(weight.isfinite().all() for weight in model.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["32", "bf16", "auto"])
def test_a_gpu_learns_the_same_and_gives_the_encoder_back(precision, tmp_path):
    settings = {"optimiser": "adamw", "learning_rate": 0.1, "epochs": 12, "precision": precision}
    model = Tokens()
    trained = run_tokens(model, average=0.5, clip=1.0, checkpoint=tmp_path / "checkpoint", **settings)
    assert (trained.stopped, trained.best[0]) == ("", 1.0)
    assert {part.device.type for part in model.parameters()} == {"cpu"}
    assert run(encoder(), dropout=0.3).best[0] == 1.0
