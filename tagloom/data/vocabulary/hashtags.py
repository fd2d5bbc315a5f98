"""Hashtags of posts cleaned into the vocabulary: a known tag, a *proposed* one, or nothing that could be a tag.

A proposed tag is no tag: nothing is trained on it, and nothing gives it, until a person accepts it.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from tagloom.config import TagSettings
from tagloom.data.vocabulary.lists import UserLists
from tagloom.data.vocabulary.merge import spelling_key
from tagloom.data.vocabulary.normal import attribute_of, display_form, normal_form
from tagloom.data.vocabulary.shapes import dropped_for, stop_keys
from tagloom.data.vocabulary.vocab import Tag, Vocabulary
from tagloom.data.words.posts import hashtag_words, read_post
from tagloom.data.words.wordvectors import similar_spellings

_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 40
# Of telephones, accounts, orders.
_LONG_NUMBER = re.compile(r"\d(?:[\s-]?\d){4,}")
_NEAR = 0.66


@dataclass(frozen=True)
class Proposal:
    """A hashtag that could become a tag.

    Args:
        name: as most posts write it, in display form.
        posts: how many have it.
        users: how many wrote them.
        examples: what stands around it in some of them, each of another user; without links, names behind @ and numbers
            of five digits and more.
        nearest: the tag of the vocabulary that is spelled most like it; empty when none is near.
    """

    name: str
    posts: int
    users: int
    examples: tuple[str, ...]
    nearest: str = ""


@dataclass(frozen=True)
class Hashtags:
    """Where a shop's vocabulary, lists and settings put a hashtag.

    >>> hashtags = Hashtags(Vocabulary().add(["phone case", "颜色=红色"]))
    >>> [hashtags.tag(one).name for one in ("PhoneCases", "红色")], hashtags.tag("通勤")
    (['phone case', '颜色=红色'], None)
    >>> hashtags.name("#OfficeLook#"), hashtags.name("http://t.cn")
    ('Office Look', '')
    """

    vocabulary: Vocabulary
    lists: UserLists = field(default_factory=lambda: UserLists({}, frozenset(), ()))
    settings: TagSettings = field(default_factory=TagSettings)

    @cached_property
    def _stop(self) -> frozenset[str]:
        return stop_keys(self.lists.stop)

    @cached_property
    def _tags(self) -> dict[str, Tag]:
        """Spelling -> tag: its names and aliases first, then the values of attributes that no other attribute has."""
        names: dict[str, Tag] = {}
        values: dict[str, set[int]] = {}
        for tag in self.vocabulary.tags:
            for name in map(normal_form, (tag.name, *tag.aliases)):
                names.setdefault(spelling_key(name), tag)
                if attribute_of(name):
                    values.setdefault(spelling_key(name.partition("=")[2]), set()).add(tag.id)
        alone = {value: self.vocabulary.tag(min(ids)) for value, ids in values.items() if len(ids) == 1}
        return {**alone, **names}

    @cached_property
    def _spellings(self) -> list[str]:
        return list(self._tags)

    @cached_property
    def _synonyms(self) -> dict[str, str]:
        return {spelling_key(normal_form(alias)): name for alias, name in self.lists.synonyms.items()}

    def tag(self, hashtag: str) -> Tag | None:
        """The tag that a hashtag names, by name, alias, synonym or an attribute's value; None when there is none."""
        for written in (hashtag, hashtag_words(hashtag)):
            key = spelling_key(normal_form(written))
            key = spelling_key(normal_form(self._synonyms[key])) if key in self._synonyms else key
            if key and key in self._tags:
                return self._tags[key]
        return None

    def name(self, hashtag: str) -> str:
        """The hashtag as the name of a tag; empty when it could be none by the rules that the catalogue's tags obey."""
        shown = display_form(hashtag_words(display_form(hashtag)))
        form = normal_form(shown)
        return "" if not form or dropped_for(shown, form, self.settings, self._stop) else shown

    def nearest(self, name: str) -> str:
        """The vocabulary's tag that is spelled most like a name; empty when none is near."""
        key = spelling_key(normal_form(name))
        near = difflib.get_close_matches(key, similar_spellings(key, self._spellings, 1), cutoff=_NEAR)
        return self._tags[near[0]].name if near else ""

    def proposed(self, posts: Iterable[tuple[str, str]]) -> list[str]:
        """The names that `proposals` gives."""
        return [seen.name for seen in self._kept(posts)]

    def proposals(self, posts: Iterable[tuple[str, str]], top: int | None = None) -> list[Proposal]:
        """The hashtags of posts that could become tags, those of most users first.

        One that fewer than `proposed_users` wrote is left out: it may be about a person, and is mostly noise. So is
        one that a person declined.

        Args:
            posts: the user and the text of each; posts without a user count as those of one.
            top: at most so many; None: all.
        """
        return [
            Proposal(seen.name, seen.posts, len(seen.users), tuple(seen.examples.values()), self.nearest(seen.name))
            for seen in self._kept(posts)[:top]
        ]

    def _kept(self, posts: Iterable[tuple[str, str]]) -> list[_Seen]:
        found: dict[str, _Seen] = {}
        for user, text in posts:
            post = read_post(text) if "#" in text or "＃" in text else None
            shown = _without_numbers(post.plain.replace("\n", " ")) if post else ""
            for hashtag in post.hashtags if post else ():
                if self.tag(hashtag) is None and (name := self.name(hashtag)):
                    found.setdefault(spelling_key(normal_form(name)), _Seen()).add(user, name, hashtag, shown)
        kept = [
            seen
            for seen in found.values()
            if len(seen.users) >= self.settings.proposed_users and not any(map(self.vocabulary.declined, seen.names))
        ]
        return sorted(kept, key=lambda seen: (-len(seen.users), -seen.posts, seen.name))


@dataclass
class _Seen:
    """What is counted of one hashtag while posts go by."""

    names: Counter[str] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)
    examples: dict[str, str] = field(default_factory=dict)
    posts: int = 0

    @property
    def name(self) -> str:
        return max(self.names.items(), key=lambda item: (item[1], item[0]))[0]

    def add(self, user: str, name: str, hashtag: str, plain: str) -> None:
        self.posts += 1
        self.names[name] += 1
        self.users.add(user)
        if len(self.examples) < _EXAMPLES and user not in self.examples:
            self.examples[user] = _around(_without_numbers(hashtag_words(hashtag)), plain)


def _without_numbers(text: str) -> str:
    """A star for each character of a long number."""
    return _LONG_NUMBER.sub(lambda number: "*" * len(number[0]), text)


def _around(words: str, text: str) -> str:
    """What stands around the words of a hashtag; the beginning, where these were read as others."""
    at = max(0, text.find(words))
    spare = max(0, _EXAMPLE_CHARACTERS - len(words)) // 2
    return text[max(0, at - spare) : at + len(words) + spare].strip()
