"""Text columns lose what is no text, and every change is counted."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from tagloom.data.intake.prose import prose, trimmed


def cleaned(*cells: str | None, most: int = 1_000) -> tuple[list[str | None], dict[str, int]]:
    mended: Counter[str] = Counter()
    text = prose(pl.DataFrame({"x": cells}, schema={"x": pl.String}), ("x",), "title", most, mended)
    return text.to_list(), dict(+mended)


@pytest.mark.parametrize(
    ("cell", "expected", "what"),
    [
        ("　宽松 外套 ", "宽松 外套", None),
        ("<p class='a'>三脚架</p><br/>稳", "三脚架  稳", "HTML removed"),
        ("<SCRIPT>track('p1')</SCRIPT>好看<style>a{}</style><!-- 注 -->", "好看", "HTML removed"),
        ("Tom &amp; Jerry&nbsp;", "Tom & Jerry", "HTML entities decoded"),
        ("a\x00b\x07c\u200b", "abc", "control characters removed"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree", None),
        ("NaN", None, "a word for nothing emptied"),
        ("<br>", None, "HTML removed"),
        ("", None, None),
        ("3 < 5 > 2, a<b", "3 < 5 > 2, a<b", None),
        ("👗👨\u200d👩\u200d👧 شنطة نسائية", "👗👨\u200d👩\u200d👧 شنطة نسائية", None),
    ],
)
def test_what_is_mended_and_counted(cell, expected, what):
    assert cleaned(cell) == ([expected], {f"title: {what}": 1} if what else {})


def test_a_text_of_a_million_characters_is_cut():
    (text, short), mended = cleaned("长" * 1_000_000, "短", most=100_000)
    assert (len(text), short) == (100_000, "短")
    assert mended == {"title: cut to 100000 characters": 1}


def test_nulls_and_no_column_at_all():
    assert cleaned(None, None) == ([None, None], {})
    raw = pl.DataFrame({"x": ["a", "b"]})
    assert prose(raw, (), "title", 100, Counter()).to_list() == [None, None]
    assert trimmed(raw, None).to_list() == [None, None]
    assert trimmed(raw.clear(), None).to_list() == []


def test_several_columns_are_a_line_each():
    raw = pl.DataFrame({"a": ["x", None, ""], "b": ["y", "z", "NaN"]})
    assert prose(raw, ("a", "b"), "title", 100, Counter()).to_list() == ["x\ny", "z", None]
