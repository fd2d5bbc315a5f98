"""The command post: the tags and the products of a post, or of a file of posts."""

from __future__ import annotations

import itertools
import json as json_
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagloom.cli.evaluate import OfVersion
from tagloom.cli.show import AsJson, ShopFolder, as_json, file_to_write, progress, say, table
from tagloom.errors import NotFittedError, ShopError

if TYPE_CHECKING:
    from tagloom.config import ReadSettings
    from tagloom.data.intake.batches import BadRow
    from tagloom.data.intake.stream import PostRow
    from tagloom.recs.answers import ProductScore
    from tagloom.recs.recommender import Recommender
    from tagloom.recs.search.answers import FoundProduct
    from tagloom.shop import Shop
    from tagloom.tags.posts import PostReader, PostTags

_EXAMPLES = (
    "Examples: tagloom post my-shop '#通勤穿搭# 这条裙子绝绝子😍';"
    " tagloom post my-shop --file posts.jsonl --out answers.jsonl"
)
_AT_ONCE = 500


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command("post", epilog=_EXAMPLES)(post)


def post(
    shop: ShopFolder,
    text: Annotated[str, typer.Argument(help="The post.", metavar="[TEXT]")] = "",
    file: Annotated[str, typer.Option(help="Instead a file of posts, in any form that import reads.")] = "",
    out: Annotated[str, typer.Option(help="With --file: write JSONL here instead of showing tables.")] = "",
    user: Annotated[
        str, typer.Option(help="A user of the log who wrote it: what they did before counts too.", metavar="ID")
    ] = "",
    top: Annotated[int, typer.Option(help="Most tags and products for a post.", min=1)] = 5,
    threshold: Annotated[
        float | None, typer.Option(help="Least confidence, 0 to 1; the Tagger's own when left out.")
    ] = None,
    version: OfVersion = "",
    json: AsJson = False,
) -> None:
    """Tell what a post or review is about: its tags, products of the shop that fit, and its hashtags.

    A post about nothing that the shop sells gets no tags. Without a trained Recommender there are no products.
    """
    from tagloom.shop import Shop

    if bool(file) == bool(text):
        raise ShopError("give the text of a post or --file, one of the two")
    if out and not file:
        raise ShopError("--out is for --file; what is told of one post is shown, as JSON with --json")
    target = file_to_write(out, "--out") if out else None
    opened = Shop.open(shop)
    history = _history(opened, user)
    answering = _Answering(_reader(opened, version), _recommender(opened), top, threshold, user, history)
    if text:
        answer = answering.one(text)
        as_json(answer) if json else _show(opened, answer)
        return
    with progress("Reading posts", json or target is None) as advance:
        lines = answering.many(opened.settings.read, file, advance)
        if target is None:
            for answer in lines:
                say(json_.dumps(answer, ensure_ascii=False)) if json else _show(opened, answer)
            return
        from tagloom.files import write_lines

        count = write_lines(target, (json_.dumps(answer, ensure_ascii=False) for answer in lines))
    told = {"posts": count - answering.unread, "unread": answering.unread, "none": answering.none, "out": out}
    if json:
        as_json(told)
    else:
        say(f"Read {told['posts']:,} posts, of which {told['none']:,} are about nothing known here: {out}")


