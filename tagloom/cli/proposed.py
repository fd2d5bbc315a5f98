"""Commands on proposed tags, `tagloom tags proposed | accept | decline`: hashtags of posts that could become tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tagloom.cli.show import AsJson, ShopFolder, as_json, progress, say, table
from tagloom.errors import VocabularyError

if TYPE_CHECKING:
    from tagloom.data.vocabulary.hashtags import Hashtags
    from tagloom.shop import Shop

Name = Annotated[str, typer.Argument(help="A proposed tag.", metavar="NAME")]
PostsFile = Annotated[
    str, typer.Option("--file", help="Posts beside those of the log: columns text and user_id.", metavar="FILE")
]


def add_to(tags: typer.Typer) -> None:
    """Put these commands among `tagloom tags ...`."""
    tags.command("proposed", epilog="Example: tagloom tags proposed my-shop --top 50")(proposed)
    tags.command(
        "accept",
        epilog="Examples: tagloom tags accept my-shop 多巴胺穿搭; tagloom tags accept my-shop 超显瘦 --as 显瘦",
    )(accept)
    tags.command("decline", epilog="Example: tagloom tags decline my-shop 双十一")(decline)


def proposed(
    shop: ShopFolder,
    top: Annotated[int, typer.Option(help="At most so many.", min=1)] = 20,
    file: PostsFile = "",
    json: AsJson = False,
) -> None:
    """List the hashtags of posts that could become tags, those of most users first. Nothing is changed.

    How many users must have written one: proposed_users in [tags] of tagloom.toml.
    """
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    with progress("Reading posts", json) as advance:
        found = _hashtags(opened).proposals(_posts(opened, file, advance), top)
    if json:
        as_json([asdict(proposal) for proposal in found])
        return
    if not found:
        say(f"Nothing is proposed: no hashtag is new and by {opened.settings.tags.proposed_users} users or more.")
        return
    rows = [(one.name, one.users, one.posts, one.nearest, "\n".join(one.examples)) for one in found]
    table("Proposed tags", ("name", "users", "posts", "nearest tag", "examples"), rows, wide="examples")
    say(f"Next: tagloom tags accept {shop} NAME, with --as TAG as another word for a tag; or tagloom tags decline")


def accept(
    shop: ShopFolder,
    name: Name,
    as_: Annotated[str, typer.Option("--as", help="Make it another word for this tag instead.", metavar="TAG")] = "",
    file: PostsFile = "",
    json: AsJson = False,
) -> None:
    """Make a proposed tag a tag, or with --as another word for one.

    The Tagger gives a new tag from then on, by its name, as after `tagloom tags add`.
    """
    from tagloom.cli.vocabulary import add, change
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    found = _proposed(opened, name, file, json)
    if as_:
        change(shop, lambda vocabulary: vocabulary.add_alias(as_, found), json)
    elif any(version.job == "tags" and version.current for version in opened.versions()):
        add(shop, found, json=json)
    else:
        change(shop, lambda vocabulary: vocabulary.add([found]), json)


def decline(shop: ShopFolder, name: Name, file: PostsFile = "", json: AsJson = False) -> None:
    """Remember that a proposed tag is not wanted; it is not proposed again."""
    from tagloom.cli.vocabulary import change
    from tagloom.shop import Shop

    found = _proposed(Shop.open(shop), name, file, json)
    change(shop, lambda vocabulary: vocabulary.decline(found), json)


def _proposed(shop: Shop, name: str, file: str, quiet: bool) -> str:
    """The name of a proposed tag as it is proposed, however it was spelled."""
    from tagloom.data.vocabulary.normal import normal_form
    from tagloom.data.words.wordvectors import similar_spellings

    hashtags = _hashtags(shop)
    if (tag := hashtags.tag(name)) is not None:
        raise VocabularyError(f"{name!r} is a tag already: {tag.name!r} (id {tag.id})")
    with progress("Reading posts", quiet) as advance:
        names = {normal_form(one): one for one in hashtags.proposed(_posts(shop, file, advance))}
    wanted = normal_form(hashtags.name(name) or name)
    if wanted not in names:
        near = similar_spellings(wanted, list(names), 1)
        hint = f"did you mean {names[near[0]]!r}?" if near else "tagloom tags proposed lists those that are"
        raise VocabularyError(f"{name!r} is not proposed; {hint} (tagloom tags add takes any name)")
    return names[wanted]


def _hashtags(shop: Shop) -> Hashtags:
    from tagloom.data.vocabulary.hashtags import Hashtags

    return Hashtags(shop.vocabulary, shop.lists, shop.settings.tags)


def _posts(shop: Shop, file: str, advance: Callable[..., None]) -> Iterator[tuple[str, str]]:
    """User and text of the posts of the log, then of the file."""
    import sys

    import polars as pl

    from tagloom.data.intake.stream import posts_of

    logged = shop.events.frame.filter((pl.col("action") == "post") & pl.col("text").is_not_null())
    for row in logged.select("user_id", "text").iter_rows():
        yield row
        advance(1)
    for rows, rejected in posts_of(file, shop.settings.read) if file else ():
        for bad in rejected:
            sys.stderr.write(f"{file}, line {bad.line}, {bad.column or 'row'}: {bad.reason}; passed over\n")
        yield from ((row.user_id, row.text) for row in rows)
        advance(len(rows))
