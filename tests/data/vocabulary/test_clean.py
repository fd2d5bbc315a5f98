import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.config import TagSettings
from tagloom.data.vocabulary.clean import (
    TagCleaning,
    clean_tags,
    default_stop_tags,
    display_form,
    find_identifier_attributes,
    normal_form,
    read_synonyms,
    read_word_list,
)
from tagloom.data.vocabulary.merge import spelling_key
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.errors import VocabularyError

ANY = TagSettings(min_support=1, max_share=1.0)
DATA = Path(os.environ.get("TAGLOOM_DATA", Path(__file__).parents[3] / "shared" / "data"))


def counted(tags: dict[str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"raw": list(tags), "products": list(tags.values())}, schema={"raw": pl.String, "products": int}
    )


def cleaned(tags: dict[str, int], settings: TagSettings = ANY, total: int = 1_000, **more: object) -> TagCleaning:
    return clean_tags(counted(tags), settings, total, **more)  # type: ignore[arg-type]


def names(cleaning: TagCleaning) -> dict[str, str | None]:
    return dict(zip(cleaning.mapping["raw"], cleaning.mapping["name"], strict=True))


def reasons(cleaning: TagCleaning) -> dict[str, str]:
    return dict(zip(cleaning.mapping["raw"], cleaning.mapping["reason"], strict=True))


# --- normal form -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("  #Ｄｅｎｉｍ ", "denim"),
        ("連衣裙", "连衣裙"),
        ("颜色＝　紅色", "颜色=红色"),
        ("“纯棉”", "纯棉"),
        ("R&amp;amp;B", "r&b"),
        ("red\u200b\u200f wine", "red wine"),
        ("❤\ufe0f", "❤"),
        ("Nike™", "nike"),
        ("#牛仔#", "牛仔"),
        ("#denim#", "denim"),
        ("C#", "c#"),
        ("连衣 裙🔥", "连衣裙"),
        ("🎁 gift", "gift"),
        ("🎁🔥", "🎁🔥"),
        ("C++", "c++"),
        (".NET", ".net"),
        ("...", ""),
        ("颜色=", ""),
        ("東京カレー", "東京カレー"),
    ],
)
def test_normal_form(raw: str, form: str) -> None:
    assert normal_form(raw) == form


@given(
    st.text(st.characters(codec="utf-8"), max_size=30)
    | st.text("红紅顏=#&;lt（）()\"'<>.-_ Aa\u200b\ufe0fİß乾", max_size=12)
)
@settings(max_examples=400, deadline=None)
def test_the_normal_form_of_a_normal_form_is_itself(raw: str) -> None:
    assert normal_form(normal_form(raw)) == normal_form(raw)
    assert normal_form(display_form(raw)) == normal_form(raw)


# --- what is dropped -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "empty"),
        ("---", "empty"),
        ("http://shop.cn/a", "link"),
        ("www.shop.com", "link"),
        ("me@shop.com", "link"),
        ("2021", "number"),
        ("3.5-4", "number"),
        ("this is a very long sentence indeed", "sentence"),
        ("质量很好，非常喜欢！", "sentence"),
        ("to-read", "shelf-mark"),
        ("read-in-2015", "shelf-mark"),
        ("books-i-own", "shelf-mark"),
        ("didn-t-finish", "shelf-mark"),
        ("我的收藏", "shelf-mark"),
        ("2026年秋季新款", "shelf-mark"),
        ("2026 new", "shelf-mark"),
        ("包邮", "stop-tag"),
        ("颜色=其他", "stop-tag"),
        ("货号=A1", "stop-tag"),
    ],
)
def test_dirt_is_dropped_with_its_reason(raw: str, reason: str) -> None:
    cleaning = cleaned({raw: 10}, stop=frozenset({"包邮", "其他", "货号=*"}))
    assert reasons(cleaning) == {raw: f"dropped: {reason}"}


