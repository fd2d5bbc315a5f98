"""The lists that a user keeps: products that are never shown."""

from __future__ import annotations

import pytest

from tagloom.config import Settings
from tagloom.data.vocabulary.lists import UserLists, read_ids
from tagloom.errors import VocabularyError


def test_ids_stand_as_they_are_one_a_line(tmp_path):
    path = tmp_path / "hidden.txt"
    path.write_text("\ufeff# recalled\np1\n\n  P1 \nitem #7\n", "utf-8")
    assert read_ids(path) == {"p1", "P1", "item #7"}


def test_a_list_of_ids_that_is_not_utf8_is_an_error(tmp_path):
    (tmp_path / "hidden.txt").write_bytes("商品".encode("gb18030"))
    with pytest.raises(VocabularyError, match=r"hidden\.txt is not UTF-8 .* save it as UTF-8"):
        UserLists.of(tmp_path, Settings())


def test_the_setting_names_the_file_and_one_that_is_not_there_is_empty(tmp_path):
    (tmp_path / "recalled.txt").write_text("p1\n", "utf-8")
    assert UserLists.of(tmp_path, Settings()).hidden == frozenset()
    assert UserLists.of(tmp_path, Settings(rules={"hidden": "recalled.txt"})).hidden == {"p1"}
