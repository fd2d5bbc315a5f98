"""The evaluation page in a real browser: quiet, fetching nothing, plots drawn, legible on a telephone."""

from __future__ import annotations

import numpy as np
import pytest

from tagloom import Products
from tagloom.measure.evaluation import Curve, Expert, Training, evaluate_tags, judged
from tagloom.measure.evaluation_page import write_html

EVIL = "<script>alert(1)</script>"
LONG = "一个很长很长很长很长很长很长很长的标签"
TAGS = (
    "颜色=红色",
    "颜色=蓝色",
    EVIL,
    LONG,
    "$5_{a}$",
    "أحمر",
    "<img src=https://outside.example/x.png onerror=alert(2)>",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page on products as awkward as they get, with everything that it can show."""
    random = np.random.default_rng(0)
    true = random.random((120, len(TAGS))) < 0.4
    true[~true.any(axis=1), 0] = True
    sure = np.clip(0.7 * true + 0.4 * random.random(true.shape), 0, 1)
    sure[:12, 1], sure[:12, 0], true[:12, 0], true[:12, 1] = 0.97, 0.01, True, False
    rows = [
        {
            "product_id": f"p{number}",
            "title": f"{EVIL} 牛仔外套 {number}",
            "description": "معطف أحمر من الجينز" if number % 2 else "很长的描述" * 200,
            "tags": [tag for tag, there in zip(TAGS, some, strict=True) if there],
        }
        for number, some in enumerate(true)
    ]
    products = Products.of(rows)
    names, batches = judged(products, TAGS, [(sure, sure >= 0.5)])
    history = tuple(
        {"train/loss": 1 / (n + 1), "train/seconds": 900.0, "valid/loss": 1.1 / (n + 1), "valid/ndcg": n / 9}
        for n in range(8)
    )
    curves = {"linear": Curve(history, 8), "transformer": Curve(history[:2], 1, "the loss was no finite number")}
    experts = (Expert("linear", 0.6, 0.81, 0.79), Expert("transformer", 0.4, 0.79, 0.81))
    training = Training(np.full(len(TAGS), 50), 1000, curves, experts)
    target = tmp_path_factory.mktemp("browser") / "evaluation-tags.html"
    write_html(evaluate_tags(products, names, batches, training), target, f"How good? {EVIL}")
    return target


def test_the_users_text_is_text(opened):
    page = opened(1200)
    assert page.locator("script, img").count() == 0
    text = page.locator("body").inner_text()
    assert EVIL in text
    assert "onerror=alert(2)" in text


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_is_no_wider_than_its_window(opened, width):
    assert opened(width).evaluate("document.documentElement.scrollWidth") == width


def test_every_part_is_there_and_has_its_plot(opened):
    page = opened(1200)
    titles = page.locator("h2").all_inner_texts()
    assert titles == [
        "Figures",
        "What each expert adds",
        "Training curves: linear",
        "Training curves: transformer",
        "Can the confidences be believed?",
        "Precision and recall",
        "Worst tags",
        "Worst products",
    ]
    assert page.locator("svg").count() == 4
    assert page.locator("svg text", has_text="best pass").count() == 2


def test_no_label_of_a_plot_is_cut_off(opened, cut_labels):
    assert cut_labels(opened(1200)) == []


def test_wrong_and_missing_tags_are_told_apart_without_colours(opened):
    page = opened(1200)
    row = page.locator("tr", has_text="sure of “颜色=蓝色” (0.97)").first
    assert row.locator(".wrong", has_text="+ 颜色=蓝色 0.97").is_visible()
    assert row.locator(".missed", has_text="− 颜色=红色 0.01").is_visible()
    colours = {
        kind: row.locator(kind).first.evaluate("one => getComputedStyle(one).color") for kind in (".wrong", ".missed")
    }
    assert len(set(colours.values())) == 2


def test_the_contents_lead_to_their_part(opened):
    page = opened(1200)
    page.locator("nav a", has_text="Worst products").click()
    assert page.locator("h2", has_text="Worst products").evaluate(
        "one => one.getBoundingClientRect().top < innerHeight"
    )
