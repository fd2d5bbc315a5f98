"""The model versions of a shop: `models/<job>/<number>/`, and the one of each job that answers now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tagloom.artifact import Manifest, read_manifest
from tagloom.errors import ArtifactError, ShopError
from tagloom.files import write_text


@dataclass(frozen=True)
class Version:
    """One trained model: its job, name, folder and manifest, and whether it answers now."""

    job: str
    name: str
    path: Path
    manifest: Manifest
    current: bool


@dataclass(frozen=True)
class Versions:
    """All versions of one job; `folder` is the shop's `models/`."""

    folder: Path
    job: str

    def all(self) -> list[Version]:
        """Every version that can be read, oldest first; a damaged one is refused when asked for by name."""
        found = []
        for path in sorted((self.folder / self.job).glob("[0-9]*")):
            try:
                found.append(self.get(path.name))
            except ArtifactError:
                continue
        return found

    def get(self, name: str | None = None) -> Version:
        """A version by name, or the current one.

        Raises:
            ShopError: there is none.
            ArtifactError: its manifest is damaged.
        """
        current = self.current()
        chosen = name or current
        if not chosen:
            raise ShopError(f"no model for {self.job} yet; run: tagloom train {self.folder.parent} {self.job}")
        path = self.folder / self.job / chosen
        if not chosen.isdigit() or not path.is_dir():
            known = ", ".join(version.name for version in self.all()) or "none"
            raise ShopError(f"no version {chosen!r} of {self.job}; there are: {known}")
        return Version(self.job, chosen, path, read_manifest(path), chosen == current)

    def current(self) -> str:
        """The name of the version that answers now; empty when there is none."""
        path = self.folder / self.job / "current"
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    def promote(self, name: str) -> Version:
        """Let a version answer from now on."""
        self.get(name)
        write_text(self.folder / self.job / "current", name + "\n")
        return self.get(name)

    def next_path(self) -> Path:
        """Where the next version goes; numbers are never used twice while a higher one is there."""
        taken = [int(path.name) for path in (self.folder / self.job).glob("[0-9]*") if path.name.isdigit()]
        return self.folder / self.job / f"{max(taken, default=0) + 1:04d}"
