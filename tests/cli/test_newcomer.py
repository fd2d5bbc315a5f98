"""The way of a newcomer, from an empty folder to tags that are renamed, merged, split and taken back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tagloom import Shop, write_sample


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("files"), products=400, users=60, seed=1)


def test_every_step_of_the_way_says_the_next_and_it_works(cli, files, tmp_path):
    shop = tmp_path / "my-shop"
    done = cli("init", shop)
    assert done.code == 0
    assert f"Next: tagloom import {shop}" in done.out
    assert {path.name for path in shop.iterdir()} == {
        "tagloom.toml",
        "synonyms.txt",
        "stop_tags.txt",
        "words.txt",
        "hidden.txt",
    }

    done = cli("import", shop, "--products", files.products, "--events", files.events)
    assert done.code == 0, done.err
    assert "rejected.jsonl" in done.out
    assert f"Next: tagloom check {shop}" in done.out

    done = cli("check", shop)
    assert done.code == 0, done.err
    assert "What became of the raw tags" in done.out
    assert (shop / "check.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert f"Next: tagloom train {shop} tags" in done.out

    done = cli("train", shop, "tags", "--encoder", "linear", "--epochs", "2")
    assert done.code == 0, done.err
    assert "nDCG@10" in done.out
    assert "Trained tags version 0001" in done.out
    assert "now current" in done.out
    assert f"Next: tagloom evaluate {shop} tags" in done.out

    done = cli("evaluate", shop, "tags")
    assert done.code == 0, done.err
    assert "Version 0001 on" in done.out
    assert "Worst tags" in done.out

    done = cli("tag", shop, files.new)
    assert done.code == 0, done.err
    assert done.out.count("confidence") == len(files.new.read_text("utf-8").splitlines())
    assert done.err == ""

    done = cli("models", shop)
    assert done.code == 0
    assert "0001" in done.out
    assert "linear" in done.out


def test_a_trained_shop_tags_better_than_the_most_frequent_tags_would(shop, cli):
    trained = json.loads(cli("evaluate", shop, "--json").out)["metrics"]["nDCG@10"]
    assert cli("train", shop, "tags", "--encoder", "popular").code == 0
    popular = json.loads(cli("evaluate", shop, "--json").out)["metrics"]["nDCG@10"]
    assert trained > popular + 0.1


def test_the_shop_can_be_copied_and_works_elsewhere(shop, tmp_path, cli):
    moved = shop.rename(tmp_path / "下一家 shop")
    assert cli("tag", moved, "--text", "牛仔外套").code == 0
    assert cli("evaluate", moved).code == 0


# The vocabulary, and a model that follows it


def tags_of(cli, shop, text):
    answer = json.loads(cli("tag", shop, "--text", text, "--json", "--threshold", "0").out)
    return {tag["tag"]: tag["id"] for tag in answer["tags"]}


def vocabulary(cli, shop):
    return {tag["name"]: tag for tag in json.loads(cli("tags", "list", shop, "--json").out)}


def changed(cli, *arguments):
    """The number of the record that a change of the vocabulary made."""
    done = cli("tags", *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)[-1]["number"]


TEXT = "轻奢 高端 送礼"


def test_a_renamed_tag_is_answered_under_its_new_name_with_the_same_id_and_back(cli, shop):
    before = tags_of(cli, shop, TEXT)
    name, tag_id = next(iter(before.items()))
    number = changed(cli, "rename", shop, name, "全新的名字")
    assert tags_of(cli, shop, TEXT) == {("全新的名字" if tag == name else tag): id_ for tag, id_ in before.items()}
    assert vocabulary(cli, shop)["全新的名字"]["aliases"] == [name]
    evaluated = cli("evaluate", shop, "--json")
    assert evaluated.code == 0, evaluated.err
    changed(cli, "undo", shop, str(number))
    assert tags_of(cli, shop, TEXT) == before
    assert vocabulary(cli, shop)[name]["id"] == tag_id


def test_merged_tags_are_answered_as_one_and_no_other_id_changes(cli, shop):
    before = vocabulary(cli, shop)
    gone, stays = list(tags_of(cli, shop, TEXT))[:2]
    number = changed(cli, "merge", shop, gone, stays)
    after = tags_of(cli, shop, TEXT)
    assert gone not in after
    assert after[stays] == before[stays]["id"]
    merged = vocabulary(cli, shop)
    assert {name: tag["id"] for name, tag in merged.items()} == {
        name: tag["id"] for name, tag in before.items() if name != gone
    }
    assert not Shop.open(shop).products.frame["tags"].list.contains(gone).any()
    changed(cli, "undo", shop, str(number))
    assert vocabulary(cli, shop) == before


def test_a_split_tag_divides_the_products_and_a_new_model_knows_the_parts(cli, shop):
    frame = Shop.open(shop).products.frame
    whole = "送礼"
    assert frame["tags"].list.contains(whole).sum() > 10
    number = changed(cli, "split", shop, whole, "--part", "送礼花样=的", "--part", "送礼其他=了,手")
    parts = Shop.open(shop).products.frame["tags"]
    assert parts.list.contains("送礼花样").sum() > 10
    assert cli("train", shop, "tags").code == 0
    assert "送礼花样" in Shop.open(shop).tagger().tags
    changed(cli, "undo", shop, str(number))
    assert Shop.open(shop).products.frame.equals(frame)


def test_a_parent_can_be_set_and_taken_away(cli, shop):
    names = [name for name, tag in vocabulary(cli, shop).items() if tag["parent"] is None][:2]
    changed(cli, "parent", shop, *names)
    tags = vocabulary(cli, shop)
    assert tags[names[0]]["parent"] == tags[names[1]]["id"]
    changed(cli, "parent", shop, names[0], "")
    assert vocabulary(cli, shop)[names[0]]["parent"] is None


def test_history_shows_what_people_did_in_words_and_cleaning_when_asked(cli, shop):
    name = next(iter(vocabulary(cli, shop)))
    changed(cli, "rename", shop, name, "新名")
    changed(cli, "merge", shop, "新名", "高端")
    out = cli("tags", "history", shop).out
    assert f"{name} (" in out
    assert "to 新名" in out
    assert "新名 (" in out
    assert "into 高端" in out
    assert "under" not in out
    assert len(json.loads(cli("tags", "history", shop, "--all", "--json", "--top", "5").out)) == 5
    found = json.loads(cli("tags", "history", shop, "--like", name, "--json").out)
    assert {"add", "rename"} <= {record["op"] for record in found}


def test_a_change_that_changes_nothing_says_so(cli, shop):
    name = next(iter(vocabulary(cli, shop)))
    done = cli("tags", "rename", shop, name, name)
    assert (done.code, done.out) == (0, "Nothing to change: it is so already.\n")


# Importing again


def test_an_update_of_some_products_keeps_the_ids_of_their_tags(cli, shop, trained_shop, tmp_path):
    before = vocabulary(cli, shop)
    with (trained_shop.parent / "files" / "products.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("product_id") or row.get("id")][:50]
    key = "product_id" if "product_id" in rows[0] else "id"
    titles = next(name for name in rows[0] if name in ("title", "name", "标题"))
    update = tmp_path / "update.csv"
    with update.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name])
        writer.writeheader()
        writer.writerows({**{name: row[name] for name in row if name}, titles: f"改名 {row[key]}"} for row in rows)
    done = cli("import", shop, "--products", update, "--json")
    assert done.code == 0, done.err
    (report,) = json.loads(done.out)
    assert report["updated"] >= 45
    after = vocabulary(cli, shop)
    assert {name: after[name]["id"] for name in before if name in after} == {
        name: tag["id"] for name, tag in before.items() if name in after
    }
    assert len(after.keys() & before.keys()) > 0.9 * len(before)
    assert cli("tag", shop, "--text", TEXT).code == 0


def test_the_same_log_is_not_imported_twice_unless_asked(cli, shop, trained_shop):
    log: Path = trained_shop.parent / "files" / "events.jsonl"
    count = len(Shop.open(shop).events)
    (report,) = json.loads(cli("import", shop, "--events", log, "--json").out)
    assert report["already_imported"]
    assert "--again" in cli("import", shop, "--events", log).out
    assert len(Shop.open(shop).events) == count
    assert cli("import", shop, "--events", log, "--again").code == 0
    assert len(Shop.open(shop).events) == 2 * count
    assert cli("tags", "list", shop).code == 0
