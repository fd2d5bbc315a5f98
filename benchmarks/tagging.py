"""The Tagger, each encoder alone and the blend, beside four peers, in one run over the same products.

    python benchmarks/tagging.py [--data advertisegen hm goodbooks] [--seeds 3] [--only linear "omikuji, words"]
    python benchmarks/tagging.py --show                  # print the tables of the figures that there are
    python benchmarks/tagging.py --rows 2000 --data hm   # a trial with few products; nothing is written

Each system learns from train and is measured on test; what is chosen (penalty, step size, the confidence from which a
tag counts as given) is chosen on valid. Ours has its default settings; the peers' are searched on valid, with the first
seed, and their training seconds are those of the best settings alone. Peers: fastText, omikuji, PECOS XR-Linear,
scikit-learn one-versus-rest; see `_peers.py`, `_peers_apart.py` and `_features.py`. Each runs alone in a process of its
own, on two threads; seconds and texts a second begin at raw text; memory is the process's peak. Data: see `_data.py`.

Prints a table for each catalogue. After each system its figures go to results/tagging_<catalogue>.json, with their own
date; those of the other systems stay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from _data import CATALOGUES, FOLDER, Catalogue, is_there, read_catalogue
from _features import tags_of
from _measure import OURS, PEERS, PROMISE, SEEDLESS, means, measure
from _report import circumstances, known_figures, write_figures

QUALITY = ("P@1", "P@5", "R@10", "nDCG@10", "micro-F1", "macro-F1", "PSP@5", "ECE", "ECE@10")
KEPT = {f"P {PROMISE}": f"precision at {PROMISE}", f"R {PROMISE}": f"recall at {PROMISE}"}
COSTS = {"train s": "training seconds", "texts/s": "texts a second", "peak MiB": "peak MiB"}
_LIBRARIES = ("torch", "lightning", "scikit-learn", "omikuji", "scipy", "numpy", "rjieba", "polars")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=tuple(CATALOGUES), default=tuple(CATALOGUES))
    parser.add_argument("--seeds", type=int, default=1, help="runs of systems that take a seed, with seeds 0, 1, ...")
    parser.add_argument("--only", nargs="+", choices=(*OURS, *PEERS), default=(*OURS, *PEERS), help="these systems")
    parser.add_argument("--rows", type=int, help="at most so many products of each part; nothing is written then")
    parser.add_argument("--show", action="store_true", help="print the figures that there are, and run nothing")
    wanted = parser.parse_args()
    for name in wanted.data:
        if wanted.show:
            figures = known_figures(_file(name))
        elif not is_there(name):
            print(f"skipped: {FOLDER / CATALOGUES[name][1]} is missing; set TAGLOOM_DATA to the data folder")
            continue
        else:
            figures = compare(name, wanted.only, wanted.seeds, wanted.rows)
        if figures:
            print(table(name, figures), flush=True)


def compare(name: str, systems: Sequence[str], seeds: int, rows: int | None) -> dict[str, Any]:
    """Run the systems one after the other: the catalogue's sizes, and each system's figures by seed."""
    catalogue = read_catalogue(name, rows)
    sizes: dict[str, Any] = {part: len(getattr(catalogue, part)) for part in ("train", "valid", "test")}
    sizes["tags"] = len(tags_of(catalogue.train))
    ran: dict[str, Any] = {}
    for system in systems:
        runs = runs_of(catalogue, name, system, 1 if system in SEEDLESS else seeds)
        ran[system] = {**circumstances(_LIBRARIES), "runs": runs}
        if rows is None:
            merge(name, sizes, system, ran[system])
    return {**sizes, "systems": ran}


def runs_of(catalogue: Catalogue, name: str, system: str, count: int) -> list[dict[str, Any]]:
    """One system's figures, seed by seed; a peer's settings are searched with the first one."""
    runs: list[dict[str, Any]] = []
    for seed in range(count):
        known = runs[0]["chosen"] if runs else None
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            run = alone.submit(measure, catalogue, system, seed, known).result()
        runs.append(run)
        print(
            f"{name}, {system}, seed {seed}: nDCG@10 {run['test']['nDCG@10']:.4f}, {run['training seconds']:,} s",
            file=sys.stderr,
            flush=True,
        )
    return runs


def merge(name: str, sizes: dict[str, Any], system: str, figures: dict[str, Any]) -> None:
    """Put one system's figures into the catalogue's file; figures of a catalogue of another size are no longer true."""
    known = known_figures(_file(name))
    same = all(known.get(key) == value for key, value in sizes.items())
    systems = {**(known["systems"] if same else {}), system: figures}
    order = [each for each in (*OURS, *PEERS) if each in systems]
    write_figures(_file(name), {"catalogue": name, **sizes, "systems": {each: systems[each] for each in order}})


def table(name: str, figures: dict[str, Any]) -> str:
    """Means over seeds, and under them the spread (standard deviation) where there was more than one."""
    sizes = ", ".join(f"{figures[part]:,} {part}" for part in ("train", "valid", "test"))
    heads = (*QUALITY, *KEPT, *COSTS)
    lines = [f"\n{name}: {sizes}, {figures['tags']:,} tags\n", f"{'':<20}" + "".join(f"{head:>9}" for head in heads)]
    for system, ran in figures["systems"].items():
        runs = ran["runs"]
        both = [means(runs, measured) for measured in (*QUALITY, *KEPT.values())]
        costs = [f"{np.mean([run[cost] for run in runs]):>9,.0f}" for cost in COSTS.values()]
        lines.append(f"{system:<20}" + "".join(f"{mean:>9.4f}" for mean, _ in both) + "".join(costs))
        if len(runs) > 1:
            lines.append(f"{f'  {len(runs)} seeds, ±':<20}" + "".join(f"{spread:>9.4f}" for _, spread in both))
    slowest = {
        system: np.mean([run["training seconds"] for run in ran["runs"]])
        for system, ran in figures["systems"].items()
        if system in PEERS
    }
    if slowest:
        system = max(slowest, key=lambda peer: slowest[peer])
        lines.append(f"\nThe slowest peer to train: {system}, {slowest[system]:,.1f} s with the best settings known.")
    return "\n".join(lines)


def _file(name: str) -> str:
    return f"tagging_{name}.json"


if __name__ == "__main__":
    main()
