"""A script that trains one encoder on two processes; `test_processes.py` runs it.

Called with: `tokens` or `sparse`, a folder for notes, what to do (`learn`, `die`, `nan`, `stop`, `resume`).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import nn

from tagloom.data.batches import SparseBatches, TokenBatches
from tagloom.nn.bag import BagEncoder
from tagloom.nn.losses import binary_cross_entropy
from tagloom.nn.training import TrainingPlan, train

TAGS, TEXTS, EPOCHS, BATCH = 4, 64, 6, 8


class Tokens(nn.Module):
    """Mean of word vectors, some hidden, with a count of its steps."""

    def __init__(self):
        super().__init__()
        self.words, self.tags, self.hide = nn.Embedding(TAGS + 3, 8), nn.Linear(8, TAGS), nn.Dropout(0.1)
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, tokens, lengths):
        self.steps += self.training
        mean = (self.words(tokens) * (tokens > 0)[:, :, None]).sum(1) / lengths[:, None]
        return self.tags(self.hide(mean))


class Noted:
    """Batches that write down who took which texts, and can end a process or spoil the numbers."""

    def __init__(self, batches, folder, doing):
        self.batches, self.folder, self.doing = batches, folder, doing

    def __len__(self):
        return len(self.batches)

    def of_pass(self, number, rank=0, world=1):
        if world == 1:  # a look beforehand
            yield from self.batches.of_pass(number)
            return
        for inputs, truth, weights in self.batches.of_pass(number, rank, world):
            with (self.folder / f"texts-{rank}").open("a") as file:
                file.write(f"{number} {weights.tolist()}\n")
            if self.doing == "die" and (number, rank) == (1, 1):
                raise LookupError("planted")
            if self.doing == "nan" and (number, rank) == (2, 1):
                truth = truth * float("nan")
            yield inputs, truth, weights


def accuracy(scores, truth):
    return float((scores.argmax(1) == truth.argmax(1)).float().mean())


class Note:
    """Writes down the weights before each step, on each process; a closure would not get there."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, module, _):
        if module.training and torch.distributed.is_initialized():
            with (self.folder / f"weights-{torch.distributed.get_rank()}").open("a") as file:
                file.write(f"{[part.detach().double().sum().item() for part in module.parameters()]}\n")


def main(kind, folder, doing):
    tag = np.arange(TEXTS) % TAGS
    truth, counts = csr_matrix(np.eye(TAGS, dtype=np.float32)[tag]), np.arange(1, TEXTS + 1)
    if kind == "tokens":
        torch.manual_seed(0)
        encoder = Tokens()
        texts = [np.array([one + 1, *[TAGS + 2] * (ix % 3)]) for ix, one in enumerate(tag)]
        batches, valid = TokenBatches(texts, truth, BATCH, 0, counts), TokenBatches(texts, truth, 16)
        settings = {"learning_rate": 0.1, "dropout": 0.0, "optimiser": "adamw"}
    else:
        encoder = BagEncoder(TAGS, 8, torch.zeros(TAGS), torch.Generator().manual_seed(0))
        features = csr_matrix(np.eye(TAGS, dtype=np.float32)[tag])
        batches, valid = SparseBatches(features, truth, BATCH, 0, counts), SparseBatches(features, truth, 16)
        settings = {"learning_rate": 40.0, "dropout": 0.1}
    encoder.register_forward_pre_hook(Note(folder))

    def leave(number, _):
        if doing == "stop" and number == 3:
            raise LookupError("enough")

    checkpoint = folder / "checkpoint" if doing in ("stop", "resume") else None
    plan = TrainingPlan(EPOCHS, 9, seed=0, devices=2, threads=1, checkpoint=checkpoint, progress=leave, **settings)
    before = dict(os.environ)
    trained = train(encoder, binary_cross_entropy, plan, Noted(batches, folder, doing), valid, accuracy)
    assert before == dict(os.environ), before.items() ^ os.environ.items()
    assert not torch.distributed.is_initialized()
    weights = {name: part.tolist() for name, part in encoder.state_dict().items()}
    json.dump([trained.epochs, trained.best[0], trained.stopped, weights], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
