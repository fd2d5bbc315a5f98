"""The import as a whole: all or nothing, and every row accounted for."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.config import ReadSettings
from tagloom.data.intake.imports import FileReport, import_files
from tagloom.data.sample import write_sample
from tagloom.data.tablestore import REJECTED, TableStore
from tagloom.errors import DataError, ShopError, TagloomError

ROOT = Path(__file__).parents[3]
GOODS = "id,title,tags\n1,外套,牛仔|宽松\n2,手机,大屏\n"


@pytest.fixture
def store(tmp_path):
    return TableStore(tmp_path / "tables")


def put(tmp_path, name, content, encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def run(store, *paths, kind=None, again=False, **read) -> list[FileReport]:
    reports = import_files(store, [(path, kind) for path in paths], ReadSettings(**read), again=again)
    for report in reports:
        assert report.read == report.kept + report.same + sum(report.rejected.values())
    return reports


def rejected(store):
    path = store.folder / REJECTED
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]] if path.exists() else []


def files(store):
    """The folder's files without the lock."""
    return sorted(path.name for path in store.folder.iterdir() if path.name != ".lock")


def contents(store):
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


# What goes in


def test_the_sample_shop_is_read_with_its_planted_dirt(tmp_path, store):
    sample = write_sample(tmp_path, products=300, users=10)
    goods, log = run(store, sample.products, sample.events)
    truth = json.loads(sample.truth.read_text("utf-8"))
    lines = {
        # Of two rows with one id the earlier is set aside; the planted one is the later.
        int(again[1]) if (again := re.search(r"again in line (\d+)", entry["reason"])) else entry["line"]
        for entry in rejected(store)
        if entry["file"] == str(sample.products)
    }
    planted = {bad["line"]: bad["problem"] for bad in truth["bad_products"]}
    assert {planted[line] for line in lines} == {"no id", "too many fields", "too few fields", "same id, other content"}
    assert goods.same == sum(problem == "same row twice" for problem in planted.values())
    assert sum(log.rejected.values()) == len(truth["bad_events"])
    assert {entry["line"] for entry in rejected(store) if entry["file"] == str(sample.events)} == {
        bad["line"] for bad in truth["bad_events"]
    }
    assert set(store.products().frame["product_id"]) == set(truth["products"])
    assert goods.mended["description: HTML removed"] == 2
    assert store.manifest.event_rows == len(store.events()) == log.kept


def test_the_three_columns_of_data_csv_load_as_they_are(tmp_path, store):
    rows = "购买,宽松牛仔外套,牛仔|外套\nview,宽松牛仔外套 ,宽松\n大码外套,宽松牛仔外套,\n买,,x\n"
    text = f"user_action,product_desc,label\n{rows}"
    goods, log = run(store, put(tmp_path, "data.csv", text))
    assert (goods.table, goods.read, goods.kept, goods.same) == ("products", 4, 1, 2)
    product = store.products().frame.row(0, named=True)
    assert product["description"] == "宽松牛仔外套"
    assert product["tags"] == ["牛仔", "外套", "宽松"]
    assert (log.table, log.kept) == ("events", 3)
    assert store.events().frame.select("user_id", "action", "product_id", "text").rows() == [
        ("anonymous", "purchase", product["product_id"], None),
        ("anonymous", "view", product["product_id"], None),
        ("anonymous", "search", product["product_id"], "大码外套"),
    ]
    assert [(entry["line"], entry["column"]) for entry in rejected(store)] == [(5, "product_id")] * 2


def test_data_csv_as_one_table_only_and_with_users(tmp_path, store):
    path = put(tmp_path, "data.csv", "user_action,product_desc,label,user_id\nbuy,<b>外套</b>,a,u1\n看,外套,b,u2\n")
    assert [report.table for report in run(store, path, kind="products")] == ["products"]
    assert [report.table for report in run(store, path, kind="events")] == ["events"]
    assert store.events().frame["user_id"].to_list() == ["u1", "u2"]
    assert set(store.events().frame["product_id"]) == set(store.products().frame["product_id"])


def test_kinds_are_found_out_and_told_columns_help(tmp_path, store):
    log = put(tmp_path, "log.csv", "customer_no,sku,action\n7,1,buy\n")
    assert run(store, log, event_columns={"user_id": "customer_no"})[0].table == "events"


