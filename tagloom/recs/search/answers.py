"""What a search answers with."""

from __future__ import annotations

from dataclasses import dataclass

# On what an answer rests. `match`: some products hold words of the query. `nearest`: none does, these are the nearest
# by what the query means. `default`: nothing is near either, this is what is taken most now. `nothing`: no product may
# be shown at all. `empty`: it has no word.
BASES = ("match", "nearest", "default", "nothing", "empty")


@dataclass(frozen=True)
class FoundProduct:
    """A product, its share of 1 among all that were compared, and the words of the query that it holds."""

    product_id: str
    share: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class FoundTag:
    """A tag, how likely it is one of the product that is taken after this query, and whether the query names it."""

    tag: str
    tag_id: int
    confidence: float
    named: bool


@dataclass(frozen=True)
class ReadWord:
    """How a word of the query was read.

    Args:
        typed: as it came, normalised.
        words: what was looked for in its place, the likeliest first; empty: nothing of the catalogue is like it.
        how: `typed`: as it stands; `asked`: as it stands, though no product has it: it is known what users took after
            it; `completed`, `corrected`; `part`: a piece of a word that no product has whole; `unknown`.
    """

    typed: str
    words: tuple[str, ...]
    how: str


@dataclass(frozen=True)
class SearchAnswer:
    """Products and tags for a query, the best first.

    Args:
        products: at most as many as were asked for.
        tags: likewise.
        basis: one of `BASES`.
        understood: the query as it was read: `sheos` -> `shoes`.
        read: the same word by word.
        left_out: words that were not read, as the query was too long.
        suggestions: whole queries that begin like this one.
        missing: the words that stand in no product that may be shown, not even corrected.
        personal: whether it is ordered for a user of whom something is known.
    """

    products: tuple[FoundProduct, ...]
    tags: tuple[FoundTag, ...]
    basis: str
    understood: str
    read: tuple[ReadWord, ...] = ()
    left_out: int = 0
    suggestions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    personal: bool = False
