"""The command search: products and tags for words that somebody types, and suggestions while they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagloom.cli.evaluate import OfVersion
from tagloom.cli.show import AsJson, ShopFolder, as_json, say, table

if TYPE_CHECKING:
    from tagloom.recs.search.answers import SearchAnswer
    from tagloom.shop import Shop

_EXAMPLES = (
    "Examples: tagloom search my-shop '红色 连衣裙'; tagloom search my-shop 'red dres' --user u0042 --top 5;"
    " tagloom search my-shop 'dre' --suggest"
)
_BASES = {
    "nearest": "No product has a word of this; the nearest by what it means:",
    "default": "No product is like this; what is taken most now:",
    "nothing": "Nothing that may be shown fits.",
    "empty": "There is no word in this query.",
}


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command("search", epilog=_EXAMPLES)(search)


def search(
    shop: ShopFolder,
    query: Annotated[str, typer.Argument(help="Words, in any spelling and language.", metavar="QUERY")],
    user: Annotated[str, typer.Option(help="Order for this user of the log.")] = "",
    top: Annotated[int, typer.Option(help="Most products and tags.", min=1)] = 10,
    suggest: Annotated[bool, typer.Option("--suggest", help="Only what could be typed next.")] = False,
    version: OfVersion = "",
    json: AsJson = False,
) -> None:
    """Find products and tags; misspelt, half-typed and traditional words are understood.

    The answer says how the words were read, and what is offered when no product has them.
    """
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    recommender = opened.recommender(version or None)
    if suggest:
        found = recommender.suggest(query, top=top)
        if json:
            as_json({"suggestions": found})
        else:
            say("\n".join(found) or "Nothing begins like this.")
        return
    answer = recommender.search(query, user_id=user or None, top=top)
    if json:
        as_json(told(answer))
    else:
        if user and not answer.personal:
            say("Nothing is known of this user; the order is that for anybody.")
        _show(opened, answer)


def told(answer: SearchAnswer) -> dict[str, Any]:
    """An answer as JSON has it."""
    return {
        "basis": answer.basis,
        "understood": answer.understood,
        "missing": answer.missing,
        "left_out": answer.left_out,
        "personal": answer.personal,
        "products": [
            {"product_id": one.product_id, "share": round(one.share, 6), "words": one.words} for one in answer.products
        ],
        "tags": [
            {"tag": one.tag, "id": one.tag_id, "confidence": round(one.confidence, 6), "named": one.named}
            for one in answer.tags
        ],
        "suggestions": answer.suggestions,
    }


def _show(shop: Shop, answer: SearchAnswer) -> None:
    if any(word.how not in ("typed", "asked", "unknown") for word in answer.read):
        say(f"Read as: {answer.understood}")
    if answer.left_out:
        say(f"The query is long: its last {answer.left_out:,} words were not read.")
    if answer.missing and answer.basis == "match":
        say(f"No product has: {', '.join(answer.missing)}")
    if answer.basis in _BASES:
        say(_BASES[answer.basis])
    titles = dict(shop.raw_products.frame.select("product_id", "title").iter_rows())
    rows = [
        (one.product_id, titles.get(one.product_id, "")[:60], f"{one.share:.2%}", " ".join(one.words))
        for one in answer.products
    ]
    if rows:
        table("Products", ("product", "title", "share", "words"), rows)
    if answer.tags:
        tags = [(one.tag, f"{one.confidence:.2%}", one.named) for one in answer.tags]
        table("Tags", ("tag", "confidence", "named"), tags)
    if answer.suggestions:
        say(f"Others search: {', '.join(answer.suggestions)}")
