"""Products and users that training never met, beside a Recommender that met them: what knowing them is worth.

    python benchmarks/recommending_newcomers.py [--data amazon_beauty] [--seed 0]

A tenth of the products and a tenth of the users are drawn. One Recommender learns from a log without them (no event of
such a user, no event on such a product, which is not in its catalogue either); then it is shown the whole catalogue and
log, without training (`seeing`). The other one learns from everything. Both are asked for each user's last product.

- new users: the drawn users whose last product is not drawn; new users, one event: the same, of whom only the event
  before the last is known;
- new products: users who are not drawn and whose last product is;
- all others: neither.

Prints a table; the figures go to results/recommending_newcomers_<log>.json.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import polars as pl
from _logs import LOGS, read_log
from _report import circumstances, write_figures
from scipy.sparse import csr_matrix

from tagloom.data.histories import histories_of
from tagloom.data.tables import Events, Products
from tagloom.measure.ranking import ranking_metrics
from tagloom.recs.recommender import Recommender
from tagloom.recs.split import split_events

SHARE = 0.1
SHOWN = ("HR@10", "HR@20", "nDCG@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=tuple(LOGS), default="amazon_beauty")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    log = read_log(wanted.data)
    ids = log.products.frame["product_id"]
    before, after = split_events(log.events, ids.to_list(), "last", SHARE)
    random = np.random.default_rng(wanted.seed)
    new_products = set(random.choice(ids.to_numpy(), round(SHARE * len(ids)), replace=False).tolist())
    users = before.frame["user_id"].unique(maintain_order=True)
    new_users = set(random.choice(users.to_numpy(), round(SHARE * len(users)), replace=False).tolist())
    known = Products(log.products.frame.filter(~pl.col("product_id").is_in(list(new_products))))
    told = ~pl.col("product_id").is_in(list(new_products)) & ~pl.col("user_id").is_in(list(new_users))
    settings = {**log.settings, "seed": wanted.seed}
    without = Recommender(**settings).fit(known, Events(before.frame.filter(told))).seeing(log.products, before)
    everything = Recommender(**settings).fit(log.products, before)
    later = histories_of(after, tuple(ids))
    last_of_each = before.frame.group_by("user_id", maintain_order=True).tail(1)
    figures: dict[str, Any] = {}
    for name, recommender in (("learned without them", without), ("learned with them", everything)):
        short = recommender.seeing(log.products, Events(last_of_each))
        figures[name] = {
            group: _figures(short if "one event" in group else recommender, later, ids.to_list(), rows)
            for group, rows in _groups(later, ids.to_list(), new_users, new_products).items()
        }
    for group in next(iter(figures.values())):
        print(f"\n{group}, {figures['learned with them'][group]['users']:,} users")
        for name, groups in figures.items():
            print(f"  {name:<24}" + "".join(f"{measure:>10} {groups[group][measure]:.4f}" for measure in SHOWN))
    write_figures(
        f"recommending_newcomers_{wanted.data}.json",
        {**circumstances(("torch", "numpy")), "share": SHARE, "seed": wanted.seed, "figures": figures},
    )


def _groups(later: Any, ids: list[str], new_users: set[str], new_products: set[str]) -> dict[str, np.ndarray]:
    """Rows of the users of each group."""
    fresh_user = np.array([user in new_users for user in later.user_ids])
    fresh_product = np.array([ids[product] in new_products for product in later.product_ix[later.starts[:-1]]])
    return {
        "new users": np.flatnonzero(fresh_user & ~fresh_product),
        "new users, one event": np.flatnonzero(fresh_user & ~fresh_product),
        "new products": np.flatnonzero(~fresh_user & fresh_product),
        "all others": np.flatnonzero(~fresh_user & ~fresh_product),
    }


def _figures(recommender: Recommender, later: Any, ids: list[str], rows: np.ndarray) -> dict[str, float]:
    row = {product: ix for ix, product in enumerate(ids)}
    top = np.full((len(rows), 100), -1, np.int64)
    for user, found in enumerate(recommender.for_users([later.user_ids[ix] for ix in rows], top=100)):
        top[user, : len(found)] = [row[one.product_id] for one in found]
    wanted = later.of(rows)
    ones = np.ones(len(wanted.user), np.float32)
    truth = csr_matrix((ones, (wanted.user, wanted.product_ix)), (len(rows), len(ids)))
    found = ranking_metrics(top, truth)
    return {"users": found.users, **found.values}


if __name__ == "__main__":
    main()
