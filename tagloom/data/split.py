"""Dividing a catalogue into train, valid and test so that nothing of the test is seen in training."""

from __future__ import annotations

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
        events: needed for `by = "time"`: a product's time is its first event; the latest products are the test.

    Raises:
        DataError: too few products (or groups of equal text) for three parts, or no events for a split by time.
    """
    groups = _groups(products, settings, events)
    keys = groups.max() + 1 if len(groups) else 0
    parts = _cut(keys, settings)
    # By time the groups are numbered in time order, so the last ones are the test; otherwise the order is drawn.
    order = np.arange(keys) if settings.by == "time" else np.random.default_rng(settings.seed).permutation(keys)
    part_of_group = np.empty(keys, np.int8)
    part_of_group[order] = parts
    part = part_of_group[groups]
    return Split(*(np.flatnonzero(part == number) for number in range(3)))


def kfold(products: Products, folds: int, settings: SplitSettings) -> Iterator[tuple[Rows, Rows]]:
    """Row numbers (rest, held out) of each of `folds` parts; every product is held out exactly once.

    Raises:
        DataError: fewer groups than folds.
    """
    groups = _groups(
        products, settings.model_copy(update={"by": "group" if settings.by == "time" else settings.by}), None
    )
    keys = int(groups.max()) + 1 if len(groups) else 0
    if keys < folds or folds < 2:
        raise DataError(f"cannot make {folds} folds of {keys} products with different texts; take 2 to {keys} folds")
    fold_of_group = np.empty(keys, np.int64)
    fold_of_group[np.random.default_rng(settings.seed).permutation(keys)] = np.arange(keys) % folds
    fold = fold_of_group[groups]
    for number in range(folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def take(products: Products, rows: Rows) -> Products:
    """The products of some row numbers."""
    return Products(products.frame[rows])


def _cut(keys: int, settings: SplitSettings) -> npt.NDArray[np.int8]:
    valid, test = round(keys * settings.valid), round(keys * settings.test)
    if min(valid, test, keys - valid - test) < 1:
        raise DataError(
            f"{keys} products with different texts are too few for train, valid ({settings.valid:.0%})"
            f" and test ({settings.test:.0%}); import more products, or raise split.valid and split.test"
        )
    return np.repeat(np.array([0, 1, 2], np.int8), [keys - valid - test, valid, test])


def _groups(products: Products, settings: SplitSettings, events: Events | None) -> Rows:
    """A group number for each product: [P], from 0 without gaps, in order of first appearance (or of time)."""
    frame = products.frame
    if settings.by == "random":
        return np.arange(frame.height)
    if settings.by == "time":
        if events is None or not len(events):
            raise DataError("a split by time needs events; import some, or set split.by to random or group")
        first = events.frame.group_by("product_id").agg(pl.col("time").min())
        times = frame.join(first, on="product_id", how="left", maintain_order="left")["time"]
        # A product that nobody touched yet is the newest.
        order = times.arg_sort(nulls_last=True)
        rank: Rows = order.arg_sort().to_numpy().astype(np.int64)
        return rank
    # Variants of one product (its colours, its sizes) share the description and often the photo: they stay together.
    key = frame.select(
        key=pl.when(pl.col("description").str.len_chars() > 0).then("description").otherwise("title").str.to_lowercase()
    )["key"]
    return _numbered(key)


def _numbered(key: pl.Series) -> Rows:
    first = pl.DataFrame({"key": key}).unique("key", maintain_order=True).with_row_index("group")
    joined = pl.DataFrame({"key": key}).join(first, on="key", how="left", maintain_order="left")
    groups: Rows = joined["group"].to_numpy().astype(np.int64)
    return groups
