"""The demo: a sample shop from nothing to tagged products and recommendations, with the command for each step."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tagloom.cli.data import import_
from tagloom.cli.models import evaluate, tag, train
from tagloom.cli.recommend import recommend
from tagloom.cli.search import search
from tagloom.cli.show import say, table
from tagloom.errors import ShopError
from tagloom.shop import SETTINGS, Shop

_FILES = "sample"
_SHOWN, _SEARCHED = 3, "便宜的 藍牙耳機"
_LAST, _LONGEST = 8, 50


def run_demo(shop: Path, seed: int, products: int) -> dict[str, Any]:
    """Make the sample shop in `shop`, its files in `shop`/sample, and run every step on it.

    Returns:
        The shop, its files and the figures of both models.

    Raises:
        ShopError: the folder is taken by something that is no demo.
    """
    import shutil

    from tagloom.data.sample import write_sample

    files = shop / _FILES
    if files.is_dir() and (shop / SETTINGS).is_file():
        shutil.rmtree(shop)
    elif shop.exists() and (not shop.is_dir() or any(shop.iterdir())):
        raise ShopError(f"{shop}: exists and is not a demo; choose another folder: tagloom demo OTHER")
    started = time.monotonic()
    Shop.create(shop)
    files.mkdir()
    _step(1, f"A sample shop of {products:,} products and 600 users, as dirty as real ones: {files}")
    sample = write_sample(files, seed=seed, products=products)
    _step(2, "Import", f"tagloom import {shop} --products {sample.products} --events {sample.events}")
    import_(str(shop), products=[str(sample.products)], events=[str(sample.events)])
    _step(3, "Look at the dirt", f"tagloom check {shop}")
    _show_dirt(str(shop))
    _step(4, "Train a Tagger", f"tagloom train {shop} tags")
    train(str(shop), "tags")
    _step(5, "Measure it on products it never saw", f"tagloom evaluate {shop} tags")
    evaluate(str(shop), top=5)
    metrics = {"tags": Shop.open(shop).versions()[0].manifest.metrics}
    _step(6, "Tag products that nobody tagged", f"tagloom tag {shop} {sample.new}")
    new = [json.loads(line) for line in sample.new.read_text(encoding="utf-8").splitlines()[:_SHOWN]]
    for product in new:
        say(f"\n{product['title']}\n{product['description']}")
        tag(str(shop), text=f"{product['title']}\n{product['description']}")
    metrics["recs"] = _recommend(shop)
    pages = ", ".join(str(shop / f"{name}.html") for name in ("check", "evaluation-tags", "evaluation-recs"))
    say(f"Done in {time.monotonic() - started:.0f} s.")
    say(f"Next: open {pages} in a browser.")
    say(f"Look around: tagloom tags list {shop}; tagloom words {shop} 手机; tagloom models {shop}.")
    say("Then your own files: tagloom init my-shop; tagloom import my-shop --products FILE --events FILE.")
    return {"shop": str(shop), "files": str(files), "metrics": metrics, "seconds": round(time.monotonic() - started)}


def _step(number: int, what: str, command: str = "") -> None:
    say(f"\n{number}. {what}" + (f"\n   $ {command}" if command else ""))


def _recommend(shop: Path) -> dict[str, Any]:
    """Steps 7 to 10; gives the Recommender's figures."""
    _step(7, "Learn what users want next", f"tagloom train {shop} recs")
    train(str(shop), "recs")
    _step(8, "Measure it on what they did later", f"tagloom evaluate {shop} recs")
    evaluate(str(shop), "recs")
    user = _show_history(shop)
    _step(9, "Recommend products and tags to this user, and say why", f"tagloom recommend {shop} {user} --top 5 --why")
    recommend(str(shop), user, top=5, why=True)
    _step(10, "Find something, for this user", f"tagloom search {shop} '{_SEARCHED}' --user {user} --top 5")
    search(str(shop), _SEARCHED, user=user, top=5)
    return Shop.open(shop).versions()[-1].manifest.metrics


def _show_history(shop: Path) -> str:
    """What the user with the most purchases did last; gives the user's id."""
    import polars as pl

    opened = Shop.open(shop)
    events = opened.events.frame
    bought = events.filter(pl.col("action") == "purchase")["user_id"]
    user = str(bought.value_counts(sort=True)["user_id"][0])
    titles = opened.raw_products.frame.select("product_id", "title")
    last = events.filter(pl.col("user_id") == user).join(titles, on="product_id", how="left").tail(_LAST)
    rows = last.select("time", "action", pl.coalesce("text", "title").str.head(_LONGEST)).rows()
    table(
        f"What user {user} did last",
        ("time", "action", "words or product"),
        [(f"{at:%d %b %H:%M}", *more) for at, *more in rows],
    )
    return user


def _show_dirt(shop: str) -> None:
    from tagloom.measure.catalogue import check_catalogue, write_html

    opened = Shop.open(shop)
    found = check_catalogue(opened.raw_products, opened.products, opened.events, opened.clean())
    write_html(found, opened.folder / "check.html")
    for part in found.parts:
        if part.title in ("What became of the raw tags", "Largest merges", "Attributes that are no tags"):
            say(f"{part.meaning}")
            table(part.title, part.columns, part.rows[:8], wide=part.columns[-1])
    say(f"The whole report, with plots: {opened.folder / 'check.html'}")
