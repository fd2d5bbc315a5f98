"""Prices, stocks and ends of offers are read as shops write them; an update changes nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.config import ReadSettings
from tagloom.data.intake.columns import map_columns
from tagloom.data.intake.imports import FileReport, import_files
from tagloom.data.intake.offers import offers_of, parse_ends, parse_prices, parse_stocks
from tagloom.data.tables import OFFERS
from tagloom.data.tablestore import REJECTED, TableStore
from tagloom.errors import DataError

GOODS = "id,title,tags,price,stock,until\n1,外套,牛仔|宽松,199,5,\n2,手机,大屏,,0,2026-03-31\n3,裙,,89.9,,\n"


@pytest.fixture
def store(tmp_path):
    return TableStore(tmp_path / "tables")


@pytest.fixture
def load(tmp_path, store):
    """`load(text, ...)` imports CSV files in one go."""

    def run(*texts: str, **read) -> list[FileReport]:
        paths = [tmp_path / f"{number}.csv" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, "utf-8")
        reports = import_files(store, [(path, None) for path in paths], ReadSettings(**read))
        for report in reports:
            assert report.read == report.kept + report.same + sum(report.rejected.values())
        return reports

    return run


def offers(store):
    return store.products().frame.select("product_id", *OFFERS).rows()


# Cells


@pytest.mark.parametrize(
    ("cell", "price"),
    [
        ("12", 12),
        ("12.5", 12.5),
        ("¥1,299.00", 1299),
        ("￥ 1,299", 1299),
        ("US$1,234,567.8", 1234567.8),
        ("12,50", 12.5),
        ("0,500", 0.5),
        ("1.299,00 €", 1299),
        ("1 299,00 €", 1299),
        ("1'299.00", 1299),
        ("CNY 88", 88),
        ("88元", 88),
        ("１２．５０", 12.5),
        ("1.299", 1.299),
        ("1.299 €", None),  # may be either
        ("1,29,9", None),
        ("-3", None),
        ("12-15", None),
        ("12元起", None),
        ("面议", None),
        ("inf", None),
        ("1e999", None),
    ],
)
def test_prices(cell, price):
    assert parse_prices(pl.Series([cell]))[0][0] == price
    assert parse_prices(pl.Series([cell]))[1][0] is (price is not None)


@given(st.floats(0, 1e12))
def test_a_price_that_a_program_wrote_is_read_as_it_is(price):
    assert parse_prices(pl.Series([str(price)]))[0].to_list() == [price]


@given(st.integers(0, 10**9), st.integers(0, 99), st.sampled_from(["¥{}", "${}", "{} EUR", "{}元", "{}"]))
def test_thousands_and_decimals_of_both_manners(whole, cents, around):
    english = around.format(f"{whole:,}.{cents:02d}")
    german = around.format(f"{whole:,}".replace(",", ".") + f",{cents:02d}")
    read = parse_prices(pl.Series([english, german]))[0]
    assert read.to_list() == pytest.approx([whole + cents / 100] * 2)


@pytest.mark.parametrize(
    ("cells", "stock", "readable"),
    [
        (["7", "0", "-2", "1.5", "1,200", "99+", "> 10", "12件"], [7, 0, -2, 1.5, 1200, 99, 10, 12], True),
        (["in stock", "In_Stock", "https://schema.org/InStock", "TRUE", "有货", "预售"], [None] * 6, True),
        (["out of stock", "OutOfStock", "sold out", "false", "缺货", "售罄"], [0] * 6, True),
        (["not available", "Not in stock", "temporarily out of stock", "无现货", "缺"], [0] * 5, True),
        (["Currently not_available.", "Out-of-stock (back soon)"], [0] * 2, True),
        (["?", "若干"], [None] * 2, False),
    ],
)
def test_stocks(cells, stock, readable):
    found = parse_stocks(pl.Series(cells))
    assert found[0].to_list() == stock
    assert found[1].to_list() == [readable] * len(cells)


@pytest.mark.parametrize(
    ("cell", "end"),
    [
        ("2026-03-31", datetime(2026, 3, 31, 23, 59, 59, 999_999, UTC)),
        ("2026年3月1日", datetime(2026, 3, 1, 23, 59, 59, 999_999, UTC)),
        ("20260301", datetime(2026, 3, 1, 23, 59, 59, 999_999, UTC)),
        ("9999-12-31", datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)),
        ("2026-03-31T00:00:00", datetime(2026, 3, 31, tzinfo=UTC)),
        ("2026-03-31T12:00:00+08:00", datetime(2026, 3, 31, 4, tzinfo=UTC)),
        ("946684800", datetime(2000, 1, 1, tzinfo=UTC)),
        ("1774958400000", datetime(2026, 3, 31, 12, tzinfo=UTC)),
        ("永久有效", None),
        ("99991231", None),
        ("99991231235959", None),
        ("0", None),
        ("-1", None),
    ],
)
def test_a_day_counts_to_its_end_and_a_time_is_a_time(cell, end):
    found = parse_ends(pl.Series([cell]))
    assert (found[0].to_list(), found[1].to_list()) == ([end], [True])


@pytest.mark.parametrize("cell", ["30", "-2", "365.0", "1e3", "20261301", "19991231", "946684799"])
def test_a_number_that_would_be_long_ago_is_no_end(cell):
    found = parse_ends(pl.Series([cell, None, "2026-03-31"]))
    assert found[0].is_null().to_list() == [True, True, False]
    assert found[1].to_list()[::2] == [False, True]


def test_what_cannot_be_read_is_empty_and_counted():
    raw = pl.DataFrame(
        {"id": ["1", "2", "3"], "售价": ["面议", "NaN", "9"], "库存": ["?", "", "3"], "有效期": ["x"] * 3}
    )
    mended: Counter[str] = Counter()
    found = offers_of(raw, map_columns("products", raw.columns, {}, "a.csv", offers=True), mended)
    assert [column.to_list() for column in found] == [[None, None, 9], [None, None, 3], [None] * 3]
    assert +mended == {
        f"{name}: not readable, left empty": count for name, count in zip(OFFERS, (1, 1, 3), strict=True)
    }


# Whole products


def test_products_come_with_their_offers(store, load):
    (report,) = load(GOODS)
    end = datetime(2026, 3, 31, 23, 59, 59, 999_999, UTC)
    assert offers(store) == [("1", 199, 5, None), ("2", None, 0, end), ("3", 89.9, None, None)]
    assert report.mended == {}


def test_a_product_with_an_unreadable_price_is_kept(store, load):
    (report,) = load("id,title,price\n1,a,面议\n2,b,3\n")
    assert (report.kept, report.mended) == (2, {"price: not readable, left empty": 1})
    assert offers(store) == [("1", None, None, None), ("2", 3, None, None)]


def test_a_new_row_without_a_column_of_offers_leaves_the_old_ones(store, load):
    load(GOODS)
    load("id,title,stock\n1,新外套,\n9,帽,4\n")
    found = {row[0]: row[1:] for row in offers(store)}
    assert found["1"] == (199, None, None)
    assert found["9"] == (None, 4, None)
    assert dict(store.products().frame.select("product_id", "title").rows())["1"] == "新外套"


def test_products_without_ids_keep_their_offers_too(store, load):
    load("title,price\n外套,5\n裙,7\n")
    load("title,tags\n外套,牛仔\n")
    assert sorted(row[1] for row in offers(store)) == [5, 7]


# Offers alone


def test_an_update_changes_the_offers_it_names_and_nothing_else(store, load):
    load(GOODS)
    before = store.products()
    (report,) = load("sku,库存,类目\n2,12,数码\n1,缺货,服装\n")
    after = store.products()
    assert report.columns.only_offers
    assert report.columns.unused == ("类目",)
    assert (report.kept, report.updated) == (2, 2)
    assert [row[:3] for row in offers(store)] == [("1", 199, 0), ("2", None, 12), ("3", 89.9, None)]
    assert after.frame.drop("stock").equals(before.frame.drop("stock"))
    assert after.fingerprint() == before.fingerprint()


def test_offers_of_unknown_products_are_rejected_with_a_reason(store, load):
    load(GOODS)
    (report,) = load("id,price\n1,5\n77,6\n,7\n")
    assert (report.kept, report.read) == (1, 3)
    lines = [json.loads(line) for line in (store.folder / REJECTED).read_text("utf-8").splitlines()]
    reasons = {entry["line"]: entry["reason"] for entry in lines}
    assert reasons == {
        3: "no product of this id is there; import it with its title or description first",
        4: "empty; every offer needs the id of its product",
    }
    assert store.manifest.product_rows == 3


def test_of_several_offers_of_a_product_the_last_counts(store, load):
    load(GOODS)
    (report,) = load("id,price\n1,5\n1,6\n1,6\n3,7\n3,7\n")
    assert (report.kept, report.same, report.rejected) == (2, 2, {"product_id: given again in line N": 1})
    assert [row[1] for row in offers(store)] == [6, None, 7]


def test_an_update_of_no_known_product_changes_nothing(store, load):
    load(GOODS)
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    with pytest.raises(DataError, match=r"none of its 2 rows could be used \(2 x product_id: no product of this id"):
        load("id,price\n8,5\n9,6\n")
    with pytest.raises(DataError, match="could be used"):
        load("id,price\n1,5\n", "id,price\n8,5\n")
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before


def test_products_and_their_offers_may_come_in_one_import(store, load):
    reports = load("id,title\n1,外套\n", "id,price\n1,5\n")
    assert [report.kept for report in reports] == [1, 1]
    assert offers(store) == [("1", 5, None, None)]


def test_columns_that_are_told_for_texts_need_not_be_in_an_update(store, load):
    told = {"title": ("brand", "model"), "product_id": "artikel", "price": "preis"}
    load("artikel,brand,model,preis\n1,a,b,5\n", product_columns=told)
    load("artikel,preis\n1,6\n", product_columns=told)
    load("artikel,stock\n1,0\n", product_columns=told)
    assert offers(store) == [("1", 6, 0, None)]
    with pytest.raises(DataError, match=r"no column 'model' .*; did you mean 'modell'"):
        load("artikel,modell,preis\n1,b,6\n", product_columns={"product_id": "artikel", "title": "model"})


def test_a_file_of_offers_without_ids_is_refused(load):
    with pytest.raises(DataError, match="no column found for title or description"):
        load("price,stock\n5,6\n")


def test_the_manifest_remembers_since_when_nothing_but_offers_has_changed(store, load):
    load(GOODS)
    first = store.manifest.products[0]
    assert store.manifest.contents == first
    load("id,price\n1,5\n")
    load("id,stock\n1,5\n")
    assert store.manifest.contents == first != store.manifest.products[0]
    load("id,title\n1,裙\n")
    assert store.manifest.contents == store.manifest.products[0]


CELL = st.sampled_from(["", "5", "缺货", "¥1,0", "x"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["1", "2", "3", "4", ""]), CELL, CELL), min_size=1, max_size=8))
def test_an_update_accounts_for_every_row_and_keeps_every_product(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("offers")
    store, path = TableStore(folder / "tables"), folder / "a.csv"
    path.write_text(GOODS, "utf-8")
    import_files(store, [(path, None)], ReadSettings())
    before = store.products().frame
    path.write_text("id,price,stock\n" + "".join(f"{','.join(row)}\n" for row in rows), "utf-8")
    try:
        (report,) = import_files(store, [(path, None)], ReadSettings())
    except DataError as error:
        assert re.search("could be used", str(error))  # noqa: PT017 (any other outcome is fine)
        assert store.products().frame.equals(before)
        return
    assert report.read == len(rows) == report.kept + report.same + sum(report.rejected.values())
    assert store.products().frame.drop("price", "stock").equals(before.drop("price", "stock"))
