"""Tags of a post: long, chatty, about several things or about nothing, where a title is about one product.

A Tagger learns from texts that are all about a product, so it finds one in every text: its safest guess where nothing
else is said. Here each passage is read by itself, and a confidence counts only as far as it is above what the Tagger
says of chatter. What a post names, in words or as a hashtag, needs no such proof.

Shapes: B posts, S passages, C lines of chatter, L tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from tagloom.data.vocabulary.hashtags import Hashtags
from tagloom.data.words.posts import Post, chatter, chatter_words, read_post
from tagloom.data.words.text import WordSplitter
from tagloom.errors import UserError
from tagloom.tags.because import Word
from tagloom.tags.decide import Floats, allowed_tags
from tagloom.tags.experts.name import by_spelling, spellings_of, standing, units
from tagloom.tags.features import Reading
from tagloom.tags.fitted import Asked, Fitted, TagScore
from tagloom.tags.tagger import Tagger, checked_texts

# A hashtag that is a tag, and a name in the text of a tag that the Tagger does not know.
_HASHTAG, _NAMED = 0.95, 0.6
_CHATTER = 0.05
_NUMBERS_AT_ONCE = 1 << 23
_BEFORE = 5  # units
_NUMBER = re.compile(r"[\d.,]+%?")
_NOT = re.compile(
    r"(?:不|没|没有|不是|不够|不太|不怎么|不算|并非|毫无|缺乏|说好的|\b(?:no|not|never|without|hardly)|n't)"
    r"(?:很|太|那么|什么|多少|所谓|的|\s|\b(?:a|an|the|very|really|so|any|too|that)\b)*$"
)


@dataclass(frozen=True)
class PostTags:
    """What a post is about.

    Args:
        tags: the surest first; empty for a post that is about nothing the Tagger knows.
        hashtags: the tags that its hashtags name; none that the Tagger's settings forbid.
        proposed: its other hashtags, as they would be named as tags; they are none.
        plain: the text that was read.
    """

    tags: tuple[TagScore, ...]
    hashtags: tuple[str, ...]
    proposed: tuple[str, ...]
    plain: str

    @property
    def none(self) -> bool:
        """Whether the post is about nothing that could be told."""
        return not self.tags


@dataclass(frozen=True, eq=False)
class PostReader:
    """Reads posts with a fitted Tagger.

    Args:
        tagger: learned from the shop's products.
        hashtags: the shop's vocabulary, lists and settings for tags.
    """

    tagger: Tagger
    hashtags: Hashtags

    def read(self, texts: Sequence[str], top: int = 5, threshold: float | None = None) -> list[PostTags]:
        """The tags of each post.

        Args:
            texts: as they were posted.
            top: most tags for a post, from 1.
            threshold: least confidence of tags that no hashtag names; None takes the Tagger's own.

        Raises:
            NotFittedError: the Tagger has learned nothing yet.
            UserError: a text is no string, `top` is below 1, or `threshold` out of range.
        """
        if top < 1:
            raise UserError(f"top: expected a whole number from 1, came {top}")
        if threshold is not None and not 0 <= threshold <= 1:
            raise UserError(f"threshold: expected a confidence from 0 to 1, came {threshold}")
        posts = [read_post(text) for text in checked_texts(texts)]
        return [answer for part in self._parts(posts) for answer in self._answers(part, top, threshold)]

    # What is known before any post is read

    @cached_property
    def _fitted(self) -> Fitted:
        return self.tagger._ready

    @cached_property
    def _lowered(self) -> Floats:
        """[L] by how much each tag's log-odds are lowered: so far that half of the chatter gets it with 1 in 20."""
        said = _log_odds(self._fitted.confidences(self._fitted.features.read(chatter())))  # [C, L]
        lowered: Floats = np.maximum(0.0, np.quantile(said, 0.5, axis=0) - _log_odds(np.array(_CHATTER)))
        return lowered

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The tags that can be named, with their ids: the Tagger's, then those that only the vocabulary knows."""
        known = dict(zip(self._fitted.tags, self._fitted.tag_ids, strict=True))
        return known | {tag.name: tag.id for tag in self.hashtags.vocabulary.tags if tag.name not in known}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._ids)

    @cached_property
    def _forbidden(self) -> frozenset[int]:
        """The places in `_names` of the tags that the Tagger's settings forbid, also of those it does not know."""
        settings = self.tagger._checked()
        allowed = allowed_tags(self._names, settings.include, (), settings.exclude)
        return frozenset() if allowed is None else frozenset(np.flatnonzero(~allowed).tolist())

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: ix for ix, name in enumerate(self._names)}

    @cached_property
    def _spellings(self) -> dict[str, list[int]]:
        """The places in `_names` of the tags that are written so.

        A single character names nothing, nor does a word of chatter: 包装方式=包装 is not what `包装不错` is about.
        """
        aliases = {tag.name: tag.aliases for tag in self.hashtags.vocabulary.tags}
        ways = (spellings_of(name, aliases.get(name, ())) for name in self._names)
        return by_spelling(
            [[way for way in spelled if len(way) > 1 and way not in chatter_words()] for spelled in ways]
        )

    # One part of the posts

    def _parts(self, posts: Sequence[Post]) -> Iterator[Sequence[Post]]:
        """So many posts at a time that their confidences fit into little memory."""
        most, start, held = max(1, _NUMBERS_AT_ONCE // len(self._names)), 0, 0
        for ix, post in enumerate(posts):
            held += len(post.passages())
            if held >= most:
                yield posts[start : ix + 1]
                start, held = ix + 1, 0
        yield posts[start:]

    def _answers(self, posts: Sequence[Post], top: int, threshold: float | None) -> Iterator[PostTags]:
        passages = [post.passages() for post in posts]
        flat = [passage for some in passages for passage in some]
        if not flat:
            yield from (self._answer(post, (), top) for post in posts)
            return
        named = [self._named(passage) for passage in flat]
        # Each passage once more without its chatter: a tag must rest on what is left.
        reading = self._fitted.features.read([*flat, *map(_without_chatter, flat)])
        of_columns = self._fitted.of_columns(reading, "")
        sure = self._sure(reading, of_columns, named, threshold)  # [S, names]
        starts = np.cumsum([0, *map(len, passages)]).tolist()
        # Twice as many as are wanted: some will have no words to rest on.
        best = [_best(sure, rows, 2 * top) for rows in pairwise(starts)]
        words = self._words(reading, of_columns, [place for places in best for place in places])
        for post, places in zip(posts, best, strict=True):
            found = [
                self._score(tag, float(sure[row, tag]), words[row, tag])
                for row, tag in places
                if tag in named[row] or _rests_on(words[row, tag], flat[row])
            ]
            yield self._answer(post, found, top)

    def _sure(
        self, reading: Reading, of_columns: Floats, named: Sequence[Mapping[int, bool]], threshold: float | None
    ) -> Floats:
        """The confidence of each tag in each passage [S, names]; 0 where it is not given."""
        fitted, count = self._fitted, len(named)
        sure = np.zeros((count, len(self._names)))
        raw, bare = np.split(fitted.decision.with_parents(fitted.by_tag(of_columns)).astype(np.float64), 2)  # [S, L]
        lowered = _sigmoid(_log_odds(np.minimum(raw, bare)) - self._lowered)
        for row, names in enumerate(named):
            for tag, meant in names.items():
                if tag < raw.shape[1]:
                    lowered[row, tag] = raw[row, tag] if meant else 0.0
                elif tag not in self._forbidden:
                    sure[row, tag] = _NAMED if meant and (threshold is None or threshold <= _NAMED) else 0.0
        lowered = fitted.decision.with_parents(lowered)
        rules = self.tagger._allowed((), ())
        given = (
            self.tagger.given(lowered)
            if threshold is None
            else fitted.decision.given(lowered, threshold or 1e-9, rules)
        )
        sure[:, : raw.shape[1]] = np.where(given & reading.known[count:, None], lowered, 0.0)
        return sure

    def _words(
        self, reading: Reading, of_columns: Floats, places: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], tuple[Word, ...]]:
        """The words that carried tags in passages, by row and tag; of a tag that only the vocabulary knows its name."""
        found: dict[tuple[int, int], tuple[Word, ...]] = {}
        of_row: dict[int, list[int]] = {}
        for row, tag in places:
            if tag < len(self._fitted.tags):
                of_row.setdefault(row, []).append(tag)
            else:
                found[row, tag] = (Word(spellings_of(self._names[tag])[0], 1.0),)
        if not of_row:
            return found
        rows, width = list(of_row), max(map(len, of_row.values()))
        wanted = np.zeros((len(rows), width), np.int64)
        shown = np.full((len(rows), width), -1.0)
        for ix, tags in enumerate(of_row.values()):
            wanted[ix, : len(tags)], shown[ix, : len(tags)] = tags, 1.0
        words = self._fitted.words(reading.part(rows), wanted, shown, of_columns[rows], Asked(width, 0.0))
        return found | {(row, tag): words[ix][k] for ix, row in enumerate(rows) for k, tag in enumerate(of_row[row])}

    def _answer(self, post: Post, found: Iterable[TagScore], top: int) -> PostTags:
        """What was found in the passages and what hashtags and emoji name, joined."""
        tag_of = {written: self.hashtags.tag(written) for written in (*post.hashtags, *post.emoji)}
        names_of = {written: tag.name for written, tag in reversed(tag_of.items()) if tag is not None}
        allowed = (one for one in names_of.items() if self._place[one[1]] not in self._forbidden)
        hashed = {name: f"#{written}" for written, name in allowed}
        scores = {score.tag: score for score in found}
        for name, written in hashed.items():
            surest = max(_HASHTAG, scores[name].confidence if name in scores else 0.0)
            scores[name] = self._score(self._place[name], surest, (Word(written, 1.0),))
        names = (self.hashtags.name(written) for written in post.hashtags if tag_of[written] is None)
        proposed = dict.fromkeys(name for name in names if name and not self.hashtags.vocabulary.declined(name))
        ordered = sorted(scores.values(), key=lambda score: (-score.confidence, score.tag))
        return PostTags(tuple(ordered[:top]), tuple(reversed(hashed)), tuple(proposed), post.plain)

    def _score(self, tag: int, confidence: float, words: tuple[Word, ...]) -> TagScore:
        return TagScore(self._names[tag], confidence, words, self._ids[self._names[tag]])

    def _named(self, passage: str) -> dict[int, bool]:
        """The tags whose names stand in a passage, and whether one of them is meant, not denied."""
        said = units(WordSplitter().split(passage))
        found: dict[int, bool] = {}
        for start, _, tag in standing(said, self._spellings):
            found[tag] = found.get(tag, False) or not _denied(said, start)
        return found


