"""What a Recommender answers with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

# By whether anything is known of the user.
BASIS = {True: "history", False: "default"}
Found = TypeVar("Found")


@dataclass(frozen=True)
class ProductScore:
    """A product, and how likely it is what the user takes next: a share of 1 over the whole catalogue."""

    product_id: str
    share: float


@dataclass(frozen=True)
class WantedTag:
    """A tag, and how likely it is one of the next product's.

    Where a product or text was given: how likely it is one of that one's, and that this user takes it for the tag.
    """

    tag: str
    tag_id: int
    confidence: float


@dataclass(frozen=True)
class Recommendation(Generic[Found]):
    """What is recommended, the best first; it is iterated, counted and indexed like a tuple.

    Args:
        found: products or tags.
        basis: `history`: something is known of the user; `default`: nothing is, so it is what is taken most now.
        left_out: why events of a history given by hand were not used -> how many.
    """

    found: tuple[Found, ...]
    basis: str
    left_out: Mapping[str, int]

    def __iter__(self) -> Iterator[Found]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, place: int) -> Found:
        return self.found[place]
