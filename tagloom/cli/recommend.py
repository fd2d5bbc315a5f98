"""The command recommend: products and tags for a user, for a history, or for everybody."""

from __future__ import annotations

import json as json_
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagloom.cli.evaluate import OfVersion
from tagloom.cli.rules import Again, Exclude, Include, NewShare, PerCategory, Price, Variety, rules_of
from tagloom.cli.show import AsJson, ShopFolder, as_json, file_to_write, progress, say, table
from tagloom.errors import ShopError

if TYPE_CHECKING:
    from tagloom.recs.answers import ProductScore, Recommendation, WantedTag
    from tagloom.recs.recommender import Recommender
    from tagloom.recs.rules import Rules
    from tagloom.shop import Shop

_EXAMPLES = (
    "Examples: tagloom recommend my-shop u0042; tagloom recommend my-shop --history p1 --history view:p7"
    " --history 'search:红色 裙子'; tagloom recommend my-shop u0042 --text '手机 大屏 拍照好';"
    " tagloom recommend my-shop u0042 --why; tagloom recommend my-shop u0042 --include category=服装 --price ..200;"
    " tagloom recommend my-shop --all --out recommended.jsonl"
)
_DEFAULT = "Nothing is known of this user: what is taken most now."


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command("recommend", epilog=_EXAMPLES)(recommend)


def recommend(
    shop: ShopFolder,
    user: Annotated[str, typer.Argument(help="A user of the log.", metavar="[USER]")] = "",
    history: Annotated[
        list[str] | None,
        typer.Option(
            help="Instead, what somebody did, repeatable, in order: a product id (bought), action:id or search:words."
        ),
    ] = None,
    product: Annotated[str, typer.Option(help="Of this product of the catalogue the tags that the user wants.")] = "",
    text: Annotated[
        list[str] | None, typer.Option(help="Of this product's text the tags that the user wants; repeatable.")
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Tell why: which events and tags carried each product.")] = False,
    everybody: Annotated[bool, typer.Option("--all", help="Products for all users of the log.")] = False,
    include: Include = None,
    exclude: Exclude = None,
    price: Price = "",
    per_category: PerCategory = None,
    new_share: NewShare = None,
    variety: Variety = None,
    again: Again = None,
    out: Annotated[str, typer.Option(help="With --all: write JSONL here.", metavar="FILE")] = "",
    top: Annotated[int, typer.Option(help="Most products and tags.", min=1)] = 10,
    version: OfVersion = "",
    json: AsJson = False,
) -> None:
    """Recommend the products and tags that a user is likely to want next.

    With --product or --text: of a product's tags those that this user wants.
    """
    from tagloom.shop import Shop

    target = _checked(user, history, everybody=everybody, of_product=bool(product or text), why=why, out=out)
    opened = Shop.open(shop)
    recommender = opened.recommender(version or None)
    told = {"per_category": per_category, "new_share": new_share, "variety": variety, "again": again}
    rules = rules_of(recommender.rules, include, exclude, price, told)
    if everybody:
        _recommend_everybody(opened, recommender, (top, rules), target, json)
        return
    of = {"history": _history(opened, history)} if history else {"user_id": user}
    tags = recommender.tags(**of, product=product or None, texts=text or (), top=top)
    products = None if product or text else recommender.products(**of, top=top, rules=rules, why=why)
    if json:
        as_json(_told(tags, products))
    else:
        _show(opened, user or "this history", tags, products)


def _checked(
    user: str, history: list[str] | None, *, everybody: bool, of_product: bool, why: bool, out: str
) -> Path | None:
    """The file to write, once the options go together."""
    if sum((bool(user), bool(history), everybody)) != 1:
        raise ShopError("give a user, --history or --all, one of the three")
    if everybody and of_product:
        raise ShopError("--product and --text are for one user, not for --all")
    if why and (everybody or of_product):
        raise ShopError("--why is for the products of one user, not for --all, --product or --text")
    if out and not everybody:
        raise ShopError("--out is for --all; what is recommended to one user is shown, as JSON with --json")
    return file_to_write(out, "--out") if out else None


def _recommend_everybody(
    shop: Shop, recommender: Recommender, asked: tuple[int, Rules], target: Path | None, json: bool
) -> None:
    """A line of JSON for each user of the log, on the standard output or into a file."""
    from tagloom.files import write_lines

    with progress("Recommending", json or target is None) as advance:
        lines = _everybody(shop, recommender, asked, advance)
        if target is None:
            for line in lines:
                say(line)
            return
        count = write_lines(target, lines)
    if json:
        as_json({"users": count, "out": str(target)})
    else:
        say(f"Recommended for {count:,} users: {target}")


def _history(shop: Shop, told: list[str]) -> list[Any]:
    """`view:p7` as a pair; the id of a product is one that was bought, whatever signs are in it."""
    ids = set(shop.raw_products.frame["product_id"])
    parts = [(one, one.partition(":")) for one in told]
    return [(action, what) if colon and one not in ids else one for one, (action, colon, what) in parts]


def _everybody(shop: Shop, recommender: Recommender, asked: tuple[int, Rules], advance: Any) -> Iterator[str]:
    users = shop.events.frame["user_id"].unique(maintain_order=True).to_list()
    for user, found in zip(users, recommender.for_users(users, asked[0], rules=asked[1]), strict=True):
        advance(1)
        products = [{"product_id": one.product_id, "share": round(one.share, 6)} for one in found]
        yield json_.dumps({"user_id": user, "basis": found.basis, "products": products}, ensure_ascii=False)


def _told(tags: Recommendation[WantedTag], products: Recommendation[ProductScore] | None) -> dict[str, Any]:
    named = [{"tag": one.tag, "id": one.tag_id, "confidence": round(one.confidence, 6)} for one in tags]
    told: dict[str, Any] = {"basis": tags.basis, "left_out": dict(tags.left_out), "tags": named}
    if products is not None:
        told["products"] = [
            {"product_id": one.product_id, "share": round(one.share, 6)}
            | ({"because": asdict(one.because)} if one.because else {})
            for one in products
        ]
    return told


def _because(found: ProductScore, titles: dict[str, str]) -> str:
    """`purchase p7 (its title); tags B, C`."""
    if found.because is None:
        return ""
    events = [
        f"{one.action} {one.product_id} ({titles.get(one.product_id, '')[:20]})"
        if one.product_id
        else f"{one.action} {one.text}"
        for one in found.because.events
    ]
    tags = ", ".join(one.tag for one in found.because.tags)
    return "; ".join([*events, *([f"tags {tags}"] if tags else [])])


def _show(shop: Shop, who: str, tags: Recommendation[WantedTag], products: Recommendation[ProductScore] | None) -> None:
    if tags.basis == "default":
        say(_DEFAULT)
    for why, count in tags.left_out.items():
        say(f"Left out of the history, {why}: {count:,}.")
    if products is not None:
        titles = dict(shop.raw_products.frame.select("product_id", "title").iter_rows())
        columns = ["product", "title", "share"]
        rows = [[one.product_id, titles.get(one.product_id, "")[:60], f"{one.share:.2%}"] for one in products]
        if any(one.because for one in products):
            columns.append("because")
            rows = [[*row, _because(one, titles)] for row, one in zip(rows, products, strict=True)]
        table(f"Next products for {who}", columns, rows)
    title = f"Next tags for {who}" if products is not None else f"Tags of the product for {who}"
    table(title, ("tag", "confidence"), [(one.tag, f"{one.confidence:.2%}") for one in tags])
