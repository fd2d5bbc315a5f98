"""The demo: a sample shop from nothing to tagged products, with the command for each step."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tagloom.cli.data import import_
from tagloom.cli.models import evaluate, tag, train
from tagloom.cli.show import say, table
from tagloom.errors import ShopError
from tagloom.shop import SETTINGS, Shop

_FILES = "sample"
_SHOWN = 3


def run_demo(shop: Path, seed: int, products: int) -> dict[str, Any]:
    """Make the sample shop in `shop`, its files in `shop`/sample, and run every step on it.

    Returns:
        The shop, its files and the Tagger's figures.

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
    metrics = Shop.open(shop).versions()[0].manifest.metrics
    _step(6, "Tag products that nobody tagged", f"tagloom tag {shop} {sample.new}")
    new = [json.loads(line) for line in sample.new.read_text(encoding="utf-8").splitlines()[:_SHOWN]]
    for product in new:
        say(f"\n{product['title']}\n{product['description']}")
        tag(str(shop), text=f"{product['title']}\n{product['description']}")
    say(f"Done in {time.monotonic() - started:.0f} s.")
    say(f"Next: open {shop / 'check.html'} and {shop / 'evaluation-tags.html'} in a browser.")
    say(f"Look around: tagloom tags list {shop}; tagloom words {shop} 手机; tagloom models {shop}.")
    say("Then your own files: tagloom init my-shop; tagloom import my-shop --products FILE --events FILE.")
    return {"shop": str(shop), "files": str(files), "metrics": metrics, "seconds": round(time.monotonic() - started)}


def _step(number: int, what: str, command: str = "") -> None:
    say(f"\n{number}. {what}" + (f"\n   $ {command}" if command else ""))


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
