"""A fitted Tagger in a model version's folder, and back: JSON and safetensors, nothing pickled."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tagloom.artifact import load_arrays, save_arrays
from tagloom.measure.evaluation import write_training
from tagloom.tags.blend import Blend
from tagloom.tags.calibrate import Calibration
from tagloom.tags.features import Features
from tagloom.tags.fitted import Fitted
from tagloom.tags.models import load_expert, save_expert
from tagloom.tags.newcomers import Judge, Newcomer

_FILE = "tagger.json"
_ARRAYS = "tagger.safetensors"
_NEW = ("terms", "weights", "profile")


def save_fitted(fitted: Fitted, folder: Path) -> None:
    """Write `tagger.json`, `tagger.safetensors`, the features, each expert's two files and the curves of training."""
    about = {
        "names": fitted.names,
        "ids": fitted.ids,
        "fitted_ids": fitted.fitted_ids,
        "families": fitted.families,
        "scored_by_family": fitted.scored_by_family,
        "parents": list(fitted.parents.items()),
        "experts": list(fitted.experts),
        "blend": fitted.blend.as_dict(),
        "threshold": fitted.threshold,
        "trained_on": fitted.trained_on,
        "contributions": fitted.contributions,
        "newcomers": [{"name": one.name, "spellings": one.spellings, "shown": one.shown} for one in fitted.newcomers],
    }
    (folder / _FILE).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    save_arrays(folder / _ARRAYS, _arrays(fitted))
    fitted.features.save(folder)
    for name, expert in fitted.experts.items():
        save_expert(name, expert, folder)
    write_training(folder, fitted.trained)


def load_fitted(folder: Path) -> Fitted:
    """Read what `save_fitted` wrote."""
    about: dict[str, Any] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    arrays = load_arrays(folder / _ARRAYS)
    features = Features.load(folder)
    calibration = {name: arrays.pop(f"calibration.{name}") for name in ("knots", "log_odds", "slopes", "offsets")}
    newcomers = tuple(
        Newcomer(
            told["name"],
            tuple(told["spellings"]),
            shown=told["shown"],
            **{name: arrays[f"newcomer.{ix}.{name}"] for name in _NEW},
        )
        for ix, told in enumerate(about["newcomers"])
    )
    return Fitted(
        features=features,
        experts={name: load_expert(name, folder, features) for name in about["experts"]},
        blend=Blend.from_dict(about["blend"]),
        calibration=Calibration(**calibration),
        judge=Judge(arrays["judge"]),
        names=tuple(about["names"]),
        ids=tuple(about["ids"]),
        fitted_ids=tuple(about["fitted_ids"]),
        families=tuple(map(tuple, about["families"])),
        scored_by_family=about["scored_by_family"],
        parents=dict(about["parents"]),
        threshold=about["threshold"],
        promised=arrays["promised"],
        counts=arrays["counts"],
        trained_on=about["trained_on"],
        contributions=tuple(about["contributions"]),
        newcomers=newcomers,
    )


def _arrays(fitted: Fitted) -> dict[str, Any]:
    calibration = {f"calibration.{name}": array for name, array in asdict(fitted.calibration).items()}
    new = {f"newcomer.{ix}.{name}": getattr(one, name) for ix, one in enumerate(fitted.newcomers) for name in _NEW}
    own = {"judge": fitted.judge.curves, "promised": fitted.promised, "counts": fitted.counts}
    return {name: np.asarray(array) for name, array in {**calibration, **new, **own}.items()}
