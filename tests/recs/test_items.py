"""The catalogue as numbers: what was met in training, and the products of today in its columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagloom.data.tables import Products
from tagloom.recs.items import Items, Known, bags

ROWS = [
    {"product_id": "a", "title": "red dress", "tags": ["red", "dress"], "category": ["women", "dresses"]},
    {"product_id": "b", "title": "blue dress", "tags": ["dress"], "category": ["women", "dresses"]},
    {"product_id": "c", "title": "red shoes", "tags": ["red"], "category": ["women", "shoes"]},
    {"product_id": "d", "title": "", "tags": [], "category": []},
]
TAG_IDS = {"red": 7, "gone": 11}


def known(rows=ROWS, tag_ids=TAG_IDS):
    return Known.of(Products.of(rows), tag_ids, (), 1_000)


def items(rows=ROWS, met=None):
    return Items.of(Products.of(rows), met or known())


# What was met


def test_products_tags_and_words_of_the_catalogue_are_known():
    met = known()
    assert met.product_ids == ("a", "b", "c", "d")
    assert met.tags == ("dress", "red")
    assert met.words == 2  # dress and red stand in two texts, blue and shoes in one


def test_a_tag_keeps_its_id_and_a_new_one_gets_one_of_its_own():
    met = known()
    assert dict(zip(met.tags, met.tag_ids, strict=True))["red"] == 7
    assert min(set(met.tag_ids) - {7}) > 11
    without = known(tag_ids={})
    assert len(set(without.tag_ids)) == 2


def test_rows_of_words_have_length_1_and_unknown_words_give_nothing():
    rows = known().word_rows(["a red dress", "green hat", "", "red red"])
    assert rows.shape == (4, 2)
    assert np.sqrt(rows.multiply(rows).sum(1)).A1.tolist() == pytest.approx([1, 0, 0, 1])
    assert known().word_rows([]).shape == (0, 2)


def test_a_catalogue_without_texts_knows_its_products_and_tags():
    met = known([{"product_id": "a", "tags": ["red"]}, {"product_id": "b"}])
    assert (met.words, met.tags) == (0, ("red",))
    assert met.word_rows(["red dress", ""]).shape == (2, 0)


def test_of_many_words_those_in_most_texts_are_kept():
    rows = [{"product_id": str(ix), "title": f"common{'' if ix % 2 else ' word' + str(ix // 4)}"} for ix in range(800)]
    met = Known.of(Products.of(rows), {}, (), 100)
    assert met.words == 100
    assert "common" in met.features.terms


@pytest.mark.parametrize("rows", [ROWS, [{"product_id": "a", "tags": ["红色"]}]])
def test_what_is_saved_comes_back(rows, tmp_path):
    met = known(rows)
    met.save(tmp_path)
    back = Known.load(tmp_path)
    assert (back.product_ids, back.tags, back.tag_ids, back.words) == (
        met.product_ids,
        met.tags,
        met.tag_ids,
        met.words,
    )
    texts = ["a red dress", "hat"]
    assert (back.word_rows(texts) != met.word_rows(texts)).nnz == 0


# Products of today


def test_a_product_has_its_row_its_tags_and_its_words():
    found = items()
    assert (len(found), found.product_ids, found.row_of) == (4, tuple("abcd"), {"a": 0, "b": 1, "c": 2, "d": 3})
    assert found.ids.tolist() == [0, 1, 2, 3]
    assert found.tags.toarray().tolist() == [[1, 1], [1, 0], [0, 1], [0, 0]]
    assert (found.words != known().word_rows(["red dress", "blue dress", "red shoes", ""])).nnz == 0


def test_products_that_came_later_or_stand_elsewhere_keep_to_what_was_met():
    new = {"product_id": "new", "title": "red hat", "tags": ["red", "hat"], "category": ["women", "shoes"]}
    found = items([ROWS[2], new, ROWS[0]])
    assert found.ids.tolist() == [2, -1, 0]
    assert found.tags.toarray().tolist() == [[0, 1], [0, 1], [1, 1]]  # nobody knows hat
    assert found.words.shape == (3, 2)
    assert found.words[1].nnz == 1
    assert found.categories[0] == found.categories[1] != found.categories[2]


def test_equal_paths_have_equal_numbers():
    categories = items().categories
    assert categories[0] == categories[1]
    assert sorted(set(categories.tolist())) == [-1, 0, 1]  # -1: without a category
    deeper = items([{"product_id": "a", "category": ["x"]}, {"product_id": "b", "category": ["x", "y"]}])
    assert deeper.categories[0] != deeper.categories[1]


def test_the_shelf_has_tags_in_shares_and_words_as_they_are():
    shelf = items().shelf
    assert shelf.ids.tolist() == [0, 1, 2, 3]
    assert shelf.tags.starts.tolist() == [0, 2, 3, 4, 4]
    assert shelf.tags.weights.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert torch.equal(shelf.words.summed(torch.eye(2)), torch.from_numpy(items().words.toarray()))


@pytest.mark.parametrize(
    "rows",
    [
        [{"product_id": "a"}, {"product_id": "b"}],
        [{"product_id": "a", "title": "red"}],
        [{"product_id": "a", "tags": ["red"]}],
    ],
)
def test_a_shelf_may_be_without_tags_without_words_and_of_one_product(rows):
    met = known(rows)
    shelf = items(rows, met).shelf
    assert len(shelf) == len(rows)
    assert shelf.tags.summed(torch.ones(len(met.tags), 3)).shape == (len(rows), 3)
    assert shelf.words.summed(torch.ones(met.words, 3)).shape == (len(rows), 3)


def test_without_products_there_is_an_empty_shelf():
    assert len(items([], known()).shelf) == 0


def test_a_matrix_becomes_bags_of_its_columns():
    made = bags(items().tags)
    assert (made.entries.dtype, made.starts.dtype, made.weights.dtype) == (torch.int64, torch.int64, torch.float32)
    assert made.summed(torch.eye(2)).tolist() == items().tags.toarray().tolist()
