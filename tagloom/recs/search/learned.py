"""What a search has learned, and how that meets the catalogue of now.

Shapes: P products, L tags that were learned, T tags of now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tagloom.artifact import load_part, save_part
from tagloom.config import SearchSettings
from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.recs.items import Items, Known
from tagloom.recs.nearest import Nearest
from tagloom.recs.search.features import WordFeatures
from tagloom.recs.search.joining import Joining
from tagloom.recs.search.kept import kept_words
from tagloom.recs.search.queries import Query
from tagloom.recs.search.reading import ProductWords
from tagloom.recs.search.shown import Shown
from tagloom.recs.search.spelling import Spelling
from tagloom.recs.search.suggest import Suggestions
from tagloom.recs.search.tags import Names, TagConfidence, TagNames
from tagloom.recs.search.vectors import Vectors
from tagloom.recs.search.words import WordIndex

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary

Floats = npt.NDArray[np.float32]

_NAME = "search"


@dataclass(frozen=True, eq=False)
class Learned:
    """What does not depend on the catalogue of now. Nobody's history is in it, and no query that few users typed.

    Args:
        settings: with which it was learned.
        custom_words: words that are never split.
        tags: [L], and their ids.
        vectors: of words, pieces and tags.
        joining: of the features of a candidate.
        confidence: of tags.
        taken: of each product how much it was taken.
        asked: queries that several users typed, with how many.
        asked_words: words after which several users took something.
    """

    settings: SearchSettings
    custom_words: tuple[str, ...]
    tags: Known
    vectors: Vectors
    joining: Joining
    confidence: TagConfidence
    taken: Mapping[str, float]
    asked: Mapping[str, int]
    asked_words: frozenset[str]

    @property
    def splitter(self) -> WordSplitter:
        """Cuts texts into words."""
        return WordSplitter(self.custom_words)

    def share_asked(self, query: Query) -> float:
        """The share of a query's words that several users took something after; unread ones tell nothing."""
        whole = [word for word in query.read if word.how not in ("part", "unknown")] or query.read
        asked = [not self.asked_words.isdisjoint(word.words) for word in whole]
        return sum(asked) / max(1, len(asked))

    def named_by(self, vocabulary: Vocabulary) -> Learned:
        """The same with the vocabulary's names of today."""
        return replace(self, tags=self.tags.named_by(vocabulary))

    def shown(
        self,
        products: Products,
        names: Names,
        *,
        words: ProductWords | None = None,
        folder: Path | None = None,
        last: Shown | None = None,
    ) -> Shown:
        """A catalogue, ready to be searched.

        Args:
            products: with clean tags.
            names: of the tags of now.
            words: of the products, where they were read already.
            folder: where its words are kept, or shall be; None: nowhere.
            last: the catalogue before, of which the graph of vectors is grown.
        """
        splitter, state = self.splitter, "new"
        if words is None and folder is not None:
            words, state = kept_words(folder, products, splitter, names.aliases)
        words = words or ProductWords.of(products, splitter, names.aliases)
        items = Items.of(products, self.tags)
        vectors = self.vectors.products(words, items.tag_shares)
        counts = dict(products.frame["tags"].explode(empty_as_null=False).value_counts(name="products").rows())
        tags = self._tags_of_now(counts, names)
        said = [(way, counts.get(tag, 0)) for tag, ways in zip(tags.names, tags.spellings, strict=True) for way in ways]
        spelling = Spelling.of(words, filter(self.vectors.features.knows, sorted(self.asked_words)))
        asked = {text: users for text, users in self.asked.items() if all(map(spelling.knows, splitter.split(text)))}
        return Shown(
            product_ids=items.product_ids,
            words=words,
            splitter=splitter,
            spelling=spelling,
            index=WordIndex.of(words),
            nearest=Nearest.of(vectors, items.keys, None if last is None else last.nearest.index),
            popular=self.popular(items.product_ids),
            tags=tags,
            by_units=tags.by_units(),
            suggestions=Suggestions.of(asked, said, words, splitter),
            state=state,
        )

    def popular(self, product_ids: Sequence[str]) -> Floats:
        """[P] the log of each product's share of all that is taken."""
        taken = np.array([self.taken.get(product_id, 0.0) + 1 for product_id in product_ids])
        shares: Floats = np.log(taken / max(1.0, taken.sum())).astype(np.float32)
        return shares

    def _tags_of_now(self, carried: Mapping[str, int], names: Names) -> TagNames:
        """The tags that were learned, then those that came since."""
        known, ids = self.tags.tags, self.tags.tag_ids
        new = sorted({*carried, *names.ids} - set(known))
        numbers = names.numbered(new, max(ids, default=-1))
        return TagNames.of((*known, *new), (*ids, *numbers), names.aliases)

    def tag_logs(self, vector: Floats | None, tags: TagNames) -> Floats:
        """[T] the log share of each tag of now after a query; of one that came since that of a tag by chance."""
        chance = -float(np.log(max(1, len(tags.names))))
        logs = np.full(len(tags.names), chance, np.float32)
        if vector is not None:
            found = self.vectors.tag_logs(vector)
            logs[: len(found)] = found
            logs[len(found) :] = min(chance, float(found.min(initial=0.0)))
        return logs

    def save(self, folder: Path) -> None:
        """Write `search.json` and `search.safetensors`."""
        vectors = self.vectors
        about = {
            "settings": self.settings.model_dump(),
            "custom_words": self.custom_words,
            "tags": self.tags.tags,
            "tag_ids": self.tags.tag_ids,
            "words": vectors.features.words,
            "scale": vectors.scale,
            "joining": self.joining.as_dict(),
            "confidence": self.confidence.as_dict(),
            "taken": dict(self.taken),
            "asked": dict(self.asked),
            "asked_words": sorted(self.asked_words),
        }
        arrays = {"table": vectors.table, "tags": vectors.tags, "bias": vectors.tag_bias, "idf": vectors.features.idf}
        save_part(folder, _NAME, arrays, json.loads(json.dumps(about)))

    @classmethod
    def load(cls, folder: Path) -> Learned:
        """Read what `save` wrote."""
        arrays, about = load_part(folder, _NAME)
        features = WordFeatures(tuple(about["words"]), arrays["idf"])
        return cls(
            settings=SearchSettings(**about["settings"]),
            custom_words=tuple(about["custom_words"]),
            tags=Known((), tuple(about["tags"]), tuple(about["tag_ids"]), None),
            vectors=Vectors(features, arrays["table"], arrays["tags"], arrays["bias"], about["scale"]),
            joining=Joining.from_dict(about["joining"]),
            confidence=TagConfidence(**about["confidence"]),
            taken=about["taken"],
            asked=about["asked"],
            asked_words=frozenset(about["asked_words"]),
        )
