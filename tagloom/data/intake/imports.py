"""The import: user's files -> checked Parquet tables, streamed, with every row accounted for."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import polars as pl

from tagloom.config import ReadSettings
from tagloom.data.intake import cells, sql
from tagloom.data.intake.batches import LINE, BadRow, Batch, Source
from tagloom.data.intake.columns import DATA_CSV, ColumnMap, Kind, action_synonyms, guess_kind, map_columns
from tagloom.data.intake.prose import prose
from tagloom.data.intake.read import open_source, read_batches
from tagloom.data.intake.rows import (
    Checked,
    Separators,
    check_events,
    check_offers,
    check_products,
    made_ids,
    require_action,
)
from tagloom.data.intake.upsert import Upserted, index_of, upsert, upsert_joined, upsert_offers
from tagloom.data.tables import EVENT_SCHEMA, OFFERS, PRODUCT_SCHEMA
from tagloom.data.tablestore import REJECTED, Imported, Manifest, TableStore
from tagloom.errors import DataError
from tagloom.files import disk_errors, sync_file

ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class FileReport:
    """What became of one file's rows for one table: `read == kept + same + sum(rejected.values())`."""

    name: str
    table: Kind
    encoding: str
    columns: ColumnMap
    read: int = 0
    kept: int = 0
    same: int = 0
    updated: int = 0
    mended: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    already_imported: bool = False


def import_files(
    store: TableStore,
    sources: Sequence[tuple[str | Path, Kind | None]],
    settings: ReadSettings,
    *,
    again: bool = False,
    progress: Callable[[int], object] = bool,
) -> list[FileReport]:
    """Import files into a shop's tables, all of them or none.

    Args:
        store: where to.
        sources: path or database URL, and which table it fills (None: found out from its columns).
        settings: `[read]` of tagloom.toml.
        again: import a log of events once more although the same contents were imported before.
        progress: told the rows read since its last call.

    Raises:
        DataError: a file cannot be used as it is; nothing was imported.
        TagloomError: the disk is full or the folder cannot be written; nothing was imported.
    """
    reports: list[FileReport] = []
    with disk_errors(store.folder), store.writing() as manifest:
        aside = store.folder / f".{REJECTED}.tmp"
        try:
            with aside.open("w", encoding="utf-8", errors="replace") as rejected:
                for location, kind in sources:
                    source = open_source(location, settings)
                    data_csv = set(source.columns) >= DATA_CSV
                    for table in _tables(source, kind, settings, data_csv):
                        one = _Import(
                            store, settings, source, table, rejected, progress, again=again, data_csv=data_csv
                        )
                        report, manifest = one.run(replace(manifest, generation=manifest.generation + 1))
                        reports.append(report)
            # Before the commit: a crash between the two repeats a rejected row, it never loses one.
            _append(aside, store.folder / REJECTED)
            store.commit(manifest)
        finally:
            aside.unlink(missing_ok=True)
            store.sweep()
    return reports


def _tables(source: Source, kind: Kind | None, settings: ReadSettings, data_csv: bool) -> tuple[Kind, ...]:
    if kind or data_csv:
        return (kind,) if kind else ("products", "events")
    return ("events" if settings.event_columns.get("user_id") in source.columns else guess_kind(source.columns),)


