"""The Tagger: product text in, tags with confidence and the words that carried them out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.artifact import check_artifact, new_artifact
from tagloom.config import SplitSettings, TaggerSettings, settings_from
from tagloom.data.split import kfold, take
from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError, NotFittedError
from tagloom.measure.tagging import TagMetrics, best_threshold, tag_metrics
from tagloom.tags.calibrate import Calibration
from tagloom.tags.features import Features
from tagloom.tags.models import MODELS, Progress, TagModel, TrainingData, load_model, save_model

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.data.words.wordvectors import WordVectors
    from tagloom.nn.training import Trained

JOB = "tags"
_BATCH = 1_024
_BECAUSE = 3
_VALID_FOLDS = 10


@dataclass(frozen=True)
class Word:
    """A word (or run of words) of the text and what it added to a tag's score."""

    text: str
    weight: float


@dataclass(frozen=True)
class TagScore:
    """A tag, how sure the Tagger is (0 to 1), and the words that carried it, the strongest first."""

    tag: str
    confidence: float
    because: tuple[Word, ...] = ()
    tag_id: int = -1


@dataclass(frozen=True, eq=False)
class _Fitted:
    features: Features
    model: TagModel
    tags: tuple[str, ...]
    tag_ids: tuple[int, ...]
    calibration: Calibration
    threshold: float
    trained: Trained | None = None


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
        self._fitted: _Fitted | None = None

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
        """Learn from tagged products; starts anew each time.

        Args:
            train: products with clean tags.
            valid: products for stopping, calibration and the threshold; None takes a tenth of `train` away.
            vocabulary: gives the tags' stable ids; without it ids are the tags' positions.
            custom_words: words and brands that are never split.
            word_vectors: to start the bag encoder from.
            log_folder: where TensorBoard curves go.
            progress: told pass number and figures after each pass.

        Raises:
            SettingsError: a setting is unknown or out of range.
            DataError: no product has a tag, or too few products.
        """
        settings = self._checked()
        if valid is None:
            rest, held_out = next(kfold(train, _VALID_FOLDS, SplitSettings(seed=settings.seed)))
            train, valid = take(train, rest), take(train, held_out)
        # A product without any tag says nobody tagged it yet, not that no tag fits.
        train, valid = _tagged(train), _tagged(valid)
        tags = sorted(set(train.frame["tags"].explode().drop_nulls()))
        if not tags or not len(valid):
            raise DataError(
                "no products with tags to learn from; import products with tags, or lower tags.min_support"
                if not tags
                else "no tagged products are left for valid; import more, or raise split.valid"
            )
        if vocabulary is not None:
            tags = sorted(tags, key=lambda name: vocabulary.tag(name).id)
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
        ids = tuple(range(len(tags))) if vocabulary is None else tuple(vocabulary.tag(name).id for name in tags)
        self._fitted = _Fitted(features, model, tuple(tags), ids, calibration, threshold, trained)
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
            top: most tags for a text.
            threshold: least confidence; None takes the Tagger's own, 0 gives `top` tags to every text.
            because: also find the words that carried each tag.

        Returns:
            One list for each text.
        """
        fitted = self._ready
        given = (
            [texts] if isinstance(texts, str) else texts.texts.to_list() if isinstance(texts, Products) else list(texts)
        )
        least = fitted.threshold if threshold is None else threshold
        answers: list[list[TagScore]] = []
        for start in range(0, len(given), _BATCH):
            rows = fitted.features.rows(given[start : start + _BATCH])
            confidences = fitted.calibration.confidences(fitted.model.scores(rows))
            for ix, row in enumerate(confidences):
                # A text without one known word is no ground for any tag.
                chosen = _best(row, top, least) if rows.indptr[ix] < rows.indptr[ix + 1] else []
                answers.append([self._score(rows[ix] if because else None, tag_ix, row[tag_ix]) for tag_ix in chosen])
        return answers

    def confidences(self, texts: Sequence[str]) -> Iterator[npt.NDArray[np.floating[Any]]]:
        """Confidence of every tag, batch by batch: arrays [B, L] over all texts, in order."""
        fitted = self._ready
        for start in range(0, len(texts), _BATCH):
            rows = fitted.features.rows(texts[start : start + _BATCH])
            yield fitted.calibration.confidences(fitted.model.scores(rows))

    def evaluate(self, products: Products) -> TagMetrics:
        """Measure on tagged products that were not trained on; tags the Tagger does not know count as missed."""
        products = _tagged(products)
        fitted = self._ready
        unknown = sorted(set(products.frame["tags"].explode().drop_nulls()) - set(fitted.tags))
        truth = _truth(products, [*fitted.tags, *unknown])
        texts = products.texts.to_list()

        def batches() -> Iterator[tuple[Any, Any]]:
            for number, known in enumerate(self.confidences(texts)):
                nothing = np.full((len(known), len(unknown)), -1.0)
                start = number * _BATCH
                yield np.hstack([known, nothing]), truth[start : start + len(known)].toarray()

        return tag_metrics(batches(), fitted.threshold)

    def named_by(self, vocabulary: Vocabulary) -> Tagger:
        """The same Tagger with the vocabulary's names of today: renamed tags by their new name, merged ones as one."""
        fitted = self._ready
        live = [vocabulary.resolve(tag) for tag in fitted.tag_ids]
        names = [None if tag is None else vocabulary.tag(tag).name for tag in live]
        other = Tagger(**self.settings)
        kept = tuple(name if name is not None else old for name, old in zip(names, fitted.tags, strict=True))
        ids = tuple(tag if tag is not None else old for tag, old in zip(live, fitted.tag_ids, strict=True))
        other._fitted = replace(fitted, tags=kept, tag_ids=ids)
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
        about = {
            "tags": fitted.tags,
            "tag_ids": fitted.tag_ids,
            "slope": fitted.calibration.slope,
            "offset": fitted.calibration.offset,
            "threshold": fitted.threshold,
        }
        with new_artifact(Path(path), JOB, self._checked().model_dump(), data or {}, metrics or {}) as folder:
            (folder / "tagger.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
            fitted.features.save(folder)
            save_model(fitted.model, folder)

    @classmethod
    def load(cls, path: str | Path) -> Tagger:
        """Read a model version, every file checked.

        Raises:
            ArtifactError: damaged, incomplete, for another job, or written by a newer tagloom.
        """
        folder = Path(path)
        manifest = check_artifact(folder, JOB)
        tagger = cls(**manifest.settings)
        about = json.loads((folder / "tagger.json").read_text(encoding="utf-8"))
        tagger._fitted = _Fitted(
            Features.load(folder),
            load_model(tagger._checked().encoder, folder),
            tuple(about["tags"]),
            tuple(about["tag_ids"]),
            Calibration(about["slope"], about["offset"]),
            about["threshold"],
        )
        return tagger

    @property
    def _ready(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError("this Tagger has learned nothing yet; call fit(products) or Tagger.load(path) first")
        return self._fitted

    def _checked(self) -> TaggerSettings:
        return settings_from({"tagger": self.settings}, "Tagger").tagger

    def _score(self, row: Any, tag_ix: int, confidence: float) -> TagScore:
        fitted = self._ready
        words = () if row is None else _because(fitted, row, tag_ix)
        return TagScore(fitted.tags[tag_ix], float(confidence), words, fitted.tag_ids[tag_ix])


def _because(fitted: _Fitted, row: Any, tag_ix: int) -> tuple[Word, ...]:
    carried = fitted.model.carried(row, tag_ix)
    strongest = np.argsort(-carried, kind="stable")[:_BECAUSE]
    return tuple(
        Word(fitted.features.terms[row.indices[ix]], float(carried[ix])) for ix in strongest if carried[ix] > 0
    )


def _best(row: npt.NDArray[Any], top: int, least: float) -> list[int]:
    some = np.argpartition(-row, top - 1)[:top] if top < len(row) else np.arange(len(row))
    return [int(ix) for ix in some[np.argsort(-row[some], kind="stable")] if row[ix] >= least]


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
