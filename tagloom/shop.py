"""A shop: one folder with settings, tables and models; everything a deployment needs."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.config import Settings, SplitSettings, load_settings, settings_toml
from tagloom.errors import ShopError
from tagloom.files import disk_errors, folder_aside, write_text
from tagloom.versions import Version, Versions

if TYPE_CHECKING:
    from tagloom.data.intake.columns import Kind
    from tagloom.data.intake.imports import FileReport
    from tagloom.data.split import Split
    from tagloom.data.tables import Events, Products
    from tagloom.data.tablestore import TableStore
    from tagloom.data.vocabulary.lists import UserLists
    from tagloom.data.vocabulary.standard import Standard
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.data.words.lexicon import Lexicon
    from tagloom.measure.crossval import CrossValidation
    from tagloom.measure.tagging import TagMetrics
    from tagloom.tags.models import Progress
    from tagloom.tags.tagger import Tagger

SETTINGS = "tagloom.toml"
JOBS = ("tags", "words")
_LISTS = {
    "synonyms": "# A line a tag: name = alias, alias\n# 笔记本电脑 = 笔记本, 手提电脑\n",
    "stop_tags": "# Tags that are never wanted, one a line; name=* drops a whole attribute.\n",
    "words": "# Your own words and brands, one a line; they are never split.\n",
}


@dataclass(frozen=True)
class Shop:
    """A shop's folder and its settings. Make one with `Shop.create` or `Shop.open`."""

    folder: Path
    settings: Settings

    @classmethod
    def create(cls, folder: str | Path) -> Shop:
        """Make a new shop: a folder with tagloom.toml and three lists to fill in.

        Raises:
            ShopError: the folder holds a shop, or something else, already.
        """
        path = Path(folder)
        if (path / SETTINGS).exists():
            raise ShopError(f"{path}: is a shop already; use it, or choose another folder")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ShopError(f"{path}: is not empty; choose a new folder")
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            settings = Settings()
            for key, text in _LISTS.items():
                name = settings.text.words if key == "words" else getattr(settings.tags, key)
                write_text(path / name, text)
            write_text(path / SETTINGS, settings_toml(settings))
        return cls(path, settings)

    @classmethod
    def open(cls, folder: str | Path) -> Shop:
        """Open a shop.

        Raises:
            ShopError: no shop there.
            SettingsError: tagloom.toml is wrong.
        """
        path = Path(folder)
        if not (path / SETTINGS).is_file():
            raise ShopError(f"{path}: no shop here ({SETTINGS} is missing); make one with: tagloom init {path}")
        return cls(path, load_settings(path / SETTINGS))

    # Tables

    @property
    def tables(self) -> TableStore:
        """The folder of Parquet tables."""
        from tagloom.data.tablestore import TableStore

        return TableStore(self.folder / "tables")

    def load(
        self,
        *files: str | Path,
        products: Sequence[str | Path] = (),
        events: Sequence[str | Path] = (),
        again: bool = False,
        progress: Callable[[int], object] = bool,
    ) -> list[FileReport]:
        """Import files or database tables, all or none, and clean the tags.

        Args:
            files: paths or URLs whose kind is found out from their columns.
            products: those that hold products.
            events: those that hold events.
            again: import the same log of events once more.
            progress: told the rows read since its last call.

        Raises:
            DataError: a file cannot be used; names it and says what to do. Nothing was imported.
        """
        from tagloom.data.intake.imports import import_files

        sources: list[tuple[str | Path, Kind | None]] = [(name, "products") for name in products]
        sources += [(name, "events") for name in events]
        sources += [(name, None) for name in files]
        if not sources:
            raise ShopError("nothing to import; name at least one file")
        _ = self.lists  # a wrong synonym file is told before the long work, not after it
        reports = import_files(self.tables, sources, self.settings.read, again=again, progress=progress)
        if any(report.table == "products" for report in reports):
            self.clean()
        return reports

    @property
    def raw_products(self) -> Products:
        """The catalogue with tags as they were imported; a `ShopError` when nothing was imported yet."""
        if not len(products := self.tables.products()):
            raise ShopError(f"{self.folder}: has no products yet; run: tagloom import {self.folder} --products FILE")
        return products

    @property
    def products(self) -> Products:
        """The catalogue with clean tags, under the names of today."""
        import polars as pl

        from tagloom.data.vocabulary.standard import with_standard_tags

        raw, path = self.raw_products, self._cleaned
        mapping = pl.read_parquet(path) if path.exists() else self.clean().cleaning.mapping
        return with_standard_tags(raw, self.settings.tags, mapping, self.vocabulary)

    @property
    def events(self) -> Events:
        """Users' behaviour in time order."""
        return self.tables.events()

    # Tags

    @property
    def vocabulary(self) -> Vocabulary:
        """The tags with their ids, aliases, parents and history."""
        from tagloom.data.vocabulary.vocab import Vocabulary

        path = self.tables.folder / "vocabulary.jsonl"
        return Vocabulary.load(path) if path.exists() else Vocabulary()

    def save_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Keep a changed vocabulary."""
        vocabulary.save(self.tables.folder / "vocabulary.jsonl")

    def clean(self) -> Standard:
        """Clean the catalogue's tags anew, with the settings and lists of now; ids stay."""
        from tagloom.data.vocabulary.standard import standardise

        standard = standardise(self.raw_products, self.settings.tags, self.lists, self.vocabulary)
        packed, path = io.BytesIO(), self._cleaned
        standard.cleaning.mapping.write_parquet(packed)
        with folder_aside(path.parent) as new:
            (new / path.name).write_bytes(packed.getvalue())
            self.save_vocabulary(standard.cleaning.vocabulary)
            shutil.rmtree(path.parent, ignore_errors=True)  # what it held can be made again
        return standard

    @property
    def _cleaned(self) -> Path:
        """What became of each raw tag; the file has the name of the table that it was made from."""
        return self.tables.folder / "tags" / self.tables.manifest.products[0]

    @property
    def lists(self) -> UserLists:
        """The user's synonyms, stop tags and own words, as the files say now."""
        from tagloom.data.vocabulary.lists import UserLists

        return UserLists.of(self.folder, self.settings)

    # Models

    def train(self, job: str, *, progress: Progress | None = None, **settings: Any) -> Version:
        """Train a new model version and let it answer from now on.

        Args:
            job: `tags`, or `words` for word vectors.
            progress: told the pass and its figures after each pass.
            settings: keys of `[tagger]` that differ from tagloom.toml this time.

        Raises:
            DataError: too few tagged products.
        """
        if job == "words":
            return self._train_words()
        if job != "tags":
            raise ShopError(f"unknown job {job!r}; there are {', '.join(JOBS)}")
        from tagloom.data.split import take
        from tagloom.tags.tagger import Tagger

        products = self.products
        parts = self._split(products, self.settings.split)
        versions = Versions(self.folder / "models", "tags")
        path = versions.next_path()
        chosen = {**self.settings.tagger.model_dump(), **settings}
        uses_vectors = chosen["encoder"] == "bag" and chosen["word_vectors"]
        tagger = Tagger(**chosen).fit(
            take(products, parts.train),
            take(products, parts.valid),
            vocabulary=self.vocabulary,
            custom_words=self.lists.words,
            word_vectors=self.lexicon().vectors if uses_vectors else None,
            log_folder=self.folder / "logs" / "tags" / path.name,
            progress=progress,
        )
        figures = tagger.evaluate(take(products, parts.test))
        data = {
            "products": self.raw_products.fingerprint(),
            "with_clean_tags": products.fingerprint(),
            "rows": {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)},
            "split": self.settings.split.model_dump(),
        }
        tagger.save(path, data=data, metrics=figures.values)
        return versions.promote(path.name)

    def evaluate(self, version: str | None = None) -> tuple[Version, tuple[str, ...], TagMetrics]:
        """Measure a Tagger on the products that its training held out, with the tags they have today.

        Returns:
            The version, its tags in the order of the figures per tag, and the figures.
        """
        from tagloom.data.split import take
        from tagloom.tags.tagger import Tagger

        chosen = Versions(self.folder / "models", "tags").get(version)
        products = self.products
        parts = self._split(products, SplitSettings(**chosen.manifest.data["split"]))
        tagger = Tagger.load(chosen.path).named_by(self.vocabulary)
        return chosen, tagger.tags, tagger.evaluate(take(products, parts.test))

    def cross_validate(self, folds: int, progress: Callable[..., object] = bool) -> CrossValidation:
        """Train and measure `folds` Taggers, each on what the others were not measured on."""
        from tagloom.measure.crossval import cross_validate
        from tagloom.tags.tagger import Tagger

        def fit(train: Products, valid: Products | None) -> Tagger:
            tagger = Tagger(**self.settings.tagger.model_dump())
            return tagger.fit(train, valid, vocabulary=self.vocabulary, custom_words=self.lists.words)

        return cross_validate(fit, self.products, folds, self.settings.split, progress)

    def promote(self, job: str, name: str) -> Version:
        """Let an older or newer version of a job's model answer from now on."""
        return Versions(self.folder / "models", job).promote(name)

    def tagger(self, version: str | None = None) -> Tagger:
        """The Tagger that answers now (or a named version), speaking the vocabulary's names of today."""
        from tagloom.tags.tagger import Tagger

        return Tagger.load(Versions(self.folder / "models", "tags").get(version).path).named_by(self.vocabulary)

    def lexicon(self) -> Lexicon:
        """The shop's word vectors and sub-words; trained when there are none, or the catalogue has changed since."""
        from tagloom.artifact import check_artifact
        from tagloom.data.words.lexicon import Lexicon

        versions = Versions(self.folder / "models", "words")
        if not versions.current() or versions.get().manifest.data["products"] != self.raw_products.fingerprint():
            self._train_words()
        path = versions.get().path
        check_artifact(path, "words")
        return Lexicon.load(path)

    def versions(self) -> list[Version]:
        """All model versions of all jobs, oldest first."""
        return [version for job in JOBS for version in Versions(self.folder / "models", job).all()]

    def _split(self, products: Products, settings: SplitSettings) -> Split:
        from tagloom.data.split import split_products

        return split_products(products, settings, self.events if settings.by == "time" else None)

    def _train_words(self) -> Version:
        from tagloom.artifact import new_artifact
        from tagloom.data.words.lexicon import Lexicon

        settings, products = self.settings.text, self.raw_products
        lexicon = Lexicon.train(products.texts.to_list(), settings, self.lists.words)
        versions = Versions(self.folder / "models", "words")
        path = versions.next_path()
        data = {"products": products.fingerprint(), "rows": len(products)}
        figures = {"words": len(lexicon.vectors), "subwords": len(lexicon.subwords)}
        with new_artifact(path, "words", settings.model_dump(), data, figures) as folder:
            lexicon.save(folder)
        return versions.promote(path.name)