class _Import:
    """One file on its way into one table. Counts grow while it streams by."""

    def __init__(
        self,
        store: TableStore,
        settings: ReadSettings,
        source: Source,
        table: Kind,
        rejected: IO[str],
        progress: Callable[[int], object],
        *,
        again: bool,
        data_csv: bool,
    ) -> None:
        self.store, self.settings, self.source, self.table = store, settings, source, table
        self.file, self.progress, self.again, self.data_csv = rejected, progress, again, data_csv
        self.name = sql.masked(source.name)
        self.mended: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.read = self.good = 0
        self.first_bad: BadRow | None = None

    def run(self, manifest: Manifest) -> tuple[FileReport, Manifest]:
        """Import the file; returns what happened and the manifest to commit."""
        with contextlib.closing(self._batches()) as batches:
            first = next(batches, None)
        if first is None:
            raise DataError(f"{self.name}: there are column names and no rows; export it again, with its rows")
        told = self.settings.product_columns if self.table == "products" else self.settings.event_columns
        names = [name for name in first.frame.columns if name != LINE]
        columns = _with_found_attributes(map_columns(self.table, names, told, self.name, offers=True), first.frame)
        if self.table == "events":
            require_action(columns, self.settings, self.name)
        report = FileReport(self.name, self.table, self.source.encoding, columns)
        sha256 = "" if self.source.format == "sql" else _sha256(Path(self.source.name))
        past = {entry.sha256 for entry in manifest.imports if entry.table == self.table}
        if self.table == "events" and sha256 and sha256 in past and not self.again:
            return replace(report, already_imported=True), manifest
        final = self.store.folder / f"{self.table}-{manifest.generation:05d}.parquet"
        raw = final.with_suffix(".parquet.raw")
        index = self._stream(columns, Separators.of(first.frame, columns, self.settings), raw)
        if self.table == "events":
            raw.rename(final)
            manifest = replace(
                manifest, events=(*manifest.events, final.name), event_rows=manifest.event_rows + self.good
            )
            made = Upserted(self.good, 0, 0, 0)
        else:
            made = self._upserted(self.store.scan("products", manifest), columns, raw, index, final)
            raw.unlink()
            texts = manifest.contents if columns.only_offers else ""
            manifest = replace(manifest, products=(final.name,), product_rows=made.total, texts=texts)
        sync_file(final)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entry = Imported(self.name, self.table, sha256, now, self.read, made.kept, self.rejected.total())
        report = replace(
            report, read=self.read, kept=made.kept, same=made.same, updated=made.updated,
            mended=dict(self.mended), rejected=dict(self.rejected),
        )  # fmt: skip
        return report, replace(manifest, imports=(*manifest.imports, entry))

    def _upserted(self, old: pl.LazyFrame, columns: ColumnMap, raw: Path, index: pl.DataFrame, final: Path) -> Upserted:
        """The new products, or their new offers, over the old ones."""
        given = [name for name in OFFERS if name in columns.fields]
        if self.data_csv or columns.one("product_id") is None:
            return upsert_joined(old, raw, self.good, final, given)
        if not columns.only_offers:
            return upsert(old, raw, index, final, self._reject, given)
        made = upsert_offers(old, raw, index, final, self._reject, given)
        if not made.kept:
            raise self._all_bad()
        return made

    def _batches(self) -> Generator[Batch, None, None]:
        with contextlib.closing(read_batches(self.source, self.settings.batch_rows)) as batches:
            for batch in batches:
                yield _from_data_csv(batch, self.table, self.settings) if self.data_csv else batch

    def _stream(self, columns: ColumnMap, separators: Separators, raw: Path) -> pl.DataFrame:
        """Check batch after batch into the Parquet file `raw`; returns the index of the good products."""
        import pyarrow.parquet

        fields = ("product_id", *OFFERS) if columns.only_offers else tuple(PRODUCT_SCHEMA)
        products = {LINE: pl.Int64(), **{name: PRODUCT_SCHEMA[name] for name in fields}}
        empty = pl.DataFrame(schema=products if self.table == "products" else EVENT_SCHEMA)
        index = [index_of(empty)] if self.table == "products" else [pl.DataFrame()]
        with pyarrow.parquet.ParquetWriter(raw, empty.to_arrow().schema, compression="zstd") as writer:
            for batch in self._batches():
                checked = self._check(batch, columns, separators)
                self.read += batch.rows
                self.mended += checked.mended + Counter(batch.mended)
                self._reject(sorted([*batch.bad, *checked.bad], key=lambda bad: bad.line))
                self.good += checked.frame.height
                if self.table == "products":
                    index.append(index_of(checked.frame))
                writer.write_table(checked.frame.select(empty.columns).to_arrow())
                self.progress(batch.rows)
        if not self.good:
            raise self._all_bad()
        return pl.concat(index)

    def _all_bad(self) -> DataError:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in self.rejected.most_common(3))
        if self.first_bad is None:
            return DataError(f"{self.name}: there are column names and no rows; export it again, with its rows")
        where = f"line {self.first_bad.line}" + (f", column {self.first_bad.column!r}" if self.first_bad.column else "")
        return DataError(
            f"{self.name}: none of its {self.read} rows could be used ({reasons}); the first is {where}:"
            f" {self.first_bad.reason}"
        )

    def _check(self, batch: Batch, columns: ColumnMap, separators: Separators) -> Checked:
        if columns.only_offers:
            return check_offers(batch, columns)
        if self.table == "products":
            return check_products(batch, columns, separators, self.settings)
        return check_events(batch, columns, self.settings)

    def _reject(self, rows: list[BadRow]) -> None:
        for bad in rows:
            self.first_bad = self.first_bad or bad
            entry = {"file": self.name, "line": bad.line, "column": bad.column, "reason": bad.reason, "row": bad.row}
            self.file.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
            self.rejected[f"{bad.column}: {_kind_of(bad.reason)}" if bad.column else _kind_of(bad.reason)] += 1


