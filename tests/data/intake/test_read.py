"""Files of every format, as batches of text cells."""

from __future__ import annotations

import datetime as dt
import json
import os

import polars as pl
import pytest

from tagloom.config import ReadSettings
from tagloom.data.intake.batches import LINE, MOST_CHARACTERS, as_cell, batched
from tagloom.data.intake.read import SUFFIXES, open_source, read_batches
from tagloom.errors import DataError

ROWS = [{"id": "1", "title": "宽松外套", "tags": "牛仔|外套"}, {"id": "2", "title": "", "tags": None}]


def cells(path, rows=50_000, settings=ReadSettings()):  # noqa: B008 (frozen)
    batches = list(read_batches(open_source(path, settings), rows))
    return pl.concat([batch.frame for batch in batches]), [bad for batch in batches for bad in batch.bad], batches


def test_the_formats_agree(tmp_path):
    frame = pl.DataFrame(ROWS)
    frame.write_csv(tmp_path / "a.csv")
    frame.write_csv(tmp_path / "a.tsv", separator="\t")
    frame.write_csv(tmp_path / "a.TXT", separator="|", quote_style="always")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.write_ndjson(tmp_path / "a.json")
    frame.write_parquet(tmp_path / "a.parquet")
    expected = frame.with_columns(pl.col("tags").fill_null("")).rows()
    for name in ("a.csv", "a.tsv", "a.TXT", "a.jsonl", "a.json", "a.parquet"):
        read, bad, _ = cells(tmp_path / name)
        assert read.drop(LINE).with_columns(pl.col("tags").fill_null("")).rows() == expected, name
        assert not bad


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_batches_are_as_large_as_asked_and_lines_go_on(tmp_path, name):
    frame = pl.DataFrame({"id": range(25), "title": ["x"] * 25})
    {"a.csv": frame.write_csv, "a.jsonl": frame.write_ndjson, "a.parquet": frame.write_parquet}[name](tmp_path / name)
    read, _, batches = cells(tmp_path / name, rows=10)
    assert [batch.rows for batch in batches] == [10, 10, 5]
    assert read[LINE].to_list() == list(range(2, 27) if name == "a.csv" else range(1, 26))


