"""Fixtures that several folders of tests share: real data, real processes, shops, damage, a real PostgreSQL server."""

from __future__ import annotations

import io
import json
import logging
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
import tomlkit

REPOSITORY = Path(__file__).parent.parent
# Settings of `trained_shop` and `recs_shop`, by section: small and quick.
QUICK = {
    "text": {"vector_epochs": 2},
    "tagger": {"experts": ["linear", "name"], "learning_rate": 8.0, "epochs": 2, "max_features": 5000},
    "recommender": {"epochs": 2, "numbers": "32"},
}


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the data for measuring: $TAGLOOM_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("TAGLOOM_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the data for measuring is not here: {folder} is no folder (TAGLOOM_DATA names another)")
    return folder


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class RunCli(Protocol):
    """Run `tagloom <arguments>` as its own process."""

    def __call__(
        self, *arguments: str | Path, stdin: str = "", cwd: Path | None = None, timeout: float = 120
    ) -> Result: ...


@pytest.fixture
def run_cli(tmp_path: Path) -> RunCli:
    """`run_cli("check", shop)` runs the command in `tmp_path` (or `cwd`), with no colours and a width of 200."""

    def run(*arguments: str | Path, stdin: str = "", cwd: Path | None = None, timeout: float = 120) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "tagloom", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            cwd=cwd or tmp_path,
            timeout=timeout,
            env={**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200", "PYTHONPATH": str(REPOSITORY)},
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`cli("check", shop)` runs the command in this process: quick, for what needs no process of its own."""
    from tagloom.cli import main

    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Result(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., list[str]]:
    """`run_script(code, "a", until="gru 2")` runs Python in `tmp_path`, killed at that line; the lines that it said."""

    def run(code: str, *arguments: str, until: str | None = None) -> list[str]:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", code, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        said: list[str] = []
        with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes) as process:
            for line in process.stdout:
                said.append(line.strip())
                if said[-1] == until:
                    process.kill()
                    break
            errors = process.stderr.read()
        assert (process.returncode == 0) is (until is None), errors
        return said

    return run


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread for torch: small networks are quicker so, and their last bits are the same in every run."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def process_state() -> Callable[[], tuple[object, ...]]:
    """`process_state()` is what a library leaves as it was: random states, loggers, signals, threads, environment."""
    import numpy as np
    import torch

    loggers = [logging.getLogger(name) for name in ("", "lightning", "lightning.pytorch", "lightning.fabric", "torch")]
    return lambda: (
        torch.get_rng_state().tolist(),
        torch.initial_seed(),
        str(np.random.get_state()),
        random.getstate(),
        list(warnings.filters),
        [(logger.level, list(logger.handlers)) for logger in loggers],
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        dict(os.environ),
    )


@pytest.fixture
def differing() -> Callable[[Path, Path], list[Path]]:
    """`differing(one, other)` are the files in which two saved models differ, apart from times and manifests."""

    def contents(folder: Path) -> dict[Path, object]:
        found: dict[Path, object] = {}
        for path in folder.rglob("*"):
            if path.name == "training.json":
                found[path.relative_to(folder)] = about = json.loads(path.read_text(encoding="utf-8"))
                for one in about.values():
                    for figures in one["history"]:
                        del figures["train/seconds"], figures["train/texts_per_second"]
            elif path.is_file() and path.name != "manifest.json":
                found[path.relative_to(folder)] = path.read_bytes()
        return found

    def compare(one: Path, other: Path) -> list[Path]:
        first, second = contents(one), contents(other)
        assert first.keys() == second.keys()
        return [name for name in first if first[name] != second[name]]

    return compare


@pytest.fixture
def check_damage() -> Callable[[Path, Callable[[Path], object]], None]:
    """`check_damage(folder, load)` damages each file in each way; `load` must refuse and name the file."""
    from tagloom.errors import ArtifactError

    def check(folder: Path, load: Callable[[Path], object]) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            whole = path.read_bytes()
            middle = len(whole) // 2
            spoiled = {"removed": None, "truncated": whole[:middle], "longer": whole + b"\n"}
            for how, place in {"first": 0, "middle": middle, "last": len(whole) - 1}.items():
                spoiled[how] = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
            for how, contents in spoiled.items():
                path.unlink() if contents is None else path.write_bytes(contents)
                with pytest.raises(ArtifactError) as refused:
                    load(folder)
                assert path.name in str(refused.value), how
                path.write_bytes(whole)

    return check


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 400 sample products with a small, quick blend, its files beside it; for reading only, see `shop`."""
    from tagloom import Shop, write_sample

    folder = tmp_path_factory.mktemp("trained")
    files = write_sample(folder / "files", products=400, users=60)
    path = Shop.create(folder / "shop").folder / "tagloom.toml"
    settings = tomlkit.parse(path.read_text(encoding="utf-8"))
    for section, less in QUICK.items():
        settings[section].update(less)
    path.write_text(tomlkit.dumps(settings), encoding="utf-8")
    made = Shop.open(path.parent)
    made.load(products=[files.products], events=[files.events])
    made.train("tags")
    return made.folder


@pytest.fixture
def shop(trained_shop: Path, tmp_path: Path) -> Path:
    """A copy of `trained_shop` that a test may change."""
    return shutil.copytree(trained_shop, tmp_path / "shop")


@pytest.fixture(scope="session")
def recs_shop(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `trained_shop` that has a Recommender, too; for reading only."""
    from tagloom import Shop

    made = Shop.open(shutil.copytree(trained_shop, tmp_path_factory.mktemp("recs") / "shop"))
    made.train("recs")
    return made.folder


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of an empty database on a PostgreSQL server of its own, stopped and removed at the end."""
    pytest.importorskip("psycopg")
    initdb, postgres = _postgres_program("initdb"), _postgres_program("postgres")
    account = _postgres_account()
    port = _free_port()
    # Not pytest's tmp_path: that is closed to other accounts, and PostgreSQL refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="tagloom-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "password").write_text("loom\n", encoding="utf-8")
        if account:
            for path in (folder, folder / "password"):
                shutil.chown(path, account, pwd.getpwnam(account).pw_gid)
        _initialise(initdb, folder, account)
        # fsync off: this server's data need not outlive a power cut, and the tests start sooner.
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        command = [postgres, "-D", str(folder / "data"), *(f"--{key}={value}" for key, value in options.items())]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **_as(account))
        url = f"postgresql://postgres:loom@127.0.0.1:{port}/postgres"
        try:
            _wait_until_ready(url, server, folder / "log")
            yield url.replace("postgresql://", "postgresql+psycopg://")
        finally:
            _stop(server)


def _postgres_program(name: str) -> str:
    """The path of a program of the PostgreSQL server; where there is none: skip, or fail if that was forbidden."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True
    )
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, folders)))
    if found:
        return found
    reason = f"no PostgreSQL server here: {name} is neither in PATH nor in /usr/lib/postgresql/*/bin"
    if os.environ.get("TAGLOOM_REQUIRE_POSTGRES"):
        pytest.fail(f"{reason}, and TAGLOOM_REQUIRE_POSTGRES is set")
    pytest.skip(reason)


def _postgres_account() -> str | None:
    """The account to run the server as when we are root; None: as we are."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in accounts else "nobody"


def _as(account: str | None) -> dict[str, object]:
    """The arguments that make subprocess start a program under another account."""
    return {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []} if account else {}


def _initialise(initdb: str, folder: Path, account: str | None) -> None:
    options = [
        "--username=postgres",
        "--auth=scram-sha-256",
        f"--pwfile={folder / 'password'}",
        "--encoding=UTF8",
        "--locale=C",
    ]
    command = [initdb, "-D", str(folder / "data"), *options, "--no-sync"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, **_as(account))
    if done.returncode:
        pytest.fail(f"initdb ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    import psycopg

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    pytest.fail(f"the PostgreSQL server did not answer:\n{log.read_text(encoding='utf-8', errors='replace')}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(2)  # SIGINT: PostgreSQL's fast shutdown, which does not wait for clients
    try:
        server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
