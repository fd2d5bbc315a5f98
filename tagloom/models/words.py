"""Word vectors and sub-words as versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tagloom.config import TextSettings
from tagloom.versions import Version, Versions

if TYPE_CHECKING:
    from tagloom.data.tables import Products
    from tagloom.data.words.lexicon import Lexicon


def train_words(versions: Versions, products: Products, settings: TextSettings, custom_words: Sequence[str]) -> Version:
    """Train word vectors and sub-words on the texts of a catalogue as it was imported."""
    from tagloom.artifact import new_artifact
    from tagloom.data.words.lexicon import Lexicon

    lexicon = Lexicon.train(products.texts.to_list(), settings, custom_words)
    path = versions.next_path()
    data = {"products": products.fingerprint(), "rows": len(products)}
    figures = {"words": len(lexicon.vectors), "subwords": len(lexicon.subwords)}
    with new_artifact(path, versions.job, settings.model_dump(), data, figures) as folder:
        lexicon.save(folder)
    return versions.promote(path.name)


def load_words(versions: Versions) -> Lexicon:
    """The word vectors and sub-words that are current."""
    from tagloom.artifact import check_artifact
    from tagloom.data.words.lexicon import Lexicon

    path = versions.get().path
    check_artifact(path, versions.job)
    return Lexicon.load(path)
