"""Are reasons true? Of each user's first product the events that are told as reasons are taken away, or others instead.

    python benchmarks/recommending_reasons.py [--users 300]

The sample shop, default settings, one seed. Of users with at least four different products or texts in their history:
the first product that is recommended and what is told as its strongest reason. Then that is taken from the history (all
events on its product), or instead something that is not told, drawn by chance, and the answer is made anew. Told: by
how much the log of the product's share falls (median), and how often it is no longer among the first ten.

Prints a table; the figures go to results/recommending_reasons.json.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _report import circumstances, write_figures

from tagloom import Shop, write_sample
from tagloom.data.tables import Events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=300)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write_sample(Path(folder) / "files")
        shop = Shop.create(Path(folder) / "shop")
        shop.load(products=[files.products], events=[files.events])
        shop.train("recs")
        found = measure(shop, wanted.users)
    print(f"{found['users']} users")
    for name in ("reason", "other"):
        print(
            f"{name:<8} log of the share falls by {found[name]['falls']:.3f}, gone from ten: {found[name]['gone']:.3f}"
        )
    write_figures("recommending_reasons.json", {**circumstances(("torch", "numpy")), **found})


def measure(shop: Shop, most: int) -> dict[str, Any]:
    """The figures."""
    recommender, draw = shop.recommender(), np.random.default_rng(0)
    frame, ids = shop.events.frame, set(shop.products.frame["product_id"])
    users = frame["user_id"].unique(maintain_order=True).to_list()
    told: dict[str, list[tuple[float, bool]]] = {"reason": [], "other": []}
    for user in draw.permutation(users).tolist():
        rows = [row for row in Events(frame.filter(frame["user_id"] == user)).frame.to_dicts() if _counts(row, ids)]
        history = [{name: row[name] for name in ("action", "product_id", "text", "time", "value")} for row in rows]
        about = [row["product_id"] or row["text"] for row in history]
        answer = recommender.products(history=history, top=1, why=True)
        if len(set(about)) < 4 or not len(answer) or not answer[0].because or not answer[0].because.events:
            continue
        reasons = [one.product_id or one.text for one in answer[0].because.events]
        others = sorted({one for one in about if one not in reasons})
        if not others:
            continue
        for name, gone in (("reason", reasons[0]), ("other", others[draw.integers(len(others))])):
            kept = [row for row, what in zip(history, about, strict=True) if what != gone]
            again = recommender.products(history=kept, top=len(ids))
            shares = {one.product_id: one.share for one in again}
            place = [one.product_id for one in again].index(answer[0].product_id)
            falls = math.log(answer[0].share) - math.log(max(shares[answer[0].product_id], 1e-12))
            told[name].append((falls, place >= 10))
        if len(told["reason"]) == most:
            break
    return {"users": len(told["reason"])} | {
        name: {
            "falls": float(np.median([fall for fall, _ in each])),
            "gone": float(np.mean([gone for _, gone in each])),
        }
        for name, each in told.items()
    }


def _counts(row: dict[str, Any], ids: set[str]) -> bool:
    return row["product_id"] in ids or bool(row["text"])


if __name__ == "__main__":
    main()
