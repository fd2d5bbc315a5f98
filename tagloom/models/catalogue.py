"""What a shop's models learn from, and where a training that was broken off lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tagloom.config import SplitSettings
from tagloom.versions import Versions

if TYPE_CHECKING:
    from tagloom.data.split import Split
    from tagloom.data.tables import Events, Products
    from tagloom.data.vocabulary.vocab import Vocabulary

# Told the expert, the number of its pass and that pass's figures.
Progress = Callable[[str, int, dict[str, float]], object]

_UNFINISHED = ".training"


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What a shop's models learn from and are measured on.

    Args:
        products: with clean tags.
        events: loads the log; not everything asks for it.
        vocabulary: the tags of today.
        custom_words: words that are never split.
        fingerprint: of the products as they were imported.
    """

    products: Products
    events: Callable[[], Events]
    vocabulary: Vocabulary
    custom_words: tuple[str, ...]
    fingerprint: str

    def split(self, settings: SplitSettings) -> Split:
        """The products' rows in train, valid and test."""
        from tagloom.data.split import split_products

        return split_products(self.products, settings, self.events() if settings.by == "time" else None)

    def with_tag(self, name: str, aliases: Sequence[str]) -> Catalogue:
        """The same with one more tag in the vocabulary.

        Raises:
            VocabularyError: an alias belongs to another tag.
        """
        vocabulary = self.vocabulary.add([name])
        for alias in aliases:
            vocabulary = vocabulary.add_alias(name, alias)
        return replace(self, vocabulary=vocabulary)


def unfinished(versions: Versions) -> dict[str, int]:
    """The experts of a training that was broken off, and the passes that each has made."""
    passes = sorted(checkpoints(versions).glob("*/pass-*"))
    return {path.parent.name: int(path.name.removeprefix("pass-")) for path in passes}


def checkpoints(versions: Versions) -> Path:
    """Where a training that is broken off can go on from."""
    return versions.folder / versions.job / _UNFINISHED
