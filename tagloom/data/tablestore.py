"""The folder `tables/`: Parquet files and the one small file that says which of them count.

A change writes new files first and `manifest.json` last, in one step. What the manifest does not name does not exist.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from tagloom.data.tables import EVENT_SCHEMA, PRODUCT_SCHEMA, Events, Products
from tagloom.errors import ShopError, TagloomError
from tagloom.files import write_json

FORMAT = 1
REJECTED = "rejected.jsonl"


@dataclass(frozen=True)
class Imported:
    """One file that was imported: its contents' hash and how many rows were read, kept and rejected."""

    name: str
    table: str
    sha256: str
    time: str
    read: int
    kept: int
    rejected: int


@dataclass(frozen=True)
class Manifest:
    """Which files make up each table, how many rows, and the imports so far; `texts` is behind `contents`."""

    products: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    product_rows: int = 0
    event_rows: int = 0
    generation: int = 0
    imports: tuple[Imported, ...] = ()
    texts: str = ""

    @property
    def contents(self) -> str:
        """The file of products since which nothing but offers has changed; empty without products."""
        return self.texts or "".join(self.products)


@dataclass(frozen=True)
class TableStore:
    """A shop's `tables/` folder."""

    folder: Path

    @property
    def manifest(self) -> Manifest:
        """What counts now.

        Raises:
            TagloomError: the manifest is damaged or written by a newer tagloom.
        """
        path = self.folder / "manifest.json"
        if not path.exists():
            return Manifest()
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("format") > FORMAT:
                raise TagloomError(f"{path}: written by a newer tagloom; upgrade tagloom to read it")
            imports = tuple(Imported(**entry) for entry in values.pop("imports"))
            products, events = tuple(values.pop("products")), tuple(values.pop("events"))
            return Manifest(products, events, imports=imports, **values)
        except (ValueError, KeyError, TypeError) as error:
            raise TagloomError(f"{path}: damaged ({error}); import the files again into a new shop") from error

    def commit(self, manifest: Manifest) -> None:
        """Make a manifest count, then remove files that no longer do."""
        write_json(self.folder / "manifest.json", {"format": FORMAT, **asdict(manifest)})
        self.sweep()

    def sweep(self) -> None:
        """Remove files that do not count: older tables, and what a stopped import left. For whoever is `writing`."""
        manifest = self.manifest
        named = {*manifest.products, *manifest.events}
        for pattern in ("*.parquet*", ".manifest.json.*.tmp", f".{REJECTED}.tmp"):
            for path in self.folder.glob(pattern):
                if path.name not in named:
                    path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Manifest]:
        """Hold the folder for one writer; gives the manifest to start from. Freed even when the process is killed.

        Raises:
            ShopError: another import is running.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ShopError(f"{self.folder}: another import is running; wait for it to end") from error
            yield replace(self.manifest, generation=self.manifest.generation + 1)

    def scan(self, table: str, manifest: Manifest | None = None) -> pl.LazyFrame:
        """A table as a lazy frame, for work that need not hold it all; `manifest` when one is being prepared."""
        paths = [self.folder / name for name in getattr(manifest or self.manifest, table)]
        if not paths:
            schema = PRODUCT_SCHEMA if table == "products" else EVENT_SCHEMA
            return pl.LazyFrame(schema=schema)
        if table == "products":
            # Shops that were made before there were offers lack their columns.
            return pl.scan_parquet(paths, schema=PRODUCT_SCHEMA, missing_columns="insert")
        return pl.scan_parquet(paths)

    def products(self) -> Products:
        """The whole catalogue, tags as they were imported.

        Raises:
            TagloomError: a file is damaged or gone.
        """
        with self._damage():
            return Products(self.scan("products").collect())

    def events(self) -> Events:
        """The whole log in time order; events of the same instant keep the order of import.

        Raises:
            TagloomError: a file is damaged or gone.
        """
        with self._damage():
            return Events(self.scan("events").sort("time", maintain_order=True).collect())

    @contextlib.contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TagloomError(f"{self.folder}: damaged ({reason}); import the files again into a new shop") from error
