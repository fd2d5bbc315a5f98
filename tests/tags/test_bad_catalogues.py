"""Catalogues as no one would wish them, each with the answer the Tagger gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tagloom import Products, Tagger
from tagloom.config import TaggerSettings
from tagloom.tags.experts.contract import TrainingData
from tagloom.tags.features import Features
from tagloom.tags.fit import fit_tagger
from tagloom.tags.models import experts_for

ROOT = Path(__file__).parent.parent.parent
QUICK = {"experts": ("tree", "nearest", "name", "linear"), "learning_rate": 4.0, "epochs": 3}


def catalogue(texts_and_tags):
    return Products.of(
        [{"product_id": str(n), "title": text, "tags": list(tags)} for n, (text, tags) in enumerate(texts_and_tags)]
    )


def test_tags_with_one_example_are_known_and_do_no_harm_to_the_others():
    """Forty tags of one product each beside four of thirty: the four are found as if the forty were not there."""
    often = [(f"own{n % 4} w{n % 7}", [f"t{n % 4}"]) for n in range(120)]
    rare = [(f"own{n % 4} rare{n} w{n % 7}", [f"t{n % 4}", f"once{n}"]) for n in range(40)]
    tagger = Tagger(**QUICK).fit(catalogue(often + rare))
    assert len(tagger.tags) > 30  # but for those that were held out
    answers = tagger.suggest([f"own{n % 4} w{n % 7}" for n in range(28)])
    assert [[score.tag for score in answer] for answer in answers] == [[f"t{n % 4}"] for n in range(28)]
    assert max(sure[:, : tagger.tags.index("t0")].max() for sure in tagger.confidences(["own1 w2", "w3"])) < 0.2


@pytest.mark.parametrize(
    "settings", [QUICK, {"encoder": "nearest"}, {"encoder": "bag", "learning_rate": 0.01, "width": 32}]
)
def test_equal_texts_that_contradict_each_other_are_answered_by_how_often_each_was_said(settings):
    """Of the products of each text three quarters have the one tag, one quarter the other."""
    rows = [
        (f"own{word} w{text}", [f"t{word}"] if n % 4 else ["other"])
        for word in range(8)
        for text in range(3)
        for n in range(16)
    ]
    tagger = Tagger(**settings).fit(catalogue(rows), catalogue(rows))
    confidences = next(tagger.confidences([f"own{word} w1" for word in range(8)]))
    right = [tagger.tags.index(f"t{word}") for word in range(8)]
    assert confidences[np.arange(8), right] == pytest.approx(0.75, abs=0.08)
    assert confidences[:, tagger.tags.index("other")] == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "xyzzy plugh",
        "Une robe rouge très légère",  # a language that the shop has no text in
        "赤いワンピース",
        "빨간 치마",
        "красное платье",
        "🎁🎁🎁",
        "!?%&/()=",
        "\x00\ud800",
        "0" * 10_000,
    ],
)
def test_a_text_without_one_known_word_has_no_tag(text):
    tagger = TAUGHT or TAUGHT.append(Tagger(**QUICK).fit(catalogue(KNOWN))) or TAUGHT
    assert tagger[0].suggest(text, threshold=0) == [[]]
    assert tagger[0].suggest([text, "own1 w1"], threshold=0)[1]
    # And what is measured still ranks it.
    assert np.isfinite(next(tagger[0].confidences([text]))).all()


KNOWN = [(f"own{n % 4} w{n % 7}", [f"t{n % 4}"]) for n in range(80)]
TAUGHT: list[Tagger] = []


def test_products_without_a_known_word_do_not_disturb_the_others():
    strangers = [(f"stranger{n}", [f"t{n % 4}"]) for n in range(40)] + [("", ["t0"])]
    tagger = Tagger(**QUICK).fit(catalogue(KNOWN + strangers))
    assert [answer[0].tag for answer in tagger.suggest([f"own{n}" for n in range(4)])] == [f"t{n}" for n in range(4)]


def test_tags_of_valid_that_were_never_trained_are_left_out():
    tagger = Tagger(**QUICK).fit(catalogue(KNOWN), catalogue([("own1 w1", ["t1", "never seen"]), ("own2", ["t2"])]))
    assert "never seen" not in tagger.tags


@pytest.mark.parametrize("odd", [" t1 ", "a=b=c", "=", "标签🎁", "x" * 500, "\u202etag", "tag\nline"])
def test_names_of_any_kind_are_given_back_as_they_came(odd, tmp_path):
    tagger = Tagger(**QUICK).fit(catalogue([(f"own{n % 2} w{n % 7}", [odd if n % 2 else "plain"]) for n in range(60)]))
    assert tagger.suggest("own1")[0][0].tag == odd
    tagger.save(tmp_path / "model")
    assert Tagger.load(tmp_path / "model").suggest("own1")[0][0].tag == odd


# Very many tags


def data_with(tags, features):
    return TrainingData(Features(("a",) * features, np.ones(features), 1, 9, None), None, None, ("t",) * tags, {}, ())


@pytest.mark.parametrize(
    ("tags", "features", "experts"),
    [
        (20_000, 100, ("tree", "linear", "bag", "name")),
        (20_001, 100, ("tree", "name", "nearest")),
        (5_000, 60_000, ("tree", "bag", "name")),  # the table of linear would be too large
    ],
)
def test_the_blend_leaves_out_what_the_catalogue_is_too_large_for(tags, features, experts):
    settings = TaggerSettings(experts=("tree", "linear", "bag", "name"))
    assert experts_for(settings, data_with(tags, features)) == experts
    assert experts_for(TaggerSettings(encoder="bag"), data_with(tags, features)) == ("bag",)


MEASURE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import huge_tags
print(json.dumps(huge_tags.measure("blend", int(sys.argv[2]))))
"""


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("tags", "least", "most_mib", "most_seconds"), [(25_000, 0.6, 4_096, 300), (100_000, 0.6, 8_192, 900)]
)
def test_a_hundred_thousand_tags_of_three_examples_each(tags, least, most_mib, most_seconds):
    """In a process of its own, whose peak memory the system counts; the ceilings leave room for a slow machine."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEASURE, str(ROOT / "benchmarks"), str(tags)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1_100)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["tags"], found["train"]) == (tags, 3 * tags)
    assert found["P@1"] > least
    assert found["peak MiB"] < most_mib
    assert found["training seconds"] < most_seconds


def test_fitting_makes_no_table_of_all_products_and_all_tags():
    """What is dense has the texts of valid, and of them so few that their pairs with all tags fit."""
    from tagloom.tags.fit import _drawn

    rows = catalogue([(f"own{n}", ["t"]) for n in range(3_000)])
    assert len(_drawn(rows, 100, 0)) == 3_000
    assert len(_drawn(rows, 100_000, 0)) == 400
    assert len(_drawn(rows, 10_000_000, 0)) == 200


def test_fit_tagger_is_what_fit_calls():
    arguments = ("vocabulary", "word_vectors", "log_folder", "checkpoint", "progress")
    settings = TaggerSettings(encoder="popular")
    fitted = fit_tagger(catalogue(KNOWN), None, settings, custom_words=(), **dict.fromkeys(arguments))
    assert fitted.tags == ("t0", "t1", "t2", "t3")
