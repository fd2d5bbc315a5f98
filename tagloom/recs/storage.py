"""A fitted Recommender in a model version's folder, and back: JSON and safetensors; nobody's history is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scipy.sparse import csr_matrix

from tagloom.artifact import load_arrays, save_arrays
from tagloom.config import RecommenderSettings
from tagloom.measure.evaluation import write_training
from tagloom.recs.blend import Blend
from tagloom.recs.fitted import NOBODY, Fitted
from tagloom.recs.interest import Interest
from tagloom.recs.items import Items, Known
from tagloom.recs.joint import Joint
from tagloom.recs.models import load_expert, save_expert
from tagloom.recs.search.search import Search
from tagloom.tags.tagger import Tagger

_FILE, _ARRAYS, _TAGGER, _SEARCH = "recommender.json", "recommender.safetensors", "tagger", "search"


def save_fitted(fitted: Fitted, folder: Path) -> None:
    """Write `recommender.json`, `recommender.safetensors`, what is known, the Tagger, each expert and the curves."""
    interest, items = fitted.interest, fitted.items
    about = {
        "experts": list(fitted.experts),
        "blend": fitted.blend.as_dict(),
        "again": fitted.again,
        "interest": None if interest is None else interest.blend.as_dict(),
        "tags_each": 1.0 if interest is None else interest.each,
        "joint": fitted.joint and fitted.joint.as_dict(),
        "contributions": fitted.contributions,
        "product_ids": items.product_ids,
    }
    (folder / _FILE).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    arrays: dict[str, Any] = {
        "default": fitted.default,
        "ids": items.ids,
        "categories": items.categories,
        "unseen": fitted.unseen,
    }
    for name in ("tags", "words"):
        matrix = getattr(items, name)
        arrays |= {f"{name}.{part}": getattr(matrix, part) for part in ("data", "indices", "indptr")}
    if interest is not None:
        arrays["popular_tags"] = interest.popular
    save_arrays(folder / _ARRAYS, arrays)
    items.known.save(folder)
    for name, expert in fitted.experts.items():
        save_expert(name, expert, folder)
    if fitted.tagger is not None:
        fitted.tagger.save(folder / _TAGGER)
    if fitted.search is not None:
        (folder / _SEARCH).mkdir()
        fitted.search.save(folder / _SEARCH)
    write_training(folder, fitted.trained)


def load_fitted(folder: Path, settings: RecommenderSettings) -> Fitted:
    """Read what `save_fitted` wrote; of nobody's history."""
    about: dict[str, Any] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    arrays, known = load_arrays(folder / _ARRAYS), Known.load(folder)
    count = len(about["product_ids"])

    def matrix(name: str, width: int) -> Any:
        return csr_matrix(tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr")), (count, width))

    items = Items(
        tuple(about["product_ids"]),
        known,
        arrays["ids"],
        matrix("tags", len(known.tags)),
        matrix("words", known.words),
        arrays["categories"],
    )
    interest = None
    if about["interest"]:
        interest = Interest(Blend.from_dict(about["interest"]), arrays["popular_tags"], about["tags_each"])
    return Fitted(
        settings=settings,
        items=items,
        histories=NOBODY,
        experts={name: load_expert(name, folder, settings) for name in about["experts"]},
        blend=Blend.from_dict(about["blend"]),
        default=arrays["default"],
        again=about["again"],
        interest=interest,
        joint=about["joint"] and Joint.from_dict(about["joint"]),
        tagger=Tagger.load(folder / _TAGGER) if (folder / _TAGGER).is_dir() else None,
        unseen=arrays["unseen"],
        contributions=tuple(about["contributions"]),
        trained={},
        search=Search.load(folder / _SEARCH) if (folder / _SEARCH).is_dir() else None,
    )
