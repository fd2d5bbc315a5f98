"""Cross-validation: who is trained on what, and what comes of the figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tagloom import Products, Tagger
from tagloom.config import SplitSettings
from tagloom.errors import DataError
from tagloom.measure.crossval import CrossValidation, cross_validate
from tagloom.measure.tagging import TagMetrics


def catalogue(count=20, texts=20):
    words = ["tea", "lamp"]
    return Products.of(
        [{"product_id": str(n), "title": f"{words[n % 2]} {n % texts}", "tags": [words[n % 2]]} for n in range(count)]
    )


def figures(**values):
    return TagMetrics(1, values, np.zeros((0, 3), np.int64))


@dataclass
class Remembering:
    """Knows which products it learned from, and counts those it is measured on."""

    learned: set[str]
    asked: list[tuple[set[str], set[str]]]

    def evaluate(self, products):
        measured = set(products.frame["product_id"])
        self.asked.append((self.learned, measured))
        return figures(products=float(len(measured)))


@pytest.mark.parametrize("folds", [2, 3, 20])
def test_every_product_is_measured_once_by_one_that_did_not_learn_it(folds):
    asked, told = [], []

    def fit(train, valid):
        assert valid is None
        return Remembering(set(train.frame["product_id"]), asked)

    crossed = cross_validate(fit, catalogue(), folds, SplitSettings(), lambda *said: told.append(said))
    everything = {str(n) for n in range(20)}
    assert all(learned == everything - measured for learned, measured in asked)
    assert sorted(name for _, measured in asked for name in measured) == sorted(everything)
    assert told == list(enumerate(crossed.folds, start=1))
    assert crossed.mean["products"] == pytest.approx(20 / folds)


def test_mean_and_standard_deviation_are_over_the_folds():
    crossed = CrossValidation((figures(a=1.0, b=5.0), figures(a=3.0, b=5.0), figures(a=2.0, b=5.0)))
    assert crossed.mean == {"a": 2.0, "b": 5.0}
    assert crossed.std == {"a": 1.0, "b": 0.0}


def test_equal_texts_stay_together():
    asked = []
    cross_validate(
        lambda train, _: Remembering(set(train.frame["product_id"]), asked), catalogue(40, texts=10), 5, SplitSettings()
    )
    for learned, measured in asked:
        assert not {int(name) % 10 for name in learned} & {int(name) % 10 for name in measured}


@pytest.mark.parametrize("folds", [0, 1, 21])
def test_an_impossible_number_of_folds_is_refused(folds):
    with pytest.raises(DataError, match=f"cannot make {folds} folds of 20 products"):
        cross_validate(lambda *_: Remembering(set(), []), catalogue(), folds, SplitSettings())


def test_a_tagger_is_measured_on_planted_data():
    crossed = cross_validate(Tagger(encoder="nearest").fit, catalogue(60, texts=60), 3, SplitSettings())
    assert len(crossed.folds) == 3
    assert (crossed.mean["P@1"], crossed.std["P@1"]) == (1.0, 0.0)
