"""Queries with a known answer, and the ways people mistype them."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
import polars as pl
from _data import FOLDER, read_catalogue

from tagloom.data.sample.catalogue import catalogue
from tagloom.data.tables import Events, Products
from tagloom.data.vocabulary.normal import has_han
from tagloom.data.words.text import WordSplitter
from tagloom.measure.ranking import RankingMetrics
from tagloom.recs.search.pairs import Pairs

NAMED = ("colour_group", "product_type", "graphical_appearance", "index")
NDCG, HIT = "nDCG@10", "HR@10"
_CUT = 10


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries and what each shall find.

    Args:
        texts: of each query.
        gains: of each query float [P], what each product of the catalogue is worth; made when asked for.
    """

    texts: Sequence[str]
    gains: Callable[[int], np.ndarray]

    def typed(self, how: Callable[[str, Random], str], seed: int = 0) -> Asked:
        """The same queries, typed in another way."""
        return Asked([how(text, Random(f"{seed} {text}")) for text in self.texts], self.gains)


def misspelt(text: str, random: Random) -> str:
    """One edit in one word of four letters or more; of Chinese one character less, or two swapped."""
    words = text.split(" ")
    places = [ix for ix, word in enumerate(words) if len(word) > (2 if has_han(word) else 3)]
    if not places:
        return text
    place = random.choice(places)
    word = words[place]
    at = random.randrange(1, len(word) - 1)
    letter = random.choice(string.ascii_lowercase)
    ways = [word[:at] + word[at + 1 :], word[:at] + word[at + 1] + word[at] + word[at + 2 :]]
    if not has_han(word):
        ways += [word[:at] + letter + word[at + 1 :], word[:at] + letter + word[at:]]
    words[place] = random.choice(ways)
    return " ".join(words)


def half_typed(text: str, random: Random) -> str:
    """Without the end of the last word: at least half of it stays, of Chinese all but one character."""
    before, blank, last = text.rpartition(" ")
    least = len(last) - 1 if has_han(last) else max(2, (len(last) + 1) // 2)
    return before + blank + (last[: random.randrange(least, len(last))] if least < len(last) else last)


def traditional(text: str, random: Random) -> str:  # noqa: ARG001
    """In traditional characters, as in Taiwan."""
    import opencc

    return str(opencc.OpenCC("s2t").convert(text))


def mixed(text: str, random: Random) -> str:  # noqa: ARG001
    """With a part in the other language, where the sample shop has a word for it: the kind of thing, or a value."""
    both = _dictionary()
    parts = sorted((part for part in both if part in text), key=lambda part: (part == text, -len(part), part))
    return " ".join(text.replace(parts[0], f" {both[parts[0]]} ").split()) if parts else text


@cache
def _dictionary() -> dict[str, str]:
    """The sample shop's nouns and tags, from Chinese to English and back."""
    shop = catalogue()
    nouns = {noun: kind.english.lower() for kind in shop.kinds for noun in (kind.name, *kind.nouns)}
    there = {tag: english.lower() for tag, english in shop.english.items()} | nouns
    back = {english: chinese for chinese, english in reversed(there.items())}
    return {one: other for one, other in {**back, **there}.items() if len(one) > 1 and has_han(one) != has_han(other)}


def planted_hm(part: str, rows: int, queries: int, seed: int) -> tuple[Products, Products, Asked]:
    """What is learned from, the whole catalogue, and queries that name attributes of articles that were not met.

    A query holds the values of two to four of `NAMED`, of one article of `part`, in any order. An article is worth the
    share of them that it has. Queries stand in no log: nothing but the catalogue is learned from.
    """
    catalogue = read_catalogue("hm", rows)
    products = Products(pl.concat([catalogue.train.frame, catalogue.valid.frame, catalogue.test.frame]))
    values = [dict(tag.split("=", 1) for tag in tags) for tags in products.frame["tags"]]
    columns = {name: np.array([one.get(name, "") for one in values]) for name in NAMED}
    start = len(catalogue.train) + (len(catalogue.valid) if part == "test" else 0)
    size = len(getattr(catalogue, part))
    random = Random(f"{seed} {part}")
    named: list[list[tuple[str, str]]] = []
    for row in random.sample(range(start, start + size), min(queries, size)):
        chosen = random.sample(NAMED, random.choice((2, 3, 4)))
        named.append([(name, str(columns[name][row])) for name in chosen if columns[name][row]])
    named = [pairs for pairs in named if pairs]

    def gains(query: int) -> np.ndarray:
        return np.mean([columns[name] == value for name, value in named[query]], axis=0)

    return catalogue.train, products, Asked([" ".join(value.lower() for _, value in one) for one in named], gains)


def searched(products: Products, after: Events, most: int) -> Asked:
    """Queries of a log, each with the product that was bought after it."""
    pairs = Pairs.of(after, products.frame["product_id"].to_list(), WordSplitter().split, 30)
    rows = np.flatnonzero(pairs.bought)[:most]

    def gains(query: int) -> np.ndarray:
        return (np.arange(len(products)) == pairs.products[rows[query]]).astype(np.float64)

    return Asked([pairs.texts[row] for row in rows.tolist()], gains)


def measured(asked: Asked, lists: Sequence[Sequence[int]]) -> RankingMetrics:
    """nDCG@10 with graded gains, and whether the first ten hold one of the best; lists hold rows, the best first."""
    discount = 1 / np.log2(np.arange(2, _CUT + 2))
    each: dict[str, list[float]] = {NDCG: [], HIT: []}
    for query, rows in enumerate(lists):
        gains = asked.gains(query)
        ideal = float((np.sort(gains)[::-1][:_CUT] * discount[: len(gains)]).sum())
        got = gains[list(rows)[:_CUT]]
        each[NDCG].append(float((got * discount[: len(got)]).sum()) / ideal if ideal else 0.0)
        each[HIT].append(float(len(got) > 0 and got.max() >= gains.max()))
    told = {name: np.array(one) for name, one in each.items()}
    return RankingMetrics(len(lists), {name: float(one.mean()) for name, one in told.items()}, told)


def is_there(name: str) -> bool:
    """Whether the data lies in the folder; the sample shop always does."""
    return name == "sample" or (FOLDER / "hm" / "articles.parquet").exists()
