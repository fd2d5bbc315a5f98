"""Which tags a user wants next: the tag head, the tags of the products that are likely next, and those of the history.

Joined by a blend whose weights make the tags of what users really took next likely; see `blend`.
Shapes: B users, P products, L tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from tagloom.recs.blend import Blend, Candidates, fit_blend
from tagloom.recs.experts.contract import Asked, Expert, Floats, Ints
from tagloom.recs.experts.network import NetworkExpert
from tagloom.recs.scored import Scored

# What a tag has that nothing speaks for: a small share, so that one source alone cannot rule a tag out.
_LEAST = 1e-4
# How long the history's own tags are remembered: what stays at each further event.
_FADE = 0.8
_SUREST = 10  # tags of a user whose confidences shall be right on the whole


@dataclass(frozen=True, eq=False)
class Interest:
    """A blend over sources of tags.

    Args:
        blend: by the sources' names: `popular`, `history`, `products`, and each network's for its head.
        popular: [L] the log share of each tag among all events.
        each: what a share is times, so that of the surest tags as many are true as their confidences say.
    """

    blend: Blend
    popular: Floats
    each: float = 1.0

    def confidences(self, shares: Floats) -> Floats:
        """Shares [B, L] -> how likely each tag is one of the next product's."""
        sure: Floats = np.minimum(1, self.each * shares)
        return sure

    def scores(self, asked: Asked, products: Scored, experts: Mapping[str, Expert]) -> Floats:
        """[B, L] the log of each tag's share among those of what comes next.

        Args:
            asked: B users.
            products: what the product blend says.
            experts: by name.
        """
        found = self.blend.joined(list(self.sources(asked, products, experts).values()))
        return log_shares(found)

    def sources(self, asked: Asked, products: Scored, experts: Mapping[str, Expert]) -> dict[str, Floats]:
        """What each source says, [B, L] each, by name; all are logs of shares."""
        tags, users = asked.items.tag_shares, len(asked)
        found = {
            "popular": np.broadcast_to(self.popular, (users, len(self.popular))).astype(np.float32),
            "history": np.log(_LEAST + self._of_history(asked, tags)),
            "products": np.log(_LEAST + products.mean_of(tags)),
        }
        heads = {name: expert for name, expert in experts.items() if isinstance(expert, NetworkExpert)}
        return found | {name: head.tag_scores(asked) for name, head in heads.items() if head.knows_tags}

    @staticmethod
    def _of_history(asked: Asked, tags: csr_matrix) -> Floats:
        """[B, L] the share of each tag in the history, that of the newest events the largest."""
        histories = asked.histories
        there = np.flatnonzero(histories.product_ix >= 0)
        shape = (len(asked), len(asked.items))
        history = csr_matrix(
            (_FADE ** histories.later[there], (histories.user[there], histories.product_ix[there])), shape=shape
        )
        counts = (history @ tags).toarray()
        found: Floats = (counts / np.maximum(counts.sum(1, keepdims=True), 1e-9)).astype(np.float32)
        return found


def fit_interest(batches: list[tuple[Asked, Ints, Scored]], experts: Mapping[str, Expert], popular: Floats) -> Interest:
    """The blend under which the tags of what users took next are likely.

    Args:
        batches: users, what they took next [B], and what the product blend says.
        experts: by name.
        popular: [L] the log share of each tag.
    """
    even = Interest(Blend((), np.zeros(0, np.float32)), popular)
    sources = [even.sources(asked, products, experts) for asked, _, products in batches]
    truths = [asked.items.tags[wanted].toarray() for asked, wanted, _ in batches]
    shares = (true / np.maximum(1, true.sum(1, keepdims=True)) for true in truths)
    scores = [list(some.values()) for some in sources]
    blend = fit_blend(tuple(sources[0]), Candidates.of(zip(scores, shares, strict=True)))
    confident, right = 0.0, 0.0
    for some, true in zip(scores, truths, strict=True):
        found = np.exp(log_shares(blend.joined(some)))
        surest = np.argsort(-found, 1)[:, :_SUREST]
        confident += float(np.take_along_axis(found, surest, 1).sum())
        right += float(np.take_along_axis(true, surest, 1).sum())
    return Interest(blend, popular, right / max(confident, 1e-9))


def log_shares(scores: Floats) -> Floats:
    """Log-softmax of each row; of an empty one nothing."""
    if not scores.size:
        return scores
    moved = scores - scores.max(1, keepdims=True, initial=-np.inf)
    result: Floats = moved - np.log(np.exp(moved).sum(1, keepdims=True))
    return result
