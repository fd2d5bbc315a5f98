"""Writing files so that a crash, a full disk or Ctrl-C leaves the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tagloom.errors import TagloomError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def disk_errors(what: Path) -> Iterator[None]:
    """Turn an OSError while writing into one clear line.

    Raises:
        TagloomError: what could not be written, why, and that nothing was changed.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        remedy = "; free some space and run it again" if error.errno in _FULL else ""
        raise TagloomError(f"{what}: could not be written ({reason}); nothing was changed{remedy}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    with _text_aside(path) as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file in one step."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def sync_file(path: Path) -> None:
    """Flush a file's contents to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def folder_aside(final: Path) -> Iterator[Path]:
    """A new folder to fill, moved to `final` when the block ends well and removed when it does not."""
    aside = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with disk_errors(final):
            aside.mkdir(parents=True)
            yield aside
            for path in sorted(aside.rglob("*")):
                if path.is_file():
                    sync_file(path)
            sync_folder(aside)
            aside.rename(final)
            sync_folder(final.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines as they come, in one step; returns how many."""
    count = 0
    with _text_aside(path) as file:
        for line in lines:
            file.write(line + "\n")
            count += 1
    return count


@contextlib.contextmanager
def _text_aside(path: Path) -> Iterator[TextIO]:
    """A file to write, aside; flushed to disk and renamed to `path` when the block ends well, else removed."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with disk_errors(path), aside.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)