@dataclass
class _Answering:
    """What answers, how it was asked, and what is counted on the way."""

    reader: PostReader
    recommender: Recommender | None
    top: int
    threshold: float | None
    user: str
    history: Sequence[dict[str, Any]]
    none: int = 0
    unread: int = 0

    def one(self, text: str) -> dict[str, Any]:
        """The answer to one text."""
        return self._told(self.reader.read([text], self.top, self.threshold)[0], text)

    def many(self, settings: ReadSettings, file: str, advance: Callable[..., None]) -> Iterator[dict[str, Any]]:
        """The answers to a file's posts, streamed; a row that cannot be read is named on stderr and in its place."""
        from tagloom.data.intake.stream import posts_of

        for rows, rejected in posts_of(file, settings):
            for bad in rejected:
                yield self._unread(file, bad)
            stream = iter(rows)
            while part := list(itertools.islice(stream, _AT_ONCE)):
                yield from self._part(part)
                advance(len(part))

    def _part(self, rows: Sequence[PostRow]) -> Iterator[dict[str, Any]]:
        answers = self.reader.read([row.text for row in rows], self.top, self.threshold)
        for row, answer in zip(rows, answers, strict=True):
            head = {"line": row.line, "post_id": row.post_id, "user_id": row.user_id}
            yield head | self._told(answer, row.text)

    def _unread(self, file: str, bad: BadRow) -> dict[str, Any]:
        self.unread += 1
        reason = f"{bad.column or 'row'}: {bad.reason}"
        sys.stderr.write(f"{file}, line {bad.line}, {reason}; passed over\n")
        return {"line": bad.line, "unread": reason, "row": bad.row}

    def _told(self, answer: PostTags, text: str) -> dict[str, Any]:
        self.none += answer.none
        tags = [
            {
                "tag": score.tag,
                "id": score.tag_id,
                "confidence": round(score.confidence, 4),
                "because": [word.text for word in score.because],
            }
            for score in answer.tags
        ]
        products = [
            {"product_id": found.product_id, "share": round(found.share, 6)} for found in self._products(answer)
        ]
        return {
            "text": _printable(text),
            "none": answer.none,
            "tags": tags,
            "products": products,
            "hashtags": list(answer.hashtags),
            "proposed": list(answer.proposed),
        }

    def _products(self, answer: PostTags) -> Sequence[ProductScore | FoundProduct]:
        """Products for what was read, not for links and names; none where the post is about nothing.

        They are searched for by the tags, as chatter stands in titles too. A Recommender that has not learned to search
        takes the post as the last thing that was done.
        """
        if self.recommender is None or answer.none:
            return ()
        named = " ".join(dict.fromkeys(score.tag.rpartition("=")[2] for score in answer.tags))
        try:
            searched = self.recommender.search(named, self.user or None, top=self.top)
        except NotFittedError:
            now = {"time": self.history[-1]["time"]} if self.history else {}
            written = {"action": "post", "text": answer.plain or named, **now}
            found = self.recommender.products(history=[*self.history, written], top=self.top)
            return () if found.basis == "default" else found.found
        return searched.products if searched.basis in ("match", "nearest") else ()


def _reader(shop: Shop, version: str) -> PostReader:
    from tagloom.data.vocabulary.hashtags import Hashtags
    from tagloom.tags.posts import PostReader

    hashtags = Hashtags(shop.vocabulary, shop.lists, shop.settings.tags)
    return PostReader(shop.tagger(version or None), hashtags)


def _recommender(shop: Shop) -> Recommender | None:
    trained = any(version.job == "recs" and version.current for version in shop.versions())
    return shop.recommender() if trained else None


def _history(shop: Shop, user: str) -> list[dict[str, Any]]:
    """What a user of the log did, in order."""
    import polars as pl

    if not user:
        return []
    found = shop.events.frame.filter(pl.col("user_id") == user).drop("user_id").to_dicts()
    if not found:
        raise ShopError(f"--user {user}: is not in the log; leave it out, or import what this user did")
    return found


def _printable(text: str) -> str:
    """Without half surrogate pairs, which no file takes."""
    return text.encode("utf-8", "replace").decode()


def _show(shop: Shop, answer: dict[str, Any]) -> None:
    if "unread" in answer:
        return  # it was said on stderr
    title = " ".join([str(answer.get("post_id", "")), answer["text"].splitlines()[0][:60]]).strip()
    rows = [(one["tag"], f"{one['confidence']:.2f}", ", ".join(one["because"])) for one in answer["tags"]]
    table(title, ("tag", "confidence", "because"), rows or [("none: about nothing known here", "", "")])
    if answer["products"]:
        titles = dict(shop.raw_products.frame.select("product_id", "title").iter_rows())
        found = [(one["product_id"], titles.get(one["product_id"], "")[:60]) for one in answer["products"]]
        table("Products", ("product", "title"), found)
    for key, what in (("hashtags", "Hashtags that are tags"), ("proposed", "Hashtags that could be tags")):
        if answer[key]:
            say(f"{what}: {', '.join(answer[key])}")
