"""A made-up shop with planted answers: dirty product and event files as a user would have them, and the truth beside.

Everything follows from the seed. `write_sample` makes the shop that `tagloom demo` works on; `sample_products` and
`sample_events` stream any number of rows for measuring.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tagloom.data.sample import behaviour
from tagloom.data.sample import goods as goods_of
from tagloom.data.sample.behaviour import product_id
from tagloom.data.sample.catalogue import Catalogue, Kind, catalogue
from tagloom.data.sample.dirt import full_width
from tagloom.data.sample.goods import NOT_TAGS, Goods
from tagloom.data.sample.offers import offer
from tagloom.data.sample.stream import stream
from tagloom.data.tables import PRODUCT_SCHEMA
from tagloom.errors import UserError

_NEW_PRODUCTS = 40
_TWIN_EVERY, _TWIN_REST = 8, 4  # product numbers 4, 12, 20 ... have an English twin
_LEAST_PRODUCTS, _LEAST_USERS = 200, 1

Row = dict[str, str]


@dataclass(frozen=True)
class SampleFiles:
    """Where the files of a sample shop lie."""

    products: Path
    events: Path
    new: Path
    new_truth: Path
    truth: Path


def write_sample(folder: Path, *, seed: int = 0, products: int = 3000, users: int = 600) -> SampleFiles:
    """Write a sample shop: products.csv, events.jsonl, new.jsonl (untagged), and the planted answers.

    Args:
        folder: made if missing; files of the same names are replaced.
        seed: the same seed gives the same bytes.
        products: number of Chinese products; every eighth has an English twin besides.
        users: number of users, 30 to 60 events each over 90 days.

    Raises:
        UserError: fewer products or users than a shop can be made of.
    """
    if products < _LEAST_PRODUCTS or users < _LEAST_USERS:
        raise UserError(
            f"a sample shop needs at least {_LEAST_PRODUCTS} products and {_LEAST_USERS} user;"
            f" {products} products and {users} users were asked for"
        )
    folder.mkdir(parents=True, exist_ok=True)
    names = ("products.csv", "events.jsonl", "new.jsonl", "new_truth.jsonl", "truth.json")
    files = SampleFiles(*(folder / name for name in names))
    shop, rng = catalogue(), _rng(seed, "products")
    made = [goods_of.draw(number, _kind_of(number, shop), rng) for number in range(1, products + 1)]
    truth = _products_truth(made, shop)
    truth |= _write_products(files.products, made, shop, rng, seed)
    truth |= _write_events(files.events, made, users, seed)
    _write_new(files, products, shop, seed)
    files.truth.write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return files


def sample_products(count: int, *, seed: int = 0) -> Iterator[Row]:
    """Stream `count` raw product rows with the columns of products.csv, English twins among them, none of them bad.

    >>> [row["product_id"] for row in sample_products(5)]
    ['p00001', 'p00002', 'p00003', 'p00004', 'p00004-en']
    """
    shop, rng = catalogue(), _rng(seed, "products")
    left, number = count, 0
    while left > 0:
        number += 1
        goods = goods_of.draw(number, _kind_of(number, shop), rng)
        offered = offer(goods, _rng(seed, f"offer {number}"))
        yield _row(goods, shop, rng) | offered
        left -= 1
        if _has_twin(number) and left:
            yield _row(goods, shop, rng, english=True) | offered
            left -= 1


def sample_events(count: int, *, seed: int = 0, products: int, users: int) -> Iterator[dict[str, Any]]:
    """Stream `count` raw events in time order over 90 days, on the products that `sample_products(products)` gives.

    Each user likes two kinds of product; a session is a search, views, and often a purchase. (Tastes for single
    attribute values are planted only by `write_sample`.)
    """
    return stream(count, catalogue(), products * _TWIN_EVERY // (_TWIN_EVERY + 1), users, _rng(seed, "events"))


def _rng(seed: int, purpose: str) -> Random:
    return Random(f"{seed} {purpose}")  # noqa: S311 - a sample, not a secret


def _kind_of(number: int, shop: Catalogue) -> Kind:
    return shop.kinds[shop.order[number % len(shop.order)]]


def _has_twin(number: int) -> bool:
    return number % _TWIN_EVERY == _TWIN_REST


def _row(goods: Goods, shop: Catalogue, rng: Random, english: bool = False) -> Row:
    write = goods_of.write_english if english else goods_of.write_chinese
    text = write(goods, shop, rng)
    return {
        "product_id": product_id(goods.number, english),
        "title": text.title,
        "description": text.description,
        "category": goods.kind.path,
        "attributes": goods_of.attribute_cell(goods, rng, english),
        "tags": "|".join(goods_of.raw_tags(goods, shop, rng, english)),
        "image": "",
    }


def _products_truth(made: Sequence[Goods], shop: Catalogue) -> dict[str, Any]:
    entries = {}
    for goods in made:
        kind = {"kind": goods.kind.name, "family": goods.kind.family}
        entries[product_id(goods.number)] = {"tags": goods.tags(), **kind}
        if _has_twin(goods.number):
            entries[product_id(goods.number, True)] = {"tags": goods.tags(english=True), **kind}
    return {
        "products": entries,
        "english": shop.english,
        "tag_on_every_product": shop.dirt["everywhere"],
        "attributes_that_are_no_tags": list(NOT_TAGS),
        "follow_ups": {kind.name: list(kind.follow_ups) for kind in shop.kinds if kind.follow_ups},
    }


def _write_products(path: Path, made: Sequence[Goods], shop: Catalogue, rng: Random, seed: int) -> dict[str, Any]:
    rows = []
    for goods in made:
        offered = offer(goods, _rng(seed, f"offer {goods.number}"))
        rows.append(_row(goods, shop, rng) | offered)
        if _has_twin(goods.number):
            rows.append(_row(goods, shop, rng, english=True) | offered)
    merges = shop.merges
    raw = sorted({tag for row in rows for tag in row["tags"].split("|")})
    bad, line = [], 2
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(PRODUCT_SCHEMA) + "\n")
        for fields, problem in _spoil(rows):
            text = _csv_line(fields)
            file.write(text)
            if problem:
                bad.append({"line": line, "product_id": fields[0], "problem": problem})
            line += text.count("\n")
    return {"merges": {tag: merges.get(tag) for tag in raw}, "bad_products": bad}


def _spoil(rows: Sequence[Row]) -> Iterator[tuple[list[str], str]]:
    """The rows as lists of fields, some spoilt in place and some bad ones between them, each with its problem."""
    step = len(rows) // 16
    for number, row in enumerate(rows):
        fields = list(row.values())
        place, rest = divmod(number, step)
        if rest != step // 2:
            yield fields, ""
            continue
        spoilt, problem = _spoil_in_place(fields, place)
        yield spoilt, problem
        match place:
            case 6:
                yield ["", *fields[1:]], "no id"
            case 7:
                yield ["   ", *fields[1:]], "no id"
            case 8:
                yield [*fields, "仓库三", "2026-02-11"], "too many fields"
            case 9:
                yield fields[:3], "too few fields"
            case 10:
                yield [fields[0], *list(rows[number - 7].values())[1:]], "same id, other content"
            case 11 | 12:
                yield fields, "same row twice"


def _spoil_in_place(fields: list[str], place: int) -> tuple[list[str], str]:
    key, title, description, *rest = fields
    match place:
        case 0:
            return [key, title, f'<p class="intro">{description}</p><br/>&nbsp;<b>限时优惠</b>', *rest], "HTML"
        case 1:
            return [key, title, f"<div>{description}</div><script>track('{key}')</script>", *rest], "HTML"
        case 2:
            return [key, full_width(title), description, *rest], "full-width letters"
        case 3:
            return [key, title, "NaN", *rest], "NaN as text"
        case 4:
            return [f" {key} ", f"　{title}  ", description.replace("。", "。\n", 1), *rest], "blanks and line breaks"
        case 5:
            return [key, "  ", " ", *rest], "no title and no description"
    return fields, ""


def _csv_line(fields: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(fields)
    return buffer.getvalue()


def _write_events(path: Path, made: Sequence[Goods], count: int, seed: int) -> dict[str, Any]:
    rng = _rng(seed, "behaviour")
    twins = frozenset(goods.number for goods in made if _has_twin(goods.number))
    shelf = behaviour.Shelf.of(made, twins, rng)
    users = behaviour.make_users(count, shelf, rng)
    lines = [json.dumps(event, ensure_ascii=False) for event in behaviour.all_events(users, shelf, rng)]
    bad = _bad_events(users[0].user_id, product_id(1))
    step = len(lines) // (len(bad) + 1)
    planted = []
    for number, (text, problem) in enumerate(bad, start=1):
        place = number * step + number - 1
        lines.insert(place, text)
        planted.append({"line": place + 1, "problem": problem})
    path.write_text("\n".join(lines) + "\n", "utf-8")
    tastes = {user.user_id: {"english": user.english, "tastes": [vars(one) for one in user.tastes]} for user in users}
    return {"users": tastes, "bad_events": planted}


def _bad_events(user: str, product: str) -> list[tuple[str, str]]:
    good = {"user_id": user, "action": "view", "time": "2026-02-01T12:00:00Z", "product_id": product}
    return [
        (json.dumps(good | {"action": "teleport"}), "unknown action"),
        (json.dumps(good | {"time": "2026-13-45T99:00:00Z"}), "broken time"),
        (json.dumps(good)[:-9], "broken JSON"),
        (json.dumps(good | {"user_id": None}), "no user"),
        (json.dumps(good | {"action": "search", "product_id": None}), "neither product nor text"),
    ]


def _write_new(files: SampleFiles, products: int, shop: Catalogue, seed: int) -> None:
    rng = _rng(seed, "new")
    rows, answers = [], []
    for place in range(1, _NEW_PRODUCTS + 1):
        number = products + place
        english = _has_twin(number)
        goods = goods_of.draw(number, _kind_of(number, shop), rng)
        text = (goods_of.write_english if english else goods_of.write_chinese)(goods, shop, rng)
        key = f"n{place:05d}"
        rows.append({"product_id": key, "title": text.title, "description": text.description})
        tags = goods.tags(english)
        answers.append({"product_id": key, "tags": tags, "stated": [tag for tag in tags if tag in text.stated]})
    for path, entries in ((files.new, rows), (files.new_truth, answers)):
        path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries), "utf-8")
