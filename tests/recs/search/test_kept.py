"""The words of a catalogue in a folder: kept, older, damaged, newer."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagloom.artifact import check_artifact
from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.recs.search.kept import JOB, kept_words

CATALOGUE = [
    {"product_id": "a", "title": "red dress", "tags": ["colour=red"]},
    {"product_id": "b", "title": "five trees"},
]


def kept(folder, rows=CATALOGUE, custom=(), aliases=None):
    words, state = kept_words(folder, Products.of(rows), WordSplitter(custom), aliases or {})
    return [set(text.split()) for text in words.texts("title")], state


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "index"
    assert kept(made) == ([{"red", "dress"}, {"five", "trees"}], "new")
    return made


def test_words_are_kept_and_read_again(folder):
    assert kept(folder) == ([{"red", "dress"}, {"five", "trees"}], "kept")


@pytest.mark.parametrize(
    "other",
    [
        {"rows": [*CATALOGUE, {"product_id": "c", "title": "hat"}]},
        {"rows": [{**CATALOGUE[0], "title": "blue dress"}, CATALOGUE[1]]},
        {"custom": ("five trees",)},
        {"aliases": {"colour=red": ("crimson",)}},
    ],
    ids=["new product", "rewritten product", "own word", "alias"],
)
def test_words_older_than_the_catalogue_are_made_again(folder, tmp_path, other):
    found = kept(folder, **other)
    assert found == (kept(tmp_path / "fresh", **other)[0], "older")
    assert kept(folder, **other)[1] == "kept"


def test_damaged_words_are_made_again_whatever_file_it_is(folder, tmp_path, check_damage):
    check_damage(shutil.copytree(folder, tmp_path / "copy"), lambda copy: check_artifact(copy, JOB))
    for name in sorted(path.name for path in folder.iterdir()):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
        assert kept(folder) == ([{"red", "dress"}, {"five", "trees"}], "damaged"), name
        (folder / name).unlink()
        assert kept(folder)[1] == "damaged", name
        assert kept(folder)[1] == "kept"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "index").mkdir()
    assert [kept(tmp_path / "index")[1] for _ in range(2)] == ["new", "kept"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path):
    (tmp_path / "index").write_text("mine", encoding="utf-8")
    with pytest.warns(RuntimeWarning, match="exists already"):
        assert kept(tmp_path / "index") == ([{"red", "dress"}, {"five", "trees"}], "not kept")
    assert (tmp_path / "index").read_text(encoding="utf-8") == "mine"


def test_a_folder_with_other_files_is_left_alone(folder):
    (folder / "mine.txt").write_text("mine", encoding="utf-8")
    assert kept(folder)[1] == "kept"
    (folder / "words.json").unlink()
    there = sorted(path.name for path in folder.iterdir())
    with pytest.warns(
        RuntimeWarning, match=r"not kept .*holds mine\.txt, which is none of the search's.*make .* a folder"
    ):
        assert kept(folder) == ([{"red", "dress"}, {"five", "trees"}], "not kept")
    assert sorted(path.name for path in folder.iterdir()) == there
    assert (folder / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.warns(RuntimeWarning, match="are not kept"):
        assert kept(tmp_path / "file" / "index")[1] == "not kept"


def test_words_are_cut_only_when_somebody_searches(search, products, vocabulary, tmp_path):
    seeing = search.seeing(products, vocabulary, tmp_path / "index")
    assert not (tmp_path / "index").exists()
    assert seeing.suggest("blue")
    assert (tmp_path / "index").is_dir()


def test_many_who_search_at_once_make_the_index_once(search, products, vocabulary, tmp_path):
    seeing = search.seeing(products, vocabulary, tmp_path / "index")
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: seeing.answer("blue trousers"), range(4)))
    assert answers == [search.answer("blue trousers")] * 4
    # Made a second time, its words would have been read from the folder.
    assert seeing.index_state == "new"


def test_a_search_says_what_became_of_its_index(search, products, vocabulary, tmp_path):
    folder = tmp_path / "index"
    first, second = (search.seeing(products, vocabulary, folder) for _ in range(2))
    older = second.seeing(Products(products.frame.head(5)), vocabulary, folder)
    assert (first.index_state, second.index_state, older.index_state) == ("new", "kept", "older")
    assert first.answer("blue trousers") == second.answer("blue trousers") == search.answer("blue trousers")
