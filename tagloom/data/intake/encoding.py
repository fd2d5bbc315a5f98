"""Telling apart the encodings that shops' exports come in."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import IO

from tagloom.errors import DataError

_SNIFFED_BYTES = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Shares of the foreign characters: another encoding read as UTF-8 is wrong nearly everywhere, not here and there.
_MOST_DAMAGED = {"utf-8": 0.3, "gb18030": 0.1}
# Of GB18030's two-byte characters, traditional Chinese has some 15 % with a second byte below 128 and simplified none;
# Big5 read as GB18030 has over 40 %, and Western letters (a foreign byte before an ASCII letter) nearly all.
_MOST_LOW_BYTES, _FEW, _MOST_LOW_OF_FEW = 0.3, 30, 0.8
_JUDGED_CHARACTERS = 50_000


def find_encoding(path: Path) -> str:
    """Tell UTF-8, UTF-8 with BOM, UTF-16 with BOM and GB18030 apart by the first stretch that is not plain ASCII.

    A few damaged bytes do not change the verdict. A file of plain ASCII is UTF-8.

    Raises:
        DataError: none fits.
    """
    mark, sample = _first_foreign(path)
    if mark:
        return mark
    if _damaged(sample, "utf-8") <= _MOST_DAMAGED["utf-8"]:
        return "utf-8"
    if _damaged(sample, "gb18030") <= _MOST_DAMAGED["gb18030"] and _reads_as_chinese(sample):
        return "gb18030"
    raise DataError(
        f"{path}: the encoding is neither UTF-8 nor GB18030; save the file as UTF-8,"
        ' or, if you know that it is one of them, say so in tagloom.toml: [read] encoding = "gb18030"'
    )


def choose_encoding(path: Path, told: str) -> str:
    """The encoding to read a file with: the one that was told, or the one found when none was.

    Raises:
        DataError: none fits, or the file is plainly of another encoding than was told.
    """
    if not told:
        return find_encoding(path)
    mark, sample = _first_foreign(path)
    text = sample.decode("utf-8", "surrogateescape")
    certain = mark or ("utf-8" if sum(map(_is_foreign, text)) >= _FEW and not _damaged(sample, "utf-8") else "")
    if told == "gb18030":
        wrong = certain
    else:
        wrong = "utf-16" if mark == "utf-16" else "another encoding" if _damaged(sample, "utf-8") > 0.5 else ""
    if wrong:
        raise DataError(
            f"{path}: read.encoding in tagloom.toml is {told!r}, but the file is in {wrong};"
            ' write encoding = "" there, and it is found out'
        )
    return mark or told


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file; bytes that do not belong to the encoding come through as lone surrogates."""
    # surrogateescape: an undecodable byte marks its own row as bad instead of ending the whole import.
    # It cannot mark the bytes of UTF-16, which is why that one has a handler of its own.
    if encoding != "utf-16":
        return path.open(encoding=encoding, errors="surrogateescape", newline="")
    codecs.register_error("tagloom.mark", _mark)
    return path.open(encoding=encoding, errors="tagloom.mark", newline="")


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101 (this handler is used for decoding only)
    return "\udc80", error.end


def _first_foreign(path: Path) -> tuple[str, bytes]:
    """The encoding that a byte order mark names, or ''; and the first stretch that is not plain ASCII, or b''."""
    with path.open("rb") as file:
        chunk = file.read(_SNIFFED_BYTES)
        for mark, name in _MARKS:
            if chunk.startswith(mark):
                return name, b""
        while chunk and chunk.isascii():
            chunk = file.read(_SNIFFED_BYTES)
    # A full chunk may end inside a character: what stands before its last line break is whole.
    whole = chunk[: chunk.rfind(b"\n") + 1] if len(chunk) == _SNIFFED_BYTES else chunk
    return "", chunk if whole.isascii() else whole


def _is_foreign(character: str) -> bool:
    return character > "\x7f"


def _damaged(sample: bytes, encoding: str) -> float:
    """The share of a sample's foreign characters that the encoding cannot read."""
    text = codecs.getincrementaldecoder(encoding)("surrogateescape").decode(sample, final=False)
    damaged = sum("\udc80" <= character <= "\udcff" for character in text)
    return damaged / max(sum(map(_is_foreign, text)), 1)


def _reads_as_chinese(sample: bytes) -> bool:
    text = codecs.getincrementaldecoder("gb18030")("ignore").decode(sample, final=False)
    coded = [character.encode("gb18030") for character in filter(_is_foreign, text[:_JUDGED_CHARACTERS])]
    pairs = [code for code in coded if len(code) == 2]
    low = sum(code[1] < 0x80 for code in pairs)
    return low <= len(pairs) * (_MOST_LOW_BYTES if len(pairs) >= _FEW else _MOST_LOW_OF_FEW)
