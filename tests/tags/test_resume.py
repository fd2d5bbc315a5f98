"""Training that is killed goes on where it was, to the very same files."""

from __future__ import annotations

import pytest

from tagloom import Tagger

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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experts", "killed_at"),
    [
        (("linear", "lstm", "nearest"), "lstm 2"),
        (("bag", "cnn", "name"), "bag 1"),
        (("transformer", "tree"), "transformer 3"),
    ],
)
def test_a_killed_training_ends_with_the_files_of_one_that_was_not(experts, killed_at, run_script, differing, tmp_path):
    run_script(TRAIN, "whole", "going-on", *experts)
    assert not (tmp_path / "going-on").exists() or not any((tmp_path / "going-on").iterdir())
    run_script(TRAIN, "never", "going-on", *experts, until=killed_at)
    assert not (tmp_path / "never").exists()
    said = run_script(TRAIN, "resumed", "going-on", *experts)
    expert, number = killed_at.split()
    assert [line for line in said if line.startswith(expert)] == [f"{expert} {n}" for n in range(int(number) + 1, 5)]
    assert differing(tmp_path / "whole", tmp_path / "resumed") == []
    assert Tagger.load(tmp_path / "resumed").suggest("own3 w1") == Tagger.load(tmp_path / "whole").suggest("own3 w1")
