"""The page that `evaluate` writes for recommendations: every figure with what it means, plots, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tagloom.files import write_text
from tagloom.measure.evaluation import Curve
from tagloom.measure.evaluation_page import curve_section
from tagloom.measure.page import Section, bars, page

_INTERVAL = "interval of nDCG@10"
_RANKED = ("HR@5", "HR@10", "HR@20", "nDCG@10", "recall@10", "recall@20", "MRR@100", "MRR@20")
_EXPOSED = ("coverage@", "gini@", "overlap@", "diversity@", "novelty@", "popularity@", "popularity lift@")

MEANINGS = {
    "HR@k": "The share of users for whom at least one of the k first was taken later.",
    "nDCG@k": "How near the order of the k first is to a perfect one; 1 is perfect.",
    "recall@k": "Of what a user took later, the share among the k first.",
    "MRR@k": "One over the place of the first that was taken later; 0 when it is not among the k first.",
    "interval": "Of 1,000 draws of the users with repetition, where the middle 95 of 100 means lie.",
    "coverage@k": "Of the catalogue, the share that stands in at least one list.",
    "gini@k": "0: every product is shown equally often; towards 1: one product is shown to all.",
    "overlap@k": "The share that the lists of two users have in common.",
    "diversity@k": "How different in their tags the products of one list are; 0: all alike.",
    "novelty@k": "How rarely what is shown is taken by anybody, in bits.",
    "popularity@k": "Where what is shown stands among all products by popularity; 0.5: in the middle.",
    "popularity lift@k": "How many times as popular what is shown is as what users took.",
}
_JOINED = (
    "The tags of what the user took later. `popular`: of everybody; `history`: of what the user has; `products`: of the"
    " products that are likely next; a network's name: its tag head; `recommender`: all of them joined."
)
_BOTH = (
    "Of the product that the user took next its tags. `tagger`: by its text; `interest`: by the history;"
    " `recommender`: both joined."
)
_QUESTIONS = {
    "products": ("Next products", "Of all products, ranked for each user, against what the user took later."),
    "tags": ("Next tags", _JOINED),
    "product_tags": ("Tags of a product for a user", _BOTH),
}


def write_recs_html(
    told: Mapping[str, Any],
    curves: Mapping[str, Curve],
    contributions: Sequence[Mapping[str, Any]],
    path: Path,
    title: str,
) -> None:
    """Write what came of measuring a Recommender as one page that needs nothing else to be read.

    Args:
        told: the figures, as `recs.measured.Measured.as_dict` gives them.
        curves: how training of each network went.
        contributions: of each expert its `weight`, and nDCG@10 on valid `alone`, `without` it and `together`.
        path: the file.
        title: of the page.
    """
    sections = [_ranked(what, *_QUESTIONS[what], told[what]) for what in _QUESTIONS if told.get(what)]
    sections += [
        _exposed(told["products"]),
        *_varied(told.get("variety", [])),
        *_few(told.get("few", {})),
        *_experts(contributions),
    ]
    sections += [curve_section(name, curve, len(curves)) for name, curve in curves.items() if curve.history]
    sections.append(
        ("What the measures mean", "Defined in docs/measures.md.", ("measure", "meaning"), [*MEANINGS.items()], None)
    )
    write_text(path, page(title, sections))


def _ranked(what: str, title: str, meaning: str, models: Mapping[str, Any]) -> Section:
    shown = [name for name in _RANKED if all(name in figures for figures in models.values())]
    rows = [
        (name, *(f"{figures[measure]:.4f}" for measure in shown), "{:.4f} to {:.4f}".format(*figures[_INTERVAL]))
        for name, figures in models.items()
    ]
    users = next(iter(models.values()))["users"]
    plot = bars(list(models), [figures["nDCG@10"] for figures in models.values()], "nDCG@10", 4)
    counted = "pairs of user and product" if what == "product_tags" else "users"
    return title, f"{meaning} On {users:,} {counted}.", ("model", *shown, _INTERVAL), rows, plot


def _exposed(models: Mapping[str, Any]) -> Section:
    columns = [name for name in next(iter(models.values())) if name.startswith(_EXPOSED)]
    rows = [
        (name, *(f"{figures[column]:.4f}" if column in figures else "" for column in columns))
        for name, figures in models.items()
    ]
    told = "Whether everybody gets the same popular list, and how much of the catalogue is ever shown."
    return "What the lists do to the catalogue", told, ("model", *columns), rows, None


def _varied(levels: Sequence[Mapping[str, float]]) -> list[Section]:
    told = (
        "What the rule `variety` costs and brings: the larger it is, the less counts what everybody takes. Set it for"
        " the shop in tagloom.toml, [rules], or with --variety for once."
    )
    columns = [name for one in levels[:1] for name in one if name.startswith(("HR@", "nDCG@", *_EXPOSED))]
    rows = [(f"{one['variety']:g}", *(f"{one[column]:.4f}" for column in columns)) for one in levels]
    return [("More variety", told, ("variety", *columns), rows, None)] if rows else []


def _few(few: Mapping[str, float]) -> list[Section]:
    told = "Users and products that training never met: nothing was trained for them."
    rows = [(name, f"{value:.4f}") for name, value in few.items()]
    return [("Newcomers", told, ("measure", "value"), rows, None)] if rows else []


def _experts(contributions: Sequence[Mapping[str, Any]]) -> list[Section]:
    if len(contributions) < 2:
        return []
    told = (
        f"The blend adds up its experts; on valid, before they learned from it, its nDCG@10 was"
        f" {contributions[0]['together']:.4f}. The last column is what it would have been without the expert: where"
        " that is no lower, the expert can go."
    )
    rows = [
        (one["name"], *(f"{one[key]:.4f}" if one[key] is not None else "" for key in ("weight", "alone", "without")))
        for one in contributions
    ]
    columns = ("expert", "weight", "nDCG@10 alone", "nDCG@10 without it")
    return [("What each expert adds", told, columns, rows, None)]
