"""A training that was broken off, on disk: all that is needed to go on to the very same end.

One folder for each pass, `pass-0003/`, written aside and renamed, the one before it removed afterwards. It holds
`state.safetensors` (weights, what the optimisers remember, random states), `best.safetensors` (the weights of the best
pass) and a manifest with checksums, the history and what the training was of.
"""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tagloom.artifact import check_artifact, new_artifact
from tagloom.errors import ArtifactError

_JOB = "training"
_STATE, _BEST = "state.safetensors", "best.safetensors"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a training stands after a pass.

    `state` holds the tensors by name, `best` the encoder's weights after its best pass, `record` what JSON can hold.
    """

    state: dict[str, Tensor]
    best: dict[str, Tensor]
    record: dict[str, Any]


def save_checkpoint(folder: Path, number: int, identity: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Write the checkpoint of pass `number` (from 1) and remove those before it.

    Args:
        folder: for the checkpoints of this one training.
        number: the pass that is complete.
        identity: what the training is of; JSON.
        checkpoint: what to write.

    Raises:
        TagloomError: the disk is full or may not be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"pass-{number:04}"
    shutil.rmtree(path, ignore_errors=True)  # that of another training, which was warned of
    with new_artifact(path, _JOB, identity, {}, checkpoint.record) as aside:
        save_file(_own(checkpoint.state), aside / _STATE)
        save_file(_own(checkpoint.best), aside / _BEST)
    for old in folder.glob("*pass-*"):
        if old != path:
            shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path, identity: dict[str, Any]) -> Checkpoint | None:
    """The newest checkpoint in a folder; None where there is none, or one of another training, which is warned of.

    Raises:
        ArtifactError: it is damaged.
    """
    found = sorted(folder.glob("pass-*"))
    if not found:
        return None
    try:
        manifest = check_artifact(found[-1], _JOB)
    except ArtifactError as error:
        what = str(error).partition(";")[0]
        raise ArtifactError(
            f"{what}. It belongs to a training that was broken off: remove {folder}, and that training begins anew"
        ) from error
    this = json.loads(json.dumps(identity))
    if manifest.settings != this:
        other = " and ".join(sorted(key for key in this if manifest.settings.get(key) != this[key]))
        warnings.warn(
            f"{folder}: holds a broken-off training of another {other}; training begins anew and will replace it",
            RuntimeWarning,
            stacklevel=3,
        )
        return None
    return Checkpoint(load_file(found[-1] / _STATE), load_file(found[-1] / _BEST), manifest.metrics)


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a training that has come to its end, and their folder when nothing else is in it."""
    for old in folder.glob("*pass-*"):
        shutil.rmtree(old, ignore_errors=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def optimiser_state(optimisers: tuple[torch.optim.Optimizer, ...]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What optimisers remember, as tensors and plain values by names such as `optimiser/0/3/exp_avg`."""
    remembered = {
        f"optimiser/{number}/{ix}/{name}": value
        for number, optimiser in enumerate(optimisers)
        for ix, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }
    tensors = {name: value for name, value in remembered.items() if isinstance(value, Tensor)}
    return tensors, {name: value for name, value in remembered.items() if name not in tensors and value is not None}


def restore_optimisers(optimisers: tuple[torch.optim.Optimizer, ...], remembered: dict[str, Any]) -> None:
    """Give new optimisers over the same weights what `optimiser_state` took from old ones."""
    states: list[dict[int, dict[str, Any]]] = [{} for _ in optimisers]
    for path, value in remembered.items():
        kind, _, rest = path.partition("/")
        if kind == "optimiser":
            number, ix, name = rest.split("/")
            kept = value.clone() if isinstance(value, Tensor) else value
            states[int(number)].setdefault(int(ix), {})[name] = kept
    for optimiser, state in zip(optimisers, states, strict=True):
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def _own(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the CPU that share no memory: tied weights are one tensor under two names."""
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
