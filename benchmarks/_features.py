"""What the peers read: words, or words and pairs of words, that stand in two texts or more, by sublinear TF-IDF.

Shapes: P texts, V features, L tags.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from _data import Catalogue

from tagloom.data.tables import Products

_MOST_FEATURES = 200_000


class Features:
    """The features [P, V] and the truth [P, L] of the training texts, and the way there for other texts."""

    def __init__(self, catalogue: Catalogue, longest: int) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        started = time.perf_counter()
        cut = CUT[catalogue.language]
        self._tfidf = TfidfVectorizer(
            analyzer=lambda text: cut(text) if longest == 1 else _with_pairs(cut(text)),
            min_df=2,
            max_features=_MOST_FEATURES,
            sublinear_tf=True,
            dtype=np.float32,
        )
        self.train = self._tfidf.fit_transform(catalogue.train.texts)
        self.tags = tags_of(catalogue.train)
        self.truth = truth_of(catalogue.train, self.tags)
        self.seconds = time.perf_counter() - started

    def rows(self, texts: Sequence[str]) -> Any:
        return self._tfidf.transform(texts)


def tags_of(products: Products) -> list[str]:
    return sorted(set(products.frame["tags"].explode().drop_nulls()))


def truth_of(products: Products, tags: Sequence[str]) -> Any:
    """CSR matrix [P, L] of the products' tags; tags that are not in the list are left out."""
    from scipy.sparse import csr_matrix

    column = {tag: ix for ix, tag in enumerate(tags)}
    rows = [[column[tag] for tag in row if tag in column] for row in products.frame["tags"].to_list()]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    flat = np.fromiter(itertools.chain.from_iterable(rows), np.int64)
    return csr_matrix((np.ones(len(flat), np.float32), flat, starts), shape=(len(rows), len(tags)))


def _chinese_words(text: str) -> list[str]:
    import rjieba

    return [word for word in rjieba.cut(text) if re.match(r"\w", word)]


def _english_words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


CUT = {"zh": _chinese_words, "en": _english_words}


def _with_pairs(words: list[str]) -> list[str]:
    return [*words, *(f"{first} {second}" for first, second in itertools.pairwise(words))]
