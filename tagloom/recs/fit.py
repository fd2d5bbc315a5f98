"""How a Recommender learns: experts on the log without its end, the blend on that end, then the experts on all of it.

Shapes: U users, Q users who are asked, P products, L tags, E experts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import RecommenderSettings, SearchSettings, Settings
from tagloom.data.histories import Histories
from tagloom.data.split import hold_out as hold_out_products
from tagloom.data.split import take
from tagloom.data.tables import Events, Products
from tagloom.errors import DataError
from tagloom.recs.blend import Blend, Candidates, fit_blend, sharpened
from tagloom.recs.experts.contract import Asked, Expert, Floats, Ints, TrainingData, events_of, figure
from tagloom.recs.experts.network import NetworkExpert
from tagloom.recs.fitted import LOOKED_AT, NOBODY, Fitted
from tagloom.recs.interest import Interest, fit_interest
from tagloom.recs.items import Items, Known
from tagloom.recs.joint import Joint, columns_of
from tagloom.recs.models import MODELS, experts_for, forget_learned, learned, with_loss
from tagloom.recs.offers import Offers
from tagloom.recs.scored import Scored
from tagloom.recs.search.search import Search
from tagloom.recs.showing import Showing
from tagloom.recs.split import hold_out
from tagloom.recs.windows import read_histories
from tagloom.tags.tagger import Tagger

if TYPE_CHECKING:
    from tagloom.data.vocabulary.vocab import Vocabulary

# Told the expert, the number of its pass and that pass's figures.
Progress = Callable[[str, int, dict[str, float]], object]

# Users on whose next products blend, interest and the like are fitted: at most so many, and fewer where their scores of
# all products would not fit into memory.
_MOST_FITTED_ON, _MOST_SCORES = 4_000, 60_000_000
_USERS_AT_ONCE = 500
# Pairs of user and product times tags, on which the Tagger's view and the user's are joined.
_MOST_PAIRS = 2_000_000
# Of the products what the Recommender's own Tagger does not learn from, so that it can be judged on them, and the most
# that it does learn from.
_UNSEEN_SHARE, _MOST_READ = 0.2, 50_000
_AGAIN = "-again"


@dataclass(frozen=True, eq=False)
class Listeners:
    """Whom training tells, and where it writes."""

    log_folder: Path | None = None
    checkpoint: Path | None = None
    progress: Progress | None = None

    def of(self, name: str) -> dict[str, Any]:
        """The same for one expert, as `TrainingData` takes it."""
        return {
            "log_folder": self.log_folder and self.log_folder / name,
            "checkpoint": self.checkpoint and self.checkpoint / name,
            "progress": self.progress and functools.partial(self.progress, name),
        }


def fit_recommender(
    products: Products,
    events: Events,
    settings: RecommenderSettings,
    *,
    vocabulary: Vocabulary | None,
    custom_words: Sequence[str],
    tagger: tuple[Tagger, Ints] | None,
    search: SearchSettings | None,
    listeners: Listeners,
) -> Fitted:
    """Everything that `Recommender.fit` does; `tagger` comes with the rows of products that it has not learned from."""
    tag_ids = {} if vocabulary is None else {tag.name: tag.id for tag in vocabulary.tags}
    items = Items.of(products, Known.of(products, tag_ids, custom_words, settings.max_features))
    histories = read_histories(events, items, settings)
    settings = with_loss(settings, len(items))
    held = hold_out(histories, settings.split, settings.valid)
    data = TrainingData(Asked(held.rest, items), Asked(held.before, items), held.wanted, held.rated)
    names = experts_for(settings, data)
    experts = {}
    for name in names:
        told = replace(data, **listeners.of(name))
        experts[name] = learned(name, told, settings, functools.partial(MODELS[name][0], told, settings))
    fitted = _joined(experts, data, settings)
    fitted = replace(fitted, interest=_interest(fitted, data, settings))
    tagger = tagger or _own_tagger(products, settings, vocabulary, custom_words)
    if tagger is not None:
        fitted = with_tagger(fitted, data, products, *tagger)
    if search is not None:
        # Before the experts learn from valid: what a user took after the newest queries must not be known to them.
        found = Search.fit(
            products,
            events,
            Settings(search=search, recommender=settings),
            vocabulary=vocabulary,
            custom_words=custom_words,
            personal=functools.partial(_personal, fitted, histories),
            progress=listeners.progress and functools.partial(listeners.progress, "search"),
        )
        fitted = replace(fitted, search=found)
    fitted = fitted.seeing(items, histories, Showing(Offers(products)))
    if settings.refit:
        fitted = learned_again(fitted, replace(data, asked=Asked(histories, items)), listeners)
    if listeners.checkpoint is not None:
        forget_learned(listeners.checkpoint)
    return fitted


def _personal(fitted: Fitted, histories: Histories, user_id: str, seconds: int) -> Callable[[Ints], Floats]:
    """A user's scores of products by what was known before a moment."""
    row = histories.row(user_id)
    known = histories.of([] if row is None else [row]).before(seconds)
    return fitted.personal(Asked(known, fitted.items))


