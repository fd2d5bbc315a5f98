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

EXAMPLES = "Examples: tagloom evaluate my-shop tags; tagloom evaluate my-shop tags --folds 5"
_WORST = ("tag", "F1", "true", "given", "right", "confused with", "what to do")
_EXPERTS = ("expert", "weight", "nDCG@10 alone", "nDCG@10 without it")


def evaluate(
    shop: ShopFolder,
    job: Annotated[str, typer.Argument(help="What to evaluate: tags.")] = "tags",
    version: OfVersion = "",
    folds: Annotated[
        int | None, typer.Option(help="Instead, train and measure so often, on other products each time.")
    ] = None,
    top: Annotated[int, typer.Option(help="Tags listed as the worst.", min=0)] = 10,
    json: AsJson = False,
) -> None:
    """Measure a model on products that it never saw; --folds gives mean and spread over k trainings.

    Writes evaluation-tags.html (curves, calibration, worst tags and products, what to do) and .json into the shop.
    """
    from tagloom.files import write_json
    from tagloom.measure.evaluation_page import write_html
    from tagloom.shop import Shop

    opened = Shop.open(shop)
    if job != "tags":
        raise ShopError(f"unknown job {job!r}; there is: tags")
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
