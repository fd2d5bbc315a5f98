"""Sub-words trained on the shop: BPE over characters, and bytes for the characters too rare to have an entry.

Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units"; bytes as the last resort
as in SentencePiece. BPE over bytes alone needs as many pieces a text, but its pieces are parts of Chinese characters:
nobody can read them in an explanation, and a model that writes may put them together wrongly. A blank is a character
like others and no sign is written for it, so every normalised text comes back exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tagloom.data.words.text import normalise
from tagloom.errors import ArtifactError, DataError, SettingsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>", "<mask>", "<sep>")
PAD, UNK, BOS, EOS, MASK, SEP = range(6)
_BYTES = 256
SMALLEST = len(SPECIAL) + _BYTES

# Pieces never reach over the edge of a run of Chinese, letters, digits or signs; a blank goes with what follows it.
_RUNS = r" ?\p{Han}+| ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+"
# A slogan on every product must not become one piece.
_LONGEST_PIECE = 16


@dataclass(frozen=True, eq=False)
class Subwords:
    """A trained sub-word vocabulary. Ids 0 to 5 are `SPECIAL`, padding is 0; text alone never yields one of them."""

    tokenizer: Tokenizer

    def __len__(self) -> int:
        size: int = self.tokenizer.get_vocab_size()
        return size

    def encode(self, texts: list[str], max_tokens: int | None = None) -> list[list[int]]:
        """The ids of each text, normalised first, without <bos> and <eos>; [texts][at most max_tokens]."""
        encodings = self.tokenizer.encode_batch_fast([normalise(text) for text in texts], add_special_tokens=False)
        return [encoding.ids[:max_tokens] for encoding in encodings]

    def decode(self, ids: list[list[int]]) -> list[str]:
        """The texts that `encode` made these ids of, normalised; special ids are left out."""
        texts: list[str] = self.tokenizer.decode_batch(ids, skip_special_tokens=True)
        return texts

    def save(self, path: str | Path) -> None:
        """Write the vocabulary to a file in the format of `tokenizer.json`."""
        Path(path).write_text(self.tokenizer.to_str(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Subwords:
        """Read what `save` wrote.

        Raises:
            ArtifactError: the file is missing, damaged, or no sub-word vocabulary of ours.
        """
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str(Path(path).read_text(encoding="utf-8"))
        # The library raises bare `Exception` for a file it cannot parse.
        except Exception as error:
            raise ArtifactError(
                f"{path}: no sub-word vocabulary can be read there ({error}); train it again"
            ) from error
        if tuple(tokenizer.id_to_token(ix) for ix in range(len(SPECIAL))) != SPECIAL:
            raise ArtifactError(f"{path}: the first ids should be {', '.join(SPECIAL)}; train it again")
        return cls(_without_special_parsing(tokenizer))


def train_subwords(texts: Iterable[str], size: int) -> Subwords:
    """Learn a sub-word vocabulary.

    Args:
        texts: the shop's texts, read once; they are normalised here.
        size: most entries, `SPECIAL` and the 256 single bytes among them; a small shop gets fewer.

    Raises:
        SettingsError: `size` has no room for `SPECIAL` and the bytes.
        DataError: there is no text.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    if size < SMALLEST:
        raise SettingsError(
            f"text.subwords: {SMALLEST} or more is needed ({_BYTES} bytes and {len(SPECIAL)} signs), not {size}"
        )
    filled = (text for text in map(normalise, texts) if text)
    first = next(filled, None)
    if first is None:
        raise DataError("no text to learn sub-words from: every title and description is empty")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_RUNS), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=size - _BYTES,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        limit_alphabet=(size - SMALLEST) // 2,
        max_token_length=_LONGEST_PIECE,
        show_progress=False,
    )
    tokenizer.train_from_iterator(chain([first], filled), trainer)
    return Subwords(_without_special_parsing(_with_bytes(tokenizer)))


def _with_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """The same vocabulary with the 256 bytes at its end. The trainer could add them only as signs found in texts."""
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.to_str())
    entries = state["model"]["vocab"]
    entries |= {f"<0x{byte:02X}>": len(entries) + byte for byte in range(_BYTES)}
    state["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(state))


def _without_special_parsing(tokenizer: Tokenizer) -> Tokenizer:
    """Read `<pad>` in a text as text. The library leaves this setting out of its file, so it is set at each load."""
    tokenizer.encode_special_tokens = True
    return tokenizer
