"""The one exception tree. A message says what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class TagloomError(Exception):
    """Root of everything tagloom raises on purpose; the command line ends with `exit_code`."""

    exit_code = 1


class UserError(TagloomError):
    """The caller can mend this: a wrong file, setting, name or order of steps."""

    exit_code = 2


class SettingsError(UserError):
    """tagloom.toml (or a setting given in Python) is wrong."""


class DataError(UserError):
    """A file or table cannot be used as it is; names file, row, field and remedy."""


class VocabularyError(UserError):
    """A rename, merge, split, undo or synonym that cannot be carried out."""


class ShopError(UserError):
    """The shop's folder is missing, taken, or a step was called before the one it needs."""


class NotFittedError(UserError):
    """A model was asked for an answer before `fit` or `load`."""


class MissingExtraError(UserError):
    """An optional library is not installed; the message gives the command that installs it."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed. Run: pip install 'tagloom[{extra}]'")


class ArtifactError(TagloomError):
    """A model version on disk is damaged, incomplete or written by a newer tagloom."""


def unknown(what: str, came: object, known: Sequence[str]) -> str:
    """The sentence for a name that is none of a few known ones, with the nearest of them."""
    close = difflib.get_close_matches(str(came), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"unknown {what} {came!r}{hint} Known are: {', '.join(known)}"
