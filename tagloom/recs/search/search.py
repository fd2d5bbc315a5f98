"""Search: a query in, products and tags out, ordered for the user who asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from tagloom.config import Settings
from tagloom.data.tables import Events, Products
from tagloom.errors import NotFittedError, UserError
from tagloom.recs.experts.contract import Progress
from tagloom.recs.search.answers import FoundProduct, FoundTag, SearchAnswer
from tagloom.recs.search.fit import Log, PersonalOf, fit_search
from tagloom.recs.search.learned import Floats, Learned
from tagloom.recs.search.queries import Query
from tagloom.recs.search.shown import Allowed, Candidates, Personal, Shown
from tagloom.recs.search.tags import Names, named_in

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary

_SUGGESTED = 5


class Search:
    """Finds products and tags by words and by what they mean.

    >>> products = Products.of([{"product_id": str(ix), "title": f"{colour} {kind}"}
    ...     for ix, (colour, kind) in enumerate((c, k) for c in ("red", "blue") for k in ("shoes", "shirt"))])
    >>> answer = Search.fit(products, Events.of([])).answer("blue sheos", top=1)
    >>> answer.products[0].product_id, answer.basis, answer.understood
    ('2', 'match', 'blue shoes')
    """

    def __init__(self, learned: Learned, shown: Shown | None = None) -> None:
        self.learned = learned
        self._shown = shown
        # The catalogue is made ready when somebody first searches: most that is asked of a Recommender is no search.
        self._make: Callable[[], Shown] | None = None
        self._last: Shown | None = None  # the catalogue before
        self._making = threading.Lock()

    @classmethod
    def fit(
        cls,
        products: Products,
        events: Events,
        settings: Settings = Settings(),  # noqa: B008 (frozen)
        *,
        vocabulary: Vocabulary | None = None,
        custom_words: Sequence[str] = (),
        personal: PersonalOf | None = None,
        progress: Progress | None = None,
    ) -> Search:
        """Learn from a catalogue and a log. Without a single search in the log, it learns from the catalogue alone.

        Args:
            products: with clean tags.
            events: what users did, their searches among it.
            settings: of `[search]`; of `[recommender]` what actions weigh and when a session ends.
            vocabulary: gives the tags' ids and aliases.
            custom_words: words and brands that are never split.
            personal: a user and a moment -> that user's scores by what was known before it; how much they count is
                learned from the queries that ended in something bought. None: they count a little.
            progress: told of each pass.

        Raises:
            DataError: there are no products.
        """
        log = Log.of(events, products, settings.recommender, custom_words, personal)
        learned, shown = fit_search(
            products, log, settings.search, vocabulary=vocabulary, custom_words=custom_words, progress=progress
        )
        return cls(learned, shown)

    def seeing(
        self, products: Products, vocabulary: Vocabulary | None = None, index_folder: Path | None = None
    ) -> Search:
        """The same with the catalogue of now; nothing is trained, new products are found at once.

        The catalogue is made ready at the first question, which so takes longer than the others.

        Args:
            products: all of them; those that are missing are found no more.
            vocabulary: gives the tags the names, ids and aliases of today.
            index_folder: where the catalogue's words are kept; older or damaged ones are made again, see `index_state`.
        """
        learned = self.learned if vocabulary is None else self.learned.named_by(vocabulary)
        names = Names.of(vocabulary)
        seeing, last = Search(learned), self._last if self._shown is None else self._shown
        seeing._last = last
        seeing._make = lambda: learned.shown(products, names, folder=index_folder, last=last)
        return seeing

    @property
    def index_state(self) -> str:
        """`new`: the catalogue's words were cut; `kept`: read from a folder; `older`, `damaged`: cut again, and why."""
        return self._ready.state

    def answer(
        self, query: str, top: int = 10, *, personal: Personal | None = None, allowed: Allowed | None = None
    ) -> SearchAnswer:
        """Products and tags for a query.

        Args:
            query: words in any spelling and language; there is no query syntax, signs only part words.
            top: most products, and most tags, from 1.
            personal: rows of products, in the order of the catalogue -> a user's log-scores of them; None: nobody's.
            allowed: bool [P], what may be found; None: all.

        Raises:
            NotFittedError: after `load`, before `seeing`.
            UserError: the query is no text, `top` is below 1, or `allowed` is not of the catalogue's length.
        """
        shown = self._ready
        _check(query, top, allowed, len(shown))
        allowed = None if allowed is None or allowed.all() else allowed
        read = shown.read(query, self.learned.settings.max_words)
        # Of a misspelt query what begins like the right one.
        mended = any(word.how == "corrected" for word in read.read)
        suggestions = shown.suggestions.complete(read.understood if mended else query, _SUGGESTED)
        if not read.read:
            return SearchAnswer((), (), "empty", "", suggestions=suggestions, personal=personal is not None)
        vector = self.learned.vectors.query(read.meant)
        found = shown.candidates(read, vector, allowed=allowed, personal=personal)
        return SearchAnswer(
            products=self._best(read, found, top),
            tags=self._tags(read, vector, top) if len(found.rows) else (),
            basis=_basis(found, vector),
            understood=read.understood,
            read=read.read,
            left_out=read.left_out,
            suggestions=suggestions,
            missing=shown.missing(read, allowed),
            personal=personal is not None,
        )

    def suggest(self, typed: str, top: int = 10) -> tuple[str, ...]:
        """Whole queries that begin like what is typed, the most searched first; of nothing typed the most searched.

        Raises:
            NotFittedError: after `load`, before `seeing`.
            UserError: what is typed is no text, or `top` is below 1.
        """
        _check(typed, top, None, 0)
        return self._ready.suggestions.complete(typed, top)

    def save(self, folder: Path) -> None:
        """Write what was learned into a folder that exists: JSON and safetensors, nobody's history."""
        self.learned.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Search:
        """Read what `save` wrote; it knows no catalogue until `seeing`.

        Raises:
            ArtifactError: damaged.
        """
        return cls(Learned.load(folder))

    def _best(self, read: Query, found: Candidates, top: int) -> tuple[FoundProduct, ...]:
        shown = self._ready
        scores = self.learned.joining.scores(found, self.learned.share_asked(read))
        if not len(scores):
            return ()
        shares = softmax(scores.astype(np.float64))
        order = np.lexsort((found.rows, -scores))[:top].tolist()
        rows = found.rows.tolist()
        return tuple(
            FoundProduct(shown.product_ids[rows[ix]], float(shares[ix]), shown.held(read, rows[ix])) for ix in order
        )

    def _tags(self, read: Query, vector: Floats | None, top: int) -> tuple[FoundTag, ...]:
        shown, learned = self._ready, self.learned
        named = named_in(shown.splitter.split(read.understood), shown.by_units)
        sure = learned.confidence.of(learned.tag_logs(vector, shown.tags), named)
        # Without a vector nothing is known but the names.
        order = (named if vector is None else np.argsort(-sure, kind="stable")[: 2 * top]).tolist()
        said, best = set(named.tolist()), dict[int, FoundTag]()
        for ix in order:
            tag = FoundTag(shown.tags.names[ix], shown.tags.ids[ix], float(sure[ix]), ix in said)
            best.setdefault(tag.tag_id, tag)  # two that were merged since are one
        return tuple(best.values())[:top]

    @property
    def _ready(self) -> Shown:
        if self._shown is None:
            with self._making:
                if self._shown is None:
                    if self._make is None:
                        raise NotFittedError("this Search knows no catalogue yet; call seeing(products) after load")
                    self._shown = self._make()
                    self._make = self._last = None
        return self._shown


def _basis(found: Candidates, vector: Floats | None) -> str:
    """On what an answer rests, one of `BASES`."""
    if not len(found.rows):
        return "nothing"
    return "match" if found.matched else "default" if vector is None else "nearest"


def _check(query: object, top: int, allowed: Allowed | None, products: int) -> None:
    if not isinstance(query, str):
        raise UserError(f"query: expected text, came {query!r}")
    if top < 1:
        raise UserError(f"top: expected a whole number from 1, came {top}")
    if allowed is not None and (len(allowed) != products or allowed.dtype != np.bool_):
        raise UserError(
            f"allowed: expected true or false for each of {products:,} products, came {len(allowed):,} {allowed.dtype}"
        )
