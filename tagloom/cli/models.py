"""Commands on models: train, evaluate, tag, models."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagloom.cli.evaluate import EXAMPLES, OfVersion
from tagloom.cli.evaluate import evaluate as evaluate
from tagloom.cli.show import AsJson, ShopFolder, as_json, file_to_write, progress, say, table
from tagloom.errors import DataError, ShopError

if TYPE_CHECKING:
    from tagloom.artifact import Manifest
    from tagloom.config import ReadSettings
    from tagloom.shop import Shop
    from tagloom.tags.tagger import Tagger, TagScore
    from tagloom.versions import Version

Job = Annotated[str, typer.Argument(help="What to train: tags, recs (recommendations), or words (word vectors).")]

_TRAIN = (
    "Examples: tagloom train my-shop tags; tagloom train my-shop tags --encoder transformer --size small;"
    " tagloom train my-shop recs; tagloom train my-shop recs --model gru"
)
_TAG = (
    "Examples: tagloom tag my-shop new.jsonl --out tagged.jsonl; tagloom tag my-shop --text '红色连衣裙';"
    " tagloom tag my-shop new.jsonl --precision 0.9 --include '颜色=*' --exclude 黑色"
)
_MODELS = "blend, popular, recent, category, neighbours, repeats, gru or transformer"
_ENCODERS = "blend, linear, tree, nearest, neighbours, name, bag, cnn, lstm, transformer, pretrained or popular"
_TAGGED_AT_ONCE = 2_000
# Which settings of a job have an option here.
_OPTIONS = {
    "tags": {"encoder", "size", "epochs", "seed"},
    "recs": {"model", "size", "epochs", "seed"},
    "words": set[str](),
}
# What a job is measured on.
_ON = {"tags": "products it never saw", "recs": "events that came later"}


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    app.command("train", epilog=_TRAIN)(train)
    app.command("evaluate", epilog=EXAMPLES)(evaluate)
    app.command("tag", epilog=_TAG)(tag)
    app.command("models", epilog="Examples: tagloom models my-shop; tagloom models my-shop --promote 0001 --job recs")(
        models
    )


def train(
    shop: ShopFolder,
    job: Job,
    encoder: Annotated[str, typer.Option(help=f"Of tags: {_ENCODERS}; tagloom.toml's when left out.")] = "",
    model: Annotated[str, typer.Option(help=f"Of recs: {_MODELS}; tagloom.toml's when left out.")] = "",
    size: Annotated[
        str, typer.Option(help="Of networks: tiny, small, base or large; tagloom.toml's when left out.")
    ] = "",
    epochs: Annotated[int | None, typer.Option(help="Most passes over the data; tagloom.toml's when left out.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; tagloom.toml's when left out.")] = None,
    json: AsJson = False,
) -> None:
    """Train a new model version; it answers from then on, the older ones stay.

    A training that was broken off, by Ctrl-C or a crash, goes on where it was when the same command is given again.
    """
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    told = {"encoder": encoder or None, "model": model or None, "size": size or None, "epochs": epochs, "seed": seed}
    settings: dict[str, Any] = {key: value for key, value in told.items() if value is not None}
    for key in settings:
        if key not in _OPTIONS.get(job, settings):
            where = {"tags": "[tagger]", "recs": "[recommender]"}.get(job, "[text]")
            raise ShopError(f"--{key} is not for {job}, which has its settings in {where} of tagloom.toml")
    if not json:
        _say_unfinished(opened, job)
    with progress("Training", json) as advance:
        try:
            version = opened.train(job, progress=lambda *told: advance(1, _doing(*told)), **settings)
        except KeyboardInterrupt:
            if opened.unfinished(job):
                sys.stderr.write("The same command, given again, goes on from the last complete pass.\n")
            raise
    manifest = version.manifest
    if json:
        as_json({"job": job, "version": version.name, "metrics": manifest.metrics, "data": manifest.data})
        return
    if job in _ON:
        title = f"Version {version.name} of {job}, on {manifest.data['rows']['test']:,} {_ON[job]}"
        table(title, ("measure", "value"), list(manifest.metrics.items()))
    say(f"Trained {job} version {version.name} ({manifest.size_bytes / 1e6:.1f} MB), now current.")
    say(f"Next: tagloom evaluate {shop} {job}" if job in _ON else f"Next: tagloom words {shop} WORD")


def _say_unfinished(shop: Shop, job: str) -> None:
    made = [f"{expert}, pass {number}" for expert, number in shop.unfinished(job).items()] if job in _ON else []
    if made:
        say(f"A training was broken off ({'; '.join(made)}). It goes on from there, if data and settings are the same.")


def _doing(expert: str, number: int, figures: dict[str, float]) -> str:
    """What the progress bar says after a pass; passes that only try a step size have number 0."""
    if number:
        reached = figures["valid/ndcg"]
        # nDCG is never below 0: a network that learns ratings is measured by minus the squared error.
        measured = f"nDCG@10 on valid {reached:.4f}" if reached >= 0 else f"squared error on valid {-reached:.4f}"
        return f"{expert}, pass {number}, {measured}"
    return f"{expert}, trying step size {figures['trial/learning_rate']:g}"


def tag(
    shop: ShopFolder,
    file: Annotated[str, typer.Argument(help="Products in any form that import reads; - reads lines of text.")] = "",
    text: Annotated[str, typer.Option(help="One text to tag instead of a file.")] = "",
    out: Annotated[str, typer.Option(help="Write JSONL here instead of showing tables.", metavar="FILE")] = "",
    top: Annotated[int, typer.Option(help="Most tags for a product.", min=1)] = 5,
    threshold: Annotated[
        float | None, typer.Option(help="Least confidence, 0 to 1; the Tagger's own when left out.")
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Instead: share of given tags that shall be right, 0.5 to 0.99.")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Give this tag alone, or attribute=* for all its values; repeatable.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Never give this tag, or attribute=*; repeatable.")] = None,
    without: Annotated[str, typer.Option(help="Leave one expert of the blend out.", metavar="EXPERT")] = "",
    version: OfVersion = "",
    json: AsJson = False,
) -> None:
    """Tag products that nobody tagged yet, with confidence and the words that carried each tag."""
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    if bool(file) == bool(text):
        raise ShopError("give a file of products or --text, one of the two")
    target = file_to_write(out, "--out") if out else None
    tagger = opened.tagger(version or None)
    products = [("", text)] if text else _lines() if file == "-" else _texts(opened.settings.read, file)
    asked: dict[str, Any] = {"top": top, "threshold": threshold, "precision": precision, "without": without}
    asked |= {"include": include or (), "exclude": exclude or ()}
    tagger.suggest("", **asked)  # what cannot be asked is told before any work is done
    answers = _answers(tagger, products, asked)
    if target:
        from tagloom.files import write_lines

        count = write_lines(target, answers)
        if json:
            as_json({"tagged": count, "out": out})
        else:
            say(f"Tagged {count:,} products: {out}")
    elif json:
        for answer in answers:
            say(answer)
    else:
        _show_answers(answers)


def _lines() -> Iterator[tuple[str, str]]:
    """Number and text of each line on the standard input that holds a text."""
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            told = "expected UTF-8; save other encodings as a file, whose encoding is found out"
            raise DataError(f"standard input, line {number}: byte {error.start + 1} is no UTF-8; {told}") from error
        if text:
            yield str(number), text


def _texts(settings: ReadSettings, file: str) -> Iterator[tuple[str, str]]:
    """Id and text of each readable product of a file, streamed; rows that cannot be read are named on stderr."""
    from tagloom.data.intake.stream import product_texts_of

    for products, rejected in product_texts_of(file, settings):
        for bad in rejected:
            sys.stderr.write(f"{file}, line {bad.line}, {bad.column or 'row'}: {bad.reason}; passed over\n")
        yield from products


def _answers(tagger: Tagger, products: Iterable[tuple[str, str]], asked: dict[str, Any]) -> Iterator[str]:
    import json

    stream = iter(products)
    while chunk := list(itertools.islice(stream, _TAGGED_AT_ONCE)):
        found = tagger.suggest([text for _, text in chunk], **asked)
        for (name, text), tags in zip(chunk, found, strict=True):
            answer = {"product_id": name, "text": text, "tags": [_tag(score) for score in tags]}
            yield json.dumps(answer, ensure_ascii=False)


def _tag(score: TagScore) -> dict[str, Any]:
    because = [word.text for word in score.because]
    return {"tag": score.tag, "id": score.tag_id, "confidence": round(score.confidence, 4), "because": because}


def _show_answers(answers: Iterable[str]) -> None:
    import json

    for line in answers:
        answer = json.loads(line)
        title = answer["text"].splitlines()[0][:60] if answer["text"] else "(no text)"
        rows = [(entry["tag"], f"{entry['confidence']:.2f}", ", ".join(entry["because"])) for entry in answer["tags"]]
        shown = rows or [("(none sure enough)", "", "")]
        table(f"{answer['product_id']} {title}".strip(), ("tag", "confidence", "because"), shown)


def models(
    shop: ShopFolder,
    promote: Annotated[str, typer.Option(help="Let this version answer from now on.", metavar="VERSION")] = "",
    job: Annotated[str, typer.Option(help="Whose version to promote: tags or recs.")] = "tags",
    json: AsJson = False,
) -> None:
    """List model versions with their data, figures and size; or change the one that answers."""
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    if promote:
        opened.promote(job, promote)
    versions = opened.versions()
    if json:
        as_json([{"job": v.job, "version": v.name, "current": v.current, **_about(v.manifest)} for v in versions])
        return
    columns = ("job", "version", "now", "made", "model", "nDCG@10", "micro-F1", "data", "MB")
    if versions:
        table(f"Models of {shop}", columns, [_row(version) for version in versions])
    else:
        say(f"No models yet. Next: tagloom train {shop} tags")


def _about(manifest: Manifest) -> dict[str, Any]:
    shown = {key: getattr(manifest, key) for key in ("created", "data", "metrics", "settings", "libraries")}
    return {**shown, "bytes": manifest.size_bytes}


def _row(version: Version) -> tuple[Any, ...]:
    manifest = version.manifest
    figures = [manifest.metrics.get(name, "") for name in ("nDCG@10", "micro-F1")]
    size = f"{manifest.size_bytes / 1e6:.1f}"
    encoder = manifest.settings.get("encoder") or manifest.settings.get("model", "")
    data = manifest.data["products"][:8]
    return (
        version.job,
        version.name,
        version.current,
        manifest.created[:10],
        encoder,
        *figures,
        data,
        size,
    )
