"""Training that is broken off, or killed, goes on where it was, to the very same Recommender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tagloom import Events, Products, Recommender, Tagger

ROOT = Path(__file__).parent.parent.parent
PRODUCTS = 12

TRAIN = """
import sys
import torch
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tagloom import Events, Products, Recommender
torch.set_num_threads(1)
rows = [{"product_id": f"p{n}", "title": f"own{n} w{n % 5} v{n % 3}", "tags": [f"t{n % 4}"]} for n in range(24)]
days = [datetime(2026, 1, 1 + day, tzinfo=UTC) for day in range(8)]
events = [
    {"user_id": f"u{u}", "action": "view", "time": time, "product_id": f"p{(u + day) % 24}"}
    for u in range(60) for day, time in enumerate(days)
]
model, checkpoint, *experts = sys.argv[1:]
settings = {"epochs": 4, "patience": 9, "batch_events": 64, "numbers": "32", "split": "last"}
recommender = Recommender(experts=tuple(experts), **settings)
said = lambda expert, number, figures: print(expert, number, flush=True)
recommender.fit(Products.of(rows), Events.of(events), checkpoint=Path(checkpoint), progress=said)
recommender.save(model)
"""


def files_of(folder):
    """Every file's bytes; of how training went not how long it took, and of manifests nothing."""
    found = {}
    for path in folder.rglob("*"):
        if path.name == "training.json":
            found[path.relative_to(folder)] = about = json.loads(path.read_text(encoding="utf-8"))
            for one in about.values():
                for figures in one["history"]:
                    del figures["train/seconds"], figures["train/texts_per_second"]
        elif path.is_file() and path.name != "manifest.json":
            found[path.relative_to(folder)] = path.read_bytes()
    return found


def differing(one, other):
    first, second = files_of(one), files_of(other)
    assert first.keys() == second.keys()
    return [name for name in first if first[name] != second[name]]


# Broken off


class StopError(Exception):
    """What breaks a training off."""


@pytest.fixture(scope="module")
def shop():
    rows = [{"product_id": f"p{n}", "title": f"own{n} w{n % 5}", "tags": [f"t{n % 4}"]} for n in range(PRODUCTS)]
    events = [
        {
            "user_id": f"u{user}",
            "action": "view",
            "time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day),
            "product_id": f"p{(user + day) % PRODUCTS}",
        }
        for user in range(30)
        for day in range(6)
    ]
    reader = Tagger(encoder="nearest").fit(Products.of(rows)), np.arange(PRODUCTS)
    return Products.of(rows), Events.of(events), reader


def fitted(shop, checkpoint, stop_at=None, **settings):
    """A Recommender and the passes that it told of."""
    passes = []

    def progress(expert, number, figures):
        passes.append((expert, number))
        if passes[-1] == stop_at:
            raise StopError

    told = {
        "model": "gru",
        "epochs": 3,
        "patience": 9,
        "batch_events": 64,
        "numbers": "32",
        "split": "last",
        **settings,
    }
    products, events, reader = shop
    recommender = Recommender(**told)
    if stop_at:
        with pytest.raises(StopError):
            recommender.fit(products, events, tagger=reader, checkpoint=checkpoint, progress=progress)
    else:
        recommender.fit(products, events, tagger=reader, checkpoint=checkpoint, progress=progress)
    return recommender, passes


def test_a_training_that_was_broken_off_goes_on_to_the_same_model(shop, tmp_path):
    whole, passes = fitted(shop, tmp_path / "none")
    assert not (tmp_path / "none").exists() or not any((tmp_path / "none").iterdir())
    whole.save(tmp_path / "whole")
    fitted(shop, tmp_path / "going-on", stop_at=("gru", 2))
    resumed, later = fitted(shop, tmp_path / "going-on")
    assert later == passes[2:]
    resumed.save(tmp_path / "resumed")
    assert differing(tmp_path / "whole", tmp_path / "resumed") == []


@pytest.mark.parametrize("settings", [{"seed": 1}, {"dropout": 0.2}, {"session_minutes": 1.0}])
def test_with_other_settings_it_begins_anew_and_says_so(shop, tmp_path, settings):
    fitted(shop, tmp_path, stop_at=("gru", 1), epochs=1)
    with pytest.warns(RuntimeWarning, match="broken-off training of another .*begins anew"):
        _, passes = fitted(shop, tmp_path, epochs=1, **settings)
    assert passes[0] == ("gru", 1)


def test_with_other_events_it_begins_anew(shop, tmp_path):
    fitted(shop, tmp_path, stop_at=("gru", 1), epochs=1)
    products, events, reader = shop
    with pytest.warns(RuntimeWarning, match="broken-off training of another fingerprint"):
        _, passes = fitted((products, Events(events.frame[:-1]), reader), tmp_path, epochs=1)
    assert passes[0] == ("gru", 1)


# Killed


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experts", "killed_at"),
    [
        (("gru", "neighbours"), "gru 2"),
        (("transformer", "neighbours", "recent"), "transformer 3"),
        (("gru", "recent"), "gru-again 1"),
    ],
)
def test_a_killed_training_ends_with_the_files_of_one_that_was_not(experts, killed_at, tmp_path):
    whole = heard(process(tmp_path, "whole", experts))
    assert not (tmp_path / "going-on").exists() or not any((tmp_path / "going-on").iterdir())
    heard(process(tmp_path, "never", experts), until=killed_at)
    assert not (tmp_path / "never").exists()
    said = heard(process(tmp_path, "resumed", experts))
    expert, number = killed_at.split()
    assert [line for line in said if line.split()[0] == expert] == [
        line for line in whole if line.split()[0] == expert and int(line.split()[1]) > int(number)
    ]
    assert differing(tmp_path / "whole", tmp_path / "resumed") == []
    history = ["p3", "p4"]
    answers = [Recommender.load(tmp_path / name).products(history=history) for name in ("whole", "resumed")]
    assert answers[0] == answers[1]
