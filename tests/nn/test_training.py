"""The training loop: the best pass counts, figures are those of their pass, and runaway numbers end it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from tagloom.data.batches import SparseBatches
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
        return binary_cross_entropy(model(*batch[:3]), batch[3]).item()


@pytest.mark.parametrize("kind", ["linear", "bag"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_it_learns_what_was_planted(kind, dropout):
    model = encoder(kind)
    trained = run(model, dropout=dropout)
    assert (trained.epochs, trained.stopped, trained.best[0]) == (4, "", 1.0)
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
