"""What a Tagger has learned, and how it answers: experts to scores, scores to confidences, confidences to given tags.

Shapes: B texts, M columns of the trained experts, N new tags since, L tags, K tags of an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.errors import UserError, VocabularyError
from tagloom.measure.tagging import top_columns
from tagloom.tags.because import Word, because, distinct
from tagloom.tags.blend import Blend
from tagloom.tags.calibrate import Calibration
from tagloom.tags.decide import Decision
from tagloom.tags.experts.contract import Expert
from tagloom.tags.experts.name import keys_of, spellings_of
from tagloom.tags.families import Families, family_log_odds
from tagloom.tags.features import Features, Reading
from tagloom.tags.models import NETWORKS
from tagloom.tags.newcomers import Judge, Newcomer

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.nn.training import Trained

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]

LEFT_OUT = -1


@dataclass(frozen=True)
class TagScore:
    """A tag, how sure the Tagger is (0 to 1), and the words that carried it, the strongest first."""

    tag: str
    confidence: float
    because: tuple[Word, ...] = ()
    tag_id: int = -1


@dataclass(frozen=True)
class Asked:
    """What is wanted of an answer.

    Args:
        top: most tags for a text.
        least: least confidence, of all tags or of each [L].
        allowed: which tags may be given, [L]; None: all.
        one_of_family: give at most one tag of an exclusive family.
        because: also find the words.
        without: an expert to leave out, or "".
    """

    top: int
    least: Floats | float
    allowed: Bools | None = None
    one_of_family: bool = True
    because: bool = True
    without: str = ""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The experts, how they are joined, and what their columns mean today.

    Args:
        features: what is read of texts.
        experts: by name.
        blend, calibration: scores to confidences.
        judge: confidences of new tags.
        names: [M + N] the tag's name of each column; columns of tags that were merged since have the same.
        ids: [M + N] the tag's id of each column today; -1 where the tag is no more.
        fitted_ids: [M + N] the ids when the column was made.
        families: columns of tags of which a product has one at most.
        scored_by_family: whether the networks learned with the family loss.
        parents: id of a tag -> id of its parent.
        threshold: confidence from which a tag is given.
        promised: [R, M + 1] least confidences for promised precisions; the last for tags without data.
        counts: [M] training products of each column.
        trained_on: how many products there were.
        contributions: what each expert adds, as rows for people.
        newcomers: new tags, in the order of their columns.
        trained: how training went, by expert; empty after loading.
    """

    features: Features
    experts: Mapping[str, Expert]
    blend: Blend
    calibration: Calibration
    judge: Judge
    names: tuple[str, ...]
    ids: tuple[int, ...]
    fitted_ids: tuple[int, ...]
    families: Families
    scored_by_family: bool
    parents: Mapping[int, int]
    threshold: float
    promised: Floats
    counts: Floats
    trained_on: int
    contributions: tuple[dict[str, Any], ...]
    newcomers: tuple[Newcomer, ...] = ()
    trained: Mapping[str, Trained] = field(default_factory=dict)

    # What the columns mean

    @cached_property
    def _columns(self) -> dict[int, list[int]]:
        """The columns of each tag, by the tag's id: one, or several where tags were merged."""
        columns: dict[int, list[int]] = {}
        for column, tag in enumerate(self.ids):
            if tag != LEFT_OUT:
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

    @cached_property
    def tag_counts(self) -> Floats:
        """[L] training products of each tag; of merged ones the sum, of new ones 0."""
        counts = np.append(self.counts, np.zeros(len(self.newcomers)))
        return np.array([counts[columns].sum() for columns in self._columns.values()])

    @cached_property
    def decision(self) -> Decision:
        """Thresholds, families and parents in terms of the tags of today."""
        place = {tag: ix for ix, tag in enumerate(self.tag_ids)}
        trained = self.promised.shape[1] - 1
        of_column = np.hstack(
            [self.promised[:, :trained], np.repeat(self.promised[:, -1:], len(self.newcomers), axis=1)]
        )
        promised = np.stack([of_column[:, columns].max(axis=1) for columns in self._columns.values()], axis=1)
        families: list[tuple[int, ...]] = []
        taken: set[int] = set()
        for family in self.families:
            members = {place[self.ids[column]] for column in family if self.ids[column] != LEFT_OUT} - taken
            if len(members) > 1:
                families.append(tuple(sorted(members)))
                taken |= members
        parents = [place.get(self.parents.get(tag, LEFT_OUT), -1) for tag in self.tag_ids]
        return Decision(self.threshold, promised, tuple(families), np.array(parents, np.int64))

    def named_by(self, vocabulary: Vocabulary) -> Fitted:
        """The same with the vocabulary's names of today; tags that it no longer knows are not given.

        Raises:
            VocabularyError: it knows none of them.
        """
        live = [vocabulary.resolve(tag) for tag in self.fitted_ids]
        if all(tag is None for tag in live):
            raise VocabularyError(
                f"none of the model's {len(live)} tags is in this vocabulary; use that of the shop it was trained in"
            )
        names = (old if tag is None else vocabulary.tag(tag).name for tag, old in zip(live, self.names, strict=True))
        ids = tuple(LEFT_OUT if tag is None else tag for tag in live)
        parents = {tag.id: tag.parent for tag in vocabulary.tags if tag.parent is not None}
        return replace(self, names=tuple(names), ids=ids, parents=parents)

    def with_newcomer(
        self, name: str, aliases: Sequence[str], examples: Sequence[str], tag_id: int | None = None
    ) -> Fitted:
        """The same with one more tag, which was not trained on: see `Tagger.with_tag`."""
        if name in self.tags:
            raise UserError(
                f"with_tag: the Tagger gives {name!r} already; train again to learn from new examples of it"
            )
        if tag_id is not None and tag_id in {*self.ids, *self.fitted_ids}:
            raise UserError(f"with_tag: id {tag_id} is taken by another tag; give one that was never used, or none")
        spellings = spellings_of(name, aliases)
        if not examples and not keys_of(spellings):
            raise UserError("with_tag: expected a name with letters in it, or examples")
        reading = self.features.read(examples or [" ".join(spellings)])
        if examples and not reading.known.any():
            raise UserError("with_tag: no example has a word that the Tagger knows; give others, or the name alone")
        if examples:
            reading = reading.part(np.flatnonzero(reading.known).tolist())
        known = self.trained_confidences(reading)
        newcomer = Newcomer.of(name, spellings, reading, known, shown=bool(examples))
        number = max([*self.ids, *self.fitted_ids]) + 1 if tag_id is None else tag_id
        return replace(
            self,
            names=(*self.names, name),
            ids=(*self.ids, number),
            fitted_ids=(*self.fitted_ids, number),
            newcomers=(*self.newcomers, newcomer),
        )

    # Answers

    def confidences(self, reading: Reading, without: str = "") -> Floats:
        """Texts -> confidence of each tag [B, L]."""
        return self.decision.with_parents(self.by_tag(self.of_columns(reading, without)))

    def trained_confidences(self, reading: Reading, without: str = "") -> Floats:
        """Texts -> confidence of each trained column [B, M]."""
        blend = self.blend.leaving_out(without) if without else self.blend
        return self.calibration.confidences(blend.joined(self.scores(reading, blend.weights)))

    def scores(self, reading: Reading, wanted: Mapping[str, float]) -> dict[str, Floats]:
        """Each expert's scores [B, M], near log-odds; experts without weight are not asked."""
        asked = [name for name in self.experts if wanted.get(name)] or list(wanted)[:1]
        families = self.families if self.scored_by_family else ()
        return {name: expert_scores(name, self.experts[name], reading, families) for name in asked}

    def answers(self, reading: Reading, asked: Asked) -> Iterator[list[TagScore]]:
        """For each text at most `top` tags that are sure enough, the surest first."""
        of_columns = self.of_columns(reading, asked.without)
        confidences = self.decision.with_parents(self.by_tag(of_columns))  # [B, L]
        decision = self.decision if asked.one_of_family else self.decision.without_families()
        given = decision.given(confidences, asked.least, asked.allowed)
        given &= self._grounds(reading)
        shown = np.where(given, confidences, -1.0)
        best = top_columns(shown, asked.top)  # [B, K]
        sure = np.take_along_axis(shown, best, 1)
        words = self.words(reading, best, sure, of_columns, asked) if asked.because else None
        for ix in range(len(reading)):
            count = int((sure[ix] >= 0).sum())
            yield [
                TagScore(self.tags[tag], float(sure[ix, rank]), words[ix][rank] if words else (), self.tag_ids[tag])
                for rank, tag in enumerate(best[ix, :count].tolist())
            ]

    def _grounds(self, reading: Reading) -> Bools:
        """Whether a text is any ground for a tag [B, L]: it has a known word, or the name of a new tag stands in it."""
        grounds = np.repeat(reading.known[:, None].astype(np.float32), len(self.names), axis=1)
        if not reading.known.all():
            for column, newcomer in enumerate(self.newcomers, start=len(self.counts)):
                grounds[:, column] = np.maximum(grounds[:, column], newcomer.named(reading))
        found: Bools = self.by_tag(grounds) > 0
        return found

    def of_columns(self, reading: Reading, without: str) -> Floats:
        """Confidence of each column [B, M + N]."""
        from scipy.special import expit

        trained = self.trained_confidences(reading, without)
        if not self.newcomers:
            return trained
        new = [expit(self.judge.log_odds(newcomer, reading, trained)) for newcomer in self.newcomers]
        return np.hstack([trained, np.stack(new, axis=1)])

    def by_tag(self, of_columns: Floats) -> Floats:
        """[B, M + N] -> [B, L]: of the columns of a merged tag the largest."""
        columns = list(self._columns.values())
        if len(columns) == len(self.ids):
            return of_columns
        starts = np.cumsum([0, *(len(some) for some in columns[:-1])])
        merged: Floats = np.maximum.reduceat(of_columns[:, np.concatenate(columns)], starts, axis=1)
        return merged

    def words(
        self, reading: Reading, best: npt.NDArray[np.int64], sure: Floats, of_columns: Floats, asked: Asked
    ) -> list[list[tuple[Word, ...]]]:
        """For each text and each of its best tags the words that carried it; only as many as any text is given."""
        wanted = max(1, int((sure >= 0).sum(1).max(initial=0)))
        column_of = np.vectorize(lambda row, tag: self._column(tag, of_columns[row]), otypes=[np.int64])
        columns = column_of(np.arange(len(best))[:, None], best[:, :wanted]) if best.size else best[:, :wanted]
        trained = len(self.counts)
        blend = self.blend.leaving_out(asked.without) if asked.without else self.blend
        words = because(self.experts, blend.weights, reading, np.minimum(columns, trained - 1))
        for ix, rank in zip(*np.nonzero(columns >= trained), strict=True):
            words[ix][rank] = self._words_of_newcomer(reading, int(ix), self.newcomers[columns[ix, rank] - trained])
        return words

    def _column(self, tag: int, of_columns: Floats) -> int:
        """The column that gave a tag its confidence."""
        columns = self._columns[self.tag_ids[tag]]
        return columns[0] if len(columns) == 1 else columns[int(of_columns[columns].argmax())]

    def _words_of_newcomer(self, reading: Reading, ix: int, newcomer: Newcomer) -> tuple[Word, ...]:
        rows = reading.rows
        part = slice(rows.indptr[ix], rows.indptr[ix + 1])
        added = newcomer.carried(rows.indices[part], rows.data[part], self.judge.steepness(newcomer))
        terms = sorted(zip(added.tolist(), reading.terms_of(ix), strict=True), reverse=True)
        return distinct((term, weight) for weight, term in terms if weight > 0)


def expert_scores(name: str, expert: Expert, reading: Reading, families: Families) -> Floats:
    """One expert's scores [B, M] as log-odds."""
    scores = expert.scores(reading)
    return family_log_odds(scores, families) if families and name in NETWORKS else scores
