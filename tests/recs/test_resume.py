"""Training that is broken off, or killed, goes on where it was, to the very same Recommender."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tagloom import Events, Products, Recommender, Tagger

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


def test_a_training_that_was_broken_off_goes_on_to_the_same_model(shop, differing, tmp_path):
    whole, passes = fitted(shop, tmp_path / "none")
    assert not (tmp_path / "none").exists() or not any((tmp_path / "none").iterdir())
    whole.save(tmp_path / "whole")
    fitted(shop, tmp_path / "going-on", stop_at=("gru", 2))
    resumed, later = fitted(shop, tmp_path / "going-on")
    assert later == passes[2:]
    resumed.save(tmp_path / "resumed")
    assert differing(tmp_path / "whole", tmp_path / "resumed") == []


@pytest.mark.slow
def test_a_network_that_was_done_is_not_trained_twice(shop, differing, tmp_path):
    whole, passes = fitted(shop, tmp_path / "none")
    whole.save(tmp_path / "whole")
    fitted(shop, tmp_path / "going-on", stop_at=("gru-again", 1))
    resumed, later = fitted(shop, tmp_path / "going-on")
    assert later == passes[4:]
    assert not (tmp_path / "going-on").exists()
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experts", "killed_at"),
    [
        (("gru", "neighbours"), "gru 2"),
        (("transformer", "neighbours", "recent"), "transformer 3"),
        (("gru", "recent"), "gru-again 1"),
    ],
)
def test_a_killed_training_ends_with_the_files_of_one_that_was_not(experts, killed_at, run_script, differing, tmp_path):
    whole = run_script(TRAIN, "whole", "going-on", *experts)
    assert not (tmp_path / "going-on").exists() or not any((tmp_path / "going-on").iterdir())
    run_script(TRAIN, "never", "going-on", *experts, until=killed_at)
    assert not (tmp_path / "never").exists()
    said = run_script(TRAIN, "resumed", "going-on", *experts)
    expert, number = killed_at.split()
    assert [line for line in said if line.split()[0] == expert] == [
        line for line in whole if line.split()[0] == expert and int(line.split()[1]) > int(number)
    ]
    assert differing(tmp_path / "whole", tmp_path / "resumed") == []
    history = ["p3", "p4"]
    answers = [Recommender.load(tmp_path / name).products(history=history) for name in ("whole", "resumed")]
    assert answers[0] == answers[1]
