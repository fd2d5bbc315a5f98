"""What rules are decided on: each product's price, stock, end of offer, category and tags.

Everything is laid out once; a question then costs a few passes over P numbers. Shapes: P products, G categories.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from tagloom.data.intake.cells import parse_path
from tagloom.data.tables import Products
from tagloom.data.words.wordvectors import similar_spellings
from tagloom.errors import UserError
from tagloom.recs.rules import Bools, Ints, Rules

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Offers:
    """The catalogue as rules see it.

    Args:
        products: with clean tags.
        hidden: ids of products that are never shown; those of no product are no error.
    """

    products: Products
    hidden: Collection[str] = frozenset()

    def __len__(self) -> int:
        return len(self.products)

    def allowed(self, rules: Rules, now: datetime) -> Bools:
        """[P] whether each product may be shown: not hidden, in stock, not expired, and within the rules.

        Args:
            rules: `include`, `exclude` and the prices count here.
            now: products whose `until` is before this are expired; without a zone it is UTC.

        Raises:
            UserError: a name to include that the catalogue does not have, or one to exclude that is spelled like one it
                has; names the nearest.
        """
        fits = self._there.copy()
        if self._ends:
            moment = now.replace(tzinfo=UTC) if now.tzinfo is None else now
            fits &= self.until >= (moment - _EPOCH) // timedelta(microseconds=1)
        if rules.price_from is not None:
            fits &= self.price >= rules.price_from
        if rules.price_to is not None:
            fits &= self.price <= rules.price_to
        for kind, names in rules.include.items():
            fits &= self._named(kind, names)
        for kind, names in rules.exclude.items():
            fits &= ~self._named(kind, [name for name in names if not self._gone(kind, name)])
        return fits

    # Laid out once

    @cached_property
    def price(self) -> npt.NDArray[np.float64]:
        """[P], NaN where it is not known."""
        return self.products.frame["price"].fill_null(np.nan).to_numpy()

    @cached_property
    def stock(self) -> npt.NDArray[np.float64]:
        """[P], NaN where it is not known."""
        return self.products.frame["stock"].fill_null(np.nan).to_numpy()

    @cached_property
    def until(self) -> Ints:
        """[P] microseconds since 1970-01-01, the largest number there is for those without an end."""
        return self.products.frame["until"].to_physical().fill_null(np.iinfo(np.int64).max).to_numpy()

    @cached_property
    def categories(self) -> Ints:
        """[P] the number of each product's whole path, equal ones alike; -1: it has none."""
        return self._numbered[0]

    @cached_property
    def _there(self) -> Bools:
        shown = ~self.products.frame["product_id"].is_in(list(self.hidden)).to_numpy()
        return shown & ~(self.stock <= 0)

    @cached_property
    def _ends(self) -> bool:
        return self.products.frame["until"].null_count() < len(self)

    @cached_property
    def _numbered(self) -> tuple[Ints, list[tuple[str, ...]]]:
        return numbered_categories(self.products.frame)

    @cached_property
    def _category_ix(self) -> dict[str | tuple[str, ...], list[int]]:
        """Levels' names, and paths from the root -> the numbers of all categories under them."""
        found: dict[str | tuple[str, ...], list[int]] = {}
        for number, path in enumerate(self._numbered[1]):
            keys: set[str | tuple[str, ...]] = {*path, *(path[:depth] for depth in range(1, len(path) + 1))}
            for key in keys:
                found.setdefault(key, []).append(number)
        return found

    @cached_property
    def _tag_rows(self) -> tuple[dict[str, int], Ints, Ints]:
        """The number of each tag, where its rows begin and end, and the rows of all tags one after the other."""
        rows = self.products.frame.select("tags", row=pl.int_range(pl.len(), dtype=pl.Int64))
        each = rows.explode("tags", empty_as_null=False).drop_nulls()
        by_tag = each.group_by("tags", maintain_order=True).agg("row")
        ends = np.concatenate([[0], np.cumsum(by_tag["row"].list.len().to_numpy(), dtype=np.int64)])
        numbers = {tag: number for number, tag in enumerate(by_tag["tags"])}
        return numbers, ends, by_tag["row"].explode(empty_as_null=False).to_numpy()

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {product_id: row for row, product_id in enumerate(self.products.frame["product_id"])}

    # What has a name

    def _named(self, kind: str, names: Sequence[str]) -> Bools:
        """[P] which products have any of the names."""
        if kind == "category":
            wanted = np.zeros(len(self._numbered[1]) + 1, bool)  # the last place is that of products without any
            for name in names:
                wanted[self._categories_of(name)] = True
            return wanted[self.categories]
        found = np.zeros(len(self), bool)
        for name in names:
            found[self._rows_of_tag(name) if kind == "tag" else self._row_of_product(name)] = True
        return found

    def _gone(self, kind: str, name: str) -> bool:
        """Whether no product has a name any more. One spelled like another may be a mistake; ids are all alike."""
        if kind == "product":
            return name not in self._row_of
        if kind == "tag":
            return name not in self._tag_rows[0] and not similar_spellings(name, list(self._tag_rows[0]), 1)
        return self._category(name) is None and not similar_spellings(name, self._category_names, 1)

    @property
    def _category_names(self) -> list[str]:
        return [key if isinstance(key, str) else ">".join(key) for key in self._category_ix]

    def _category(self, name: str) -> list[int] | None:
        return self._category_ix.get(name) or self._category_ix.get(tuple(parse_path(name)))

    def _categories_of(self, name: str) -> list[int]:
        found = self._category(name)
        if found is None:
            raise _unknown("category", name, self._category_names)
        return found

    def _rows_of_tag(self, name: str) -> Ints:
        numbers, ends, rows = self._tag_rows
        if name not in numbers:
            raise _unknown("tag", name, list(numbers))
        return rows[ends[numbers[name]] : ends[numbers[name] + 1]]

    def _row_of_product(self, name: str) -> int:
        if name not in self._row_of:
            raise _unknown("product", name, list(self._row_of))
        return self._row_of[name]


def numbered_categories(frame: pl.DataFrame) -> tuple[Ints, list[tuple[str, ...]]]:
    """The number of each product's category, -1 for those without one, and the path of each number.

    Args:
        frame: [P] products.
    """
    joined = pl.col("category").list.join("\n")
    path = frame.select(pl.when(joined != "").then(joined))["category"]
    numbers = path.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    some = np.zeros(numbers.max(initial=-1) + 1, np.int64)  # a product of each category
    some[numbers[numbers >= 0]] = np.flatnonzero(numbers >= 0)
    return numbers, [tuple(steps) for steps in frame["category"].gather(some)]


def _unknown(kind: str, name: str, known: list[str]) -> UserError:
    near = similar_spellings(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; give one of the catalogue's {len(known):,} names"
    return UserError(f"rules: there is no {kind} {name!r}{hint}")
