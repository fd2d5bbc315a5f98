"""Word vectors trained on the shop: skip-gram with negative sampling, by gensim.

Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality", section 2.2.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tagloom.errors import ArtifactError, DataError, UserError

Vectors = npt.NDArray[np.float32]

# gensim throws away what is beyond this in a sentence, without a word.
_MOST_WORDS = 10_000
# Below this many words in all, each is a large part of what there is to learn from: rare ones are kept, frequent ones
# not thinned out (thinning would leave a shop of a dozen words with next to nothing).
_SMALL_SHOP_WORDS = 20_000
_WORDS_FILE, _VECTORS_FILE = "words.json", "vectors.safetensors"


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words, the most frequent first, and a vector for each.

    Args:
        words: [V] distinct words.
        vectors: [V, D] one row a word, float32.
    """

    words: tuple[str, ...]
    vectors: Vectors

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.words) != len(self.vectors) or len(self._ix) != len(self.words):
            raise DataError(
                f"word vectors: {len(self.words)} words ({len(self._ix)} distinct) do not fit an array of shape"
                f" {self.vectors.shape}; one row a distinct word is needed"
            )

    @cached_property
    def _ix(self) -> dict[str, int]:
        return {word: ix for ix, word in enumerate(self.words)}

    @cached_property
    def _directions(self) -> Vectors:
        """[V, D] vectors of length 1; a zero vector stays zero."""
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        directions: Vectors = self.vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        return directions

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ix

    def neighbours(self, word: str, top: int = 10) -> list[tuple[str, float]]:
        """The words used most like this one, with the cosine of their vectors, the nearest first.

        Raises:
            UserError: the word has no vector; the message names the known words that look most like it.
        """
        if word not in self._ix:
            raise UserError(f"{word!r} has no word vector: {self._remedy(word)}")
        own = self._ix[word]
        cosines = self._directions @ self._directions[own]
        cosines[own] = -np.inf
        nearest = np.argsort(-cosines, kind="stable")[: min(top, len(self.words) - 1)]
        return [(self.words[ix], float(cosines[ix])) for ix in nearest]

    def matrix_for(self, words: Sequence[str], seed: int = 0) -> Vectors:
        """Initial embeddings for a vocabulary: [len(words), D]; a word without a vector gets small random numbers.

        Args:
            words: a row each, in this order.
            seed: of the random rows; within 1 / (2 D), where training itself begins.
        """
        width = self.vectors.shape[1]
        random = np.random.default_rng(seed)
        matrix = random.uniform(-0.5 / width, 0.5 / width, size=(len(words), width)).astype(np.float32)
        rows = [row for row, word in enumerate(words) if word in self._ix]
        matrix[rows] = self.vectors[[self._ix[words[row]] for row in rows]]
        return matrix

    def save(self, folder: str | Path) -> None:
        """Write `words.json` and `vectors.safetensors` into the folder, which is made."""
        from safetensors.numpy import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _WORDS_FILE).write_text(json.dumps(self.words, ensure_ascii=False), encoding="utf-8")
        save_file({"vectors": np.ascontiguousarray(self.vectors)}, folder / _VECTORS_FILE)

    @classmethod
    def load(cls, folder: str | Path) -> WordVectors:
        """Read what `save` wrote.

        Raises:
            ArtifactError: a file is missing or damaged, or the two do not belong together.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(folder)
        try:
            words = json.loads((folder / _WORDS_FILE).read_text(encoding="utf-8"))
            vectors = load_file(folder / _VECTORS_FILE)["vectors"]
            return cls(tuple(words), vectors.astype(np.float32, copy=False))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, DataError) as error:
            raise ArtifactError(f"{folder}: no word vectors can be read there ({error}); train them again") from error

    def _remedy(self, word: str) -> str:
        similar = similar_spellings(word, self.words)
        if similar:
            return f"did you mean {', '.join(similar)}?"
        return f"it is too rare in the shop's texts, or not in them; frequent ones are {', '.join(self.words[:5])}"


def train_word_vectors(
    sentences: Iterable[list[str]],
    size: int = 100,
    epochs: int = 10,
    seed: int = 0,
    workers: int = 1,
    min_count: int = 3,
    window: int = 5,
) -> WordVectors:
    """Learn a vector for every word that is frequent enough.

    Args:
        sentences: the words of each text. Read `epochs` + 1 times, so a list or the like, no generator.
        size: width D of the vectors.
        epochs: passes over the sentences.
        seed: of the initial vectors and the sampling; with one worker the same seed gives the same vectors.
        workers: threads; more than one is faster and no longer repeatable.
        min_count: a rarer word gets no vector; in a shop of fewer than 20,000 words in all every word gets one.
        window: how many words apart two words still explain each other.

    Raises:
        DataError: `sentences` can be read only once, or holds no words, or none that stands `min_count` times.
    """
    from gensim.models import Word2Vec

    if isinstance(sentences, Iterator):
        raise DataError("word vectors: the sentences are read several times; give a list, not a generator")
    counts = Counter(word for sentence in sentences for word in sentence)
    if not counts:
        raise DataError("word vectors: the texts hold no words; import products with titles first")
    thinning = 1e-4
    if counts.total() < _SMALL_SHOP_WORDS:
        min_count, thinning = 1, 0.0
    if max(counts.values()) < min_count:
        raise DataError(f"word vectors: no word stands {min_count} times in the texts; lower min_count")
    model = Word2Vec(
        vector_size=size,
        window=window,
        min_count=min_count,
        workers=workers,
        seed=seed,
        sg=1,
        negative=5,
        sample=thinning,
    )
    model.build_vocab_from_freq(counts, corpus_count=0)
    model.train(_Chunks(sentences), total_words=counts.total(), epochs=epochs)
    return WordVectors(tuple(model.wv.index_to_key), np.array(model.wv.vectors, dtype=np.float32))


@dataclass(frozen=True)
class _Chunks:
    """The sentences, long ones in pieces; can be read again and again."""

    sentences: Iterable[list[str]]

    def __iter__(self) -> Iterator[list[str]]:
        for sentence in self.sentences:
            for begin in range(0, len(sentence), _MOST_WORDS):
                yield sentence[begin : begin + _MOST_WORDS]


def similar_spellings(word: str, known: Sequence[str], most: int = 3) -> list[str]:
    """Known words that share the most with this one. difflib alone takes seconds over a large vocabulary."""
    import difflib

    signs = set(word)
    overlaps = ((len(signs & set(other)) / len(signs | set(other)), -ix) for ix, other in enumerate(known))
    nearest = sorted((pair for pair in overlaps if pair[0] > 0), reverse=True)[:200]
    return difflib.get_close_matches(word, [known[-ix] for _, ix in nearest], n=most, cutoff=0.5)
