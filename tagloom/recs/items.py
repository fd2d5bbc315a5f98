"""The catalogue as the recommender's experts see it: ids, tags and words as numbers.

Shapes: P products, L tags, V words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

from tagloom.config import TaggerSettings
from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError
from tagloom.recs.nearest import EXACT
from tagloom.recs.offers import numbered_categories
from tagloom.tags.features import Features

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.nn.items import Bags, Shelf

Ints = npt.NDArray[np.int64]
_WORDS = "words"
_ALIKE, _AT_ONCE = 5, 256


@dataclass(frozen=True, eq=False)
class Known:
    """What was met in training: products that have a vector of their own, tags and words in their columns.

    Args:
        product_ids: those with an id vector, in its order.
        tags: [L] names.
        tag_ids: [L] the vocabulary's ids.
        features: None where no product has a text.
    """

    product_ids: tuple[str, ...]
    tags: tuple[str, ...]
    tag_ids: tuple[int, ...]
    features: Features | None

    @classmethod
    def of(cls, products: Products, tag_ids: dict[str, int], custom_words: Sequence[str], most_words: int) -> Known:
        """Everything that a catalogue shows.

        Args:
            products: with clean tags.
            tag_ids: name -> stable id; of other tags the id is their position after the largest.
            custom_words: words that are never split.
            most_words: V at most.
        """
        tags = tuple(sorted({tag for tags in products.frame["tags"] for tag in tags}))
        free = max(tag_ids.values(), default=-1) + 1
        ids = tuple(tag_ids.get(tag, free + number) for number, tag in enumerate(tags))
        settings = TaggerSettings(ngrams=1, max_features=most_words, min_documents=2 if len(products) > 1 else 1)
        try:
            features = Features.fit(products.texts.to_list(), settings, WordSplitter(tuple(custom_words)))
        except DataError:  # a catalogue without texts: ids and tags are enough
            features = None
        return cls(tuple(products.frame["product_id"]), tags, ids, features)

    @property
    def words(self) -> int:
        """V."""
        return 0 if self.features is None else len(self.features)

    def word_rows(self, texts: Sequence[str]) -> Any:
        """CSR matrix [texts, V], each row of length 1; a text without a known word is empty."""
        if self.features is None or not len(texts):
            return csr_matrix((len(texts), self.words), dtype=np.float32)
        return self.features.rows(texts)

    def named_by(self, vocabulary: Vocabulary) -> Known:
        """The same with the vocabulary's names of today; a tag that it no longer knows keeps its old name."""
        live = [vocabulary.resolve(tag) for tag in self.tag_ids]
        names = (old if tag is None else vocabulary.tag(tag).name for tag, old in zip(live, self.tags, strict=True))
        ids = (old if tag is None else tag for tag, old in zip(live, self.tag_ids, strict=True))
        return replace(self, tags=tuple(names), tag_ids=tuple(ids))

    def save(self, folder: Path) -> None:
        """Write `known.json`, and the words in a folder beside it."""
        about = {"product_ids": self.product_ids, "tags": self.tags, "tag_ids": self.tag_ids}
        (folder / "known.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        if self.features is not None:
            (folder / _WORDS).mkdir()
            self.features.save(folder / _WORDS)

    @classmethod
    def load(cls, folder: Path) -> Known:
        """Read what `save` wrote."""
        about = json.loads((folder / "known.json").read_text(encoding="utf-8"))
        features = Features.load(folder / _WORDS) if (folder / _WORDS).is_dir() else None
        return cls(tuple(about["product_ids"]), tuple(about["tags"]), tuple(about["tag_ids"]), features)


@dataclass(frozen=True, eq=False)
class Items:
    """P products of today, also such as were not there in training.

    Args:
        product_ids: [P].
        known: what was met in training.
        ids: int64 [P], the row of a product's own vector; -1: it came later.
        tags: CSR matrix [P, L], 1 or 0.
        words: CSR matrix [P, V].
        categories: int64 [P], the number of each product's whole path, equal ones alike; -1: it has none.
        texts: [P]; empty when they are not at hand, after a model version was loaded.
    """

    product_ids: tuple[str, ...]
    known: Known
    ids: Ints
    tags: Any
    words: Any
    categories: Ints
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, products: Products, known: Known) -> Items:
        """A catalogue with clean tags; tags and words that were not met in training are not seen."""
        frame = products.frame
        column = {tag: ix for ix, tag in enumerate(known.tags)}
        pairs = sorted({(row, column[tag]) for row, tags in enumerate(frame["tags"]) for tag in tags if tag in column})
        rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
        tags = csr_matrix((np.ones(len(pairs), np.float32), (rows, columns)), shape=(len(products), len(known.tags)))
        number = {product_id: ix for ix, product_id in enumerate(known.product_ids)}
        ids = np.array([number.get(product_id, -1) for product_id in frame["product_id"]], np.int64)
        texts, (categories, _) = tuple(products.texts.to_list()), numbered_categories(frame)
        return cls(tuple(frame["product_id"]), known, ids, tags, known.word_rows(texts), categories, texts)

    def __len__(self) -> int:
        return len(self.product_ids)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each product."""
        return {product_id: row for row, product_id in enumerate(self.product_ids)}

    @property
    def large(self) -> bool:
        """Whether there are too many to look at each of them for every answer."""
        return len(self) > EXACT

    @cached_property
    def keys(self) -> Ints:
        """[P] a number of each product that it keeps, whatever catalogue it is in: a hash of its id, not negative."""
        told = b"".join(
            blake2b(one.encode("utf-8", "surrogatepass"), digest_size=8).digest() for one in self.product_ids
        )
        return np.frombuffer(told, np.uint64).astype(np.int64) & np.iinfo(np.int64).max

    @cached_property
    def row_of_known(self) -> Ints:
        """[I] the row of each product that training met; -1: it is gone."""
        found = np.full(len(self.known.product_ids), -1, np.int64)
        met = np.flatnonzero(self.ids >= 0)
        found[self.ids[met]] = met
        return found

    @cached_property
    def some_came_later(self) -> bool:
        """Whether there is a product that training did not meet."""
        return bool((self.ids < 0).any())

    def alike(self, met: Ints) -> Any:
        """CSR matrix [P, P]: of each product that came later the most similar ones of some rows, summing to 1.

        By tags and words together, each half; a product that shares none with any has an empty row.
        """
        from sklearn.preprocessing import normalize

        new = np.flatnonzero(self.ids < 0) if len(met) else met
        told = [normalize(part) for part in (self.tags, self.words) if part.shape[1]]
        content = hstack(told).tocsr() if told else csr_matrix((len(self), 1))
        known, parts = content[met].T.tocsc(), []
        for start in range(0, len(new), _AT_ONCE):
            similar = (content[new[start : start + _AT_ONCE]] @ known).toarray()
            best = np.argpartition(-similar, min(_ALIKE, len(met)) - 1, 1)[:, :_ALIKE]
            shares = np.take_along_axis(similar, best, 1)
            shares /= np.maximum(shares.sum(1, keepdims=True), np.finfo(np.float32).tiny)
            parts.append((shares, np.repeat(new[start : start + _AT_ONCE, None], best.shape[1], 1), met[best]))
        shares, rows, columns = (np.concatenate([part[ix].ravel() for part in parts] or [new[:0]]) for ix in range(3))
        found = csr_matrix((shares, (rows, columns)), shape=(len(self), len(self)), dtype=np.float32)
        found.eliminate_zeros()
        return found

    @cached_property
    def tag_shares(self) -> Any:
        """CSR matrix [P, L]: the tags of each product, their shares summing to 1."""
        counts = np.diff(self.tags.indptr)
        shares = np.repeat(1 / np.maximum(1, counts), counts).astype(np.float32)
        return csr_matrix((shares, self.tags.indices, self.tags.indptr), shape=self.tags.shape)

    @cached_property
    def shelf(self) -> Shelf:
        """The same as tensors; the weights of a product's tags sum to 1."""
        import torch

        from tagloom.nn.items import Shelf

        return Shelf(torch.from_numpy(self.ids), bags(self.tag_shares), bags(self.words))


def bags(matrix: Any) -> Bags:
    """A CSR matrix as bags of its columns."""
    import torch

    from tagloom.nn.items import Bags

    return Bags(
        torch.from_numpy(matrix.indices.astype(np.int64)),
        torch.from_numpy(matrix.indptr.astype(np.int64)),
        torch.from_numpy(matrix.data.astype(np.float32)),
    )
