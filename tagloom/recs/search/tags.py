"""Query -> tags: those that a query names, and those of what is taken after such queries, joined to a confidence.

Shapes: L tags, Q queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.tags.experts.name import keys_of, spellings_of, units

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_LONGEST = 8
_COMPARED = 20
_LEAST_QUERIES = 20
_BOUNDS = 20.0


@dataclass(frozen=True)
class Names:
    """What a vocabulary says of tags, by their names.

    Args:
        aliases: other ways to say each.
        ids: stable ids.
    """

    aliases: Mapping[str, tuple[str, ...]]
    ids: Mapping[str, int]

    @classmethod
    def of(cls, vocabulary: Vocabulary | None) -> Names:
        """Of all tags of a vocabulary; of none without one."""
        tags = vocabulary.tags if vocabulary is not None else ()
        return cls({tag.name: tag.aliases for tag in tags}, {tag.name: tag.id for tag in tags})

    def numbered(self, tags: Sequence[str], taken: int = -1) -> tuple[int, ...]:
        """The id of each tag; one that the vocabulary does not know gets a number after all ids and after `taken`."""
        free = max([*self.ids.values(), taken], default=-1) + 1
        return tuple(self.ids.get(tag, free + place) for place, tag in enumerate(tags))


@dataclass(frozen=True, eq=False)
class TagNames:
    """The tags of now, and how each is said.

    Args:
        names: [L].
        ids: [L] stable ids.
        spellings: [L] the ways to say each, normalised.
    """

    names: tuple[str, ...]
    ids: tuple[int, ...]
    spellings: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, names: Sequence[str], ids: Sequence[int], aliases: Mapping[str, Sequence[str]]) -> TagNames:
        """Of names, ids and aliases."""
        return cls(tuple(names), tuple(ids), tuple(spellings_of(name, aliases.get(name, ())) for name in names))

    def by_units(self) -> dict[str, list[int]]:
        """The tags that are said so, by the units of the spelling with blanks between them."""
        found: dict[str, list[int]] = {}
        for tag, ways in enumerate(self.spellings):
            for key in keys_of(ways):
                found.setdefault(key, []).append(tag)
        return found


def named_in(words: Sequence[str], by_units: Mapping[str, list[int]]) -> Ints:
    """The tags whose names stand in a query, as runs of whole units; of one inside a longer one the longer alone.

    Args:
        words: of the query, as it was understood.
        by_units: what `TagNames.by_units` gave.
    """
    said, found, at = units(words), dict[int, None](), 0
    while at < len(said):
        ends = (end for end in range(min(len(said), at + _LONGEST), at, -1) if " ".join(said[at:end]) in by_units)
        end = next(ends, 0)
        found |= dict.fromkeys(by_units[" ".join(said[at:end])]) if end else {}
        at = max(at + 1, end)
    return np.array(list(found), np.int64)


@dataclass(frozen=True)
class TagConfidence:
    """Log-odds that a tag is one of the product that is taken: `log_share` times what was learned, and so on.

    A logistic regression over two features (Platt 1999), fitted on queries that were not learned from.
    """

    log_share: float = 1.0
    named: float = 3.0
    base: float = 0.5

    @classmethod
    def fit(cls, queries: Sequence[tuple[Floats, Ints, Ints]]) -> TagConfidence:
        """From queries: the log share of each tag [L], the tags named, and the tags of the product that was taken.

        Of each query the likeliest tags are compared. Too few queries: the defaults.
        """
        from sklearn.linear_model import LogisticRegression

        features, truth = [], []
        for logs, named, true in queries:
            likely = np.argsort(-logs, kind="stable")[:_COMPARED]
            chosen = np.union1d(likely, named)
            features.append(np.stack([logs[chosen], np.isin(chosen, named)], 1))
            truth.append(np.isin(chosen, true))
        told = np.concatenate(truth) if truth else np.zeros(0, np.bool_)
        if len(queries) < _LEAST_QUERIES or told.all() or not told.any():
            return cls()
        found = LogisticRegression().fit(np.concatenate(features), told)
        (weight, named), base = found.coef_[0].tolist(), float(found.intercept_[0])
        # What is named or likelier must never be less sure: a small log may say so by chance.
        return cls(max(weight, 0.1), max(named, 0.0), base)

    def of(self, logs: Floats, named: Ints) -> Floats:
        """Confidence of each tag [L], from 0 to 1."""
        said = np.zeros(len(logs), np.float32)
        said[named] = 1.0
        odds = np.clip(self.log_share * logs + self.named * said + self.base, -_BOUNDS, _BOUNDS)
        result: Floats = (1 / (1 + np.exp(-odds))).astype(np.float32)
        return result

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {"log_share": self.log_share, "named": self.named, "base": self.base}
