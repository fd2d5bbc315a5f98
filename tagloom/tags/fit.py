"""How a Tagger learns: texts to features, expert after expert, then blend, calibration and thresholds on valid.

Shapes: U different texts of valid, L tags, M columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import TaggerSettings
from tagloom.data.split import hold_out, take
from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError
from tagloom.measure.tagging import best_threshold, tag_metrics
from tagloom.tags.blend import Blend
from tagloom.tags.calibrate import Calibration
from tagloom.tags.decide import promised_thresholds
from tagloom.tags.experts.contract import Expert, Floats, Part, Progress, TrainingData
from tagloom.tags.experts.name import spellings_of
from tagloom.tags.families import exclusive_families, one_of_each
from tagloom.tags.features import Features
from tagloom.tags.fitted import Fitted, expert_scores
from tagloom.tags.models import MODELS, experts_for
from tagloom.tags.newcomers import Judge, Task, draw_tasks, draw_texts

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary
    from tagloom.data.words.wordvectors import WordVectors
    from tagloom.nn.training import Trained

_VALID_SHARE = 0.1
# More than this makes stopping, calibration and thresholds no better, and every pair of product and tag takes room.
_MOST_VALID, _MOST_VALID_PAIRS, _FEWEST_VALID = 20_000, 40_000_000, 200


def fit_tagger(
    train: Products,
    valid: Products | None,
    settings: TaggerSettings,
    *,
    vocabulary: Vocabulary | None,
    custom_words: Sequence[str],
    word_vectors: WordVectors | None,
    log_folder: Path | None,
    checkpoint: Path | None,
    progress: Callable[[str, int, dict[str, float]], object] | None,
) -> Fitted:
    """Learn from tagged products; the arguments are those of `Tagger.fit`."""
    train, valid = _tagged_parts(train, valid, settings.seed)
    tags = sorted(set(train.frame["tags"].explode().drop_nulls()))
    ids = tuple(range(len(tags)))
    if vocabulary is not None:
        tags = sorted(tags, key=lambda name: vocabulary.tag(name).id)
        ids = tuple(vocabulary.tag(name).id for name in tags)
    data = _training_data(train, _drawn(valid, len(tags), settings.seed), tags, settings, vocabulary, custom_words)
    experts: dict[str, Expert] = {}
    trained: dict[str, Trained] = {}
    for name in experts_for(settings, data):
        own = TrainingData(
            data.features, data.train, data.valid, data.names, data.aliases, data.families, word_vectors,
            log_folder / name if log_folder else None,
            checkpoint / name if checkpoint else None,
            _told_to(progress, name),
        )  # fmt: skip
        experts[name], how = MODELS[name][0](own, settings)
        if how is not None:
            trained[name] = how
    return _joined(data, experts, trained, settings, tuple(tags), ids, _parents(vocabulary))


def _joined(
    data: TrainingData,
    experts: Mapping[str, Expert],
    trained: Mapping[str, Trained],
    settings: TaggerSettings,
    names: tuple[str, ...],
    ids: tuple[int, ...],
    parents: Mapping[int, int],
) -> Fitted:
    """Fit on valid what joins the experts and turns their scores into confidences and decisions."""
    by_family = settings.loss == "family"
    families = data.families if by_family else ()
    valid, seed = data.valid, settings.seed
    truth = valid.truth.toarray()
    scores = {name: expert_scores(name, one, valid.reading, families) for name, one in experts.items()}
    blend = Blend.fit(scores, truth, valid.weights, seed)
    joined = blend.joined(scores)
    calibration = Calibration.fit(joined, truth, valid.weights, seed)
    confidences = calibration.confidences(joined)
    # What can be given: of an exclusive family only the surest. The rest would spoil what the thresholds are for.
    surest = one_of_each(confidences, np.ones(confidences.shape, bool), data.families)
    offered = np.where(surest, confidences, 0.0)
    fitted = Fitted(
        features=data.features,
        experts=experts,
        blend=blend,
        calibration=calibration,
        judge=Judge(np.zeros((2, 5))),
        names=names,
        ids=ids,
        fitted_ids=ids,
        families=data.families,
        scored_by_family=by_family,
        parents=parents,
        threshold=best_threshold(offered[valid.text_of], valid.products.toarray()),
        promised=_promises(offered, valid.weights),
        counts=data.counts,
        trained_on=len(data.train.text_of),
        contributions=_contributions(blend, scores, truth),
        trained=trained,
    )
    return replace(fitted, judge=_judge(fitted, data, confidences, truth, seed))


def _promises(confidences: Floats, weights: Floats) -> Floats:
    """[R, L + 1]: the last column is that of all tags together."""
    own = promised_thresholds(confidences, weights)
    shared = promised_thresholds(confidences.reshape(-1, 1), np.repeat(weights, confidences.shape[1]))
    return np.hstack([own, shared])


def _contributions(blend: Blend, scores: Mapping[str, Floats], truth: Floats) -> tuple[dict[str, Any], ...]:
    """For each expert its weight, and nDCG@10 on valid: alone, and of the blend without it."""

    def ndcg(given: Floats) -> float:
        return tag_metrics([(given, truth)], np.inf).values["nDCG@10"]

    whole = ndcg(blend.joined(scores))
    return tuple(
        {
            "expert": name,
            "weight": weight,
            "alone": ndcg(scores[name]),
            "without": ndcg(blend.without[name].joined(scores)) if name in blend.without else whole,
            "blend": whole,
        }
        for name, weight in blend.weights.items()
    )


def _judge(fitted: Fitted, data: TrainingData, confidences: Floats, truth: Floats, seed: int) -> Judge:
    """Learn how new tags are judged, by taking known ones for new."""
    drawn = draw_tasks(data.counts, data.train.truth, seed)
    texts = draw_texts(len(data.valid.reading), seed)
    read = data.valid.reading.part(texts)
    tasks = []
    for tag, examples in drawn.items():
        shown = data.train.reading.part(examples)
        spellings = spellings_of(data.names[tag], data.aliases.get(data.names[tag], ()))
        name = data.features.read([" ".join(spellings)])
        known = fitted.trained_confidences(shown), fitted.trained_confidences(name)
        tasks.append(Task(tag, spellings, truth[texts, tag], (shown, known[0]), (name, known[1])))
    return Judge.fit(tasks, (read, confidences[texts]))


def _training_data(
    train: Products,
    valid: Products,
    tags: Sequence[str],
    settings: TaggerSettings,
    vocabulary: Vocabulary | None,
    custom_words: Sequence[str],
) -> TrainingData:
    texts = train.texts.to_list()
    features = Features.fit(list(dict.fromkeys(texts)), settings, WordSplitter(tuple(custom_words)))
    parts = [Part.of(features, part.texts.to_list(), truth_of(part, tags)) for part in (train, valid)]
    aliases, parents = {}, {}
    if vocabulary is not None:
        known = {tag.id: tag for tag in vocabulary.tags}
        aliases = {tag.name: tag.aliases for tag in known.values()}
        parents = {tag.name: known[tag.parent].name for tag in known.values() if tag.parent is not None}
    families = exclusive_families(tags, parents, parts[0].truth, settings.exclusive)
    return TrainingData(features, parts[0], parts[1], tuple(tags), aliases, families)


def _parents(vocabulary: Vocabulary | None) -> dict[int, int]:
    return {tag.id: tag.parent for tag in (vocabulary.tags if vocabulary else ()) if tag.parent is not None}


def _told_to(progress: Callable[[str, int, dict[str, float]], object] | None, name: str) -> Progress | None:
    return None if progress is None else lambda number, figures: progress(name, number, figures)


def _tagged_parts(train: Products, valid: Products | None, seed: int) -> tuple[Products, Products]:
    """Train and valid without the untagged: no tag on a product says that nobody tagged it yet, not that none fits."""
    train = tagged(train)
    if not len(train):
        raise DataError("no products with tags to learn from; import products with tags, or lower tags.min_support")
    if valid is None:
        rest, held_out = hold_out(train, _VALID_SHARE, seed)
        train, valid = take(train, rest), take(train, held_out)
    valid = tagged(valid)
    if not len(valid):
        raise DataError("no tagged products are left for valid; import more, or raise split.valid")
    return train, valid


def _drawn(valid: Products, tags: int, seed: int) -> Products:
    """So many products of valid that their pairs with all tags fit into memory."""
    most = min(_MOST_VALID, max(_FEWEST_VALID, _MOST_VALID_PAIRS // tags))
    if len(valid) <= most:
        return valid
    drawn = np.random.default_rng(seed).choice(len(valid), most, replace=False)
    return take(valid, np.sort(drawn))


def tagged(products: Products) -> Products:
    """The products that have a tag."""
    return Products(products.frame.filter(products.frame["tags"].list.len() > 0))


def truth_of(products: Products, tags: Sequence[str]) -> Any:
    """CSR matrix [P, L] of the products' tags; tags that are not in the list are left out."""
    import polars as pl
    from scipy.sparse import csr_matrix

    columns = pl.DataFrame(
        {"tags": list(tags), "column": range(len(tags))}, schema={"tags": pl.String, "column": pl.Int64}
    )
    pairs = products.frame.select("tags").with_row_index("row").explode("tags").join(columns, on="tags")
    pairs = pairs.unique(["row", "column"])
    ones = np.ones(pairs.height, np.float32)
    return csr_matrix((ones, (pairs["row"], pairs["column"])), shape=(len(products), len(tags)))