def learned_again(fitted: Fitted, data: TrainingData, listeners: Listeners) -> Fitted:
    """The same with experts that learned from a longer log, as they were found best on a shorter one."""
    experts = {}
    for name, expert in fitted.experts.items():
        told = replace(data, **listeners.of(name + _AGAIN))
        experts[name] = learned(name, told, fitted.settings, functools.partial(expert.relearned, told, fitted.settings))
    return replace(fitted, experts=experts)


def _joined(experts: Mapping[str, Expert], data: TrainingData, settings: RecommenderSettings) -> Fitted:
    """The experts with the blend that is best on valid; and whether users want again what they have."""
    trained = {name: one.trained for name, one in experts.items() if isinstance(one, NetworkExpert) and one.trained}
    names, nobody = tuple(experts), np.zeros(0, np.int64)
    even = Blend(names, np.full(len(names), 1 / len(names), np.float32))
    default = np.zeros(len(data.items), np.float32)
    fitted = Fitted(
        settings=settings,
        items=data.items,
        histories=NOBODY,
        experts=experts,
        blend=even,
        default=default,
        again=True,
        interest=None,
        joint=None,
        tagger=None,
        unseen=nobody,
        contributions=(),
        trained=trained,
    )
    asked, wanted = _fitted_on(data, settings)
    judge = _Judge(fitted, [(asked.of(rows), wanted[rows]) for rows in _chunks(len(asked))])
    again = settings.again == "yes"
    if settings.again == "auto":
        again = judge.reached(even.weights, again=True) > judge.reached(even.weights, again=False)
    blend = replace(even, weights=np.ones(1, np.float32))
    if len(names) > 1:
        candidates = Candidates.of(judge.shown(again=again))
        blend = sharpened(fit_blend(names, candidates), candidates)
    told, together = [], judge.reached(blend.weights, again=again)
    for ix, name in enumerate(names):
        alone = np.arange(len(names)) == ix
        without = judge.reached(np.where(alone, np.float32(0), blend.weights), again=again)
        told.append(
            {
                "name": name,
                "weight": float(blend.weights[ix]),
                "alone": judge.reached(alone.astype(np.float32), again=again),
                "without": without if len(names) > 1 else None,
                "together": together,
            }
        )
    return replace(fitted, blend=blend, again=again, contributions=tuple(told))


class _Judge:
    """The experts' scores of the users on whom weights are fitted, made once: of all products, or of the likeliest."""

    def __init__(self, fitted: Fitted, parts: Sequence[tuple[Asked, Ints]]) -> None:
        self.parts = []
        for asked, wanted in parts:
            rows = fitted.candidates(asked)
            scores = [expert.scores(asked, rows) for expert in fitted.experts.values()]
            owned = Scored(scores[0], rows).without(asked.taken).hidden
            self.parts.append((wanted, rows, scores, owned))

    def shown(self, *, again: bool) -> Iterator[tuple[list[Floats], Floats]]:
        """Of each part the experts' scores [B, C], -inf for what is not recommended, and what was taken [B, C]."""
        for wanted, rows, scores, owned in self.parts:
            hidden = self._hidden(rows, owned, again=again)
            kept = [np.where(hidden, np.float32(-np.inf), part) for part in scores]
            columns = np.arange(scores[0].shape[1])[None, :] if rows is None else rows
            yield kept, (columns == wanted[:, None]).astype(np.float32)

    def reached(self, weights: Floats, *, again: bool) -> float:
        """nDCG@10 of a blend."""
        total, count = 0.0, 0
        for wanted, rows, scores, owned in self.parts:
            hidden = self._hidden(rows, owned, again=again)
            joined = sum(weight * part for weight, part in zip(weights, scores, strict=True))
            total += figure(np.where(hidden, -np.inf, joined), wanted, rows) * len(wanted)
            count += len(wanted)
        return total / count

    @staticmethod
    def _hidden(rows: Ints | None, owned: Any, *, again: bool) -> Any:
        hidden = np.zeros(owned.shape, np.bool_) if again else owned
        return hidden if rows is None else hidden | (rows < 0)


