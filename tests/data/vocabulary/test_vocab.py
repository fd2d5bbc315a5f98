import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.data.vocabulary.normal import normal_form
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.errors import VocabularyError


def named(vocabulary: Vocabulary) -> dict[int, str]:
    return {tag.id: tag.name for tag in vocabulary.tags}


ABC = Vocabulary().add(["apple", "banana", "cherry"])


def test_ids_are_given_in_order_and_known_names_keep_theirs() -> None:
    more = ABC.add(["date", "Banana ", "elder"])
    assert named(more) == {0: "apple", 1: "banana", 2: "cherry", 3: "date", 4: "elder"}


def test_a_change_leaves_the_old_vocabulary_as_it_was() -> None:
    ABC.rename("apple", "apricot").merge("banana", "cherry")
    assert named(ABC) == {0: "apple", 1: "banana", 2: "cherry"}


def test_a_tag_is_found_by_any_spelling_of_name_and_aliases() -> None:
    vocabulary = ABC.add_alias("apple", "苹果")
    for spelling in ("apple", " APPLE", "ａｐｐｌｅ", "蘋果"):
        tag = vocabulary.find(spelling)
        assert tag is not None
        assert tag.id == 0
    assert vocabulary.find("pear") is None
    assert vocabulary.tag(0).aliases == ("苹果",)


def test_rename_keeps_the_id_and_the_old_name_as_alias() -> None:
    vocabulary = ABC.rename("apple", "apricot")
    assert vocabulary.tag(0).name == "apricot"
    assert vocabulary.find("apple") == vocabulary.tag(0)
    assert vocabulary.tag(0).aliases == ("apple",)


def test_a_rename_can_change_the_case_only() -> None:
    assert ABC.rename("apple", "Apple").tag(0).name == "Apple"


def test_merge_leads_ids_names_and_aliases_to_the_survivor() -> None:
    vocabulary = ABC.add_alias("apple", "pomme").merge("apple", "banana").merge("banana", "cherry")
    assert named(vocabulary) == {2: "cherry"}
    assert [vocabulary.resolve(tag) for tag in (0, 1, 2, 3)] == [2, 2, 2, None]
    assert vocabulary.tag("pomme").aliases == ("apple", "banana", "pomme")


def test_children_follow_a_merged_parent() -> None:
    vocabulary = ABC.set_parent("apple", "banana").merge("banana", "cherry")
    assert vocabulary.ancestors("apple") == (2,)


def test_ancestors_go_from_the_parent_up() -> None:
    vocabulary = ABC.set_parent("apple", "banana").set_parent("banana", "cherry")
    assert vocabulary.ancestors("apple") == (1, 2)
    assert vocabulary.set_parent("apple", None).ancestors("apple") == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.rename("aple", "x"), "no tag 'aple'; did you mean 'apple'"),
        (lambda v: v.tag(9), "no tag with the id 9; ids go from 0 to 2"),
        (lambda v: v.rename("apple", "Banana"), "'Banana' already belongs to the tag 'banana'"),
        (lambda v: v.add_alias("apple", "cherry"), "'cherry' already belongs to"),
        (lambda v: v.merge("apple", "apple"), "merged into itself"),
        (lambda v: v.merge("apple", "banana").merge("banana", "apple"), "merged into itself"),
        (lambda v: v.set_parent("apple", "apple"), "cannot be its own parent"),
        (lambda v: v.set_parent("apple", "banana").set_parent("banana", "apple"), "circle"),
        (
            lambda v: v.set_parent("apple", "banana").set_parent("banana", "cherry").set_parent("cherry", "apple"),
            "circle",
        ),
        (lambda v: v.set_parent("apple", "banana").set_parent("banana", "cherry").merge("cherry", "apple"), "circle"),
        (lambda v: v.split("apple", {}), "at least one part"),
        (lambda v: v.split("apple", {"fruit": []}), "at least one word"),
        (lambda v: v.split("apple", {"apple": ["pie"]}), "part of itself"),
        (lambda v: v.add(["..."]), "a tag needs a name"),
        (lambda v: v.undo(3), "no record 3; they go from 0 to 2"),
        (lambda v: v.undo(0).undo(0), "undone already"),
    ],
)
def test_what_cannot_be_done_is_an_error_that_says_why(change: object, message: str) -> None:
    with pytest.raises(VocabularyError, match=message):
        change(ABC)  # type: ignore[operator]


