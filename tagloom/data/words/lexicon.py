"""What a shop's own texts teach about words: vectors of words, and sub-words that leave no character unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tagloom.config import TextSettings
from tagloom.data.words.subwords import Subwords, train_subwords
from tagloom.data.words.text import WordSplitter
from tagloom.data.words.wordvectors import WordVectors, train_word_vectors

_SUBWORDS = "subwords.json"


@dataclass(frozen=True)
class Lexicon:
    """Word vectors and sub-words of one shop."""

    vectors: WordVectors
    subwords: Subwords

    @classmethod
    def train(cls, texts: Sequence[str], settings: TextSettings, custom_words: Sequence[str]) -> Lexicon:
        """Learn both from all texts of a catalogue.

        Raises:
            DataError: the texts hold no words.
        """
        sentences = WordSplitter(tuple(custom_words)).split_many(texts)
        vectors = train_word_vectors(sentences, settings.vector_size, settings.vector_epochs)
        return cls(vectors, train_subwords(texts, settings.subwords))

    def save(self, folder: Path) -> None:
        """Write the vectors and `subwords.json`."""
        self.vectors.save(folder)
        self.subwords.save(folder / _SUBWORDS)

    @classmethod
    def load(cls, folder: Path) -> Lexicon:
        """Read what `save` wrote."""
        return cls(WordVectors.load(folder), Subwords.load(folder / _SUBWORDS))
