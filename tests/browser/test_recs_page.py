"""The page about recommendations in a real browser: quiet, fetching nothing, plots drawn, legible on a telephone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tagloom import Events, Products, Recommender
from tagloom.measure.evaluation import Curve
from tagloom.measure.recs_page import write_recs_html

EVIL = "<script>alert(1)</script>"
LONG = "a model with a name that is longer than any other"
USERS, PRODUCTS = 40, 30


def log(first, days):
    rows = [
        {
            "user_id": f"u{user}",
            "action": "purchase",
            "time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day),
            "product_id": f"p{(user + day) % PRODUCTS}",
        }
        for user in range(USERS)
        for day in range(first, first + days)
    ]
    return Events.of(rows)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of a Recommender that was measured, with curves and an expert of awkward names."""
    rows = [
        {"product_id": f"p{n}", "title": f"红色 own{n} w{n % 5}", "tags": [f"颜色={n % 4}", f"款{n % 3}"]}
        for n in range(PRODUCTS)
    ]
    recommender = Recommender(experts=("neighbours", "recent"), split="last").fit(Products.of(rows), log(0, 5))
    told = recommender.evaluate(log(0, 5), log(5, 1)).as_dict()
    told["products"] = {**told["products"], EVIL: told["products"]["popular"], LONG: told["products"]["recent"]}
    history = tuple({"train/loss": 1 / (n + 1), "valid/loss": 1.1 / (n + 1), "valid/ndcg": n / 9} for n in range(8))
    curves = {"gru": Curve(history, 8), "transformer": Curve(history[:2], 1, "the loss was no finite number")}
    target = tmp_path_factory.mktemp("browser") / "evaluation-recs.html"
    write_recs_html(told, curves, told["experts"], target, f"How good? {EVIL}")
    return target


def test_every_part_is_there_and_has_its_plot(opened):
    page = opened(1200)
    titles = page.locator("h2").all_inner_texts()
    assert titles[:2] == ["Next products", "Next tags"]
    assert titles[-4:] == [
        "What each expert adds",
        "Training curves: gru",
        "Training curves: transformer",
        "What the measures mean",
    ]
    plotted = [title for title in titles if title.startswith(("Next", "Tags", "Training"))]
    assert page.locator("svg").count() == len(plotted)
    assert page.locator("svg text", has_text="best pass").count() == 2
    assert page.locator("td", has_text=EVIL).count() > 0
    assert page.locator("script, img").count() == 0


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_is_no_wider_than_its_window(opened, width):
    assert opened(width).evaluate("document.documentElement.scrollWidth") == width


def test_no_label_of_a_plot_is_cut_off(opened, cut_labels):
    assert cut_labels(opened(1200)) == []
