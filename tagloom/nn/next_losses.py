"""What training makes small when it learns what comes next: of each state its loss.

Shapes: N states, P products, R products with a vector at this step, S products drawn, D width, L tags.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tagloom.nn.items import Bags
from tagloom.nn.softmax import ranks_in_table, softmax_over_table

_CUT = 10  # of nDCG


@dataclass(frozen=True, eq=False)
class Question:
    """N states and what came next.

    Args:
        pointing: [N, D], multiplied with the rows of the table for scores.
        table: [R, D] vectors of products.
        wanted: int64 [N], rows of the table.
        rated: [N] how the product was rated; NaN where it was not.
        level: the mean rating.
        drawn: int64 [S], rows of the table to compare with; of none where all of them are.
        log_share: [R] the log of how often each product is expected to be drawn.
    """

    pointing: Tensor
    table: Tensor
    wanted: Tensor
    rated: Tensor
    level: Tensor
    drawn: Tensor
    log_share: Tensor


Loss = Callable[[Question], Tensor]


def full_softmax(question: Question, smoothing: float = 0.0) -> Tensor:
    """All products compete; exact, and quick up to some ten thousand products."""
    return softmax_over_table(question.pointing, question.table, question.wanted, smoothing)


def sampled_softmax(question: Question) -> Tensor:
    """The next product competes with those drawn, whose scores are less the log of how often they are drawn.

    Bengio and Senecal 2008. Without the correction popular products, drawn more often, are pressed down. The next
    product is not drawn, it is always there: corrected too, as is common, popular products come out too high, however
    many are drawn (Khrylchenko et al. 2025, "Correcting the LogQ Correction").
    """
    yes, no = _scores(question)
    no = no - question.log_share[question.drawn]
    return torch.logaddexp(yes, no.masked_fill(_hits(question), -torch.inf).logsumexp(1)) - yes


def binary_cross_entropy(question: Question) -> Tensor:
    """The next product is a yes, each drawn one a no; together the no count as much as the yes.

    Kang and McAuley 2018, section III-E, with several products drawn instead of one.
    """
    yes, no = _scores(question)
    kept = ~_hits(question)
    return -logsigmoid(yes) - (logsigmoid(-no) * kept).sum(1) / kept.sum(1).clamp(min=1)


def mean_squared_error(question: Question) -> Tensor:
    """The score above the mean rating shall be the rating; what was not rated costs nothing."""
    yes = question.level + _dot(question.pointing, question.table[question.wanted])
    # Not the difference made 0 where it is no number: scores that ran away must not pass for right ones.
    return (yes - question.rated.nan_to_num(0.0)).square() * ~question.rated.isnan()


LOSSES: dict[str, Loss] = {
    "full_softmax": full_softmax,
    "sampled_softmax": sampled_softmax,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
}
# Those that compare with drawn products, or with none, and so need few vectors at a step.
DRAWING = frozenset({"sampled_softmax", "binary_cross_entropy", "mean_squared_error"})


def loss_named(name: str, smoothing: float = 0.0) -> Loss:
    """One of `LOSSES`; `smoothing` is for the full softmax.

    Raises:
        KeyError: no such loss.
    """
    return functools.partial(full_softmax, smoothing=smoothing) if name == "full_softmax" else LOSSES[name]


def figures(question: Question, loss: str) -> Tensor:
    """What each state adds to the figure that training makes large [N]: nDCG@10 over the whole table, or, for ratings,
    minus the squared error."""
    if loss == "mean_squared_error":
        return -mean_squared_error(question)
    ranks = ranks_in_table(question.pointing, question.table, question.wanted)
    return (ranks < _CUT) / torch.log2(ranks + 2.0)


def tag_cross_entropy(scores: Tensor, truth: Bags) -> Tensor:
    """Scores of all tags [N, L] against N bags of true tags whose weights sum to 1 -> [N]; 0 for a bag of none."""
    rows = torch.arange(len(scores), device=scores.device).repeat_interleave(truth.starts.diff())
    lost = -truth.weights * scores.float().log_softmax(1)[rows, truth.entries]
    return torch.zeros(len(scores), device=scores.device).index_add(0, rows, lost)


def _scores(question: Question) -> tuple[Tensor, Tensor]:
    """Of what came next [N], and of what was drawn [N, S]."""
    return _dot(question.pointing, question.table[question.wanted]), question.pointing @ question.table[
        question.drawn
    ].T


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(1)


def _hits(question: Question) -> Tensor:
    """[N, S], true where what was drawn is what came next."""
    return question.drawn == question.wanted[:, None]
