"""A Recommender's answers against what users did later.

Shapes: Q users who are asked, P products, L tags, T tags of the Tagger.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from tagloom.data.histories import Histories, histories_of
from tagloom.data.tables import Events
from tagloom.errors import DataError
from tagloom.measure.exposure import exposure_metrics
from tagloom.measure.ranking import RankingMetrics, ranking_metrics, top_of
from tagloom.recs.blend import Blend
from tagloom.recs.experts.contract import Asked, Expert, Ints, events_of
from tagloom.recs.experts.popular import PopularExpert
from tagloom.recs.fitted import Fitted
from tagloom.recs.items import Items
from tagloom.recs.showing import Ruled
from tagloom.recs.windows import read_histories

_PRODUCTS, _TAGS = 100, 20  # the length of what is measured
_CUTS = (5, 10, 20)
_MOST_PAIRS = 2_000  # of user and product, of which the Tagger reads the text
_MOST_USERS = 50_000  # drawn from more; of a large catalogue a tenth
_FEWEST = 20  # users from which a figure of a few is told
RECOMMENDER = "recommender"
_VARIETY = (0.0, 0.25, 0.5, 1.0)  # values of the rule that are tried


@dataclass(frozen=True, eq=False)
class Measured:
    """How good, in three questions; each by model, the Recommender's own answer under `recommender`.

    Args:
        products: what comes next; beside it the experts alone and the baselines.
        exposure: what the lists do to the catalogue; see `measure.exposure`.
        tags: the tags of what comes next; beside it each source alone.
        product_tags: of the product that came next its tags, from its text and the history; beside it each view alone.
        few: figures of those that training never met, where there are enough: `new users HR@10` (they get the default),
            `new products HR@20` (users whose next product came since).
        experts: what each of the blend adds, on valid.
        variety: of some values of the rule `variety` HR@10, nDCG@10 and the exposure that come of it.
    """

    products: Mapping[str, RankingMetrics]
    exposure: Mapping[str, Mapping[str, float]]
    tags: Mapping[str, RankingMetrics] = field(default_factory=dict)
    product_tags: Mapping[str, RankingMetrics] = field(default_factory=dict)
    few: Mapping[str, float] = field(default_factory=dict)
    experts: tuple[Mapping[str, Any], ...] = ()
    variety: Mapping[float, Mapping[str, float]] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, float]:
        """The Recommender's own figures, for a manifest."""
        own = {"users": self.products[RECOMMENDER].users, **self.products[RECOMMENDER].values}
        own |= self.exposure.get(RECOMMENDER, {})
        for what, found in (("tags", self.tags), ("product's tags", self.product_tags)):
            if RECOMMENDER in found:
                own[f"{what} nDCG@10"] = found[RECOMMENDER].values["nDCG@10"]
        return {**own, **self.few}

    def as_dict(self) -> dict[str, Any]:
        """All figures with their intervals, as JSON has it."""
        told: dict[str, Any] = {"few": dict(self.few), "experts": [dict(one) for one in self.experts]}
        told["variety"] = [{"variety": level, **found} for level, found in self.variety.items()]
        for what, found in (("products", self.products), ("tags", self.tags), ("product_tags", self.product_tags)):
            told[what] = {
                name: {"users": one.users, **one.values, "interval of nDCG@10": one.interval("nDCG@10")}
                for name, one in found.items()
            }
        for name, figures in self.exposure.items():
            told["products"][name] |= figures
        return told


def measured(fitted: Fitted, before: Events, after: Events) -> Measured:
    """See `Recommender.evaluate`.

    Args:
        fitted: what is measured.
        before: what is known of the users.
        after: what they did then.
    """
    items = fitted.items
    earlier, later = read_histories(before, items, fitted.settings), histories_of(after, items.product_ids)
    truth, first = _taken(later, len(items))
    rows = np.array([-1 if (row := earlier.row(name)) is None else row for name in later.user_ids], np.int64)
    met = np.append(earlier.lengths, 0)[rows] > 0
    chosen = np.flatnonzero(met & (first >= 0))
    most = _MOST_USERS // 10 if items.large else _MOST_USERS
    if len(chosen) > most:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, most, replace=False))
    if not len(chosen):
        raise DataError("nobody did anything with a product both before and after; give more events to measure on")
    asked, truth_known = Asked(earlier.of(rows[chosen]), items), truth[chosen]
    whole = Asked(earlier, items)
    counts = events_of(whole)
    if fitted.showing is not None:
        # How much a product is taken is told by what was known then.
        fitted = replace(fitted, showing=fitted.showing.counting(counts.astype(np.float32), fitted.default))
    mixed = None if fitted.showing is None else fitted.showing.mixed()
    tops = {RECOMMENDER: fitted.top(asked, _PRODUCTS, mixed)[0]}
    tops |= {name: model.top(asked, _PRODUCTS)[0] for name, model in _alone(fitted, whole).items()}
    figures = {name: ranking_metrics(top, truth_known, _CUTS) for name, top in tops.items()}
    exposed = functools.partial(_exposed, truth=truth_known, counts=counts, items=items)
    exposure = {name: exposed(top) for name, top in tops.items()}
    variety = {}
    for level, ruled in _varied(fitted).items():
        top, _ = fitted.top(asked, 10, ruled)
        variety[level] = {**ranking_metrics(top, truth_known, (10,)).values, **exposed(top)}
    new = np.flatnonzero(~met & (first >= 0))[:most]
    few = _few(fitted, later.of(new), truth[new])
    fresh = (items.ids < 0)[first[chosen]]
    if fresh.sum() >= _FEWEST:
        few["new products HR@20"] = float(figures[RECOMMENDER].each["HR@20"][fresh].mean())
    tags, pairs = {}, {}
    if fitted.interest is not None:
        tags = _tags(fitted, asked, truth_known)
        pairs = _product_tags(fitted, asked, first[chosen])
    return Measured(figures, exposure, tags, pairs, few, fitted.contributions, variety)


