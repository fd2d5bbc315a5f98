"""Products by their words: a tantivy index that is fed with our own words, and asked without any syntax.

BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond") in each field; of a word's
fields the best counts, the others a little. The index is in memory, and made anew for each catalogue.
Shapes: P products, C products found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.recs.search.answers import ReadWord
from tagloom.recs.search.queries import NEXT_READING
from tagloom.recs.search.reading import FIELDS, ProductWords

if TYPE_CHECKING:
    import tantivy

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_BOOSTS = {"title": 2.0, "tags": 2.0, "category": 1.5, "description": 1.0}
# How much a word's other fields add to its best one.
_OTHER_FIELDS = 0.3
_HEAP_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class WordIndex:
    """An index of P products.

    Args:
        index: tantivy's.
        products: P.
    """

    index: tantivy.Index
    products: int

    @classmethod
    def of(cls, words: ProductWords) -> WordIndex:
        """Of a catalogue's words; 12,000 products take a fifth of a second."""
        import tantivy

        index = tantivy.Index(_schema())
        _fill(index, words)
        return cls(index, len(words))

    def found(self, read: Sequence[ReadWord], limit: int) -> tuple[Ints, Floats]:
        """The products that hold any of the words, the best first: rows [C], BM25 scores [C].

        Args:
            read: the query; words that were not understood find nothing.
            limit: the largest C.
        """
        searcher = self.index.searcher()
        clauses = [self._clause(word) for word in read if word.words]
        if not clauses or not self.products:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        hits = searcher.search(self._any(clauses), limit=min(limit, self.products), count=False).hits
        rows = searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64), np.array([score for score, _ in hits], np.float32)

    def _clause(self, word: ReadWord) -> Any:
        """A word in whatever field, or what it was read as, whichever scores best."""
        from tantivy import Query

        terms = [
            Query.boost_query(
                Query.term_query(self.index.schema, field, _term(said), index_option="freq"),
                _BOOSTS[field] * NEXT_READING**place,
            )
            for place, said in enumerate(word.words)
            for field in FIELDS
        ]
        return Query.disjunction_max_query(terms, _OTHER_FIELDS)

    @staticmethod
    def _any(clauses: list[Any]) -> Any:
        from tantivy import Occur, Query

        return Query.boolean_query([(Occur.Should, clause) for clause in clauses])


def _term(word: str) -> str:
    return word.replace(" ", "\x1f")


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", fast=True, indexed=False, stored=False)
    for field in FIELDS:
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _fill(index: Any, words: ProductWords) -> None:
    import tantivy

    # One thread: the same catalogue gives the same index, and the order among equals does not change from run to run.
    writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
    for row, texts in enumerate(zip(*(words.texts(field) for field in FIELDS), strict=True)):
        document = tantivy.Document()
        document.add_unsigned("row", row)
        for field, text in zip(FIELDS, texts, strict=True):
            document.add_text(field, text)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
