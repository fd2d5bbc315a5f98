"""Commands on the vocabulary of tags: list, add, rename, merge, split, parent, history, undo; and those of proposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagloom.cli import proposed
from tagloom.cli.show import AsJson, ShopFolder, as_json, progress, say, table
from tagloom.errors import VocabularyError

if TYPE_CHECKING:
    from tagloom.data.vocabulary.folding import Record
    from tagloom.data.vocabulary.vocab import Vocabulary

_ADD = "Example: tagloom tags add my-shop 钓鱼 --alias 垂钓 --example p1 --example p7"
_SPLIT = "Example: tagloom tags split my-shop 苹果 --part 苹果手机=手机,数码 --part 水果苹果=水果,生鲜"

TagName = Annotated[str, typer.Argument(help="A tag's name or alias.", metavar="TAG")]


def add_to(app: typer.Typer) -> None:
    """Put `tagloom tags ...` on the command line."""
    tags = typer.Typer(help="The vocabulary of tags: ids never change, everything can be undone.")
    tags.command("list", epilog="Example: tagloom tags list my-shop --like 手机")(list_)
    tags.command("add", epilog=_ADD)(add)
    tags.command("rename", epilog="Example: tagloom tags rename my-shop 笔电 笔记本电脑")(rename)
    tags.command("merge", epilog="Example: tagloom tags merge my-shop 手提电脑 笔记本电脑")(merge)
    tags.command("split", epilog=_SPLIT)(split)
    tags.command("parent", epilog="Example: tagloom tags parent my-shop 连衣裙 裙子")(parent)
    tags.command("history", epilog="Example: tagloom tags history my-shop --like 手机")(history)
    tags.command("undo", epilog="Example: tagloom tags undo my-shop 512")(undo)
    proposed.add_to(tags)
    app.add_typer(tags, name="tags", epilog="Example: tagloom tags list my-shop")


def list_(
    shop: ShopFolder,
    like: Annotated[str, typer.Option(help="Only tags whose name or alias holds this.")] = "",
    json: AsJson = False,
) -> None:
    """List the tags with id, aliases and parent."""
    from tagloom.shop import Shop

    vocabulary = Shop.open(shop).vocabulary
    found = [tag for tag in vocabulary.tags if not like or any(like in name for name in (tag.name, *tag.aliases))]
    if json:
        as_json([{"id": t.id, "name": t.name, "aliases": t.aliases, "parent": t.parent} for t in found])
        return
    names = {tag.id: tag.name for tag in vocabulary.tags}
    rows = [
        (str(tag.id), tag.name, "" if tag.parent is None else names[tag.parent], ", ".join(tag.aliases))
        for tag in found
    ]
    table(f"{len(found):,} tags", ("id", "name", "parent", "aliases"), rows, wide="aliases")


def add(
    shop: ShopFolder,
    name: Annotated[str, typer.Argument(help="The new tag.")],
    alias: Annotated[list[str] | None, typer.Option(help="Another way it is written; repeatable.")] = None,
    example: Annotated[
        list[str] | None,
        typer.Option(help="Id of a product that has it, five or more are best; repeatable.", metavar="PRODUCT_ID"),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Another text that has it; repeatable.")] = None,
    json: AsJson = False,
) -> None:
    """Add a tag that the Tagger can give at once, from a few examples or its name alone; nothing is trained.

    A new version of the Tagger is written, its figures measured anew. Products are left as they are: import those that
    have the tag with it, and the next training learns it from them.
    """
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    with progress("Measuring with the new tag", json):
        version = opened.add_tag(name, alias or (), example or (), text or ())
    added, metrics = version.manifest.data["added"], version.manifest.metrics
    if json:
        as_json({"version": version.name, **added, "metrics": metrics})
        return
    say(f"Added {added['tag']} ({added['id']}). Version {version.name} gives it, and is now current.")
    say(f"Its nDCG@10, measured anew: {metrics['nDCG@10']:.4f}. Back: tagloom models {shop} --promote {added['to']}")
    say("To train on it later, import products that have the tag.")


def rename(
    shop: ShopFolder, tag: TagName, name: Annotated[str, typer.Argument(help="Its new name.")], json: AsJson = False
) -> None:
    """Give a tag a new name; the old one stays as an alias."""
    change(shop, lambda vocabulary: vocabulary.rename(tag, name), json)


def merge(
    shop: ShopFolder,
    tag: TagName,
    into: Annotated[str, typer.Argument(help="The tag that stays.")],
    json: AsJson = False,
) -> None:
    """Make two tags one; products and models follow."""
    change(shop, lambda vocabulary: vocabulary.merge(tag, into), json)


def split(
    shop: ShopFolder,
    tag: TagName,
    part: Annotated[list[str], typer.Option(help="NAME=word,word: products with such a word get NAME.")],
    json: AsJson = False,
) -> None:
    """Divide a tag: a product whose category or text holds a part's word gets that part, the others keep the tag."""
    parts = {}
    for entry in part:
        name, found, words = entry.partition("=")
        if not found or not words:
            raise VocabularyError(f"--part {entry!r}: expected NEW NAME=word,word")
        parts[name.strip()] = [word.strip() for word in words.split(",") if word.strip()]
    change(shop, lambda vocabulary: vocabulary.split(tag, parts), json)


