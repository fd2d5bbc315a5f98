"""What a Recommender has learned, and how it answers.

Shapes: B users, P products, L tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.config import RecommenderSettings
from tagloom.data.histories import Histories
from tagloom.errors import NotFittedError, UserError
from tagloom.recs.blend import Blend
from tagloom.recs.experts.contract import Asked, Expert, Floats, Ints, events_of
from tagloom.recs.experts.popular import PopularExpert, log_shares_of
from tagloom.recs.interest import Interest
from tagloom.recs.items import Items
from tagloom.recs.joint import Joint, columns_of
from tagloom.recs.rules import Rules
from tagloom.recs.scored import Scored, at, joined, log_sum, sparse
from tagloom.recs.showing import Ruled, Showing

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.nn.training import Trained
    from tagloom.recs.search.search import Search
    from tagloom.tags.tagger import Tagger

# Scores that are held at a time, for all experts together.
_SCORES_AT_ONCE = 12_000_000
_TIES = np.float32(1e-4)
# Of a large catalogue: what each expert puts forward; what is drawn to tell the shares of all the others; and about how
# many that makes together.
_CANDIDATES, _DRAWN = 500, 1_000
LOOKED_AT = 4 * _CANDIDATES + _DRAWN
_NONE = np.zeros(0, np.int64)
NOBODY = Histories((), np.zeros(1, np.int64), _NONE, _NONE, _NONE, np.zeros(0, np.float32), (), {})


@dataclass(frozen=True, eq=False)
class Fitted:
    """The state of a Recommender after `fit` or `load`.

    Args:
        settings: how it was learned.
        items: the products of today.
        histories: everybody's, as `read_histories` gives them; of nobody after `load`, until `seeing`.
        experts: by name.
        blend: of products, over the experts.
        default: [P] logs of shares: what is taken now, for users of whom nothing is known.
        again: whether what a user has is recommended too.
        interest: of tags; None where the catalogue has none.
        joint: interest and the Tagger's view together; None without a Tagger.
        tagger: reads texts; None where there was nothing to learn it from.
        unseen: rows of `items.known.product_ids`: products that the Tagger has not learned from.
        contributions: of each expert its weight, and nDCG@10 on valid alone and of the blend without it.
        trained: how training of the networks went, right after `fit`.
        showing: what may be shown of today's products; None after `load`, until `seeing`.
        search: finds by words; None: it was not learned.
    """

    settings: RecommenderSettings
    items: Items
    histories: Histories
    experts: Mapping[str, Expert]
    blend: Blend
    default: Floats
    again: bool
    interest: Interest | None
    joint: Joint | None
    tagger: Tagger | None
    unseen: Ints
    contributions: tuple[dict[str, Any], ...]
    trained: Mapping[str, Trained]
    showing: Showing | None = None
    search: Search | None = None

    # Products

    def scored(self, asked: Asked, ruled: Ruled | None = None, most: int = 0) -> Scored:
        """The blend's scores, before anything is hidden: of all products, or of the likeliest of a large catalogue.

        The best products of a user compare as logs of probabilities do.
        """
        rows = self.candidates(asked, ruled, most)
        if rows is None:
            return Scored(self._joined(asked))
        # What the others have together is estimated from some that are drawn once.
        some = np.tile(self._some, (len(asked), 1))
        scores, told = np.split(self._joined(asked, np.hstack([rows, some])), [rows.shape[1]], axis=1)
        scores = np.where(rows < 0, -np.inf, scores)
        told = np.where(at(sparse(rows, len(asked.items)), some) > 0, -np.inf, told)
        rest = log_sum(told) + np.log(len(asked.items) / some.shape[1])
        return Scored(scores, rows, rest.astype(np.float32))

    def among(self, asked: Asked, rows: Ints | None) -> Scored:
        """The blend's scores of some products [C] alone, or of all: shares are then of these."""
        if rows is None:
            return Scored(self._joined(asked))
        tiled = np.tile(rows, (len(asked), 1))
        return Scored(self._joined(asked, tiled), tiled)

    def personal(self, asked: Asked) -> Callable[[Ints], Floats]:
        """One user's scores of some products, int64 [C] -> [C]; of somebody of whom nothing is known 0."""
        if not self.knows(asked).any():
            return lambda rows: np.zeros(len(rows), np.float32)
        return lambda rows: self._joined(asked, rows[None])[0]

    def candidates(self, asked: Asked, ruled: Ruled | None = None, most: int = 0) -> Ints | None:
        """[B, C] of a large catalogue what is looked at, each once, -1 for no more; None: all.

        That is what each expert puts forward, more of it the fewer may be shown; where those are few, all of them.
        """
        if not asked.items.large:
            return None
        forward = max(_CANDIDATES, most)
        if ruled is None:
            return joined([self.experts[name].best(asked, forward) for name in self.blend.names])
        if ruled.rows is not None:
            return np.tile(ruled.rows, (len(asked), 1))
        parts = [self.experts[name].best(asked, int(forward / ruled.share)) for name in self.blend.names]
        return joined([*parts, np.tile(ruled.standing_by(most), (len(asked), 1))])

    def _joined(self, asked: Asked, rows: Ints | None = None) -> Floats:
        joined = self.blend.joined([self.experts[name].scores(asked, rows) for name in self.blend.names])
        # What no expert tells apart, such as for one who only searched, stands by what is taken now.
        return joined + _TIES * (self.default if rows is None else self.default[rows])

    def offered(self, asked: Asked, ruled: Ruled | None = None, most: int = 0) -> Scored:
        """What may be recommended: the blend's scores, for users of whom nothing is known what is taken most now; where
        that is not wanted, without what each has."""
        known = self.knows(asked)
        found = self.scored(asked, ruled, most) if known.all() else self._default(asked, ruled, most)
        if known.any() and not known.all():
            found = found.replaced(np.flatnonzero(known), self.scored(asked.of(np.flatnonzero(known)), ruled, most))
        again = self.again if ruled is None or ruled.rules.again is None else ruled.rules.again
        return found if again else found.without(asked.taken)

    def _default(self, asked: Asked, ruled: Ruled | None, most: int) -> Scored:
        if not asked.items.large:
            return Scored(np.tile(self.default, (len(asked), 1)))
        if ruled is not None:
            rows = ruled.standing_by(most) if ruled.rows is None else ruled.rows
        else:
            most = min(max(_CANDIDATES, most), len(self.default) - 1)
            rows = np.argpartition(-self.default, most)[:most]
        rest = np.log(max(1e-30, 1 - float(np.exp(self.default[rows]).sum())))
        shape = (len(asked), 1)
        return Scored(np.tile(self.default[rows], shape), np.tile(rows, shape), np.full(len(asked), rest, np.float32))

    def top(self, asked: Asked, most: int, ruled: Ruled | None = None) -> tuple[Ints, Floats]:
        """The best products of each user, rows of the items, and their shares, [B, most] each; -1 for no more."""
        found, shares = np.full((len(asked), most), -1, np.int64), np.zeros((len(asked), most), np.float32)
        for rows, part in self.in_parts(asked, ruled):
            offered = self.offered(part, ruled, most)
            best, share = offered.top(most) if ruled is None else ruled.lists(offered, most)
            found[rows, : best.shape[1]], shares[rows, : best.shape[1]] = best, share
        return found, shares

    def in_parts(self, asked: Asked, ruled: Ruled | None = None) -> Iterator[tuple[slice, Asked]]:
        """The users part by part, so that the memory that scores take stays bounded."""
        looked_at = len(asked.items)
        if asked.items.large:
            looked_at = LOOKED_AT
            if ruled is not None:
                looked_at = int(LOOKED_AT / ruled.share) if ruled.rows is None else max(LOOKED_AT, len(ruled.rows))
        size = max(1, _SCORES_AT_ONCE // (max(1, looked_at) * (1 + len(self.experts))))
        for start in range(0, len(asked), size):
            rows = slice(start, min(len(asked), start + size))
            yield rows, asked if len(asked) <= size else asked.of(np.arange(rows.start, rows.stop))

    @cached_property
    def _some(self) -> Ints:
        """Products of a large catalogue, drawn evenly."""
        return np.sort(np.random.default_rng(0).choice(len(self.items), _DRAWN, replace=False))

    # Users

    def asked_of(self, user_ids: Sequence[str]) -> Asked:
        """Users of the log by id; what was left out of the whole log is not told of each of them."""
        rows = [row for user_id in user_ids if (row := self.histories.row(user_id)) is not None]
        return Asked(replace(self.histories.of(rows), left_out={}), self.items)

    @staticmethod
    def knows(asked: Asked) -> npt.NDArray[np.bool_]:
        """[B] whether a user did anything with a product, or typed a text."""
        return asked.histories.lengths > 0

    # Tags

    def interest_of(self, asked: Asked) -> Floats:
        """[B, L] the log of each tag's share among those of what comes next; everybody's for users who are unknown."""
        if self.interest is None:
            return np.zeros((len(asked), 0), np.float32)
        found = np.tile(self.interest.popular, (len(asked), 1))
        for rows, part in self.in_parts(asked):
            known = np.flatnonzero(self.knows(part))
            if len(known):
                some = part.of(known)
                found[rows.start + known] = self.interest.scores(some, self.scored(some), self.experts)
        return found

    def wanted_tags(self, asked: Asked) -> tuple[Floats, tuple[str, ...], tuple[int, ...]]:
        """[B, L] how likely each tag is one of the next product's, and the tags' names and ids, each once.

        L is 0 in a catalogue without tags.
        """
        if self.interest is None:
            return np.zeros((len(asked), 0), np.float32), (), ()
        known = self.items.known
        # Columns of tags that were merged since have the same id.
        ids, first, place = np.unique(known.tag_ids, return_index=True, return_inverse=True)
        shares = np.zeros((len(asked), len(ids)), np.float32)
        np.add.at(shares.T, place, np.exp(self.interest_of(asked)).T)
        return self.interest.confidences(shares), tuple(known.tags[ix] for ix in first), tuple(ids.tolist())

    @property
    def tagger_tags(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Names and ids of the Tagger's tags; without a vocabulary it may have numbered them in another way."""
        tagger, known = self._reading[0], self.items.known
        ids = dict(zip(known.tags, known.tag_ids, strict=True))
        return tagger.tags, tuple(ids.get(tag, own) for tag, own in zip(tagger.tags, tagger.tag_ids, strict=True))

    def tags_of_texts(self, asked: Asked, texts: Sequence[str]) -> Floats:
        """[T] how sure each of the Tagger's tags is for one user and the one of the texts that it fits best."""
        tagger, joint = self._reading
        sure = np.concatenate(list(tagger.confidences(texts)))
        interest = self.interest_of(asked).repeat(len(texts), 0)
        assert self.interest is not None  # noqa: S101 (what is joined is fitted with it)
        best: Floats = joint.confidences(sure, interest, self.interest.popular).max(0)
        return best

    def text_of(self, product_id: str) -> str:
        """The text of a product of the catalogue.

        Raises:
            UserError: there is no such product.
            NotFittedError: the catalogue is not at hand.
        """
        row = self.items.row_of.get(product_id)
        if row is None:
            raise UserError(f"product: there is no product {product_id!r} in the catalogue; give its id, or its text")
        if not self.items.texts:
            raise NotFittedError("a loaded Recommender does not hold the products' texts; call seeing(products) first")
        return self.items.texts[row]

    @property
    def _reading(self) -> tuple[Tagger, Joint]:
        if self.tagger is None or self.joint is None:
            raise NotFittedError(
                "which tags a text has could not be learned; import products with texts and tags, and train again"
            )
        return self.tagger, self.joint

    def named_by(self, vocabulary: Vocabulary) -> Fitted:
        """The same with the vocabulary's names of today."""
        known = self.items.known.named_by(vocabulary)
        named = replace(self, items=replace(self.items, known=known))
        if self.tagger is None or self.joint is None:
            return named
        tagger = self.tagger.named_by(vocabulary)
        # The Tagger has one column for tags that were merged since.
        joint = replace(self.joint, columns=columns_of(tagger.tags, known.tags))
        return replace(named, tagger=tagger, joint=joint)

    def ruled(self, rules: Rules | None) -> Ruled | None:
        """What rules come to on the catalogue of now, or those of the shop; None where there are none to keep.

        Raises:
            UserError: a name that the catalogue does not have.
            NotFittedError: there are rules, but the catalogue is not at hand.
        """
        if self.showing is not None:
            return self.showing.ruled(rules)
        if rules is not None:
            raise NotFittedError(
                "a loaded Recommender knows no prices, stocks and categories; call seeing(products) first"
            )
        return None

    def seeing(self, items: Items, histories: Histories, showing: Showing | None = None) -> Fitted:
        """The same with the catalogue and the log of now; nothing is trained."""
        if (histories.product_ix >= 0).any():
            recent = PopularExpert.counted(Asked(histories, items), "recent", self.settings.weights, of_today=True)
            default = log_shares_of(recent.counts)
        else:
            rows = self.items.row_of
            met = np.array([rows.get(product_id, -1) for product_id in items.product_ids], np.int64)
            default = np.append(self.default, self.default.min(initial=0.0))[met]
        shown = showing and showing.counting(events_of(Asked(histories, items)).astype(np.float32), default)
        return replace(self, items=items, histories=histories, default=default, showing=shown)
