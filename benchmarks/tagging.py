"""The Tagger beside scikit-learn one-versus-rest and omikuji's label trees, in one run over the same products.

    python benchmarks/tagging.py [--data advertisegen hm] [--seeds 3] [--only linear "omikuji, words"]

Each system learns from train and is measured on test; what is chosen (penalty, step size, the confidence from which a
tag counts as given) is chosen on valid. Ours has its default settings; the peers' features are in `_peers.py`. Each
runs alone in a process of its own, on two threads; seconds and texts a second begin at raw text; memory is the
process's peak, the catalogue and the libraries in it. Data: see `_data.py`.
Prints a table for each catalogue; a run of all systems goes to results/tagging.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _data import CATALOGUES, FOLDER, Catalogue, is_there, read_catalogue
from _peers import THREADS, Fitted, omikuji_trees, one_versus_rest, truth_of

from tagloom.config import settings_from
from tagloom.data.tables import Products
from tagloom.measure.tagging import best_threshold, tag_metrics
from tagloom.tags.tagger import Tagger

RESULTS = Path(__file__).parent / "results" / "tagging.json"
# Name -> settings; what they leave out has its default.
OURS: dict[str, dict[str, Any]] = {
    "popular": {"encoder": "popular"},
    "bag": {"encoder": "bag"},
    "linear": {"encoder": "linear"},
}
# Name -> peer and its longest run of words. Both lengths stand in the table: which is better depends on the catalogue.
PEERS = {
    "one-vs-rest, words": (one_versus_rest, 1),
    "one-vs-rest, pairs": (one_versus_rest, 2),
    "omikuji, words": (omikuji_trees, 1),
    "omikuji, pairs": (omikuji_trees, 2),
}
QUALITY = ("P@1", "P@5", "R@10", "nDCG@10", "micro-F1", "macro-F1")
_LIBRARIES = ("torch", "lightning", "scikit-learn", "omikuji", "scipy", "numpy", "rjieba", "polars")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=tuple(CATALOGUES), default=tuple(CATALOGUES))
    parser.add_argument("--seeds", type=int, default=1, help="runs of our systems, with seeds 0, 1, ...")
    parser.add_argument("--only", nargs="+", choices=(*OURS, *PEERS), help="these systems; no figures are written then")
    wanted = parser.parse_args()
    for name in wanted.data:
        if not is_there(name):
            print(f"skipped: {FOLDER / CATALOGUES[name][1]} is missing; set TAGLOOM_DATA to the data folder")
            continue
        figures = compare(name, wanted.only or (*OURS, *PEERS), wanted.seeds)
        print(table(name, figures))
        if not wanted.only:
            write(name, figures)


def compare(name: str, systems: Sequence[str], seeds: int) -> dict[str, Any]:
    """Run the systems one after the other: the catalogue's sizes, and each system's figures by seed."""
    catalogue = read_catalogue(name)
    sizes = {part: len(getattr(catalogue, part)) for part in ("train", "valid", "test")}
    tags = catalogue.train.frame["tags"].explode().n_unique()
    ran: dict[str, Any] = {}
    # omikuji takes no seed, and the popular tags need none.
    repeats = {system: seeds if system in OURS and system != "popular" else 1 for system in systems}
    for system, count in repeats.items():
        ran[system] = []
        for seed in range(count):
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                ran[system].append(alone.submit(measure, name, system, seed).result())
            print(
                f"{name}, {system}, seed {seed}: {ran[system][-1]['test']['nDCG@10']:.4f}", file=sys.stderr, flush=True
            )
    return {**sizes, "tags": tags, "systems": ran}


def measure(name: str, system: str, seed: int) -> dict[str, Any]:
    """Train one system and measure it on valid and test."""
    import torch

    # Imported here, since one import takes longer than some trainings.
    import tagloom.nn.training  # noqa: F401

    torch.set_num_threads(THREADS)
    catalogue, load = read_catalogue(name), os.getloadavg()[0]
    if system in PEERS:
        peer, longest = PEERS[system]
        fitted = peer(catalogue, seed, longest)
    else:
        fitted = ours(catalogue, OURS[system], seed)
    known = fitted.confidences(catalogue.valid.texts.to_list())
    threshold = best_threshold(known, truth_of(catalogue.valid, fitted.tags).toarray())
    valid = figures_of(known, catalogue.valid, fitted.tags, threshold)
    texts = catalogue.test.texts.to_list()
    started = time.perf_counter()
    known = fitted.confidences(texts)
    seconds = time.perf_counter() - started
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seed": seed,
        "valid": valid,
        "test": figures_of(known, catalogue.test, fitted.tags, threshold),
        "threshold": threshold,
        "training seconds": round(fitted.seconds, 1),
        "texts a second": round(len(texts) / seconds),
        "peak MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20),
        "load average before": round(load, 2),
        "chosen": fitted.chosen,
    }


def ours(catalogue: Catalogue, settings: dict[str, Any], seed: int) -> Fitted:
    tagger = Tagger(**settings, seed=seed)
    started = time.perf_counter()
    tagger.fit(catalogue.train, catalogue.valid)
    seconds = time.perf_counter() - started
    trained = tagger.trained
    chosen: dict[str, Any] = {"settings": settings_from({"tagger": tagger.settings}).tagger.model_dump()}
    if trained is not None:
        chosen |= {"passes": trained.epochs, "best pass": trained.best_epoch}
    return Fitted(list(tagger.tags), lambda texts: np.vstack(list(tagger.confidences(texts))), seconds, chosen)


def figures_of(known: np.ndarray, products: Products, tags: list[str], threshold: float) -> dict[str, float]:
    """Measure confidences [P, L]; true tags that training never showed count as missed, as in `Tagger.evaluate`."""
    unknown = sorted(set(products.frame["tags"].explode().drop_nulls()) - set(tags))
    truth = truth_of(products, [*tags, *unknown]).toarray()
    scores = np.hstack([known, np.full((len(known), len(unknown)), -1.0, known.dtype)])
    values = tag_metrics([(scores, truth)], threshold).values
    return {measure: round(value, 4) for measure, value in values.items()}


def table(name: str, figures: dict[str, Any]) -> str:
    """Means over seeds, and under them the spread (standard deviation) where there was more than one."""
    sizes = ", ".join(f"{figures[part]:,} {part}" for part in ("train", "valid", "test"))
    lines = [f"\n{name}: {sizes}, {figures['tags']:,} tags\n"]
    lines.append(f"{'':<20}" + "".join(f"{head:>10}" for head in (*QUALITY, "train s", "texts/s", "peak MiB")))
    for system, runs in figures["systems"].items():
        rows = np.array([[run["test"][measure] for measure in QUALITY] for run in runs])
        costs = [np.mean([run[cost] for run in runs]) for cost in ("training seconds", "texts a second", "peak MiB")]
        quality = "".join(f"{value:>10.4f}" for value in rows.mean(0))
        lines.append(f"{system:<20}{quality}{costs[0]:>10,.1f}{costs[1]:>10,.0f}{costs[2]:>10,.0f}")
        if len(runs) > 1:
            lines.append(
                f"{f'  {len(runs)} seeds, ±':<20}" + "".join(f"{value:>10.4f}" for value in rows.std(0, ddof=1))
            )
    return "\n".join(lines)


def write(name: str, figures: dict[str, Any]) -> None:
    """Put one catalogue's run into the figures file; the other catalogues' stay."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    known[name] = {
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(),
        "versions": {library: _version(library) for library in _LIBRARIES},
        **figures,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"\nFigures: {RESULTS}")


def hardware() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
