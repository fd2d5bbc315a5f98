"""The Tagger: product text in, tags with confidence and the words that carried them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.artifact import check_artifact, new_artifact
from tagloom.config import TaggerSettings, settings_from
from tagloom.data.tables import Products
from tagloom.errors import DataError, NotFittedError, UserError
from tagloom.measure.evaluation import Evaluation
from tagloom.measure.tagging import TagMetrics
from tagloom.tags.because import Word
from tagloom.tags.decide import Bools, Floats, allowed_tags
from tagloom.tags.features import chunks
from tagloom.tags.fit import fit_tagger, tagged
from tagloom.tags.fitted import Asked, Fitted, TagScore
from tagloom.tags.measured import measured
from tagloom.tags.storage import load_fitted, save_fitted

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.data.words.wordvectors import WordVectors
    from tagloom.nn.training import Trained

__all__ = ["JOB", "TagScore", "Tagger", "Word"]

JOB = "tags"


class Tagger:
    """Tags products from their text.

    Args:
        settings: keys of `[tagger]` in tagloom.toml; what is left out has its default.

    >>> products = Products.of(
    ...     [{"product_id": str(n), "title": f"{text} {n}", "tags": [tag]} for n, (text, tag) in enumerate(
    ...         [("红色连衣裙", "女装"), ("蓝色连衣裙", "女装"), ("拍照手机", "数码"), ("大屏手机", "数码")] * 10)])
    >>> tagger = Tagger().fit(products)
    >>> [score.tag for score in tagger.suggest("绿色连衣裙")[0][:1]]
    ['女装']
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self._fitted: Fitted | None = None

    def fit(
        self,
        train: Products,
        valid: Products | None = None,
        *,
        vocabulary: Vocabulary | None = None,
        custom_words: Sequence[str] = (),
        word_vectors: WordVectors | None = None,
        log_folder: Path | None = None,
        checkpoint: Path | None = None,
        progress: Callable[[str, int, dict[str, float]], object] | None = None,
    ) -> Tagger:
        """Learn from tagged products; starts anew each time. A fit that fails leaves the Tagger as it was.

        Args:
            train: products with clean tags.
            valid: products for stopping, blend, calibration and thresholds; None takes a tenth of `train` away. Tags
                that are not in `train` are no part of it, and of more than 20,000 products so many are drawn.
            vocabulary: gives the tags' stable ids, aliases and parents; without it ids are the tags' positions.
            custom_words: words and brands that are never split.
            word_vectors: to start the networks from.
            log_folder: where TensorBoard curves go, a folder for each expert.
            checkpoint: a folder from which training that was broken off goes on, to the same result.
            progress: told the expert, pass number and figures after each pass; passes that only try a step size have
                number 0.

        Raises:
            SettingsError: a setting is unknown or out of range, or the step size so large that nothing was learned.
            DataError: no product has a tag, or too few products.
            VocabularyError: a tag is not in the vocabulary.
        """
        self._fitted = fit_tagger(
            train,
            valid,
            self._checked(),
            vocabulary=vocabulary,
            custom_words=custom_words,
            word_vectors=word_vectors,
            log_folder=log_folder,
            checkpoint=checkpoint,
            progress=progress,
        )
        return self

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that can be given, in the order of `confidences`' columns."""
        return self._ready.tags

    @property
    def tag_ids(self) -> tuple[int, ...]:
        """Their stable ids."""
        return self._ready.tag_ids

    @property
    def threshold(self) -> float:
        """The confidence from which a tag is given: the one that made micro-F1 highest on valid."""
        return self._ready.threshold

    @property
    def trained(self) -> dict[str, Trained]:
        """How training of each expert that learns in passes went, right after `fit`; empty after `load`."""
        return dict(self._ready.trained)

    @property
    def contributions(self) -> tuple[dict[str, Any], ...]:
        """What each expert adds: its `weight`, and nDCG@10 on valid, `alone` and of the blend `without` it."""
        return self._ready.contributions

    @property
    def families(self) -> tuple[tuple[str, ...], ...]:
        """The tags of which a product has one at most, as the training data showed."""
        fitted = self._ready
        return tuple(tuple(fitted.tags[tag] for tag in family) for family in fitted.decision.families)

    def suggest(
        self,
        texts: str | Sequence[str] | Products,
        top: int = 5,
        *,
        threshold: float | None = None,
        precision: float | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        without: str = "",
        because: bool = True,
    ) -> list[list[TagScore]]:
        """The tags of each text, the surest first; an empty list where none is sure enough.

        Args:
            texts: one text, several, or products.
            top: most tags for a text, from 1.
            threshold: least confidence; None takes the Tagger's own, 0 gives `top` tags to every text in which it
                knows a word, several of an exclusive family among them.
            precision: instead of a threshold, the share of given tags that shall be right, 0.5 to 0.99; each tag then
                has a threshold of its own. None takes `tagger.precision`.
            include: give these tags alone; a name, or `attribute=*` for all of its values. None: `tagger.include`.
            exclude: never give these.
            without: the name of an expert that is left out.
            because: also find the words that carried each tag.

        Returns:
            One list for each text.

        Raises:
            NotFittedError: before `fit` or `load`.
            UserError: a text is no string, `top` is below 1, `threshold` or `precision` out of range or both given, a
                rule that fits no tag, or no such expert.
        """
        fitted = self._ready
        given = checked_texts(texts)
        if top < 1:
            raise UserError(f"top: expected a whole number from 1, came {top}")
        if threshold is not None and precision is not None:
            raise UserError("threshold and precision: give one of the two")
        if threshold is not None and not 0 <= threshold <= 1:
            raise UserError(f"threshold: expected a confidence from 0 to 1, came {threshold}")
        least = self._least(precision) if threshold is None else threshold
        if without:
            fitted.blend.leaving_out(without)
        asked = Asked(top, least, self._allowed(include, exclude), threshold != 0, because, without)
        answers: list[list[TagScore]] = []
        for rows in chunks(len(given), len(fitted.tags)):
            answers += fitted.answers(fitted.features.read(given[rows]), asked)
        return answers

    def confidences(self, texts: Sequence[str], *, without: str = "") -> Iterator[Floats]:
        """Confidence of every tag, batch by batch: arrays [B, L] over all texts, in order."""
        fitted, texts = self._ready, checked_texts(texts)
        for rows in chunks(len(texts), len(fitted.tags)):
            yield fitted.confidences(fitted.features.read(texts[rows]), without)

    def given(self, confidences: Floats, precision: float | None = None) -> Bools:
        """Which tags are given for confidences [B, L]: thresholds, one of each exclusive family, the settings' rules.

        Args:
            confidences: as `confidences` gives them.
            precision: as for `suggest`.
        """
        return self._ready.decision.given(confidences, self._least(precision), self._allowed((), ()))

    def with_tag(
        self, name: str, aliases: Sequence[str] = (), examples: Sequence[str] = (), *, tag_id: int | None = None
    ) -> Tagger:
        """A Tagger that also gives a tag it was not trained on, from a few example texts, or from its name alone.

        Nothing is trained: the new tag is compared with what the Tagger knows. A tag with many examples is better
        trained.

        Args:
            name: of the tag.
            aliases: other ways it is written.
            examples: texts that have it; five say much more than none.
            tag_id: the vocabulary's id; None: one above the largest.

        Raises:
            NotFittedError: before `fit` or `load`.
            UserError: the tag or its id is known already, no example has a word that the Tagger knows, or there are
                neither examples nor a name with letters in it.
        """
        other = Tagger(**self.settings)
        other._fitted = self._ready.with_newcomer(name, aliases, checked_texts(examples), tag_id)
        return other

    def evaluate(self, products: Products) -> TagMetrics:
        """Measure on tagged products that were not trained on; tags the Tagger does not know count as missed.

        Also a text without a known word is ranked. Before `fit` or `load` a `NotFittedError`.

        Raises:
            DataError: no product has a tag.
        """
        return self.evaluation(products).figures

    def evaluation(self, products: Products) -> Evaluation:
        """The figures of `evaluate` with all that explains them: worst tags and products, calibration, experts."""
        fitted = self._ready
        products = tagged(products)
        if not len(products):
            raise DataError("no tagged products to measure on; give some with tags")
        answers = ((sure, self.given(sure)) for sure in self.confidences(products.texts.to_list()))
        return measured(fitted, products, answers)

    def named_by(self, vocabulary: Vocabulary) -> Tagger:
        """The same Tagger with the vocabulary's names of today, for one that was fitted with an older state of it.

        Renamed tags go by their new name; merged ones are one, with the larger confidence; a tag that is no longer in
        the vocabulary is not given.

        Raises:
            NotFittedError: before `fit` or `load`.
            VocabularyError: the vocabulary knows none of the tags.
        """
        other = Tagger(**self.settings)
        other._fitted = self._ready.named_by(vocabulary)
        return other

    def save(
        self, path: str | Path, *, data: dict[str, Any] | None = None, metrics: dict[str, Any] | None = None
    ) -> None:
        """Write a model version into a new folder, with `data` and `metrics` in its manifest; see `tagloom.artifact`.

        Raises:
            ArtifactError: `path` exists.
        """
        fitted = self._ready
        with new_artifact(Path(path), JOB, self._checked().model_dump(), data or {}, metrics or {}) as folder:
            save_fitted(fitted, folder)

    @classmethod
    def load(cls, path: str | Path) -> Tagger:
        """Read a model version, every file checked.

        Raises:
            ArtifactError: damaged, incomplete, for another job, or written by a newer tagloom.
        """
        folder = Path(path)
        manifest = check_artifact(folder, JOB)
        tagger = cls(**manifest.settings)
        tagger._checked()
        tagger._fitted = load_fitted(folder)
        return tagger

    @property
    def _ready(self) -> Fitted:
        if self._fitted is None:
            raise NotFittedError("this Tagger has learned nothing yet; call fit(products) or Tagger.load(path) first")
        return self._fitted

    def _checked(self) -> TaggerSettings:
        return settings_from({"tagger": self.settings}, "Tagger").tagger

    def _least(self, precision: float | None) -> Floats | float:
        promise = self._checked().precision or None if precision is None else precision
        return self._ready.decision.thresholds(promise)

    def _allowed(self, include: Sequence[str], exclude: Sequence[str]) -> Bools | None:
        settings = self._checked()
        return allowed_tags(self._ready.tags, include or settings.include, exclude, settings.exclude)


def checked_texts(texts: str | Sequence[str] | Products) -> list[str]:
    """One text, several, or products, as a list; a `UserError` for an entry that is no string."""
    if isinstance(texts, str):
        return [texts]
    given = texts.texts.to_list() if isinstance(texts, Products) else list(texts)
    for ix, text in enumerate(given):
        if not isinstance(text, str):
            raise UserError(f"texts, entry {ix}: expected a string, came {text!r} ({type(text).__name__})")
    return given