def _rests_on(words: tuple[Word, ...], passage: str) -> bool:
    """Whether a tag rests on more than chatter, and on what is not denied: `不是纯棉的` is no ground for cotton.

    A tag without any words is of experts that give none.
    """
    if not words:
        return True
    strongest = words[0].text
    if strongest in chatter_words() or _NUMBER.fullmatch(strongest):
        return False
    said = units(WordSplitter().split(passage))
    places = [start for start, _, _ in standing(said, by_spelling([[strongest]]))]
    return not places or not all(_denied(said, start) for start in places)


def _without_chatter(passage: str) -> str:
    said = WordSplitter().split(passage)
    return " ".join(word for word in said if word not in chatter_words() and not _NUMBER.fullmatch(word))


def _denied(said: Sequence[str], start: int) -> bool:
    """Whether what begins at this unit is said not to be so."""
    return _NOT.search(_joined(said[max(0, start - _BEFORE) : start])) is not None


def _best(sure: Floats, rows: tuple[int, int], most: int) -> list[tuple[int, int]]:
    """Of the passages from the first row to before the second: the surest tags, each with the row where it is so."""
    part = sure[slice(*rows)]
    if not len(part):
        return []
    top = part.max(axis=0)
    order = np.argsort(-top, kind="stable")[:most]
    return [(rows[0] + int(part[:, tag].argmax()), int(tag)) for tag in order if top[tag] > 0]


def _joined(said: Sequence[str]) -> str:
    """Units as they stand in a text: Chinese without blanks."""
    return re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])", "", " ".join(said))


def _log_odds(confidences: Floats) -> Floats:
    from scipy.special import logit

    odds: Floats = logit(np.clip(confidences, 1e-6, 1 - 1e-6))
    return odds


def _sigmoid(odds: Floats) -> Floats:
    from scipy.special import expit

    confidences: Floats = expit(odds)
    return confidences
