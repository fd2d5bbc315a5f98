"""Training that is killed goes on where it was, to the very same files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tagloom import Tagger

ROOT = Path(__file__).parent.parent.parent

TRAIN = """
import sys
import torch
from pathlib import Path
from tagloom import Products, Tagger
torch.set_num_threads(1)
rows = [
    {"product_id": str(n), "title": f"own{n % 12} w{n % 7} v{n % 5} {n}", "tags": [f"t{n % 12}", f"u{n % 3}"]}
    for n in range(360)
]
model, checkpoint, *experts = sys.argv[1:]
settings = {"epochs": 4, "learning_rate": 0.01, "width": 32, "patience": 9}
tagger = Tagger(experts=tuple(experts), **settings)
said = lambda expert, number, figures: print(expert, number, flush=True)
tagger.fit(Products.of(rows), checkpoint=Path(checkpoint), progress=said)
tagger.save(model)
"""


def process(tmp_path, model, experts):
    command = [sys.executable, "-c", TRAIN, str(tmp_path / model), str(tmp_path / "going-on"), *experts]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


def heard(running, until=None):
    """What it says, up to a line; then it is killed."""
    said = []
    for line in running.stdout:
        said.append(line.strip())
        if said[-1] == until:
            running.kill()
            break
    running.stdout.close()
    errors = running.stderr.read()
    running.stderr.close()
    running.wait(timeout=60)
    assert (running.returncode == 0) is (until is None), errors
    return said


def files_of(folder):
    """Every file's bytes; of how training went not how long it took, and of the manifest nothing."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
    told = json.loads(found.pop("training.json"))
    for one in told.values():
        for figures in one["history"]:
            del figures["train/seconds"], figures["train/texts_per_second"]
    return {**found, "training.json": told}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experts", "killed_at"),
    [
        (("linear", "lstm", "nearest"), "lstm 2"),
        (("bag", "cnn", "name"), "bag 1"),
        (("transformer", "tree"), "transformer 3"),
    ],
)
def test_a_killed_training_ends_with_the_files_of_one_that_was_not(experts, killed_at, tmp_path):
    heard(process(tmp_path, "whole", experts))
    assert not (tmp_path / "going-on").exists() or not any((tmp_path / "going-on").iterdir())
    heard(process(tmp_path, "never", experts), until=killed_at)
    assert not (tmp_path / "never").exists()
    said = heard(process(tmp_path, "resumed", experts))
    expert, number = killed_at.split()
    assert [line for line in said if line.startswith(expert)] == [f"{expert} {n}" for n in range(int(number) + 1, 5)]
    whole, resumed = files_of(tmp_path / "whole"), files_of(tmp_path / "resumed")
    assert whole.keys() == resumed.keys()
    assert [name for name in whole if whole[name] != resumed[name]] == []
    assert Tagger.load(tmp_path / "resumed").suggest("own3 w1") == Tagger.load(tmp_path / "whole").suggest("own3 w1")
