"""The options that say what may be recommended, for every command that recommends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagloom.errors import ShopError

if TYPE_CHECKING:
    from tagloom.recs.rules import Rules

Include = Annotated[
    list[str] | None,
    typer.Option(help="Nothing but these, repeatable: category=NAME, tag=NAME or product=ID.", metavar="KIND=NAME"),
]
Exclude = Annotated[list[str] | None, typer.Option(help="None of these, repeatable.", metavar="KIND=NAME")]
Price = Annotated[str, typer.Option(help="Nothing that costs less or more, such as 50..200, 50.. or ..200.")]
PerCategory = Annotated[int | None, typer.Option(help="Most products of one category.", min=0)]
NewShare = Annotated[float | None, typer.Option(help="Share of the places for new products.", min=0, max=1)]
Variety = Annotated[
    float | None, typer.Option(help="How much less counts what everybody takes; 0.5 is a start.", min=0)
]
Again = Annotated[
    bool | None,
    typer.Option("--again/--no-again", help="Show what the user has already, or not; as the shop says when left out."),
]


def rules_of(
    default: Rules,
    include: list[str] | None,
    exclude: list[str] | None,
    price: str,
    mixture: dict[str, float | None],
) -> Rules:
    """The shop's rules with what the command line says.

    Raises:
        ShopError: an option that cannot be read.
        UserError: rules that contradict each other.
    """
    from dataclasses import replace

    more: dict[str, Any] = {name: value for name, value in mixture.items() if value is not None}
    if price:
        more |= _prices(price)
    return replace(default, include=_named("--include", include), exclude=_named("--exclude", exclude), **more)


def _named(option: str, told: list[str] | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in told or ():
        kind, sign, name = one.partition("=")
        if not sign or not name.strip():
            raise ShopError(f"{option} {one!r}: give a kind and a name, such as tag=red or category=Shoes")
        found.setdefault(kind.strip(), []).append(name.strip())
    return found


def _prices(told: str) -> dict[str, float]:
    low, dots, high = told.partition("..")
    try:
        bounds = {"price_from": low and float(low), "price_to": high and float(high)}
    except ValueError:
        bounds = {}
    given = {name: value for name, value in bounds.items() if isinstance(value, float)}
    if not dots or not given:
        raise ShopError(f"--price {told!r}: give two prices with two dots between, such as 50..200, 50.. or ..200")
    return given