def test_long_rows_come_in_smaller_batches(tmp_path):
    long = "x" * (MOST_CHARACTERS // 4)
    assert [batch.rows for batch in batched(([long] for _ in range(10)), ["a"], 50_000)] == [4, 4, 2]
    pl.DataFrame({"title": [long] * 10}).write_parquet(tmp_path / "a.parquet")
    assert [batch.rows for batch in cells(tmp_path / "a.parquet")[2]] == [4, 4, 2]


def test_json_values_of_every_kind(tmp_path):
    rows = [
        {"id": 1, "tags": ["a", "b"], "attributes": {"颜色": "红"}, "price": 2.5, "new": True, "image": None},
        {"id": 2.0, "tags": [], "attributes": [{"name": "a", "value": 1}], "price": float("nan"), "later": 10**30},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert cells(path)[0].drop(LINE).rows() == [
        ("1", '["a", "b"]', '{"颜色": "红"}', "2.5", "true", None, None),
        ("2", "[]", '[{"name": "a", "value": 1}]', None, None, None, str(10**30)),
    ]


def test_bad_json_lines_are_set_aside_with_their_place(tmp_path):
    path = tmp_path / "a.jsonl"
    deep = "[" * 100_000
    lines = ['{"id": 1}', '{"id": 2', "", "[3]", "null", '"x"', "7", '{"id": "\\ud83d"}', deep, '{"id": 4}']
    path.write_text("\n".join(lines), "utf-8")
    good, bad, _ = cells(path)
    assert good.rows() == [(1, "1"), (10, "4")]
    assert [(row.line, row.reason.split(" (")[0]) for row in bad] == [
        (2, "not readable as JSON"),
        (4, "expected a JSON object, came an array"),
        (5, "expected a JSON object, came null"),
        (6, "expected a JSON object, came a string"),
        (7, "expected a JSON object, came a number"),
        (9, "not readable as JSON"),
        (8, "characters damaged, or of another encoding than the file"),
    ]
    assert bad[0].row == '{"id": 2'


def test_keys_that_come_late_are_counted(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1}\n' * 10_000 + '{"id": 2, "tags": "x"}\n', "utf-8")
    assert sum(sum(batch.mended.values()) for batch in cells(path)[2]) == 1


def test_parquet_columns_of_every_type(tmp_path):
    noon = dt.datetime(2026, 1, 31, 12)
    frame = pl.DataFrame(
        {
            "id": [123.0, None, 5.0],
            "whole": [1, 2, None],
            "price": [1.5, float("nan"), float("inf")],
            "huge": [1e300, 1.0, None],
            "when": [noon, None, noon],
            "zoned": pl.Series([noon, noon, None]).dt.replace_time_zone("Asia/Shanghai"),
            "day": [noon.date()] * 3,
            "kind": pl.Series(["a", "b", None], dtype=pl.Categorical),
            "exact": pl.Series(["1.50", "2", None]).str.to_decimal(scale=2),
            "flag": [True, False, None],
            "list": [["a", "b"], [], None],
            "pairs": [[{"name": "颜色", "value": "红"}], None, []],
            "nothing": pl.Series([None] * 3, dtype=pl.Null),
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    first = cells(tmp_path / "a.parquet")[0].drop(LINE).row(0, named=True)
    assert first == {
        "id": "123", "whole": "1", "price": "1.5", "huge": "1e+300", "when": "2026-01-31T12:00:00.000000",
        "zoned": "2026-01-31T12:00:00.000000+08:00", "day": "2026-01-31", "kind": "a", "exact": "1.50", "flag": "true",
        "list": '["a", "b"]', "pairs": '[{"name": "颜色", "value": "红"}]', "nothing": None,
    }  # fmt: skip
    assert cells(tmp_path / "a.parquet")[0]["id"].to_list() == ["123", None, "5"]
    assert cells(tmp_path / "a.parquet")[0]["price"].to_list() == ["1.5", None, "inf"]


def test_pictures_in_a_parquet_file_are_left_out_and_counted(tmp_path):
    frame = pl.DataFrame(
        {"title": ["外套".encode(), b"b"], "jpeg": [b"\xff\xd8", b"\xff\xd9"], "im": [{"b": b"\xff"}] * 2}
    )
    frame.write_parquet(tmp_path / "a.parquet")
    read, bad, batches = cells(tmp_path / "a.parquet")
    assert read.drop(LINE).rows() == [("外套", None, '{"b": "(1 bytes)"}'), ("b", None, '{"b": "(1 bytes)"}')]
    assert not bad
    assert {what: count for what, count in batches[0].mended.items() if count} == {
        "jpeg: bytes that are no text left out": 2
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, r"gone\.csv: no such file"),
        ("a.csv", b"", r"a\.csv: the file is empty"),
        ("a.parquet", b"", "the file is empty"),
        (
            "a.xlsx",
            b"PK",
            r"cannot tell the format from the ending; expected one of \.csv, .* Save a spreadsheet as CSV",
        ),
        ("a.parquet", b"PAR1 and nothing else", r"a\.parquet: not readable as Parquet \("),
        (
            "a.jsonl",
            b'[{"id": 1}, {"id": 2}]',
            "expected a JSON object in each line.* write a JSON array as one object",
        ),
        ("a.json", b'[\n  {\n    "id": 1\n  }\n]\n', "expected a JSON object in each line"),
        ("a.jsonl", b"id,title\n1,a\n", "expected a JSON object in each line"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_a_remedy(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_source(tmp_path / name)


def test_a_folder_and_a_file_without_permission(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="a folder, expected a file"):
        open_source(tmp_path / "folder.csv")
    closed = tmp_path / "closed.csv"
    closed.write_text("id,title\n1,a\n", "utf-8")
    closed.chmod(0)
    if os.access(closed, os.R_OK):
        pytest.skip("this account may read everything")
    with pytest.raises(DataError, match=r"closed\.csv: cannot be read \(Permission denied\)"):
        open_source(closed)


def test_a_parquet_file_cut_in_the_middle_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"title": [os.urandom(50).hex() for _ in range(5_000)]}).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[1_000:200_000] = b"\x00" * 199_000
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: damaged \(.*\); nothing was imported"):
        cells(path)


def test_every_ending_is_of_a_known_format():
    assert set(SUFFIXES.values()) == {"csv", "jsonl", "parquet"}


def test_cells_of_odd_values():
    assert as_cell(float("inf")) == "inf"
    assert as_cell(1e300) == "1e+300"
    assert as_cell((1, dt.date(2026, 1, 31))) == '[1, "2026-01-31"]'
    assert as_cell(memoryview(b"\xff\xfe")) == "(2 bytes)"
