"""Products or posts straight from a file, checked like an import but kept nowhere: what tagging new ones reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tagloom.config import ReadSettings
from tagloom.data.intake import sql
from tagloom.data.intake.batches import LINE, BadRow
from tagloom.data.intake.columns import map_columns, post_columns
from tagloom.data.intake.read import open_source, read_batches
from tagloom.data.intake.rows import Separators, check_products
from tagloom.data.tables import PRODUCT_SCHEMA, product_texts

_OF_A_POST = ("post_id", "user_id", "text")


def product_texts_of(
    location: str | Path, settings: ReadSettings
) -> Iterator[tuple[list[tuple[str, str]], list[BadRow]]]:
    """Id and text of the products of a file, batch by batch, and the rows that cannot be used.

    Args:
        location: path or database URL, as for an import. Columns that are told but not there are guessed instead, since
            new products often have fewer columns.
        settings: `[read]` of tagloom.toml.

    Raises:
        DataError: the file cannot be used as it is.
    """
    source = open_source(location, settings)
    columns = separators = None
    for batch in read_batches(source, settings.batch_rows):
        if columns is None or separators is None:
            names = [name for name in batch.frame.columns if name != LINE]
            told = {
                field: given
                for field, given in settings.product_columns.items()
                if {given} <= set(names) or (not isinstance(given, str) and set(given) <= set(names))
            }
            columns = map_columns("products", names, told, sql.masked(source.name))
            separators = Separators.of(batch.frame, columns, settings)
        checked = check_products(batch, columns, separators, settings)
        frame = checked.frame.select(PRODUCT_SCHEMA.names())
        yield list(zip(frame["product_id"], product_texts(frame), strict=True)), [*batch.bad, *checked.bad]


@dataclass(frozen=True)
class PostRow:
    """A post of a file: its line there, its id and its user where the file has them, and its text."""

    line: int
    post_id: str
    user_id: str
    text: str


def posts_of(location: str | Path, settings: ReadSettings) -> Iterator[tuple[list[PostRow], list[BadRow]]]:
    """The posts of a file, batch by batch, and the rows that cannot be used.

    Args:
        location: path or database URL, as for an import.
        settings: `[read]` of tagloom.toml.

    Raises:
        DataError: the file cannot be used as it is, or no column holds a text.
    """
    source = open_source(location, settings)
    columns = post_columns(source.columns, sql.masked(source.name))
    for batch in read_batches(source, settings.batch_rows):
        frame, nothing = batch.frame, [""] * batch.frame.height
        cells = [frame[columns[field]].fill_null("") if field in columns else nothing for field in _OF_A_POST]
        rows = [PostRow(*row) for row in zip(frame[LINE], *cells, strict=True)]
        empty = [BadRow(row.line, columns["text"], "empty; a post needs a text", "") for row in rows if not row.text]
        yield [row for row in rows if row.text], [*batch.bad, *empty]
