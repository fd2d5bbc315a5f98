"""The Recommender beside its own baselines and RecTools, in one run over the same logs.

    python benchmarks/recommending.py [--data amazon_beauty amazon_toys goodbooks hm] [--seeds 3] [--only ours sasrec]
    python benchmarks/recommending.py --show                 # print the tables of the figures that there are

All products are ranked for each user. On amazon_* and goodbooks a user's last product is test and the one before it
valid; what the user has is not ranked. On hm the last day is test. Each system learns from everything but test: what is
chosen (passes, weights of the blend, the peer's best epoch) is chosen on valid, and then valid is learned from, too, as
RecTools' own benchmark does. `ours, valid not learned from` is the same run before that last step, as most papers
have it.
Settings are the defaults, the same for all logs, but for what a log asks for (how its end is held out); they were
chosen on valid of amazon_beauty and amazon_toys. The peers' settings: see `_rectools.py`; they run in an environment of
their own (RECTOOLS_PEERS names one that is there), each for at most --minutes. Each system runs alone in a process of
its own, on one thread for the networks. Data: see `_logs.py`.

Prints tables; figures go to results/recommending_<log>.json, each with its date; those of other systems stay.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _apart import HERE, environment
from _data import FOLDER
from _logs import LOGS, Log, is_there, read_log
from _report import circumstances, known_figures, write_figures

OURS = "ours"
SHORTER = "ours, valid not learned from"
PEERS = {
    "sasrec": ["--model", "sasrec", "--loss", "softmax", "--factors", "128", "--blocks", "2", "--heads", "2"],
    "sasrec, as published": ["--model", "sasrec", "--loss", "sampled_softmax"],
    "ease": ["--model", "ease"],
    "itemknn": ["--model", "itemknn"],
}
SEEDLESS = ("ease", "itemknn")
SHOWN = ("HR@5", "HR@10", "nDCG@5", "nDCG@10", "MRR@100", "coverage@10", "popularity lift@10")
COSTS = {"train s": "training seconds", "peak MiB": "peak MiB"}
_LIBRARIES = ("torch", "lightning", "scikit-learn", "scipy", "numpy", "polars")
AHEAD = "recommender ahead by, in nDCG@10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=tuple(LOGS), default=("amazon_beauty", "amazon_toys"))
    parser.add_argument("--seeds", type=int, default=1, help="runs of systems that take a seed, with seeds 0, 1, ...")
    parser.add_argument("--only", nargs="+", choices=(OURS, *PEERS), default=(OURS, *PEERS), help="these systems")
    parser.add_argument("--minutes", type=float, default=20, help="the most that a peer trains")
    parser.add_argument("--show", action="store_true", help="print the figures that there are, and run nothing")
    wanted = parser.parse_args()
    for name in wanted.data:
        if not wanted.show and not is_there(name):
            print(f"skipped: {FOLDER / LOGS[name][1]} is missing; set TAGLOOM_DATA to the data folder")
            continue
        if not wanted.show:
            compare(name, wanted.only, wanted.seeds, wanted.minutes)
        if figures := known_figures(_file(name)):
            print(tables(name, figures), flush=True)


def compare(name: str, systems: Sequence[str], seeds: int, minutes: float) -> None:
    """Run the systems one after the other, and keep the figures of each as soon as they are there."""
    for system in systems:
        runs = []
        for seed in range(1 if system in SEEDLESS else seeds):
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                runs.append(alone.submit(measure, name, system, seed, minutes).result())
            best = runs[-1]["products"].get("recommender") or next(iter(runs[-1]["products"].values()))
            told = f"HR@10 {best['HR@10']:.4f}, nDCG@10 {best['nDCG@10']:.4f}, {runs[-1]['training seconds']:,.0f} s"
            print(f"{name}, {system}, seed {seed}: {told}", file=sys.stderr, flush=True)
            known = known_figures(_file(name))
            kept = {**known.get("systems", {}), system: {**circumstances(_LIBRARIES), "runs": runs}}
            ordered = {one: kept[one] for one in (OURS, *PEERS) if one in kept}
            write_figures(_file(name), {"log": name, "systems": ordered})


def measure(name: str, system: str, seed: int, minutes: float) -> dict[str, Any]:
    """One system's figures; runs in a process of its own."""
    log = read_log(name)
    return _ours(log, seed) if system == OURS else _peer(log, PEERS[system], seed, minutes)


def _ours(log: Log, seed: int) -> dict[str, Any]:
    """Ours after learning from all but test; and, under `SHORTER`, before valid was learned from."""
    from tagloom.recs.experts.contract import Asked, TrainingData
    from tagloom.recs.fit import Listeners, learned_again
    from tagloom.recs.recommender import Recommender
    from tagloom.recs.split import hold_out

    before, after = _parts(log)
    started = time.perf_counter()
    recommender = Recommender(**log.settings, seed=seed, refit=False).fit(log.products, before)
    seconds = time.perf_counter() - started
    shorter = {**_told(recommender.evaluate(before, after)), "training seconds": seconds, "peak MiB": _peak()}
    fitted = recommender._fitted
    assert fitted is not None
    started = time.perf_counter()
    held = hold_out(fitted.histories, fitted.settings.split, fitted.settings.valid)
    parts = (fitted.histories, held.before)
    data = TrainingData(*(Asked(part, fitted.items) for part in parts), held.wanted, held.rated)
    recommender._fitted = learned_again(fitted, data, Listeners())
    seconds += time.perf_counter() - started
    passes = {name: [one.epochs, one.best_epoch] for name, one in recommender.trained.items()}
    pace = {name: one.history[-1]["train/texts_per_second"] for name, one in recommender.trained.items()}
    told = {**_told(recommender.evaluate(before, after)), "training seconds": seconds, "peak MiB": _peak()}
    return {**told, "passes": passes, "events a second": pace, SHORTER: shorter}


