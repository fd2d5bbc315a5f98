"""Times in the forms that logs have them in."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.data.intake.times import parse_times

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
DAY = NOON.replace(hour=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T12:00:00.000Z", NOON),
        ("2026-01-31T20:00:00+08:00", NOON),
        ("2026-01-31 20:00:00+0800", NOON),
        ("2026-01-31 20:00:00.000000 +08", NOON),
        ("2026-01-31T06:30-05:30", NOON),
        ("2026-01-31 12:00:00 UTC", NOON),
        ("2026-01-31 12:00:00", NOON),
        ("2026-01-31T12:00:00.5", NOON + dt.timedelta(seconds=0.5)),
        ("2026-01-31 12:00", NOON),
        ("2026/1/31 12:00:00", NOON),
        ("2026/01/31 12:00", NOON),
        ("2026年1月31日 12时00分", NOON),
        ("2026年1月31日", DAY),
        ("2026-01-31", DAY),
        ("2026/1/31", DAY),
        ("2026.01.31", DAY),
        ("20260131", DAY),
        ("20260131120000", NOON),
        ("1769860800", NOON),
        ("1769860800.0", NOON),
        ("1769860800000", NOON),
        ("1769860800000000", NOON),
        ("1769860800000000000", NOON),
        ("5", dt.datetime(1970, 1, 1, 0, 0, 5, tzinfo=dt.UTC)),
    ],
)
def test_forms(text, expected):
    assert parse_times(pl.Series([text])).to_list() == [expected]
    # Beside times of another form, as when two logs were put together.
    assert parse_times(pl.Series(["2025-01-01T00:00:00Z", text, None])).to_list()[1:] == [expected, None]


@pytest.mark.parametrize(
    "text",
    ["yesterday", "31/01/2026", "2026-02-30", "2026-13-01", "20261301", "2026-01-31T25:00:00", "1e400", "12:00", "--"],
)
def test_what_is_no_time_is_null(text):
    assert parse_times(pl.Series([text])).to_list() == [None]


@given(st.lists(st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2100, 1, 1)), max_size=20), st.integers(-14, 14))
def test_what_was_written_is_read(times, hours):
    zone = dt.timezone(dt.timedelta(hours=hours))
    zoned = [time.replace(tzinfo=zone) for time in times]
    for form in (str, dt.datetime.isoformat):
        assert parse_times(pl.Series([form(time) for time in zoned], dtype=pl.String)).to_list() == zoned


def test_no_rows_and_only_nulls():
    assert parse_times(pl.Series([], dtype=pl.String)).dtype == pl.Datetime("us", "UTC")
    assert parse_times(pl.Series([None, None], dtype=pl.String)).to_list() == [None, None]
