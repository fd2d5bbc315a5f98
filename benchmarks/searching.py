"""Search: words and vectors together beside each alone, on queries whose right answer is known.

    python benchmarks/searching.py [--data sample hm] [--part test] [--rows 4000] [--queries 500] [--seed 0]

- hm: fashion articles; at most `--rows` of each of train, valid and test. Queries name two to four attribute values of
  an article of `--part`, in any order; an article is worth the share of them that it has. Learned from the articles of
  train alone, without any log; all are searched.
- sample: the sample shop of 3,000 products and 600 users. Learned from the log up to its last eighth (for `--part
  valid`: up to the eighth before); queries are those of the held-out part, the right answer is what was bought after.

Each also misspelt (one edit), half typed, and for the sample shop in traditional characters and with a part in the
other language.
`words` is BM25 alone, `vectors` the two towers alone; both read the query as `both` does, corrected and completed.
`not taken` is `both` without how much a product is taken.
Settings were chosen on valid. Prints tables with 95 % bootstrap intervals; the figures go to results/searching.json.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _queries import (
    HIT,
    NDCG,
    Asked,
    half_typed,
    is_there,
    measured,
    misspelt,
    mixed,
    planted_hm,
    searched,
    traditional,
)
from _report import circumstances, known_figures, write_figures

from tagloom.config import SearchSettings, Settings
from tagloom.data.sample import write_sample
from tagloom.data.tables import Events, Products
from tagloom.measure.ranking import RankingMetrics, difference
from tagloom.recs.blend import Blend
from tagloom.recs.search.joining import Joining
from tagloom.recs.search.search import Search
from tagloom.recs.search.shown import FEATURES
from tagloom.shop import Shop

EIGHTH = 8
ALONE = {
    "words": ("words",),
    "vectors": ("vectors",),
    "not taken": ("words", "share", "vectors"),
    "both": FEATURES,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=("sample", "hm"), default=("sample", "hm"))
    parser.add_argument("--part", choices=("valid", "test"), default="test")
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=SearchSettings().epochs)
    wanted = parser.parse_args()
    figures: dict[str, Any] = known_figures("searching.json").get("figures", {})
    for name in wanted.data:
        if not is_there(name):
            print(f"{name}: its data is not here, left out")
            continue
        made = {"sample": _sample, "hm": _hm}[name](wanted)
        figures[name] = {"part": wanted.part, **made}
    if wanted.part == "test":
        libraries = ("torch", "tantivy", "usearch", "numpy")
        write_figures("searching.json", {**circumstances(libraries), "seed": wanted.seed, "figures": figures})


def _hm(wanted: argparse.Namespace) -> dict[str, Any]:
    train, products, asked = planted_hm(wanted.part, wanted.rows, wanted.queries, wanted.seed)
    search, seconds = _timed(lambda: Search.fit(train, Events.of([]), _settings(wanted)))
    search, again = _timed(lambda: search.seeing(products))
    kinds = {"plain": asked, "misspelt": asked.typed(misspelt), "half typed": asked.typed(half_typed)}
    return _compared("hm", search, products, kinds, {"fit": seconds, "build": again})


def _sample(wanted: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        files = write_sample(Path(name) / "files", seed=wanted.seed)
        shop = Shop.create(Path(name) / "shop")
        shop.load(products=[files.products], events=[files.events])
        products, log, vocabulary = shop.products, shop.events, shop.vocabulary
        times = log.frame["time"].sort()
        later = len(times) - len(times) // EIGHTH
        if wanted.part == "valid":
            log = Events(log.frame.filter(pl.col("time") < times[later]))
            later -= len(times) // EIGHTH
        before = Events(log.frame.filter(pl.col("time") < times[later]))
        after = Events(log.frame.filter(pl.col("time") >= times[later]))
        asked = searched(products, after, wanted.queries)
        search, seconds = _timed(
            lambda: Search.fit(
                products, before, _settings(wanted), vocabulary=vocabulary, custom_words=shop.lists.words
            )
        )
        search, again = _timed(lambda: search.seeing(products, vocabulary))
        kinds = {
            "plain": asked,
            "misspelt": asked.typed(misspelt),
            "half typed": asked.typed(half_typed),
            "traditional": asked.typed(traditional),
            "mixed": asked.typed(mixed),
        }
        return _compared("sample", search, products, kinds, {"fit": seconds, "build": again})


def _settings(wanted: argparse.Namespace) -> Settings:
    return Settings(search=SearchSettings(seed=wanted.seed, epochs=wanted.epochs))


def _timed(what: Callable[[], Search]) -> tuple[Search, float]:
    begun = time.perf_counter()
    return what(), time.perf_counter() - begun


def _compared(
    name: str, search: Search, products: Products, kinds: dict[str, Asked], seconds: dict[str, float]
) -> dict[str, Any]:
    """Each kind of query, asked of words alone, vectors alone and both."""
    row = {product: ix for ix, product in enumerate(products.frame["product_id"])}
    weights = {
        kind: dict(zip(blend["names"], np.round(blend["weights"], 3).tolist(), strict=True))
        for kind, blend in search.learned.joining.as_dict().items()
    }
    print(f"\n{name}: {len(products):,} products; weights {weights}")
    told: dict[str, Any] = {"products": len(products), "weights": weights, "kinds": {}}
    waits: list[float] = []
    for kind, asked in kinds.items():
        found: dict[str, RankingMetrics] = {}
        for who, features in ALONE.items():
            one = _alone(search, features)
            lists = [_list(one, text, who, row, waits) for text in asked.texts]
            found[who] = measured(asked, lists)
        print(f"  {kind}, {len(asked.texts):,} queries")
        told["kinds"][kind] = {"queries": len(asked.texts), "figures": {}}
        for who, figures in found.items():
            low, high = figures.interval(NDCG)
            more = difference(found["both"], figures, NDCG) if who != "both" else None
            mean, hit = figures.values[NDCG], figures.values[HIT]
            said = f"  both is {more[0]:+.4f} ({more[1]:+.4f} to {more[2]:+.4f})" if more else ""
            print(f"    {who:<10} {NDCG} {mean:.4f} ({low:.4f}-{high:.4f})  {HIT} {hit:.4f}{said}")
            told["kinds"][kind]["figures"][who] = {**figures.values, "interval": (low, high), "both_is_more": more}
    p50, p95 = np.percentile(waits, (50, 95))
    told["seconds"] = {**seconds, "answer_p50": p50, "answer_p95": p95}
    print(
        f"  fit {seconds['fit']:.1f} s, build {seconds['build']:.1f} s, answer {p50 * 1e3:.1f}, p95 {p95 * 1e3:.1f} ms"
    )
    return told


def _alone(search: Search, features: tuple[str, ...]) -> Search:
    """The same search with some features of candidates alone, in the weights that they have together."""
    joining = search.learned.joining
    blends = []
    for blend in (joining.asked, joining.other):
        weights = dict(zip(blend.names, blend.weights.tolist(), strict=True))
        # One alone orders in the same way with any weight; the blend may give it none.
        some = [weights[name] for name in features] if len(features) > 1 else [1.0]
        blends.append(Blend(features, np.array(some, np.float32)))
    return Search(replace(search.learned, joining=Joining(*blends)), search._shown)


def _list(search: Search, text: str, who: str, row: dict[str, int], waits: list[float]) -> list[int]:
    begun = time.perf_counter()
    answer = search.answer(text)
    if who == "both":
        waits.append(time.perf_counter() - begun)
    # Words alone do not find what only vectors found.
    return [row[one.product_id] for one in answer.products if who != "words" or one.words]


if __name__ == "__main__":
    main()
