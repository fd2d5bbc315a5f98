"""A shop's Recommender as versions: trained, gone on with, measured, loaded with what users did since."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagloom.config import RecommenderSettings, RulesSettings, SearchSettings, SplitSettings
from tagloom.errors import DataError
from tagloom.models.catalogue import Catalogue, Progress, checkpoints
from tagloom.models.tags import load_tagger
from tagloom.versions import Version, Versions

if TYPE_CHECKING:
    from tagloom.data.split import Rows
    from tagloom.data.tables import Events
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.recs.measured import Measured
    from tagloom.recs.recommender import Recommender
    from tagloom.recs.showing import Today
    from tagloom.tags.tagger import Tagger

_INDEX = "index"


@dataclass(frozen=True, eq=False)
class Reader:
    """The shop's Tagger, which reads texts for the Recommender.

    Args:
        name: of its version.
        tagger: it.
        unseen: rows of the catalogue that its training held out.
    """

    name: str
    tagger: Tagger
    unseen: Rows

    @classmethod
    def of(cls, versions: Versions, catalogue: Catalogue) -> Reader | None:
        """The Tagger that answers now; None where there is none yet."""
        import numpy as np

        if not versions.current():
            return None
        version = versions.get()
        parts = catalogue.split(SplitSettings(**version.manifest.data["split"]))
        unseen = np.union1d(parts.valid, parts.test)
        return cls(version.name, load_tagger(version, catalogue.vocabulary), unseen)


def train_recommender(
    versions: Versions,
    catalogue: Catalogue,
    settings: tuple[RecommenderSettings, SearchSettings],
    reader: Reader | None,
    progress: Progress | None,
) -> Version:
    """Train, measure on what users did after the log that was learned from, and let the new version answer.

    A training of the same data and settings that was broken off goes on where it was.
    """
    from tagloom.recs.recommender import Recommender

    products, path, how = catalogue.products, versions.next_path(), settings[0]
    before, after = _parts(catalogue, how.split, how.test)
    recommender = Recommender(**how.model_dump()).fit(
        products,
        before,
        tagger=(reader.tagger, reader.unseen) if reader else None,
        vocabulary=catalogue.vocabulary,
        custom_words=catalogue.custom_words,
        search=settings[1],
        log_folder=versions.folder.parent / "logs" / versions.job / path.name,
        checkpoint=checkpoints(versions),
        progress=progress,
    )
    try:
        figures = recommender.evaluate(before, after).values
    except DataError as error:
        warnings.warn(f"the new version could not be measured: {error}", RuntimeWarning, stacklevel=2)
        figures = {}
    data: dict[str, Any] = {
        "products": catalogue.fingerprint,
        "with_clean_tags": products.fingerprint(),
        "events": catalogue.events().fingerprint(),
        "rows": {"train": len(before), "test": len(after)},
        "split": {"by": how.split, "test": how.test},
        "tagger": reader.name if reader else None,
    }
    recommender.save(path, data=data, metrics=figures)
    shutil.rmtree(checkpoints(versions), ignore_errors=True)
    return versions.promote(path.name)


def measured(version: Version, catalogue: Catalogue, today: Today) -> Measured:
    """How good a version is on what users did after the log that it learned from.

    Events that were imported since are among what it is measured on where the log is divided by time.
    """
    from tagloom.recs.recommender import Recommender

    split = version.manifest.data["split"]
    before, after = _parts(catalogue, split["by"], split["test"])
    recommender = Recommender.load(version.path).named_by(catalogue.vocabulary)
    return recommender.seeing(catalogue.products, today=today).evaluate(before, after)


def load_recommender(version: Version, catalogue: Catalogue, today: Today) -> Recommender:
    """A version's Recommender with the catalogue, the log, the tags' names and the rules of today."""
    from tagloom.recs.recommender import Recommender

    recommender = Recommender.load(version.path).named_by(catalogue.vocabulary)
    return recommender.seeing(catalogue.products, catalogue.events(), datetime.now(UTC), today)


def today_of(settings: RulesSettings, hidden: Collection[str], vocabulary: Vocabulary, folder: Path) -> Today:
    """What a shop in a folder says of today."""
    from tagloom.recs.rules import Rules
    from tagloom.recs.showing import Today

    mixture = settings.model_dump(include={"per_category", "new_share", "variety"})
    again = {"auto": None, "yes": True, "no": False}[settings.again]
    return Today(hidden, Rules(**mixture, again=again), settings.new_events, vocabulary, folder / _INDEX)


def _parts(catalogue: Catalogue, by: str, share: float) -> tuple[Events, Events]:
    from tagloom.recs.split import split_events

    # An event that is dated wrongly, in the future, would make all others old.
    log = catalogue.events().before(datetime.now(UTC))
    return split_events(log, catalogue.products.frame["product_id"].to_list(), by, share)
