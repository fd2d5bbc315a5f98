"""The Recommender: a user's history in, the products and tags that are wanted next out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.artifact import check_artifact, new_artifact
from tagloom.config import RecommenderSettings, SearchSettings, settings_from
from tagloom.data.histories import Entry
from tagloom.data.tables import Events, Products
from tagloom.errors import NotFittedError
from tagloom.recs import asking
from tagloom.recs.answers import ProductScore, Recommendation, WantedTag
from tagloom.recs.experts.contract import Ints
from tagloom.recs.fit import Listeners, fit_recommender
from tagloom.recs.fitted import Fitted
from tagloom.recs.measured import Measured, measured
from tagloom.recs.rules import Rules
from tagloom.recs.showing import Today
from tagloom.recs.storage import load_fitted, save_fitted

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.nn.training import Trained
    from tagloom.recs.search.answers import SearchAnswer
    from tagloom.tags.tagger import Tagger

__all__ = ["JOB", "ProductScore", "Recommendation", "Recommender", "WantedTag"]

JOB = "recs"


class Recommender:
    """Recommends products and tags from what a user did.

    Args:
        settings: keys of `[recommender]` in tagloom.toml; what is left out has its default.

    >>> products = Products.of([{"product_id": name, "title": name} for name in ("tea", "cup", "pot")])
    >>> events = Events.of(
    ...     [{"user_id": f"u{user}", "action": "purchase", "time": datetime(2026, 1, 1 + day), "product_id": name}
    ...         for user in range(9) for day, name in enumerate(("tea", "cup", "pot"))])
    >>> recommender = Recommender(model="neighbours", split="last").fit(products, events)
    >>> [found.product_id for found in recommender.products(history=["tea"], top=1)]
    ['cup']
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self._fitted: Fitted | None = None

    def fit(
        self,
        products: Products,
        events: Events,
        *,
        tagger: tuple[Tagger, Ints] | None = None,
        vocabulary: Vocabulary | None = None,
        custom_words: Sequence[str] = (),
        search: SearchSettings | None = None,
        log_folder: Path | None = None,
        checkpoint: Path | None = None,
        progress: Callable[[str, int, dict[str, float]], object] | None = None,
    ) -> Recommender:
        """Learn from a catalogue and a log; starts anew each time. A fit that fails leaves the Recommender as it was.

        Args:
            products: the catalogue, with clean tags.
            events: what users did. Events on products that are not in the catalogue are left out, repeated ones too.
            tagger: reads texts for `tags`, with the rows of products that it was not trained on; None trains a small
                one on four fifths of the products.
            vocabulary: gives the tags' stable ids.
            custom_words: words and brands that are never split.
            search: how the search learns; None: it does not.
            log_folder: where TensorBoard curves go, a folder for each expert.
            checkpoint: a folder from which training that was broken off goes on, to the same result.
            progress: told the expert, pass number and figures after each pass.

        Raises:
            SettingsError: a setting is unknown or out of range, or the step size so large that nothing was learned.
            DataError: nobody took two products.
        """
        self._fitted = fit_recommender(
            products,
            events,
            self._checked(),
            vocabulary=vocabulary,
            custom_words=custom_words,
            tagger=tagger,
            search=search,
            listeners=Listeners(log_folder, checkpoint, progress),
        )
        return self

    @property
    def contributions(self) -> tuple[dict[str, Any], ...]:
        """Of each expert its `weight`, and nDCG@10 on valid: `alone`, of the blend `without` it, of all `together`."""
        return self._ready.contributions

    @property
    def rules(self) -> Rules:
        """The shop's rules, which hold where a question gives none of its own."""
        showing = self._ready.showing
        return Rules() if showing is None else showing.rules

    @property
    def trained(self) -> dict[str, Trained]:
        """How training of each network went, right after `fit`; empty after `load`."""
        return dict(self._ready.trained)

    def products(
        self,
        user_id: str | None = None,
        *,
        history: Iterable[Entry] | None = None,
        top: int = 10,
        rules: Rules | None = None,
        why: bool = False,
    ) -> Recommendation[ProductScore]:
        """The products that a user is likely to take next.

        Args:
            user_id: a user of the log; of one who is not in it nothing is known.
            history: instead, what somebody did: product ids (purchases), pairs such as `("view", "p1")` and
                `("search", "红色 裙子")`, or dicts with the fields of an event.
            top: most products, from 1.
            rules: what may be shown, and in which mixture; None: the shop's. What is out of stock, expired or hidden is
                never shown.
            why: tell of each product which events and which tags carried it; see `Because`.

        Raises:
            NotFittedError: before `fit` or `load`; with rules also before `seeing`.
            UserError: not one of user and history, a wrong entry, a name in the rules that the catalogue does not have,
                or `top` below 1.
        """
        fitted = self._ready
        asked = asking.of(fitted, user_id, history, top)
        (found,) = asking.products(fitted, asked, top, rules)
        return asking.with_reasons(fitted, asked, found) if why else found

    def for_users(
        self, user_ids: Iterable[str], top: int = 10, *, rules: Rules | None = None
    ) -> Iterator[Recommendation[ProductScore]]:
        """`products` of many users, one after the other; computed together, which is many times as fast.

        Raises:
            NotFittedError, UserError: as `products`.
        """
        return asking.for_users(self._ready, user_ids, top, rules)

    def tags(
        self,
        user_id: str | None = None,
        *,
        history: Iterable[Entry] | None = None,
        product: str | None = None,
        texts: str | Sequence[str] = (),
        top: int = 5,
    ) -> Recommendation[WantedTag]:
        """The tags that a user is likely to want next; with a product or texts, those of theirs that this user wants.

        Args:
            user_id, history: as for `products`.
            product: the id of a product of the catalogue.
            texts: one product's text, or several: a tag is then as sure as for the text that it fits best.
            top: most tags, from 1.

        Raises:
            NotFittedError: before `fit` or `load`; with a product or texts also when no tags could be learned.
            UserError: not one of user and history, both product and texts, an unknown product, or `top` below 1.
        """
        fitted = self._ready
        return asking.tags(fitted, asking.of(fitted, user_id, history, top), product, texts, top)

    def search(
        self,
        query: str,
        user_id: str | None = None,
        *,
        history: Iterable[Entry] | None = None,
        top: int = 10,
        rules: Rules | None = None,
    ) -> SearchAnswer:
        """Products and tags for a query, in the order of this user's taste where there is one.

        Args:
            query: words in any spelling and language; there is no query syntax.
            user_id, history: as for `products`; neither: nobody.
            top: most products, and most tags, from 1.
            rules: what may be shown; their mixture is for recommendations alone.

        Raises:
            NotFittedError: before `fit`, after a `fit` without search, or after `load` before `seeing`.
            UserError: the query is no text, both user and history, or `top` below 1.
        """
        return asking.search(self._ready, query, (user_id, history), top, rules)

    def suggest(self, typed: str, top: int = 10) -> tuple[str, ...]:
        """Whole queries that begin like what is typed, the most searched first.

        Raises:
            NotFittedError, UserError: as `search`.
        """
        return asking.finding(self._ready).suggest(typed, top)

    def seeing(
        self, products: Products, events: Events | None = None, now: datetime | None = None, today: Today | None = None
    ) -> Recommender:
        """The same Recommender with the catalogue and the log of now; nothing is trained.

        A product that came since is recommended and found by its tags and its text, a user who came since by what they
        did.

        Args:
            products: all of them; those that are missing are recommended no more.
            events: everybody's; None: nobody's.
            now: what is later than this is left out; None: nothing is.
            today: what else the shop says of today, such as its rules; None: nothing.
        """
        return self._with(asking.seeing(self._ready, products, events, now, today or Today()))

    def named_by(self, vocabulary: Vocabulary) -> Recommender:
        """The same Recommender with the vocabulary's names of today; the search takes them when it sees products."""
        return self._with(self._ready.named_by(vocabulary))

    def evaluate(self, before: Events, after: Events) -> Measured:
        """Measure on what users did after the log that was learned from.

        Args:
            before: what is known of them.
            after: what they did then.

        Raises:
            NotFittedError: before `fit` or `load`.
            DataError: nobody is in both.
        """
        return measured(self._ready, before, after)

    def save(
        self, path: str | Path, *, data: dict[str, Any] | None = None, metrics: dict[str, Any] | None = None
    ) -> None:
        """Write a model version; see `tagloom.artifact`. It holds nobody's history.

        Args:
            path: a folder that does not exist yet.
            data: what it was trained on, for the manifest.
            metrics: how good it is, for the manifest.

        Raises:
            ArtifactError: `path` exists.
        """
        fitted = self._ready
        with new_artifact(Path(path), JOB, self._checked().model_dump(), data or {}, metrics or {}) as folder:
            save_fitted(fitted, folder)

    @classmethod
    def load(cls, path: str | Path) -> Recommender:
        """Read a model version, every file checked. It knows no user until `seeing`; a history can be given by hand.

        Raises:
            ArtifactError: damaged, incomplete, for another job, or written by a newer tagloom.
        """
        folder = Path(path)
        manifest = check_artifact(folder, JOB)
        recommender = cls(**manifest.settings)
        recommender._fitted = load_fitted(folder, recommender._checked())
        return recommender

    def _with(self, fitted: Fitted) -> Recommender:
        other = Recommender(**self.settings)
        other._fitted = fitted
        return other

    @property
    def _ready(self) -> Fitted:
        if self._fitted is None:
            raise NotFittedError(
                "this Recommender has learned nothing yet; call fit(products, events) or Recommender.load(path) first"
            )
        return self._fitted

    def _checked(self) -> RecommenderSettings:
        return settings_from({"recommender": self.settings}, "Recommender").recommender
