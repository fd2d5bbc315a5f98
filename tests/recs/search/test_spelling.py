"""Words read as others: completed, corrected, taken apart; and what is left as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.recs.search.queries import Query
from tagloom.recs.search.spelling import Spelling, grams, slips

WORDS = {
    "128gb": 9,
    "256gb": 9,
    "blue": 40,
    "blues": 1,
    "dress": 30,
    "kicks": 0,
    "sheep": 2,
    "shoes": 50,
    "shirt": 20,
    "short": 5,
    "sweatshirt": 8,
    "双肩包": 9,
    "帆布": 4,
    "牛仔裤": 9,
    "鞋": 20,
}


@pytest.fixture
def spelling() -> Spelling:
    words = sorted(WORDS)
    return Spelling(tuple(words), np.array([WORDS[word] for word in words], np.int64))


@pytest.mark.parametrize(
    ("word", "half_typed", "read", "how"),
    [
        ("shoes", False, "shoes", "typed"),
        ("kicks", False, "kicks", "asked"),
        ("sheos", False, "shoes", "corrected"),
        ("shooes", False, "shoes", "corrected"),
        ("hoes", False, "shoes", "corrected"),
        ("swetshrit", False, "sweatshirt", "corrected"),
        ("sweats", True, "sweatshirt", "completed"),
        ("双肩", True, "双肩包", "completed"),
        ("肩包", False, "双肩包", "completed"),
        ("牛崽裤", False, "牛仔裤", "corrected"),
        ("zzzz", False, "", "unknown"),
        ("512gb", False, "", "unknown"),
        ("sho", False, "shoes", "completed"),
    ],
)
def test_a_word_is_read_as_the_likeliest_one(spelling, word, half_typed, read, how):
    (found,) = spelling.read(word, half_typed)
    assert (found.words[:1], found.how) == ((read,) if read else (), how)


@pytest.mark.parametrize(
    ("word", "parts"), [("帆布鞋", ["帆布", "鞋"]), ("blueshoes", ["blue", "shoes"]), ("帆布的鞋", ["帆布", "鞋"])]
)
def test_a_word_that_nothing_has_whole_is_taken_apart(spelling, word, parts):
    found = spelling.read(word, False)
    assert [one.words for one in found] == [(part,) for part in parts]
    assert {one.how for one in found} == {"part"}


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("shoes", True),
        ("kicks", True),
        ("双肩", True),
        ("帆布鞋", True),
        ("shose", False),
        ("牛崽裤", False),
        ("zz", False),
    ],
)
def test_a_slip_is_no_word_that_is_known(spelling, word, known):
    assert spelling.knows(word) is known


def test_a_word_of_one_letter_is_not_completed(spelling):
    assert spelling.read("s", True)[0].how == "unknown"


def test_a_rare_word_that_is_half_typed_may_be_a_frequent_one(spelling):
    words = ("blu", "blue")
    some = Spelling(words, np.array([1, 40]))
    assert some.read("blu", True)[0].words == ("blu", "blue")
    assert some.read("blu", False)[0].words == ("blu",)


def test_a_very_long_word_is_unknown(spelling):
    assert spelling.read("shoes" * 100, True)[0].how == "unknown"


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_slips_go_both_ways_and_are_none_between_equals(one, other):
    assert slips(one, other, 2) == slips(other, one, 2)
    assert (slips(one, other, 2) == 0) is (one == other)


@given(st.sampled_from(["shoes", "sweatshirt", "dress"]), st.integers(0, 9), st.sampled_from("abcxyz"))
def test_a_word_with_one_letter_too_many_is_one_slip_away(word, at, letter):
    at = min(at, len(word))
    assert slips(word[:at] + letter + word[at:], word, 2) == 1


def test_pieces_of_a_word_know_where_it_ends():
    assert "es>" in grams("shoes")
    assert "es>" not in grams("shoestring")


def test_a_query_is_read_up_to_the_most_words_and_each_once(spelling):
    query = Query.of(["blue", "blue", "shoes", "dress"], spelling, 2, half_typed=True)
    assert [word.typed for word in query.read] == ["blue", "shoes"]
    assert query.left_out == 1


def test_chinese_words_are_understood_without_a_blank(spelling):
    query = Query.of(["帆布", "鞋", "blue", "dress"], spelling, 9, half_typed=False)
    assert query.understood == "帆布鞋 blue dress"


def test_the_readings_of_a_word_share_its_weight(spelling):
    query = Query.of(["shi", "blue"], spelling, 9, half_typed=False)
    weights = dict(query.meant)
    assert weights["blue"] == 1
    assert sum(weights.values()) == pytest.approx(2)
