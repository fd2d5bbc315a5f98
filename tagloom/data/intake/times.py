"""Times as shops' logs write them, to UTC."""

from __future__ import annotations

import polars as pl

from tagloom.data.tables import EVENT_SCHEMA

# One fast pass each over what the passes before left: nearly every file has one form throughout.
_FORMS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d")
_LOOSE = (
    r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T\s]\s*(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})秒?(?:[.,](\d{1,6})\d*)?|分)?)?"
    r"\s*(?i:(Z|UTC|GMT)|([+-]\d{2}):?(\d{2})?)?$"
)
_PACKED = r"^((?:19|20)\d{2})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?$"  # 20260131, 20260131120000
# As seconds 5138, as milliseconds 1973; and so on up: any real date reads sensibly in one unit only.
_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (1e20, 1e-3))


def parse_times(text: pl.Series) -> pl.Series:
    """Times in the usual forms, as UTC; null where none fits.

    A time without a zone is UTC. Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970-01-01, told
    apart by their size.
    """
    found = pl.Series(text.name, [None], dtype=EVENT_SCHEMA["time"]).new_from_index(0, len(text))
    for form in (*_FORMS, _loose, _packed, _number):
        left = (found.is_null() & text.is_not_null()).arg_true()
        if left.is_empty():
            break
        part = text.gather(left)
        parsed = _by_form(part, form) if isinstance(form, str) else form(part)
        found = parsed if len(left) == len(text) else found.scatter(left, parsed)
    return found


def _by_form(text: pl.Series, form: str) -> pl.Series:
    if form.endswith("z"):
        return text.str.to_datetime(form, strict=False, time_unit="us").dt.convert_time_zone("UTC")
    kind = pl.Datetime("us") if "%H" in form else pl.Date
    return _utc(text.str.strptime(kind, form, strict=False).cast(pl.Datetime("us")))


def _loose(text: pl.Series) -> pl.Series:
    names = ("year", "month", "day", "hour", "minute", "second", "fraction", "utc", "zone_hours", "zone_minutes")
    part = text.str.extract_groups(_LOOSE).struct.rename_fields(list(names)).struct.unnest()
    plain = _from_parts(part)
    sign = pl.when(pl.col("zone_hours").str.starts_with("-")).then(-1).otherwise(1)
    hours = pl.col("zone_hours").cast(pl.Int64, strict=False).abs().fill_null(0)
    minutes = pl.col("zone_minutes").cast(pl.Int64, strict=False).fill_null(0)
    fraction = pl.col("fraction").str.pad_end(6, "0").cast(pl.Int64, strict=False).fill_null(0)
    return part.select(
        plain - pl.duration(minutes=sign * (hours * 60 + minutes)) + pl.duration(microseconds=fraction)
    ).to_series()


def _packed(text: pl.Series) -> pl.Series:
    names = ("year", "month", "day", "hour", "minute", "second")
    part = text.str.extract_groups(_PACKED).struct.rename_fields(list(names)).struct.unnest()
    return part.select(_from_parts(part)).to_series()


def _from_parts(part: pl.DataFrame) -> pl.Expr:
    # Through text again: there is no 30th of February, and strptime knows.
    padded = [pl.col(name).fill_null("0").str.zfill(2) for name in part.columns[1:6]]
    stamp = pl.format("{}-{}-{}T{}:{}:{}", "year", *padded).str.strptime(
        pl.Datetime("us"), "%Y-%m-%dT%H:%M:%S", strict=False
    )
    return stamp.dt.replace_time_zone("UTC")


def _number(text: pl.Series) -> pl.Series:
    # A packed date that is none (20241301) would read as a second of 1970.
    number = text.set(text.str.contains(_PACKED), None).cast(pl.Float64, strict=False)
    scaled = pl.Series(number.name, [None], dtype=pl.Float64).new_from_index(0, len(number))
    for limit, factor in reversed(_UNITS):
        scaled = scaled.zip_with((number.abs() >= limit).fill_null(True), number * factor)
    return _utc(scaled.cast(pl.Int64, strict=False).cast(pl.Datetime("us")))


def _utc(times: pl.Series) -> pl.Series:
    return times.dt.replace_time_zone("UTC")
