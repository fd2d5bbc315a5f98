"""What is dirty in a catalogue is found, counted and shown; planted dirt, known counts."""

from __future__ import annotations

import datetime

import pytest

from tagloom.config import TagSettings
from tagloom.data.tables import EVENT_SCHEMA, Events, Products
from tagloom.data.vocabulary.lists import UserLists
from tagloom.data.vocabulary.standard import standardise, with_standard_tags
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.measure.catalogue import check_catalogue, write_html

NOW = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)
EVIL = "<script>alert(1)</script>"


def checked(rows, events=()):
    import polars as pl

    raw = Products.of(rows)
    standard = standardise(
        raw, TagSettings(min_support=2, max_share=1), UserLists({}, frozenset({"新品"}), ()), Vocabulary()
    )
    clean = with_standard_tags(raw, TagSettings(), standard.cleaning.mapping, standard.cleaning.vocabulary)
    log = Events(pl.DataFrame(list(events), schema=EVENT_SCHEMA, orient="row"))
    return check_catalogue(raw, clean, log, standard)


@pytest.fixture(scope="module")
def found():
    """Forty products with planted dirt, and three events."""
    rows = [
        {
            "product_id": f"p{number}",
            "title": "" if number == 0 else f"牛仔外套 {number}",
            "description": "同一段描述" if number < 3 else f"第{number}款",
            "category": ["衣服"],
            "attributes": [{"name": "货号", "value": f"XU{number:07}"}],
            "tags": ["牛仔", "新品"] if number % 2 else ["＃牛仔", "https://shop.example/1", EVIL],
        }
        for number in range(40)
    ]
    events = [
        ("u1", "view", NOW, "p1", None, None),
        ("u1", "purchase", NOW, "p2", None, 1.0),
        ("u2", "view", NOW, "gone", None, None),
    ]
    return checked(rows, events)


def rows_of(found, title):
    return found.as_dict()[title]


def test_gaps_are_counted(found):
    gaps = {
        row["missing"]: (row["products"], row["share"]) for row in rows_of(found, "Products with something missing")
    }
    assert gaps["title"] == (1, "2.5%")
    assert gaps["description"] == (0, "0.0%")
    assert gaps["image"] == (40, "100.0%")


def test_texts_that_several_products_share_are_found(found):
    (row,) = rows_of(found, "Texts that several products share")
    assert row == {"products": 3, "for example": "p0, p1, p2", "text": "同一段描述"}


def test_every_raw_tag_is_accounted_for(found):
    reasons = {row["reason"]: row["raw tags"] for row in rows_of(found, "What became of the raw tags")}
    assert reasons["dropped: link"] == 1
    assert reasons["dropped: stop-tag"] == 1
    assert reasons["dropped: identifier attribute"] == 40
    assert sum(reasons.values()) == 40 + 5  # the article numbers, and five spellings


def test_spellings_become_one_tag(found):
    assert {"tag": "牛仔", "products": 40} in rows_of(found, "Most frequent tags after cleaning")
    written = {row["tag"]: row["written as"] for row in rows_of(found, "Largest merges")}
    assert "＃牛仔" in written["牛仔"]


def test_attributes_that_tell_products_apart_are_found(found):
    (row,) = rows_of(found, "Attributes that are no tags")
    assert (row["attribute"], row["products"], row["values"]) == ("货号", 40, 40)


def test_events_are_counted_with_those_of_unknown_products(found):
    assert rows_of(found, "Events") == [
        {"action": "view", "events": 2, "users": 2},
        {"action": "purchase", "events": 1, "users": 1},
    ]
    assert "2 users; 1 events name products that are not in the catalogue" in found.parts[-1].meaning


def test_the_report_holds_all_of_it_and_runs_nothing(found, tmp_path):
    write_html(found, tmp_path / "check.html")
    text = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert "同一段描述" in text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    for part in found.parts:
        assert (f">{part.title}</h2>" in text) == bool(part.rows)


@pytest.mark.parametrize(
    "row", [{"title": "", "description": ""}, {"title": "一"}, {"tags": ["红"]}, {"title": "😀" * 9, "tags": ["👍"]}]
)
def test_a_catalogue_of_one_bare_product_can_be_looked_at(row, tmp_path):
    write_html(checked([{"product_id": "1", **row}]), tmp_path / "check.html")
    assert (tmp_path / "check.html").stat().st_size > 1_000