@pytest.mark.parametrize(
    "raw",
    [
        "read-aloud",
        "beach-read",
        "尺码=38",
        "净含量=500ml",
        "my-little-pony",
        "own-voices",
        "i-robot",
        "红",
        "😀",
        "4k",
        "1930s",
        "to-kill-a-mockingbird",
        "iphone 15 pro",
        "under armour",
        "Dr. Miller Skin Care",
        "As I Am",
        "温度=-5°C",
    ],
)
def test_a_tag_that_only_looks_like_dirt_stays(raw: str) -> None:
    assert names(cleaned({raw: 10}))[raw] == raw


def test_rare_tags_and_those_on_every_product_are_dropped() -> None:
    cleaning = cleaned({"all": 100, "some": 50, "few": 2}, TagSettings(min_support=3, max_share=0.9), total=100)
    assert reasons(cleaning) == {"all": "dropped: on every product", "some": "kept", "few": "dropped: rare"}


def test_an_identifier_attribute_is_dropped_whatever_its_value() -> None:
    cleaning = cleaned({"货号=JA-1033": 10, "颜色=红": 10}, identifiers=frozenset({"货号"}))
    assert reasons(cleaning) == {"货号=JA-1033": "dropped: identifier attribute", "颜色=红": "kept"}


def test_our_own_stop_list_reads_and_leaves_real_tags_alone() -> None:
    stop = read_word_list(default_stop_tags())
    cleaning = cleaned(
        {"包邮": 9, "currently reading": 9, "Favourites": 9, "红色": 9, "牛仔": 9, "fantasy": 9}, stop=stop
    )
    assert [raw for raw, name in names(cleaning).items() if name] == ["红色", "牛仔", "fantasy"]


