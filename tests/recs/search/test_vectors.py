"""Words, pieces and their vectors; queries that are drawn from the catalogue."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.recs.search.features import WordFeatures, joined
from tagloom.recs.search.planted import Planter, half, slipped
from tagloom.recs.search.reading import ProductWords
from tagloom.recs.search.spelling import slips

ROWS = [
    {"product_id": "a", "title": "red dress", "tags": ["kind=evening gown"], "category": ["clothes"]},
    {"product_id": "b", "title": "red shoes"},
    {"product_id": "c"},
]


@pytest.fixture
def words() -> ProductWords:
    return ProductWords.of(Products.of(ROWS), WordSplitter(), {})


@pytest.fixture
def features(words: ProductWords) -> WordFeatures:
    return WordFeatures.of(words, ["kicks"], 100)


def test_a_word_of_the_catalogue_and_one_that_users_typed_are_known(features):
    assert features.knows("dress")
    assert features.knows("kicks")
    assert not features.knows("drses")


def test_rare_words_tell_more(features):
    idf = dict(zip(features.words, features.idf, strict=True))
    assert idf["dress"] > idf["red"]


def test_a_misspelt_word_shares_pieces_with_the_right_one(features):
    right, wrong = (set(features.of_word(word)[0]) for word in ("dress", "dresss"))
    assert len(right & wrong) >= 3
    assert features.of_word("qq") == ([], [])


def test_a_product_stands_for_its_words_and_one_without_is_empty(features, words):
    rows = features.products(words)
    assert np.sqrt(rows.multiply(rows).sum(1)).A1.tolist() == pytest.approx([1, 1, 0])
    assert rows[1].nnz == 2
    assert rows[1, features.words.index("shoes")] > rows[1, features.words.index("red")]


def test_a_word_that_came_later_is_read_by_its_pieces(features):
    later = ProductWords.of(Products.of([{"product_id": "d", "title": "dresses"}]), WordSplitter(), {})
    assert features.products(later).nnz > 1


def test_only_the_most_frequent_words_are_kept(words):
    assert WordFeatures.of(words, [], 1).words == ("red",)


def test_bags_are_joined_in_a_row():
    entries, starts, weights = joined([([3, 4], [0.5, 1.0]), ([], []), ([1], [2.0])])
    assert (entries.tolist(), starts.tolist(), weights.tolist()) == ([3, 4, 1], [0, 2, 2, 3], [0.5, 1.0, 2.0])


# Drawn queries


@pytest.fixture
def planter(words: ProductWords) -> Planter:
    return Planter(words, csr_matrix(np.array([[1], [0], [0]])), [[["evening", "gown"]]])


def test_a_drawn_query_names_what_the_product_has(planter):
    random = Random(0)
    drawn = [planter.draw(0, random, slips=0, half_typed=0) for _ in range(200)]
    assert {word for query in drawn for word in query} == {"red", "dress", "evening", "gown", "clothes"}
    assert all(len(query) == len(set(query)) > 0 for query in drawn)
    assert {word for _ in range(50) for word in planter.draw(1, random, slips=0, half_typed=0)} == {"red", "shoes"}


def test_for_a_product_without_text_and_tags_nothing_is_drawn(planter):
    assert planter.draw(2, Random(0)) == []


def test_the_same_seed_draws_the_same(planter):
    one, other = ([planter.draw(0, random) for _ in range(20)] for random in (Random(1), Random(1)))
    assert one == other


@pytest.mark.parametrize("word", ["dress", "sweatshirt"])
def test_a_slip_is_one_slip(word):
    found = {slipped(word, Random(seed)) for seed in range(100)}
    assert len(found) > 5
    assert {slips(one, word, 2) for one in found} <= {0, 1}


@pytest.mark.parametrize("word", ["red", "128gb", "包", "红色"])
def test_short_words_and_sizes_do_not_slip(word):
    assert {slipped(word, Random(seed)) for seed in range(20)} == {word}


@pytest.mark.parametrize(("word", "least"), [("dress", 3), ("双肩包", 2), ("包", 1), ("a", 1)])
def test_half_a_word_is_at_least_half(word, least):
    found = {half(word, Random(seed)) for seed in range(50)}
    assert all(word.startswith(one) for one in found)
    assert min(map(len, found)) == least
