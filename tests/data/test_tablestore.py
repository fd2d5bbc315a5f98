"""The folder of tables: what the manifest does not name does not exist."""

from __future__ import annotations

import dataclasses
import json

import polars as pl
import pytest

from tagloom.data.tables import EVENT_SCHEMA, OFFERS, PRODUCT_SCHEMA, Products
from tagloom.data.tablestore import FORMAT, Imported, Manifest, TableStore
from tagloom.errors import ShopError, TagloomError


@pytest.fixture
def store(tmp_path):
    return TableStore(tmp_path / "tables")


def fill(store, name, *ids):
    with store.writing() as manifest:
        Products.of([{"product_id": key} for key in ids]).frame.write_parquet(store.folder / name)
        entry = Imported("a.csv", "products", "00", "2026-01-31T12:00:00+00:00", len(ids), len(ids), 0)
        changes = {"products": (name,), "product_rows": len(ids), "imports": (*manifest.imports, entry)}
        store.commit(dataclasses.replace(manifest, **changes))


def test_a_new_folder_holds_empty_tables(store):
    assert store.manifest == Manifest()
    assert store.products().frame.schema == PRODUCT_SCHEMA
    assert store.events().frame.schema == EVENT_SCHEMA
    assert store.scan("products").collect().is_empty()
    assert not store.folder.exists()


def test_what_was_committed_is_read_and_older_files_go(store):
    fill(store, "products-1.parquet", "1")
    fill(store, "products-2.parquet", "1", "2")
    assert store.products().frame["product_id"].to_list() == ["1", "2"]
    assert store.manifest.generation == 2
    assert [entry.name for entry in store.manifest.imports] == ["a.csv", "a.csv"]
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", "manifest.json", "products-2.parquet"]


def test_a_table_from_before_there_were_offers_is_read(store):
    with store.writing() as manifest:
        frame = Products.of([{"product_id": "1", "title": "a"}]).frame
        frame.drop(OFFERS).write_parquet(store.folder / "products-1.parquet")
        store.commit(dataclasses.replace(manifest, products=("products-1.parquet",), product_rows=1))
    assert store.products().frame.equals(frame)
    assert store.scan("products").select("price", "product_id").collect().rows() == [(None, "1")]
    path = store.folder / "manifest.json"
    about = json.loads(path.read_text("utf-8"))
    del about["texts"]
    path.write_text(json.dumps(about), "utf-8")
    assert store.manifest.contents == "products-1.parquet"


def test_leftovers_of_a_killed_import_do_not_count_and_are_swept(store):
    fill(store, "products-1.parquet", "1")
    for name in ("products-2.parquet", "events-2.parquet.raw", ".manifest.json.77.tmp", ".rejected.jsonl.tmp"):
        (store.folder / name).write_bytes(b"half")
    (store.folder / "rejected.jsonl").write_text("{}\n", "utf-8")
    assert len(store.products()) == 1
    store.sweep()
    assert sorted(path.name for path in store.folder.iterdir()) == [
        ".lock",
        "manifest.json",
        "products-1.parquet",
        "rejected.jsonl",
    ]


def test_one_writer_at_a_time(store):
    with store.writing(), pytest.raises(ShopError, match="another import is running; wait"), store.writing():
        pass
    with store.writing() as manifest:
        assert manifest.generation == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"manifest\.json: damaged"),
        ("{", "damaged"),
        ('{"format": 1}', "damaged .*import the files again into a new shop"),
        ("[]", "damaged"),
        (json.dumps({"format": FORMAT + 1}), "written by a newer tagloom; upgrade"),
    ],
)
def test_a_damaged_or_newer_manifest_is_refused(store, content, message):
    store.folder.mkdir()
    (store.folder / "manifest.json").write_text(content, "utf-8")
    with pytest.raises(TagloomError, match=message):
        _ = store.manifest


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_table_is_told_in_one_line(store, damage):
    fill(store, "products-1.parquet", *map(str, range(99)))
    path = store.folder / "products-1.parquet"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.unlink()
    with pytest.raises(TagloomError, match=r"tables: damaged .*; import the files again into a new shop") as caught:
        store.products()
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_being_prepared_can_be_scanned(store):
    fill(store, "products-1.parquet", "1")
    Products.of([{"product_id": "9"}]).frame.write_parquet(store.folder / "products-9.parquet")
    prepared = dataclasses.replace(store.manifest, products=("products-9.parquet",))
    assert store.scan("products", prepared).collect()["product_id"].to_list() == ["9"]
    assert isinstance(store.scan("products"), pl.LazyFrame)