# --- what is merged --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variants",
    [
        ("sci-fi", "scifi", "sci fi", "Sci_Fi"),
        ("vampire", "vampires"),
        ("colour blocking", "color-blocking"),
        ("décor", "decor"),
        ("women's shoes", "womens-shoes", "women-s-shoes"),
        ("fantasy", "fantsay"),
        ("waterproof", "waterprof"),
        ("連衣裙", "连衣裙", "连衣 裙"),
        ("颜色=紅", "颜色＝红"),
        ("color=Grey", "color=gray"),
        ("theatre", "theater"),
        ("organised", "organized"),
        ("jewellery", "jewelry"),
    ],
)
def test_variants_become_the_most_frequent_one(variants: tuple[str, ...]) -> None:
    tags = {variant: 5_000 // 30**at or 1 for at, variant in enumerate(variants)}
    found = set(names(cleaned(tags, total=100_000)).values())
    assert len(found) == 1
    assert normal_form(str(found.pop())) == normal_form(variants[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fiction", "non-fiction"),
        ("红色", "黄色"),
        ("short", "shorts"),
        ("C", "C++"),
        ("1-5 kg", "15 kg"),
        ("iphone 14", "iphone 15"),
        ("颜色=red", "图案=red"),
        ("houses", "horses"),
        ("sexual", "asexual"),
        ("novela", "novel"),
        ("glasses", "glass"),
        ("尺码=38", "尺码=39"),
        ("耐温=-20℃", "耐温=20℃"),
        ("体积=<1", "体积=1"),
        ("fictional", "fiction"),
    ],
)
def test_different_things_stay_apart(one: str, other: str) -> None:
    found = names(cleaned({one: 900, other: 10}))
    assert None not in found.values()
    assert found[one] != found[other]


def test_use_keeps_apart_what_spelling_would_merge() -> None:
    # "pin" and "pins" here are two things: their company never meets.
    rows = []
    for product in range(60):
        side = product % 2
        rows += [(product, "pin" if side else "pins")] + [
            (product, f"{'left' if side else 'right'} {c}") for c in "abcdefghijklm"
        ]
    pairs = pl.DataFrame(rows, schema={"product_ix": pl.UInt32, "raw": pl.String}, orient="row")
    cleaning = clean_tags(pairs.group_by("raw").agg(products=pl.len()), ANY, 60, pairs=pairs)
    assert names(cleaning)["pin"] != names(cleaning)["pins"]
    assert cleaning.proposals.filter(pl.col("why").str.starts_with("spelled alike")).select("a", "b").rows() == [
        ("pin", "pins")
    ]


def test_counts_of_merged_tags_are_products_not_sums() -> None:
    rows = [(product, raw) for product in range(4) for raw in ("ebook", "e-book")]
    pairs = pl.DataFrame(rows, schema={"product_ix": pl.UInt32, "raw": pl.String}, orient="row")
    cleaning = clean_tags(counted({"ebook": 4, "e-book": 4}), TagSettings(min_support=5), 100, pairs=pairs)
    assert set(reasons(cleaning).values()) == {"dropped: rare"}


def test_the_name_keeps_the_case_that_most_products_have() -> None:
    assert set(names(cleaned({"Nike": 60, "nike": 10, "NIKE": 5})).values()) == {"Nike"}
    assert set(names(cleaned({"denim": 60, "Denim": 10})).values()) == {"denim"}


def test_merges_are_listed_largest_first() -> None:
    merges = cleaned({"hats": 100, "hat": 50, "bag": 90, "bags": 80}).merges
    assert merges.select("name", "variants", "products").rows() == [("bag", ["bags"], 170), ("hats", ["hat"], 150)]


def test_synonyms_win_over_spelling_and_support() -> None:
    cleaning = cleaned({"t-shirt": 50, "T恤": 30, "tee shirts": 5}, synonyms={"t-shirt": "T恤", "tee shirt": "T恤"})
    assert names(cleaning) == {"t-shirt": "T恤", "T恤": "T恤", "tee shirts": "T恤"}
    assert reasons(cleaning)["t-shirt"] == "merged: synonym"


# --- parents and near-synonyms ---------------------------------------------------------------------------------------


def _family() -> pl.DataFrame:
    rows = (
        [(p, "phone") for p in range(100)] + [(p, "iphone") for p in range(30)] + [(p, "iphone pro") for p in range(10)]
    )
    rows += [(p, "red") for p in range(0, 400, 3)] + [(p, "coat") for p in range(100, 400)]
    rows += [(p, "jacket") for p in range(105, 400)]
    # A crowd of other tags, so that the company of two tags can be compared.
    rows += [(p, f"part {k} of {p // 100}") for p in range(400) for k in range(12)]
    return pl.DataFrame(rows, schema={"product_ix": pl.UInt32, "raw": pl.String}, orient="row")


def test_implied_parents_are_found_and_reach_the_vocabulary() -> None:
    pairs = _family()
    counts = pairs.group_by("raw").agg(products=pl.len()).sort("raw")
    cleaning = clean_tags(counts, TagSettings(max_share=1.0), 400, pairs=pairs)
    found = {child: parent for child, parent, *_ in cleaning.parents.iter_rows()}
    assert found["iphone pro"] == "iphone"
    assert "red" not in found
    iphone = cleaning.vocabulary.find("iphone")
    assert iphone is not None
    assert iphone.parent is not None
    assert cleaning.vocabulary.tag(iphone.parent).name == found["iphone"]


def test_near_synonyms_are_proposed_and_not_merged() -> None:
    pairs = _family()
    counts = pairs.group_by("raw").agg(products=pl.len())
    cleaning = clean_tags(counts, TagSettings(max_share=1.0), 400, pairs=pairs)
    assert ("jacket", "coat") in set(cleaning.proposals.select("a", "b").rows())
    assert names(cleaning)["jacket"] == "jacket"


# --- identifiers -----------------------------------------------------------------------------------------------------


def test_identifier_attributes_are_found_by_shape_and_counts() -> None:
    rows = []
    for p in range(60):
        rows += [
            (p, "no", f"JA-{1000 + 7 * p}K"),
            (p, "barcode", str(6_900_000_000_000 + 31 * p)),
            (p, "since", f"2021-{p % 12 + 1:02}"),
        ]
        rows += [(p, "ships to", f"city {c}") for c in range(25)]
        rows += [(p, "colour", ["red", "blue", "green"][p % 3]), (p, "size", f"{30 + p} x {20 + p % 7}cm")]
        rows += [(p, "delivers to", f"place {(p // 3 + k) % 12}") for k in range(5)]
        rows += [(p, "sizes", f"{'SML'[p % 3]}{k}") for k in range(5)] + [(p, f"kind {p % 3}", "yes")]
        rows += [(p, "feature", f"feature {(7 * p + k) % 90}") for k in range(5)]
        rows += [(p, f"other {k}", "abc"[(p + k) % 3]) for k in range(60)]
        rows += [(p, "brand", f"Maker {'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[p % 26]}"), (p, "material", ["棉", "羊毛"][p % 2])]
    table = find_identifier_attributes(
        pl.DataFrame(rows, schema={"product_ix": pl.UInt32, "name": pl.String, "value": pl.String}, orient="row")
    )
    found = set(table.filter("is_identifier")["name"])
    assert found == {"no", "barcode", "since", "ships to", "delivers to"}


def test_no_attributes_make_an_empty_table() -> None:
    empty = pl.DataFrame(schema={"product_ix": pl.UInt32, "name": pl.String, "value": pl.String})
    assert find_identifier_attributes(empty).is_empty()


@pytest.mark.skipif(not (DATA / "zh").is_dir(), reason=f"needs the development data in {DATA}")
def test_real_identifiers_are_found_and_real_tags_stay() -> None:
    items = pl.read_parquet(DATA / "zh" / "openbg_items.parquet").with_row_index("product_ix")
    rows = items.explode("attributes", empty_as_null=False).unnest("attributes")
    table = find_identifier_attributes(rows.select("product_ix", "name", "value", text="title"))
    found = set(table.filter("is_identifier")["name"])
    assert {"货号", "批准文号", "商品条形码", "上市时间", "配送安装地区"} <= found
    assert not found & {
        "品牌",
        "产地",
        "材质",
        "风格",
        "尺码",
        "尺寸",
        "颜色分类",
        "款式",
        "功能",
        "适用季节",
        "净含量",
    }


# --- the user's lists ------------------------------------------------------------------------------------------------


def test_synonyms_are_read(tmp_path: Path) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text("# ours\n牛仔 = denim, 丹宁，Jean\n\n颜色=红 = 颜色=朱红\n", "utf-8")
    assert read_synonyms(path) == {"denim": "牛仔", "丹宁": "牛仔", "jean": "牛仔", "颜色=朱红": "颜色=红"}


@pytest.mark.parametrize(
    "text",
    ["a = b\nb = a\n", "a = b\n# c\nc = b\n", "a = b\nb = c\nc = a\n", "a = b\nb = c\n"],
    ids=["each other's", "two names", "circle", "chain"],
)
def test_synonyms_that_contradict_are_an_error_with_both_lines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(VocabularyError, match=r"synonyms\.txt, lines \d and \d"):
        read_synonyms(path)


@pytest.mark.parametrize("line", ["just words", "= b", "a =", "a = ,"])
def test_a_line_that_is_no_synonym_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text(f"x = y\n{line}\n", "utf-8")
    with pytest.raises(VocabularyError, match="line 2: expected"):
        read_synonyms(path)


def test_a_list_that_is_not_there_or_not_utf8_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="cannot be read"):
        read_word_list(tmp_path / "none.txt")
    (tmp_path / "gbk.txt").write_bytes("包邮".encode("gb18030"))
    with pytest.raises(VocabularyError, match="not UTF-8"):
        read_word_list(tmp_path / "gbk.txt")


