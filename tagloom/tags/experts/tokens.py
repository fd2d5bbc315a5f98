"""Networks that read words in their order: `lstm` and `transformer`, with one attention query for each tag or pooled.

Shapes: B texts, T tokens, V words, L tags, K tags asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import TaggerSettings
from tagloom.data.batches import TokenBatches
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData
from tagloom.tags.experts.learning import (
    VALID_BATCH,
    batch_size_for,
    first_vectors,
    learn,
    token_batches,
    warn_if_broken_off,
    watched,
)
from tagloom.tags.families import alike
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tagloom.nn.tokens import TokenEncoder
    from tagloom.nn.training import Trained

_RATE = 2e-3
_UNKNOWN = 1  # as `Features.token_of` has it
_AT_ONCE = 8_192  # tokens, padding included


@dataclass(frozen=True, eq=False)
class TokenExpert:
    """A `nn.tokens.TokenEncoder`, its settings, and the most tokens it reads of a text."""

    encoder: TokenEncoder
    settings: dict[str, Any]
    max_tokens: int

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings, kind: str) -> tuple[TokenExpert, Trained | None]:
        """Train one; `kind` is `lstm` or `transformer`."""
        import torch

        from tagloom.nn.sizes import SIZES
        from tagloom.nn.tokens import token_encoder

        words = len(data.features.token_of) + 2
        told: dict[str, Any] = {"kind": kind, "size": settings.size, "head": settings.head, "words": words}
        groups = alike(data.names)
        prior = torch.from_numpy(data.prior)
        vectors = first_vectors(data, settings, list(data.features.token_of))
        if vectors is not None and vectors.shape[1] != SIZES[settings.size].width:
            vectors = None
        start = None if vectors is None else torch.from_numpy(np.vstack([np.zeros_like(vectors[:2]), vectors]))

        def make() -> TokenEncoder:
            random = torch.Generator().manual_seed(settings.seed)
            dropout, hidden = settings.dropout, settings.word_dropout
            return token_encoder(
                **told,
                prior=prior,
                generator=random,
                dropout=dropout,
                word_dropout=hidden,
                vectors=start,
                groups=groups,
            )

        part, step_size = watched(data), settings.learning_rate or _RATE
        batches = (
            token_batches(
                data.train.reading.tokens, data.train, settings, batch_size_for(data, settings), settings.seed
            ),
            token_batches(part.reading.tokens, part, settings, VALID_BATCH, None),
        )
        encoder, trained = learn(make, batches, data, settings, learning_rate=step_size)
        warn_if_broken_off(trained, step_size)
        return cls(encoder.eval(), {**told, "tags": len(data.names), "groups": groups}, batches[0].max_length), trained

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> TokenExpert:  # noqa: ARG003
        """What was saved."""
        import torch

        from tagloom.nn.tokens import TokenEncoder

        with torch.device("meta"):
            encoder = TokenEncoder(**about["settings"])
        encoder.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()}, assign=True)
        return cls(encoder.eval(), about["settings"], about["max_tokens"])

    def scores(self, reading: Reading) -> Floats:
        """A forward pass, texts of similar length together."""
        return network_scores(self.encoder, reading.tokens, self.settings["tags"], self.max_tokens)

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """What the state of each word added to the score: see `nn.heads.carried`."""
        shares = network_carried(self.encoder, reading.tokens, tags, self.max_tokens)
        idf = reading.features.token_idf
        found: list[Carried] = []
        for words, tokens, share in zip(reading.words, reading.tokens, shares, strict=True):
            kept = tokens[: len(share)]
            if self.settings["kind"] == "cnn":
                share = _to_the_words_seen(share, idf[kept])
            # A word that is not known says what its neighbours say, and is no reason itself.
            found.append((words[: len(share)], share * (kept[:, None] != _UNKNOWN)))
        return found

    def arrays(self) -> Arrays:
        """The weights."""
        return {name: weight.detach().numpy() for name, weight in self.encoder.state_dict().items()}

    def about(self) -> dict[str, Any]:
        """What `load` needs to make the network."""
        return {"settings": self.settings, "max_tokens": self.max_tokens}


def _to_the_words_seen(share: Floats, idf: Floats) -> Floats:
    """What the states of `cnn` carried [T, K], shared out to the words each saw: itself twice, its neighbours once.

    By inverse document frequency [T], so that `the` does not carry what it knows of its neighbour. The sum stays.
    """
    around = np.pad(idf, 1)
    seen = 2 * idf + around[:-2] + around[2:]
    each = np.pad(share / np.maximum(seen, 1e-9)[:, None], ((1, 1), (0, 0)))
    result: Floats = idf[:, None] * (2 * each[1:-1] + each[:-2] + each[2:])
    return result


def network_scores(network: nn.Module, tokens: Sequence[Rows], tags: int, max_tokens: int) -> Floats:
    """Scores [B, L] of a network that takes (tokens, lengths)."""
    import torch

    found = np.zeros((len(tokens), tags), np.float32)
    with torch.inference_mode():
        for order, inputs in _batches(tokens, max_tokens):
            found[order] = network(*inputs).numpy()
    return found


def network_carried(network: Any, tokens: Sequence[Rows], tags: Rows, max_tokens: int) -> list[Floats]:
    """For each text what its tokens added to the scores of the tags in its row of [B, K]: [T, K]."""
    import torch

    from tagloom.nn.heads import carried

    found: list[Floats] = [np.zeros((0, tags.shape[1]), np.float32)] * len(tokens)
    for order, (padded, lengths) in _batches(tokens, max_tokens):
        added = carried(network, padded, lengths, torch.from_numpy(tags[order])).numpy()  # [b, T, K]
        for ix, row in enumerate(order.tolist()):
            found[row] = added[ix, : int(lengths[ix])]
    return found


def _batches(tokens: Sequence[Rows], max_tokens: int) -> Iterator[tuple[Rows, tuple[torch.Tensor, ...]]]:
    batches = TokenBatches(tokens, None, batch_size=max(1, len(tokens)), max_length=max_tokens, batch_tokens=_AT_ONCE)
    done = 0
    for inputs, _, _ in batches:
        order = batches.order[done : done + len(inputs[0])]
        done += len(order)
        yield order, inputs
