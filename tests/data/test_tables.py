"""Tables check themselves when they are built."""

from __future__ import annotations

import polars as pl
import pytest

from tagloom.data.tables import EVENT_SCHEMA, OFFERS, PRODUCT_SCHEMA, Events, Products, fingerprint
from tagloom.errors import DataError

NOON = pl.Series(["2026-01-31T12:00:00Z"]).str.to_datetime(time_unit="us", time_zone="UTC")[0]


def log(*rows: dict[str, object]) -> pl.DataFrame:
    empty = {"user_id": "u", "action": "view", "time": NOON, "product_id": "1", "text": None, "value": None}
    return pl.DataFrame([{**empty, **row} for row in rows], schema=EVENT_SCHEMA)


def test_what_is_left_out_is_empty():
    row = Products.of([{"product_id": "1"}]).frame.row(0, named=True)
    assert row == {
        "product_id": "1", "title": "", "description": "", "category": [], "attributes": [], "tags": [], "image": None,
        "price": None, "stock": None, "until": None,
    }  # fmt: skip


def test_texts_are_title_and_description():
    products = Products.of([{"product_id": "1", "title": "a", "description": "b"}, {"product_id": "2", "title": "a"}])
    assert products.texts.to_list() == ["a\nb", "a"]
    assert len(products) == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"product_id": "1"}, {"product_id": "1"}], "products, row 0, product_id: '1' stands more than once"),
        ([{"product_id": "1"}, {"product_id": None}], "row 1, column 'product_id': a value is required"),
        ([{"product_id": "1", "title": None}], "row 0, column 'title'"),
        ([{"product_id": "1", "tag": ["x"]}], r"unknown fields \['tag'\]; a product has \['product_id'"),
    ],
)
def test_wrong_products_are_named(rows, message):
    with pytest.raises(DataError, match=message):
        Products.of(rows)


def test_wrong_columns_are_named():
    good = Products.of([{"product_id": "1"}]).frame
    with pytest.raises(DataError, match="the column 'tags' is missing"):
        Products(good.drop("tags"))
    with pytest.raises(DataError, match="column 'title': expected String, came Int"):
        Products(good.with_columns(title=pl.lit(1)))
    with pytest.raises(DataError, match=r"unknown columns \['colour'\]"):
        Products(good.with_columns(colour=pl.lit(1)))


@pytest.mark.parametrize(
    ("offer", "message"),
    [
        ({"price": -0.5}, r"products, row 1, price: expected a finite number from 0 or null, came -0\.5"),
        ({"price": float("inf")}, "row 1, price: expected a finite number"),
        ({"stock": float("nan")}, "row 1, stock: expected a finite number or null, came nan"),
    ],
)
def test_prices_and_stocks_are_numbers(offer, message):
    with pytest.raises(DataError, match=message):
        Products.of([{"product_id": "0", "price": 0, "stock": -1}, {"product_id": "1", **offer}])


def test_offers_are_not_in_the_fingerprint():
    plain = Products.of([{"product_id": "1", "title": "a"}])
    offered = Products.of([{"product_id": "1", "title": "a", "price": 5, "stock": 0, "until": NOON}])
    assert offered.fingerprint() == plain.fingerprint() == fingerprint(plain.frame.drop(OFFERS))
    assert offered.frame.row(0)[-3:] == (5.0, 0.0, NOON)


def test_events_are_put_in_time_order_and_ties_keep_theirs():
    later = NOON.replace(hour=13)
    events = Events(log({"time": later, "text": "c"}, {"text": "b"}, {"text": "a"}))
    assert events.frame["text"].to_list() == ["b", "a", "c"]
    assert len(events) == 3


@pytest.mark.parametrize("field", ["user_id", "action", "time"])
def test_events_need_user_action_and_time(field):
    with pytest.raises(DataError, match=f"row 1, column '{field}': a value is required, none came"):
        Events(log({}, {field: None}))


def test_fingerprints_follow_contents_and_order_only():
    rows = [{"product_id": str(number), "tags": ["a", str(number)]} for number in range(5)]
    frame = Products.of(rows).frame
    one = Products(frame).fingerprint()
    assert len(one) == 16
    assert one == Products(pl.concat([frame[:2], frame[2:]], rechunk=False)).fingerprint()
    assert one != Products(frame.reverse()).fingerprint()
    assert one != Products.of(rows[:4]).fingerprint()
    assert fingerprint(pl.DataFrame(schema=PRODUCT_SCHEMA)) != fingerprint(pl.DataFrame(schema=EVENT_SCHEMA))
    assert Events(log({})).fingerprint() != Events(log({"value": 1.0})).fingerprint()
