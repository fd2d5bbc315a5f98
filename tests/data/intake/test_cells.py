"""Cells that hold several values, in the ways that shops write them."""

from __future__ import annotations

import pytest

from tagloom.data.intake.cells import (
    EMPTY,
    from_json,
    guess_separator,
    is_empty,
    is_hash_pairs,
    parse_list,
    parse_pairs,
    parse_path,
)


@pytest.mark.parametrize("word", sorted(EMPTY))
def test_every_word_for_nothing_is_nothing(word):
    assert is_empty(f" {word.upper()} ")
    assert parse_list(word) == parse_path(word) == parse_pairs(word) == []


@pytest.mark.parametrize(
    ("cell", "separator", "expected"),
    [
        ("牛仔|外套| 宽松 |牛仔", "|", ["牛仔", "外套", "宽松"]),
        ("a; b;;c;", ";", ["a", "b", "c"]),
        ("a；b;c", ";", ["a", "b", "c"]),
        ("红，白,蓝", ",", ["红", "白", "蓝"]),
        ("红、白", "、", ["红", "白"]),
        ('["a", "b, c", null, 3]', "|", ["a", "b, c", "3"]),
        ("['a', 'it\\'s']", ",", ["a", "it's"]),
        ('[{"name": "颜色", "value": "红"}, {"name": "牛仔"}, {"tag": "x"}]', "|", ["颜色=红", "牛仔", "x"]),
        ('{"颜色": ["红", "蓝"]}', "|", ["颜色=红", "颜色=蓝"]),
        ("类型#裤*版型#宽松*风格#潮", "|", ["类型=裤", "版型=宽松", "风格=潮"]),
        ("类型#裤", "|", ["类型=裤"]),
        ("尺寸#3*4*类型#裤", "|", ["尺寸=3*4", "类型=裤"]),
        ("C#", "|", ["C#"]),
        ("C#|F#", "|", ["C#", "F#"]),
        ("#新品 #热卖", " ", ["#新品", "#热卖"]),
        ("[sic] a lone bracket|b", "|", ["[sic] a lone bracket", "b"]),
        ("red, white|blue", "|", ["red, white", "blue"]),
        ("👗|شنطة|NaN", "|", ["👗", "شنطة"]),
        ("[" * 100_000, "|", ["[" * 100_000]),
    ],
)
def test_lists(cell, separator, expected):
    assert parse_list(cell, separator) == expected


@pytest.mark.parametrize(
    ("cell", "separator", "expected"),
    [
        ("颜色:红|材质=棉|新品", "|", [("颜色", "红"), ("材质", "棉"), ("", "新品")]),
        ("颜色：红;颜色：蓝;颜色：红", ";", [("颜色", "红"), ("颜色", "蓝")]),
        ("Size : L, Fit = slim", ",", [("Size", "L"), ("Fit", "slim")]),
        ("颜色=|材质=NaN", "|", []),
        ('[{"name": "a", "value": ["1", "2"]}, ["b", 3], {"c": null}, "d=4"]', "|",
         [("a", "1"), ("a", "2"), ("b", "3"), ("d", "4")]),
        ("类型#裤*版型#宽松", "|", [("类型", "裤"), ("版型", "宽松")]),
        ("语言=C#|C#|https://example.org/a", "|", [("语言", "C#"), ("", "C#"), ("", "https://example.org/a")]),
        ("上市时间=2026-02:01", "|", [("上市时间", "2026-02:01")]),
    ],
)  # fmt: skip
def test_pairs(cell, separator, expected):
    assert parse_pairs(cell, separator) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("数码>相机 > 三脚架", ["数码", "相机", "三脚架"]),
        ("Home & Garden > A/V", ["Home & Garden", "A/V"]),
        ("Home/Kitchen\\Pans", ["Home", "Kitchen", "Pans"]),
        ("服装|女装", ["服装", "女装"]),
        ('["Shoes", "Boots"]', ["Shoes", "Boots"]),
        ("[['Beauty', 'Nails'], ['Gifts']]", ["Beauty", "Nails"]),
        ("手机", ["手机"]),
        ("手机 > NaN > ", ["手机"]),
    ],
)
def test_paths(cell, expected):
    assert parse_path(cell) == expected


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (["红|蓝", "红,白|绿", "黑"], "|"),
        (["a; b", "c, d; e", "f;g"], ";"),
        (["红；蓝", "黑；白"], ";"),
        (["红，蓝", "黑,白"], ","),
        (["a,b", "c,d", "x|y"], ","),
        (["红、蓝", "绿"], "、"),
        (["a\tb"], "\t"),
        (['["a", "b"]', "x"], "|"),
        ([], "|"),
    ],
)
def test_the_separator_of_most_cells_is_guessed(sample, expected):
    assert guess_separator(sample) == expected


def test_only_whole_cells_are_name_hash_value_pairs():
    assert is_hash_pairs("类型#裤*版型#宽松*")
    assert not any(is_hash_pairs(cell) for cell in ("C#", "C#|Go#", "#new", "a*b", "a#b|c", ""))


def test_json_that_is_none_is_text():
    assert from_json("[1, 2") is None
    assert from_json("{__import__('os')}") is None
    assert from_json('"text"') is None
