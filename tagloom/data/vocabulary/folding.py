"""How the vocabulary's records make its state: one function for each kind of record."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from tagloom.data.vocabulary.normal import normal_form
from tagloom.errors import VocabularyError

Op = Literal["add", "alias", "rename", "merge", "split", "parent", "decline", "undo"]


@dataclass(frozen=True)
class Record:
    """One decision; `number` is its place in the vocabulary, `data` what the op needs."""

    number: int
    op: Op
    data: dict[str, Any]


@dataclass
class State:
    """What the records amount to. Mutable, and therefore never handed out by the vocabulary.

    `names` has every id that was ever given out and not undone; `merged` says which of them stands for another.
    `owners` leads from a normal form to the id it was given to, `spellings` to how it is written.
    `declined` are the normal forms that shall not be proposed.
    """

    names: dict[int, str] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    parents: dict[int, int | None] = field(default_factory=dict)
    splits: list[tuple[int, tuple[tuple[int, tuple[str, ...]], ...]]] = field(default_factory=list)
    by_hand: set[str] = field(default_factory=set)
    parents_by_hand: set[int] = field(default_factory=set)
    refused: set[tuple[str, int]] = field(default_factory=set)
    declined: set[str] = field(default_factory=set)
    undone: set[int] = field(default_factory=set)
    next_id: int = 0
    next_number: int = 0

    def copy(self) -> State:
        """A state that can be changed without changing this one."""
        return State(
            dict(self.names),
            dict(self.merged),
            dict(self.owners),
            dict(self.spellings),
            dict(self.parents),
            list(self.splits),
            set(self.by_hand),
            set(self.parents_by_hand),
            set(self.refused),
            set(self.declined),
            set(self.undone),
            self.next_id,
            self.next_number,
        )

    def live(self, tag: int) -> int:
        """The id that stands for this one."""
        while tag in self.merged:
            tag = self.merged[tag]
        return tag

    def find(self, key: str) -> int | None:
        """The live id of a normal form."""
        owner = self.owners.get(key)
        return None if owner is None else self.live(owner)

    def expect(self, tag: int | str) -> int:
        """The live id of an id or name; an unknown one is an error with the nearest name."""
        if isinstance(tag, str):
            found = self.find(normal_form(tag))
            if found is None:
                near = difflib.get_close_matches(normal_form(tag), self.owners, n=1)
                hint = f"; did you mean {self.spellings[near[0]]!r}?" if near else ""
                raise VocabularyError(f"there is no tag {tag!r}{hint}")
            return found
        if tag not in self.names:
            raise VocabularyError(f"there is no tag with the id {tag}; ids go from 0 to {self.next_id - 1}")
        return self.live(tag)

    def parent(self, tag: int) -> int | None:
        """The live id above a live tag."""
        above = self.parents.get(tag)
        if above is None or above not in self.names:
            return None
        above = self.live(above)
        return None if above == tag else above

    def ancestors(self, tag: int) -> tuple[int, ...]:
        """The live ids above a live tag, nearest first; a circle is an error."""
        found: list[int] = []
        above = self.parent(tag)
        while above is not None:
            if above == tag or above in found:
                raise VocabularyError(f"the parents of {self.names[tag]!r} would go in a circle")
            found.append(above)
            above = self.parent(above)
        return tuple(found)

    def record(self, op: Op, data: dict[str, Any]) -> Record:
        """Carry out one more decision and return its record; its data are empty if nothing changed."""
        record = Record(self.next_number, op, data)
        if not _STEPS[op](self, data):
            return Record(self.next_number, op, {})
        self.next_number += 1
        return record


class RecordError(VocabularyError):
    """A record that cannot be carried out; `number` says which."""

    def __init__(self, record: Record, problem: str) -> None:
        super().__init__(f"record {record.number} ({record.op}): {problem}")
        self.number = record.number


def fold(records: Iterable[Record]) -> State:
    """Carry out all records that are not undone, in order.

    Raises:
        RecordError: a record cannot be carried out.
    """
    records = tuple(records)
    state = State(undone=_undone(records))
    for record in records:
        try:
            state.next_id = max(state.next_id, _highest_id(record) + 1)
            if record.op != "undo" and record.number not in state.undone:
                _STEPS[record.op](state, record.data)
        except VocabularyError as error:
            raise RecordError(record, str(error)) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RecordError(record, f"lacks what it needs, came {record.data}") from error
    for number in state.undone:
        _refuse(state, records[number])
    state.next_number = len(records)
    return state


def _undone(records: tuple[Record, ...]) -> set[int]:
    # Backwards, so that an undo which is undone itself has no effect.
    undone: set[int] = set()
    for record in reversed(records):
        if record.op != "undo":
            continue
        number = record.data.get("record")
        if not isinstance(number, int) or not 0 <= number < record.number:
            raise RecordError(record, f"expected the number of an earlier record, came {number!r}")
        if record.number not in undone:
            undone.add(number)
    return undone


def _highest_id(record: Record) -> int:
    if record.op == "add":
        return int(record.data["id"])
    if record.op == "split":
        return max((int(part["id"]) for part in record.data["parts"]), default=-1)
    return -1


def _refuse(state: State, record: Record) -> None:
    tag = record.data.get("tag")
    if record.op == "alias" and tag in state.names:
        state.refused.add((normal_form(record.data["alias"]), state.live(tag)))
    if record.op == "merge" and tag in state.names and record.data["into"] in state.names:
        name, into = normal_form(state.names[tag]), state.live(record.data["into"])
        if state.live(tag) != into:
            state.refused.add((name, into))


def _own(state: State, tag: int, name: str) -> None:
    key = normal_form(name)
    if not key:
        raise VocabularyError(f"a tag needs a name with a letter or digit in it, came {name!r}")
    owner = state.find(key)
    if owner is not None and owner != tag:
        raise VocabularyError(
            f"{name!r} already belongs to the tag {state.names[owner]!r} (id {owner});"
            " merge the two or take another name"
        )
    state.owners.setdefault(key, tag)
    state.spellings[key] = name


def _known(state: State, tag: int) -> int:
    if tag not in state.names:
        raise VocabularyError(f"there is no tag with the id {tag}")
    return state.live(tag)


def _add(state: State, data: dict[str, Any]) -> bool:
    tag, name = int(data["id"]), str(data["name"])
    if tag in state.names:
        raise VocabularyError(f"the id {tag} is given out twice")
    if state.find(normal_form(name)) is not None:
        raise VocabularyError(f"the tag {name!r} is added twice")
    _own(state, tag, name)
    state.names[tag] = name
    state.next_id = max(state.next_id, tag + 1)
    if not data.get("by"):
        state.by_hand.add(normal_form(name))
    return True


def _alias(state: State, data: dict[str, Any]) -> bool:
    tag, key = _known(state, data["tag"]), normal_form(data["alias"])
    if state.find(key) == tag and (data.get("by") or key in state.by_hand):
        return False
    _own(state, tag, data["alias"])
    if not data.get("by"):
        state.by_hand.add(key)
    return True


def _rename(state: State, data: dict[str, Any]) -> bool:
    tag, name = _known(state, data["tag"]), str(data["name"])
    if state.names[tag] == name:
        return False
    _own(state, tag, name)
    state.by_hand |= {normal_form(name), normal_form(state.names[tag])}
    state.names[tag] = name
    return True


def _merge(state: State, data: dict[str, Any]) -> bool:
    tag, into = _known(state, data["tag"]), _known(state, data["into"])
    if tag == into:
        raise VocabularyError(f"{state.names[tag]!r} cannot be merged into itself: both are the tag with the id {tag}")
    state.by_hand |= {normal_form(state.names[tag]), normal_form(state.names[into])}
    state.merged[tag] = into
    state.ancestors(into)
    return True


def _split(state: State, data: dict[str, Any]) -> bool:
    whole, parts = _known(state, data["tag"]), list(data["parts"])
    if not parts:
        raise VocabularyError(f"splitting {state.names[whole]!r} needs at least one part")
    rules = []
    for part in parts:
        words = tuple(word for word in map(normal_form, part["words"]) if word)
        if not words:
            raise VocabularyError(f"the part {part['name']!r} needs at least one word that claims products")
        if part["new"]:
            _add(state, {"id": part["id"], "name": part["name"]})
        tag = _known(state, part["id"])
        if tag == whole:
            raise VocabularyError(f"{part['name']!r} cannot be a part of itself; give the part another name")
        rules.append((tag, words))
    state.splits.append((whole, tuple(rules)))
    state.by_hand.add(normal_form(state.names[whole]))
    return True


def _parent(state: State, data: dict[str, Any]) -> bool:
    tag = _known(state, data["tag"])
    above = None if data["parent"] is None else _known(state, data["parent"])
    if above == tag:
        raise VocabularyError(f"{state.names[tag]!r} cannot be its own parent")
    if tag in state.parents and state.parents[tag] == above:
        return False
    state.parents[tag] = above
    state.ancestors(tag)
    if not data.get("by"):
        state.parents_by_hand.add(tag)
    return True


def _decline(state: State, data: dict[str, Any]) -> bool:
    name, key = data["name"], normal_form(data["name"])
    if not key:
        raise VocabularyError(f"a proposed tag has a name with a letter or digit in it, came {name!r}")
    if (owner := state.find(key)) is not None:
        raise VocabularyError(f"{name!r} is a tag already, {state.names[owner]!r} (id {owner})")
    known = key in state.declined
    state.declined.add(key)
    return not known


_STEPS = {
    "add": _add,
    "alias": _alias,
    "rename": _rename,
    "merge": _merge,
    "split": _split,
    "parent": _parent,
    "decline": _decline,
}
