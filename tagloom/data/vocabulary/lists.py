"""The lists that a user keeps beside the data: synonyms, stop-tags, own words, products that are never shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tagloom.config import Settings
from tagloom.data.vocabulary.normal import display_form, normal_form
from tagloom.errors import VocabularyError

# Section and key of each list's name -> what a new shop's file says.
LIST_FILES = {
    ("tags", "synonyms"): "# A line a tag: name = alias, alias\n# 笔记本电脑 = 笔记本, 手提电脑\n",
    ("tags", "stop_tags"): "# Tags that are never wanted, one a line; name=* drops a whole attribute.\n",
    ("text", "words"): "# Your own words and brands, one a line; they are never split.\n",
    ("rules", "hidden"): "# Ids of products that are never shown, one a line.\n",
}


def default_stop_tags() -> Path:
    """The list of stop-tags that comes with the program, Chinese and English."""
    return Path(__file__).with_name("stop_tags.txt")


def read_word_list(path: Path) -> frozenset[str]:
    """Read a list of tags, one a line, as normal forms; `#` begins a comment, `name=*` means a whole attribute.

    Raises:
        VocabularyError: the file cannot be read.
    """
    words = set()
    for _, line in _lines(path):
        name, separator, value = line.partition("=")
        words.add(f"{normal_form(name)}=*" if separator and value.strip() == "*" else normal_form(line))
    return frozenset(word for word in words if word)


def read_synonyms(path: Path) -> dict[str, str]:
    """Read synonyms, a line a tag: `name = alias, alias`; `#` begins a comment.

    A tag of an attribute is written with its own `=`, blanks around only the first that divides: `颜色=红 = 颜色=朱红`.

    Returns:
        alias -> name, both as they shall be shown.

    Raises:
        VocabularyError: the file cannot be read, a line is not of that form, an alias has two names or goes in a
            circle; names the file and both lines.
    """
    names: dict[str, tuple[str, int]] = {}
    for number, line in _lines(path):
        name, aliases = _divided(path, number, line)
        for alias in aliases:
            key = normal_form(alias)
            if key == normal_form(name):
                continue
            known = names.get(key)
            if known is not None and normal_form(known[0]) != normal_form(name):
                raise VocabularyError(
                    f"{path}, lines {known[1]} and {number}: {alias!r} is an alias of {known[0]!r} and of {name!r};"
                    " leave it in one of the lines"
                )
            names[key] = (name, number)
    _check_circles(path, names)
    return {alias: name for alias, (name, _) in names.items()}


def read_ids(path: Path) -> frozenset[str]:
    """Read ids of products, one a line as they stand in the catalogue; `#` begins a comment.

    Raises:
        VocabularyError: the file cannot be read.
    """
    return frozenset(line for _, line in _lines(path))


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise VocabularyError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _divided(path: Path, number: int, line: str) -> tuple[str, list[str]]:
    # A blank on either side marks the `=` that divides; without one it is the first.
    name, separator, rest = line.partition(" = ")
    if not separator:
        name, separator, rest = line.partition("=")
    aliases = [display_form(alias) for alias in rest.replace("，", ",").replace("、", ",").split(",")]
    aliases = [alias for alias in aliases if normal_form(alias)]
    if not normal_form(name) or not aliases:
        raise VocabularyError(f"{path}, line {number}: expected `name = alias, alias`, came {line!r}")
    return display_form(name), aliases


def _check_circles(path: Path, names: dict[str, tuple[str, int]]) -> None:
    for alias, (name, number) in names.items():
        above = names.get(normal_form(name))
        if above is None:
            continue
        back = normal_form(above[0]) == alias
        what = "both are each other's alias" if back else f"{name!r} is itself an alias of {above[0]!r}"
        raise VocabularyError(
            f"{path}, lines {number} and {above[1]}: {alias!r} is an alias of {name!r}, and {what};"
            " put all aliases behind one name"
        )


@dataclass(frozen=True)
class UserLists:
    """A shop's own lists.

    Args:
        synonyms: alias -> name.
        stop: tags that are never wanted, with the default ones.
        words: never split.
        hidden: ids of products that are never shown; those of no product are no error, it may come back.
    """

    synonyms: dict[str, str]
    stop: frozenset[str]
    words: tuple[str, ...]
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, folder: Path, settings: Settings) -> UserLists:
        """Read the files that tagloom.toml names; one that is not there is empty.

        Raises:
            VocabularyError: the synonyms contradict each other or go in a circle; names file and lines.
        """
        names = (settings.tags.synonyms, settings.tags.stop_tags, settings.text.words, settings.rules.hidden)
        synonyms, stop, words, hidden = (folder / name for name in names)
        return cls(
            read_synonyms(synonyms) if synonyms.exists() else {},
            read_word_list(default_stop_tags()) | (read_word_list(stop) if stop.exists() else frozenset()),
            tuple(sorted(read_word_list(words))) if words.exists() else (),
            read_ids(hidden) if hidden.exists() else frozenset(),
        )
