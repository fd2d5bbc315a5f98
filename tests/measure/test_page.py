"""The page of tables and plots: whatever a user's text holds, it is shown as text, in its place."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.measure.page import bars, histogram, page

EVIL = "<script>alert(1)</script>"


class Reading(HTMLParser):
    """What a reader of the page meets: tags, links out, and the texts of the tables' cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        self.words.append(data)
        if self.cells:
            self.cells[-1] += data


def cells(text: str) -> list[str]:
    return re.findall(r"<td[^>]*>\s*(.*?)</td>", text, flags=re.DOTALL)


def test_markup_in_a_users_text_is_shown_and_not_run():
    text = page(EVIL, [(EVIL, EVIL, (EVIL, "n"), [(EVIL, 3)], bars([EVIL], [3], EVIL))])
    read = Reading(text)
    assert "script" not in read.tags
    assert "".join(read.words).count(EVIL) >= 6
    assert not [name for name, _ in read.attributes if name.startswith("on")]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30))
def test_any_text_comes_back_from_its_cell(name):
    read = Reading(page("title", [("part", "", ("tag", "n"), [(name, 1)], None)]))
    assert read.cells[2].lstrip("\n") == name.lstrip("\n")


def test_commands_in_a_meaning_are_set_as_code_and_nothing_else_is():
    text = page("title", [("part", "Run `tagloom tags undo`, <b>not</b> `<i>`.", ("n",), [(1,)], None)])
    assert "Run <code>tagloom tags undo</code>, &lt;b&gt;not&lt;/b&gt; <code>&lt;i&gt;</code>." in text


def test_numbers_stand_to_the_right_with_thousands_parted():
    text = page("title", [("part", "", ("tag", "products", "share"), [("红色", 1234567, "12.5%")], None)])
    assert cells(text) == ["红色", "1,234,567", "12.5%"]
    assert (
        re.findall(r'<t[dh][^>]*class="number"', text)
        == ['<th class="number"'] * 2 + ['<td dir="auto" class="number"'] * 2
    )


def test_many_rows_are_folded_away_and_none_is_lost():
    text = page("title", [("part", "", ("tag",), [(f"tag {number}",) for number in range(50)], None)])
    assert cells(text) == [f"tag {number}" for number in range(50)]
    assert "<summary>30 more</summary>" in text


def test_a_page_without_parts_or_rows_is_a_page():
    assert "<h1>title</h1>" in page("title", [])
    assert "<th>tag</th>" in page("title", [("part", "", ("tag",), [], None)])


def test_nothing_is_fetched_from_elsewhere():
    text = page("title", [("part", "", ("n",), [(1,)], histogram([1, 2, 2, 3], "a", "b"))])
    loaded = [value for name, value in Reading(text).attributes if name in {"src", "href", "xlink:href", "data"}]
    assert all((value or "").startswith("#") for value in loaded)
    assert "@import" not in text


def test_bars_keep_letters_as_text_and_a_dollar_begins_no_formula():
    svg = bars(["手机", "$a^2$ & <b>", "price=$5"], [12345, 2, 1], "products").svg
    assert svg.startswith("<svg")
    assert ">手机</text>" in svg
    assert "$a^2$ &amp; &lt;b&gt;" in svg
    assert "price=$5" in svg
    assert "12,345" in svg


def test_a_plot_of_nothing_is_drawn_all_the_same():
    assert bars([], [], "products").svg.startswith("<svg")
    assert histogram([], "a", "b").svg.startswith("<svg")


def test_the_same_figures_give_the_same_drawing():
    assert bars(["红色", "蓝色"], [2, 1], "products") == bars(["红色", "蓝色"], [2, 1], "products")


def test_a_long_label_of_chinese_letters_gets_the_room_that_it_needs():
    """Matplotlib without Chinese letters takes each for the width of its sign for missing ones."""
    svg = bars(["一个很长很长很长很长很长很长很长的标签"], [1], "products").svg
    axis = float(re.search(r'id="patch_3">\s*<path d="M ([\d.]+)', svg)[1])
    assert axis > 8 * 19  # 19 letters of 8 points
