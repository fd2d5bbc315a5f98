"""Training that is broken off, in any way, and goes on, ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.sparse import csr_matrix
from torch import nn

from tagloom.data.batches import SparseBatches, TokenBatches
from tagloom.errors import ArtifactError
from tagloom.nn.bag import BagEncoder
from tagloom.nn.losses import binary_cross_entropy
from tagloom.nn.training import TrainingPlan, train

TAGS, TEXTS = 4, 60


class Tokens(nn.Module):
    """Mean of word vectors, some hidden, and a batch norm: everything that has a state."""

    def __init__(self):
        super().__init__()
        self.words, self.norm, self.tags = nn.Embedding(TAGS + 3, 8), nn.BatchNorm1d(8), nn.Linear(8, TAGS)
        self.hide = nn.Dropout(0.3)
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.normal_(0.0, 0.3, generator=random)

    def forward(self, tokens, lengths):
        mean = (self.words(tokens) * (tokens > 0)[:, :, None]).sum(1) / lengths.clamp(min=1)[:, None]
        return self.tags(self.hide(self.norm(mean)))


def accuracy(scores, truth):
    return float((scores.argmax(1) == truth.argmax(1)).float().mean())


def problem(kind):
    """An encoder and batches: word n + 1 stands for tag n, beside some that say nothing."""
    random = np.random.default_rng(0)
    tag = random.integers(0, TAGS, TEXTS)
    truth = csr_matrix(np.eye(TAGS, dtype=np.float32)[tag])
    texts = [np.array([one + 1, *random.integers(TAGS + 1, TAGS + 3, random.integers(0, 5))]) for one in tag]
    if kind == "tokens":
        return Tokens(), TokenBatches(texts, truth, 8, seed=1), TokenBatches(texts, truth, 16)
    features = csr_matrix(np.stack([np.bincount(text, minlength=TAGS + 3) for text in texts]).astype(np.float32))
    encoder = BagEncoder(TAGS + 3, 8, torch.zeros(TAGS), torch.Generator().manual_seed(0))
    return encoder, SparseBatches(features, truth, 8, seed=1), SparseBatches(features, truth, 16)


def plan_of(learning_rate, dropout, optimiser, **settings):
    # One thread: beside the other tests, two wait for each other at every step.
    return TrainingPlan(5, 9, learning_rate, dropout, 0, optimiser=optimiser, threads=1, **settings)


PLANS = {
    "sgd": plan_of(8.0, 0.3, "sgd"),
    "adam": plan_of(0.01, 0.3, "adam"),
    "adamw": plan_of(0.01, 0.0, "adamw", weight_decay=0.1, warmup=0.2, clip=1.0),
    "average": plan_of(0.01, 0.0, "adamw", average=0.9),
    "bf16": plan_of(0.01, 0.0, "adamw", precision="bf16"),
}
CASES = [("bag", "sgd"), ("bag", "adam"), ("tokens", "adamw"), ("tokens", "average"), ("tokens", "bf16")]


class EnoughError(Exception):
    """What breaks training off."""


def learn(kind, plan, spoil=None):
    """Train; with `spoil` = (pass, batch) what is raised there breaks it off."""
    encoder, batches, valid = problem(kind)
    if spoil is not None:
        batches = Spoilt(batches, *spoil)
    return encoder.state_dict(), train(encoder, binary_cross_entropy, plan, batches, valid, accuracy)


class Spoilt:
    """Batches that break off in the middle of a pass."""

    def __init__(self, batches, last_pass, last_batch, how):
        self.batches, self.last, self.how = batches, (last_pass, last_batch), how

    def __len__(self):
        return len(self.batches)

    def of_pass(self, number, *share):
        for ix, batch in enumerate(self.batches.of_pass(number, *share)):
            if (number, ix) == self.last:
                self.how()
            yield batch


def give_up():
    raise EnoughError


def figures(trained):
    """The history without what a clock says."""
    return [
        {name: value for name, value in one.items() if name not in {"train/seconds", "train/texts_per_second"}}
        for one in trained.history
    ]


def assert_same(one, other):
    (weights, trained), (expected, whole) = one, other
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in weights)
    assert figures(trained) == figures(whole)
    assert (trained.best_epoch, trained.stopped) == (whole.best_epoch, whole.stopped)


@pytest.mark.parametrize(("kind", "name"), CASES)
@pytest.mark.parametrize("broken_off", [(0, 3), (3, 5)])
def test_what_was_broken_off_ends_as_if_nothing_had_happened(kind, name, broken_off, tmp_path):
    plan = replace(PLANS[name], checkpoint=tmp_path / "checkpoint", fingerprint="a")
    with pytest.raises(EnoughError):
        learn(kind, plan, (*broken_off, give_up))
    assert plan.checkpoint.exists() is (broken_off[0] > 0)
    told = []
    again = learn(kind, replace(plan, progress=lambda number, _: told.append(number)))
    assert told == list(range(broken_off[0] + 1, 6))
    assert_same(again, learn(kind, PLANS[name]))
    assert not list(tmp_path.iterdir()), "what has come to its end leaves no checkpoint"


def test_it_may_be_broken_off_again_and_again(tmp_path):
    plan = replace(PLANS["adamw"], checkpoint=tmp_path / "checkpoint")
    for number in (1, 2, 3):
        with pytest.raises(EnoughError):
            learn("tokens", plan, (number, 2, give_up))
    assert_same(learn("tokens", plan), learn("tokens", PLANS["adamw"]))


def test_after_the_last_pass_nothing_is_left_to_train(tmp_path):
    def leave(number, _):
        if number == 5:
            raise EnoughError

    plan = replace(PLANS["adamw"], checkpoint=tmp_path / "checkpoint")
    with pytest.raises(EnoughError):
        learn("tokens", replace(plan, progress=leave))
    assert_same(learn("tokens", plan), learn("tokens", PLANS["adamw"]))


def test_patience_that_was_used_up_stays_so(tmp_path):
    told = iter([0.9, 0.5, 0.5, 0.5])
    encoder, batches, valid = problem("tokens")
    plan = replace(PLANS["adamw"], patience=2, checkpoint=tmp_path / "checkpoint")

    def leave(number, _):
        if number == 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        train(encoder, binary_cross_entropy, replace(plan, progress=leave), batches, valid, lambda *_: next(told))
    assert learn("tokens", plan)[1].epochs == 3


def test_only_the_last_pass_is_kept(tmp_path):
    plan = replace(PLANS["adamw"], checkpoint=tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / ".pass-0009.1.tmp").mkdir(parents=True)
    with pytest.raises(EnoughError):
        learn("tokens", plan, (3, 0, give_up))
    assert [path.name for path in plan.checkpoint.iterdir()] == ["pass-0003"]
    assert sorted(path.suffix for path in plan.checkpoint.glob("*/*")) == [".json", ".safetensors", ".safetensors"]
    assert load_file(plan.checkpoint / "pass-0003" / "best.safetensors").keys() == Tokens().state_dict().keys()


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"fingerprint": "b"}, "fingerprint"), ({"learning_rate": 0.02}, "plan"), ({"epochs": 6}, "plan")],
)
def test_a_checkpoint_of_another_training_is_replaced_with_a_word(changed, named, tmp_path):
    plan = replace(PLANS["adamw"], checkpoint=tmp_path / "checkpoint", fingerprint="a")
    with pytest.raises(EnoughError):
        learn("tokens", plan, (3, 0, give_up))
    other = replace(plan, **changed)
    with pytest.warns(RuntimeWarning, match=f"broken-off training of another {named}; training begins anew"):
        found = learn("tokens", other)
    assert_same(found, learn("tokens", replace(other, checkpoint=None)))


def test_what_does_not_change_the_result_may_change(tmp_path):
    plan = replace(PLANS["adamw"], checkpoint=tmp_path / "checkpoint")
    with pytest.raises(EnoughError):
        learn("tokens", plan, (3, 0, give_up))
    told = []
    learn("tokens", replace(plan, log_folder=tmp_path / "logs", progress=lambda *said: told.append(said)))
    assert [number for number, _ in told] == [4, 5]


def test_the_curves_of_a_resumed_training_are_whole(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plan = replace(PLANS["adamw"], checkpoint=tmp_path / "checkpoint")
    with pytest.raises(EnoughError):
        learn("tokens", plan, (3, 0, give_up))
    _, trained = learn("tokens", replace(plan, log_folder=tmp_path / "logs"))
    (events,) = (tmp_path / "logs").rglob("events.out.tfevents*")
    curves = EventAccumulator(str(events.parent)).Reload()
    assert [point.step for point in curves.Scalars("valid/loss")] == [1, 2, 3, 4, 5]
    for name in trained.history[0]:
        drawn = [point.value for point in curves.Scalars(name)]
        assert drawn == pytest.approx([one[name] for one in trained.history])


@pytest.mark.parametrize("file", ["state.safetensors", "best.safetensors", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "changed", "removed"])
def test_a_damaged_checkpoint_is_refused_with_its_name_and_what_to_do(file, how, tmp_path):
    plan = replace(PLANS["adamw"], checkpoint=tmp_path / "checkpoint")
    with pytest.raises(EnoughError):
        learn("tokens", plan, (2, 0, give_up))
    (path,) = plan.checkpoint.glob(f"*/{file}")
    content = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(content[:-20] if how == "cut" else content[:-20] + b"0" * 20)
    with pytest.raises(ArtifactError, match=rf"pass-0002.*remove {plan.checkpoint}, and that training begins anew"):
        learn("tokens", plan)


SCRIPT = """
import importlib.util, sys, time
from dataclasses import replace
from pathlib import Path
spec = importlib.util.spec_from_file_location("test_checkpoints", sys.argv[1])
here = importlib.util.module_from_spec(spec)
spec.loader.exec_module(here)

def wait():
    print("in the middle", flush=True)
    time.sleep(60)

here.learn(sys.argv[3], replace(here.PLANS[sys.argv[4]], checkpoint=Path(sys.argv[2])), (2, 4, wait))
"""


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_and_ctrl_c_lose_no_more_than_a_pass(sent, tmp_path):
    folder = tmp_path / "checkpoint"
    command = [sys.executable, "-c", SCRIPT, __file__, str(folder), "tokens", "adamw"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in the middle\n", process.stderr.read()
        time.sleep(0.1)
        os.kill(process.pid, sent)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == -sent
    assert ("KeyboardInterrupt" in errors) is (sent == signal.SIGINT)
    told = []
    plan = replace(PLANS["adamw"], checkpoint=folder)
    again = learn("tokens", replace(plan, progress=lambda number, _: told.append(number)))
    assert told == [3, 4, 5]
    assert_same(again, learn("tokens", PLANS["adamw"]))
