"""Suggestions: the most searched first, tags, pairs of words; nobody's own queries."""

from __future__ import annotations

import pytest

from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.recs.search.reading import ProductWords
from tagloom.recs.search.suggest import Suggestions, _title_pairs

TITLES = ["canvas shoes", "canvas shoes", "canvas shoes", "canvas bag", "帆布双肩包", "帆布双肩包", "帆布双肩包"]


@pytest.fixture
def suggestions() -> Suggestions:
    splitter = WordSplitter()
    products = Products.of([{"product_id": str(ix), "title": title} for ix, title in enumerate(TITLES)])
    words = ProductWords.of(products, splitter, {})
    asked = {"red dress": 9, "red shoes": 4, "双肩包 女": 5}
    return Suggestions.of(asked, [("red", 7), ("reddish", 1), ("unused", 0), ("红色", 3)], words, splitter)


def test_what_is_searched_comes_first_then_what_most_products_carry(suggestions):
    assert suggestions.complete("re") == ("red dress", "red shoes", "red", "reddish")


def test_the_middle_of_a_query_is_found_by_its_word(suggestions):
    assert suggestions.complete("sho") == ("red shoes", "canvas shoes")


def test_words_side_by_side_in_several_titles_are_suggested(suggestions):
    assert suggestions.complete("canv") == ("canvas shoes",)


def test_a_pair_counts_once_in_a_title_and_not_from_one_title_to_the_next():
    splitter = WordSplitter()
    titles = ["red hat red hat red hat", "red hat", "cap", "red hat", "cap", "red hat", "cap"]
    products = Products.of([{"product_id": str(ix), "title": title} for ix, title in enumerate(titles)])
    found = _title_pairs(ProductWords.of(products, splitter, {}))
    assert found == [("red hat", 4)]


@pytest.mark.parametrize("typed", ["双", "双肩", "雙肩"])
def test_chinese_is_completed_half_typed_and_traditional(suggestions, typed):
    found = suggestions.complete(typed)
    assert found[0] == "双肩包 女"
    assert "帆布双肩包" in found


def test_the_last_word_is_completed_where_no_query_goes_on_so(suggestions):
    assert suggestions.complete("green canv") == ("green canvas shoes",)


def test_the_last_word_is_not_completed_by_what_stands_inside_a_query(suggestions):
    assert suggestions.complete("green sho") == ()


def test_nothing_typed_gets_the_most_searched(suggestions):
    assert suggestions.complete("", 2) == ("red dress", "双肩包 女")


def test_a_tag_that_no_product_carries_is_not_suggested(suggestions):
    assert suggestions.complete("unus") == ()


def test_what_nothing_begins_with_gets_nothing(suggestions):
    assert suggestions.complete("zz") == suggestions.complete("zz zz") == ()


def test_a_shop_without_anything_suggests_nothing():
    nothing = ProductWords.of(Products.of([]), WordSplitter(), {})
    assert Suggestions.of({}, [], nothing, WordSplitter()).complete("a") == ()


def test_what_one_user_alone_searched_is_not_suggested(search):
    assert search.suggest("kick") == ("kicks",)
    assert search.suggest("secret") == ()


def test_what_three_users_searched_is_suggested_what_two_did_is_not(search):
    assert search.suggest("among") == ("among three",)
    assert search.suggest("between") == ()


def test_a_slip_that_several_users_made_is_corrected_and_not_suggested(search):
    assert search.learned.asked["shose"] == 3
    assert search.answer("shose").understood == "shoes"
    assert "shoes" in search.suggest("sho", 99)
    assert "shose" not in search.suggest("sho", 99)


def test_a_misspelt_query_gets_the_suggestions_of_what_it_was_read_as(search):
    assert "red dress" in search.answer("red drses").suggestions
