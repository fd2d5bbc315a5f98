"""The index of words: what is found, and by what."""

from __future__ import annotations

import pytest

from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.recs.search.answers import ReadWord
from tagloom.recs.search.reading import ProductWords
from tagloom.recs.search.words import WordIndex

CATALOGUE = [
    {"product_id": "a", "title": "red dress", "description": "for the beach"},
    {"product_id": "b", "title": "red shoes", "tags": ["kind=five trees"]},
    {"product_id": "c", "description": "a dress, red or blue"},
]


def read(*words):
    return [ReadWord(word, (word,), "typed") for word in words]


def words_of(rows):
    return ProductWords.of(Products.of(rows), WordSplitter(("five trees",)), {"kind=five trees": ("5t",)})


def found(index, *words):
    return index.found(read(*words), 10)[0].tolist()


@pytest.fixture
def words() -> ProductWords:
    return words_of(CATALOGUE)


def test_a_title_counts_more_than_a_description_and_two_words_more_than_one(words):
    index = WordIndex.of(words)
    assert found(index, "dress") == [0, 2]
    assert found(index, "red", "dress")[0] == 0
    assert set(found(index, "red", "dress")) == {0, 1, 2}


def test_own_words_with_blanks_and_aliases_are_found_whole(words):
    index = WordIndex.of(words)
    assert found(index, "five trees") == [1]
    assert found(index, "5t") == [1]
    assert found(index, "five") == []


def test_a_word_that_was_not_understood_finds_nothing(words):
    rows, scores = WordIndex.of(words).found([ReadWord("x", (), "unknown")], 10)
    assert (len(rows), len(scores)) == (0, 0)


def test_a_second_reading_counts_less(words):
    both = [ReadWord("beech", ("beach", "blue"), "corrected")]
    assert WordIndex.of(words).found(both, 10)[0].tolist() == [0, 2]


def test_the_products_that_hold_a_word(words):
    assert words.holding("dress").tolist() == [0, 2]
    assert words.holding("nowhere").tolist() == []
    assert len(words) == 3


def test_words_are_saved_as_numbers(words):
    again = ProductWords.from_arrays(words.words, words.arrays())
    assert list(again.texts("title")) == list(words.texts("title")) == ["red dress", "red shoes", ""]
