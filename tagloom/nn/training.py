"""The one training loop, around any tag encoder: it stops when valid no longer improves, and can be broken off.

Lightning's Fabric moves tensors, sets the precision and joins processes. Its Trainer would pickle the checkpoints, and
starts other processes by running the user's script again. Shapes: B texts, P texts of valid, L tags.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from tagloom.nn.checkpoints import (
    Checkpoint,
    load_checkpoint,
    optimiser_state,
    remove_checkpoints,
    restore_optimisers,
    save_checkpoint,
)
from tagloom.nn.losses import Loss
from tagloom.nn.optim import optimisers
from tagloom.nn.passes import Run, on_valid, one_pass
from tagloom.nn.plan import (
    Batch,
    Batches,
    Measure,
    Trained,
    TrainingPlan,
    check_plan,
    goes_on,
    identity,
    rank,
)
from tagloom.nn.processes import check_devices, own_random, pick_precision, processes, torch_threads

__all__ = ["Trained", "TrainingPlan", "train"]


@dataclass(frozen=True, eq=False)
class _Job:
    """What every process of a training knows; `identity` tells it from any other, for the checkpoint."""

    loss: Loss
    plan: TrainingPlan
    batches: Batches
    identity: dict[str, Any]
    resumes: bool


def train(
    encoder: nn.Module,
    loss: Loss,
    plan: TrainingPlan,
    train_batches: Batches,
    valid_batches: Iterable[Batch],
    measure: Measure,
) -> Trained:
    """Train `encoder` in place; it ends with the weights of its best pass: by nDCG on valid, of equals by loss there.

    A step makes the weighted mean of the loss over a batch's texts smaller. With a checkpoint the same call goes on
    where one was broken off, and ends with the same weights to the last bit (on a CPU, with as many threads; a GPU adds
    in an order of its own). A checkpoint of another plan, encoder or fingerprint is replaced, with a warning. On
    several devices each process takes batches of its own, and a step follows the mean of their gradients.

    Args:
        encoder: the inputs of a batch -> scores [B, L]; ends on the CPU.
        loss: scores [B, L], truth [B, L] -> [B].
        plan: how.
        train_batches: what to learn from.
        valid_batches: what to measure on; iterated once a pass.
        measure: scores [P, L], truth [P, L] -> the figure to make large.

    Returns:
        What happened. When loss or scores are no longer finite numbers training stops and the best pass so far counts;
        with none so far nothing was learned, and the weights are of no use.

    Raises:
        SettingsError: the plan cannot be carried out.
        ArtifactError: the checkpoint is damaged.
        KeyboardInterrupt: Ctrl-C; the encoder is then somewhere in its training.
    """
    check_plan(plan)
    check_devices(encoder, plan.devices)
    this = identity(plan, encoder, len(train_batches))
    resumed = None if plan.checkpoint is None else load_checkpoint(plan.checkpoint, this)
    job = _Job(loss, plan, train_batches, this, resumed is not None)
    first = list(itertools.islice(train_batches.of_pass(0), 2))
    with own_random(), torch_threads(plan.threads, encoder, first, plan.devices):
        precision = resumed.record["precision"] if resumed else pick_precision(plan.precision, encoder, loss, first)
        trained = _train(encoder, job, precision, resumed, valid_batches, measure)
    if plan.checkpoint is not None:
        remove_checkpoints(plan.checkpoint)
    return trained


def _train(
    encoder: nn.Module,
    job: _Job,
    precision: str,
    resumed: Checkpoint | None,
    valid_batches: Iterable[Batch],
    measure: Measure,
) -> Trained:
    """`train` as the first of its processes, and the only one that measures, draws and writes."""
    plan, run = job.plan, Run(encoder)
    others: tuple[Any, ...] = ()
    if plan.devices > 1:
        # The others get an encoder without weights; the first process sends them its own.
        others = (copy.deepcopy(encoder).to("meta"), replace(job, plan=replace(plan, progress=None)))
    with processes(plan.devices, precision, _beside, others) as fabric, _curves(plan.log_folder) as draw:

        def after_pass(figures: dict[str, float], random: dict[str, Tensor]) -> None:
            _keep(run, figures | on_valid(fabric, run.measured, job.loss, valid_batches, measure))
            draw(len(run.history), run.history[-1])
            if plan.checkpoint is not None:
                checkpoint = _checkpoint(run, random, precision)
                save_checkpoint(plan.checkpoint, len(run.history), job.identity, checkpoint)
            if plan.progress is not None:
                plan.progress(len(run.history), dict(run.history[-1]))

        for number, figures in enumerate(resumed.record["history"] if resumed else (), 1):
            draw(number, figures)
        stopped = _learn(fabric, run, job, resumed, after_pass)
    encoder.zero_grad()
    encoder.to("cpu")
    if not run.history:
        return Trained(0, 0, (), stopped, precision)
    encoder.load_state_dict(run.best)
    ranks = [rank(figures) for figures in run.history]
    return Trained(len(ranks), ranks.index(max(ranks)) + 1, tuple(run.history), stopped, precision)


def _beside(fabric: Fabric, encoder: nn.Module, job: _Job) -> None:
    """What each process but the first does."""
    resumed = load_checkpoint(job.plan.checkpoint, job.identity) if job.resumes and job.plan.checkpoint else None
    run = Run(encoder.to_empty(device="cpu"))
    _learn(fabric, run, job, resumed, lambda figures, _: run.history.append(figures))


def _learn(
    fabric: Fabric,
    run: Run,
    job: _Job,
    resumed: Checkpoint | None,
    after_pass: Callable[[dict[str, float], dict[str, Tensor]], None],
) -> str:
    """Pass upon pass, on every process alike, until the first one says that it is enough; returns what went wrong."""
    module = _set_up(fabric, run, job.plan, resumed)
    stopped = ""
    # The others have no figures on valid: what they say here is not heard.
    while fabric.broadcast(fabric.is_global_zero and not stopped and goes_on(job.plan, run.history)):
        try:
            figures = one_pass(fabric, module, run, job.loss, job.plan, job.batches)
            after_pass(figures, _random_states(fabric) if job.plan.checkpoint is not None else {})
        except FloatingPointError as error:
            stopped = str(error)
    return stopped


def _set_up(fabric: Fabric, run: Run, plan: TrainingPlan, resumed: Checkpoint | None) -> Any:
    """Everything on its device and in its state; returns the encoder as Fabric wants it called."""
    if resumed is not None:
        run.encoder.load_state_dict(_named(resumed.state, "encoder/"))
        run.best, run.history = resumed.best, list(resumed.record["history"])
    module = fabric.setup_module(run.encoder)
    run.optimisers = optimisers(run.encoder, plan.optimiser, plan.learning_rate, plan.weight_decay)
    if plan.average and fabric.is_global_zero:
        run.averaged = copy.deepcopy(run.encoder)
    torch.manual_seed(plan.seed + fabric.global_rank)
    if resumed is not None:
        restore_optimisers(run.optimisers, {**resumed.state, **resumed.record["optimisers"]})
        if run.averaged is not None:
            run.averaged.load_state_dict(_named(resumed.state, "average/"))
        torch.set_rng_state(resumed.state["random/cpu"][fabric.global_rank].clone())
        if fabric.device.type == "cuda":
            torch.cuda.set_rng_state(resumed.state["random/cuda"][fabric.global_rank].clone(), fabric.device)
    return module


def _keep(run: Run, figures: dict[str, float]) -> None:
    """Take a pass into the history, and its weights aside when it is the best."""
    if not run.history or rank(figures) > max(map(rank, run.history)):
        run.best = {name: part.detach().cpu().clone() for name, part in run.measured.state_dict().items()}
    run.history.append(figures)


def _checkpoint(run: Run, random: dict[str, Tensor], precision: str) -> Checkpoint:
    """All that `_set_up` needs to go on."""
    remembered, plain = optimiser_state(run.optimisers)
    state = {f"encoder/{name}": part for name, part in run.encoder.state_dict().items()} | remembered | random
    if run.averaged is not None:
        state |= {f"average/{name}": part for name, part in run.averaged.state_dict().items()}
    return Checkpoint(state, run.best, {"history": run.history, "optimisers": plain, "precision": precision})


def _random_states(fabric: Fabric) -> dict[str, Tensor]:
    """The state of the random numbers on each process: [world, bytes]."""
    states = {"random/cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        states["random/cuda"] = torch.cuda.get_rng_state(fabric.device)
    if fabric.world_size == 1:
        return {name: state[None] for name, state in states.items()}
    gathered = {}
    for name, state in states.items():
        parts = [torch.empty_like(state, device=fabric.device) for _ in range(fabric.world_size)]
        torch.distributed.all_gather(parts, state.to(fabric.device))
        gathered[name] = torch.stack(parts).cpu()
    return gathered


def _named(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): part for name, part in tensors.items() if name.startswith(start)}


@contextlib.contextmanager
def _curves(folder: Path | None) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A function that draws the figures of a pass; without a folder it does nothing."""
    if folder is None:
        yield lambda *_: None
        return
    from lightning.fabric.loggers.tensorboard import TensorBoardLogger

    logger = TensorBoardLogger(folder, name="")

    def draw(number: int, figures: dict[str, float]) -> None:
        logger.log_metrics(figures, number)
        logger.save()

    try:
        yield draw
    finally:
        logger.finalize("done")
