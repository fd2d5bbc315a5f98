"""The page that `evaluate` writes: every figure with what it means, curves, calibration, worst tags and products."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tagloom.files import write_text
from tagloom.measure.calibration import BINS
from tagloom.measure.crossval import CrossValidation
from tagloom.measure.evaluation import Curve, Evaluation, Expert, WorstProduct
from tagloom.measure.page import Panel, Section, curves, page

_LONGEST_TEXT = 300
_WELL = 0.03

MEANINGS = {
    "P@1": "The surest tag is true.",
    "P@3": "Of the three surest tags, the share that is true.",
    "P@5": "Of the five surest tags, the share that is true.",
    "R@5": "Of a product's tags, the share among its five surest.",
    "R@10": "Of a product's tags, the share among its ten surest.",
    "nDCG@5": "How near the order of the five surest tags is to a perfect one; 1 is perfect.",
    "nDCG@10": "The same for the ten surest.",
    "PSP@1": "Like P@1, but rare tags count for more; 1 is the best that can be reached.",
    "PSP@3": "Like P@3, with rare tags counting for more.",
    "PSP@5": "Like P@5, with rare tags counting for more.",
    "micro-F1": "Of precision and recall together, over all tags that are given or true.",
    "macro-F1": "The same for each tag by itself, and the mean over tags: rare tags count like frequent ones.",
    "precision": "Of the tags given, the share that is true.",
    "recall": "Of the true tags, the share that is given.",
    "macro-precision": "Precision of each tag by itself, the mean over tags.",
    "macro-recall": "Recall of each tag by itself, the mean over tags.",
    "accuracy": "Products that were given all their tags and no other.",
    "Brier": "Mean squared distance of the confidences from 0 (not true) and 1 (true); 0 is perfect.",
    "ECE": "How far confidences are from frequencies, over all pairs of product and tag; 0 is perfect.",
    "ECE@10": "The same over each product's ten surest tags, which are the ones that people see.",
    "coverage": "Of the tags known, the share that was given to some product.",
    "coverage@10": "Of the tags known, the share that was among the ten surest of some product.",
}


def write_html(evaluation: Evaluation, path: Path, title: str) -> None:
    """Write what came of measuring as one page that needs nothing else to be read."""
    training = evaluation.training
    sections = [
        _figures(evaluation),
        *([_experts(training.experts)] if training.experts else []),
        *(curve_section(name, curve, len(training.curves)) for name, curve in training.curves.items() if curve.history),
        _calibration(evaluation),
        _thresholds(evaluation),
        _tags(evaluation),
        _products(evaluation),
    ]
    write_text(path, page(title, sections))


def write_folds_html(crossed: CrossValidation, path: Path, title: str) -> None:
    """Write the figures of a cross-validation as a page."""
    mean, std = crossed.mean, crossed.std
    rows = [
        (name, _shown(mean[name]), _shown(std[name]), *(_shown(fold.values[name]) for fold in crossed.folds))
        for name in mean
    ]
    folds = (f"fold {number}" for number in range(1, len(crossed.folds) + 1))
    columns = ("measure", "mean", "standard deviation", *folds)
    told = "Each fold was measured by a model that learned from the others. The deviation is from one fold to another."
    meanings = [(name, MEANINGS.get(name, "")) for name in mean]
    sections: list[Section] = [
        ("Mean and spread", told, columns, rows, None),
        ("What the measures mean", "Defined in docs/measures.md.", ("measure", "meaning"), meanings, None),
    ]
    write_text(path, page(title, sections))


def _figures(evaluation: Evaluation) -> Section:
    values = evaluation.figures.values
    rows = [(name, _shown(value), MEANINGS.get(name, "")) for name, value in values.items()]
    told = f"On {evaluation.figures.products:,} products that the model never saw. Defined in docs/measures.md."
    return "Figures", told, ("measure", "value", "meaning"), rows, None


def _experts(experts: tuple[Expert, ...]) -> Section:
    told = (
        "The blend adds up its experts. The last column is what the blend would reach without the expert: where it is"
        " no lower than with it, the expert can go. On the products of valid."
    )
    rows = [(one.name, _shown(one.weight), _shown(one.alone), _shown(one.without)) for one in experts]
    return "What each expert adds", told, ("expert", "weight", "nDCG@10 alone", "nDCG@10 without it"), rows, None


def curve_section(name: str, curve: Curve, several: int) -> Section:
    """How training of one model went; `several` is how many there are."""
    passes = list(range(1, len(curve.history) + 1))
    names = list(curve.history[0])
    series = {
        key.replace("/", " ").replace("ndcg", "nDCG"): (
            passes,
            [figures.get(key, math.nan) for figures in curve.history],
        )
        for key in names
        if key.startswith("valid/") or key.endswith("loss")  # not the pace, whose numbers would flatten the rest
    }
    losses = {key: line for key, line in series.items() if key.endswith("loss")}
    others = {key: line for key, line in series.items() if key not in losses}
    points = {}
    if curve.best_epoch and others:
        best = next(iter(others.values()))[1][curve.best_epoch - 1]
        points = {"best pass": (float(curve.best_epoch), best)}
    panels = [Panel(losses, "pass", "loss")] if losses else []
    panels += [Panel(others, "pass", "", points=points)] if others else []
    told = f"{len(passes)} passes over what was trained on; kept is pass {curve.best_epoch}. {_moral(curve)}"
    if curve.stopped:
        told += f" Training broke off: {curve.stopped}."
    title = f"Training curves: {name}" if several > 1 else "Training curves"
    return title, told, (), [], curves(panels)


def _moral(curve: Curve) -> str:
    """What the curves ask for."""
    passes, best = len(curve.history), curve.best_epoch
    if passes > 1 and best == passes:
        return "The last pass was the best: more passes (`epochs`) may make it better."
    if passes > 2 and best <= passes / 3:
        return "It was best early and then learned its products by heart: fewer passes or more `dropout` may do better."
    return "Where loss on valid rises while that on train falls, the model learns its products by heart."


def _calibration(evaluation: Evaluation) -> Section:
    surest, pairs = evaluation.figures.surest, evaluation.figures.pairs
    lines = {}
    for name, of in (("ten surest tags", surest), ("all pairs", pairs)):
        some = of.pairs > 0
        lines[name] = (of.confidence[some].tolist(), of.frequency[some].tolist())
    middles = ((np.arange(BINS) + 0.5) / BINS).tolist()
    believed = Panel(lines, "mean confidence", "share that is true", shares=True, diagonal=True)
    many = Panel({"ten surest tags": (middles, surest.pairs.tolist())}, "confidence", "pairs")
    rows = [
        (f"{ix / BINS:.2f} to {(ix + 1) / BINS:.2f}", int(surest.pairs[ix]), *map(_shown, (mean, share)))
        for ix, (mean, share) in enumerate(zip(surest.confidence, surest.frequency, strict=True))
        if surest.pairs[ix]
    ]
    told = (
        "Of the pairs of product and tag with a confidence near 0.8, eight in ten should be true: the points should lie"
        f" on the dashed line. {_trust(evaluation)} The table is for each product's ten surest tags."
    )
    return (
        "Can the confidences be believed?",
        told,
        ("confidence", "pairs", "mean", "true"),
        rows,
        curves([believed, many]),
    )


def _trust(evaluation: Evaluation) -> str:
    """In a sentence where the confidences of the ten surest tags are off."""
    surest = evaluation.figures.surest
    if surest.error < _WELL:
        return f"They can: they are {surest.error:.2f} off on average."
    middle = BINS // 2
    sides = []
    for name, bins in (("below a half", slice(None, middle)), ("above", slice(middle, None))):
        off = float((surest.expected - surest.true)[bins].sum()) / max(float(surest.pairs[bins].sum()), 1)
        sides.append(f"{name} {abs(off):.2f} too {'high' if off > 0 else 'low'}")
    return f"They are {surest.error:.2f} off on average: {', '.join(sides)}. More products in valid mend that."


def _thresholds(evaluation: Evaluation) -> Section:
    threshold, precision, recall = evaluation.over_thresholds
    values = evaluation.figures.values
    now = {"as it decides now": (values["recall"], values["precision"])}
    together = Panel({"one threshold": (recall, precision)}, "recall", "precision", shares=True, points=now)
    apart = Panel({"precision": (threshold, precision), "recall": (threshold, recall)}, "threshold", "", shares=True)
    rows = []
    for at in np.linspace(0.1, 0.9, 9):
        ix = int(np.argmin(np.abs(threshold - at)))
        rows.append((f"{at:.1f}", _shown(precision[ix]), _shown(recall[ix])))
    told = (
        "A higher threshold gives fewer tags, of which more are true. Left: what one threshold for all tags would"
        " reach, and how the model decides now; a point above the line is better than any one threshold."
    )
    columns = ("threshold", "precision", "recall")
    return "Precision and recall", told, columns, rows, curves([together, apart])


def _tags(evaluation: Evaluation) -> Section:
    rows = [
        (
            one.tag,
            _shown(one.f1),
            one.true,
            one.given,
            one.right,
            f"{one.confused[0]} ({one.confused[1]:,})" if one.confused else "",
            one.todo,
        )
        for one in evaluation.worst_tags
    ]
    columns = ("tag", "F1", "true", "given", "right", "confused with", "what to do")
    return "Worst tags", "Of those that are true or given on at least five of these products.", columns, rows, None


def _products(evaluation: Evaluation) -> Section:
    rows = [(one.product_id, _text(one.text), _marked(one), one.todo) for one in evaluation.worst_products]
    told = (
        "Those on which model and catalogue are furthest apart. Plain: given and true. Red with a plus: given, and not"
        " in the catalogue. Dashed with a minus: in the catalogue, and not given. Beside each its confidence."
    )
    return "Worst products", told, ("product", "text", "tags", "what to do"), rows, None


def _marked(product: WorstProduct) -> Any:
    """The tags, each with its confidence and in the dress of its kind; escaped."""
    import markupsafe

    form = markupsafe.Markup('<span class="tag {}">{}{} {}</span> ')
    kinds = (("", "", product.right), ("wrong", "+ ", product.wrong), ("missed", "− ", product.missed))
    return markupsafe.Markup().join(
        form.format(kind, sign, tag, f"{sure:.2f}" if math.isfinite(sure) else "new")
        for kind, sign, some in kinds
        for tag, sure in some
    )


def _text(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _shown(value: float) -> str:
    return f"{value:.4f}"