def _kind_of(reason: str) -> str:
    """A reason without the numbers and names of its row, so that rows of one kind are counted together."""
    return re.sub(r"'.*'", "'...'", re.sub(r"\d+", "N", reason.split(";")[0].split(" (")[0]))


def _from_data_csv(batch: Batch, table: Kind, settings: ReadSettings) -> Batch:
    """The three columns `user_action, product_desc, label` as a products or an events table.

    The product's id is made from its description. An action that is no known word is what the user typed: a search.
    Without a user column all rows are one anonymous user's.
    """
    raw = batch.frame
    if table == "products":
        return replace(batch, frame=raw.select(LINE, "product_desc", "label"))
    # As `check_products` makes it: from the description as it is kept.
    text = prose(raw, ("product_desc",), "description", settings.max_characters, Counter())
    plain = pl.col("user_action").str.strip_chars().str.to_lowercase()
    known = plain.is_in(list(action_synonyms(settings.actions)))
    frame = raw.select(
        pl.exclude("user_action"),
        user_action=pl.when(known).then("user_action").otherwise(pl.lit("search")),
        text=pl.when(~known).then("user_action"),
    ).with_columns(product_id=made_ids(text.fill_null("")))
    if guess_kind(frame.columns) == "products" and "user_id" not in settings.event_columns:
        frame = frame.with_columns(user_id=pl.lit(ANONYMOUS))
    return replace(batch, frame=frame)


def _with_found_attributes(columns: ColumnMap, frame: pl.DataFrame) -> ColumnMap:
    """Take an unused column whose cells all read like `类型#裤*版型#宽松` for the attributes."""
    if columns.kind != "products" or columns.only_offers or "attributes" in columns.fields:
        return columns
    for name in columns.unused:
        sample = [cell for cell in frame[name].head(200) if not cells.is_empty(cell)]
        if sample and all(cells.is_hash_pairs(cell) for cell in sample):
            unused = tuple(other for other in columns.unused if other != name)
            return replace(columns, fields={**columns.fields, "attributes": (name,)}, unused=unused)
    return columns


def _append(source: Path, target: Path) -> None:
    """Add to a file all or nothing, so that its next line begins on a line of its own."""
    with source.open("rb") as new, target.open("ab") as kept:
        size = kept.tell()
        try:
            shutil.copyfileobj(new, kept)
            kept.flush()
            os.fsync(kept.fileno())
        except OSError:
            os.truncate(target, size)
            raise


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
