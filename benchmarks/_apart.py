"""Peers whose libraries need an environment of their own: they run as a process there, commands and answers as JSON.

The environment is the one in TAGLOOM_PEERS, else benchmarks/.peers, which is made at first use from
peers-requirements.txt. Both sides of the talk stand here: `Apart` on ours, `serve` on the peer's. The peer's side
imports nothing of tagloom. Texts, features and scores go through files.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "peers-requirements.txt"


class RefusedError(RuntimeError):
    """The peer could not carry out a command, and says why; it waits for the next."""


class Apart:
    """A peer's process. It ends with `close`, and at the latest with ours.

    Args:
        script: the peer's side, a file in this folder that calls `serve`.
    """

    def __init__(self, script: str) -> None:
        self.peak_mib = 0
        self.versions: dict[str, str] = {}
        self._script = script
        self._process = subprocess.Popen(
            [str(environment() / "bin" / "python"), str(HERE / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, **command: Any) -> float:
        """Give one command and wait: the seconds it took there.

        Raises:
            RefusedError: it could not.
            RuntimeError: it has ended; why, it has printed itself.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command, ensure_ascii=False) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._script} ended with {self._process.wait()}; its error stands above")
        answer = json.loads(line)
        if "refused" in answer:
            raise RefusedError(f"{self._script}: {answer['refused']}")
        self.peak_mib, self.versions = int(answer["peak MiB"]), answer["versions"]
        return float(answer["seconds"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def environment(requirements: Path = REQUIREMENTS, variable: str = "TAGLOOM_PEERS") -> Path:
    """The folder of the peers' environment; made and filled where there is none, or where what it needs has changed.

    Args:
        requirements: what it needs, `<name>-requirements.txt`; the folder is `.<name>` beside it. A line that pins
            torch is installed before the others: whatever else needs torch would bring another one.
        variable: of the environment; names a folder that is there already.
    """
    if given := os.environ.get(variable):
        return Path(given)
    folder, wanted = HERE / f".{requirements.stem.partition('-')[0]}", requirements.read_text("utf-8")
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"Installing the packages of {requirements.name} into {folder}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        for line in wanted.splitlines():
            if line.startswith("torch=="):
                subprocess.run([*pip, line], check=True)
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        stamp.write_text(wanted, "utf-8")
    return folder


def serve(train: Callable[[dict[str, Any]], Any], score: Callable[[Any, dict[str, Any]], tuple[Any, float]]) -> None:
    """The peer's side: answer commands until there are no more.

    Args:
        train: the command -> a model; a RuntimeError of its own says that nothing was learned.
        score: model and command -> scores [P, L], and the seconds that they took.
    """
    import numpy as np

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What native code prints would be read as an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lines = REQUIREMENTS.read_text("utf-8").splitlines()
    versions = {name: version(name) for line in lines if (name := line.partition("==")[0])[:1].isalpha()}
    model = None
    for line in sys.stdin:
        command = json.loads(line)
        started = time.perf_counter()
        if command["do"] == "train":
            try:
                model = train(command)
            except RuntimeError as error:
                print(json.dumps({"refused": str(error)}), file=answers, flush=True)
                continue
            seconds = time.perf_counter() - started
        else:
            scores, seconds = score(model, command)
            np.save(command["into"], scores)
        # Linux counts in KiB, macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
        answer = {"seconds": seconds, "peak MiB": round(peak), "versions": versions}
        print(json.dumps(answer), file=answers, flush=True)
