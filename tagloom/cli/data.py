"""Commands on data: init, import, check, words, demo."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagloom.cli.show import AsJson, ShopFolder, as_json, file_to_write, progress, say, table

if TYPE_CHECKING:
    from tagloom.data.intake.imports import FileReport

_COUNTS = ("read", "kept", "same", "updated", "mended", "rejected", "already_imported")


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    app.command("init", epilog="Example: tagloom init my-shop")(init)
    app.command(
        "import",
        epilog="Examples: tagloom import my-shop --products goods.csv --events log.parquet;"
        " tagloom import my-shop data.csv; tagloom import my-shop --products 'postgresql://ann@db/shop#goods'",
    )(import_)
    app.command("check", epilog="Example: tagloom check my-shop --html report.html")(check)
    app.command("words", epilog="Example: tagloom words my-shop 手机 --top 5")(words)
    app.command("demo", epilog="Example: tagloom demo demo-shop")(demo)


def init(shop: ShopFolder, json: AsJson = False) -> None:
    """Make a new, empty shop: a folder with tagloom.toml and four lists to fill in."""
    from tagloom.shop import Shop

    made = Shop.create(shop)
    if json:
        as_json({"shop": str(made.folder)})
    else:
        say(f"Made {made.folder}. Next: tagloom import {made.folder} --products FILE --events FILE")


def import_(
    shop: ShopFolder,
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Files whose kind their columns tell; data.csv works as it is."),
    ] = None,
    products: Annotated[
        list[str] | None, typer.Option(help="Products: CSV, TSV, JSONL, Parquet or database URL#table.")
    ] = None,
    events: Annotated[list[str] | None, typer.Option(help="Users' events, in the same forms.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Import the same log of events once more.")] = False,
    json: AsJson = False,
) -> None:
    """Import products and events, all files or none. Bad rows go to tables/rejected.jsonl, with the reason."""
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    with progress("Importing rows", json) as advance:
        reports = opened.load(
            *(files or []), products=products or [], events=events or [], again=again, progress=advance
        )
    if json:
        as_json([_report(report) for report in reports])
        return
    for report in reports:
        _show_import(report)
    if any(report.rejected for report in reports):
        say(f"Rejected rows, each with its reason: {opened.tables.folder / 'rejected.jsonl'}")
    say(f"Next: tagloom check {shop}")


def _report(report: FileReport) -> dict[str, Any]:
    return {
        "file": report.name,
        "table": report.table,
        "encoding": report.encoding,
        "columns": {field: list(names) for field, names in report.columns.fields.items()},
        "unused_columns": list(report.columns.unused),
        **{key: getattr(report, key) for key in _COUNTS},
    }


def _show_import(report: FileReport) -> None:
    if report.already_imported:
        say(f"{report.name}: these events were imported before, nothing was done (--again imports them once more)")
        return
    rows: list[tuple[str, str, int]] = [("read", "", report.read), ("kept", "", report.kept)]
    rows += [("same", "identical or joined repeats", report.same)] if report.same else []
    rows += [("updated", "products that were there already", report.updated)] if report.updated else []
    rows += [("mended", what, count) for what, count in report.mended.items()]
    rows += [("rejected", why, count) for why, count in report.rejected.items()]
    encoding = f", {report.encoding}" if report.encoding else ""
    table(f"{report.name} -> {report.table}{encoding}", ("rows", "why", "count"), rows, wide="why")
    if report.columns.unused:
        say(f"Columns not used: {', '.join(report.columns.unused)} (map them in [read] of tagloom.toml)")


def check(
    shop: ShopFolder,
    html: Annotated[str, typer.Option(help="Where to write the report with plots.", metavar="FILE")] = "",
    top: Annotated[int, typer.Option(help="Rows in each table on the terminal.", min=1)] = 10,
    json: AsJson = False,
) -> None:
    """Show what is dirty in the catalogue: texts, tags before and after cleaning, merges, proposals, events."""
    from tagloom.measure.catalogue import check_catalogue, write_html
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    target = file_to_write(html, "--html") if html else opened.folder / "check.html"
    with progress("Cleaning tags", json):
        standard = opened.clean()
        found = check_catalogue(opened.raw_products, opened.products, opened.events, standard)
    write_html(found, target)
    if json:
        as_json(found.as_dict())
        return
    for part in found.parts:
        if part.rows:
            table(part.title, part.columns, part.rows[:top], wide=part.columns[-1])
            if len(part.rows) > top:
                say(f"  ... and {len(part.rows) - top:,} more")
    say(f"The whole report, with plots: {target}")
    say(f"Next: tagloom train {shop} tags")


def words(
    shop: ShopFolder,
    word: Annotated[str, typer.Argument(help="A word as it stands in the shop's texts.")],
    top: Annotated[int, typer.Option(help="How many neighbours.", min=1)] = 10,
    json: AsJson = False,
) -> None:
    """Show the words that are used like this one in the shop's texts (word vectors; trained when there are none)."""
    from tagloom.data.words.text import normalise
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    with progress("Training word vectors", json):
        vectors = opened.lexicon().vectors
    near = vectors.neighbours(normalise(word), top)
    if json:
        as_json([{"word": other, "cosine": round(cosine, 4)} for other, cosine in near])
    else:
        table(f"Neighbours of {word}", ("word", "cosine"), near)


def demo(
    shop: Annotated[str, typer.Argument(help="Where to make the sample shop.", metavar="SHOP")] = "demo-shop",
    seed: Annotated[int, typer.Option(help="Seed of the sample shop.", min=0)] = 0,
    products: Annotated[int, typer.Option(help="Products in the sample shop.", min=300)] = 3000,
    json: AsJson = False,
) -> None:
    """Generate a sample shop and do everything once: import, check, train, evaluate, tag new products."""
    from tagloom.cli.demo import run_demo

    if not json:
        run_demo(Path(shop), seed, products)
        return
    with contextlib.redirect_stdout(sys.stderr):
        done = run_demo(Path(shop), seed, products)
    as_json(done)
