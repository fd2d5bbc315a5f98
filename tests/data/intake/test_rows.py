"""Raw cells become checked rows; what is wrong is set aside with its reason."""

from __future__ import annotations

import re

import polars as pl
import pytest

from tagloom.config import ReadSettings
from tagloom.data.intake.batches import LINE, Batch
from tagloom.data.intake.columns import map_columns
from tagloom.data.intake.rows import Separators, check_events, check_products, made_ids, require_action
from tagloom.data.tables import EVENT_SCHEMA, PRODUCT_SCHEMA
from tagloom.errors import DataError


def batch(**columns: list[str | None]) -> Batch:
    raw = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return Batch(raw.insert_column(0, pl.Series(LINE, range(2, 2 + raw.height), dtype=pl.Int64)))


def products(raw: Batch, settings: ReadSettings = ReadSettings()):  # noqa: B008 (frozen)
    columns = map_columns("products", raw.frame.columns[1:], settings.product_columns, "a.csv")
    return check_products(raw, columns, Separators.of(raw.frame, columns, settings), settings)


def events(raw: Batch, settings: ReadSettings = ReadSettings()):  # noqa: B008 (frozen)
    return check_events(raw, map_columns("events", raw.frame.columns[1:], settings.event_columns, "a.csv"), settings)


def test_a_whole_product():
    checked = products(
        batch(
            id=["1"],
            title=[" 外套 "],
            desc=["<b>好</b>"],
            category=["服装>女装"],
            attributes=["颜色=红|尺码=L"],
            tags=["a|b|a"],
            image=["a.jpg"],
        )
    )
    attributes = [{"name": "颜色", "value": "红"}, {"name": "尺码", "value": "L"}]
    assert checked.frame.rows() == [
        (2, "1", "外套", "好", ["服装", "女装"], attributes, ["a", "b"], "a.jpg", None, None, None)
    ]
    assert checked.frame.schema == pl.Schema({LINE: pl.Int64, **PRODUCT_SCHEMA})
    assert checked.mended == {"description: HTML removed": 1}
    assert checked.bad == []


def test_a_batch_of_no_good_rows_has_the_same_types():
    assert products(batch(id=[], title=[], tags=[])).frame.schema == {LINE: pl.Int64, **PRODUCT_SCHEMA}
    checked = events(batch(user=[], action=[], item=[], time=[]))
    assert checked.frame.schema == {LINE: pl.Int64, **EVENT_SCHEMA}


def test_products_without_an_id_are_set_aside_with_line_column_reason_and_row():
    checked = products(batch(sku=["1", " ", "NULL"], title=["a", "b", "c"]))
    assert checked.frame["product_id"].to_list() == ["1"]
    assert [(bad.line, bad.column) for bad in checked.bad] == [(3, "sku"), (4, "sku")]
    assert checked.bad[0].reason == "empty; every product needs an id"
    assert checked.bad[0].row == {"sku": " ", "title": "b"}


def test_ids_are_made_from_the_text_where_there_is_no_column_for_them():
    checked = products(batch(title=["外套", " 外套", "NaN"], desc=["好", "好", None]))
    first, second = checked.frame["product_id"]
    assert first == second == made_ids(pl.Series(["外套"]), pl.Series(["好"]))[0]
    assert checked.bad[0].reason == "no text to make an id from"
    assert checked.mended["product_id: made from the text"] == 2


def test_ids_written_as_decimals_are_whole_again():
    checked = products(batch(id=["12.0", "3", "a.0", "1.5"], title=["x"] * 4))
    assert checked.frame["product_id"].to_list() == ["12", "3", "a.0", "1.5"]
    assert checked.mended == {"product_id: .0 after a whole number removed": 1}


@pytest.mark.parametrize(
    ("tags", "settings", "expected"),
    [
        (["a|b", "c, d|e", '["f", "g"]', "k#v*l#w"], {}, [["a", "b"], ["c, d", "e"], ["f", "g"], ["k=v", "l=w"]]),
        (["a;b", "c"], {}, [["a", "b"], ["c"]]),
        (["a,b|c"], {"list_separator": ","}, [["a", "b|c"]]),
        (["a//b"], {"list_separator": "//"}, [["a", "b"]]),
    ],
)
def test_lists_in_one_cell(tags, settings, expected):
    assert (
        products(batch(title=["x"] * len(tags), tags=tags), ReadSettings(**settings)).frame["tags"].to_list()
        == expected
    )


