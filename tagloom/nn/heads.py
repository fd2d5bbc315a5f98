"""Heads: the states of a text's words -> one score for each tag, and what each word added to it.

Both start from the prior: until trained, and for a text without words, the scores are the tags' log-odds.
Shapes: B texts, T tokens, D width, L tags, K tags asked for, F groups of tags, Q queries of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from tagloom.nn.padding import is_word

_QUERIES = 4  # of each group


class PooledHead(nn.Module):
    """Mean and largest value of the states, then one linear score for each tag. The weights are nothing until `start`.

    Args:
        width: D.
        tags: L.
    """

    def __init__(self, width: int, tags: int, groups: Sequence[Sequence[int]] = ()) -> None:  # noqa: ARG002 (as the other head)
        super().__init__()
        self.weight = nn.Parameter(torch.empty(tags, 2 * width))
        self.bias = nn.Parameter(torch.empty(tags))

    def start(self, generator: torch.Generator, prior: Tensor) -> None:  # noqa: ARG002 (as the other head)
        """Begin with the prior, log-odds [L]."""
        with torch.no_grad():
            self.weight.zero_()
            self.bias.copy_(prior)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """States [B, T, D], lengths [B] -> scores [B, L]."""
        word = is_word(lengths, states.shape[1]).unsqueeze(2)  # [B, T, 1]
        mean = states.masked_fill(~word, 0.0).sum(1) / lengths.clamp(min=1)[:, None]  # [B, D]
        pooled = torch.cat([mean, _largest(states, word)], 1)  # [B, 2 D]
        return nn.functional.linear(pooled, self.weight) + self.bias

    def shares(self, states: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """States [B, T, D], lengths [B], tags [B, K] -> what each state adds to each score, [B, T, K]; 0 in padding."""
        word = is_word(lengths, states.shape[1]).unsqueeze(2)  # [B, T, 1]
        states = states.masked_fill(~word, 0.0)
        mean = states / lengths.clamp(min=1)[:, None, None]  # [B, T, D]
        # The largest value of each unit came from one word; words with the same value share it.
        holds = word & (states == _largest(states, word).unsqueeze(1))  # [B, T, D]
        largest = states * holds / holds.sum(1, keepdim=True).clamp(min=1)  # [B, T, D]
        return torch.cat([mean, largest], 2) @ self.weight[tags].transpose(1, 2)


def _largest(states: Tensor, word: Tensor) -> Tensor:
    """States [B, T, D], words [B, T, 1] -> the words' largest values [B, D]; 0 for a text without words."""
    return states.masked_fill(~word, float("-inf")).amax(1).masked_fill(~word.any(1), 0.0)


