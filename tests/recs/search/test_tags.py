"""Tags that a query names, and how sure a tag is."""

from __future__ import annotations

import numpy as np
import pytest

from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.recs.search.tags import Names, TagConfidence, TagNames, named_in

NAMES = ("colour=blue", "colour=dark blue", "双肩包", "包")


@pytest.fixture
def by_units() -> dict[str, list[int]]:
    return TagNames.of(NAMES, range(4), {"colour=blue": ("navy",)}).by_units()


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        (["blue"], [0]),
        (["navy", "bag"], [0]),
        (["dark", "blue"], [1]),
        (["blue", "dark", "blue"], [0, 1]),
        (["双", "肩包"], [2]),
        (["包"], [3]),
        (["dark"], []),
        ([], []),
    ],
)
def test_the_longest_names_in_a_query_are_its_tags(by_units, words, tags):
    assert named_in(words, by_units).tolist() == tags


def test_an_unknown_tag_gets_an_id_after_all_others():
    names = Names.of(Vocabulary().add(["a", "b"]))
    assert names.numbered(["b", "new"]) == (1, 3)
    assert names.numbered(["new"], taken=9) == (10,)
    assert Names.of(None).numbered(["x", "y"]) == (0, 1)


def test_a_confidence_is_as_often_right_as_it_says():
    random = np.random.default_rng(0)
    told = []
    for _ in range(2_000):
        chance = random.uniform(0.02, 0.6, 4)
        named = np.flatnonzero(random.random(4) < 0.3)
        odds = np.log(chance / (1 - chance)) + 2.0 * np.isin(np.arange(4), named)
        true = np.flatnonzero(random.random(4) < 1 / (1 + np.exp(-odds)))
        told.append((np.log(chance).astype(np.float32), named, true))
    fitted = TagConfidence.fit(told)
    sure = np.concatenate([fitted.of(logs, named) for logs, named, _ in told])
    right = np.concatenate([np.isin(np.arange(4), true) for *_, true in told])
    for low in (0.0, 0.25, 0.5, 0.75):
        some = (sure >= low) & (sure < low + 0.25)
        assert sure[some].mean() == pytest.approx(right[some].mean(), abs=0.05)
    assert fitted.named == pytest.approx(2.0, abs=0.3)


def test_with_few_queries_the_confidence_has_its_defaults():
    assert TagConfidence.fit([]) == TagConfidence()


def test_a_named_tag_is_surer():
    sure = TagConfidence().of(np.full(2, -3, np.float32), np.array([1]))
    assert 0 < sure[0] < sure[1] < 1
