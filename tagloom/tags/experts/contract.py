"""What every expert can do, and what it learns from. B texts, P training texts, V terms, L tags, K tags asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from tagloom.tags.families import Families
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.data.words.wordvectors import WordVectors

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.integer[Any]]
Arrays = dict[str, npt.NDArray[Any]]
Progress = Callable[[int, dict[str, float]], object]
# The terms of one text (N; the same term may come twice), and what each added to the scores of K tags, [N, K].
Carried = tuple[Sequence[str], npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True, eq=False)
class Part:
    """Train or valid, equal texts joined: P products of U different texts.

    Args:
        reading: the texts, each once.
        products: CSR matrix [P, L] of true tags.
        text_of: [P] the text of each product.
    """

    reading: Reading
    products: Any
    text_of: Rows

    @classmethod
    def of(cls, features: Features, texts: Sequence[str], products: Any) -> Part:
        """Join the products of equal texts; `texts` has one for each row of `products`."""
        number: dict[str, int] = {}
        text_of = np.array([number.setdefault(text, len(number)) for text in texts], np.int64)
        return cls(features.read(tuple(number)), products, text_of)

    @cached_property
    def weights(self) -> Floats:
        """[U] how many products have each text."""
        return np.bincount(self.text_of, minlength=len(self.reading)).astype(np.float32)

    @cached_property
    def truth(self) -> Any:
        """CSR matrix [U, L]: the share of a text's products that have the tag."""
        from scipy.sparse import csr_matrix

        shares = (1 / self.weights[self.text_of]).astype(np.float32)
        shape = (len(self.reading), len(self.text_of))
        return (csr_matrix((shares, (self.text_of, np.arange(len(self.text_of)))), shape=shape) @ self.products).tocsr()

    def head(self, most: int) -> Part:
        """The first texts, with their products."""
        if len(self.reading) <= most:
            return self
        kept = np.flatnonzero(self.text_of < most)
        return Part(self.reading.part(range(most)), self.products[kept], self.text_of[kept])


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What an expert learns from.

    Args:
        features: what is read of texts.
        train, valid: the products.
        names: [L] the tags' names.
        aliases: other names of some tags.
        families: tags of which a product has one at most.
        word_vectors: to start from, where there are any.
        log_folder: where curves go.
        checkpoint: where training that is broken off can go on from.
        progress: told of each pass.
    """

    features: Features
    train: Part
    valid: Part
    names: tuple[str, ...]
    aliases: Mapping[str, tuple[str, ...]]
    families: Families
    word_vectors: WordVectors | None = None
    log_folder: Path | None = None
    checkpoint: Path | None = None
    progress: Progress | None = None

    @cached_property
    def prior(self) -> Floats:
        """[L] log-odds of each tag in the training data, drawn a little to even odds."""
        share = (self.counts + 0.5) / (float(self.train.weights.sum()) + 1)
        odds: Floats = np.log(share / (1 - share)).astype(np.float32)
        return odds

    @cached_property
    def counts(self) -> npt.NDArray[np.float64]:
        """[L] training products that have each tag."""
        result: npt.NDArray[np.float64] = np.asarray(self.train.truth.T @ self.train.weights.astype(np.float64)).ravel()
        return result


class Expert(Protocol):
    """A trained expert."""

    def scores(self, reading: Reading) -> Floats:
        """A score of each tag [B, L], near its log-odds; larger is likelier."""

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """For each text what its terms added to the scores of some tags, columns [B, K]."""

    def arrays(self) -> Arrays:
        """All numbers that must be saved."""

    def about(self) -> dict[str, Any]:
        """All else that must be saved, as JSON has it."""


def terms_carried(reading: Reading, ix: int, weights: npt.NDArray[np.floating[Any]]) -> Carried:
    """What the terms of one text's row carried: weights [N, K] of the row's N terms."""
    return list(reading.terms_of(ix)), weights