def test_several_columns_make_up_one_field():
    told = {"tags": ("a", "b"), "description": ("d", "e"), "attributes": ("颜色", "尺码"), "category": ("top", "sub")}
    raw = batch(
        title=["x"], a=["1|2"], b=["2|3"], d=["好"], e=["穿"], 颜色=["红"], 尺码=["NaN"], top=["服装"], sub=["裤"]
    )
    row = products(raw, ReadSettings(product_columns=told)).frame.row(0, named=True)
    assert row["tags"] == ["1", "2", "3"]
    assert row["description"] == "好\n穿"
    assert row["category"] == ["服装", "裤"]
    assert row["attributes"] == [{"name": "颜色", "value": "红"}]


def test_a_whole_event_and_its_usual_words():
    checked = events(
        batch(user=["u1", "u1", "u2"], event=["下单", "Search", "打分"], time=["2026-01-31"] * 3, item=["1", None, "2"],
              query=[None, "红 外套", None], rating=[None, None, "4.5"])
    )  # fmt: skip
    assert checked.frame["action"].to_list() == ["purchase", "search", "rate"]
    assert checked.frame["text"].to_list() == [None, "红 外套", None]
    assert checked.frame["value"].to_list() == [None, None, 4.5]
    assert not checked.bad


def test_each_wrong_event_has_its_reason():
    good = {"user": "u", "action": "buy", "time": "2026-01-31", "item": "1", "rating": "5"}
    wrong = [
        ({"user": "null"}, "user", "empty; every event needs a user"),
        ({"action": "teleport"}, "action", "not a known action: 'teleport'; known are purchase, cart, .* read.actions"),
        ({"action": ""}, "action", "empty, expected a known action; known are"),
        ({"time": "gestern"}, "time", "not a time: 'gestern'; write 2026-01-31T12:00:00 or seconds since 1970"),
        ({"time": None}, "time", "empty, expected a time; write"),
        ({"item": ""}, "item", "an event needs a product or a text"),
        ({"rating": "五星"}, "rating", "not a number: '五星'"),
        ({"rating": "inf"}, "rating", "not a number: 'inf'"),
        ({"rating": "1e999"}, "rating", "not a number: '1e999'"),
    ]
    rows = [good, *(good | change for change, *_ in wrong)]
    checked = events(batch(**{name: [row[name] for row in rows] for name in good}))
    assert checked.frame[LINE].to_list() == [2]
    for bad, (change, column, reason), line in zip(checked.bad, wrong, range(3, 99), strict=False):
        assert (bad.line, bad.column, bad.row) == (line, column, good | change)
        assert re.match(reason, bad.reason), bad.reason
    assert len(checked.bad) == len(wrong)


def test_actions_of_ones_own():
    settings = ReadSettings(actions={"Pinned": "like", "3": "cart"})
    raw = batch(user=["u"] * 3, action=["PINNED", "3", "4"], item=["1"] * 3)
    checked = events(raw, settings)
    assert checked.frame["action"].to_list() == ["like", "cart"]
    assert len(checked.bad) == 1


def test_without_a_time_column_the_order_is_the_time():
    times = events(batch(user=["u"] * 3, action=["view"] * 3, item=["1"] * 3)).frame["time"]
    assert times.is_sorted()
    assert times.n_unique() == 3


@pytest.mark.parametrize(
    ("columns", "settings", "expected"),
    [
        ({"rating": ["4"]}, {}, ["rate"]),
        ({"rating": ["4"]}, {"default_action": "purchase"}, ["purchase"]),
        ({}, {"default_action": "view"}, ["view"]),
    ],
)
def test_the_default_action(columns, settings, expected):
    raw = batch(user=["u"], item=["1"], **columns)
    assert events(raw, ReadSettings(**settings)).frame["action"].to_list() == expected


def test_a_log_that_does_not_say_what_happened_is_refused():
    columns = map_columns("events", ["user", "item"], {}, "log.csv")
    with pytest.raises(DataError, match=r'log\.csv: no column found for action; .* default_action = "purchase"'):
        require_action(columns, ReadSettings(), "log.csv")