class LabelwiseHead(nn.Module):
    """Every tag looks for its own words: attention with a query for each tag. Nothing in it until `start`.

    Mullenbach et al. 2018, "Explainable Prediction of Medical Codes from Clinical Text", section 3.2:
    score = bias + sum over words of softmax(query . state) * (weight . state).
    The tags of a group answer one question, such as which colour, and share four queries, each with weights of its own
    for every tag: on both catalogues that were tried better than a query for each, sooner learned, and far cheaper.
    Weight and state are multiplied before the sum over words, not after it, and the words stand before the tags: on a
    CPU five times as fast as the order of the paper with 3,000 tags, texts of 24 words and a width of 128.
    Memory: B L T for the tags of no group, four times in training.

    Args:
        width: D.
        tags: L.
        groups: columns of the tags of each group; no tag in two.
    """

    def __init__(self, width: int, tags: int, groups: Sequence[Sequence[int]] = ()) -> None:
        super().__init__()
        members = [tag for group in groups for tag in group]
        taken = set(members)
        free = [tag for tag in range(tags) if tag not in taken]
        self.sizes = [len(group) for group in groups]
        # Where in the answers, groups first, each tag's column stands, and the group of each, in that order.
        place = torch.empty(tags, dtype=torch.int64, device="cpu")
        place[torch.tensor([*members, *free], dtype=torch.int64, device="cpu")] = torch.arange(tags, device="cpu")
        self.place = place
        self.group_of = torch.arange(len(groups), device="cpu").repeat_interleave(
            torch.tensor(self.sizes, dtype=torch.int64, device="cpu")
        )
        self.queries = nn.Parameter(torch.empty(len(free), width))
        self.weight = nn.Parameter(torch.empty(len(free), width))
        # None without groups: parameters that nothing is asked of would have no gradient.
        self.group_queries = nn.Parameter(torch.empty(len(groups) * _QUERIES, width)) if groups else None
        self.group_weight = nn.Parameter(torch.empty(len(members), _QUERIES * width)) if groups else None
        self.bias = nn.Parameter(torch.empty(tags))

    def start(self, generator: torch.Generator, prior: Tensor) -> None:
        """Begin with the prior, log-odds [L], and nearly the same attention to all words."""
        width = self.queries.shape[1]
        with torch.no_grad():
            self.queries.normal_(0.0, 1.0 / width, generator=generator)
            self.weight.zero_()
            if self.group_queries is not None and self.group_weight is not None:
                # Queries of one group must not begin the same, or they stay so.
                self.group_queries.normal_(0.0, width**-0.5, generator=generator)
                self.group_weight.zero_()
            self.bias.copy_(prior)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """States [B, T, D], lengths [B] -> scores [B, L]."""
        free = _attended(states, lengths, self.queries, self.weight).sum(1)
        if self.group_queries is None or self.group_weight is None:
            return free + self.bias
        states = _words_alone(states, lengths)
        attention = _attention(states, lengths, self.group_queries)  # [B, T, F Q]
        found = (attention.mT @ states).reshape(len(states), len(self.sizes), -1)  # [B, F, Q D]
        # Taken apart at once: a slice for each group would each make a gradient of the whole.
        each = zip(found.unbind(1), torch.split(self.group_weight, self.sizes), strict=True)
        parts = [own @ weight.T for own, weight in each]
        return torch.cat([*parts, free], 1)[:, self.place.to(states.device)] + self.bias

    def shares(self, states: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """States [B, T, D], lengths [B], tags [B, K] -> what each state adds to each score, [B, T, K]; 0 in padding."""
        members = len(self.group_of)
        place = self.place.to(tags.device)[tags]  # [B, K]
        own = (place - members).clamp(min=0)
        if self.group_queries is None or self.group_weight is None:
            return _attended(states, lengths, self.queries[own], self.weight[own])
        states = _words_alone(states, lengths)
        group = self.group_of.to(place.device)[place.clamp(max=members - 1)]  # [B, K]
        batch, tokens, width = states.shape
        weight = self.group_weight[place.clamp(max=members - 1)].view(batch, -1, _QUERIES, width)  # [B, K, Q, D]
        attention = _attention(states, lengths, self.group_queries).view(batch, tokens, -1, _QUERIES)  # [B, T, F, Q]
        mine = attention.gather(2, group[:, None, :, None].expand(-1, tokens, -1, _QUERIES))  # [B, T, K, Q]
        of_groups: Tensor = (mine * torch.einsum("btd,bkqd->btkq", states, weight)).sum(3)
        if not len(self.queries):
            return of_groups
        shares = _attended(states, lengths, self.queries[own], self.weight[own])
        return torch.where((place < members).unsqueeze(1), of_groups, shares)


def _words_alone(states: Tensor, lengths: Tensor) -> Tensor:
    """States [B, T, D] with nothing in the padding: a weight of nothing times no number is no number."""
    return states.masked_fill(~is_word(lengths, states.shape[1]).unsqueeze(2), 0.0)


def _attention(states: Tensor, lengths: Tensor, queries: Tensor) -> Tensor:
    """States [B, T, D], queries [Q, D] -> how much of each query's attention each word has, [B, T, Q]; padding none."""
    padding = ~is_word(lengths, states.shape[1]).unsqueeze(2)  # [B, T, 1]
    # Not minus infinity: a softmax over nothing is no number.
    return (states @ queries.mT).masked_fill(padding, -1e4).softmax(1).masked_fill(padding, 0.0)


def _attended(states: Tensor, lengths: Tensor, queries: Tensor, weight: Tensor) -> Tensor:
    """States [B, T, D], queries and weight [L, D] or [B, L, D] -> what each state adds to each score, [B, T, L]."""
    padding = ~is_word(lengths, states.shape[1]).unsqueeze(2)  # [B, T, 1]
    states = states.masked_fill(padding, 0.0)
    # Not minus infinity: a softmax over nothing is no number.
    attention = (states @ queries.mT).masked_fill(padding, -1e4).softmax(1)  # [B, T, L]
    return attention * (states @ weight.mT)


class HasStates(Protocol):
    """A network that gives each word a state and has one of the heads on top."""

    head: PooledHead | LabelwiseHead

    def states(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Word indices [B, T], lengths [B] -> states [B, T, D]."""


def carried(model: HasStates, tokens: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
    """What the state of each word added to a tag's score; costs one forward pass, whatever the number of tags.

    Exact for the head: the sum over the words is the score less the tag's bias, its score when nothing is known. But a
    word's state knows its neighbours too. Where single planted words decide a tag, they came first in 99 to 100 % of
    texts with the LSTM, in 68 to 97 % with the transformer; `missed` costs T times as much and puts them first in over
    95 % with either. The gradient times the word vector, a backward pass for each tag, did in 2 to 53 %.

    Args:
        model: in evaluation mode.
        tokens: word indices [B, T], padded at the end.
        lengths: [B].
        tags: columns [K], the same for all texts, or [B, K].

    Returns:
        [B, T, K], 0 in padding.
    """
    with torch.no_grad():
        return model.head.shares(model.states(tokens, lengths), lengths, tags.expand(len(tokens), -1))


def missed(model: HasStates, tokens: Tensor, lengths: Tensor, tags: Tensor, unknown: int) -> Tensor:
    """What a tag's score loses when a word is not known.

    Each word in turn (Zeiler and Fergus 2014, section 4.2, for words): a forward pass of T texts for each text. It says
    what would happen, whatever the network is made of; of two words either of which is enough, none is missed, nor is
    the word of a tag that is given where the words of all others are absent.

    Args:
        model, tokens, lengths, tags: as for `carried`.
        unknown: the index of the unknown word. Train with word dropout, or nothing is known of it.

    Returns:
        [B, T, K], 0 in padding.
    """
    tags = tags.expand(len(tokens), -1)
    text, place = is_word(lengths, tokens.shape[1]).nonzero(as_tuple=True)  # [N] words of all texts
    without = tokens[text]  # [N, T]
    without[torch.arange(len(place), device=place.device), place] = unknown
    score = carried(model, tokens, lengths, tags).sum(1)  # [B, K]
    lost = score.new_zeros(*tokens.shape, tags.shape[1])  # [B, T, K]
    lost[text, place] = score[text] - carried(model, without, lengths[text], tags[text]).sum(1)
    return lost
