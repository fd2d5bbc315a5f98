"""The Tagger: product text in, tags with confidence and the words that carried them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.artifact import check_artifact, new_artifact
from tagloom.config import TaggerSettings, settings_from
from tagloom.data.split import hold_out, take
from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError, NotFittedError, UserError
from tagloom.measure.tagging import TagMetrics, best_threshold, tag_metrics
from tagloom.tags.calibrate import Calibration
from tagloom.tags.features import Features
from tagloom.tags.fitted import Fitted, TagScore, Word
from tagloom.tags.models import MODELS, Progress, TrainingData

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.data.words.wordvectors import WordVectors
    from tagloom.nn.training import Trained

__all__ = ["JOB", "TagScore", "Tagger", "Word"]

JOB = "tags"
_BATCH = 1_024
_VALID_SHARE = 0.1
# More than this makes stopping, calibration and threshold no better, and every pair of product and tag takes room.
_MOST_VALID = 20_000


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
        progress: Progress | None = None,
    ) -> Tagger:
        """Learn from tagged products; starts anew each time. A fit that fails leaves the Tagger as it was.

        Args:
            train: products with clean tags.
            valid: products for stopping, calibration and the threshold; None takes a tenth of `train` away. Tags that
                are not in `train` are no part of it, and of more than 20,000 products so many are drawn.
            vocabulary: gives the tags' stable ids; without it ids are the tags' positions.
            custom_words: words and brands that are never split.
            word_vectors: to start the bag encoder from.
            log_folder: where TensorBoard curves go.
            progress: told pass number and figures after each pass; passes that only try a step size have number 0.

        Raises:
            SettingsError: a setting is unknown or out of range, or the step size so large that nothing was learned.
            DataError: no product has a tag, or too few products.
            VocabularyError: a tag is not in the vocabulary.
        """
        settings = self._checked()
        train, valid = _tagged_parts(train, valid, settings.seed)
        tags = sorted(set(train.frame["tags"].explode().drop_nulls()))
        ids = tuple(range(len(tags)))
        if vocabulary is not None:
            tags = sorted(tags, key=lambda name: vocabulary.tag(name).id)
            ids = tuple(vocabulary.tag(name).id for name in tags)
        features = Features.fit(train.texts, settings, WordSplitter(tuple(custom_words)))
        data = TrainingData(
            features,
            (features.rows(train.texts), _truth(train, tags)),
            (features.rows(valid.texts), _truth(valid, tags)),
            word_vectors,
            log_folder,
            progress,
        )
        model, trained = MODELS[settings.encoder].fit(data, settings)
        scores, truth = model.scores(data.valid[0]), data.valid[1].toarray()
        calibration = Calibration.fit(scores, truth, settings.seed)
        threshold = best_threshold(calibration.confidences(scores), truth)
        self._fitted = Fitted(features, model, tuple(tags), ids, ids, calibration, threshold, trained)
        return self

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that can be given, in the order of `confidences`' columns."""
        return self._ready.tags

    @property
    def threshold(self) -> float:
        """The confidence from which a tag is given: the one that made micro-F1 highest on valid."""
        return self._ready.threshold

    @property
    def trained(self) -> Trained | None:
        """How training went, right after `fit`; None after `load` and for models that need no passes."""
        return self._ready.trained

    def suggest(
        self,
        texts: str | Sequence[str] | Products,
        top: int = 5,
        *,
        threshold: float | None = None,
        because: bool = True,
    ) -> list[list[TagScore]]:
        """The tags of each text, the surest first; an empty list where none is sure enough.

        Args:
            texts: one text, several, or products.
            top: most tags for a text, from 1.
            threshold: least confidence; None takes the Tagger's own, 0 gives `top` tags to every text in which it
                knows a word.
            because: also find the words that carried each tag.

        Returns:
            One list for each text.

        Raises:
            NotFittedError: before `fit` or `load`.
            UserError: a text is no string, `top` is below 1, or `threshold` is outside 0 to 1.
        """
        fitted = self._ready
        given = _as_texts(texts)
        if top < 1:
            raise UserError(f"top: expected a whole number from 1, came {top}")
        least = fitted.threshold if threshold is None else threshold
        if not 0 <= least <= 1:
            raise UserError(f"threshold: expected a confidence from 0 to 1, came {threshold}")
        answers: list[list[TagScore]] = []
        for start in range(0, len(given), _BATCH):
            answers += fitted.answers(fitted.features.rows(given[start : start + _BATCH]), top, least, because)
        return answers

    def confidences(self, texts: Sequence[str]) -> Iterator[npt.NDArray[np.floating[Any]]]:
        """Confidence of every tag, batch by batch: arrays [B, L] over all texts, in order."""
        fitted = self._ready
        for start in range(0, len(texts), _BATCH):
            yield fitted.confidences(fitted.features.rows(texts[start : start + _BATCH]))

    def evaluate(self, products: Products) -> TagMetrics:
        """Measure on tagged products that were not trained on; tags the Tagger does not know count as missed.

        Every text is ranked, also one without a known word, which `suggest` gives no tag.

        Raises:
            NotFittedError: before `fit` or `load`.
            DataError: no product has a tag.
        """
        fitted = self._ready
        products = _tagged(products)
        if not len(products):
            raise DataError("no tagged products to measure on; give some with tags")
        unknown = sorted(set(products.frame["tags"].explode().drop_nulls()) - set(fitted.tags))
        truth = _truth(products, [*fitted.tags, *unknown])
        texts = products.texts.to_list()

        def batches() -> Iterator[tuple[Any, Any]]:
            for number, known in enumerate(self.confidences(texts)):
                nothing = np.full((len(known), len(unknown)), -np.inf)
                start = number * _BATCH
                yield np.hstack([known, nothing]), truth[start : start + len(known)].toarray()

        return tag_metrics(batches(), fitted.threshold)

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
        """Write a model version; see `tagloom.artifact`.

        Args:
            path: a folder that does not exist yet.
            data: what it was trained on, for the manifest.
            metrics: how good it is, for the manifest.

        Raises:
            ArtifactError: `path` exists.
        """
        fitted = self._ready
        with new_artifact(Path(path), JOB, self._checked().model_dump(), data or {}, metrics or {}) as folder:
            fitted.save(folder)

    @classmethod
    def load(cls, path: str | Path) -> Tagger:
        """Read a model version, every file checked.

        Raises:
            ArtifactError: damaged, incomplete, for another job, or written by a newer tagloom.
        """
        folder = Path(path)
        manifest = check_artifact(folder, JOB)
        tagger = cls(**manifest.settings)
        tagger._fitted = Fitted.load(folder, tagger._checked().encoder)
        return tagger

    @property
    def _ready(self) -> Fitted:
        if self._fitted is None:
            raise NotFittedError("this Tagger has learned nothing yet; call fit(products) or Tagger.load(path) first")
        return self._fitted

    def _checked(self) -> TaggerSettings:
        return settings_from({"tagger": self.settings}, "Tagger").tagger