def _told(found: Any) -> dict[str, Any]:
    """All figures, with how far ours is ahead of each other one and the interval of that."""
    from tagloom.measure.ranking import difference

    told: dict[str, Any] = found.as_dict()
    for what in ("products", "tags", "product_tags"):
        rows = getattr(found, what)
        for other, metrics in rows.items():
            if other != "recommender":
                told[what][other][AHEAD] = difference(rows["recommender"], metrics, "nDCG@10")
    return told


def _peer(log: Log, arguments: list[str], seed: int, minutes: float) -> dict[str, Any]:
    """A peer of `_rectools.py`, given the log without test; its lists are measured here."""
    from scipy.sparse import csr_matrix

    from tagloom.data.histories import histories_of
    from tagloom.measure.exposure import exposure_metrics
    from tagloom.measure.ranking import ranking_metrics

    before, after = _parts(log)
    ids = tuple(log.products.frame["product_id"])
    earlier, later = histories_of(before, ids), histories_of(after, ids)
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, users=earlier.user, items=earlier.product_ix)
        python = environment(HERE / "rectools-requirements.txt", "RECTOOLS_PEERS") / "bin" / "python"
        more = ["--seed", str(seed), "--minutes", str(minutes), "--threads", "1"]
        subprocess.run([python, HERE / "_rectools.py", given, answer, *arguments, *more], check=True)
        with np.load(answer) as stored:
            told = {key: stored[key] for key in stored.files}
    rows = {name: row for row, name in enumerate(earlier.user_ids)}
    users = np.array([rows.get(name, -1) for name in later.user_ids])
    place = {user: ix for ix, user in enumerate(told["users"].tolist())}
    there = np.flatnonzero([user in place for user in users.tolist()])
    top = told["top"][[place[user] for user in users[there].tolist()]]
    truth = csr_matrix((np.ones(len(later.user), np.float32), (later.user, later.product_ix)), (len(later), len(ids)))
    figures = ranking_metrics(top, truth[there])
    counts = np.bincount(earlier.product_ix, minlength=len(ids))
    exposure = exposure_metrics(top, products=len(ids), popularity=counts, truth=truth[there])
    values = {"users": figures.users, **figures.values, "interval of nDCG@10": figures.interval("nDCG@10"), **exposure}
    return {
        "products": {"recommender": values},
        "training seconds": float(told["seconds_training"]),
        "validating seconds": float(told["seconds_validating"]),
        "peak MiB": int(told["peak_mib"]),
        "passes": [float(told["epochs"]), float(told["best_epoch"])],
        "events a second": float(told["events_per_second"]),
        "settings": json.loads(str(told["settings"])),
    }


def _parts(log: Log) -> tuple[Any, Any]:
    from tagloom.recs.split import split_events

    ids = log.products.frame["product_id"].to_list()
    return split_events(log.events, ids, str(log.settings["split"]), float(log.settings.get("test", 0.1)))  # type: ignore[arg-type]


def _peak() -> int:
    """MiB. Linux counts in KiB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def tables(name: str, figures: dict[str, Any]) -> str:
    """A table for each question: means over seeds, under them the spread (standard deviation) of several."""
    systems = figures["systems"]
    lines = [f"\n{name}, next products\n", f"{'':<30}" + "".join(f"{head:>20}" for head in (*SHOWN, *COSTS))]
    shown = {system: ran["runs"] for system, ran in systems.items()}
    if OURS in shown:
        shown = {OURS: shown[OURS], SHORTER: [run[SHORTER] for run in shown[OURS]], **shown}
    for system, runs in shown.items():
        lines += _rows(system, [run["products"]["recommender"] for run in runs], SHOWN)
        costs = (f"{np.mean([run[cost] for run in runs]):>20,.0f}" for cost in COSTS.values())
        lines[-1 - (len(runs) > 1)] += "".join(costs)
    own = systems.get(OURS)
    for what in ("products", "tags", "product_tags") if own else ():
        if not own["runs"][0][what]:
            continue
        lines += [
            f"\n{name}, {what.replace('_', ' ')}: each part of ours alone\n",
            f"{'':<30}" + "".join(f"{head:>20}" for head in ("HR@10", "nDCG@10")),
        ]
        for part, values in own["runs"][0][what].items():
            lines += _rows(part, [run[what][part] for run in own["runs"]], ("HR@10", "nDCG@10"))
            if ahead := values.get(AHEAD):
                lines[-1 - (len(own["runs"]) > 1)] += "   ours ahead by {:.4f} ({:.4f} to {:.4f})".format(*ahead)
    return "\n".join(lines)


def _rows(name: str, runs: list[dict[str, Any]], heads: Sequence[str]) -> list[str]:
    columns = [[run.get(head, np.nan) for run in runs] for head in heads]
    lines = [f"{name:<30}" + "".join(f"{np.mean(column):>20.4f}" for column in columns)]
    if len(runs) > 1:
        spread = "".join(f"{np.std(column, ddof=1):>20.4f}" for column in columns)
        lines.append(f"{f'  {len(runs)} seeds, ±':<30}{spread}")
    return lines


def _file(name: str) -> str:
    return f"recommending_{name}.json"


if __name__ == "__main__":
    main()
