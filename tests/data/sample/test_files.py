"""The sample shop keeps what it promises: same seed, same bytes; and every planted answer can be found in its files."""

from __future__ import annotations

import csv
import json
import time
import tomllib
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tagloom.data.sample import SampleFiles, sample_events, sample_products, write_sample
from tagloom.data.sample.catalogue import FAMILIES, catalogue
from tagloom.data.tables import ACTIONS, PRODUCT_SCHEMA
from tagloom.errors import UserError

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SampleFiles:
    return write_sample(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def truth(files: SampleFiles) -> dict[str, Any]:
    return json.loads(files.truth.read_text("utf-8"))


@pytest.fixture(scope="module")
def rows(files: SampleFiles) -> list[list[str]]:
    with files.products.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.fixture(scope="module")
def good_rows(rows: list[list[str]]) -> list[list[str]]:
    return [row for row in rows if len(row) == len(PRODUCT_SCHEMA) and row[0].strip()]


@pytest.fixture(scope="module")
def events(files: SampleFiles) -> list[dict[str, Any]]:
    found = []
    for line in files.events.read_text("utf-8").splitlines():
        if line.endswith("}"):
            event = json.loads(line)
            fine = event["action"] in ACTIONS and event["user_id"] and "-13-" not in event["time"]
            if fine and (event["product_id"] or event.get("text")):
                found.append(event)
    return found


@pytest.fixture(scope="module")
def purchases(events: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    by_user = defaultdict(list)
    for event in events:
        if event["action"] == "purchase":
            by_user[event["user_id"]].append(event)
    return by_user


def test_same_seed_same_bytes_and_another_seed_other_bytes(tmp_path: Path) -> None:
    once, again, other = (
        write_sample(tmp_path / name, seed=seed, products=300, users=20)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    for field in vars(once):
        assert getattr(once, field).read_bytes() == getattr(again, field).read_bytes()
        assert getattr(once, field).read_bytes() != getattr(other, field).read_bytes()


def test_a_full_sample_takes_less_than_five_seconds(tmp_path: Path) -> None:
    begin = time.process_time()
    write_sample(tmp_path, seed=3)
    assert time.process_time() - begin < 5


def test_too_small_a_shop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 200 products"):
        write_sample(tmp_path, products=10)


def test_products_and_twins_are_counted(good_rows: list[list[str]]) -> None:
    ids = {row[0].strip() for row in good_rows}
    twins = {key for key in ids if key.endswith("-en")}
    assert len(ids - twins) == 3000
    assert len(twins) == 375
    assert {key.removesuffix("-en") for key in twins} <= ids
    assert all(row[1].isascii() for row in good_rows if row[0].endswith("-en"))


def test_every_family_has_kinds_and_attributes() -> None:
    kinds = defaultdict(list)
    for kind in catalogue().kinds:
        kinds[kind.family].append(kind)
    assert len(kinds) == len(FAMILIES) >= 8
    for family in kinds.values():
        assert 3 <= len(family) <= 7
        attributes = {urn[0].attribute for kind in family for urn in kind.urns}
        assert len(attributes) >= 5


def test_no_phrase_has_open_places_or_doubled_marks() -> None:
    for row in sample_products(3000, seed=5):
        for text in (row["title"], row["description"]):
            assert "{" not in text
            assert not any(pair in text for pair in ("。。", "，，", "，。", "  ", "..", " ."))
        assert row["title"] == row["title"].strip()


def test_title_and_description_do_not_contradict_the_never_rules() -> None:
    for row in sample_products(3000, seed=6):
        facts = set(row["attributes"].split("|"))
        assert not {"材质=雪纺", "季节=冬季"} <= facts
        assert not {"用途=游戏", "重量=轻薄"} <= facts


def test_every_tag_maps_in_truth(good_rows: list[list[str]], truth: dict[str, Any]) -> None:
    merges = truth["merges"]
    raw = {tag for row in good_rows for tag in row[5].split("|")}
    assert raw == set(merges)
    clean = {tag for entry in truth["products"].values() for tag in entry["tags"]}
    meant = {tag for tag in merges.values() if tag is not None}
    assert meant <= set(catalogue().tags)
    assert len(meant & clean) / len(clean) > 0.98
    assert sum(tag is None for tag in merges.values()) > 300
    assert sum(tag not in (None, name) for name, tag in merges.items()) > 2000


def test_a_product_carries_only_tags_that_are_its_own(good_rows: list[list[str]], truth: dict[str, Any]) -> None:
    bad = {entry["product_id"] for entry in truth["bad_products"]}
    for row in good_rows:
        if row[0] in bad:
            continue
        meant = {truth["merges"][raw] for raw in row[5].split("|")} - {None}
        assert meant <= set(truth["products"][row[0]]["tags"])


def test_one_tag_stands_on_every_product(good_rows: list[list[str]], truth: dict[str, Any]) -> None:
    assert truth["merges"][truth["tag_on_every_product"]] is None
    assert all(truth["tag_on_every_product"] in row[5].split("|") for row in good_rows)


def test_traditional_forms_lead_back_to_their_tag() -> None:
    opencc = pytest.importorskip("opencc")
    convert = opencc.OpenCC("t2s").convert
    shop = catalogue()
    for name, forms in shop.forms.items():
        for form in forms:
            if len(form) == len(name) and convert(form) != form and form not in shop.tags[name].aliases:
                assert convert(form) == name


def test_article_numbers_are_unique_and_regions_repeat(good_rows: list[list[str]]) -> None:
    cells = [row[4] for row in good_rows if not row[0].endswith("-en")]
    articles = Counter(part for cell in cells for part in cell.split("|") if part.startswith("货号="))
    # The row that repeats an id and the two rows that stand twice are the only repetitions.
    assert sum(count - 1 for count in articles.values()) <= 3
    assert all(cell.count("发货地区=") >= 2 for cell in cells)


def test_bad_rows_are_where_truth_says(files: SampleFiles, truth: dict[str, Any]) -> None:
    lines = files.products.read_text("utf-8").split("\n")
    problems = {entry["problem"]: lines[entry["line"] - 1] for entry in truth["bad_products"]}
    assert len(truth["bad_products"]) >= 12
    assert problems["no id"].startswith((",", "   ,"))
    assert problems["HTML"].count("<div>") == 1
    assert ",NaN," in problems["NaN as text"]
    assert "仓库三" in problems["too many fields"]
    twice = [entry["line"] for entry in truth["bad_products"] if entry["problem"] == "same row twice"]
    assert all(lines[line - 1] == lines[line - 2] for line in twice)
    (conflict,) = [entry for entry in truth["bad_products"] if entry["problem"] == "same id, other content"]
    assert lines[conflict["line"] - 2].split(",")[0] == conflict["product_id"]
    assert lines[conflict["line"] - 1] != lines[conflict["line"] - 2]


def test_bad_events_are_where_truth_says(files: SampleFiles, truth: dict[str, Any]) -> None:
    lines = files.events.read_text("utf-8").splitlines()
    problems = {entry["problem"]: lines[entry["line"] - 1] for entry in truth["bad_events"]}
    assert "teleport" in problems["unknown action"]
    assert "2026-13-45" in problems["broken time"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(problems["broken JSON"])


def test_events_are_in_order_and_point_to_products(events: list[dict[str, Any]], truth: dict[str, Any]) -> None:
    times = [event["time"] for event in events]
    assert times[0] >= "2026-01-01"
    assert times[-1] < "2026-04-02"
    assert times == sorted(times)
    assert {event["product_id"] for event in events} - {None} <= set(truth["products"])
    assert {event["action"] for event in events} == set(ACTIONS)


def test_every_user_has_thirty_to_sixty_events(events: list[dict[str, Any]], truth: dict[str, Any]) -> None:
    counts = Counter(event["user_id"] for event in events)
    assert set(counts) == set(truth["users"])
    assert min(counts.values()) >= 30
    assert max(counts.values()) <= 60


def _inside(event: dict[str, Any], truth: dict[str, Any]) -> bool:
    product = truth["products"][event["product_id"].removesuffix("-en")]
    day = (datetime.fromisoformat(event["time"].replace("Z", "+00:00")) - START) / timedelta(days=1)
    return any(
        taste["family"] == product["family"] and set(taste["values"]) & set(product["tags"])
        for taste in truth["users"][event["user_id"]]["tastes"]
        if taste["from_day"] <= day < taste["until_day"]
    )


def test_purchases_follow_the_tastes(purchases: dict[str, list[dict[str, Any]]], truth: dict[str, Any]) -> None:
    bought = [event for events in purchases.values() for event in events]
    assert sum(_inside(event, truth) for event in bought) / len(bought) >= 0.7


def test_a_camera_is_followed_by_a_lens(purchases: dict[str, list[dict[str, Any]]], truth: dict[str, Any]) -> None:
    after, base = Counter(), Counter()
    for events in purchases.values():
        kinds = [truth["products"][event["product_id"]]["kind"] for event in events]
        base.update(kinds)
        after.update(later for now, later in pairwise(kinds) if now == "微单相机")
    share = after["镜头"] / after.total()
    assert share > 0.3
    assert share > 5 * base["镜头"] / base.total()


def test_food_is_bought_again(purchases: dict[str, list[dict[str, Any]]], truth: dict[str, Any]) -> None:
    again: dict[str, list[bool]] = defaultdict(list)
    for events in purchases.values():
        seen = set()
        for event in events:
            key = event["product_id"].removesuffix("-en")
            again[truth["products"][key]["family"]].append(key in seen)
            seen.add(key)
    share = {family: sum(found) / len(found) for family, found in again.items()}
    assert share["食品"] > 2 * share["服装"]


def test_english_users_prefer_twins(purchases: dict[str, list[dict[str, Any]]], truth: dict[str, Any]) -> None:
    twins = defaultdict(list)
    for user, events in purchases.items():
        twins[truth["users"][user]["english"]] += [event["product_id"].endswith("-en") for event in events]
    assert not any(twins[False])
    assert sum(twins[True]) / len(twins[True]) > 0.3


def test_new_products_have_no_tags_but_an_answer(files: SampleFiles, truth: dict[str, Any]) -> None:
    new = [json.loads(line) for line in files.new.read_text("utf-8").splitlines()]
    answers = [json.loads(line) for line in files.new_truth.read_text("utf-8").splitlines()]
    assert len(new) == 40
    assert all(set(row) == {"product_id", "title", "description"} for row in new)
    assert [row["product_id"] for row in new] == [row["product_id"] for row in answers]
    assert not {row["product_id"] for row in new} & set(truth["products"])
    assert all(0 < len(row["stated"]) <= len(row["tags"]) for row in answers)


def test_prices_agree_with_the_level_and_a_few_products_are_not_to_be_had(good_rows: list[list[str]]) -> None:
    products = [dict(zip(PRODUCT_SCHEMA, row, strict=True)) for row in good_rows]
    chinese = [row for row in products if not row["product_id"].endswith("-en")]
    prices = defaultdict(lambda: defaultdict(list))
    for row in chinese:
        level = next(part for part in row["attributes"].split("|") if part.startswith("价位="))
        prices[row["category"]][level.removeprefix("价位=")].append(float(row["price"]))
    for levels in prices.values():
        assert max(levels["平价"]) < min(levels["中端"])
        assert max(levels["中端"]) < min(levels["高端"])
    for field, value in (("stock", "0"), ("until", "2026-03")):
        assert 0.01 < sum(row[field].startswith(value) and len(row[field]) != 2 for row in chinese) / 3000 < 0.08
    by_id = {row["product_id"].strip(): row for row in products}
    twins = [key for key in by_id if key.endswith("-en")]
    assert all(by_id[key]["price"] == by_id[key.removesuffix("-en")]["price"] for key in twins)


def test_streams_have_the_asked_length_and_known_ids() -> None:
    rows = list(sample_products(2000))
    ids = [row["product_id"] for row in rows]
    assert len(ids) == len(set(ids)) == 2000
    assert all(list(row) == list(PRODUCT_SCHEMA) for row in rows)
    events = list(sample_events(5000, products=2000, users=50))
    assert len(events) == 5000
    assert {event["product_id"] for event in events} - {None} <= set(ids)
    assert all(before["time"] <= after["time"] for before, after in pairwise(events))
    assert events == list(sample_events(5000, products=2000, users=50))
    assert 45 <= len({event["user_id"] for event in events}) <= 50


def test_rules_name_attributes_and_values_that_exist() -> None:
    for name in FAMILIES:
        path = resources.files("tagloom.data.sample") / "words" / f"{name}.toml"
        family = tomllib.loads(path.read_text("utf-8"))
        shared = tomllib.loads((path.parent / "common.toml").read_text("utf-8"))["shared"]
        values = {
            attribute: set(shared[rows["use"]] if "use" in rows else rows) for attribute, rows in family["attr"].items()
        } | {"价位": set(shared["价位"])}
        conditions = family["never"] + [text for texts in family["rules"].values() for text in texts]
        for condition in " ".join(conditions).split():
            attribute, wanted = condition.split("=")
            assert set(wanted.split("/")) <= values[attribute], condition
