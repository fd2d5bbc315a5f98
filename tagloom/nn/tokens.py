"""Texts as words in their order -> scores of all tags: word vectors, one of the encoders, one of the heads.

Shapes: B texts, T tokens (1 or more), V words, D width, L tags. Word 0 is padding, 1 unknown.
Loss: any of `nn.losses`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tagloom.nn.cnn import CnnEncoder
from tagloom.nn.dropout import TextDropout
from tagloom.nn.heads import LabelwiseHead, PooledHead
from tagloom.nn.lstm import LstmEncoder
from tagloom.nn.sizes import SIZES
from tagloom.nn.transformer import TransformerEncoder

PADDING, UNKNOWN = 0, 1

ENCODERS: dict[str, type[CnnEncoder] | type[LstmEncoder] | type[TransformerEncoder]] = {
    "cnn": CnnEncoder,
    "lstm": LstmEncoder,
    "transformer": TransformerEncoder,
}
HEADS: dict[str, type[PooledHead] | type[LabelwiseHead]] = {"pooled": PooledHead, "labelwise": LabelwiseHead}


class TokenEncoder(nn.Module):
    """Words -> scores of all tags. The weights are nothing until `start`; `token_encoder` makes one ready to use.

    Args:
        kind: a key of `ENCODERS`.
        size: a key of `nn.sizes.SIZES`.
        head: a key of `HEADS`.
        words: V, words known, padding and unknown among them.
        tags: L.
        dropout: share of the numbers that is hidden in training, in the word vectors, every layer and the states.
        word_dropout: share of the words that training takes for unknown ones: what is learned of an unknown word is
            then what any word says, and no tag hangs on one word alone.
        groups: columns of tags that share their queries in a labelwise head.
    """

    def __init__(
        self,
        kind: str,
        size: str,
        head: str,
        words: int,
        tags: int,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        groups: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__()
        width = SIZES[size].width
        self.words = nn.Embedding(words, width, padding_idx=PADDING)
        self.encoder = ENCODERS[kind](SIZES[size], dropout)
        self.head = HEADS[head](width, tags, groups)
        self.dropout = TextDropout(dropout)
        self.word_dropout = word_dropout

    def start(self, generator: torch.Generator, prior: Tensor, vectors: Tensor | None = None) -> None:
        """Draw the first weights: scores begin as the prior, log-odds [L], words as `vectors` [V, D] where given."""
        with torch.no_grad():
            self.words.weight.normal_(0.0, self.words.embedding_dim**-0.5, generator=generator)
            if vectors is not None:
                self.words.weight.copy_(vectors)
            self.words.weight[PADDING] = 0.0
        self.encoder.start(generator)
        self.head.start(generator, prior)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Word indices [B, T], padded with 0 at the end, and lengths [B] -> scores [B, L]."""
        scores: Tensor = self.head(self.states(tokens, lengths), lengths)
        return scores

    def states(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Word indices [B, T], lengths [B] -> states [B, T, D]."""
        if self.training and self.word_dropout:
            # Of the process's random numbers, as `nn.Dropout`: the training loop seeds them.
            hidden = torch.rand(tokens.shape, device=tokens.device) < self.word_dropout
            tokens = tokens.masked_fill(hidden & (tokens != PADDING), UNKNOWN)
        states: Tensor = self.dropout(self.encoder(self.dropout(self.words(tokens)), lengths))
        return states


def token_encoder(
    kind: str,
    size: str,
    head: str,
    words: int,
    prior: Tensor,
    generator: torch.Generator,
    dropout: float,
    word_dropout: float = 0.0,
    vectors: Tensor | None = None,
    groups: Sequence[Sequence[int]] = (),
) -> TokenEncoder:
    """A `TokenEncoder` on the CPU, its first weights drawn from `generator` alone.

    Args:
        kind, size, head, words, dropout, word_dropout, groups: as for `TokenEncoder`.
        prior: [L] log-odds of each tag when nothing is known of a text.
        generator: randomness for the first weights.
        vectors: [V, D] to start the word vectors from, or None.

    Raises:
        KeyError: kind, size or head has no such name.
    """
    # Made without numbers at first: torch's own would be drawn from the process's random numbers.
    with torch.device("meta"):
        model = TokenEncoder(kind, size, head, words, len(prior), dropout, word_dropout, groups)
    model = model.to_empty(device="cpu")
    model.start(generator, prior, vectors)
    return model
