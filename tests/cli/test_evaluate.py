"""The command evaluate: tables on the terminal, JSON and a page in the shop."""

from __future__ import annotations

import json

import pytest


def test_it_prints_tables_and_writes_page_and_json_into_the_shop(cli, shop):
    done = cli("evaluate", shop, "tags", "--top", "3")
    assert done.code == 0, done.err
    adds = "What each expert of the blend adds"
    for told in ("Version 0001 on", "nDCG@10", "ECE@10", "accuracy", adds, "Worst tags", "what to do"):
        assert told in done.out
    assert f"{shop / 'evaluation-tags.html'}" in done.out
    page = (shop / "evaluation-tags.html").read_text(encoding="utf-8")
    assert "How good are the tags of version 0001?" in page
    for part in ("What each expert adds", "Training curves", "Can the confidences be believed?", "Worst products"):
        assert part in page
    written = json.loads((shop / "evaluation-tags.json").read_text(encoding="utf-8"))
    assert written["version"] == "0001"
    assert written["worst_products"][0]["text"]
    assert written["worst_products"][0]["todo"]
    assert list(written["curves"]) == ["linear"]
    assert [expert["name"] for expert in written["experts"]] == ["linear", "name"]


def test_json_on_the_terminal_is_the_figures_and_the_worst_tags(cli, shop):
    told = json.loads(cli("evaluate", shop, "--json", "--top", "2").out)
    written = json.loads((shop / "evaluation-tags.json").read_text(encoding="utf-8"))
    assert told["metrics"] == written["metrics"]
    assert told["products"] == written["products"]
    assert len(told["worst"]) == 2
    assert told["worst"][0]["tag"] == written["worst_tags"][0]["tag"]
    assert told["worst"][0]["what to do"]


@pytest.mark.slow
def test_folds_write_a_page_with_mean_and_spread(cli, shop):
    done = cli("evaluate", shop, "--folds", "2")
    assert done.code == 0, done.err
    assert "standard deviation" in done.out
    assert "fold 2" in (shop / "evaluation-tags-folds.html").read_text(encoding="utf-8")
    written = json.loads((shop / "evaluation-tags-folds.json").read_text(encoding="utf-8"))
    assert len(written["each"]) == written["folds"] == 2
