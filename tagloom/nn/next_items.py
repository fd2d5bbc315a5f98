"""What comes next: a network that reads a history, with one head for products and one for tags.

A product's score is the cosine of state and product, times a learned scale; a popular product gets no longer vector and
so no head start that it has not earned (on two catalogues of 12,000 products it ranked better than the plain product,
and learned in half the passes). Both heads share the tables of ids, tags and words.
Shapes: B histories, T events, N states that are asked, P products, L tags, D width.
Loss: one of `nn.next_losses` for products, plus a share of softmax cross-entropy over the next product's tags.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from tagloom.nn.events import EventVectors, PaddedHistories
from tagloom.nn.gru import GruEncoder
from tagloom.nn.items import ItemTable, Shelf
from tagloom.nn.next_losses import (
    DRAWING,
    Question,
    figures,
    full_softmax,
    loss_named,
    mean_squared_error,
    tag_cross_entropy,
)
from tagloom.nn.sizes import Size
from tagloom.nn.transformer import TransformerEncoder

ENCODERS: dict[str, Callable[[Size, float], Any]] = {
    "gru": GruEncoder,
    "transformer": functools.partial(TransformerEncoder, causal=True),
}
_FIRST_SCALE = 12.0


class NextItems(nn.Module):
    """Histories -> states, and what is asked of them. The weights are nothing until `start`.

    Args:
        kind: one of `ENCODERS`.
        size: width D, layers, heads.
        items: the tables of ids, tags and words.
        actions: how many kinds of actions there are.
        dropout: share of numbers hidden in training.
    """

    def __init__(self, kind: str, size: Size, items: ItemTable, actions: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.items = items
        self.events = EventVectors(actions, size.width, dropout)
        self.encoder = ENCODERS[kind](size, dropout)
        self.scale = nn.Parameter(torch.empty(()))
        self.level = nn.Parameter(torch.empty(()))  # the mean rating
        self.to_tags = nn.Linear(size.width, size.width)
        self.tag_bias = nn.Parameter(torch.empty(len(items.tags)))

    def start(self, generator: torch.Generator, tag_prior: Tensor, level: float = 0.0) -> None:
        """Draw the first weights; tags begin with their log share [L], ratings with their mean."""
        for part in (self.items, self.events, self.encoder):
            part.start(generator)
        nn.init.normal_(self.to_tags.weight, 0.0, self.to_tags.in_features**-0.5, generator)
        nn.init.zeros_(self.to_tags.bias)
        with torch.no_grad():
            self.scale.fill_(_FIRST_SCALE)
            self.level.fill_(level)
            self.tag_bias.copy_(tag_prior)

    def states(self, seen: PaddedHistories, products: Tensor) -> Tensor:
        """Histories and the vectors of all products [P, D] -> states [B, T, D]."""
        found: Tensor = self.encoder(self.events(seen, products, self.items), seen.lengths)
        return found

    def pointing(self, states: Tensor) -> Tensor:
        """States [N, D] as they are multiplied with `normalize(products)` [P, D] for scores."""
        return self.scale * normalize(states, dim=-1)

    def tag_scores(self, states: Tensor) -> Tensor:
        """States [N, D] -> scores of all tags [N, L]."""
        scores: Tensor = self.to_tags(states) @ self.items.tags.T + self.tag_bias
        return scores


class NextLearner(nn.Module):
    """What training calls: histories with what came next -> of each next event [N, 2] its loss, and its figure.

    The figure is 0 in training; else see `next_losses.figures`.

    Args:
        network: what learns.
        shelf: the products.
        loss: the name of one of `next_losses.LOSSES`.
        smoothing: of the full softmax.
        drawn: S, products that a step compares with, for the losses that draw.
        shares: [P] how likely each product is to be drawn; sums to 1.
        tag_share: how much the loss of the tags counts beside that of the products.
    """

    def __init__(
        self,
        network: NextItems,
        shelf: Shelf,
        loss: str,
        shares: Tensor,
        *,
        smoothing: float = 0.0,
        drawn: int = 0,
        tag_share: float = 0.0,
    ) -> None:
        super().__init__()
        self.network, self.shelf, self.loss, self.shares = network, shelf, loss, shares
        self.reached = shares.double().cumsum(0)  # [P]
        self.lost, self.drawn, self.tag_share = loss_named(loss, smoothing), drawn, tag_share
        # Processes that train together wait for every gradient: what this loss does not ask must not promise any.
        network.level.requires_grad_(loss == "mean_squared_error")
        for weight in (network.tag_bias, *network.to_tags.parameters()):
            weight.requires_grad_(tag_share > 0)

    def forward(self, *inputs: Tensor) -> Tensor:
        """The parts of `PaddedHistories`, then what came next int64 [B, T] (-1: not asked) and its ratings [B, T]."""
        *parts, targets, ratings = inputs
        # Kept where they are needed: a large shelf must not travel to a GPU at every step.
        self.shelf, self.shares = self.shelf.to(targets.device), self.shares.to(targets.device)
        self.reached = self.reached.to(targets.device)
        seen, shelf, network = PaddedHistories(*parts), self.shelf, self.network
        there = targets >= 0
        wanted = targets[there]  # [N]
        truth = shelf.tags.of(wanted)
        shares, drawn, rows = self.shares, wanted[:0], None
        if self.training and self.loss in DRAWING:
            if self.loss != "mean_squared_error":
                # `multinomial` sums up all shares at each call, however many there are.
                places = torch.rand(self.drawn, dtype=torch.float64, device=shares.device) * self.reached[-1]
                drawn = torch.searchsorted(self.reached, places, right=True).clamp(max=len(shares) - 1)  # [S]
            seen, wanted, drawn, rows = _of_few(seen, wanted, drawn)
            shares = shares[rows]
        vectors = network.items(shelf, rows)  # [R, D]
        states = network.states(seen, vectors)[there]  # [N, D]
        log_share = (shares * max(1, self.drawn)).log()
        question = Question(
            network.pointing(states),
            normalize(vectors, dim=-1),
            wanted,
            ratings[there],
            network.level,
            drawn,
            log_share,
        )
        if self.training:
            losses, gained = self.lost(question), torch.zeros(len(wanted), device=wanted.device)
        else:
            lost = mean_squared_error if self.loss == "mean_squared_error" else full_softmax
            losses, gained = lost(question), figures(question, self.loss)
        if self.tag_share:
            losses = losses + self.tag_share * tag_cross_entropy(network.tag_scores(states), truth)
        return torch.stack([losses, gained], 1)


def _of_few(seen: PaddedHistories, wanted: Tensor, drawn: Tensor) -> tuple[PaddedHistories, Tensor, Tensor, Tensor]:
    """The same with products numbered among those alone that this step needs; the last part is which they are [R].

    A large catalogue's vectors are then made of few products.
    """
    there = seen.products >= 0
    met = seen.products[there]
    rows, places = torch.cat([met, wanted, drawn]).unique(return_inverse=True)  # type: ignore[no-untyped-call]
    few, few_wanted, few_drawn = places.split([len(met), len(wanted), len(drawn)])
    return seen._replace(products=seen.products.masked_scatter(there, few)), few_wanted, few_drawn, rows


def loss_of(outputs: Tensor, truth: Tensor) -> Tensor:  # noqa: ARG001 (the learner has seen the truth already)
    """What the training loop makes small."""
    return outputs[:, 0]


def figure_of(outputs: Tensor, truth: Tensor) -> float:  # noqa: ARG001
    """What the training loop makes large."""
    return float(outputs[:, 1].mean())
