"""A shop's Tagger as versions: trained, broken off and gone on with, measured, taught a new tag."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tagloom.config import SplitSettings, TaggerSettings
from tagloom.errors import UserError
from tagloom.models.catalogue import Catalogue, Progress, checkpoints
from tagloom.versions import Version, Versions

if TYPE_CHECKING:
    from tagloom.data.tables import Products
    from tagloom.data.vocabulary.vocab import Tag, Vocabulary
    from tagloom.data.words.wordvectors import WordVectors
    from tagloom.measure.crossval import CrossValidation
    from tagloom.measure.evaluation import Evaluation
    from tagloom.tags.tagger import Tagger


def train_tagger(
    versions: Versions,
    catalogue: Catalogue,
    split: SplitSettings,
    settings: TaggerSettings,
    word_vectors: WordVectors | None,
    progress: Progress | None,
) -> Version:
    """Train, measure on what was held out, and let the new version answer.

    A training of the same data and settings that was broken off goes on where it was: see `unfinished`.
    """
    from tagloom.data.split import take
    from tagloom.tags.tagger import Tagger

    products, parts, path = catalogue.products, catalogue.split(split), versions.next_path()
    tagger = Tagger(**settings.model_dump()).fit(
        take(products, parts.train),
        take(products, parts.valid),
        vocabulary=catalogue.vocabulary,
        custom_words=catalogue.custom_words,
        word_vectors=word_vectors,
        log_folder=versions.folder.parent / "logs" / versions.job / path.name,
        checkpoint=checkpoints(versions),
        progress=progress,
    )
    figures = tagger.evaluate(take(products, parts.test))
    data = {
        "products": catalogue.fingerprint,
        "with_clean_tags": products.fingerprint(),
        "rows": {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)},
        "split": split.model_dump(),
    }
    tagger.save(path, data=data, metrics=figures.values)
    shutil.rmtree(checkpoints(versions), ignore_errors=True)
    return versions.promote(path.name)


def evaluation_of(version: Version, catalogue: Catalogue) -> Evaluation:
    """How good a version is on the products that its training held out, with the tags they have today."""
    from tagloom.measure.evaluation import read_training

    found = _measured(load_tagger(version, catalogue.vocabulary), catalogue, version)
    return replace(found, training=replace(found.training, curves=read_training(version.path)))


def teach(
    base: Version, catalogue: Catalogue, tag: Tag, product_ids: Sequence[str], texts: Sequence[str]
) -> tuple[Tagger, Tag]:
    """A version's Tagger with a tag that it was not trained on; nothing is trained or saved.

    Args:
        base: the version.
        catalogue: whose vocabulary has the tag.
        tag: the new one.
        product_ids: products that have it.
        texts: others that have it.

    Raises:
        UserError: the Tagger gives the tag already, a product is unknown, or there is no word to go by.
    """
    examples = [*_texts_of(catalogue.products, product_ids), *texts]
    tagger = load_tagger(base, catalogue.vocabulary)
    return tagger.with_tag(tag.name, tag.aliases, examples, tag_id=tag.id), tag


def save_taught(versions: Versions, base: Version, catalogue: Catalogue, taught: tuple[Tagger, Tag]) -> Version:
    """Let what `teach` gave answer from now on, measured on the products that the training of `base` held out."""
    tagger, tag = taught
    figures, path = _measured(tagger, catalogue, base).figures, versions.next_path()
    data: dict[str, Any] = {**base.manifest.data, "added": {"tag": tag.name, "id": tag.id, "to": base.name}}
    tagger.save(path, data=data, metrics=figures.values)
    return versions.promote(path.name)


def load_tagger(version: Version, vocabulary: Vocabulary) -> Tagger:
    """A version's Tagger, speaking the vocabulary's names of today."""
    from tagloom.tags.tagger import Tagger

    return Tagger.load(version.path).named_by(vocabulary)


def _measured(tagger: Tagger, catalogue: Catalogue, version: Version) -> Evaluation:
    """Measured on what the version's training held out; products that came since may be among it."""
    from tagloom.data.split import take

    parts = catalogue.split(SplitSettings(**version.manifest.data["split"]))
    return tagger.evaluation(take(catalogue.products, parts.test))


def _texts_of(products: Products, wanted: Sequence[str]) -> list[str]:
    rows = dict(zip(products.frame["product_id"], range(len(products)), strict=True)) if wanted else {}
    unknown = [product_id for product_id in wanted if product_id not in rows]
    if unknown:
        raise UserError(f"example: there is no product {unknown[0]!r} in the catalogue; give its id, or its text")
    texts = products.texts
    return [texts[rows[product_id]] for product_id in wanted]


def cross_validated(
    catalogue: Catalogue,
    folds: int,
    split: SplitSettings,
    settings: TaggerSettings,
    progress: Callable[..., object],
) -> CrossValidation:
    """Train and measure `folds` Taggers, each on what the others were not measured on."""
    from tagloom.measure.crossval import cross_validate
    from tagloom.tags.tagger import Tagger

    def fit(train: Products, valid: Products | None) -> Tagger:
        tagger = Tagger(**settings.model_dump())
        return tagger.fit(train, valid, vocabulary=catalogue.vocabulary, custom_words=catalogue.custom_words)

    return cross_validate(fit, catalogue.products, folds, split, progress)
