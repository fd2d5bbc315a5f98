"""Texts as TF-IDF rows over words and runs of words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.artifact import load_arrays, save_arrays
from tagloom.config import TaggerSettings
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Features:
    """The features that a model knows, and how texts become rows of them.

    Args:
        terms: V words and runs of words (joined by a blank), in column order.
        idf: [V] inverse document frequencies.
        ngrams: the longest run.
        max_words: words read of one text.
        splitter: cuts texts into words.
    """

    terms: tuple[str, ...]
    idf: npt.NDArray[np.float32]
    ngrams: int
    max_words: int
    splitter: WordSplitter

    @classmethod
    def fit(cls, texts: Iterable[str], settings: TaggerSettings, splitter: WordSplitter) -> Features:
        """Learn terms and their frequencies.

        Raises:
            DataError: no term stands in as many texts as `tagger.min_documents` asks.
        """
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(
            analyzer=lambda text: _terms(splitter.split(text)[: settings.max_words], settings.ngrams),
            min_df=settings.min_documents,
            max_features=settings.max_features,
            sublinear_tf=True,
            dtype=np.float32,
        )
        try:
            vectoriser.fit(texts)
        except ValueError as error:
            raise DataError(
                f"no word stands in {settings.min_documents} or more of the training texts; import products with"
                " titles or descriptions, or lower tagger.min_documents"
            ) from error
        terms = tuple(vectoriser.get_feature_names_out())
        return cls(terms, vectoriser.idf_.astype(np.float32), settings.ngrams, settings.max_words, splitter)

    def __len__(self) -> int:
        return len(self.terms)

    def rows(self, texts: Iterable[str]) -> Any:
        """CSR matrix [B, V], each row of length 1; a text without a known term is an empty row."""
        return self._vectoriser.transform(texts)

    @cached_property
    def _vectoriser(self) -> Any:
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(
            analyzer=lambda text: _terms(self.splitter.split(text)[: self.max_words], self.ngrams),
            vocabulary={term: ix for ix, term in enumerate(self.terms)},
            sublinear_tf=True,
            dtype=np.float32,
        )
        vectoriser.idf_ = self.idf
        return vectoriser

    def save(self, folder: Path) -> None:
        """Write `features.json` and `features.safetensors`."""
        about = {
            "terms": self.terms,
            "ngrams": self.ngrams,
            "max_words": self.max_words,
            "custom_words": sorted(self.splitter.custom_words),
        }
        (folder / "features.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        save_arrays(folder / "features.safetensors", {"idf": self.idf})

    @classmethod
    def load(cls, folder: Path) -> Features:
        """Read what `save` wrote."""
        about = json.loads((folder / "features.json").read_text(encoding="utf-8"))
        idf = load_arrays(folder / "features.safetensors")["idf"]
        splitter = WordSplitter(tuple(about["custom_words"]))
        return cls(tuple(about["terms"]), idf, about["ngrams"], about["max_words"], splitter)


def _terms(words: Sequence[str], longest: int) -> list[str]:
    runs = [
        " ".join(words[start : start + size])
        for size in range(2, longest + 1)
        for start in range(len(words) - size + 1)
    ]
    return [*words, *runs]
