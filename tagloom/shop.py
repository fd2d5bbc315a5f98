"""A shop: one folder with settings, tables and models; everything a deployment needs."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.config import Settings, load_settings, settings_from, settings_toml
from tagloom.errors import ShopError
from tagloom.files import disk_errors, folder_aside, write_text
from tagloom.models import recs, tags, words
from tagloom.models.catalogue import Catalogue, Progress, unfinished
from tagloom.versions import Version, Versions

if TYPE_CHECKING:
    from tagloom.data.intake.columns import Kind
    from tagloom.data.intake.imports import FileReport
    from tagloom.data.tables import Events, Products
    from tagloom.data.tablestore import TableStore
    from tagloom.data.vocabulary.lists import UserLists
    from tagloom.data.vocabulary.standard import Standard
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.data.words.lexicon import Lexicon
    from tagloom.measure.crossval import CrossValidation
    from tagloom.measure.evaluation import Evaluation
    from tagloom.measure.tagging import TagMetrics
    from tagloom.recs.measured import Measured
    from tagloom.recs.recommender import Recommender
    from tagloom.recs.showing import Today
    from tagloom.tags.tagger import Tagger

SETTINGS = "tagloom.toml"
JOBS = ("tags", "recs", "words")
_SECTIONS = {"tags": "tagger", "recs": "recommender"}


@dataclass(frozen=True)
class Shop:
    """A shop's folder and its settings. Make one with `Shop.create` or `Shop.open`."""

    folder: Path
    settings: Settings

    @classmethod
    def create(cls, folder: str | Path) -> Shop:
        """Make a new shop: a folder with tagloom.toml and four lists to fill in.

        Raises:
            ShopError: the folder holds a shop, or something else, already.
        """
        from tagloom.data.vocabulary.lists import LIST_FILES

        path = Path(folder)
        if (path / SETTINGS).exists():
            raise ShopError(f"{path}: is a shop already; use it, or choose another folder")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ShopError(f"{path}: is not empty; choose a new folder")
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            settings = Settings()
            for (section, key), text in LIST_FILES.items():
                write_text(path / getattr(getattr(settings, section), key), text)
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
            products, events: those that hold products or events.
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
        if any(report.table == "products" and not report.columns.only_offers for report in reports):
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
        return self.tables.folder / "tags" / self.tables.manifest.contents

    @property
    def lists(self) -> UserLists:
        """The user's synonyms, stop tags and own words, as the files say now."""
        from tagloom.data.vocabulary.lists import UserLists

        return UserLists.of(self.folder, self.settings)

    # Models

    def train(self, job: str, *, progress: Progress | None = None, **settings: Any) -> Version:
        """Train a new model version and let it answer from now on.

        A training of `tags` or `recs` that was broken off goes on where it was, to the same result, unless data or
        settings have changed since.

        Args:
            job: `tags`, `recs`, or `words` for word vectors.
            progress: told the expert, its pass (0 while a step size is tried) and its figures after each pass.
            settings: keys of `[tagger]` or `[recommender]` that differ from tagloom.toml this time.

        Raises:
            DataError: too few tagged products, or too few events.
        """
        if job not in JOBS:
            raise ShopError(f"unknown job {job!r}; there are {', '.join(JOBS)}")
        if job == "words":
            return self._train_words()
        section = _SECTIONS[job]
        given = {**getattr(self.settings, section).model_dump(), **settings}
        asked = getattr(settings_from({section: given}, "settings"), section)
        catalogue, versions = self._catalogue, self._versions(job)
        if job == "recs":
            reader = recs.Reader.of(self._versions("tags"), catalogue)
            return recs.train_recommender(versions, catalogue, (asked, self.settings.search), reader, progress)
        vectors = self.lexicon().vectors if asked.word_vectors else None
        return tags.train_tagger(versions, catalogue, self.settings.split, asked, vectors, progress)

    def unfinished(self, job: str = "tags") -> dict[str, int]:
        """Of a training that was broken off, the passes that each expert has made; empty without one."""
        return unfinished(self._versions(job))

    def evaluation(self, version: str | None = None) -> tuple[Version, Evaluation]:
        """Measure a Tagger on the products that its training held out, with the tags they have today."""
        chosen = self._versions("tags").get(version)
        return chosen, tags.evaluation_of(chosen, self._catalogue)

    def evaluate(self, version: str | None = None) -> tuple[Version, tuple[str, ...], TagMetrics]:
        """Of `evaluation` the version, the tags in the order of the figures per tag, and the figures."""
        chosen, found = self.evaluation(version)
        return chosen, found.tags, found.figures

    def measured(self, version: str | None = None) -> tuple[Version, Measured]:
        """Measure a Recommender on what users did after the part of the log that it learned from."""
        chosen, catalogue = self._versions("recs").get(version), self._catalogue
        return chosen, recs.measured(chosen, catalogue, self._today(catalogue))

    def add_tag(
        self, name: str, aliases: Sequence[str] = (), examples: Sequence[str] = (), texts: Sequence[str] = ()
    ) -> Version:
        """Put a new tag into the vocabulary and let the Tagger give it, as a new version without training.

        Its figures are measured anew. The catalogue stays as it is: the next training learns the tag from the products
        that have it by then.

        Args:
            name: of the tag.
            aliases: other ways it is written.
            examples: ids of products that have it; five say much more than none.
            texts: other texts that have it.

        Raises:
            VocabularyError: an alias belongs to another tag.
            UserError: the Tagger gives the tag already, a product is unknown, or there is no word to go by.
        """
        versions, catalogue = self._versions("tags"), self._catalogue.with_tag(name, aliases)
        taught = tags.teach(versions.get(), catalogue, catalogue.vocabulary.tag(name), examples, texts)
        # Before the version: an id that a model gives must never be given to another tag.
        self.save_vocabulary(catalogue.vocabulary)
        return tags.save_taught(versions, versions.get(), catalogue, taught)

    def cross_validate(self, folds: int, progress: Callable[..., object] = bool) -> CrossValidation:
        """Train and measure `folds` Taggers, each on what the others were not measured on."""
        return tags.cross_validated(self._catalogue, folds, self.settings.split, self.settings.tagger, progress)

    def promote(self, job: str, name: str) -> Version:
        """Let an older or newer version of a job's model answer from now on."""
        return self._versions(job).promote(name)

    def tagger(self, version: str | None = None) -> Tagger:
        """The Tagger that answers now (or a named version), speaking the vocabulary's names of today."""
        return tags.load_tagger(self._versions("tags").get(version), self.vocabulary)

    def recommender(self, version: str | None = None) -> Recommender:
        """The Recommender that answers now (or a named version), with the catalogue and all events of today."""
        chosen, catalogue = self._versions("recs").get(version), self._catalogue
        return recs.load_recommender(chosen, catalogue, self._today(catalogue))

    def lexicon(self) -> Lexicon:
        """The shop's word vectors and sub-words; trained when there are none, or the catalogue has changed since."""
        versions = self._versions("words")
        if not versions.current() or versions.get().manifest.data["products"] != self.raw_products.fingerprint():
            self._train_words()
        return words.load_words(versions)

    def versions(self) -> list[Version]:
        """All model versions of all jobs, oldest first."""
        return [version for job in JOBS for version in self._versions(job).all()]

    def _versions(self, job: str) -> Versions:
        return Versions(self.folder / "models", job)

    @property
    def _catalogue(self) -> Catalogue:
        return Catalogue(
            self.products, lambda: self.events, self.vocabulary, self.lists.words, self.raw_products.fingerprint()
        )

    def _today(self, catalogue: Catalogue) -> Today:
        return recs.today_of(self.settings.rules, self.lists.hidden, catalogue.vocabulary, self.folder)

    def _train_words(self) -> Version:
        return words.train_words(self._versions("words"), self.raw_products, self.settings.text, self.lists.words)