def _as_texts(texts: str | Sequence[str] | Products) -> list[str]:
    if isinstance(texts, str):
        return [texts]
    given = texts.texts.to_list() if isinstance(texts, Products) else list(texts)
    for ix, text in enumerate(given):
        if not isinstance(text, str):
            raise UserError(f"texts, entry {ix}: expected a string, came {text!r} ({type(text).__name__})")
    return given


def _tagged_parts(train: Products, valid: Products | None, seed: int) -> tuple[Products, Products]:
    """Train and valid without the untagged: no tag on a product says that nobody tagged it yet, not that none fits."""
    train = _tagged(train)
    if not len(train):
        raise DataError("no products with tags to learn from; import products with tags, or lower tags.min_support")
    if valid is None:
        rest, held_out = hold_out(train, _VALID_SHARE, seed)
        train, valid = take(train, rest), take(train, held_out)
    valid = _tagged(valid)
    if not len(valid):
        raise DataError("no tagged products are left for valid; import more, or raise split.valid")
    if len(valid) > _MOST_VALID:
        drawn = np.random.default_rng(seed).choice(len(valid), _MOST_VALID, replace=False)
        valid = take(valid, np.sort(drawn))
    return train, valid


def _tagged(products: Products) -> Products:
    return Products(products.frame.filter(products.frame["tags"].list.len() > 0))


def _truth(products: Products, tags: Sequence[str]) -> Any:
    """CSR matrix [P, L] of the products' tags; tags that are not in the list are left out."""
    import polars as pl
    from scipy.sparse import csr_matrix

    columns = pl.DataFrame(
        {"tags": list(tags), "column": range(len(tags))}, schema={"tags": pl.String, "column": pl.Int64}
    )
    pairs = products.frame.select("tags").with_row_index("row").explode("tags").join(columns, on="tags")
    pairs = pairs.unique(["row", "column"])
    ones = np.ones(pairs.height, np.float32)
    return csr_matrix((ones, (pairs["row"], pairs["column"])), shape=(len(products), len(tags)))
