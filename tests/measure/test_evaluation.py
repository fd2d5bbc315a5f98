"""What goes wrong is found: planted mistakes, known findings, and what to do about them."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tagloom import Products
from tagloom.measure.advice import for_product, for_tag
from tagloom.measure.crossval import CrossValidation
from tagloom.measure.evaluation import Curve, Expert, Training, evaluate_tags, judged, read_training, write_training
from tagloom.measure.evaluation_page import MEANINGS, write_folds_html, write_html
from tagloom.measure.mistakes import PRODUCTS, Mistakes
from tagloom.measure.tagging import tag_metrics

EVIL = "<script>alert(1)</script>"
TAGS = ("颜色=红色", "颜色=蓝色", "裙", "rare", EVIL)


def planted(count=40):
    """Red is taken for blue on the first eight products, `rare` is never given, EVIL is given to all."""
    rows, sure = [], []
    for number in range(count):
        tags = [TAGS[0], "裙"] if number < 20 else [TAGS[1]]
        tags += ["rare"] if number % 6 == 5 and number >= 8 else []
        tags += [EVIL] if number % 4 == 0 else []
        tags += ["新标签"] if number == 39 else []
        rows.append({"product_id": f"p{number}", "title": f"{EVIL} 连衣裙 第{number}号", "tags": tags})
        red = number < 20 and number >= 8
        blue = not red
        sure.append([0.9 * red + 0.02, 0.97 if number == 3 else 0.9 * blue, 0.8 * (number < 20), 0.1, 0.7])
    return Products.of(rows), np.array(sure)


def evaluated(products, sure, batch=7, training=None):
    answers = (
        (sure[start : start + batch], sure[start : start + batch] >= 0.5) for start in range(0, len(sure), batch)
    )
    names, batches = judged(products, TAGS, answers)
    return evaluate_tags(products, names, batches, training)


@pytest.fixture(scope="module")
def found():
    counts = np.array([300, 300, 200, 2, 500, 0])
    return evaluated(*planted(), training=Training(counts, 1000))


def worst(found, tag):
    return next(one for one in found.worst_tags if one.tag == tag)


def test_the_figures_are_those_of_tag_metrics(found):
    products, sure = planted()
    names, batches = judged(products, TAGS, [(sure, sure >= 0.5)])
    assert names == (*TAGS, "新标签")
    whole = tag_metrics(list(batches))
    assert {name: found.figures.values[name] for name in whole.values} == pytest.approx(whole.values)
    assert "PSP@3" in found.figures.values
    np.testing.assert_array_equal(found.figures.per_tag, whole.per_tag)


def test_a_tag_taken_for_another_is_found(found):
    red = worst(found, "颜色=红色")
    assert (red.true, red.given, red.right) == (20, 12, 12)
    assert red.confused == ("颜色=蓝色", 8)
    assert "Swapped with “颜色=蓝色” on 8 products" in red.todo
    assert "merge" in red.todo


def test_a_tag_that_is_never_given_is_told_with_its_examples(found):
    rare = worst(found, "rare")
    assert (rare.f1, rare.true, rare.given) == (0, 5, 0)
    assert "It had 2 examples in training" in rare.todo
    assert "alias" in rare.todo
    assert found.worst_tags[0] == rare


def test_a_tag_that_is_given_too_often_is_told_with_products_to_look_at(found):
    often = worst(found, EVIL)
    assert (often.true, often.given, often.right) == (10, 40, 10)
    assert "Given 4.0 times as often as it is true" in often.todo
    assert "products p1, p2, p3" in often.todo


def test_the_worst_products_come_first_with_their_text_and_what_is_wrong(found):
    first = found.worst_products[0]
    assert first.product_id == "p3"
    assert first.text == f"{EVIL} 连衣裙 第3号"
    assert first.right == (("裙", 0.8),)
    assert [tag for tag, _ in first.wrong] == ["颜色=蓝色", EVIL]
    assert [tag for tag, _ in first.missed] == ["颜色=红色"]
    assert first.apart == pytest.approx(0.97 + 0.7 + 0.98)
    assert "sure of “颜色=蓝色” (0.97) and the catalogue says “颜色=红色”: check the catalogue" in first.todo
    assert [one.apart for one in found.worst_products] == sorted(
        (one.apart for one in found.worst_products), reverse=True
    )


def test_a_tag_that_is_new_since_training_is_told(found):
    last = next(one for one in found.worst_products if one.product_id == "p39")
    assert ("新标签", -math.inf) in last.missed
    assert "New since training: “新标签”. Train again." in last.todo


def test_precision_and_recall_over_thresholds(found):
    threshold, precision, recall = found.over_thresholds
    products, sure = planted()
    for at in (0.0, 0.5, 0.75):
        ix = round(at * len(threshold))
        assert threshold[ix] == at
        _, batches = judged(products, TAGS, [(sure, sure >= at)])
        values = tag_metrics(batches).values
        assert (precision[ix], recall[ix]) == (pytest.approx(values["precision"]), pytest.approx(values["recall"]))


@settings(max_examples=30, deadline=None)
@given(
    arrays(float, (9, 6), elements=st.sampled_from([-math.inf, 0.0, 0.2, 0.5, 0.8, 1.0])),
    arrays(np.bool_, (9, 6)),
    arrays(np.bool_, (9, 6)),
    st.integers(1, 9),
)
def test_batches_make_no_difference_to_what_is_found(sure, true, given_, size):
    whole, parts = Mistakes(6), Mistakes(6)
    whole.add(sure, true, given_)
    for start in range(0, 9, size):
        parts.add(sure[start : start + size], true[start : start + size], given_[start : start + size])
    assert parts.products == whole.products
    support, right = true.sum(0), (true & given_ & (sure > -math.inf)).sum(0)
    wrong = (given_ & (sure > -math.inf)).sum(0) - right
    for column in range(6):
        assert parts.wrong_on.of(column) == whole.wrong_on.of(column)
        assert parts.missed_on.of(column) == whole.missed_on.of(column)
        assert parts.confused(column, support - right, wrong) == whole.confused(column, support - right, wrong)
    np.testing.assert_array_equal(parts.over_thresholds(9), whole.over_thresholds(9))


def test_only_so_many_products_are_kept():
    random = np.random.default_rng(0)
    sure, true = random.random((300, 4)), random.random((300, 4)) < 0.5
    mistakes = Mistakes(4)
    for start in range(0, 300, 50):
        part = slice(start, start + 50)
        mistakes.add(sure[part], true[part], sure[part] >= 0.5)
    apart = np.where((sure >= 0.5) & ~true, sure, 0).sum(1) + np.where((sure < 0.5) & true, 1 - sure, 0).sum(1)
    assert [one.row for one in mistakes.products] == np.argsort(-apart, kind="stable")[:PRODUCTS].tolist()


# What to do


def told(counts, *, trained=100, on_offer=True, confused=None):
    return for_tag(counts, on_offer=on_offer, trained=trained, confused=confused, missed_on=["m1"], wrong_on=["w1"])


@pytest.mark.parametrize(
    ("counts", "about", "advice"),
    [
        ((9, 0, 0), {"on_offer": False}, "train again"),
        ((9, 0, 0), {"trained": 2}, "Never given. It had 2 examples in training. Tag more products with it"),
        ((9, 0, 0), {}, "Lower its threshold, or see whether the texts tell it: product m1"),
        ((9, 0, 0), {"trained": None}, "Never given. Lower its threshold"),
        ((0, 9, 0), {}, "of which none has it"),
        ((3, 9, 3), {}, "Given 3.0 times as often as it is true"),
        ((9, 3, 3), {}, "Found on 3 of 9 products"),
        ((9, 9, 5), {"confused": ("B", 4)}, "Swapped with “B” on 4 products"),
        ((9, 10, 5), {}, "Mostly given where it is not true: see product w1"),
        ((9, 8, 5), {}, "Mostly missed where it is true: see product m1"),
        ((9, 9, 9), {}, "Nothing."),
    ],
)
def test_what_to_do_about_a_tag(counts, about, advice):
    assert advice in told(counts, **about)


@pytest.mark.parametrize(
    ("text", "wrong", "missed", "advice"),
    [
        ("一", [], [("a", 0.4)], "The text has 1 characters: write more of it."),
        ("long enough a text", [("a", 0.95)], [], "sure of “a” (0.95) and the catalogue does not have it"),
        ("long enough a text", [], [("a", 0.01)], "Nothing in the text speaks for “a”"),
        ("long enough a text", [], [("a", -math.inf)], "New since training: “a”"),
        ("long enough a text", [("a", 0.5)], [("b", 0.4)], "Close calls"),
    ],
)
def test_what_to_do_about_a_product(text, wrong, missed, advice):
    assert advice in for_product(text, wrong, missed)


# Kept and shown


def test_how_training_went_is_kept_beside_a_model(tmp_path):
    assert read_training(tmp_path) == {}
    history = ({"train/loss": 0.5, "valid/ndcg": 0.1}, {"train/loss": 0.4, "valid/ndcg": 0.2})
    write_training(tmp_path, {"linear": SimpleNamespace(history=history, best_epoch=2, stopped="")})
    assert read_training(tmp_path) == {"linear": Curve(history, 2, "")}


def test_the_page_holds_all_of_it_and_runs_nothing(found, tmp_path):
    curves = {
        "linear": Curve(({"train/loss": 0.5, "train/seconds": 9.0, "valid/loss": 0.6, "valid/ndcg": 0.1},) * 3, 3),
        "popular": Curve(()),
    }
    training = Training(None, 0, curves, (Expert("linear", 0.7, 0.81, 0.5),))
    products, sure = planted()
    write_html(evaluated(products, sure, training=training), tmp_path / "page.html", f"How good? {EVIL}")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    for part in ("What each expert adds", "Training curves: linear", "Worst tags", "Worst products", "颜色=红色"):
        assert part in text
    assert "more passes" in text
    assert "Training curves: popular" not in text
    assert "valid nDCG" in text
    assert "seconds" not in text  # the pace would flatten the curve that matters


@pytest.mark.parametrize("rows", [[], [{"product_id": "1", "tags": ["rare"]}]])
def test_so_little_that_nothing_can_be_found_makes_a_page_too(rows, tmp_path):
    found = evaluated(Products.of(rows), np.full((len(rows), len(TAGS)), 0.4))
    write_html(found, tmp_path / "page.html", "Little")
    assert (tmp_path / "page.html").stat().st_size > 1_000
    json.dumps(found.as_dict(), allow_nan=False)


def test_json_has_all_of_it(found):
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["metrics"] == found.figures.values
    assert told["tags"]["rare"] == {"true": 5, "given": 0, "right": 0, "F1": 0}
    assert told["worst_tags"][0]["tag"] == "rare"
    assert {"tag": "新标签", "confidence": None} in [
        one for product in told["worst_products"] for one in product["missed"]
    ]
    assert sum(told["reliability"]["all pairs"]["pairs"]) == 40 * len(TAGS)


def test_folds_make_a_page(found, tmp_path):
    write_folds_html(CrossValidation((found.figures, found.figures)), tmp_path / "folds.html", "Folds")
    text = (tmp_path / "folds.html").read_text(encoding="utf-8")
    assert "fold 2" in text
    assert f"{found.figures.values['nDCG@10']:.4f}" in text


def test_every_figure_has_a_meaning_and_stands_in_the_docs(found, request):
    assert found.figures.values.keys() == MEANINGS.keys()
    page = (request.config.rootpath / "docs" / "measures.md").read_text(encoding="utf-8")
    assert [name for name in MEANINGS if f"`{name}`" not in page] == []
