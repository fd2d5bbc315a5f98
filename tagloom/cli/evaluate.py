"""The command evaluate: the figures, what goes wrong and what to do, on the terminal and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagloom.cli.show import AsJson, ShopFolder, as_json, progress, say, table
from tagloom.errors import ShopError

if TYPE_CHECKING:
    from tagloom.measure.evaluation import Evaluation
    from tagloom.shop import Shop

OfVersion = Annotated[str, typer.Option("--version", help="A model version; the current one when left out.")]

EXAMPLES = (
    "Examples: tagloom evaluate my-shop tags; tagloom evaluate my-shop tags --folds 5; tagloom evaluate my-shop recs"
)
_WORST = ("tag", "F1", "true", "given", "right", "confused with", "what to do")
_RANKED = ("HR@10", "nDCG@10", "recall@10", "MRR@100", "MRR@20")
_QUESTIONS = {
    "products": "Next products",
    "tags": "Next tags",
    "product_tags": "Tags of the next product, from its text and the history",
}
_EXPERTS = ("expert", "weight", "nDCG@10 alone", "nDCG@10 without it")


def evaluate(
    shop: ShopFolder,
    job: Annotated[str, typer.Argument(help="What to evaluate: tags or recs.")] = "tags",
    version: OfVersion = "",
    folds: Annotated[
        int | None, typer.Option(help="Instead, train and measure so often, on other products each time.")
    ] = None,
    top: Annotated[int, typer.Option(help="For tags alone: how many are listed as the worst.", min=0)] = 10,
    json: AsJson = False,
) -> None:
    """Measure a model on what it never saw: products for tags, and what users did later for recs.

    Writes evaluation-tags.html or evaluation-recs.html into the shop (what the figures mean, curves, what goes wrong,
    what to do), and the same as .json. --folds gives mean and spread over k trainings.
    """
    from tagloom.files import write_json
    from tagloom.measure.evaluation_page import write_html
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    if job not in ("tags", "recs"):
        raise ShopError(f"unknown job {job!r}; there are: tags, recs")
    if job == "recs":
        if folds is not None:
            raise ShopError("--folds is for tags; recs are measured on what came later")
        _evaluate_recs(opened, version or None, json)
        return
    if folds is not None:
        if version:
            raise ShopError("--folds trains anew, so it takes no --version; give one of the two")
        _evaluate_folds(opened, folds, json)
        return
    with progress("Measuring", json):
        chosen, evaluation = opened.evaluation(version or None)
    target = opened.folder / "evaluation-tags.html"
    told = {"version": chosen.name, "data": chosen.manifest.data, **evaluation.as_dict()}
    write_html(evaluation, target, f"How good are the tags of version {chosen.name}?")
    write_json(target.with_suffix(".json"), told)
    if json:
        shown = {key: told[key] for key in ("version", "products", "metrics", "experts")}
        named = [dict(zip(_WORST, row, strict=True)) for row in _worst(evaluation, top)]
        as_json({**shown, "worst": named, "data": told["data"], "html": str(target)})
        return
    _show(evaluation, f"Version {chosen.name} on {evaluation.figures.products:,} held-out products", top)
    say(f"Curves, calibration, worst products and what to do about them: {target}")


def _show(evaluation: Evaluation, title: str, top: int) -> None:
    table(title, ("measure", "value"), list(evaluation.figures.values.items()))
    experts = [(one.name, one.weight, one.alone, one.without) for one in evaluation.training.experts]
    if experts:
        table("What each expert of the blend adds", _EXPERTS, experts)
    worst = _worst(evaluation, top)
    table("Worst tags, of those that are true or given on at least 5 of these products", _WORST, worst, wide=_WORST[-1])


def _worst(evaluation: Evaluation, top: int) -> list[tuple[Any, ...]]:
    return [
        (one.tag, one.f1, one.true, one.given, one.right, one.confused[0] if one.confused else "", one.todo)
        for one in evaluation.worst_tags[:top]
    ]


def _evaluate_folds(shop: Shop, folds: int, json: bool) -> None:
    from tagloom.files import write_json
    from tagloom.measure.evaluation_page import write_folds_html

    with progress("Training and measuring", json, total=folds) as advance:
        crossed = shop.cross_validate(folds, progress=lambda *_: advance(1))
    target: Path = shop.folder / "evaluation-tags-folds.html"
    data = shop.raw_products.fingerprint()
    told = {"folds": folds, "mean": crossed.mean, "std": crossed.std, "data": data}
    write_folds_html(crossed, target, f"How good are the tags, over {folds} folds?")
    write_json(target.with_suffix(".json"), {**told, "each": [fold.values for fold in crossed.folds]})
    if json:
        as_json(told)
    else:
        rows = [(name, crossed.mean[name], crossed.std[name]) for name in crossed.mean]
        table(f"{folds} folds", ("measure", "mean", "standard deviation"), rows)
        say(f"The figures of each fold: {target}")


def _evaluate_recs(shop: Shop, version: str | None, json: bool) -> None:
    from tagloom.files import write_json
    from tagloom.measure.evaluation import read_training
    from tagloom.measure.recs_page import write_recs_html

    with progress("Measuring", json):
        chosen, found = shop.measured(version)
    target = shop.folder / "evaluation-recs.html"
    told = {"version": chosen.name, "data": chosen.manifest.data, **found.as_dict()}
    write_json(target.with_suffix(".json"), told)
    title = f"How good are the recommendations of version {chosen.name}?"
    write_recs_html(told, read_training(chosen.path), told["experts"], target, title)
    if json:
        as_json({**told, "html": str(target)})
        return
    for what, title in _QUESTIONS.items():
        models = getattr(found, what)
        shown = [name for name in _RANKED if all(name in one.values for one in models.values())]
        if models:
            table(title, ("model", *shown), [(name, *(one.values[k] for k in shown)) for name, one in models.items()])
    say(f"Intervals, curves, and what the lists do to the catalogue: {target}")
