"""The command line. Every command has --help with an example, --json, and exit code 0, 1 (ours) or 2 (the user's)."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from typing import Any

import typer

from tagloom.cli import data, models, posts, recommend, search, vocabulary
from tagloom.cli.show import nobody_reads, say
from tagloom.errors import TagloomError

_HELP = """Tags, recommendations, descriptions and pictures for a shop's catalogue.

Start with `tagloom demo`, or with your own files:

    tagloom init my-shop

    tagloom import my-shop --products goods.csv --events log.parquet

    tagloom train my-shop tags

    tagloom tag my-shop new.jsonl

    tagloom train my-shop recs

    tagloom recommend my-shop USER
"""
INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_STOPPED = "stopped; what was complete is kept, what was not is as before"
# typer's UsageError; its home has changed from version to version, its place above BadParameter has not.
_MISUSE: Any = typer.BadParameter.__base__

app = typer.Typer(help=_HELP, invoke_without_command=True, pretty_exceptions_enable=False, rich_markup_mode=None)
data.add_to(app)
models.add_to(app)
recommend.add_to(app)
posts.add_to(app)
search.add_to(app)
vocabulary.add_to(app)


@app.callback(epilog="Example: tagloom demo")
def tagloom(context: typer.Context) -> None:
    """Show the help when no command was given."""
    if not context.invoked_subcommand:
        say(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter shows its number; that is better than to stop.
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            code = app(arguments, prog_name="tagloom", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(_said(_STOPPED, INTERRUPTED) if code == INTERRUPTED else code or 0)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(_said(_STOPPED, INTERRUPTED))
    except BrokenPipeError:
        nobody_reads()
        sys.exit(0)
    except _MISUSE as error:
        command = error.ctx.command_path if error.ctx else "tagloom"
        sys.exit(_said(f"error: {error.format_message().rstrip('.')}; see: {command} --help", error.exit_code))
    except TagloomError as error:
        if os.environ.get("TAGLOOM_DEBUG"):
            raise
        sys.exit(_said(f"error: {error}", error.exit_code))
    except OSError as error:
        if os.environ.get("TAGLOOM_DEBUG"):
            raise
        sys.exit(_said(f"error: {error.filename or 'standard output'}: {error.strerror or error}", 1))
    except Exception as error:
        if os.environ.get("TAGLOOM_DEBUG"):
            raise
        if any(f"(os error {number})" in str(error) for number in FULL):
            # Libraries written in Rust tell it in words only.
            sys.exit(_said("error: the disk is full; nothing was changed; free some space and run it again", 1))
        told = "This is a fault of tagloom. TAGLOOM_DEBUG=1 shows where it happened."
        sys.exit(_said(f"error: {type(error).__name__}: {error}\n{told}", 1))


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning without the line of code that it came from."""
    sys.stderr.write(f"warning: {message}\n")


def _said(text: str, code: int) -> int:
    sys.stderr.write(text + "\n")
    return code
