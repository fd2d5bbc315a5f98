"""Rows out of any database that SQLAlchemy speaks to, streamed; nothing is ever written there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tagloom.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import Engine


def query_of(location: str) -> str:
    """The SELECT behind `URL#table` or `URL#SELECT ...`.

    Raises:
        DataError: nothing stands behind the `#`.
    """
    url, _, query = location.partition("#")
    if not query:
        raise DataError(f"{masked(url)}: say which table, as {masked(url)}#table or #SELECT ...")
    if query.strip().casefold().startswith(("select", "with")):
        return query
    quote = _engine(url).dialect.identifier_preparer.quote
    return "SELECT * FROM " + ".".join(quote(part) for part in query.split("."))  # noqa: S608 (every part is quoted)


def columns(location: str, query: str) -> tuple[str, ...]:
    """The column names that a query gives.

    Raises:
        DataError: no such database or table, or the query is wrong; names what the database said, never the password.
    """
    import sqlalchemy

    url = location.partition("#")[0]
    try:
        with _engine(url).connect() as connection:
            # Streamed, so that a large table is not fetched to learn its header.
            return tuple(connection.execution_options(stream_results=True).exec_driver_sql(query).keys())
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise DataError(f"{masked(url)}: the database said: {str(error).splitlines()[0]}") from error


def rows(location: str, query: str) -> Iterator[Any]:
    """The rows of a query, one at a time, with a bounded buffer."""
    with _engine(location.partition("#")[0]).connect() as connection:
        streamed = connection.execution_options(stream_results=True, max_row_buffer=5_000)
        yield from streamed.exec_driver_sql(query)


def masked(url: str) -> str:
    """A database URL without its password, for messages and records.

    >>> masked("postgresql://ann:secret@db/shop#goods")
    'postgresql://ann:***@db/shop#goods'
    """
    return re.sub(r"://([^:/@]*):[^@]*@", r"://\1:***@", url)


def _engine(url: str) -> Engine:
    import sqlalchemy

    try:
        return sqlalchemy.create_engine(url)
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "postgres") from error
    except sqlalchemy.exc.ArgumentError as error:
        raise DataError(f"{masked(url)}: not a database URL") from error