def test_undo_brings_the_state_back_and_can_be_undone() -> None:
    merged = ABC.merge("apple", "banana")
    back = merged.undo(3)
    assert back.tags == ABC.tags
    assert back.undo(4).tags == merged.tags


def test_undo_of_what_later_records_rest_on_is_refused() -> None:
    with pytest.raises(VocabularyError, match=r"record 0 \(add\) cannot be undone.*record 3 \(rename\)"):
        ABC.rename("apple", "apricot").undo(0)
    freed = ABC.rename("apple", "apricot").rename("apple", "plum").merge("banana", "cherry")
    with pytest.raises(VocabularyError, match="cannot be undone"):
        ABC.merge("apple", "banana").undo(3).add(["apple"]).rename("apple", "x").undo(0)
    assert freed.undo(3).tag(0).name == "plum"


def test_an_undone_tags_id_is_never_given_out_again() -> None:
    vocabulary = ABC.undo(2).add(["cherry", "date"])
    assert named(vocabulary) == {0: "apple", 1: "banana", 3: "cherry", 4: "date"}
    assert vocabulary.resolve(2) is None


def test_what_was_undone_is_remembered_as_refused() -> None:
    vocabulary = ABC.add_alias("apple", "pomme").undo(3)
    assert vocabulary.refused("Pomme", "apple")
    assert not ABC.refused("pomme", "apple")


def products() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "product_id": ["1", "2", "3", "4"],
            "title": ["Apple pie, sweet", "Phone case", "A pineapple", "苹果手机壳"],
            "description": ["", "fits the iPHONE", "", ""],
            "category": [["food"], ["phones"], ["food"], ["配件"]],
            "tags": [["apple", "food"], ["Apple"], ["apple"], ["apple", "apple", "unheard of"]],
        }
    )


def test_merges_and_renames_reach_the_products() -> None:
    vocabulary = Vocabulary().add(["apple", "food"]).rename("apple", "苹果").merge("food", "苹果")
    assert vocabulary.apply(products())["tags"].to_list() == [["苹果"], ["苹果"], ["苹果"], ["苹果"]]


def test_a_split_divides_the_products_by_their_words() -> None:
    vocabulary = Vocabulary().add(["apple", "food"])
    divided = vocabulary.split("apple", {"apple (brand)": ["iphone", "手机"], "apple (fruit)": ["apple", "pie"]})
    assert named(divided) == {0: "apple", 1: "food", 2: "apple (brand)", 3: "apple (fruit)"}
    tags = divided.apply(products())["tags"].to_list()
    # "pineapple" holds "apple", but not as a word: nobody claims product 3.
    assert [sorted(names) for names in tags] == [
        ["apple (fruit)", "food"],
        ["apple (brand)"],
        ["apple"],
        ["apple (brand)"],
    ]
    assert vocabulary.apply(products()).equals(divided.undo(2).apply(products()))


def test_a_part_may_be_a_tag_that_exists_and_be_merged_away() -> None:
    vocabulary = Vocabulary().add(["apple", "food", "phone"]).split("apple", {"food": ["pie"], "gadget": ["phone"]})
    moved = vocabulary.merge("gadget", "phone").apply(products())["tags"].to_list()
    assert moved == [["food"], ["phone"], ["apple"], ["apple"]]


def test_products_without_tags_stay_without() -> None:
    empty = products().with_columns(tags=pl.lit([], dtype=pl.List(pl.String)))
    assert ABC.apply(empty).equals(empty)
    assert ABC.apply(empty.clear()).is_empty()


