"""The experts by name, and how they are saved."""

from __future__ import annotations

import functools
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from tagloom.artifact import check_artifact, load_part, new_artifact, save_part
from tagloom.config import RecommenderSettings
from tagloom.errors import SettingsError
from tagloom.recs.experts.contract import Arrays, Expert, Fit, TrainingData, fingerprint
from tagloom.recs.experts.neighbours import NeighboursExpert
from tagloom.recs.experts.network import NetworkExpert
from tagloom.recs.experts.popular import PopularExpert
from tagloom.recs.experts.repeats import RepeatsExpert
from tagloom.recs.nearest import EXACT

Load = Callable[[Arrays, dict[str, Any], RecommenderSettings], Expert]

BLEND = "blend"
NETWORKS = frozenset({"gru", "transformer"})
_EXPERT, _DONE = "expert", "-done"
_FEWEST_LEARNED_FROM = 20
# Name -> how to train it, how to load it.
MODELS: dict[str, tuple[Fit, Load]] = {
    "popular": (functools.partial(PopularExpert.fit, kind="popular"), PopularExpert.load),
    "recent": (functools.partial(PopularExpert.fit, kind="recent"), PopularExpert.load),
    "category": (functools.partial(PopularExpert.fit, kind="category"), PopularExpert.load),
    "neighbours": (NeighboursExpert.fit, NeighboursExpert.load),
    "repeats": (RepeatsExpert.fit, RepeatsExpert.load),
    "gru": (functools.partial(NetworkExpert.fit, kind="gru"), NetworkExpert.load),
    "transformer": (functools.partial(NetworkExpert.fit, kind="transformer"), NetworkExpert.load),
}


def experts_for(settings: RecommenderSettings, data: TrainingData) -> tuple[str, ...]:
    """The experts to train: one, or those of the blend; of these the networks only where there is an order to learn."""
    if settings.model != BLEND:
        return (settings.model,)
    # Where nobody gets again what they have, what is taken again is no matter.
    unasked = {"repeats"} if settings.again == "no" else set()
    names: tuple[str, ...] = tuple(name for name in dict.fromkeys(settings.experts) if name not in unasked)
    histories = data.asked.histories
    counts = np.bincount(histories.user[histories.product_ix >= 0], minlength=len(histories))
    if (counts >= 2).sum() >= _FEWEST_LEARNED_FROM:
        return names
    kept = tuple(name for name in names if name not in NETWORKS) or ("popular",)
    if kept != names:
        warnings.warn(
            f"{int((counts >= 2).sum())} users with two products are too few for a network to learn from: trained are"
            f" {', '.join(kept)} alone; import more events",
            RuntimeWarning,
            stacklevel=2,
        )
    return kept


def with_loss(settings: RecommenderSettings, products: int) -> RecommenderSettings:
    """The same with a loss instead of `auto`.

    Raises:
        SettingsError: a loss that does not go with the model.
    """
    if settings.loss == "mean_squared_error" and settings.model not in NETWORKS:
        raise SettingsError(
            "recommender.loss = 'mean_squared_error' makes scores ratings, which cannot be joined with others; set"
            " recommender.model to gru or transformer"
        )
    if settings.loss != "auto":
        return settings
    loss = "full_softmax" if products <= EXACT else "sampled_softmax"
    return settings.model_copy(update={"loss": loss})


def learned(name: str, data: TrainingData, settings: RecommenderSettings, learn: Callable[[], Expert]) -> Expert:
    """What `learn` gives; a network that takes long is kept beside its checkpoint, and is not learned twice.

    So a training that is broken off in the second network, or in the last passes over the whole log, has the first ones
    ready. See `forget_learned`.
    """
    from tagloom.nn.training import Trained

    if name not in NETWORKS or data.checkpoint is None:
        return learn()
    folder = data.checkpoint.with_name(f"{data.checkpoint.name}{_DONE}")
    identity = {"fingerprint": fingerprint(data, settings)}
    if folder.is_dir():
        manifest = check_artifact(folder, _EXPERT)
        if manifest.settings == identity:
            kept = {**manifest.metrics, "history": tuple(manifest.metrics["history"])}
            return replace(cast(NetworkExpert, load_expert(name, folder, settings)), trained=Trained(**kept))
        shutil.rmtree(folder)
    expert = cast(NetworkExpert, learn())
    assert expert.trained is not None  # noqa: S101 (it was just trained)
    with new_artifact(folder, _EXPERT, identity, {}, asdict(expert.trained)) as aside:
        save_expert(name, expert, aside)
    return expert


def forget_learned(checkpoint: Path) -> None:
    """Remove what `learned` kept, once all of a training is done."""
    for folder in checkpoint.glob(f"*{_DONE}"):
        shutil.rmtree(folder, ignore_errors=True)
    if checkpoint.is_dir() and not any(checkpoint.iterdir()):
        checkpoint.rmdir()


def save_expert(name: str, expert: Expert, folder: Path) -> None:
    """Write `<name>.safetensors` and `<name>.json`."""
    save_part(folder, name, expert.arrays(), expert.about())


def load_expert(name: str, folder: Path, settings: RecommenderSettings) -> Expert:
    """Read what `save_expert` wrote."""
    return MODELS[name][1](*load_part(folder, name), settings)