def _interest(fitted: Fitted, data: TrainingData, settings: RecommenderSettings) -> Interest | None:
    """Which tags users want, fitted on valid; None without tags."""
    items = data.items
    if not items.known.tags:
        return None
    counts = np.asarray(items.tags.T @ events_of(data.asked)).ravel() + 0.5
    popular = np.log(counts / counts.sum()).astype(np.float32)
    asked, wanted = _fitted_on(data, settings)
    parts = [(part, wanted[rows], fitted.scored(part)) for rows in _chunks(len(asked)) for part in [asked.of(rows)]]
    return fit_interest(parts, fitted.experts, popular)


def _own_tagger(
    products: Products, settings: RecommenderSettings, vocabulary: Vocabulary | None, custom_words: Sequence[str]
) -> tuple[Tagger, Ints] | None:
    """A small Tagger with the rows of the products that it has not learned from; None where nothing can be learned."""
    try:
        rest, unseen = hold_out_products(products, max(_UNSEEN_SHARE, 1 - _MOST_READ / len(products)), settings.seed)
        tagger = Tagger(encoder="bag", width=128, seed=settings.seed)
        return tagger.fit(take(products, rest), vocabulary=vocabulary, custom_words=custom_words), unseen
    except DataError:  # no texts, no tags, or a handful of products
        return None


def with_tagger(fitted: Fitted, data: TrainingData, products: Products, tagger: Tagger, unseen: Ints) -> Fitted:
    """With a Tagger, and how its view of a product and a user's interest are joined, fitted on valid.

    Args:
        fitted: with its interest.
        data: whose valid users count.
        products: the catalogue.
        tagger: reads texts.
        unseen: rows of products that it has not learned from.
    """
    if fitted.interest is None:
        return fitted
    # Where nothing can be learned both views count alike.
    joint = Joint(columns_of(tagger.tags, data.items.known.tags), 1.0, 1.0, 0.0)
    rows = np.flatnonzero(np.isin(data.wanted, unseen))[: max(1, _MOST_PAIRS // len(tagger.tags))]
    taken = data.wanted[rows]
    truth = joint.truth(data.items.tags[taken])
    if not 0 < truth.sum() < truth.size:
        return replace(fitted, tagger=tagger, joint=joint, unseen=unseen)
    # Beside each product that was taken one that was not, of whose tags none was wanted: from what was taken alone the
    # interest learns nothing where the text tells all.
    other = np.random.default_rng(fitted.settings.seed).choice(unseen, len(rows))
    truth = np.concatenate([truth, truth * (other == taken)[:, None]])
    sure = np.concatenate(list(tagger.confidences(products.texts[np.concatenate([taken, other])].to_list())))
    interest = np.tile(fitted.interest_of(data.valid.of(rows)), (2, 1))
    joint = Joint.fit(joint.columns, sure, interest, fitted.interest.popular, truth)
    return replace(fitted, tagger=tagger, joint=joint, unseen=unseen)


def _fitted_on(data: TrainingData, settings: RecommenderSettings) -> tuple[Asked, Ints]:
    """The users of valid on whom weights are fitted, and what they took next."""
    cells = (LOOKED_AT if data.items.large else len(data.items)) + 4 * len(data.items.known.tags)
    most = min(_MOST_FITTED_ON, max(100, _MOST_SCORES // cells))
    rows = np.sort(np.random.default_rng(settings.seed).permutation(len(data.wanted))[:most])
    return data.valid.of(rows), data.wanted[rows]


def _chunks(count: int) -> list[Ints]:
    """Rows in parts of about as many users as are scored at once."""
    return np.array_split(np.arange(count), max(1, -(-count // _USERS_AT_ONCE)))
