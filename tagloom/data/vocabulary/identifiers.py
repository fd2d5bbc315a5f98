"""Attributes whose values name one product instead of describing many: found by shape and counts, not by a list."""

from __future__ import annotations

import polars as pl

_SCHEMA = {
    "name": pl.String,
    "products": pl.UInt32,
    "distinct": pl.UInt32,
    "is_identifier": pl.Boolean,
    "why": pl.String,
}
_FEW_PRODUCTS = 5
_ENOUGH_PRODUCTS = 20
_MANY_PRODUCTS = 50
# What share of the values must have the shape, and how many of them must differ.
_SHAPED = 0.5
_DIFFERING = 0.5
# So many times the values per product of the usual attribute: a list of places or of compatible models.
_LIST_FACTOR = 10
# Shorter lists of few values, if they fall alike on so many kinds of product.
_SHARED = 0.2
_LONGER = 3
_ENOUGH_KINDS = 3
_BY_CHANCE = 1.5
_OWN_VALUE = 0.8
_OWN_VALUE_UNSAID = 0.6
_ALL = 0.95
_SAID = 0.2
_TEXTS = 200

_DATE = (
    r"^\D{0,4}(?:19|20)\d\d(?:(?:年|[-/.])(?:\d{1,2}(?:月|[-/.])?)?(?:\d{1,2}日?)?)?"
    r"(?:\s*(?:至|到|~|-|—)\s*(?:19|20)\d\d.*)?(?:[春夏秋冬]季?)?$"
)
# A quantity: numbers, each with at most a short unit ("120 x 60cm", "12+256gb", "5-8bar", "6.4g/100g").
_NUMBER = r"\d+(?:\.\d+)?\s*(?:[a-z%℃°Ωω㎡μ\"'\^²]{0,5}\d?|\p{Han}{1,4})(?:/\d*(?:[a-z]{1,4}\^?\d?|\p{Han}{1,3}))?"
_BETWEEN = r"\s*(?:[x*+~/:,;()<>=\[\]-]|\p{Han}|\s)+\s*"
_QUANTITY = rf"^[^\d\pL]{{0,3}}{_NUMBER}(?:{_BETWEEN}{_NUMBER})*[\p{{Han}}()\s]*$"


def find_identifier_attributes(attributes: pl.DataFrame) -> pl.DataFrame:
    """Tell which attributes are no tags: article and permit numbers, dates, delivery lists, names of one product.

    Args:
        attributes: `product_ix`, `name`, `value`, and, if there is one, `text`: title and description.

    Returns:
        `name`, `products`, `distinct` (values), `is_identifier`, `why`; every attribute once, the most frequent first.
    """
    known = attributes.filter(pl.col("name").is_not_null() & (pl.col("value").fill_null("").str.strip_chars() != ""))
    if known.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    # Shapes are looked at once a value, not once a row: there are far fewer.
    values = known.group_by("name", "value").agg(count=pl.len()).with_columns(value=_plain("value"))
    values = values.group_by("name", "value").agg(pl.col("count").sum())
    table = _counts(known, values).join(_shapes(values), on="name").join(_said(known), on="name", how="left")
    usual, long = _usual_lengths(table)
    lists = table.filter(
        (pl.col("per_product") >= _LONGER * long)
        & (pl.col("per_product") >= _SHARED * pl.col("distinct"))
        & (pl.col("said").fill_null(0.0) < _SAID)
        & (pl.col("products") >= _MANY_PRODUCTS)
    )
    everywhere = [name for name in lists["name"] if _regardless_of_kind(known, name)]
    judged = table.with_columns(why=_why(usual, everywhere))
    return (
        judged.with_columns(is_identifier=pl.col("why") != "")
        .sort("products", "name", descending=[True, False])
        .select(list(_SCHEMA))
    )


def _usual_lengths(table: pl.DataFrame) -> tuple[float, float]:
    """Values per product of the usual attribute, and of the one that only a twentieth of the attributes exceeds."""
    lengths = table.filter(pl.col("products") >= 2 * _FEW_PRODUCTS)["per_product"]
    middle, long = lengths.quantile(0.5), lengths.quantile(0.95, "lower")
    return middle or 1.0, long or 1.0


def _plain(column: str) -> pl.Expr:
    return pl.col(column).str.normalize("NFKC").str.to_lowercase().str.strip_chars()


