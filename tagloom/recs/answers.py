"""What a Recommender answers with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

# By whether anything is known of the user.
BASIS = {True: "history", False: "default"}
Found = TypeVar("Found")


@dataclass(frozen=True)
class EventReason:
    """What a user did that speaks for a product: an action on a product, or a text; its share of all that does."""

    product_id: str | None
    text: str | None
    action: str
    share: float


@dataclass(frozen=True)
class TagReason:
    """A tag of a product that speaks for it, and its share of what its tags say for it."""

    tag: str
    tag_id: int
    share: float


@dataclass(frozen=True)
class Because:
    """Why a product is recommended, the strongest first; nothing for a user of whom nothing is known.

    Args:
        events: without which its share would be lower.
        tags: without which the networks would score it lower; of a Recommender without networks none.
    """

    events: tuple[EventReason, ...]
    tags: tuple[TagReason, ...]


@dataclass(frozen=True)
class ProductScore:
    """A product, and how likely it is what the user takes next: a share of 1 over the whole catalogue.

    `because` is there where it was asked for.
    """

    product_id: str
    share: float
    because: Because | None = None


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