def _varied(fitted: Fitted) -> dict[float, Ruled]:
    """The shop's rules with some values of `variety`."""
    showing = fitted.showing
    if showing is None:
        return {}
    return {level: showing.mixed(replace(showing.rules, variety=level)) for level in _VARIETY}


def _exposed(top: Ints, truth: Any, counts: Any, items: Items) -> dict[str, float]:
    tags = items.tags if items.tags.nnz else None
    k = min(10, len(items))
    return exposure_metrics(top, products=len(items), popularity=counts, tags=tags, truth=truth, k=k)


def _alone(fitted: Fitted, whole: Asked) -> dict[str, Fitted]:
    """Each of the Recommender's experts alone, and the baselines."""
    counted: dict[str, Expert] = {
        kind: PopularExpert.counted(whole, kind, fitted.settings.weights, of_today=True)
        for kind in ("popular", "recent", "category")
    }
    experts = {**fitted.experts, **counted}
    return {name: replace(fitted, experts=experts, blend=Blend((name,), np.ones(1, np.float32))) for name in experts}


def _taken(later: Histories, products: int) -> tuple[Any, Ints]:
    """CSR matrix [U, P] of what each user took, and the first of it [U]; -1: nothing."""
    there = np.flatnonzero(later.product_ix >= 0)
    users, taken = later.user[there], later.product_ix[there]
    truth = csr_matrix((np.ones(len(there), np.float32), (users, taken)), shape=(len(later), products))
    truth.data[:] = 1  # taken twice is taken
    first = np.full(len(later), -1, np.int64)
    first[users[::-1]] = taken[::-1]
    return truth, first


def _few(fitted: Fitted, newcomers: Histories, truth: Any) -> dict[str, float]:
    """How good the default is for users of whom nothing was known."""
    if len(newcomers) < _FEWEST:
        return {}
    top, _ = fitted.top(Asked(newcomers.recent(0), fitted.items), _PRODUCTS)
    return {"new users HR@10": ranking_metrics(top, truth, _CUTS).values["HR@10"]}


def _tags(fitted: Fitted, asked: Asked, truth: Any) -> dict[str, RankingMetrics]:
    """The tags of what comes next, by each source and by all of them."""
    assert fitted.interest is not None  # noqa: S101 (asked before)
    tops: dict[str, list[Ints]] = {}
    wanted = (truth @ asked.items.tags).tocsr()
    wanted.data[:] = 1
    if not wanted.nnz:
        return {}
    for _, part in fitted.in_parts(asked):
        sources = fitted.interest.sources(part, fitted.scored(part), fitted.experts)
        sources = {RECOMMENDER: fitted.interest.blend.joined(list(sources.values())), **sources}
        for name, scores in sources.items():
            tops.setdefault(name, []).append(top_of(scores, _TAGS))
    return {name: ranking_metrics(np.concatenate(parts), wanted, _CUTS) for name, parts in tops.items()}


def _product_tags(fitted: Fitted, asked: Asked, first: Ints) -> dict[str, RankingMetrics]:
    """Of the next product its tags: from its text and the history, from its text, from the history."""
    tagger, joint, items, interest = fitted.tagger, fitted.joint, asked.items, fitted.interest
    if tagger is None or joint is None or interest is None or not items.texts:
        return {}
    # The Tagger would be surer of products that it learned from than it can be of new ones, which have no id.
    judged = np.isin(items.ids[first], np.append(fitted.unseen, -1))
    rows = np.flatnonzero(judged)[:_MOST_PAIRS]
    rows = rows[joint.truth(items.tags[first[rows]]).sum(1) > 0]
    if len(rows) < _FEWEST:
        return {}
    sure = np.concatenate(list(tagger.confidences([items.texts[row] for row in first[rows]])))
    wanted = fitted.interest_of(asked.of(rows))
    views = {
        RECOMMENDER: joint.confidences(sure, wanted, interest.popular),
        "tagger": sure,
        "interest": np.hstack([wanted, np.full((len(rows), 1), -np.inf, np.float32)])[:, joint.columns],
    }
    truth = csr_matrix(joint.truth(items.tags[first[rows]]))
    return {name: ranking_metrics(top_of(scores, _TAGS), truth, _CUTS) for name, scores in views.items()}
