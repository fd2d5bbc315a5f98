"""Files and databases as batches of raw text cells, streamed: memory holds one batch, whatever the file's size."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from tagloom.config import ReadSettings
from tagloom.data.intake import sql
from tagloom.data.intake.batches import LINE, BadRow, Batch, Format, Source, batched
from tagloom.data.intake.delimited import open_delimited, read_delimited
from tagloom.data.intake.encoding import choose_encoding
from tagloom.data.intake.jsonlines import open_json_lines, read_json_lines
from tagloom.data.intake.parquet import open_parquet, read_parquet
from tagloom.errors import DataError

__all__ = ["LINE", "SUFFIXES", "BadRow", "Batch", "Source", "open_source", "read_batches"]

SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


def open_source(location: str | Path, settings: ReadSettings = ReadSettings()) -> Source:  # noqa: B008 (frozen)
    """Find out a file's format, encoding, delimiter and columns.

    Args:
        location: a path ending in .csv, .tsv, .txt, .jsonl, .ndjson, .json, .parquet, or a database URL followed by
            `#table` or `#SELECT ...` (`sqlite:///goods.db#items`).
        settings: an encoding given there is not guessed.

    Raises:
        DataError: no such file, an unknown format, an empty file, no header, or an encoding nobody can tell.
    """
    if "://" in str(location):
        return sql.open_table(str(location))
    path = Path(location)
    kind = SUFFIXES.get(path.suffix.casefold())
    if not path.is_file():
        raise DataError(f"{path}: {'a folder, expected a file' if path.is_dir() else 'no such file'}")
    if kind is None:
        raise DataError(
            f"{path}: cannot tell the format from the ending; expected one of {', '.join(SUFFIXES)}."
            " Save a spreadsheet as CSV first"
        )
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty")
        if kind == "parquet":
            return open_parquet(path)
        encoding = choose_encoding(path, settings.encoding)
        return open_json_lines(path, encoding) if kind == "jsonl" else open_delimited(path, encoding)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_batches(source: Source, rows: int = 50_000) -> Generator[Batch, None, None]:
    """Read a source from its beginning, `rows` rows at a time. A bad row becomes a `BadRow` and reading goes on.

    Raises:
        DataError: the file or the database failed in the middle.
    """
    if source.format == "sql":
        with closing(sql.rows(source.name, source.query)) as cells:
            yield from batched(cells, source.columns, rows)
        return
    read = {"csv": read_delimited, "jsonl": read_json_lines, "parquet": read_parquet}[source.format]
    with closing(read(source, rows)) as batches:
        while True:
            # Not around the yield: an error of whoever takes the batch (a full disk) is not this file's.
            try:
                batch = next(batches, None)
            except OSError as error:
                raise DataError(f"{source.name}: cannot be read ({error.strerror or error})") from error
            if batch is None:
                return
            yield batch
