"""The tags' vocabulary: ids that never change, and every decision about them as a record that can be undone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast, get_args

import polars as pl

from tagloom.data.vocabulary.folding import Op, Record, RecordError, State, fold
from tagloom.data.vocabulary.normal import display_form, normal_form
from tagloom.errors import VocabularyError
from tagloom.files import write_lines

BY_CLEANING = "cleaning"


@dataclass(frozen=True)
class Tag:
    """A live tag: its id is never given to another, its name may change."""

    id: int
    name: str
    aliases: tuple[str, ...]
    parent: int | None


@dataclass(frozen=True)
class Vocabulary:
    """All tags, as the fold over `records` that are not undone; every change returns a new vocabulary.

    Raises:
        VocabularyError: the records contradict each other.

    >>> vocabulary = Vocabulary().add(["牛仔", "denim"]).merge("denim", into="牛仔")
    >>> vocabulary.find("Denim").name, vocabulary.resolve(1)
    ('牛仔', 0)
    >>> [tag.name for tag in vocabulary.undo(2).tags]
    ['牛仔', 'denim']
    """

    records: tuple[Record, ...] = ()

    def __len__(self) -> int:
        return len(self.tags)

    @cached_property
    def _state(self) -> State:
        return fold(self.records)

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The live tags in order of id."""
        state = self._state
        aliases: dict[int, list[str]] = {}
        for key, owner in state.owners.items():
            live = state.live(owner)
            if key != normal_form(state.names[live]):
                aliases.setdefault(live, []).append(state.spellings[key])
        return tuple(
            Tag(tag, state.names[tag], tuple(sorted(aliases.get(tag, ()))), state.parent(tag))
            for tag in sorted(state.names)
            if tag not in state.merged
        )

    @cached_property
    def _by_id(self) -> dict[int, Tag]:
        return {tag.id: tag for tag in self.tags}

    def tag(self, tag: int | str) -> Tag:
        """The live tag of an id or name, merges followed; an unknown one is a `VocabularyError`."""
        return self._by_id[self._state.expect(tag)]

    def find(self, name: str) -> Tag | None:
        """The live tag that has this name or alias, in any spelling with the same normal form."""
        tag = self._state.find(normal_form(name))
        return None if tag is None else self._by_id[tag]

    def resolve(self, tag: int) -> int | None:
        """The live id that stands for this id today, merges followed; None when there never was one."""
        return self._state.live(tag) if tag in self._state.names else None

    def ancestors(self, tag: int | str) -> tuple[int, ...]:
        """The ids above a tag, parent first."""
        return self._state.ancestors(self._state.expect(tag))

    def parent_decided(self, tag: int | str) -> bool:
        """Whether a parent was ever set or taken away; None alone does not tell."""
        return self._state.expect(tag) in self._state.parents

    def parent_by_hand(self, tag: int | str) -> bool:
        """Whether a person set the parent; one that cleaning found holds for most products only."""
        return self._state.expect(tag) in self._state.parents_by_hand

    def by_hand(self, name: str) -> bool:
        """Whether a person gave a tag this name or alias; cleaning keeps its hands off those."""
        return normal_form(name) in self._state.by_hand

    def refused(self, alias: str, tag: int | str) -> bool:
        """Whether this alias or merge was made before and undone, so that it must not be made again."""
        return (normal_form(alias), self._state.expect(tag)) in self._state.refused

    def add(self, names: Iterable[str], *, by: str = "") -> Vocabulary:
        """Add tags at the end; a name that is known, in any spelling or as an alias, keeps its tag.

        Args:
            names: as they shall be shown; the form is tidied.
            by: who did it, `BY_CLEANING` for what was not a person's decision.
        """
        state, changes = self._state.copy(), list[Record]()
        for name in names:
            shown = display_form(name)
            key = normal_form(shown)
            if not key:
                raise VocabularyError(f"a tag needs a name with a letter or digit in it, came {name!r}")
            if state.find(key) is None:
                changes.append(state.record("add", {"id": state.next_id, "name": shown, **_by(by)}))
        return self._with(state, changes)

    def rename(self, tag: int | str, name: str) -> Vocabulary:
        """Give a tag another name; the old one stays as an alias.

        Raises:
            VocabularyError: the tag is unknown, or another tag has the name.
        """
        return self._append("rename", {"tag": self._state.expect(tag), "name": display_form(name)})

    def merge(self, tag: int | str, into: int | str) -> Vocabulary:
        """Let `into` stand for `tag` too; names and aliases of `tag` become aliases of `into`.

        Raises:
            VocabularyError: a tag is unknown, both are the same, or a circle of parents would come of it.
        """
        return self._append("merge", {"tag": self._state.expect(tag), "into": self._state.expect(into)})

    def split(self, tag: int | str, parts: Mapping[str, Iterable[str]]) -> Vocabulary:
        """Divide a tag: a product whose text or category holds one of a part's words gets the part instead.

        A product that no part claims keeps the old tag; one that several claim gets each of them.

        Args:
            tag: the tag to divide.
            parts: for each part's name, new or known, the words that claim a product.

        Raises:
            VocabularyError: the tag is unknown, or a part has no words or is the tag itself.
        """
        state = self._state
        whole, next_id, rules = state.expect(tag), state.next_id, []
        for name, words in parts.items():
            known = state.find(normal_form(name))
            part = next_id if known is None else known
            next_id += known is None
            # A single string is a word, not a list of letters.
            listed = [words] if isinstance(words, str) else list(words)
            rules.append({"id": part, "name": display_form(name), "new": known is None, "words": listed})
        return self._append("split", {"tag": whole, "parts": rules})

    def set_parent(self, tag: int | str, parent: int | str | None) -> Vocabulary:
        """Put a tag under another, or under none.

        Raises:
            VocabularyError: a tag is unknown, or the parent lies below the tag.
        """
        above = None if parent is None else self._state.expect(parent)
        return self._append("parent", {"tag": self._state.expect(tag), "parent": above})

    def add_alias(self, tag: int | str, alias: str) -> Vocabulary:
        """Let another word find this tag; the same vocabulary when it already does.

        Raises:
            VocabularyError: the tag is unknown, or the word belongs to another tag.
        """
        return self._append("alias", {"tag": self._state.expect(tag), "alias": display_form(alias)})

    def decline(self, name: str) -> Vocabulary:
        """Remember that a hashtag is not to be proposed as a tag; a `VocabularyError` if it is a tag or no name."""
        return self._append("decline", {"name": display_form(name)})

    def declined(self, name: str) -> bool:
        """Whether this was declined as a tag."""
        return normal_form(name) in self._state.declined

    def with_found(self, aliases: Mapping[str, str], parents: Mapping[str, str]) -> Vocabulary:
        """Write down what cleaning found, at once: alias -> tag and child -> parent, all by name.

        What a person decided stays: a taken alias, a tag whose parent was set or taken away, an undone record.
        """
        state, changes = self._state.copy(), list[Record]()
        for alias, name in aliases.items():
            key, tag = normal_form(alias), state.expect(name)
            if state.find(key) is None and (key, tag) not in state.refused:
                changes.append(state.record("alias", {"tag": tag, "alias": display_form(alias), **_by(BY_CLEANING)}))
        for child, parent in parents.items():
            tag, above = state.expect(child), state.expect(parent)
            if tag not in state.parents and tag != above and tag not in state.ancestors(above):
                changes.append(state.record("parent", {"tag": tag, "parent": above, **_by(BY_CLEANING)}))
        return self._with(state, changes)

    def undo(self, number: int) -> Vocabulary:
        """Take back one record; undoing an undo brings it into force again. No id is ever given out anew.

        Raises:
            VocabularyError: there is no such record, it is undone already, or later records rest on it.
        """
        if not 0 <= number < len(self.records):
            raise VocabularyError(f"there is no record {number}; they go from 0 to {len(self.records) - 1}")
        if number in self._state.undone:
            raise VocabularyError(f"record {number} is undone already; to have it back, undo the undoing")
        record = Record(len(self.records), "undo", {"record": number})
        changed = Vocabulary((*self.records, record))
        try:
            _ = changed._state
        except RecordError as error:
            raise VocabularyError(
                f"record {number} ({self.records[number].op}) cannot be undone, a later one rests on it: {error};"
                " undo that one first"
            ) from error
        return changed

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Bring the products' tags up to date: merges followed, splits carried out, each tag once.

        Args:
            frame: `product_id`, `title`, `description`, `category`, `tags`; tags by name, in any known spelling.

        Returns:
            The same table with `tags` as live names; what the vocabulary does not know is left out.
        """
        from tagloom.data.vocabulary.assign import assigned

        return assigned(self, frame)

    @property
    def splits(self) -> tuple[tuple[int, tuple[tuple[int, tuple[str, ...]], ...]], ...]:
        """The splits in force, oldest first: the tag's id and, for each part, its live id and its words."""
        state = self._state
        return tuple(
            (whole, tuple((state.live(part), words) for part, words in parts))
            for whole, parts in state.splits
            if whole not in state.merged
        )

    def save(self, path: Path) -> None:
        """Write one record a line as JSON; the file is whole at every moment."""
        lines = ({"number": record.number, "op": record.op, **record.data} for record in self.records)
        write_lines(path, (json.dumps(line, ensure_ascii=False) for line in lines))

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            VocabularyError: the file cannot be read, or a line is damaged; names the line.
        """
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise VocabularyError(f"{path} cannot be read: {error.strerror}") from error
        vocabulary = cls(tuple(_parse(path, number, line) for number, line in enumerate(lines)))
        try:
            _ = vocabulary._state
        except RecordError as error:
            raise VocabularyError(f"{path}, line {error.number + 1}: {error}; restore it from a backup") from error
        return vocabulary

    def _append(self, op: Op, data: dict[str, Any]) -> Vocabulary:
        state = self._state.copy()
        return self._with(state, [record] if (record := state.record(op, data)).data else [])

    def _with(self, state: State, changes: list[Record]) -> Vocabulary:
        if not changes:
            return self
        changed = Vocabulary(self.records + tuple(changes))
        # The state is known already: seed the cache instead of folding all records again.
        changed.__dict__["_state"] = state
        return changed


def _by(by: str) -> dict[str, str]:
    return {"by": by} if by else {}


def _parse(path: Path, number: int, line: bytes) -> Record:
    try:
        data = json.loads(line.decode("utf-8"))
        op, found = data.pop("op"), data.pop("number")
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VocabularyError(f"{path}, line {number + 1}: expected a record as JSON, came {line[:60]!r}") from error
    if op not in get_args(Op) or found != number:
        raise VocabularyError(
            f"{path}, line {number + 1}: expected record {number} with an op out of {get_args(Op)}, came {found} {op!r}"
        )
    return Record(number, cast("Op", op), data)
