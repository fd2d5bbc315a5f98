"""The Recommender from 10,000 to 1,000,000 products, ten events each: seconds, memory, answers, quality.

    python benchmarks/recommending_million.py [--products 10000 100000 1000000]
    python benchmarks/recommending_million.py --show      # the table and the plot of the figures that there are

Each size runs alone in a process of its own, on one thread. The shop is grown by `_grown.py`, whose structure is known:
`oracle` is the HR@10 of whoever knows it. One pass over the events, no second learning with valid, all else by default.
Told of each size:
- train: seconds, and of these the network's seconds per event;
- peak MiB: of the process, shop included;
- answer: milliseconds of `products(user_id)`, and of a history given by hand, one after the other, p50 and p99;
- recall: of the ten products that looking at each of all products gives, how many the answer has;
- HR@10 of 2,000 users' last products, beside the oracle's and the most popular products'.

Figures go to results/recommending_million.json, the plot to docs/images/million.png.
"""

from __future__ import annotations

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _grown import grown, oracle
from _report import circumstances, known_figures, write_figures

FILE = "recommending_million.json"
PLOT = Path(__file__).parents[1] / "docs" / "images" / "million.png"
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SETTINGS = {"epochs": 1, "refit": False, "split": "last"}
ASKED, JUDGED, EVERY = 2_000, 2_000, 100
SHOWN = {
    "events": "events",
    "train s": "training s",
    "network us": "network us/event",
    "peak MiB": "peak MiB",
    "p50 ms": "p50 ms",
    "p99 ms": "p99 ms",
    "recall": "recall@10 of all",
    "HR@10": "HR@10",
    "oracle": "oracle",
    "popular": "popular",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", nargs="+", type=int, default=SIZES)
    parser.add_argument("--show", action="store_true")
    wanted = parser.parse_args()
    for count in () if wanted.show else wanted.products:
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            found = alone.submit(measure, count).result()
        told = known_figures(FILE).get("sizes", {}) | {str(count): found}
        write_figures(FILE, {**circumstances(("torch", "usearch", "numpy", "polars")), "sizes": told})
        print(count, found, flush=True)
    show(known_figures(FILE).get("sizes", {}))


def measure(count: int) -> dict[str, Any]:
    """One size."""
    from tagloom.recs.recommender import Recommender

    shop = grown(count, 10 * count)
    began, passes = time.perf_counter(), []
    recommender = Recommender(**SETTINGS).fit(
        shop.products, shop.events, progress=lambda _name, _number, figures: passes.append(figures)
    )
    trained = time.perf_counter() - began
    draw = np.random.default_rng(1)
    chosen = np.sort(draw.choice(len(shop.users), min(ASKED, len(shop.users)), replace=False))
    began = time.perf_counter()
    recommender.products(shop.users[chosen[0]])  # what is made once is made here
    first = time.perf_counter() - began
    spent, hits = [], []
    for user in chosen.tolist():
        began = time.perf_counter()
        found = recommender.products(shop.users[user], top=10)
        spent.append(time.perf_counter() - began)
        hits.append(f"p{shop.last[user]}" in [one.product_id for one in found])
    by_hand = []
    for user in chosen[:500].tolist():
        history = [f"p{shop.before[user]}", f"p{shop.last[user]}"]
        began = time.perf_counter()
        recommender.products(history=history, top=10)
        by_hand.append(time.perf_counter() - began)
    popular = set(shop.events.frame["product_id"].value_counts(sort=True)["product_id"][:10].to_list())
    return {
        "events": len(shop.events),
        "train s": trained,
        "network us": 1e6 * sum(one["train/seconds"] for one in passes) / (len(shop.events) * len(passes)),
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "first answer s": first,
        "p50 ms": 1e3 * float(np.quantile(spent, 0.5)),
        "p99 ms": 1e3 * float(np.quantile(spent, 0.99)),
        "by hand p50 ms": 1e3 * float(np.quantile(by_hand, 0.5)),
        "by hand p99 ms": 1e3 * float(np.quantile(by_hand, 0.99)),
        "recall": recall(recommender, chosen[:EVERY]),
        "HR@10": float(np.mean(hits)),
        "oracle": oracle(shop),
        "popular": float(np.mean([f"p{row}" in popular for row in shop.last[chosen]])),
        "experts": [dict(one) for one in recommender.contributions],
    }


def recall(recommender: Any, users: Any) -> float:
    """Of the ten best of all products the share that are in the answer."""
    from tagloom.recs.scored import Scored

    fitted, shares = recommender._fitted, []
    for user in users.tolist():
        asked = fitted.asked_of([f"u{user}"])
        every = Scored(fitted._joined(asked))
        every = (every if fitted.again else every.without(asked.taken)).top(10)[0]
        shares.append(np.isin(every, fitted.top(asked, 10)[0]).mean())
    return float(np.mean(shares))


def show(sizes: dict[str, dict[str, Any]]) -> None:
    """The table, and the plot of what a product and an event cost at each size."""
    from matplotlib.figure import Figure

    counts = sorted(map(int, sizes))
    print(f"{'products':>12}" + "".join(f"{name:>18}" for name in SHOWN.values()))
    for count in counts:
        print(f"{count:>12,}" + "".join(f"{sizes[str(count)][key]:>18,.4g}" for key in SHOWN))
    figure = Figure(figsize=(10, 3), layout="constrained")
    panels = {"training, ms per product": [1e3 * sizes[str(one)]["train s"] / one for one in counts],
              "answer p99, ms": [sizes[str(one)]["p99 ms"] for one in counts],
              "HR@10 (oracle dashed)": [sizes[str(one)]["HR@10"] for one in counts]}  # fmt: skip
    for axes, (title, values) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        axes.plot(counts, values, "o-")
        axes.set_xscale("log")
        axes.set_ylim(0, 1.3 * max(values, default=1))
        axes.set_title(title)
        axes.set_xlabel("products")
    axes.plot(counts, [sizes[str(one)]["oracle"] for one in counts], "--")
    figure.savefig(PLOT, dpi=120)


if __name__ == "__main__":
    main()
