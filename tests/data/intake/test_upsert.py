"""New products over old ones."""

from __future__ import annotations

import polars as pl
import pytest

from tagloom.data.intake.batches import LINE
from tagloom.data.intake.upsert import Upserted, index_of, upsert, upsert_joined
from tagloom.data.tables import PRODUCT_SCHEMA, Products


def rows(*products: tuple[str, str, list[str]]) -> pl.DataFrame:
    made = [{"product_id": key, "title": title, "tags": tags, "attributes": [{"name": "n", "value": title}]}
            for key, title, tags in products]  # fmt: skip
    empty = {"description": "", "category": [], "image": None}
    return pl.DataFrame([{**empty, **row} for row in made], schema=PRODUCT_SCHEMA)


def numbered(frame: pl.DataFrame, start: int = 2) -> pl.DataFrame:
    return frame.select(pl.int_range(start, start + pl.len()).alias(LINE), *PRODUCT_SCHEMA)


@pytest.fixture
def run(tmp_path):
    def run(old: pl.DataFrame, new: pl.DataFrame, parts: int = 1):
        bad = []
        frame = numbered(new)
        frame.write_parquet(tmp_path / "new", row_group_size=2)
        slices = list(frame.iter_slices(max(1, -(-frame.height // parts)))) or [frame]
        index = pl.concat([index_of(part) for part in slices])
        made = upsert(old.lazy(), tmp_path / "new", index, tmp_path / "final", bad.extend)
        result = pl.read_parquet(tmp_path / "final")
        Products(result)
        return made, result, bad

    return run


@pytest.mark.parametrize("parts", [1, 3])
def test_later_rows_count_and_earlier_ones_are_named(run, parts):
    new = rows(("a", "1", ["x"]), ("b", "1", []), ("a", "2", []), ("b", "1", []), ("c", "1", []), ("a", "3", ["y"]))
    made, result, bad = run(rows(), new, parts)
    assert result.rows() == rows(("b", "1", []), ("c", "1", []), ("a", "3", ["y"])).rows()
    assert made == Upserted(kept=3, same=1, updated=0, total=3)
    assert [(row.line, row.column, row.reason) for row in bad] == [
        (2, "product_id", "given again in line 7; the later row counts"),
        (4, "product_id", "given again in line 7; the later row counts"),
    ]
    assert bad[0].row["title"] == "1"


def test_old_rows_stay_in_place_unless_replaced(run):
    old = rows(("a", "old", []), ("b", "old", []), ("c", "old", []))
    made, result, bad = run(old, rows(("b", "new", []), ("d", "new", [])))
    assert result["product_id"].to_list() == ["a", "c", "b", "d"]
    assert result["title"].to_list() == ["old", "old", "new", "new"]
    assert made == Upserted(kept=2, same=0, updated=1, total=4)
    assert not bad


def test_the_same_once_more_changes_nothing(run):
    new = rows(*((str(i % 7), str(i % 7), []) for i in range(30)))
    _, once, _ = run(rows(), new)
    made, twice, _ = run(once, new)
    assert twice.equals(once)
    assert made == Upserted(kept=7, same=23, updated=7, total=7)


def test_nothing_new_on_something_old(run):
    assert run(rows(("a", "1", [])), rows())[1].rows() == rows(("a", "1", [])).rows()


def test_equal_texts_are_one_product_with_all_their_tags(tmp_path):
    new = rows(("x", "t", ["a", "b"]), ("y", "u", []), ("x", "t", ["b", "c"]), ("x", "t", []))
    new.write_parquet(tmp_path / "new")
    made = upsert_joined(rows(("y", "old", ["z"])).lazy(), tmp_path / "new", 4, tmp_path / "final")
    result = pl.read_parquet(tmp_path / "final")
    assert result.rows() == rows(("x", "t", ["a", "b", "c"]), ("y", "u", [])).rows()
    assert made == Upserted(kept=2, same=2, updated=1, total=2)
