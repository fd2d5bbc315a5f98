"""Two towers: a query and a product as vectors that point the same way where the one is about the other.

Both are bags: a query of its words and their pieces, a product of its words and its tags; both read one table of words.
(Huang et al. 2013, "Learning Deep Structured Semantic Models for Web Search using Clickthrough Data", whose letter
trigrams the pieces are; Nigam et al. 2019, "Semantic Product Search".) Tags are scored from the query by the same table
of tags. Shapes: B queries, P products, R products of a step, S products drawn, F words and pieces, L tags, D width.
Loss: softmax over products, drawn ones in training, plus a share of softmax cross-entropy over the product's tags.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from tagloom.nn.items import Bags
from tagloom.nn.next_losses import Question, figures, full_softmax, sampled_softmax, tag_cross_entropy

_FIRST_SCALE = 12.0


class Towers(nn.Module):
    """Queries and products -> vectors. The weights are nothing until `start`.

    Args:
        features: F.
        tags: L.
        width: D.
    """

    def __init__(self, features: int, tags: int, width: int) -> None:
        super().__init__()
        self.features = nn.Parameter(torch.empty(features, width))
        self.tags = nn.Parameter(torch.empty(tags, width))
        self.tag_bias = nn.Parameter(torch.empty(tags))
        self.scale = nn.Parameter(torch.empty(()))

    def start(self, generator: torch.Generator, tag_prior: Tensor) -> None:
        """Draw the first weights; tags begin with their log share [L]."""
        for table in (self.features, self.tags):
            nn.init.normal_(table, 0.0, table.shape[1] ** -0.5, generator)
        with torch.no_grad():
            self.scale.fill_(_FIRST_SCALE)
            self.tag_bias.copy_(tag_prior)

    def queries(self, words: Bags) -> Tensor:
        """Bags of features -> [B, D], multiplied with `products` for scores."""
        return self.scale * normalize(words.summed(self.features), dim=-1)

    def products(self, words: Bags, tags: Bags) -> Tensor:
        """Bags of features and of tags -> [P, D] of length 1."""
        return normalize(words.summed(self.features) + tags.summed(self.tags), dim=-1)

    def tag_scores(self, queries: Tensor) -> Tensor:
        """What `queries` gave -> scores of all tags [B, L]."""
        return queries @ self.tags.T + self.tag_bias


class TowersLearner(nn.Module):
    """What training calls: queries with the product that was taken -> of each [B, 2] its loss, and its figure.

    The figure is 0 in training, else nDCG@10 over all products; see `next_losses.figures`.

    Args:
        towers: what learns.
        words: of the P products.
        tags: of the P products, weights that sum to 1.
        drawn: S, products that a step compares with.
        tag_share: how much the loss of the tags counts beside that of the products.
    """

    def __init__(self, towers: Towers, words: Bags, tags: Bags, drawn: int, tag_share: float) -> None:
        super().__init__()
        self.towers, self.words, self.tags, self.drawn, self.tag_share = towers, words, tags, drawn, tag_share

    def forward(self, entries: Tensor, starts: Tensor, weights: Tensor, wanted: Tensor) -> Tensor:
        """The queries' bags, and the row of each one's product int64 [B]."""
        self.words, self.tags = self.words.to(wanted.device), self.tags.to(wanted.device)
        towers, count = self.towers, len(self.words.starts) - 1
        truth = self.tags.of(wanted)
        drawn, rows = wanted[:0], torch.arange(count, device=wanted.device)
        if self.training:
            drawn = torch.randint(count, (self.drawn,), device=wanted.device)
            rows, places = torch.cat([wanted, drawn]).unique(return_inverse=True)  # type: ignore[no-untyped-call]
            wanted, drawn = places.split([len(wanted), self.drawn])
        pointing = towers.queries(Bags(entries, starts, weights))
        table = towers.products(self.words.of(rows), self.tags.of(rows))  # [R, D]
        # Every product is drawn as often as any other: how often a product is taken is told by others.
        log_share = torch.full((len(rows),), self.drawn / count, device=wanted.device).log()
        rated = torch.zeros(len(wanted), device=wanted.device)
        question = Question(pointing, table, wanted, rated, rated.new_zeros(()), drawn, log_share)
        if self.training:
            losses, gained = sampled_softmax(question), torch.zeros_like(rated)
        else:
            losses, gained = full_softmax(question), figures(question, "full_softmax")
        if self.tag_share:
            losses = losses + self.tag_share * tag_cross_entropy(towers.tag_scores(pointing), truth)
        return torch.stack([losses, gained], 1)
