"""How results look on a terminal: tables, a progress bar, or JSON for machines."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tagloom.errors import DataError

ShopFolder = Annotated[str, typer.Argument(help="The shop's folder.", metavar="SHOP")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def say(text: str = "") -> None:
    """A line for people, on the standard output."""
    try:
        sys.stdout.write(text + "\n")
    except BrokenPipeError:
        nobody_reads()
        raise typer.Exit(0) from None


def nobody_reads() -> None:
    """The reader of our output went away (`tagloom tag ... | head`): nothing is wrong, and nothing more is written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def file_to_write(name: str, option: str) -> Path:
    """The path that an option names, when a file can be written there; asked before the long work, not after it.

    Raises:
        DataError: a folder, or in a folder that is not there.
    """
    path = Path(name)
    if path.is_dir():
        raise DataError(f"{option} {name}: is a folder, expected the name of a file")
    if not path.parent.is_dir():
        raise DataError(f"{option} {name}: there is no folder {path.parent}; make it first")
    return path


def as_json(value: Any) -> None:
    """A result for machines: one JSON document."""
    say(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, wide: str = "") -> None:
    """A table; numbers to the right, the column `wide` folded when the terminal is narrow."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    entries = [["" if cell is None else cell for cell in row] for row in rows]
    drawn = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    for ix, name in enumerate(columns):
        numeric = bool(entries) and all(isinstance(row[ix], (int, float)) for row in entries)
        side: Any = "right" if numeric else "left"
        drawn.add_column(name, justify=side, overflow="fold", no_wrap=numeric and name != wide)
    for row in entries:
        drawn.add_row(*(_cell(cell) for cell in row))
    console = Console()
    with console.capture() as text:
        console.print(escape(title), style="bold", soft_wrap=True, highlight=False)
        console.print(drawn)
    say(text.get().rstrip() + "\n")


def _cell(cell: Any) -> str:
    from rich.markup import escape

    if isinstance(cell, bool):
        return "yes" if cell else ""
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return f"{cell:,}" if isinstance(cell, int) else escape(str(cell))


@contextlib.contextmanager
def progress(what: str, quiet: bool, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A progress bar on a terminal, nothing elsewhere; gives a function that advances it and can change its text."""
    if quiet or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)

        def advance(steps: int = 1, text: str = "") -> None:
            bar.update(task, advance=steps, description=f"{what} {text}" if text else what)

        yield advance
