"""Importing generated files and cleaning their tags: wall time and peak memory, and that a longer log needs no more.

    python benchmarks/importing.py [--small] [--folder DIR]

1,000,000 products, 1,000,000 events and 10,000,000 events are made by the sample shop's own generator, as CSV, and each
file is imported by a process of its own. Figures go to results/importing.json (with --small only to the screen).
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PRODUCTS, USERS, EVENTS = 1_000_000, 200_000, (1_000_000, 10_000_000)
MOST_SECONDS, MOST_GIB, MOST_GROWTH = 300, 4, 0.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a hundredth of the rows, to see that it runs")
    parser.add_argument(
        "--folder", type=Path, help="where to write the files (some 1.1 GB); a temporary one if left out"
    )
    parser.add_argument("--import-one", nargs=2, type=Path, metavar=("FILE", "SHOP"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.import_one:
        print(json.dumps(import_one(*options.import_one)))
        return
    with tempfile.TemporaryDirectory(prefix="tagloom-importing-", dir=options.folder) as folder:
        runs = [measure(path) for path in generate(Path(folder), 100 if options.small else 1)]
    results = {"hardware": hardware(), "versions": versions(), "runs": runs, "verdict": verdict(runs)}
    if options.small:
        del results["verdict"]  # figures of few rows are those of starting up
    show(results)
    if not options.small:
        path = HERE / "results" / "importing.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", "utf-8")
        print(f"\nFigures: {path}")


def generate(folder: Path, divisor: int) -> list[Path]:
    """The files to import, written row by row."""
    from tagloom.data.sample import sample_events, sample_products

    products, users = PRODUCTS // divisor, USERS // divisor
    files = [write_rows(folder / f"products-{products}.csv", sample_products(products))]
    for count in (events // divisor for events in EVENTS):
        rows = sample_events(count, products=products, users=users)
        files.append(write_rows(folder / f"events-{count}.csv", rows))
    return files


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    started = time.perf_counter()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow(row)
    print(
        f"{path.name}: {path.stat().st_size / 1e6:,.0f} MB written in {time.perf_counter() - started:.0f} s", flush=True
    )
    return path


def measure(path: Path) -> dict[str, Any]:
    """Import one file in a fresh process, into a new shop."""
    command = [sys.executable, __file__, "--import-one", str(path), str(path.with_suffix(".shop"))]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    run: dict[str, Any] = json.loads(done.stdout)
    print(f"{path.name}: imported and cleaned in {run['seconds']} s", flush=True)
    return {"file": path.name, "megabytes": round(path.stat().st_size / 1e6, 1), **run}


def import_one(path: Path, folder: Path) -> dict[str, Any]:
    """What the fresh process does: `tagloom import`, which for products ends with cleaning all tags."""
    from tagloom.shop import Shop

    started = time.perf_counter()
    shop = Shop.create(folder)
    (report,) = shop.load(path)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux gives KiB
    return {
        "table": report.table,
        "read": report.read,
        "kept": report.kept,
        "tags": len(shop.vocabulary.tags),
        "seconds": round(seconds, 1),
        "rows_per_second": round(report.read / seconds),
        "peak_gib": round(peak / 2**30, 2),
    }


def verdict(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures against what was promised: products and the larger log together, memory between the two logs."""
    products, fewer, more = runs
    seconds = products["seconds"] + more["seconds"]
    growth = more["peak_gib"] / fewer["peak_gib"] - 1
    return {
        "seconds_for_products_and_all_events": round(seconds, 1),
        "peak_gib": max(run["peak_gib"] for run in runs),
        "memory_growth_from_fewer_to_more_events": round(growth, 3),
        "kept": seconds < MOST_SECONDS and max(run["peak_gib"] for run in runs) < MOST_GIB and growth < MOST_GROWTH,
    }


def hardware() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {"cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(), "system": platform.system()}


def versions() -> dict[str, str]:
    names = ("polars", "pyarrow", "pydantic")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def show(results: Mapping[str, Any]) -> None:
    print(f"\n{'file':24}{'rows':>12}{'MB':>9}{'seconds':>9}{'rows/s':>10}{'peak GiB':>10}")
    for run in results["runs"]:
        print(
            f"{run['file']:24}{run['read']:>12,}{run['megabytes']:>9,.0f}{run['seconds']:>9.1f}"
            f"{run['rows_per_second']:>10,}{run['peak_gib']:>10.2f}"
        )
    for name, value in results.get("verdict", {}).items():
        print(f"{name.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    main()
