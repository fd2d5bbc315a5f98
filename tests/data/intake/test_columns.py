"""Columns are mapped as told, and guessed by their usual names."""

from __future__ import annotations

import pytest

from tagloom.data.intake.columns import action_synonyms, guess_kind, map_columns
from tagloom.data.tables import ACTIONS
from tagloom.errors import DataError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["product_id", "title", "description", "category", "attributes", "tags", "image"], None),
        (["SKU", "Product Name", "Body", "Product-Type", "Specs", "Keywords", "Image URL"], None),
        (["商品编号", "商品标题", "商品描述", "类目", "商品属性", "标签", "主图"], None),
        (["货号", "宝贝标题", "颜色"], {"title": ("宝贝标题",)}),
        (["asin", "summary", "label"], {"product_id": ("asin",), "description": ("summary",), "tags": ("label",)}),
        (["sku", "id", "name"], {"product_id": ("id",), "title": ("name",)}),
    ],
)
def test_usual_names_of_product_columns_are_known(columns, expected):
    mapped = map_columns("products", columns, {}, "goods.csv")
    fields = ("product_id", "title", "description", "category", "attributes", "tags", "image")
    assert mapped.fields == (expected or {field: (name,) for field, name in zip(fields, columns, strict=True)})
    assert set(mapped.unused) == set(columns) - {name for names in mapped.fields.values() for name in names}


@pytest.mark.parametrize(
    "columns",
    [
        ["user_id", "action", "time", "product_id", "text", "value"],
        ["Customer", "Event Type", "t_dat", "article_id", "query", "Rating"],
        ["用户ID", "行为类型", "时间戳", "商品ID", "搜索词", "评分"],
    ],
)
def test_usual_names_of_event_columns_are_known(columns):
    mapped = map_columns("events", columns, {}, "log.csv")
    fields = ("user_id", "action", "time", "product_id", "text", "value")
    assert [mapped.one(field) for field in fields] == columns
    assert mapped.unused == ()


def test_told_columns_win_over_guesses_and_are_used_once():
    mapped = map_columns("products", ["title", "name", "desc"], {"title": "name", "description": "title"}, "a.csv")
    assert mapped.fields == {"title": ("name",), "description": ("title",)}
    assert mapped.unused == ("desc",)


def test_attributes_may_have_a_column_each():
    mapped = map_columns("products", ["title", "颜色", "材质"], {"attributes": ("颜色", "材质")}, "a.csv")
    assert mapped.wide
    assert mapped.fields["attributes"] == ("颜色", "材质")
    assert not map_columns("products", ["title", "规格"], {"attributes": "规格"}, "a.csv").wide


@pytest.mark.parametrize(
    ("kind", "columns", "told", "message"),
    [
        ("products", ["id", "foo"], {}, r"^a\.csv: no column found for title or description; the file has \['id', 'f"),
        ("products", ["id", "foo"], {}, r'Say which .* \[read\] product_columns = { title = "\.\.\." }'),
        ("events", ["foo"], {}, r"no column found for user_id; .* event_columns = { user_id = "),
        ("events", ["user", "price"], {}, "no column found for product_id or text"),
        ("products", ["id", "name"], {"titel": "name"}, "product_columns .*: unknown field 'titel'; did you mean 't"),
        ("products", ["id", "name"], {"title": "nam"}, r"a\.csv: no column 'nam' \(.* names it for 'title'\); did you"),
        ("products", ["id", "name"], {"title": "x"}, r"no column 'x' .*; the file has \['id', 'name'\]"),
        ("products", ["a", "b", "name"], {"product_id": ("a", "b")}, "product_id: takes one column, 2 were told"),
        ("products", ["id", "name"], {"title": ()}, "title: takes"),
    ],
)  # fmt: skip
def test_what_cannot_be_mapped_is_named_with_its_remedy(kind, columns, told, message):
    with pytest.raises(DataError, match=message):
        map_columns(kind, columns, told, "a.csv")


def test_a_file_that_names_users_holds_events():
    assert guess_kind(["User ID", "item"]) == guess_kind(["买家ID"]) == "events"
    assert guess_kind(["商品编号", "标题"]) == guess_kind(["id", "title"]) == "products"


def test_words_for_actions_are_known_and_can_be_added():
    known = action_synonyms({"Pinned": "like", "view": "purchase"})
    assert set(known.values()) == set(ACTIONS)
    assert known["购买"] == known["buy"] == "purchase"
    assert known["加购"] == "cart"
    assert known["pinned"] == "like"
    assert known["view"] == "purchase"
