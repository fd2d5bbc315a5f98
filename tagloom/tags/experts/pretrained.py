"""Any pretrained Hugging Face encoder from a folder or a hub id, with a head for the tags: all of it tuned, or LoRA.

The encoder's files are copied into the model version, so that it answers without the folder or the hub it came from.
Shapes: B texts, T tokens of the encoder's own tokeniser, L tags, K tags asked for.
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import TaggerSettings
from tagloom.data.words.text import normalise
from tagloom.errors import MissingExtraError, SettingsError
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData
from tagloom.tags.experts.learning import (
    VALID_BATCH,
    batch_size_for,
    learn,
    token_batches,
    warn_if_broken_off,
    watched,
)
from tagloom.tags.experts.tokens import network_carried, network_scores
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from tagloom.nn.pretrained import PretrainedEncoder
    from tagloom.nn.training import Trained

_RATE, _LORA_RATE = 5e-5, 5e-4


@dataclass(frozen=True, eq=False)
class PretrainedExpert:
    """The tuned encoder, its tokeniser, and how to make it again: the base's configuration and the head's name."""

    encoder: PretrainedEncoder
    tokenizer: Tokenizer
    config: dict[str, Any]
    head: str
    max_tokens: int

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[PretrainedExpert, Trained | None]:
        """Tune it; with `tagger.lora` above 0 only matrices of that rank and the head.

        Raises:
            SettingsError: `tagger.pretrained` names nothing that transformers can load.
            MissingExtraError: transformers, or peft for LoRA, is not installed.
        """
        import torch

        from tagloom.nn.pretrained import merged, pretrained_encoder

        base, tokenizer = _load_base(settings.pretrained)
        most = min(settings.max_tokens, getattr(base.config, "max_position_embeddings", settings.max_tokens) - 2)
        prior = torch.from_numpy(data.prior)
        padding = int(getattr(base.config, "pad_token_id", 0) or 0)

        def make() -> PretrainedEncoder:
            random = torch.Generator().manual_seed(settings.seed)
            return pretrained_encoder(
                base, settings.head, prior, random, padding, dropout=settings.dropout, lora=settings.lora
            )

        shorter = settings.model_copy(update={"max_tokens": most})
        part, step_size = watched(data), settings.learning_rate or (_LORA_RATE if settings.lora else _RATE)
        batches = (
            token_batches(
                _tokens(tokenizer, data.train.reading.texts),
                data.train,
                shorter,
                batch_size_for(data, settings),
                settings.seed,
            ),
            token_batches(_tokens(tokenizer, part.reading.texts), part, shorter, VALID_BATCH, None),
        )
        encoder, trained = learn(make, batches, data, settings, learning_rate=step_size)
        warn_if_broken_off(trained, step_size)
        encoder = merged(encoder) if settings.lora else encoder
        return cls(encoder.eval(), tokenizer, base.config.to_dict(), settings.head, most), trained

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> PretrainedExpert:  # noqa: ARG003
        """What was saved; nothing is asked of the hub."""
        import torch
        from tokenizers import Tokenizer

        from tagloom.nn.pretrained import pretrained_encoder

        with _transformers() as transformers:
            config = transformers.AutoConfig.for_model(**about["config"])
            base = transformers.AutoModel.from_config(config)
        prior = torch.from_numpy(arrays["head.bias"])
        encoder = pretrained_encoder(base, about["head"], prior, torch.Generator(), about["padding"])
        encoder.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        tokenizer = Tokenizer.from_str(about["tokenizer"])
        return cls(encoder.eval(), tokenizer, about["config"], about["head"], about["max_tokens"])

    def scores(self, reading: Reading) -> Floats:
        """A forward pass, texts of similar length together."""
        tags = len(self.encoder.head.bias)
        return network_scores(self.encoder, _tokens(self.tokenizer, reading.texts), tags, self.max_tokens)

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """What the states of a word's tokens added to the score, summed over our words, not those of the base."""
        texts = [normalise(text) for text in reading.texts]
        codes = self.tokenizer.encode_batch(texts)
        tokens = [np.array(code.ids, np.int64) for code in codes]
        shares = network_carried(self.encoder, tokens, tags, self.max_tokens)
        found: list[Carried] = []
        for text, words, code, share in zip(texts, reading.words, codes, shares, strict=True):
            starts = _starts(text, words)
            added = np.zeros((len(words), tags.shape[1]), np.float32)
            for (start, end), row in zip(code.offsets, share, strict=False):  # beyond `max_tokens` nothing is shared
                word = bisect.bisect_right(starts, start) - 1
                if word >= 0 and start < end and start < starts[word] + len(words[word]):
                    added[word] += row
            found.append((words, added))
        return found

    def arrays(self) -> Arrays:
        """The tuned weights, base and head."""
        return {name: weight.detach().float().numpy() for name, weight in self.encoder.state_dict().items()}

    def about(self) -> dict[str, Any]:
        """Configuration and tokeniser."""
        return {
            "config": self.config,
            "tokenizer": self.tokenizer.to_str(),
            "head": self.head,
            "padding": self.encoder.padding_id,
            "max_tokens": self.max_tokens,
        }


def _tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Rows]:
    return [np.array(code.ids, np.int64) for code in tokenizer.encode_batch([normalise(text) for text in texts])]


def _starts(text: str, words: Sequence[str]) -> list[int]:
    """Where each word begins in the normalised text it was cut from."""
    starts, at = [], 0
    for word in words:
        at = text.index(word, at)
        starts.append(at)
        at += len(word)
    return starts


def _load_base(name: str) -> tuple[Any, Tokenizer]:
    """Base and fast tokeniser from a folder, or from the hub when the name is no folder."""
    if not name:
        raise SettingsError(
            "tagger.pretrained is empty: give the folder of a Hugging Face encoder, or a hub id such as"
            " 'google-bert/bert-base-chinese', for encoder pretrained"
        )
    with _transformers() as transformers:
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, use_fast=True)
            base = transformers.AutoModel.from_pretrained(name)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"tagger.pretrained = {name!r}: transformers cannot load an encoder with a fast tokeniser from it"
                f" ({str(error).splitlines()[0]}); give a folder with config.json, tokenizer.json and the weights,"
                " or a hub id that this machine can reach"
            ) from error
    inner = tokenizer.backend_tokenizer
    inner.no_padding()
    inner.no_truncation()
    return base, inner


@contextlib.contextmanager
def _transformers() -> Iterator[Any]:
    """The library, silent."""
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("transformers", "llm") from error
    level = transformers.logging.get_verbosity()
    bars = transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        import torch

        with torch.random.fork_rng(devices=[]):  # a new model draws first weights, if only to replace them
            yield transformers
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            transformers.logging.enable_progress_bar()  # type: ignore[no-untyped-call]
