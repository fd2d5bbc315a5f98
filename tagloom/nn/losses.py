"""What training makes small: scores [B, L] against truth [B, L] -> a loss for each text [B], summed over its tags.

Truth is 1 or 0, or between them: the share of the products of one text that have the tag.
Shapes: B texts, L tags, F families, M members of the largest family.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

Loss = Callable[[Tensor, Tensor], Tensor]


def binary_cross_entropy(scores: Tensor, truth: Tensor) -> Tensor:
    """Each tag is a yes or no of its own; the scores become log-odds."""
    return binary_cross_entropy_with_logits(scores, truth, reduction="none").sum(1)


def softmax_cross_entropy(scores: Tensor, truth: Tensor) -> Tensor:
    """The tags of a text compete: they share its probability of 1 equally, and all others are pressed down together.

    Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification", section 2, with several true tags as in
    Mahajan et al. 2018, section 2.4. Kind to rare tags; says how tags rank, not whether a text has any. A text without
    tags gives 0.
    """
    target = truth / truth.sum(1, keepdim=True).clamp(min=torch.finfo(truth.dtype).tiny)
    return -(target * scores.log_softmax(1)).sum(1)


def asymmetric(
    scores: Tensor, truth: Tensor, gamma_negative: float = 4.0, gamma_positive: float = 1.0, clip: float = 0.05
) -> Tensor:
    """Binary cross-entropy in which the many easy "no" hardly count.

    Ridnik et al. 2021, "Asymmetric Loss for Multi-Label Classification", equations 4 to 6. For tags that are missing in
    the data: a tag that surely looks right but is not marked costs less, too. The scores are no log-odds.

    Args:
        scores, truth: [B, L].
        gamma_negative: how much easy "no" are played down; 0 not at all, otherwise 1 or more.
        gamma_positive: the same for "yes".
        clip: probability up to which a "no" costs nothing at all.
    """
    probability = scores.sigmoid()
    yes = truth * (1 - probability) ** gamma_positive * logsigmoid(scores)
    clipped = (probability - clip).clamp(min=0)
    # log(1 - clipped), from the log of 1 - probability: of a sure score 1 - probability is 0 in 32 bits.
    log_clip = torch.full_like(scores, math.log(clip) if clip else -math.inf)
    no = (1 - truth) * clipped**gamma_negative * torch.logaddexp(logsigmoid(-scores), log_clip).clamp(max=0)
    return -(yes + no).sum(1)


def family_cross_entropy(families: Sequence[Tensor]) -> Loss:
    """A loss that knows of tags of which a text has one at most, such as `colour=red` and `colour=blue`.

    Each family is a softmax over its members and "none of them", whose score is always 0; where the truth has several,
    they share the probability. The tags of no family are a yes or no of their own, as in `binary_cross_entropy`, which
    a family of one equals. Scores of two families cannot be compared before `family_log_odds`.

    Args:
        families: column indices of each family's members, int64 [M or fewer] each, 1 or more.

    Raises:
        ValueError: a family is empty, or a column is in two families.
    """
    table = _table(families)

    def loss(scores: Tensor, truth: Tensor) -> Tensor:
        columns = table.to(scores.device)
        free = _free(columns, scores)
        target = _members(truth, columns, 0.0)  # [B, F, M]
        target = target / target.sum(2, keepdim=True).clamp(min=1)
        # What is left of the target belongs to none, whose score is 0.
        gained = (target * _members(scores, columns, 0.0)).sum(2)  # [B, F]
        families_lost = (_log_sum(scores, columns) - gained).sum(1)
        return binary_cross_entropy(scores[:, free], truth[:, free]) + families_lost

    return loss


def family_log_odds(families: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """Scores [B, L] learned by `family_cross_entropy` -> the log-odds of each tag's probability [B, L].

    A member's probability is exp(score) / (1 + the sum of exp(score) over its family). Only these log-odds rank the
    tags of different families, and what turns log-odds into confidences works on them as on any other model's.

    Args, raises: as for `family_cross_entropy`.
    """
    table = _table(families)

    def log_odds(scores: Tensor) -> Tensor:
        columns = table.to(scores.device)
        exact = scores.double()  # near a probability of 1, 32 bits no longer tell log-odds of 17 from infinity
        log_p = (_members(exact, columns, 0.0) - _log_sum(exact, columns).unsqueeze(2)).clamp(max=-1e-15)  # [B, F, M]
        odds = log_p - (-torch.expm1(log_p)).log()
        found = exact.clone()
        found[:, columns[columns >= 0]] = odds[:, columns >= 0]
        return found.to(scores.dtype)

    return log_odds


def _table(families: Sequence[Tensor]) -> Tensor:
    """The families' columns [F, M], the shorter ones filled up with -1."""
    if not all(len(family) for family in families):
        raise ValueError("a family has no members; leave it out")
    members = [int(column) for family in families for column in family]
    if len(set(members)) < len(members):
        raise ValueError("a tag is in two families, or twice in one; give each column once")
    longest = max(map(len, families), default=1)
    table = torch.full((len(families), longest), -1, dtype=torch.int64)
    for row, family in zip(table, families, strict=True):
        row[: len(family)] = family
    return table


def _free(columns: Tensor, scores: Tensor) -> Tensor:
    """[L], true for the tags of no family."""
    free = torch.ones(scores.shape[1], dtype=torch.bool, device=scores.device)
    free[columns[columns >= 0]] = False
    return free


def _members(values: Tensor, columns: Tensor, missing: float) -> Tensor:
    """Values [B, L] -> those of the families' members [B, F, M], `missing` where a family has fewer."""
    return values[:, columns.clamp(min=0)].masked_fill(columns < 0, missing)


def _log_sum(scores: Tensor, columns: Tensor) -> Tensor:
    """The log of 1 + the sum of exp(score) over each family, [B, F]."""
    members = _members(scores, columns, -math.inf)
    return torch.cat([members, torch.zeros_like(members[:, :, :1])], 2).logsumexp(2)


LOSSES: dict[str, Loss] = {
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "asymmetric": asymmetric,
}