def test_saving_and_loading_gives_the_same(tmp_path: Path) -> None:
    vocabulary = ABC.rename("apple", "苹果").split("banana", {"香蕉": ["黄"]}).set_parent(0, 2).undo(5)
    vocabulary.save(tmp_path / "vocabulary.jsonl")
    loaded = Vocabulary.load(tmp_path / "vocabulary.jsonl")
    assert loaded == vocabulary
    assert loaded.tags == vocabulary.tags
    assert [path.name for path in tmp_path.iterdir()] == ["vocabulary.jsonl"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"number": 1, "op": "add", "id"', "line 2: expected a record as JSON"),
        (b"\xff\xfe", "line 2: expected a record as JSON"),
        (b"[]", "line 2: expected a record as JSON"),
        (b'{"number": 7, "op": "add", "id": 1, "name": "x"}', "line 2: expected record 1"),
        (b'{"number": 1, "op": "paint"}', "line 2: expected record 1 with an op"),
        (b'{"number": 1, "op": "add"}', r"line 2.*lacks what it needs"),
        (b'{"number": 1, "op": "undo", "record": 5}', "line 2"),
        (b'{"number": 1, "op": "undo", "record": 1}', "line 2"),
        (b'{"number": 1, "op": "add", "id": 0, "name": "x"}', r"line 2.*given out twice"),
        (b'{"number": 1, "op": "parent", "tag": 0, "parent": 8}', "line 2.*no tag with the id 8"),
        (b'{"number": 1, "op": "split", "tag": 0, "parts": [3]}', "line 2.*lacks what it needs"),
    ],
)
def test_a_damaged_file_is_an_error_with_the_line(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "vocabulary.jsonl"
    path.write_bytes(b'{"number": 0, "op": "add", "id": 0, "name": "a"}\n' + line + b"\n")
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.load(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="cannot be read"):
        Vocabulary.load(tmp_path / "none.jsonl")


def test_a_hundred_thousand_tags_take_seconds() -> None:
    started = time.perf_counter()
    vocabulary = Vocabulary().add(f"tag number {number}" for number in range(100_000))
    assert vocabulary.tag("tag number 99999").id == 99_999
    assert all(vocabulary.find(f"tag number {number}") for number in range(0, 100_000, 10))
    changed = vocabulary.rename(5, "five").merge(6, 5)
    assert changed.resolve(6) == 5
    assert time.perf_counter() - started < 10


NAMES = st.sampled_from(
    ["apple", "Apple", "banana", "cherry", "date", "红", "紅", "苹果", "x=1", "x=2", "fig", "grape"]
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "rename", "merge", "split", "set_parent", "add_alias", "undo"]),
        NAMES,
        NAMES,
        st.integers(0, 25),
    ),
    max_size=25,
)


def step(vocabulary: Vocabulary, op: str, one: str, other: str, number: int) -> Vocabulary:
    match op:
        case "add":
            return vocabulary.add([one, other])
        case "split":
            return vocabulary.split(one, {other: ["word"]})
        case "undo":
            return vocabulary.undo(number)
        case _:
            changed: Vocabulary = getattr(vocabulary, op)(one, other)
            return changed


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_no_sequence_of_changes_moves_an_id_or_breaks_the_rules(steps: list[tuple[str, str, str, int]]) -> None:
    vocabulary = Vocabulary()
    ever: dict[int, str] = {}
    for op, one, other, number in steps:
        before = vocabulary
        try:
            vocabulary = step(vocabulary, op, one, other, number)
        except VocabularyError:
            continue
        # The state that was carried along is the one that the records give.
        assert Vocabulary(vocabulary.records).tags == vocabulary.tags
        for tag in vocabulary.tags:
            # The name under which an id was first given out never belongs to another id's birth.
            assert ever.setdefault(tag.id, tag.name) == ever[tag.id]
            if op not in ("rename", "undo") and tag.id in named(before):
                assert tag.name == named(before)[tag.id]
            assert tag.id not in vocabulary.ancestors(tag.id)
        forms = [normal_form(name) for tag in vocabulary.tags for name in (tag.name, *tag.aliases)]
        assert len(set(forms)) == len(forms)
        if op != "undo" and len(vocabulary.records) == len(before.records) + 1:
            undone = vocabulary.undo(len(before.records))
            assert undone.tags == before.tags
            assert undone.splits == before.splits
            fresh = undone.add(["a name never used"]).tag("a name never used").id
            assert fresh not in named(vocabulary)


def test_declining_is_remembered_in_the_file_and_can_be_undone(tmp_path):
    vocabulary = Vocabulary().add(["牛仔"]).decline("双十一")
    vocabulary.save(tmp_path / "vocabulary.jsonl")
    loaded = Vocabulary.load(tmp_path / "vocabulary.jsonl")

    assert loaded == vocabulary
    assert loaded.declined("雙十一")
    assert not loaded.undo(1).declined("双十一")
    assert loaded.decline("双十一") is loaded
    assert [tag.name for tag in loaded.tags] == ["牛仔"]
    assert loaded.add(["双十一"]).find("双十一") is not None  # a person may think again


@pytest.mark.parametrize(("name", "problem"), [("牛仔", "is a tag already"), ("！！", "a letter or digit")])
def test_only_what_could_be_a_tag_is_declined(name, problem):
    with pytest.raises(VocabularyError, match=problem):
        Vocabulary().add(["牛仔"]).decline(name)