def test_attributes_are_found_where_the_cells_look_like_it(tmp_path, store):
    path = put(tmp_path, "ads.csv", "content,summary\n类型#裤*版型#宽松,好裤\n类型#裙,好裙\n")
    report = run(store, path, product_columns={"description": "summary"})[0]
    assert report.columns.one("attributes") == "content"
    assert store.products().frame["attributes"][0].to_list() == [
        {"name": "类型", "value": "裤"},
        {"name": "版型", "value": "宽松"},
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_the_encoding_makes_no_difference(tmp_path, store, encoding):
    report = run(store, put(tmp_path, "a.csv", GOODS, encoding))[0]
    assert report.encoding == encoding
    assert store.products().frame["title"].to_list() == ["外套", "手机"]


def test_damaged_rows_are_set_aside_with_everything_one_needs_to_mend_them(tmp_path, store):
    path = put(
        tmp_path,
        "a.csv",
        b'id,title\n1,"two\nlines"\n2,\xe5\xa5,x\n3,\xff\n,b\n4,'
        + "好\n".encode()
        + "5,宽松牛仔外套，胸前刺绣\n".encode(),
    )
    run(store, path)
    assert rejected(store) == [
        {"file": str(path), "line": 4, "column": "", "reason": "expected 2 fields, came 3", "row": ["2", "��", "x"]},
        {"file": str(path), "line": 5, "column": "title", "row": {"id": "3", "title": "�"},
         "reason": "characters damaged, or of another encoding than the file"},
        {"file": str(path), "line": 6, "column": "id", "row": {"id": "", "title": "b"},
         "reason": "empty; every product needs an id"},
    ]  # fmt: skip


def test_a_description_of_a_million_characters_is_cut_and_counted(tmp_path, store):
    path = put(tmp_path, "a.csv", f'id,description\n1,"{"长" * 1_000_000}"\n2,短\n')
    report = run(store, path)[0]
    assert store.products().frame["description"].str.len_chars().to_list() == [100_000, 1]
    assert report.mended == {"description: cut to 100000 characters": 1}


def test_emoji_and_right_to_left_text_come_through(tmp_path, store):
    rows = [("👗", "👨\u200d👩\u200d👧 تنورة", ["تنورة", "👗"]), ("2", "שמלה \u202bאדומה\u202c", [])]
    path = put(tmp_path, "a.jsonl", "\n".join(json.dumps(dict(zip(("id", "title", "tags"), row, strict=True)))
                                                for row in rows))  # fmt: skip
    run(store, path)
    assert store.products().frame.select("product_id", "title", "tags").rows() == rows


# Repeats and updates


def test_a_product_given_twice_with_other_content(tmp_path, store):
    path = put(tmp_path, "a.csv", "id,title\n1,old\n1,new\n1,new\n2,x\n")
    report = run(store, path)[0]
    assert (report.read, report.kept, report.same) == (4, 2, 1)
    assert report.rejected == {"product_id: given again in line N": 1}
    assert rejected(store)[0]["line"] == 2
    assert rejected(store)[0]["row"]["title"] == "old"
    assert store.products().frame["title"].to_list() == ["new", "x"]


def test_a_later_import_updates(tmp_path, store):
    run(store, put(tmp_path, "a.csv", GOODS))
    report = run(store, put(tmp_path, "b.csv", "id,title\n2,新手机\n3,裙\n"))[0]
    assert (report.kept, report.updated) == (2, 1)
    assert store.products().frame["title"].to_list() == ["外套", "新手机", "裙"]
    assert store.manifest.product_rows == 3
    assert files(store) == ["manifest.json", store.manifest.products[0], REJECTED]


def test_two_files_in_one_import_may_speak_of_the_same_product(tmp_path, store):
    reports = run(store, put(tmp_path, "a.csv", GOODS), put(tmp_path, "b.csv", "id,title\n2,新手机\n"))
    assert [report.updated for report in reports] == [0, 1]
    assert store.products().frame["title"].to_list() == ["外套", "新手机"]


def test_equal_texts_without_ids_are_one_product_with_all_tags(tmp_path, store):
    path = put(tmp_path, "a.csv", "title,tags\n外套,a|b\n外套,c\n裙,d\n")
    report = run(store, path)[0]
    assert (report.kept, report.same) == (2, 1)
    assert store.products().frame["tags"].to_list() == [["a", "b", "c"], ["d"]]
    before = store.products().frame
    run(store, path)
    assert store.products().frame.equals(before)


def test_the_same_log_twice_is_counted_once_unless_asked_for(tmp_path, store):
    log = put(tmp_path, "log.csv", "user,action,item,time\nu,buy,1,2026-01-31\n")
    run(store, log)
    report = run(store, put(tmp_path, "copy.csv", log.read_text("utf-8")))[0]
    assert report.already_imported
    assert (report.read, len(store.events())) == (0, 1)
    assert not run(store, log, again=True)[0].already_imported
    assert len(store.events()) == 2


def test_two_tables_of_a_database_are_not_taken_for_the_same_log(tmp_path, store):
    import sqlite3

    with sqlite3.connect(tmp_path / "shop.db") as database:
        for table in ("may", "june"):
            database.execute(f"CREATE TABLE {table} (user_id, action, item_id)")
            database.execute(f"INSERT INTO {table} VALUES ('u', 'buy', '{table}')")
    database.close()
    run(store, *(f"sqlite:///{tmp_path / 'shop.db'}#{table}" for table in ("may", "june")))
    assert sorted(store.events().frame["product_id"]) == ["june", "may"]


# What stops an import


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"a\.csv: the file is empty"),
        ("a.csv", "id,title\n", r"a\.csv: there are column names and no rows; export it again, with its rows"),
        ("a.csv", "id,title\n\n\n", r"there are column names and no rows"),
        ("a.csv", "id,size\n1,2\n", r"no column found for title or description; the file has \['id', 'size'\]\. Say"),
        ("a.csv", "id,title\n,a\nnull,b\n", r"none of its 2 rows could be used \(2 x id: empty\); the first is line 2"),
        ("a.csv", "id,title\n1\n2\n", r"none of its 2 rows .*; the first is line 2: expected 2 fields, came 1"),
        ("a.csv", "user,item\nu,1\n", r"a\.csv: no column found for action; say in tagloom\.toml which one it is"),
        ("a.csv", "id,title\n1,crème brûlée à l'été\n".encode("cp1252"), "the encoding is neither UTF-8 nor GB18030"),
        ("a.json", '[{"id": 1, "title": "a"}]', "write a JSON array as one object a line"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_stops_the_import_and_changes_nothing(tmp_path, store, name, content, message):
    run(store, put(tmp_path, "good.csv", GOODS))
    before = contents(store)
    with pytest.raises(DataError, match=message) as caught:
        run(store, put(tmp_path, "also.csv", "id,title\n9,x\n"), put(tmp_path, name, content))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert contents(store) == before


def test_an_empty_import_leaves_no_tables(tmp_path, store):
    with pytest.raises(DataError):
        run(store, put(tmp_path, "a.csv", ""))
    assert files(store) == []


def test_two_imports_at_once_are_refused(tmp_path, store):
    path = put(tmp_path, "a.csv", GOODS)
    with store.writing(), pytest.raises(ShopError, match="another import is running; wait for it to end"):
        run(store, path)
    run(store, path)


def start(store, *arguments):
    """An import in a process of its own."""
    code = (
        "import resource, sys, time\n"
        "from pathlib import Path\n"
        "from tagloom.config import ReadSettings\n"
        "from tagloom.data.intake.imports import import_files\n"
        "from tagloom.data.tablestore import TableStore\n"
        "from tagloom.errors import TagloomError\n"
        "folder, source, limit, pause = sys.argv[1:]\n"
        "if int(limit): resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))\n"
        "def progress(rows):\n"
        "    print('batch', flush=True)\n"
        "    time.sleep(float(pause))\n"
        "store, read = TableStore(Path(folder)), ReadSettings(batch_rows=500)\n"
        "try: import_files(store, [(source, None)], read, progress=progress)\n"
        "except TagloomError as error: sys.exit(f'{type(error).__name__} {error.exit_code}: {error}')\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(store.folder), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.csv"
    rows = "".join(f"{i},{os.urandom(40).hex()},a|b\n" for i in range(10, 3_000))
    path.write_text("id,title,tags\n" + rows + ",no id,\n", "utf-8")
    return path


@pytest.mark.parametrize("limit", [1, 4_000, 100_000, 170_000])
def test_a_full_disk_leaves_the_old_tables_and_says_so(tmp_path, store, large, limit):
    # A limit on the size of files gives the same errors as a full disk, from pyarrow, Polars and Python alike.
    run(store, put(tmp_path, "old.csv", "id,title\n" + "".join(f"old{i},{os.urandom(40).hex()}\n" for i in range(999))))
    before = contents(store)
    process = start(store, large, limit, 0)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.search(
        r"TagloomError 1: .*tables: could not be written \(File too large\); nothing was changed; free", said
    )
    assert contents(store) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_import_leaves_the_old_tables_and_the_next_one_works(tmp_path, store, large, number):
    run(store, put(tmp_path, "old.csv", GOODS))
    before, manifest = contents(store), store.manifest
    process = start(store, large, 0, 5)
    assert process.stdout.readline() == "batch\n"
    with pytest.raises(ShopError, match="another import is running"):
        run(store, large)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode not in (0, 1) or number == signal.SIGINT
    if number == signal.SIGINT:
        assert contents(store) == before
    assert store.manifest == manifest
    assert store.products().frame["title"].to_list() == ["外套", "手机"]
    assert run(store, large)[0].kept == 2_990
    assert len(store.products()) == 2_992
    assert files(store) == ["manifest.json", store.manifest.products[0], REJECTED]
    assert len(rejected(store)) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(
        TagloomError, match=r"file/tables: could not be written \(Not a directory\); nothing was changed"
    ):
        run(TableStore(tmp_path / "file" / "tables"), put(tmp_path, "a.csv", GOODS))


def test_progress_is_told_the_rows_read(tmp_path, store):
    path = put(tmp_path, "a.csv", "id,title\n" + "".join(f"{i},x\n" for i in range(250)) + "bad\n")
    told = []
    import_files(store, [(path, None)], ReadSettings(batch_rows=100), progress=told.append)
    assert sum(told) == 251
    assert len(told) == 3


def test_memory_follows_the_batch_and_not_the_file(tmp_path):
    # Ten times the events, at most a tenth more memory; in processes of their own, since peaks never fall.
    peaks = []
    for count in (15_000, 150_000):
        log = tmp_path / f"log{count}.csv"
        log.write_text("user,action,item,time\n" + "".join(f"u{i % 97},buy,{i},{i}\n" for i in range(count)), "utf-8")
        code = (
            "import resource, sys, pathlib\n"
            "from tagloom.config import ReadSettings\n"
            "from tagloom.data.intake.imports import import_files\n"
            "from tagloom.data.tablestore import TableStore\n"
            "store = TableStore(pathlib.Path(sys.argv[1]))\n"
            "import_files(store, [(sys.argv[2], None)], ReadSettings(batch_rows=5_000))\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        arguments = [sys.executable, "-c", code, str(tmp_path / f"tables{count}"), str(log)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1"}
        peaks.append(
            int(subprocess.run(arguments, env=environment, capture_output=True, check=True, timeout=60).stdout)
        )
    assert peaks[1] < 1.15 * peaks[0]


# Properties

WORD = st.text(st.sampled_from("ab外套 ,;|\"'\n\r\t<>&#*=:>{}[]\x00👗ش0.") | st.characters(codec="utf-8"), max_size=12)
ROW = st.fixed_dictionaries(
    {"id": st.sampled_from(["1", "2", "3", "", "nan", " 1 "]) | WORD, "title": WORD, "tags": WORD, "attributes": WORD}
)
EVENT = st.fixed_dictionaries(
    {
        "user": st.sampled_from(["u1", "u2", ""]),
        "action": st.sampled_from(["buy", "看", "search", "fly", ""]) | WORD,
        "time": st.sampled_from(["2026-01-31", "1700000000", "2026-02-30"]) | WORD,
        "item": st.sampled_from(["1", "", "2.0"]),
        "query": WORD,
        "rating": st.sampled_from(["", "5", "x", "NaN", "inf"]),
    }
)


def as_csv(rows, quoting):
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def write_in(folder, rows, form):
    path = folder / f"a.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif form == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_bytes(as_csv(rows, csv.QUOTE_ALL).encode())
    return path


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.sampled_from(["csv", "jsonl", "parquet"]))
def test_no_product_vanishes_and_twice_is_once(tmp_path_factory, rows, form):
    folder = tmp_path_factory.mktemp("import")
    store, path = TableStore(folder / "tables"), write_in(folder, rows, form)
    try:
        report = run(store, path, kind="products")[0]
    except DataError as error:
        assert "could be used" in str(error)  # noqa: PT017 (any other outcome is fine)
        return
    assert report.read == len(rows)
    assert len(rejected(store)) == sum(report.rejected.values())
    once = store.products().frame
    assert once.height == report.kept
    again = run(store, path, kind="products")[0]
    assert store.products().frame.equals(once)
    assert again.updated == once.height


@settings(max_examples=30, deadline=None)
@given(st.lists(EVENT, min_size=1, max_size=12), st.sampled_from(["csv", "jsonl", "parquet"]))
def test_no_event_vanishes(tmp_path_factory, rows, form):
    folder = tmp_path_factory.mktemp("import")
    store, path = TableStore(folder / "tables"), write_in(folder, rows, form)
    try:
        report = run(store, path)[0]
    except DataError as error:
        assert "could be used" in str(error)  # noqa: PT017 (any other outcome is fine)
        return
    assert report.read == len(rows)
    assert len(store.events()) == report.kept
    assert len(rejected(store)) == sum(report.rejected.values())


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8), st.data())
def test_every_line_of_a_spoilt_file_is_accounted_for(tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("import")
    text = as_csv(rows, csv.QUOTE_MINIMAL)
    place = data.draw(st.integers(text.index("\n"), len(text)))
    path = put(folder, "a.csv", text[:place] + data.draw(st.sampled_from(['"', ",", "\n", '"\n', '""'])) + text[place:])
    store = TableStore(folder / "tables")
    try:
        report = run(store, path, kind="products")[0]
    except DataError as error:
        assert re.search("could be used|no rows", str(error))  # noqa: PT017 (any other outcome is fine)
        return
    assert len(rejected(store)) == sum(report.rejected.values())
