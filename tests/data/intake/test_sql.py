"""Databases are read by URL, streamed, and left as they are."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import sqlite3
import tracemalloc
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy

from tagloom.data.intake import sql
from tagloom.data.intake.batches import LINE
from tagloom.data.intake.read import open_source, read_batches
from tagloom.errors import DataError, MissingExtraError


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "goods.db"
    with sqlite3.connect(path) as database:
        database.execute('CREATE TABLE goods (id INTEGER, "商品标题" TEXT, price REAL, tags TEXT, photo BLOB)')
        rows = [(1, "外套", 9.5, "a|b", b"\xff\xd8"), (2, None, 10.0, "50% off", None), (3, "裤", None, "", b"text")]
        database.executemany("INSERT INTO goods VALUES (?, ?, ?, ?, ?)", rows)
        database.execute('CREATE TABLE "order by" (id INTEGER)')
    database.close()
    return f"sqlite:///{path}"


def rows(location, most=50_000):
    source = open_source(location)
    return source.columns, [row for batch in read_batches(source, most) for row in batch.frame.rows()]


def test_a_table_and_a_query(shop):
    columns, read = rows(f"{shop}#goods")
    assert columns == ("id", "商品标题", "price", "tags", "photo")
    assert read == [
        (1, "1", "外套", "9.5", "a|b", "(2 bytes)"),
        (2, "2", None, "10", "50% off", None),
        (3, "3", "裤", None, "", "text"),
    ]
    query = "select id, tags as labels from goods where tags like '50\\%%' escape '\\'"
    assert rows(f"{shop}#{query}") == (("id", "labels"), [(1, "2", "50% off")])
    assert rows(f"{shop}#order by")[0] == ("id",)
    assert [row[0] for row in rows(f"{shop}#goods", most=2)[1]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", r"goods\.db: say which table, as sqlite:///.*goods\.db#table"),
        ("#", "say which table"),
        ("#godos", "the database said: .*no such table: godos"),
        ("#SELECT nonsense FROM goods", "the database said: .*no such column: nonsense"),
        ("#SELECT id, id FROM goods", "the column name 'id' stands more than once"),
    ],
)
def test_what_the_database_refuses_is_told(shop, rest, message):
    with pytest.raises(DataError, match=message):
        open_source(shop + rest)


def test_a_missing_database_is_not_made(tmp_path):
    with pytest.raises(DataError, match=r"gone\.db: no such file"):
        open_source(f"sqlite:///{tmp_path / 'gone.db'}#goods")
    assert not (tmp_path / "gone.db").exists()


def test_urls_that_are_none_and_drivers_that_are_missing():
    with pytest.raises(DataError, match="nonsense://x: not a database URL, such as postgresql"):
        open_source("nonsense://x#t")
    with pytest.raises((DataError, MissingExtraError), match=r"cx_Oracle|oracledb"):
        open_source("oracle://scott:tiger@db/shop#t")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db:5432/shop#goods", "postgresql://ann:***@db:5432/shop#goods"),
        ("postgresql://ann:se@cret@db/shop", "postgresql://ann:***@db/shop"),
        ("postgresql://db/shop#SELECT '://a:b@c'", "postgresql://db/shop#SELECT '://a:b@c'"),
        ("sqlite:///goods.db#t", "sqlite:///goods.db#t"),
    ],
)
def test_passwords_are_masked(url, shown):
    assert sql.masked(url) == shown


def test_nobody_at_home_is_told_without_the_password():
    with pytest.raises(DataError, match="the database said") as caught:
        open_source("postgresql+psycopg://ann:secret@127.0.0.1:1/shop#goods")
    assert "secret" not in str(caught.value)


def test_postgresql_in_full(postgres_url):
    noon = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    with sqlalchemy.create_engine(postgres_url, poolclass=sqlalchemy.NullPool).begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE goods (id numeric(12, 0), title text, tags text[], attributes jsonb, price numeric(8, 2),"
            " seen timestamptz, photo bytea)"
        )
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO goods VALUES (:id, :title, ARRAY['a', '红'], '{\"颜色\": \"红\"}', :p, :t, :b)"
            ),
            {"id": 123456789012, "title": "外套 100%", "p": Decimal("9.50"), "t": noon, "b": b"\xff"},
        )
    plain = postgres_url.replace("+psycopg", "")
    for query in ("goods", "public.goods", "SELECT * FROM goods WHERE title LIKE '%100%' AND id::text <> ''"):
        columns, read = rows(f"{plain}#{query}")
        assert columns == ("id", "title", "tags", "attributes", "price", "seen", "photo")
        row = dict(zip(columns, read[0][1:], strict=True))
        assert dt.datetime.fromisoformat(row.pop("seen")) == noon
        assert row == {
            "id": "123456789012", "title": "外套 100%", "tags": '["a", "红"]', "attributes": '{"颜色": "红"}',
            "price": "9.50", "photo": "(1 bytes)",
        }  # fmt: skip
    with pytest.raises(DataError, match=r'the database said: .*relation "godos" does not exist'):
        open_source(f"{postgres_url}#godos")


def test_a_large_postgresql_table_is_streamed(postgres_url):
    # 100,000 rows of 400 characters are some 40 MB; a batch of 2,000 of them is one.
    query = "SELECT i AS id, repeat(md5(i::text), 12) AS title FROM generate_series(1, 100000) AS i"
    source = open_source(f"{postgres_url}#{query}")
    seen = 0
    tracemalloc.start()
    with contextlib.closing(read_batches(source, 2_000)) as batches:
        for batch in itertools.islice(batches, 20):
            seen += batch.rows
            assert batch.frame[LINE].to_list() == list(range(seen - batch.rows + 1, seen + 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 40_000
    assert peak < 20_000_000


def test_a_failure_in_the_middle_is_told(postgres_url):
    source = open_source(f"{postgres_url}#SELECT 1 / (20000 - i) AS title FROM generate_series(1, 30000) AS i")
    with pytest.raises(DataError, match=r"the database said: .*division by zero"):
        pl.concat([batch.frame for batch in read_batches(source, 1_000)])
