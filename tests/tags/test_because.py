"""The words that carried a tag: the experts' sums joined, runs written as they stand, no word twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tagloom.config import TaggerSettings
from tagloom.data.words.text import WordSplitter
from tagloom.tags.because import Word, because, distinct, strongest
from tagloom.tags.features import Features


@dataclass
class Saying:
    """An expert that says of every text what it was told, for each tag by its column."""

    carries: dict[str, list[float]]

    def carried(self, reading, tags):
        weights = np.array(list(self.carries.values()))
        return [(list(self.carries), weights[:, row]) for row in tags[: len(reading)]]


def read(*texts):
    return Features.fit(["soft red"] * 2, TaggerSettings(), WordSplitter()).read(texts)


def test_what_experts_say_is_added_by_their_weights():
    experts = {"one": Saying({"soft": [1, 0], "red": [0, 3]}), "other": Saying({"soft": [5, 1]})}
    ((first, second),) = because(experts, {"one": 2.0, "other": 0.5}, read("soft red"), np.array([[0, 1]]))
    assert first == (Word("soft", 4.5),)
    assert second == (Word("red", 6.0), Word("soft", 0.5))


def test_an_expert_without_weight_has_no_say():
    experts = {"one": Saying({"soft": [1]}), "other": Saying({"loud": [9]})}
    (((word,),),) = because(experts, {"one": 1.0, "other": 0.0}, read("soft"), np.array([[0]]))
    assert word == Word("soft", 1.0)


def test_a_word_that_stands_twice_counts_together():
    @dataclass
    class Twice:
        def carried(self, reading, tags):
            return [(["soft", "red", "soft"], np.array([[1.0], [1.5], [1.0]])[:, row]) for row in tags[: len(reading)]]

    (((first, second),),) = because({"one": Twice()}, {"one": 1.0}, read("soft red soft"), np.array([[0]]))
    assert (first, second) == (Word("soft", 2.0), Word("red", 1.5))


def test_only_what_spoke_for_a_tag_is_told_and_at_most_three():
    carried = {word: np.array([weight]) for word, weight in zip("abcdef", (1.0, -2.0, 3.0, 0.0, 2.0, 0.5), strict=True)}
    assert strongest(carried, 0) == (Word("c", 3.0), Word("e", 2.0), Word("a", 1.0))


def test_a_run_and_its_words_are_told_once_the_strongest_of_them():
    told = [("very soft", 3.0), ("soft", 2.0), ("very", 1.0), ("red", 0.5)]
    assert distinct(told) == (Word("very soft", 3.0), Word("red", 0.5))


@pytest.mark.parametrize(
    ("run", "written"),
    [
        ("soft touch", "soft touch"),
        ("牛仔 外套", "牛仔外套"),
        ("5g 手机", "5g手机"),
        ("t恤 cotton", "t恤cotton"),
        ("ワン ピース", "ワンピース"),
        ("빨간 치마", "빨간 치마"),
    ],
)
def test_a_run_is_written_as_it_stands_in_a_text(run, written):
    assert distinct([(run, 1.0)]) == (Word(written, 1.0),)


def test_a_brand_and_half_of_it_are_named_once():
    words = distinct([("粮仓憨鼠", 3.0), ("憨鼠", 2.0), ("海盐", 1.0), ("sea", 0.5), ("season", 0.4)])
    assert [word.text for word in words] == ["粮仓憨鼠", "海盐", "sea"]