# --- the vocabulary's part -------------------------------------------------------------------------------------------


def test_a_persons_decisions_win() -> None:
    first = cleaned({"sci-fi": 50, "scifi": 20, "denim": 30})
    vocabulary = first.vocabulary.rename("sci-fi", "Science Fiction").add(["2021"]).add_alias("denim", "to-read")
    again = cleaned({"sci-fi": 50, "scifi": 20, "denim": 30, "2021": 5, "to-read": 4}, vocabulary=vocabulary)
    assert names(again) == {
        "sci-fi": "Science Fiction",
        "scifi": "Science Fiction",
        "denim": "denim",
        "2021": "2021",
        "to-read": "denim",
    }


def test_an_undone_alias_is_not_made_again() -> None:
    first = cleaned({"vampire": 500, "vampires": 20})
    number = next(record.number for record in first.vocabulary.records if record.op == "alias")
    again = cleaned({"vampire": 500, "vampires": 20}, vocabulary=first.vocabulary.undo(number))
    assert names(again) == {"vampire": "vampire", "vampires": "vampires"}


def test_a_new_synonym_joins_tags_that_had_ids() -> None:
    first = cleaned({"denim": 500, "牛仔": 20})
    denim, cowboy = first.vocabulary.find("denim"), first.vocabulary.find("牛仔")
    assert denim is not None
    assert cowboy is not None
    again = cleaned({"denim": 500, "牛仔": 20}, vocabulary=first.vocabulary, synonyms={"denim": "牛仔"})
    assert set(names(again).values()) == {"牛仔"}
    assert again.vocabulary.resolve(denim.id) == cowboy.id