def parent(
    shop: ShopFolder,
    tag: TagName,
    above: Annotated[str, typer.Argument(help="Its parent; '' for none.")],
    json: AsJson = False,
) -> None:
    """Set a tag's parent; products with the tag have the parent too from then on."""
    change(shop, lambda vocabulary: vocabulary.set_parent(tag, above or None), json)


def history(
    shop: ShopFolder,
    top: Annotated[int, typer.Option(help="The latest so many records.", min=1)] = 20,
    like: Annotated[str, typer.Option(help="Only changes that name this, those by cleaning among them.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Also the changes that cleaning made by itself.")] = False,
    json: AsJson = False,
) -> None:
    """Show the latest changes that people made to the vocabulary, with the numbers that undo takes."""
    from tagloom.data.vocabulary.vocab import BY_CLEANING
    from tagloom.shop import Shop

    told = _told(Shop.open(shop).vocabulary.records)
    wanted = [(record, text) for record, text in told if all_ or like or record.data.get("by") != BY_CLEANING]
    latest = [(record, text) for record, text in wanted if like in text][-top:]
    if json:
        as_json([_as_dict(record) for record, _ in latest])
    else:
        rows = [(str(record.number), record.op, text) for record, text in latest]
        table("Latest changes", ("number", "what", "with"), rows, wide="with")


def undo(
    shop: ShopFolder,
    number: Annotated[int, typer.Argument(help="A record's number, from history.")],
    json: AsJson = False,
) -> None:
    """Take a record back; undoing an undo carries it out again."""
    change(shop, lambda vocabulary: vocabulary.undo(number), json)


def change(folder: str, step: Callable[[Vocabulary], Vocabulary], json: bool) -> None:
    """Carry out a change of the shop's vocabulary, keep it, and say what was written down."""
    from tagloom.shop import Shop

    shop = Shop.open(folder)
    before = shop.vocabulary
    after = step(before)
    shop.save_vocabulary(after)
    made = _told(after.records)[len(before.records) :]
    if json:
        as_json([_as_dict(record) for record, _ in made])
        return
    for record, text in made:
        say(f"Record {record.number}: {record.op} {text}. Undo with: tagloom tags undo {folder} {record.number}")
    if not made:
        say("Nothing to change: it is so already.")


def _as_dict(record: Record) -> dict[str, Any]:
    return {"number": record.number, "op": record.op, **record.data}


def _told(records: Sequence[Record]) -> list[tuple[Record, str]]:
    """Each record and what it says, tags with the names that they had then."""
    names: dict[int, str] = {}
    told = []
    for record in records:
        data = record.data
        tag, id_ = f"{names.get(data.get('tag', -1))} ({data.get('tag')})", data.get("id")
        match record.op:
            case "merge" | "parent":
                other: Any = data.get("into", data.get("parent"))
                text = f"{tag} {'into' if record.op == 'merge' else 'under'} {names.get(other, 'none')}"
            case "split":
                parts = (f"{part['name']} for {', '.join(part['words'])}" for part in data["parts"])
                text = f"{tag} into {'; '.join(parts)}"
                names |= {part["id"]: part["name"] for part in data["parts"]}
            case "undo":
                text = f"record {data['record']} ({records[data['record']].op})"
            case "add":
                text = f"{data['name']} ({id_})"
                names[data["id"]] = data["name"]
            case "decline":
                text = data["name"]
            case _:
                text = f"{tag} {'to' if record.op == 'rename' else 'as'} {data.get('name', data.get('alias'))}"
                names |= {data["tag"]: data["name"]} if record.op == "rename" else {}
        told.append((record, text))
    return told
