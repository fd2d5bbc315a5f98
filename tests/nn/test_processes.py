"""Where training runs: threads, precision, random numbers, and two processes that train one encoder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from tagloom.errors import SettingsError
from tagloom.nn.linear import LinearEncoder
from tagloom.nn.losses import binary_cross_entropy
from tagloom.nn.processes import check_devices, own_random, pick_precision, torch_threads

ROOT = Path(__file__).parent.parent.parent
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def batch(texts, tokens):
    return (torch.ones(texts, tokens, dtype=torch.int64), torch.full((texts,), tokens)), torch.zeros(texts, 3), None


# Threads


def threads_for(encoder, threads=0, batches=(), devices=1):
    before = torch.get_num_threads()
    with torch_threads(threads, encoder, list(batches), devices):
        chosen = torch.get_num_threads()
    assert torch.get_num_threads() == before
    return chosen


def test_only_long_steps_are_shared_among_the_cores():
    assert threads_for(nn.Linear(1_000, 1_000), batches=[batch(40, 30)]) == CORES
    assert threads_for(nn.Linear(1_000, 1_000), batches=[batch(40, 10)]) == 1
    assert threads_for(nn.Embedding(1_000, 1_000), batches=[batch(40, 30)]) == 1
    assert threads_for(LinearEncoder(1_000, torch.zeros(1_000)), batches=[batch(40, 30)]) == 1
    assert threads_for(nn.Linear(1_000, 1_000)) == 1


def test_processes_share_the_cores_between_them():
    assert threads_for(nn.Linear(1_000, 1_000), batches=[batch(40, 30)], devices=CORES) == 1


def test_threads_are_as_many_as_asked_for_and_as_before_afterwards():
    assert threads_for(nn.Linear(1, 1), threads=2) == 2
    before = torch.get_num_threads()
    with pytest.raises(LookupError), torch_threads(before + 1, nn.Linear(1, 1), [], 1):
        raise LookupError
    assert torch.get_num_threads() == before


# Random numbers


def test_random_numbers_of_the_process_stay_as_they_were_after_errors_too():
    before, seed = torch.get_rng_state(), torch.initial_seed()

    def draw():
        with own_random():
            torch.manual_seed(7)
            torch.rand(3)
            raise LookupError

    with pytest.raises(LookupError):
        draw()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.initial_seed() == seed


# Precision


class Slow(nn.Module):
    """Slow in one precision."""

    def __init__(self, slow_in):
        super().__init__()
        self.slow_in, self.linear, self.steps = slow_in, nn.Linear(4, 3), 0

    def forward(self, tokens, _):
        self.steps += 1
        scores = self.linear(tokens.float())
        if scores.dtype == self.slow_in:
            time.sleep(0.02)
        return scores


@pytest.mark.parametrize(("slow_in", "faster"), [(torch.float32, "bf16"), (torch.bfloat16, "32"), (None, "32")])
def test_the_faster_precision_is_found_and_the_encoder_left_alone(slow_in, faster):
    encoder = Slow(slow_in)
    weights = encoder.linear.weight.clone()
    if slow_in is not None:  # equally fast ones are a matter of luck on a busy machine
        assert pick_precision("auto", encoder, binary_cross_entropy, [batch(2, 4)]) == faster
    assert pick_precision("32", encoder, binary_cross_entropy, []) == "32"
    assert pick_precision("bf16", encoder, binary_cross_entropy, []) == "bf16"
    assert torch.equal(encoder.linear.weight, weights)
    assert encoder.linear.weight.grad is None
    assert encoder.steps == 0


# Devices


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
def test_more_gpus_than_there_are_and_sparse_tables_on_several_are_refused():
    check_devices(nn.Linear(1, 1), 2)
    check_devices(LinearEncoder(2, torch.zeros(3)), 1)
    with pytest.raises(SettingsError, match="3 devices were asked for; this machine has 2 GPUs"):
        check_devices(nn.Linear(1, 1), 3)
    with pytest.raises(SettingsError, match=r"2 GPUs cannot share a linear or bag encoder.*use one device"):
        check_devices(LinearEncoder(2, torch.zeros(3)), 2)


# Two processes


def run(folder, kind, doing="learn"):
    folder.mkdir(exist_ok=True)
    script = Path(__file__).parent / "two_processes.py"
    command = [sys.executable, "-W", "error", str(script), kind, str(folder), doing]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def learned(done):
    """Passes, accuracy, why it stopped, weights."""
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def notes(folder, what):
    """What each process wrote down."""
    return [(folder / f"{what}-{rank}").read_text().splitlines() for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tokens", "sparse"])
def test_two_processes_learn_together_what_was_planted(kind, tmp_path):
    passes, accuracy, stopped, _ = learned(run(tmp_path, kind))
    assert (passes, accuracy, stopped) == (6, 1.0, "")
    one, other = notes(tmp_path, "texts")
    assert len(one) == len(other) == 6 * 4
    assert not set(one) & set(other), "a batch is taken by one process alone"
    one, other = notes(tmp_path, "weights")
    assert one == other
    assert len(set(one)) == 6 * 4, "every step moved them"


@pytest.mark.slow
def test_what_two_processes_broke_off_they_end_as_if_nothing_had_happened(tmp_path):
    stopped = run(tmp_path, "tokens", "stop")
    assert stopped.returncode == 1
    assert stopped.stderr.endswith("LookupError: enough\n")
    assert learned(run(tmp_path, "tokens", "resume")) == learned(run(tmp_path / "whole", "tokens"))
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.slow
def test_a_process_that_ends_early_ends_training_with_a_word(tmp_path):
    done = run(tmp_path, "tokens", "die")
    assert done.returncode == 1
    assert "LookupError: planted" in done.stderr
    assert "TagloomError: one of the processes that train together ended with exit code 1; its own" in done.stderr


@pytest.mark.slow
def test_runaway_numbers_in_one_process_stop_all(tmp_path):
    passes, _, stopped, weights = learned(run(tmp_path, "tokens", "nan"))
    assert (passes, stopped) == (2, "the loss was no finite number")
    assert torch.tensor(weights["words.weight"]).isfinite().all()
