"""A pretrained encoder with a head for tags on top: all of it is trained, or LoRA's small matrices, or the head alone.

Devlin et al. 2019, "BERT", section 3.2, for fine-tuning; Hu et al. 2022, "LoRA", section 4, for the small matrices: a
weight [M, N] stays as it is and B A, of [M, R] and [R, N], is added to it.
Shapes: B texts, T tokens (1 or more), D width, L tags, R rank. Word indices are those of the encoder's own
tokeniser.
Loss: any of `nn.losses`.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from tagloom.errors import MissingExtraError
from tagloom.nn.heads import LabelwiseHead, PooledHead
from tagloom.nn.padding import is_word
from tagloom.nn.tokens import HEADS

_NOT_ADAPTED = r".*pooler.*"  # its output is not used


class PretrainedEncoder(nn.Module):
    """Words -> scores of all tags. `pretrained_encoder` makes one that is ready to use.

    Args:
        base: an encoder as `transformers.AutoModel` loads it: (input_ids, attention_mask) -> last_hidden_state.
        head: either head, for the base's width.
        padding_id: the word index the base takes for padding.
        dropout: share of the states' numbers that is hidden in training.
    """

    def __init__(
        self, base: nn.Module, head: PooledHead | LabelwiseHead, padding_id: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.base, self.head, self.padding_id = base, head, padding_id
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Word indices [B, T], padded with anything at the end, and lengths [B] -> scores [B, L]."""
        scores: Tensor = self.head(self.states(tokens, lengths), lengths)
        return scores

    def states(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Word indices [B, T], lengths [B] -> states [B, T, D]. T is at most what the base allows, often 512."""
        word = is_word(lengths, tokens.shape[1])
        # A text without words looks at its first padding: a softmax over nothing is no number.
        seen = is_word(lengths.clamp(min=1), tokens.shape[1])
        answer = self.base(input_ids=tokens.masked_fill(~word, self.padding_id), attention_mask=seen.long())
        states: Tensor = self.dropout(answer.last_hidden_state)
        return states


def pretrained_encoder(
    base: Any,
    head: str,
    prior: Tensor,
    generator: torch.Generator,
    padding_id: int,
    *,
    dropout: float = 0.0,
    lora: int = 0,
    frozen: bool = False,
) -> PretrainedEncoder:
    """A head on a loaded encoder, the new weights drawn from `generator` alone.

    Args:
        base: as for `PretrainedEncoder`; on the CPU; it becomes part of the result, and LoRA
            changes its layers in place.
        head: a key of `nn.tokens.HEADS`.
        prior: [L] log-odds of each tag when nothing is known of a text.
        generator: randomness for the first weights.
        padding_id, dropout: as for `PretrainedEncoder`.
        lora: R, rank of the matrices that are trained in place of the base's own weights; 0: none.
        frozen: only the head is trained; goes without LoRA.

    Raises:
        KeyError: there is no such head.
        MissingExtraError: LoRA without peft installed.
        ValueError: both `lora` and `frozen`.
    """
    if lora and frozen:
        raise ValueError("a frozen base has nothing to train by LoRA; give one of lora and frozen")
    with torch.device("meta"):
        on_top = HEADS[head](base.config.hidden_size, len(prior))
    on_top = on_top.to_empty(device="cpu")
    on_top.start(generator, prior)
    if frozen:
        base.requires_grad_(False)
    return PretrainedEncoder(_adapted(base, lora, generator) if lora else base, on_top, padding_id, dropout)


def merged(model: PretrainedEncoder) -> PretrainedEncoder:
    """A copy in which LoRA's matrices are added to the base's weights: the same scores, no peft needed to load it."""
    model = copy.deepcopy(model)
    if hasattr(model.base, "merge_and_unload"):
        model.base = model.base.merge_and_unload()  # type: ignore[operator]
    return model


def _adapted(base: Any, rank: int, generator: torch.Generator) -> nn.Module:
    """The base with LoRA's matrices beside every linear layer; nothing else of it can be trained."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingExtraError("peft", "llm") from error
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", exclude_modules=_NOT_ADAPTED)
    # peft draws from the process's random numbers; what it drew is replaced, and they are left as they were. It also
    # asks a model of transformers for an attribute by its old name, which is no news for our user.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        adapted: nn.Module = get_peft_model(base, config)
    for name, weight in adapted.named_parameters():
        if "lora_A" in name:
            nn.init.normal_(weight, 0.0, weight.shape[1] ** -0.5, generator)
        elif "lora_B" in name:
            nn.init.zeros_(weight)
    return adapted
