"""Events a second in training, beside a plain padded implementation of the same network, in one run.

    python benchmarks/recommending_speed.py [--data amazon_beauty] [--seconds 60] [--threads 1]

All three train the same transformer (tiny: two layers of width 128) on the same histories, with AdamW and the softmax
over all products; an event counts when what comes after it is learned. `ours`: windows of equal length together, the
softmax of `nn.softmax`, 16 or 32 bits, whichever this machine does faster (said in the table). `padded`: every history
filled up to 50 events, scores at every place, padding's dropped afterwards, `torch.nn.functional.cross_entropy`: the
usual way. `padded, scored where asked`: the same, but scores are made for events alone. Also an answer: one user's ten
best products, in process, over the whole catalogue, for the blend.

Prints a table; the figures go to results/recommending_speed.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from _logs import LOGS, read_log
from _report import circumstances, write_figures
from torch.nn.functional import cross_entropy, normalize

from tagloom.config import RecommenderSettings
from tagloom.data.histories import histories_of
from tagloom.nn.events import PaddedHistories
from tagloom.nn.items import ItemTable
from tagloom.nn.next_items import NextItems, NextLearner
from tagloom.nn.processes import pick_precision
from tagloom.nn.sizes import SIZES
from tagloom.recs.items import Items, Known
from tagloom.recs.recommender import Recommender
from tagloom.recs.split import split_events
from tagloom.recs.windows import WindowBatches, Windows

LENGTH, WINDOWS = 50, 128
Step = Callable[[tuple[torch.Tensor, ...]], torch.Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=tuple(LOGS), default="amazon_beauty")
    parser.add_argument("--seconds", type=float, default=60, help="how long each is timed")
    parser.add_argument("--threads", type=int, default=1)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    log = read_log(wanted.data)
    settings = RecommenderSettings()
    items = Items.of(log.products, Known.of(log.products, {}, (), settings.max_features))
    histories = histories_of(log.events, items.product_ids).without_last(2)
    weights = np.ones(len(histories.product_ix), np.float32)
    windows = Windows.of(histories, items.known.word_rows, weights, LENGTH)
    batches = WindowBatches(windows, 2_048, seed=0)
    rows: dict[str, Any] = {}
    bits = pick_precision("auto", _learner(items), lambda outputs, _: outputs[:, 0], _some(batches))
    rows[f"ours, {bits} bits" if bits == "32" else f"ours, {bits}"] = _pace(
        _ours(items, bits), iter_of(batches), wanted
    )
    padded = _Padded(windows)
    rows["padded, scored where asked"] = _pace(_plain(items, everywhere=False), padded, wanted)
    rows["padded"] = _pace(_plain(items, everywhere=True), padded, wanted)
    print(f"{wanted.data}, {len(windows):,} histories, {len(items):,} products, {wanted.threads} threads\n")
    for name, pace in rows.items():
        print(f"{name:<30}{pace:>12,.0f} events a second {pace / rows['padded']:>8.1f} times")
    answer = _answers(log)
    print(
        f"one answer: p50 {answer['p50']:.1f} ms, p99 {answer['p99']:.1f} ms;"
        f" {answer['users a second']:,.0f} users a second together"
    )
    figures = {**circumstances(("torch", "numpy")), "log": wanted.data, "threads": wanted.threads}
    write_figures("recommending_speed.json", {**figures, "events a second": rows, "answer": answer})


def _network(items: Items) -> NextItems:
    known, size = items.known, SIZES["tiny"]
    table = ItemTable(len(known.product_ids), len(known.tags), known.words, size.width)
    network = NextItems("transformer", size, table, 7, dropout=0.5)
    network.start(torch.Generator().manual_seed(0), torch.zeros(len(known.tags)))
    return network


def _learner(items: Items) -> NextLearner:
    return NextLearner(_network(items), items.shelf, "full_softmax", torch.ones(len(items)))


def _some(batches: WindowBatches) -> list[Any]:
    return [batch for batch, _ in zip(batches.of_pass(0), range(2), strict=False)]


def iter_of(batches: WindowBatches) -> Iterator[tuple[torch.Tensor, ...]]:
    number = 0
    while True:
        for inputs, _, _ in batches.of_pass(number):
            yield inputs
        number += 1


def _ours(items: Items, bits: str) -> Step:
    learner = _learner(items).train()
    optimiser = torch.optim.AdamW([part for part in learner.parameters() if part.requires_grad], lr=1e-3, fused=True)

    def step(inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bits == "bf16"):
            lost = learner(*inputs)[:, 0].float().mean()
        optimiser.zero_grad()
        lost.backward()
        optimiser.step()
        return lost

    return step


def _plain(items: Items, *, everywhere: bool) -> Step:
    network = _network(items).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)

    def step(inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        *parts, targets, _ = inputs
        vectors = network.items(items.shelf)
        states = network.states(PaddedHistories(*parts), vectors)  # [B, 50, D]
        wanted = targets.flatten()
        flat = states.flatten(0, 1)
        if not everywhere:
            flat, wanted = flat[wanted >= 0], wanted[wanted >= 0]
        scores = network.pointing(flat) @ normalize(vectors, dim=-1).T
        lost = cross_entropy(scores, wanted, ignore_index=-1)
        optimiser.zero_grad()
        lost.backward()
        optimiser.step()
        return lost

    return step


class _Padded:
    """The same windows, each filled up to `LENGTH` places, so many at a time, in a drawn order."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        # One batch after the other of the same machinery, then filled up.
        order = np.random.default_rng(0).permutation(len(self.windows))
        plain = WindowBatches(self.windows, 1)
        for start in range(0, len(order) - WINDOWS, WINDOWS):
            inputs, _, _ = plain._padded(order[start : start + WINDOWS])
            yield tuple(self._filled(part, -1 if ix in (0, 8) else 0) for ix, part in enumerate(inputs))

    @staticmethod
    def _filled(part: torch.Tensor, missing: int) -> torch.Tensor:
        """Products and what came next end with -1, all else with 0."""
        if part.ndim != 2:
            return part
        filled = torch.full((len(part), LENGTH), missing, dtype=part.dtype)
        filled[:, : part.shape[1]] = part
        return filled


def _pace(step: Step, batches: Any, wanted: argparse.Namespace) -> float:
    """Events learned a second; the first step warms up."""
    events, started = 0, 0.0
    for number, inputs in enumerate(batches):
        step(inputs)
        if number == 0:
            started = time.perf_counter()
            continue
        events += int((inputs[-2] >= 0).sum())
        if time.perf_counter() - started > wanted.seconds:
            break
    return events / (time.perf_counter() - started)


def _answers(log: Any) -> dict[str, float]:
    """Milliseconds of one user's ten products, and users a second when many are asked together."""
    before, _ = split_events(log.events, log.products.frame["product_id"].to_list(), "last", 0.1)
    recommender = Recommender(**log.settings, epochs=1, refit=False).fit(log.products, before)
    users = before.frame["user_id"].unique(maintain_order=True).to_list()
    took = []
    for user in users[:500]:
        started = time.perf_counter()
        recommender.products(user)
        took.append(1_000 * (time.perf_counter() - started))
    started = time.perf_counter()
    for _ in recommender.for_users(users[:5_000]):
        pass
    together = len(users[:5_000]) / (time.perf_counter() - started)
    return {"p50": float(np.median(took)), "p99": float(np.quantile(took, 0.99)), "users a second": together}


if __name__ == "__main__":
    main()
