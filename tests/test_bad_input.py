"""Whatever a user's files hold: one clear line and the right exit code, or a repair that is told."""

from __future__ import annotations

import csv
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tagloom.artifact import FORMAT, MANIFEST
from tagloom.shop import Shop

ROOT = Path(__file__).parent.parent
MINE, OURS, INTERRUPTED = 2, 1, 130


@pytest.fixture
def new_shop(tmp_path):
    return Shop.create(tmp_path / "new").folder


def goods(path, rows, encoding="utf-8"):
    """Write products as CSV."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def some_rows(count=30, **more):
    return [
        {"id": f"p{n}", "title": f"第{n}款牛仔外套", "tags": "牛仔|宽松" if n % 2 else "牛仔|修身", **more}
        for n in range(count)
    ]


def told(result, code):
    """The one line that a failed command wrote to stderr."""
    assert result.code == code, result
    assert result.err.startswith("error: "), result
    assert result.err.count("\n") == 1, result
    assert "Traceback" not in result.err
    return result.err


def titles(shop):
    return dict(Shop.open(shop).raw_products.frame.select("product_id", "title").iter_rows())


def leftovers(shop):
    return [path for path in shop.rglob("*") if path.suffix in {".tmp", ".raw", ".part"}]


# Files


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.csv", b"", "empty.csv: the file is empty"),
        ("blank.csv", b"\n \n", "blank.csv, line 1: expected the names of the columns first"),
        ("empty.jsonl", b"", "empty.jsonl: the file is empty"),
        ("empty.parquet", b"", "empty.parquet: "),
        ("no_rows.csv", b"id,title,tags\n", "no_rows.csv: there are column names and no rows"),
        ("photo.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "photo.csv: "),
        ("damaged.parquet", b"PAR1 and no more", "damaged.parquet: "),
        ("wrong.jsonl", b"[1, 2]\nnull\n", "wrong.jsonl: "),
    ],
)
def test_a_file_without_usable_rows_is_refused_by_name(cli, new_shop, tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert expected in told(cli("import", new_shop, "--products", tmp_path / name), MINE)
    assert not Shop.open(new_shop).tables.manifest.products
    assert not leftovers(new_shop)


@pytest.mark.parametrize("name", ["missing.csv", ".", "goods.xlsx", "sqlite:///missing.db#goods", "oracle://x/y#z", ""])
def test_what_is_no_readable_file_is_told(cli, new_shop, tmp_path, name):
    (tmp_path / "goods.xlsx").write_bytes(b"PK\3\4")
    where = name if "//" in name or not name else tmp_path / name
    told(cli("import", new_shop, "--products", where), MINE)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_encoding_of_a_file_is_found_out(cli, new_shop, tmp_path, encoding):
    done = cli("import", new_shop, "--products", goods(tmp_path / "goods.csv", some_rows(), encoding))
    assert done.code == 0, done
    assert titles(new_shop)["p3"] == "第3款牛仔外套"


def test_a_wrongly_told_encoding_is_named(cli, new_shop, tmp_path):
    path = new_shop / "tagloom.toml"
    path.write_text(path.read_text("utf-8").replace('encoding = ""', 'encoding = "utf-8"'), "utf-8")
    file = goods(tmp_path / "goods.csv", some_rows(), "gb18030")
    line = told(cli("import", new_shop, "--products", file), MINE)
    assert "goods.csv" in line
    assert "utf-8" in line.lower()


def test_a_missing_column_is_named_with_those_that_are_there(cli, new_shop, tmp_path):
    file = goods(tmp_path / "goods.csv", [{"id": "1", "colour of the box": "red"}])
    line = told(cli("import", new_shop, "--products", file), MINE)
    assert "title" in line
    assert "colour of the box" in line
    events = tmp_path / "log.csv"
    events.write_text("action,product_id\nview,1\n", "utf-8")
    assert "user" in told(cli("import", new_shop, "--events", events), MINE)


def test_when_all_rows_are_bad_nothing_is_imported_and_the_first_is_shown(cli, new_shop, tmp_path):
    rows = [{"id": "", "title": f"外套 {n}", "tags": "牛仔"} for n in range(5)]
    line = told(cli("import", new_shop, "--products", goods(tmp_path / "goods.csv", rows)), MINE)
    assert "none of its 5 rows could be used" in line
    assert "line 2" in line
    assert not Shop.open(new_shop).tables.manifest.products


def test_one_bad_file_stops_the_good_ones_beside_it(cli, new_shop, tmp_path):
    good = goods(tmp_path / "good.csv", some_rows())
    (tmp_path / "bad.csv").write_bytes(b"")
    told(cli("import", new_shop, "--products", good, "--products", tmp_path / "bad.csv"), MINE)
    assert not Shop.open(new_shop).tables.manifest.products


# Rows


def test_a_text_of_a_million_characters_is_cut_and_counted(cli, new_shop, tmp_path):
    rows = some_rows(description="好")
    rows[3]["description"] = "牛仔外套" * 250_000
    done = cli("import", new_shop, "--products", goods(tmp_path / "goods.csv", rows), "--json")
    (report,) = json.loads(done.out)
    assert any("cut" in what for what in report["mended"]), report["mended"]
    frame = Shop.open(new_shop).raw_products.frame
    assert frame["description"].str.len_chars().max() == 100_000
    assert cli("check", new_shop).code == 0


def test_a_text_of_a_million_characters_is_tagged(cli, shop):
    done = cli("tag", shop, "-", "--json", stdin=("牛仔外套" * 250_000).encode())
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["text"]) == 1_000_000


AWKWARD = {
    "emoji": "👩‍👩‍👧‍👦 牛仔外套 🧥❤️",
    "arabic": "معطف جينز أحمر",
    "hebrew": "מעיל ג'ינס \u202eהפוך\u202c",
    "combined": "Zoë ŻÓŁĆ e\u0301 한국어",
    "quotes": "\"'`$(rm) %s {0} \\n; DROP TABLE",
    "astral": "𠮷野家 𝒥𝑒𝒶𝓃𝓈",
}


def test_emoji_and_right_to_left_texts_come_through_whole(cli, new_shop, shop, tmp_path):
    rows = [{"id": name, "title": text, "tags": "牛仔"} for name, text in AWKWARD.items()]
    file = goods(tmp_path / "goods.csv", rows)
    assert cli("import", new_shop, "--products", file).code == 0
    assert titles(new_shop).keys() == AWKWARD.keys()
    assert titles(new_shop)["emoji"] == AWKWARD["emoji"]
    assert titles(new_shop)["arabic"] == AWKWARD["arabic"]
    assert cli("check", new_shop).code == 0
    done = cli("tag", shop, file, "--json")
    assert done.code == 0, done.err
    assert [json.loads(line)["product_id"] for line in done.out.splitlines()] == list(AWKWARD)


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-inf", "1e999", "many"])
def test_a_value_that_is_no_number_is_rejected_or_emptied_never_kept(cli, new_shop, tmp_path, value):
    rows = [{"user": "u1", "item": "p1", "rating": rating, "time": "2026-05-01"} for rating in ("4", value)]
    done = cli("import", new_shop, "--events", goods(tmp_path / "log.csv", rows), "--json")
    (report,) = json.loads(done.out)
    assert report["read"] == 2 == report["kept"] + sum(report["rejected"].values())
    # NaN is how tables write an empty cell; of the others each is told.
    assert report["rejected"] or report["mended"] or value.lower() == "nan"
    assert all(math.isfinite(kept) for kept in Shop.open(new_shop).events.frame["value"].drop_nulls())


def test_nan_as_a_text_is_an_empty_text(cli, new_shop, tmp_path):
    rows = [*some_rows(), {"id": "p99", "title": "nan", "tags": "NaN"}]
    assert cli("import", new_shop, "--products", goods(tmp_path / "goods.csv", rows)).code == 0
    found = Shop.open(new_shop).raw_products.frame.filter(product_id="p99").to_dicts()
    assert [(row["title"], row["tags"]) for row in found] in ([], [("", [])])


def test_an_id_given_twice_with_other_contents_is_rejected_and_told(cli, new_shop, tmp_path):
    rows = [*some_rows(3), {"id": "p1", "title": "另一件", "tags": "牛仔"}]
    done = cli("import", new_shop, "--products", goods(tmp_path / "goods.csv", rows), "--json")
    (report,) = json.loads(done.out)
    assert report["rejected"] == {"product_id: given again in line N": 1}
    (bad,) = [json.loads(line) for line in (new_shop / "tables" / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert (bad["column"], bad["line"]) == ("product_id", 3)
    assert bad["row"]["title"] == "第1款牛仔外套"
    assert titles(new_shop)["p1"] == "另一件"


# Tags


@pytest.mark.parametrize(("tags", "expected"), [("牛仔", "tag"), ("", "tag")])
def test_a_catalogue_with_one_tag_everywhere_or_none_says_what_training_lacks(cli, new_shop, tmp_path, tags, expected):
    rows = [{"id": f"p{n}", "title": f"第{n}款外套 {n * 7}", "tags": tags} for n in range(60)]
    assert cli("import", new_shop, "--products", goods(tmp_path / "goods.csv", rows)).code == 0
    assert cli("check", new_shop).code == 0
    assert expected in told(cli("train", new_shop, "tags"), MINE)
    assert not Shop.open(new_shop).versions()


def test_a_single_tag_on_half_of_the_products_is_learnt(cli, new_shop, tmp_path):
    rows = [
        {"id": f"p{n}", "title": f"{'羊毛' if n % 2 else '纯棉'}外套第{n}款", "tags": "保暖" if n % 2 else ""}
        for n in range(200)
    ]
    assert cli("import", new_shop, "--products", goods(tmp_path / "goods.csv", rows)).code == 0
    done = cli("train", new_shop, "tags", "--json")
    assert done.code == 0, done.err
    answer = json.loads(cli("tag", new_shop, "--text", "羊毛外套", "--json").out)
    assert [tag["tag"] for tag in answer["tags"]] == ["保暖"]
    assert json.loads(cli("tag", new_shop, "--text", "纯棉外套", "--json").out)["tags"] == []


def test_a_tag_on_every_product_is_dropped_and_the_others_are_learnt(cli, new_shop, tmp_path):
    rows = [
        {"id": f"p{n}", "title": f"{'羊毛' if n % 2 else '纯棉'}外套第{n}款", "tags": f"衣服|{'羊' if n % 2 else '棉'}"}
        for n in range(200)
    ]
    assert cli("import", new_shop, "--products", goods(tmp_path / "goods.csv", rows)).code == 0
    found = json.loads(cli("check", new_shop, "--json").out)
    assert {row["tag"] for row in found["Most frequent tags after cleaning"]} == {"羊", "棉"}
    reasons = {row["reason"]: row["examples"] for row in found["What became of the raw tags"]}
    assert reasons["dropped: on every product"] == "衣服"
    assert cli("train", new_shop, "tags").code == 0


# Settings and lists


def test_an_unknown_setting_is_named_with_the_nearest_known_one(cli, shop):
    with (shop / "tagloom.toml").open("a", encoding="utf-8") as file:
        file.write("new_event = 3\n")
    assert "unknown key 'rules.new_event'; did you mean 'new_events'?" in told(cli("check", shop), MINE)


def test_synonyms_in_a_circle_are_refused_before_anything_is_done(cli, shop, tmp_path):
    (shop / "synonyms.txt").write_text("红 = 朱红\n朱红 = 大红\n大红 = 红\n", encoding="utf-8")
    before = (shop / "tables" / "manifest.json").read_bytes()
    for command in (("import", shop, "--products", goods(tmp_path / "goods.csv", some_rows())), ("check", shop)):
        line = told(cli(*command), MINE)
        assert "synonyms.txt, lines" in line
        assert "alias" in line
    assert (shop / "tables" / "manifest.json").read_bytes() == before
    (shop / "synonyms.txt").write_text("红 = 朱红, 大红\n", encoding="utf-8")
    assert cli("check", shop).code == 0


# Models


@pytest.fixture
def two_versions(shop, cli):
    assert cli("train", shop, "tags", "--encoder", "popular").code == 0
    return shop


def test_a_damaged_model_is_refused_and_the_older_one_goes_on(two_versions, cli):
    weights = max((two_versions / "models/tags/0002").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    line = told(cli("tag", two_versions, "--text", "牛仔外套"), OURS)
    assert "damaged" in line
    assert "train again or restore a backup" in line
    assert cli("tag", two_versions, "--text", "牛仔外套", "--version", "0001").code == 0
    assert cli("models", two_versions, "--promote", "0001").code == 0
    assert cli("tag", two_versions, "--text", "牛仔外套").code == 0


def test_a_model_without_one_of_its_files_is_refused(two_versions, cli):
    max((two_versions / "models/tags/0002").iterdir(), key=lambda path: path.stat().st_size).unlink()
    assert "missing; train again" in told(cli("tag", two_versions, "--text", "牛仔外套"), OURS)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"format": 1}', b'{"format": "one"}'])
def test_a_damaged_manifest_is_refused_and_can_be_left_behind(two_versions, cli, content):
    (two_versions / "models/tags/0002" / MANIFEST).write_bytes(content)
    assert "train again or restore a backup" in told(cli("tag", two_versions, "--text", "牛仔外套"), OURS)
    assert "train again" in told(cli("models", two_versions, "--promote", "0002"), OURS)
    assert cli("models", two_versions, "--promote", "0001").code == 0
    assert cli("tag", two_versions, "--text", "牛仔外套").code == 0


def test_a_model_of_a_newer_tagloom_asks_for_an_upgrade(two_versions, cli):
    path = two_versions / "models/tags/0002" / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "format": FORMAT + 1}), "utf-8")
    assert "Upgrade tagloom" in told(cli("tag", two_versions, "--text", "牛仔外套"), OURS)
    assert cli("tag", two_versions, "--text", "牛仔外套", "--version", "0001").code == 0


# A full disk: files may not grow beyond a size


def limited(megabytes, *arguments):
    """Run a command whose every file may be so large at most."""
    size = int(megabytes * 1_000_000)
    return subprocess.run(
        [sys.executable, "-m", "tagloom", *map(str, arguments)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize(
    ("megabytes", "arguments"),
    [
        (0.02, ["import", "SHOP", "--products", "FILES/products.csv"]),
        (0.02, ["check", "SHOP"]),
        (0.02, ["tags", "rename", "SHOP", "高端", "高级"]),
        pytest.param(0.5, ["train", "SHOP", "tags", "--epochs", "1"], marks=pytest.mark.slow),
        (0.01, ["train", "SHOP", "words"]),
        (0.001, ["tag", "SHOP", "FILES/new.jsonl", "--out", "SHOP/tagged.jsonl"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_on_a_full_disk_nothing_is_changed_and_it_is_said(shop, trained_shop, megabytes, arguments):
    files = trained_shop.parent / "files"
    before = contents(shop)
    done = limited(megabytes, *(word.replace("SHOP", str(shop)).replace("FILES", str(files)) for word in arguments))
    assert done.returncode == OURS, done
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: "), done.stderr
    assert "nothing was changed; free some space and run it again" in line
    assert "Traceback" not in done.stderr
    after = contents(shop)
    assert {path for path in after if path not in before and "logs" not in path.parts} == set()
    assert {path for path in before if after.get(path) != before[path]} == set()


# Ctrl-C


def interrupted(ready, *arguments):
    """Start a command, press Ctrl-C as soon as `ready()`, and return how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tagloom", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    deadline = time.monotonic() + 60
    while not ready():
        assert process.poll() is None, f"ended before it could be stopped: {process.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def was_stopped(done):
    assert done.returncode == INTERRUPTED, done
    assert done.stderr.splitlines()[-1].startswith("stopped"), done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_ctrl_c_in_the_middle_of_an_import_leaves_the_shop_as_it_was(shop, tmp_path, cli):
    path = shop / "tagloom.toml"
    path.write_text(path.read_text("utf-8").replace("batch_rows = 50000", "batch_rows = 200"), "utf-8")
    big = goods(tmp_path / "big.csv", some_rows(60_000))
    before = contents(shop)
    was_stopped(interrupted(lambda: [*(shop / "tables").glob("*.raw")], "import", shop, "--products", big))
    assert contents(shop) == before
    small = goods(tmp_path / "small.csv", some_rows(5))
    assert cli("import", shop, "--products", small).code == 0
    assert titles(shop)["p4"] == "第4款牛仔外套"


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_a_training_leaves_the_older_model(shop, cli):
    before = contents(shop)
    path = shop / "tagloom.toml"
    path.write_text(path.read_text("utf-8").replace("patience = 3", "patience = 100"), "utf-8")
    unfinished = shop / "models/tags/.training"
    done = interrupted(lambda: [*unfinished.glob("linear/pass-*")], "train", shop, "tags", "--epochs", "1000")
    was_stopped(done)
    assert "The same command, given again, goes on from the last complete pass." in done.stderr
    new = {path.relative_to(shop) for path in contents(shop) if path not in before}
    assert {path.parts[0] for path in new if not path.is_relative_to("models/tags/.training")} == {"logs"}
    assert cli("tag", shop, "--text", "牛仔外套").code == 0
    assert [version.name for version in Shop.open(shop).versions()] == ["0001"]
    assert cli("train", shop, "tags", "--encoder", "popular").code == 0
    assert [version.name for version in Shop.open(shop).versions()] == ["0001", "0002"]


def test_a_reader_who_goes_away_is_no_error(shop):
    """`tagloom tags list ... | head`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tagloom", "tags", "list", str(shop), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), said) == (0, b"")
