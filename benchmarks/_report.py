"""Where a figure was made, and the files that hold the figures."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

RESULTS = Path(__file__).parent / "results"


def circumstances(libraries: Iterable[str]) -> dict[str, Any]:
    """Command, date, hardware and versions of a run."""
    return {
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(),
        "versions": {library: _version(library) for library in libraries},
    }


def hardware() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )


def known_figures(file: str) -> dict[str, Any]:
    """What a file in results/ holds; nothing where there is none."""
    path = RESULTS / file
    known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return known


def write_figures(file: str, figures: dict[str, Any]) -> None:
    """Write a file in results/, aside and then in its place: a run that is cut off leaves the one before it."""
    path = RESULTS / file
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(figures, ensure_ascii=False, indent=1, default=_plain) + "\n", "utf-8")
    aside.replace(path)


def _plain(value: Any) -> Any:
    """What JSON knows no word for: a table as its rows, a dataclass as its fields, a set as a list."""
    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"expected something that JSON can hold, came {type(value).__name__}")


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"
