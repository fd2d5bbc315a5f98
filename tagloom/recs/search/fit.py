"""How a search learns: vectors first, then how words, vectors and what is taken most are joined.

The newest queries of the log that ended in something bought are held out: the best pass, the blend and the confidence
of tags are chosen by them. They stay out: to learn once more with them would double the time for a tenth more queries.
Beside them, and alone where they are too few, are queries drawn for products that none was drawn for in training.
Shapes: P products, L tags, Q queries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tagloom.config import RecommenderSettings, SearchSettings
from tagloom.data.tables import Events, Products
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError, SettingsError
from tagloom.recs.blend import Blend
from tagloom.recs.experts.contract import Progress
from tagloom.recs.items import Items, Known
from tagloom.recs.search.features import Bag, WordFeatures
from tagloom.recs.search.joining import Held, Joining
from tagloom.recs.search.learned import Learned
from tagloom.recs.search.pairs import Pairs
from tagloom.recs.search.planted import Planter
from tagloom.recs.search.reading import ProductWords
from tagloom.recs.search.shown import Personal, Shown
from tagloom.recs.search.tags import Names, TagConfidence, TagNames, named_in
from tagloom.recs.search.vectors import Lessons, Vectors, learn

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
# A user and a moment, in seconds since 1970 -> that user's scores of products by what was known before it.
PersonalOf = Callable[[str, int], Personal]

_HELD, _MOST_HELD, _LEAST_HELD = 0.1, 500, 50
_NOTHING = Blend((), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class Log:
    """What users did, as a search learns from it.

    Args:
        pairs: queries, and what was taken after them.
        taken: of each product how much it was taken.
        personal: what is known of users; None: nothing is.
        earlier: as `taken`, of what was taken before the newest queries; None: the same.
    """

    pairs: Pairs
    taken: Mapping[str, float]
    personal: PersonalOf | None = None
    earlier: Mapping[str, float] | None = None

    @classmethod
    def of(
        cls,
        events: Events,
        products: Products,
        how: RecommenderSettings,
        custom_words: Sequence[str] = (),
        personal: PersonalOf | None = None,
    ) -> Log:
        """From a log; `how` says what actions weigh and when a session ends."""
        ids, cut = products.frame["product_id"].to_list(), WordSplitter(tuple(custom_words)).split
        pairs = Pairs.of(events, ids, cut, how.session_minutes, how.weights)
        until = pairs.newest_from(_HELD)
        return cls(pairs, _taken_in(events, how.weights), personal, _taken_in(events, how.weights, until))


def _taken_in(events: Events, by_action: Mapping[str, float], until: float = np.inf) -> dict[str, float]:
    """How much each product was taken before a moment, in seconds since 1970: the weights of the actions on it."""
    import polars as pl

    weight = pl.col("action").cast(pl.String).replace_strict(by_action, default=0.0, return_dtype=pl.Float64)
    counted = pl.col("product_id").is_not_null() & (pl.col("time").dt.epoch("s") < until)
    totals = events.frame.filter(counted).group_by("product_id").agg(weight.sum().alias("n"))
    return dict(totals.sort("product_id").filter(pl.col("n") > 0).iter_rows())


def fit_search(
    products: Products,
    log: Log,
    settings: SearchSettings,
    *,
    vocabulary: Vocabulary | None = None,
    custom_words: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Learned, Shown]:
    """Learn from a catalogue and from what was taken after queries; see `Search.fit`."""
    if not len(products):
        raise DataError("there are no products to search; import some first")
    splitter, names, pairs = WordSplitter(tuple(custom_words)), Names.of(vocabulary), log.pairs
    words = ProductWords.of(products, splitter, names.aliases)
    tags = tuple(sorted({tag for tags in products.frame["tags"] for tag in tags}))
    known = Known((), tags, names.numbered(tags), None)
    items = Items.of(products, known)
    features = WordFeatures.of(words, pairs.words, settings.max_features)
    ways = [list(map(splitter.split, said)) for said in TagNames.of(tags, known.tag_ids, names.aliases).spellings]
    planter = Planter(words, items.tags, ways)
    lessons, logged, drawn = _divided(log, planter, features, splitter, settings)
    vectors = _learned(features, lessons, items, settings, progress)
    learned = Learned(
        settings=settings,
        custom_words=tuple(custom_words),
        tags=known,
        vectors=vectors,
        joining=Joining(_NOTHING, _NOTHING),
        confidence=TagConfidence(),
        # What was held out must not be foretold by having been counted.
        taken=log.taken if log.earlier is None else log.earlier,
        asked=pairs.counts,
        asked_words=frozenset(pairs.words),
    )
    shown = learned.shown(products, names, words=words)
    joining = Joining.fit(shown, vectors, settings.max_words, logged, drawn)
    confidence = _confidence(learned, shown, logged if len(logged) else drawn, items)
    learned = replace(learned, joining=joining, confidence=confidence, taken=log.taken)
    return learned, replace(shown, popular=learned.popular(shown.product_ids))


def _divided(
    log: Log, planter: Planter, features: WordFeatures, splitter: WordSplitter, settings: SearchSettings
) -> tuple[Lessons, Held, Held]:
    """What is learned from; and what is held out, of the log and drawn."""
    random, older = np.random.default_rng(settings.seed), log.pairs
    order = random.permutation(len(planter.words))
    # In a very small catalogue every product is needed to learn from.
    some = min(_MOST_HELD, len(order) // 10)
    drawn = _planted(planter, order[: some or None], settings)
    logged = Held((), order[:0], ())
    before, newest = older.held_out(_HELD)
    if len(newest) >= _LEAST_HELD:
        older, logged = before, _held(newest, splitter, log.personal, random)
    valid = logged if len(logged) else drawn
    most = settings.max_words
    lessons = _lessons(features, older, valid, planter, order[some:], lambda text: splitter.split(text)[:most])
    return lessons, logged, drawn


def _held(pairs: Pairs, splitter: WordSplitter, personal: PersonalOf | None, random: np.random.Generator) -> Held:
    """Queries of the log, some where there are many."""
    rows = np.sort(random.permutation(len(pairs))[:_MOST_HELD])
    some = pairs.of_rows(rows)
    asked = zip(some.users, some.seconds.tolist(), strict=True)
    own = [None if personal is None else personal(user, seconds) for user, seconds in asked]
    return Held([splitter.split(text) for text in some.texts], some.products, own)


def _planted(planter: Planter, rows: Ints, settings: SearchSettings) -> Held:
    """Drawn queries, for products that have anything to ask for."""
    random = Random(f"{settings.seed} held")  # noqa: S311 (queries, not secrets)
    drawn = [(planter.draw(row, random), row) for row in rows.tolist()]
    filled = [(said, row) for said, row in drawn if said]
    return Held([said for said, _ in filled], np.array([row for _, row in filled], np.int64), [None] * len(filled))


def _lessons(
    features: WordFeatures,
    pairs: Pairs,
    held: Held,
    planter: Planter,
    drawn_for: Ints,
    read: Callable[[str], Sequence[str]],
) -> Lessons:
    """What the vectors are learned from; each different query is read once."""

    def bag(said: Sequence[str]) -> Bag:
        return features.of_words((word, 1.0) for word in said)

    bags = {text: bag(read(text)) for text in dict.fromkeys(pairs.texts)}
    valid = ([bag(said) for said in held.words], held.products)
    return Lessons([bags[text] for text in pairs.texts], pairs.products, pairs.weights, planter, drawn_for, valid)


def _learned(
    features: WordFeatures, lessons: Lessons, items: Items, settings: SearchSettings, progress: Progress | None
) -> Vectors:
    """The vectors; of a catalogue without words and tags all are 0."""
    if not len(lessons.valid[1]) or not len(features):
        return Vectors.nothing(features, len(items.known.tags), settings.width)
    vectors, trained = learn(features, lessons, items.tag_shares, settings, progress)
    if not trained.epochs:
        raise SettingsError(f"nothing was learned: {trained.stopped} in the first pass; lower search.width")
    return vectors


def _confidence(learned: Learned, shown: Shown, held: Held, items: Items) -> TagConfidence:
    """How sure a tag is, by the tags of what was taken."""
    told = []
    read = held.read(shown, learned.vectors, learned.settings.max_words)
    for (query, vector), product in zip(read, held.products.tolist(), strict=True):
        named = named_in(shown.splitter.split(query.understood), shown.by_units)
        true = items.tags.indices[items.tags.indptr[product] : items.tags.indptr[product + 1]]
        told.append((learned.tag_logs(vector, shown.tags), named, true.astype(np.int64)))
    return TagConfidence.fit(told)
