"""The experts by name, and how they are saved."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.artifact import load_part, save_part
from tagloom.config import TaggerSettings
from tagloom.tags.experts.bag import BagExpert
from tagloom.tags.experts.contract import Arrays, Expert, TrainingData
from tagloom.tags.experts.linear import MOST_WEIGHTS, LinearExpert
from tagloom.tags.experts.name import NameExpert
from tagloom.tags.experts.nearest import NearestExpert
from tagloom.tags.experts.neighbours import NeighboursExpert
from tagloom.tags.experts.popular import PopularExpert
from tagloom.tags.experts.pretrained import PretrainedExpert
from tagloom.tags.experts.tokens import TokenExpert
from tagloom.tags.experts.tree import TreeExpert
from tagloom.tags.features import Features

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

Fit = Callable[[TrainingData, TaggerSettings], tuple[Expert, "Trained | None"]]
Load = Callable[[Arrays, dict[str, Any], Features], Expert]

BLEND = "blend"
# Name -> how to train it, how to load it.
MODELS: dict[str, tuple[Fit, Load]] = {
    "popular": (PopularExpert.fit, PopularExpert.load),
    "name": (NameExpert.fit, NameExpert.load),
    "neighbours": (NeighboursExpert.fit, NeighboursExpert.load),
    "nearest": (NearestExpert.fit, NearestExpert.load),
    "linear": (LinearExpert.fit, LinearExpert.load),
    "tree": (TreeExpert.fit, TreeExpert.load),
    "bag": (BagExpert.fit, BagExpert.load),
    "cnn": (functools.partial(TokenExpert.fit, kind="cnn"), TokenExpert.load),
    "lstm": (functools.partial(TokenExpert.fit, kind="lstm"), TokenExpert.load),
    "transformer": (functools.partial(TokenExpert.fit, kind="transformer"), TokenExpert.load),
    "pretrained": (PretrainedExpert.fit, PretrainedExpert.load),
}
# Those whose scores are learned with the loss of the settings, families of tags and all.
NETWORKS = frozenset({"linear", "bag", "cnn", "lstm", "transformer", "pretrained"})
# The networks' last layer and every step of theirs grow with the tags; above so many only the others are blended.
_MOST_TAGS = 20_000


def experts_for(settings: TaggerSettings, data: TrainingData) -> tuple[str, ...]:
    """The experts to train: one, or those of the blend that this catalogue is not too large for."""
    if settings.encoder != BLEND:
        return (settings.encoder,)
    if len(data.names) > _MOST_TAGS:
        small = [name for name in settings.experts if name not in NETWORKS]
        return tuple(dict.fromkeys([*small, "tree", "nearest"]))
    table = len(data.features) * len(data.names)
    return tuple(name for name in settings.experts if name != "linear" or table <= MOST_WEIGHTS)


def save_expert(name: str, expert: Expert, folder: Path) -> None:
    """Write `<name>.safetensors` and `<name>.json`."""
    save_part(folder, name, expert.arrays(), expert.about())


def load_expert(name: str, folder: Path, features: Features) -> Expert:
    """Read what `save_expert` wrote."""
    return MODELS[name][1](*load_part(folder, name), features)
