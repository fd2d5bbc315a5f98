"""Rows out of any database that SQLAlchemy speaks to, streamed; nothing is ever written there."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.data.intake.batches import Cells, Source, as_cell, check_columns
from tagloom.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine

_ROWS_AT_ONCE = 5_000


def open_table(location: str) -> Source:
    """The columns that `URL#table` or `URL#SELECT ...` gives.

    Raises:
        DataError: no such database or table, or the query is wrong; names what the database said, never the password.
    """
    import sqlalchemy

    query = query_of(location)
    try:
        # Streamed, so that a large table is not fetched to learn its header.
        with _engine(location).connect() as connection, closing(_streamed(connection, query)) as result:
            names = tuple(result.keys())
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise _said(location, error) from error
    check_columns(masked(location), names)
    return Source(location, "sql", names, query=query)


def query_of(location: str) -> str:
    """The SELECT behind `URL#table` or `URL#SELECT ...`, as the driver takes it.

    Raises:
        DataError: nothing stands behind the `#`.
    """
    url, _, query = location.partition("#")
    if not query.strip():
        raise DataError(f"{masked(url)}: say which table, as {masked(url)}#table, or {masked(url)}#SELECT ...")
    dialect = _engine(url).dialect
    if not query.lstrip(" (\n\t").casefold().startswith(("select ", "select\n", "with ")):
        parts = (dialect.identifier_preparer.quote(part) for part in query.strip().split("."))
        query = "SELECT * FROM " + ".".join(parts)  # noqa: S608 (every part is quoted)
    # Drivers that write parameters as %s read every other percent sign (LIKE '%a') as a mistake.
    return query.replace("%", "%%") if dialect.paramstyle in ("format", "pyformat") else query


def rows(location: str, query: str) -> Generator[Cells, None, None]:
    """The rows of a query as text cells, one at a time, with a bounded buffer.

    Raises:
        DataError: the database failed in the middle.
    """
    import sqlalchemy

    try:
        with _engine(location).connect() as connection, closing(_streamed(connection, query)) as result:
            for row in result:
                yield [as_cell(value) for value in row]
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise _said(location, error) from error


def masked(location: str) -> str:
    """A database URL without its password, for messages and records.

    >>> masked("postgresql://ann:se@cret@db/shop#goods")
    'postgresql://ann:***@db/shop#goods'
    """
    url, mark, query = location.partition("#")
    return re.sub(r"://([^:/@]*):[^/]*@", r"://\1:***@", url) + mark + query


def _streamed(connection: Connection, query: str) -> CursorResult[Any]:
    options = connection.execution_options(stream_results=True, max_row_buffer=_ROWS_AT_ONCE)
    return options.exec_driver_sql(query)


def _said(location: str, error: Exception) -> DataError:
    return DataError(f"{masked(location)}: the database said: {str(error).splitlines()[0]}")


def _engine(location: str) -> Engine:
    import sqlalchemy

    url = location.partition("#")[0]
    try:
        parsed = sqlalchemy.make_url(url)
        file = parsed.database
        # SQLite makes a missing file without a word, and then says that the table is missing.
        if parsed.get_backend_name() == "sqlite" and file and not file.startswith("file:") and not Path(file).is_file():
            raise DataError(f"{file}: no such file")
        return sqlalchemy.create_engine(parsed, poolclass=sqlalchemy.NullPool)
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "postgres") from error
    except sqlalchemy.exc.ArgumentError as error:
        raise DataError(f"{masked(url)}: not a database URL, such as postgresql+psycopg://user@host/shop") from error
