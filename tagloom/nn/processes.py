"""Where training runs: device, threads, precision, and the processes that share it."""

from __future__ import annotations

import contextlib
import copy
import logging
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port
from lightning.fabric.strategies.ddp import DDPStrategy
from torch import nn

from tagloom.errors import SettingsError, TagloomError
from tagloom.nn.hardware import cpu_has_16_bits
from tagloom.nn.optim import matrices, sparse_tables

if TYPE_CHECKING:
    from tagloom.nn.losses import Loss
    from tagloom.nn.plan import Batch

_NAMES: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed"}
# A smaller gain may be noise, and is not worth the lost digits.
_WORTH_IT = 0.9
_TIMED_ROUNDS = 3
_PATIENCE_SECONDS = 5.0
# Multiplications; about a tenth of a second on one core, backward pass included.
_LONG_STEP = 5e8


class _Beside(LightningEnvironment):
    """One of some processes on this machine that we start ourselves; deaf to the variables of a job scheduler."""

    def __init__(self, rank: int, port: int) -> None:
        super().__init__()
        self.rank, self.port = rank, port

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        return self.port

    def local_rank(self) -> int:
        return self.rank

    def node_rank(self) -> int:
        return 0

    def teardown(self) -> None:
        """Nothing was put into the environment."""


def accelerator() -> str:
    """CUDA where there is some. Not Apple's GPU, which knows no sparse gradients."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_devices(encoder: nn.Module, devices: int) -> None:
    """See that an encoder can be trained on that many devices.

    Raises:
        SettingsError: there are fewer GPUs, or the encoder has sparse tables, which GPUs cannot exchange.
    """
    if accelerator() == "cpu" or devices == 1:
        return
    if devices > torch.cuda.device_count():
        raise SettingsError(f"{devices} devices were asked for; this machine has {torch.cuda.device_count()} GPUs")
    if sparse_tables(encoder):
        raise SettingsError(f"{devices} GPUs cannot share a linear or bag encoder (sparse gradients); use one device")


@contextlib.contextmanager
def torch_threads(threads: int, encoder: nn.Module, batches: Sequence[Batch], devices: int) -> Iterator[None]:
    """So many CPU threads for torch; 0: this process's share of the cores where a step is long, else one.

    A short step must not be shared out: beside another busy process two threads made it 5 to 30 times slower, each
    waiting for the other at every layer. It goes by the size of the first batch and not by a clock, since the number
    of threads shows in the last digits of the weights.
    """
    before = torch.get_num_threads()
    # What this process may use; only Linux knows it.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = max(1, cores // devices) if _is_long(encoder, batches) else 1
    torch.set_num_threads(threads or share)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _is_long(encoder: nn.Module, batches: Sequence[Batch]) -> bool:
    """Whether a step multiplies so much that threads pay: every matrix with every token."""
    if not batches or sparse_tables(encoder):
        return False
    (tokens, *_), _, _ = batches[0]
    return sum(weight.numel() for weight in matrices(encoder)) * tokens.numel() > _LONG_STEP


@contextlib.contextmanager
def own_random() -> Iterator[None]:
    """Random numbers may be seeded and drawn inside: the process's are as before afterwards."""
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        yield


def pick_precision(asked: str, encoder: nn.Module, loss: Loss, batches: Sequence[Batch]) -> str:
    """What was asked for; for `auto` `bf16` where a step in it is clearly faster than in 32 bits, else `32`.

    Measured with forward and backward passes over `batches`, by a copy of the encoder.
    """
    if asked != "auto":
        return asked
    device = accelerator()
    trial = copy.deepcopy(encoder).to(device).train()
    seconds = {False: 0.0, True: 0.0}
    for number in range(1 + _TIMED_ROUNDS):
        for short in seconds:
            began = time.perf_counter()
            for inputs, truth, _ in batches:
                with torch.autocast(device, torch.bfloat16, enabled=short):
                    scores = trial(*(part.to(device) for part in inputs))
                torch.autograd.backward(loss(scores.float(), truth.to(device)).mean())
                trial.zero_grad()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[short] += (time.perf_counter() - began) * bool(number)  # the first round warms up
    return "bf16" if seconds[True] < _WORTH_IT * seconds[False] else "32"


def multiplies_in_16_bits() -> bool:
    """Whether this machine's GPU or CPU has instructions for bfloat16: without them it is slower than 32 bits."""
    if accelerator() == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return cpu_has_16_bits()


@contextlib.contextmanager
def processes(devices: int, precision: str, work: Callable[..., object], parts: tuple[Any, ...]) -> Iterator[Fabric]:
    """This process as the first of `devices`; in each other one `work(fabric, *parts)` runs beside the block.

    Args:
        devices: GPUs, or processes on the CPU.
        precision: `32` or `bf16`.
        work: a function of a module.
        parts: what it is called with.

    Raises:
        TagloomError: one of the other processes ended too early.
    """
    if devices == 1:
        with _quiet():
            fabric = Fabric(accelerator=accelerator(), devices=1, precision=_NAMES[precision], plugins=[_Beside(0, 0)])
        yield fabric
        return
    port = find_free_network_port()
    context = multiprocessing.get_context("spawn")
    begun = context.Semaphore(0)
    others = [
        context.Process(
            target=_other, args=(begun, rank, devices, port, precision, torch.get_num_threads(), work, parts)
        )
        for rank in range(1, devices)
    ]
    try:
        for process in others:
            process.daemon = True
            process.start()
        for _ in others:
            while not begun.acquire(timeout=0.1):
                _see_alive(others)
        with _process_kept():
            yield _joined(0, devices, port, precision)
        for process in others:
            process.join(_PATIENCE_SECONDS)
    except RuntimeError as error:
        # A process that failed is still writing its message when its connection is gone.
        others[0].join(_PATIENCE_SECONDS)
        _see_alive(others, error)
        raise
    finally:
        for process in filter(BaseProcess.is_alive, others):
            process.kill()
            process.join()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _other(
    begun: Any, rank: int, devices: int, port: int, precision: str, threads: int, work: Any, parts: tuple[Any, ...]
) -> None:
    """The whole life of another process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears Ctrl-C and ends this one
    begun.release()
    torch.set_num_threads(threads)
    work(_joined(rank, devices, port, precision), *parts)
    torch.distributed.destroy_process_group()


def _joined(rank: int, devices: int, port: int, precision: str) -> Fabric:
    """Fabric over all processes, once all of them are there."""
    beside = _Beside(rank, port)
    with _quiet():
        fabric = Fabric(
            accelerator=accelerator(),
            devices=devices,
            precision=_NAMES[precision],
            strategy=DDPStrategy(),
            plugins=[beside],
        )
        fabric.launch()
    return fabric


def _see_alive(others: Sequence[BaseProcess], cause: Exception | None = None) -> None:
    for process in others:
        if process.exitcode:
            raise TagloomError(
                f"one of the processes that train together ended with exit code {process.exitcode}; its own message"
                ' stands above. In a script, call training under `if __name__ == "__main__":`'
            ) from cause


@contextlib.contextmanager
def _process_kept() -> Iterator[None]:
    """The environment, where processes look for one another, and what prints errors: both as before afterwards."""
    before, hook = dict(os.environ), sys.excepthook
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
        sys.excepthook = hook


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's tips, device lists and advice about workers: nothing in them is for our user."""
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
