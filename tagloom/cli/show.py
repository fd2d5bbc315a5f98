"""How results look on a terminal: tables, a progress bar, or JSON for machines."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any

import typer

ShopFolder = Annotated[str, typer.Argument(help="The shop's folder.", metavar="SHOP")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def say(text: str = "") -> None:
    """A line for people, on the standard output."""
    sys.stdout.write(text + "\n")


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
    drawn = Table(box=box.SIMPLE_HEAD)
    for ix, name in enumerate(columns):
        numeric = bool(entries) and all(isinstance(row[ix], (int, float)) for row in entries)
        side: Any = "right" if numeric else "left"
        drawn.add_column(name, justify=side, overflow="fold", no_wrap=numeric and name != wide)
    for row in entries:
        drawn.add_row(*(_cell(cell) for cell in row))
    console = Console()
    console.print(escape(title), style="bold", soft_wrap=True, highlight=False)
    console.print(drawn)


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
