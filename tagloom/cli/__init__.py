"""The command line. Every command has --help with an example, --json, and exit code 0, 1 (ours) or 2 (the user's)."""

from __future__ import annotations

import os
import sys

import click
import typer

from tagloom.cli import data, models, vocabulary
from tagloom.errors import TagloomError

_HELP = """Tags, recommendations, descriptions and pictures for a shop's catalogue.

Start with `tagloom demo`, or with your own files:

    tagloom init my-shop

    tagloom import my-shop --products goods.csv --events log.parquet

    tagloom train my-shop tags

    tagloom tag my-shop new.jsonl
"""
INTERRUPTED = 130

app = typer.Typer(help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
data.add_to(app)
models.add_to(app)
vocabulary.add_to(app)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    try:
        code = app(arguments, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        sys.exit(_said("stopped", INTERRUPTED))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(_said("stopped; what was complete is kept, what was not is as before", INTERRUPTED))
    except BrokenPipeError:
        # The reader of our output went away (`tagloom tag ... | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except TagloomError as error:
        if os.environ.get("TAGLOOM_DEBUG"):
            raise
        sys.exit(_said(f"error: {error}", error.exit_code))
    except Exception as error:
        if os.environ.get("TAGLOOM_DEBUG"):
            raise
        told = "This is a fault of tagloom. TAGLOOM_DEBUG=1 shows where it happened."
        sys.exit(_said(f"error: {type(error).__name__}: {error}\n{told}", 1))


def _said(text: str, code: int) -> int:
    sys.stderr.write(text + "\n")
    return code
