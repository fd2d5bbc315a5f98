"""Dividing a catalogue into train, valid and test so that nothing of the test is seen in training."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tagloom.config import SplitSettings
from tagloom.data.tables import Events, Products
from tagloom.errors import DataError

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, in the catalogue's order; no product and no group stands in two of them."""

    train: Rows
    valid: Rows
    test: Rows


def split_products(products: Products, settings: SplitSettings, events: Events | None = None) -> Split:
    """Divide a catalogue as `[split]` of tagloom.toml says. The same data and seed give the same division.

    Args:
        products: the catalogue, P rows.
        settings: how, which shares, which seed.
        events: needed for `by = "time"`: a product's time is its first event, that of equal texts the earliest of
            them; the latest products are the test, and those without any event the latest of all.

    Raises:
        DataError: too few products (or groups of equal text) for three parts, or no events for a split by time.
    """
    groups, keys = _groups(products, settings)
    if settings.by == "time":
        part_of_group = np.empty(len(keys), np.int8)
        part_of_group[_in_time_order(products, groups, events)] = _cut(len(keys), settings)
    else:
        part_of_group = _drawn(keys, settings)
    part = part_of_group[groups]
    return Split(*(np.flatnonzero(part == number) for number in range(3)))


def _drawn(keys: pl.Series, settings: SplitSettings) -> npt.NDArray[np.int8]:
    """Part 0, 1 or 2 of each group, by a number in 0..1 that its own text and the seed give.

    What a product is drawn for never depends on the other products: a catalogue can grow, and nothing that a model was
    trained on moves to the test.
    """
    exact = _cut(len(keys), settings)  # refuses too few
    salt = (settings.seed % 2**64).to_bytes(8, "little")
    digests = (hashlib.blake2b(key.encode(), digest_size=8, salt=salt).digest() for key in keys)
    drawn = np.frombuffer(b"".join(digests), "<u8") / 2.0**64
    parts = np.select([drawn < settings.test, drawn < settings.test + settings.valid], [2, 1], 0).astype(np.int8)
    if len(np.unique(parts)) < 3:  # in a tiny catalogue a part may come out empty: then the shares are kept exactly
        parts[np.argsort(-drawn, kind="stable")] = exact
    return parts


def kfold(products: Products, folds: int, settings: SplitSettings) -> Iterator[tuple[Rows, Rows]]:
    """Row numbers (rest, held out) of each of `folds` parts; every product is held out exactly once.

    Equal texts stay together unless `settings.by` is "random"; time plays no part in it.

    Raises:
        DataError: fewer groups than folds.
    """
    groups, keys = _groups(products, settings)
    count = len(keys)
    if count < folds or folds < 2:
        raise DataError(f"cannot make {folds} folds of {count} products with different texts; take 2 to {count} folds")
    fold_of_group = np.empty(count, np.int64)
    fold_of_group[np.random.default_rng(settings.seed).permutation(count)] = np.arange(count) % folds
    fold = fold_of_group[groups]
    for number in range(folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def hold_out(products: Products, share: float, seed: int) -> tuple[Rows, Rows]:
    """Row numbers (rest, held out): about `share` of the products, at least one; equal texts stay together.

    Raises:
        DataError: fewer than two products with different texts.
    """
    groups, keys = _groups(products, SplitSettings(by="group"))
    count = len(keys)
    if count < 2:
        raise DataError(
            f"{len(products)} products with {count} different texts are too few to hold one out; give more of them"
        )
    chosen = np.random.default_rng(seed).permutation(count)[: max(1, min(round(count * share), count - 1))]
    held_out = np.isin(groups, chosen)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def take(products: Products, rows: Rows) -> Products:
    """The products of some row numbers."""
    return Products(products.frame[rows])


def _cut(keys: int, settings: SplitSettings) -> npt.NDArray[np.int8]:
    valid, test = round(keys * settings.valid), round(keys * settings.test)
    if min(valid, test, keys - valid - test) < 1:
        raise DataError(
            f"{keys} products with different texts are too few for train, valid ({settings.valid:.0%})"
            f" and test ({settings.test:.0%}); import more products, raise split.valid and split.test, or, where many"
            " products share a text and may be parted, set split.by to random"
        )
    return np.repeat(np.array([0, 1, 2], np.int8), [keys - valid - test, valid, test])


def _groups(products: Products, settings: SplitSettings) -> tuple[Rows, pl.Series]:
    """A group number for each product, [P], from 0 in order of first appearance; and each group's key.

    A group never stands in two parts. Variants of one product (its colours, its sizes) share the description and often
    the photo: they are a group. Random knows no groups.
    """
    frame = products.frame
    if settings.by == "random":
        return np.arange(frame.height), frame["product_id"]
    key = pl.when(pl.col("description").str.len_chars() > 0).then("description").otherwise("title").str.to_lowercase()
    keys = frame.select(key=key)
    first = keys.unique(maintain_order=True).with_row_index("group")
    groups = keys.join(first, on="key", how="left", maintain_order="left")["group"]
    return groups.to_numpy().astype(np.int64), first["key"]


def _in_time_order(products: Products, groups: Rows, events: Events | None) -> Rows:
    """The groups' numbers, that with the earliest event of any of its products first, without events last."""
    if events is None or not len(events):
        raise DataError("a split by time needs events; import some, or set split.by to random or group")
    first = events.frame.group_by("product_id").agg(pl.col("time").min())
    timed = products.frame.select("product_id", group=pl.Series(groups)).join(first, on="product_id", how="left")
    # A product that nobody touched yet is the newest; the group's number settles ties.
    order = timed.group_by("group").agg(pl.col("time").min()).sort("time", "group", nulls_last=True)["group"]
    return order.to_numpy().astype(np.int64)