SPELLED = ["sci-fi", "scifi", "Sci Fi", "vampire", "vampires", "colour", "color", "colors", "non-fiction", "nonfiction"]
MISTYPED = ["fantasy", "fantsay", "fantasies", "philosophy", "philosphy", "philosohpy", "pholosophy", "fiction"]
WRITTEN = ["紅色", "红色", "黄色", "颜色=红", "颜色=紅", "颜色=其他", "#tag", "ＴＡＧ"]
DIRT = ["to-read", "2021", "", "-", "http://a.cn"]
WORDS = st.sampled_from([*SPELLED, *MISTYPED, *WRITTEN, *DIRT])
TAGS = st.dictionaries(WORDS | st.text(max_size=8), st.integers(1, 3_000), max_size=25)


@given(TAGS, st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_no_raw_tag_vanishes_and_cleaning_twice_is_cleaning_once(tags: dict[str, int], support: int) -> None:
    limits = TagSettings(min_support=support, max_share=0.9)
    first = cleaned(tags, limits)
    assert sorted(first.mapping["raw"]) == sorted(tags)
    assert (first.mapping["name"].is_null() == first.mapping["reason"].str.starts_with("dropped")).all()
    # The same again, with what was learned: the very same.
    same = cleaned(tags, limits, vocabulary=first.vocabulary)
    assert same.mapping.equals(first.mapping)
    assert same.vocabulary == first.vocabulary
    # The result, with nothing known: every name is itself.
    result: dict[str, int] = {}
    for raw, name in names(first).items():
        if name is not None:
            result[name] = result.get(name, 0) + tags[raw]
    for known in (None, first.vocabulary):
        assert names(cleaned(result, limits, vocabulary=known)) == {name: name for name in result}


@given(TAGS)
@settings(max_examples=100, deadline=None)
def test_merging_is_an_equivalence(tags: dict[str, int]) -> None:
    first = cleaned(tags)
    kept = [name for name in first.mapping["name"].unique() if name is not None]
    assert len({normal_form(name) for name in kept}) == len(kept)
    assert len({spelling_key(normal_form(name)) for name in kept}) == len(kept)
    assert {tag.name for tag in first.vocabulary.tags} == set(kept)


@given(TAGS, TAGS)
@settings(max_examples=100, deadline=None)
def test_a_second_import_changes_no_id(tags: dict[str, int], more: dict[str, int]) -> None:
    first = cleaned(tags)
    second = cleaned({**tags, **more}, vocabulary=first.vocabulary)
    for tag in first.vocabulary.tags:
        assert second.vocabulary.tag(tag.id).name == tag.name


@given(TAGS)
@settings(max_examples=60, deadline=None)
def test_synonyms_keep_cleaning_twice_cleaning_once(tags: dict[str, int]) -> None:
    synonyms = {"scifi": "科幻", "fantasy": "奇幻", "fiction": "小说", "颜色=紅": "颜色=朱红"}
    first = cleaned(tags, synonyms=synonyms)
    same = cleaned(tags, synonyms=synonyms, vocabulary=first.vocabulary)
    assert same.mapping.equals(first.mapping)
    assert same.vocabulary == first.vocabulary
    kept = {name: 10 for name in names(first).values() if name is not None}
    assert names(cleaned(kept, synonyms=synonyms)) == {name: name for name in kept}


def test_an_empty_catalogue_is_clean() -> None:
    cleaning = clean_tags(counted({}), ANY, 0, pairs=pl.DataFrame(schema={"product_ix": pl.UInt32, "raw": pl.String}))
    assert cleaning.mapping.is_empty()
    assert cleaning.vocabulary == Vocabulary()
