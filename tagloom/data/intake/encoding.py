"""Telling apart the encodings that shops' exports come in."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import IO

from tagloom.errors import DataError

_SNIFFED_BYTES = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def find_encoding(path: Path) -> str:
    """Tell UTF-8, UTF-8 with BOM, UTF-16 with BOM and GB18030 apart by the first stretch that is not plain ASCII.

    A few damaged bytes do not change the verdict: GB18030 read as UTF-8 is wrong nearly everywhere, not here and there.

    Raises:
        DataError: neither fits.
    """
    with path.open("rb") as file:
        chunk = file.read(_SNIFFED_BYTES)
        for mark, name in _MARKS:
            if chunk.startswith(mark):
                return name
        while chunk and chunk.isascii():
            chunk = file.read(_SNIFFED_BYTES)
    # A chunk may begin or end inside a character: only what stands between its line breaks counts.
    lines = chunk.splitlines(keepends=True)
    sample = b"".join(lines[1:-1]) if len(lines) > 3 else chunk
    if sample.isascii():
        sample = chunk
    for name in ("utf-8", "gb18030"):
        text = codecs.getincrementaldecoder(name)("replace").decode(sample, final=False)
        foreign = sum(1 for character in text if ord(character) > 127)
        if text.count("\ufffd") <= 0.1 * foreign:
            return name
    raise DataError(f"{path}: the encoding is neither UTF-8 nor GB18030; save the file as UTF-8, or set read.encoding")


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file; bytes that do not belong to the encoding come through as lone surrogates."""
    # surrogateescape: an undecodable byte marks its own row as bad instead of ending the whole import.
    return path.open(encoding=encoding, errors="surrogateescape", newline="")
