"""The page about recommendations: every figure in its place, and only what was measured."""

from __future__ import annotations

import re

import pytest

from tagloom.measure.evaluation import Curve
from tagloom.measure.recs_page import MEANINGS, write_recs_html

EVIL = "<script>alert(1)</script>"
SHOWN = {"coverage@10": 0.25, "gini@10": 0.5, "overlap@10": 0.125, "popularity@10": 0.75, "popularity lift@10": 1.5}
EXPERTS = (
    {"name": "gru", "weight": 0.75, "alone": 0.3, "without": 0.2, "together": 0.4},
    {"name": EVIL, "weight": 0, "alone": 0.1, "without": None, "together": 0.4},
)
PASSES = (
    {"train/loss": 2.0, "valid/loss": 2.5, "valid/ndcg": 0.1},
    {"train/loss": 1.0, "valid/loss": 2.0, "valid/ndcg": 0.2},
)


def figures(ndcg, users=1234, **more):
    ranked = dict.fromkeys(("HR@5", "HR@10", "HR@20", "recall@10", "recall@20", "MRR@20"), ndcg / 2)
    return {"users": users, "nDCG@10": ndcg, **ranked, "interval of nDCG@10": [ndcg - 0.01, ndcg + 0.01], **more}


@pytest.fixture
def told():
    products = {"recommender": figures(0.4, **SHOWN), "popular": figures(0.1, **SHOWN)}
    return {
        "products": products,
        "tags": {"recommender": figures(0.6), "history": figures(0.5)},
        "product_tags": {"recommender": figures(0.9, 55), "tagger": figures(0.8, 55)},
        "few": {"new users HR@10": 0.0625},
    }


@pytest.fixture
def written(tmp_path):
    """`written(told, curves, experts)` is the page's text."""

    def write(told, curves=None, experts=()):
        write_recs_html(told, curves or {}, experts, tmp_path / "page.html", f"How good? {EVIL}")
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    return write


def titles(text):
    return re.findall(r"<h2[^>]*>(.*?)</h2>", text)


def cells(text, title):
    """The cells of one part's table."""
    part = re.split(r"<h2", text.partition(f">{title}</h2>")[2])[0]
    return re.findall(r"<td[^>]*>\s*(.*?)</td>", part, flags=re.DOTALL)


def test_every_part_that_was_measured_is_there(written, told):
    text = written(told, {"gru": Curve(PASSES, 2), "transformer": Curve(PASSES, 1)}, EXPERTS)
    assert titles(text) == [
        "Next products",
        "Next tags",
        "Tags of a product for a user",
        "What the lists do to the catalogue",
        "Newcomers",
        "What each expert adds",
        "Training curves: gru",
        "Training curves: transformer",
        "What the measures mean",
    ]
    assert text.count("<svg") == 5


def test_what_was_not_measured_is_left_out(written, told):
    text = written({**told, "tags": {}, "product_tags": {}, "few": {}}, experts=EXPERTS[:1])
    assert titles(text) == ["Next products", "What the lists do to the catalogue", "What the measures mean"]


def test_figures_stand_with_their_interval_and_how_many_users_they_are_of(written, told):
    text = written(told)
    first = cells(text, "Next products")
    assert first[0] == "recommender"
    assert "0.4000" in first
    assert "0.3900 to 0.4100" in first
    assert "On 1,234 users." in text
    assert "On 55 pairs of user and product." in text


def test_a_measure_that_not_every_model_has_is_not_shown(written, told):
    del told["tags"]["history"]["MRR@20"]
    text = written(told)
    assert "MRR@20" in text.partition("Next tags</h2>")[0]
    assert "MRR@20" not in re.split("<h2", text.partition("Next tags</h2>")[2])[0]


def test_exposure_experts_and_newcomers_are_told(written, told):
    text = written(told, experts=EXPERTS)
    assert cells(text, "What the lists do to the catalogue")[:6] == [
        "recommender",
        "0.2500",
        "0.5000",
        "0.1250",
        "0.7500",
        "1.5000",
    ]
    assert cells(text, "Newcomers") == ["new users HR@10", "0.0625"]
    assert cells(text, "What each expert adds")[:4] == ["gru", "0.7500", "0.3000", "0.2000"]
    assert cells(text, "What each expert adds")[7] == ""  # an expert alone has nothing beside it


def test_every_measure_is_explained(written, told):
    text = written(told)
    for name in [*told["products"]["recommender"], *told["tags"]["recommender"]]:
        if "@" in name and not name.startswith("interval"):
            assert f"{name.partition('@')[0]}@k" in MEANINGS
    assert all(name in text for name in MEANINGS)


def test_markup_of_a_user_is_text(written, told):
    text = written(told, experts=EXPERTS)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
