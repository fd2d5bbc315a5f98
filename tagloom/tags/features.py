"""What the models read of texts: words, TF-IDF rows over words and runs of words, and word numbers in their order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
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


_ENOUGH_FOR_PAIRS = 20_000


@dataclass(frozen=True, eq=False)
class Reading:
    """B texts; what is made of them is made once, when a model first asks for it.

    Args:
        features: what is known.
        texts: as they came.
    """

    features: Features
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def words(self) -> list[list[str]]:
        """The words of each text."""
        return [self.features.cut(text) for text in self.texts]

    @cached_property
    def rows(self) -> Any:
        """CSR matrix [B, V] of TF-IDF weights."""
        return self.features._vectoriser.transform(self.words)

    @cached_property
    def tokens(self) -> list[npt.NDArray[np.int64]]:
        """The number of each word, of each text: see `Features.token_of`."""
        import numpy as np

        token_of = self.features.token_of
        return [np.array([token_of.get(word, 1) for word in words], np.int64) for words in self.words]

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """[B] whether any term of the text is known; what is not known is no ground for any tag."""
        import numpy as np

        known: npt.NDArray[np.bool_] = np.diff(self.rows.indptr) > 0
        return known

    def terms_of(self, ix: int) -> Iterator[str]:
        """The known terms of one text, in the order of its row."""
        rows = self.rows
        return (self.features.terms[term] for term in rows.indices[rows.indptr[ix] : rows.indptr[ix + 1]])

    def part(self, wanted: Sequence[int]) -> Reading:
        """Some of the texts, with what was already made of them."""
        some = Reading(self.features, tuple(self.texts[ix] for ix in wanted))
        made = self.__dict__
        if "words" in made:
            some.__dict__["words"] = [self.words[ix] for ix in wanted]
        if "rows" in made:
            some.__dict__["rows"] = self.rows[list(wanted)]
        if "tokens" in made:
            some.__dict__["tokens"] = [self.tokens[ix] for ix in wanted]
        return some


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
    def fit(cls, texts: Sequence[str], settings: TaggerSettings, splitter: WordSplitter) -> Features:
        """Learn terms and their frequencies.

        With `ngrams` 0 pairs of words are read where there are texts enough to know them from chance: of the two
        catalogues this was chosen on (by valid), 34,000 texts were tagged better with pairs, 4,500 worse.

        Raises:
            DataError: no term stands in as many texts as `tagger.min_documents` asks.
        """
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        ngrams = settings.ngrams or (2 if len(texts) >= _ENOUGH_FOR_PAIRS else 1)
        vectoriser = TfidfVectorizer(
            analyzer=lambda text: _terms(splitter.split(text)[: settings.max_words], ngrams),
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
        return cls(terms, vectoriser.idf_.astype(np.float32), ngrams, settings.max_words, splitter)

    def __len__(self) -> int:
        return len(self.terms)

    def read(self, texts: Sequence[str]) -> Reading:
        """Texts as the models read them."""
        return Reading(self, tuple(texts))

    def rows(self, texts: Iterable[str]) -> Any:
        """CSR matrix [B, V], each row of length 1; a text without a known term is an empty row."""
        return self._vectoriser.transform(map(self.cut, texts))

    def cut(self, text: str) -> list[str]:
        """The words of a text that are read."""
        return self.splitter.split(text)[: self.max_words]

    @cached_property
    def token_of(self) -> dict[str, int]:
        """The number of each single word among the terms, from 2 on; 0 is padding and 1 an unknown word."""
        custom = set(self.splitter.custom_words)
        words = [term for term in self.terms if " " not in term or term in custom]
        return {word: ix for ix, word in enumerate(words, start=2)}

    @cached_property
    def token_idf(self) -> npt.NDArray[np.float32]:
        """The inverse document frequency of each token number; 0 for padding and unknown words."""
        import numpy as np

        column = {term: ix for ix, term in enumerate(self.terms)}
        found: npt.NDArray[np.float32] = np.append(
            np.zeros(2, np.float32), [self.idf[column[w]] for w in self.token_of]
        )
        return found

    @cached_property
    def _vectoriser(self) -> Any:
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(
            analyzer=lambda words: _terms(words, self.ngrams),
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


def chunks(count: int, tags: int) -> Iterator[slice]:
    """Rows at once, so that an answer takes bounded memory however many tags there are."""
    size = max(8, min(1_024, 8_000_000 // max(1, tags)))
    return (slice(start, start + size) for start in range(0, count, size))
