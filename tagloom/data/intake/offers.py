"""Prices, stocks and ends of offers as shops write them; what cannot be read is null, and counted as mended."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import polars as pl

from tagloom.data.intake.columns import ColumnMap
from tagloom.data.intake.prose import trimmed
from tagloom.data.intake.times import parse_times
from tagloom.data.tables import OFFERS, PRODUCT_SCHEMA

_MONEY = r"(?:(?:us|hk|nt|ca|au|s|r)?\$|[¥￥€£₹₩₽]|rmb|cny|usd|eur|gbp|jpy|hkd|twd|人民币|元|块)"
_AROUND_MONEY = rf"^{_MONEY}\s*|\s*{_MONEY}$"
_AROUND_STOCK = r"^[>≥]\s*|\s*(?:\+|件|个|pcs)$"
_WIDE, _NARROW = "０１２３４５６７８９．，＋－", "0123456789.,+-"
# 1,299.00 and 1 299.00; 1.299,00, 1 299,00 and 12,50. One group of three after a comma are thousands, as in 1,299;
# `1.299` with a currency may be either, and is not guessed.
_GROUPED = r"^\d{1,3}(?:[,'\s]\d{3})+(?:\.\d+)?$"
_COMMA_LAST = r"^(?:\d+|\d{1,3}(?:[.'\s]\d{3})+),\d{1,2}$"
_ZERO_COMMA = r"^0,\d+$"
_ONE_DOT = r"^[1-9]\d{0,2}\.\d{3}$"

_THERE = (
    "true yes y t instock available inventory preorder backorder limitedavailability"
    " 有货 有 现货 充足 在售 预售 是 有库存"
)
_GONE = (
    "false no n f outofstock soldout unavailable discontinued"
    " 缺货 缺 无货 无现货 无 没货 售罄 已售罄 下架 已下架 停售 否 无库存 补货中"
)
# Wherever they stand: temporarily out of stock.
_GONE_WITHIN = "outofstock|notavailable|notinstock"
_FOR_EVER = "forever never always unlimited permanent 永久 永久有效 长期 长期有效 无限期 不限"
_STOCK_WORDS = {**dict.fromkeys(_THERE.split(), None), **dict.fromkeys(_GONE.split(), 0.0)}
_NO_END = r"^(?:0+|-1|9{4}1231(?:235959)?)(?:\.0*)?$"
_BARE_NUMBER = r"^[+-]?[\d.]+(?:[eE][+-]?\d+)?$"
_NO_END_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
_DAY = r"^(?:\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|(?:19|20)\d{6})$"


def offers_of(raw: pl.DataFrame, columns: ColumnMap, mended: Counter[str]) -> list[pl.Series]:
    """The columns `OFFERS`, null where the file has none.

    Args:
        raw: the raw cells.
        columns: where they stand.
        mended: counts the cells that could not be read.
    """
    parsers = {"price": parse_prices, "stock": parse_stocks, "until": parse_ends}
    found = []
    for field in OFFERS:
        cells = trimmed(raw, columns.one(field))
        parsed, readable = parsers[field](cells)
        mended[f"{field}: not readable, left empty"] += int((cells.is_not_null() & ~readable).sum())
        found.append(parsed.cast(PRODUCT_SCHEMA[field]).alias(field))
    return found


def parse_prices(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Prices in the usual forms; no currency is converted.

    Args:
        text: trimmed cells.

    Returns:
        The prices, null where none can be read, and whether each could be.

    >>> parse_prices(pl.Series(["¥1,299.00", "$12", "12,50", "1.299,00 €", "1299元", "-3", "面议"]))[0].to_list()
    [1299.0, 12.0, 12.5, 1299.0, 1299.0, None, None]
    """
    number = _numbers(text, _AROUND_MONEY)
    number = number.set(number < 0, None)
    return number, number.is_not_null()


def parse_stocks(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Stocks: numbers, or words for there (null: how many is not known) and for out of stock (0).

    Args, Returns:
        As for `parse_prices`.

    >>> parse_stocks(pl.Series(["12", "1,200件", "99+", "In stock", "out_of_stock", "缺货", "?"]))[0].to_list()
    [12.0, 1200.0, 99.0, None, 0.0, 0.0, None]
    """
    word = text.str.to_lowercase().str.replace(r"^https?://schema\.org/", "").str.replace_all(r"[\s_-]+", "")
    gone = word.str.contains(_GONE_WITHIN)
    known = word.is_in(list(_STOCK_WORDS)) | gone
    number = _numbers(text.set(known, None), _AROUND_STOCK)
    said = word.replace_strict(_STOCK_WORDS, default=None, return_dtype=pl.Float64).set(gone, 0.0)
    return number.zip_with(~known.fill_null(False), said), known | number.is_not_null()


def parse_ends(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Times until which products are offered, in UTC; of a day its end.

    Args, Returns:
        As for `parse_prices`; words and numbers for ever are null. A number that would be before 2000 is no end but
        something else, such as days, and not readable.
    """
    for_ever = text.str.to_lowercase().is_in(_FOR_EVER.split()) | text.str.contains(_NO_END)
    times = parse_times(text.set(for_ever, None))
    times = times.set(text.str.contains(_BARE_NUMBER) & (times < _NO_END_BEFORE), None)
    whole_day = times.dt.offset_by("1d") - pl.duration(microseconds=1)
    ends = pl.select(pl.when(text.str.contains(_DAY)).then(whole_day).otherwise(times)).to_series()
    return ends, for_ever | ends.is_not_null()


def _numbers(text: pl.Series, around: str) -> pl.Series:
    """Finite numbers; `around` matches what may stand before and behind them."""
    plain = text.cast(pl.Float64, strict=False)
    left = plain.is_null() & text.is_not_null()
    if left.any():
        plain = plain.zip_with(~left, _written_by_hand(text.set(~left, None), around))
    return plain.set(~plain.is_finite(), None)


def _written_by_hand(text: pl.Series, around: str) -> pl.Series:
    narrow = text.str.replace_many(list(_WIDE), list(_NARROW)).str.to_lowercase()
    bare = narrow.str.replace_all(around, "").str.strip_chars()
    grouped = bare.str.contains(_GROUPED) & ~bare.str.contains(_ZERO_COMMA)
    comma = ~grouped & (bare.str.contains(_COMMA_LAST) | bare.str.contains(_ZERO_COMMA))
    either = bare.str.contains(_ONE_DOT)
    read = pl.DataFrame({"bare": bare, "grouped": grouped, "comma": comma}).select(
        pl.when("grouped")
        .then(pl.col("bare").str.replace_all(r"[,'\s]", ""))
        .when("comma")
        .then(pl.col("bare").str.replace_all(r"[.'\s]", "").str.replace(",", ".", literal=True))
        .otherwise("bare")
    )
    return read.to_series().set(either, None).cast(pl.Float64, strict=False)