def _counts(known: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    products = known.group_by("name").agg(products=pl.col("product_ix").n_unique(), rows=pl.len())
    return products.join(values.group_by("name").agg(distinct=pl.len()), on="name").with_columns(
        per_product=pl.col("rows") / pl.col("products"), differing=pl.col("distinct") / pl.col("rows")
    )


def _shapes(values: pl.DataFrame) -> pl.DataFrame:
    """By attribute: which share of its rows is a date, a code, or a value that stands once."""
    value = pl.col("value")
    quantity = value.str.contains(_QUANTITY) & ~value.str.contains(r"\d{6}")
    digits = value.str.count_matches(r"\d")
    # Permit numbers and bar codes have many digits; a price or running number lacks the unit.
    number = ((digits >= 6) & ~quantity) | value.str.contains(r"^\d{3,}(\.\d+)?$")
    # Article numbers mix letters and digits, with nothing Chinese among them; so do the names of parts (GTX1050).
    mixed = value.str.contains(r"^[\x21-\x7e ]+$") & value.str.contains("[a-z]") & (digits >= 2) & ~quantity
    shaped = values.with_columns(
        date=value.str.contains(_DATE),
        number=number,
        code=number | mixed,
        quantity=quantity,
        single=pl.col("count") == 1,
    )
    return shaped.group_by("name").agg(
        (pl.col(shape).cast(pl.UInt32) * pl.col("count")).sum().truediv(pl.col("count").sum()).alias(shape)
        for shape in ("date", "number", "code", "quantity", "single")
    )


def _said(known: pl.DataFrame) -> pl.DataFrame:
    """By attribute: in which share of a sample of its rows the text says the value; null without texts."""
    if "text" not in known.columns:
        return known.select("name", said=pl.lit(None, dtype=pl.Float64)).unique()
    sample = known.group_by("name").head(_TEXTS)
    return sample.group_by("name").agg(said=_plain("text").str.contains(_plain("value"), literal=True).mean())


def _regardless_of_kind(known: pl.DataFrame, name: str) -> bool:
    """Whether a list's values fall alike on all kinds of product, as places of delivery do and sizes do not.

    A kind is the set of attributes that a product has; alike means a chi-square per degree of freedom as by chance.
    """
    holders = known.filter(pl.col("name") == name).select("product_ix", "value").unique()
    kinds = known.join(holders.select("product_ix").unique(), on="product_ix").group_by("product_ix")
    products = kinds.agg(kind=pl.col("name").unique().sort().str.join("\n"))
    sizes = products.group_by("kind").agg(size=pl.len()).filter(pl.col("size") >= _FEW_PRODUCTS)
    if sizes.height < _ENOUGH_KINDS:
        return False
    seen = holders.join(products, on="product_ix").group_by("kind", "value").agg(seen=pl.len())
    grid = sizes.join(seen.select("value").unique(), how="cross").join(seen, on=["kind", "value"], how="left")
    grid = grid.with_columns(
        pl.col("seen").fill_null(0), share=pl.col("seen").sum().over("value") / sizes["size"].sum()
    )
    grid = grid.filter(pl.col("share").is_between(0, 1, closed="none"))
    expected = pl.col("size") * pl.col("share")
    chi_square = grid.select(((pl.col("seen") - expected) ** 2 / (expected * (1 - pl.col("share")))).sum()).item()
    freedom = grid["value"].n_unique() * (sizes.height - 1)
    return bool(freedom and chi_square / freedom < _BY_CHANCE)


def _why(usual: float, everywhere: list[str]) -> pl.Expr:
    products, single = pl.col("products"), pl.col("single")
    unsaid = pl.col("said").fill_null(1.0) < _SAID
    # That values hardly repeat says something only when there was occasion to.
    own = ((products >= _ENOUGH_PRODUCTS) & (single >= _OWN_VALUE)) | (
        unsaid & (((products >= _MANY_PRODUCTS) & (single >= _OWN_VALUE_UNSAID)) | (single >= _ALL))
    )
    numbered = (pl.col("number") >= _SHAPED) & (pl.col("differing") >= _DIFFERING)
    coded = (pl.col("code") >= _SHAPED) & (
        (single >= _OWN_VALUE) | ((products >= _ENOUGH_PRODUCTS) & (single >= _OWN_VALUE_UNSAID))
    )
    listed = (pl.col("per_product") >= _LIST_FACTOR * usual) | pl.col("name").is_in(everywhere)
    return (
        pl.when(products < _FEW_PRODUCTS)
        .then(pl.lit(""))
        .when(pl.col("date") >= _SHAPED)
        .then(pl.lit("dates"))
        .when(listed & (products >= 2 * _FEW_PRODUCTS))
        .then(pl.lit("a list far longer than those of other attributes"))
        .when(numbered | coded)
        .then(pl.lit("codes or bare numbers that differ from product to product"))
        .when(own & (pl.col("quantity") < _SHAPED))
        .then(pl.lit("nearly every product has a value of its own"))
        .otherwise(pl.lit(""))
    )
