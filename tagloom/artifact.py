"""A model version on disk: a folder with a manifest, safetensors and JSON; complete and checked, or refused."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.errors import ArtifactError
from tagloom.files import folder_aside, write_text

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT = 1
MANIFEST = "manifest.json"
_LIBRARIES = ("tagloom", "torch", "numpy", "scipy", "scikit-learn", "polars")


@dataclass(frozen=True)
class Manifest:
    """What a model version is: which job, made with which settings from which data, how good, of which files.

    On disk it carries a checksum of itself beside these fields.
    """

    job: str
    settings: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any] = field(default_factory=dict)
    created: str = ""
    libraries: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(entry["bytes"] for entry in self.files.values())


@contextlib.contextmanager
def new_artifact(
    path: Path, job: str, settings: dict[str, Any], data: dict[str, Any], metrics: dict[str, Any]
) -> Iterator[Path]:
    """A folder to fill with a model's files; it becomes `path` in one step when the block ends well.

    Raises:
        ArtifactError: `path` exists: a model version never changes.
    """
    if path.exists():
        raise ArtifactError(f"{path}: exists already; a model version is never overwritten")
    with folder_aside(path) as folder:
        yield folder
        files = {
            file.relative_to(folder).as_posix(): {"sha256": _sha256(file), "bytes": file.stat().st_size}
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        libraries = {name: _version(name) for name in _LIBRARIES}
        manifest = Manifest(job, settings, data, metrics, created, libraries, files)
        write_text(folder / MANIFEST, _manifest_text(asdict(manifest)))


def read_manifest(path: Path) -> Manifest:
    """The manifest of a model version, without checking its files.

    Raises:
        ArtifactError: none there, damaged, or written by a newer tagloom.
    """
    file = path / MANIFEST
    try:
        # Not read_text: that would take another line end for ours.
        text = file.read_bytes().decode("utf-8")
        values = json.loads(text)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(f"{path}: no model version here ({MANIFEST} is missing)") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(file, str(error)) from error
    except OSError as error:
        raise ArtifactError(f"{file}: cannot be read ({error.strerror})") from error
    written = values.get("format") if isinstance(values, dict) else None
    if not isinstance(written, int):
        raise _damaged(file, "no format number")
    # Before the checksum: a newer format may well reckon it in another way.
    if written > FORMAT:
        raise ArtifactError(
            f"{file}: written in format {written} by a newer tagloom; this one reads up to {FORMAT}. Upgrade tagloom"
        )
    values.pop("checksum", None)
    if _manifest_text(values) != text:
        raise _damaged(file, "its checksum does not match")
    try:
        return Manifest(**values)
    except TypeError as error:
        raise _damaged(file, str(error)) from error


def check_artifact(path: Path, job: str) -> Manifest:
    """The manifest of a model version whose every file is there and unchanged.

    Raises:
        ArtifactError: a file is missing, changed or of another size; or the version is for another job.
    """
    manifest = read_manifest(path)
    if manifest.job != job:
        raise ArtifactError(f"{path}: holds a model for {manifest.job!r}, not for {job!r}")
    for name, entry in manifest.files.items():
        file = path / name
        try:
            same = file.stat().st_size == entry["bytes"] and _sha256(file) == entry["sha256"]
        except FileNotFoundError as error:
            raise ArtifactError(f"{file}: missing; train again or restore a backup") from error
        except OSError as error:
            raise ArtifactError(f"{file}: cannot be read ({error.strerror})") from error
        if not same:
            raise _damaged(file, "its checksum does not match")
    return manifest


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write arrays as safetensors."""
    import numpy as np
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def load_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read arrays written by `save_arrays`.

    Raises:
        ArtifactError: not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error)) from error


def save_part(folder: Path, name: str, arrays: dict[str, npt.NDArray[Any]], about: dict[str, Any]) -> None:
    """Write a part of a model: `<name>.safetensors`, and what JSON can hold as `<name>.json`."""
    save_arrays(folder / f"{name}.safetensors", arrays)
    (folder / f"{name}.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def load_part(folder: Path, name: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read what `save_part` wrote: the arrays, and the rest."""
    about: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return load_arrays(folder / f"{name}.safetensors"), about


def _damaged(file: Path, why: str) -> ArtifactError:
    return ArtifactError(f"{file}: damaged ({why}); train again or restore a backup")


def _manifest_text(values: dict[str, Any]) -> str:
    """The manifest's one spelling: what is read must be these very characters."""
    plain = json.dumps(values, ensure_ascii=False, indent=1)
    checksum = hashlib.sha256(plain.encode()).hexdigest()
    return json.dumps({**values, "checksum": checksum}, ensure_ascii=False, indent=1) + "\n"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
