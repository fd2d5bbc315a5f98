"""What a Tagger has learned, and how it answers: scores to tags with confidence and the words that carried them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.errors import VocabularyError
from tagloom.measure.tagging import top_columns
from tagloom.tags.calibrate import Calibration
from tagloom.tags.features import Features
from tagloom.tags.models import TagModel, load_model, save_model

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.nn.training import Trained

Floats = npt.NDArray[np.floating[Any]]

_FILE = "tagger.json"
_BECAUSE = 3
_LEFT_OUT = -1


@dataclass(frozen=True)
class Word:
    """A word of the text, or a run of words with a blank between them, and what it added to a tag's score."""

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
class Fitted:
    """A model, and what its columns mean today.

    Args:
        features: texts to rows.
        model: rows to scores [B, M].
        names: [M] the tag's name of each column; columns of tags that were merged since have the same.
        ids: [M] the tag's id of each column today; -1 where the tag is no more.
        fitted_ids: [M] the ids when the model was trained.
        calibration: scores to confidences.
        threshold: confidence from which a tag is given.
        trained: how training went.
    """

    features: Features
    model: TagModel
    names: tuple[str, ...]
    ids: tuple[int, ...]
    fitted_ids: tuple[int, ...]
    calibration: Calibration
    threshold: float
    trained: Trained | None = None

    @cached_property
    def _columns(self) -> dict[int, list[int]]:
        """The columns of each tag, by the tag's id: one, or several where tags were merged."""
        columns: dict[int, list[int]] = {}
        for column, tag in enumerate(self.ids):
            if tag != _LEFT_OUT:
                columns.setdefault(tag, []).append(column)
        return columns

    @cached_property
    def tag_ids(self) -> tuple[int, ...]:
        """[L] the tags' ids, each once."""
        return tuple(self._columns)

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """[L] the tags' names, each once."""
        return tuple(self.names[columns[0]] for columns in self._columns.values())

    def confidences(self, rows: Any) -> Floats:
        """CSR features [B, V] -> confidence of each tag [B, L]."""
        return self.calibration.confidences(self._by_tag(self.model.scores(rows)))

    def answers(self, rows: Any, top: int, least: float, because: bool) -> Iterator[list[TagScore]]:
        """CSR features [B, V] -> for each text at most `top` tags with a confidence of `least` or more."""
        scores = self.model.scores(rows)  # [B, M]
        by_tag = self._by_tag(scores)  # [B, L]
        best = top_columns(by_tag, top)  # [B, K], chosen by score: confidences near 1 may be equal
        confidences = self.calibration.confidences(np.take_along_axis(by_tag, best, 1))  # [B, K]
        for ix in range(rows.shape[0]):
            start, end = rows.indptr[ix], rows.indptr[ix + 1]
            # A text without one known word is no ground for any tag.
            count = int((confidences[ix] >= least).sum()) if start < end else 0
            chosen = best[ix, :count]
            words: list[tuple[Word, ...]] = [()] * count
            if because and count:
                columns = np.array([self._column(tag_ix, scores[ix]) for tag_ix in chosen])
                words = self._because(rows.indices[start:end], rows.data[start:end], columns)
            yield [
                TagScore(self.tags[tag_ix], float(confidences[ix, rank]), words[rank], self.tag_ids[tag_ix])
                for rank, tag_ix in enumerate(chosen)
            ]

    def named_by(self, vocabulary: Vocabulary) -> Fitted:
        """The same model with the vocabulary's names of today; tags that it no longer knows are not given.

        Raises:
            VocabularyError: it knows none of them.
        """
        live = [vocabulary.resolve(tag) for tag in self.fitted_ids]
        if all(tag is None for tag in live):
            raise VocabularyError(
                f"none of the model's {len(live)} tags is in this vocabulary; use that of the shop it was trained in"
            )
        names = (old if tag is None else vocabulary.tag(tag).name for tag, old in zip(live, self.names, strict=True))
        ids = (_LEFT_OUT if tag is None else tag for tag in live)
        return replace(self, names=tuple(names), ids=tuple(ids))

    def save(self, folder: Path) -> None:
        """Write `tagger.json`, the features and the weights."""
        about = {
            "names": self.names,
            "ids": self.ids,
            "fitted_ids": self.fitted_ids,
            "slope": self.calibration.slope,
            "offset": self.calibration.offset,
            "threshold": self.threshold,
        }
        (folder / _FILE).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        self.features.save(folder)
        save_model(self.model, folder)

    @classmethod
    def load(cls, folder: Path, encoder: str) -> Fitted:
        """Read what `save` wrote."""
        about = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return cls(
            Features.load(folder),
            load_model(encoder, folder),
            tuple(about["names"]),
            tuple(about["ids"]),
            tuple(about["fitted_ids"]),
            Calibration(about["slope"], about["offset"]),
            about["threshold"],
        )

    def _by_tag(self, scores: Floats) -> Floats:
        """[B, M] -> [B, L]: of the columns of a merged tag the largest."""
        columns = list(self._columns.values())
        if len(columns) == len(self.ids):
            return scores
        starts = np.cumsum([0, *(len(some) for some in columns[:-1])])
        merged: Floats = np.maximum.reduceat(scores[:, np.concatenate(columns)], starts, axis=1)
        return merged

    def _column(self, tag_ix: int, scores: Floats) -> int:
        """The column that gave a tag its score."""
        columns = self._columns[self.tag_ids[tag_ix]]
        return columns[0] if len(columns) == 1 else columns[int(scores[columns].argmax())]

    def _because(self, features: Any, weights: Any, columns: npt.NDArray[Any]) -> list[tuple[Word, ...]]:
        """For each of K columns the words of one text that carried it."""
        carried = self.model.carried(features, weights, columns)  # [N, K]
        order = np.argsort(-carried, axis=0, kind="stable")
        found = []
        for rank in range(len(columns)):
            strongest = (ix for ix in order[:, rank] if carried[ix, rank] > 0)
            found.append(_distinct((self.features.terms[features[ix]], float(carried[ix, rank])) for ix in strongest))
        return found


def _distinct(terms: Iterator[tuple[str, float]]) -> tuple[Word, ...]:
    """The strongest terms, without those that share a word with a stronger one: `soft`, not also `very soft`."""
    chosen: list[Word] = []
    seen: set[str] = set()
    for term, weight in terms:
        words = term.split(" ")
        if seen.isdisjoint(words):
            chosen.append(Word(_as_written(words), weight))
            seen.update(words)
        if len(chosen) == _BECAUSE:
            break
    return tuple(chosen)


def _as_written(words: list[str]) -> str:
    """A run of words as it stands in a text: Chinese without blanks."""
    joined = words[0]
    for before, word in itertools.pairwise(words):
        joined += word if max(before[-1], word[0]) > "\u2e7f" else f" {word}"
    return joined
