"""The experts that learn: a GRU or a causal transformer over the history; see `nn.next_items`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import RecommenderSettings
from tagloom.errors import DataError, SettingsError
from tagloom.recs.experts.contract import Arrays, Asked, Floats, TrainingData
from tagloom.recs.items import Items
from tagloom.recs.windows import WindowBatches, Windows, ratings_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tagloom.nn.next_items import NextItems
    from tagloom.nn.training import Trained

_MOST_WATCHED = 5_000
_ANSWERED_EVENTS = 4_096
# Products from which most of a step is the softmax, which 16 bits make three times as fast.
_WORTH_16_BITS = 5_000
_STEPS_OF_A_PASS, _AT_ONCE = 64, (256, 2_048)


@dataclass(frozen=True, eq=False)
class NetworkExpert:
    """Scores of products, and of tags, from a network.

    Args:
        kind: one of `nn.next_items.ENCODERS`.
        network: in its evaluation mode.
        most: events of a history that are read.
        rates: it learned ratings, and its scores are ratings.
        knows_tags: it learned which tags come next, too.
        trained: how training went, right after it.
    """

    kind: str
    network: NextItems
    most: int
    rates: bool
    knows_tags: bool
    trained: Trained | None = field(default=None)
    _made: dict[str, tuple[Any, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def fit(cls, data: TrainingData, settings: RecommenderSettings, kind: str) -> NetworkExpert:
        """Train on the histories; the best pass by nDCG@10 on valid counts.

        Raises:
            DataError: nobody has two products, one after the other.
            SettingsError: the numbers ran away in the first pass, or there are no ratings to learn.
        """
        import torch

        from tagloom.nn.next_items import NextLearner, figure_of, loss_of
        from tagloom.nn.training import train

        items, known = data.items, data.items.known
        generator = torch.Generator().manual_seed(settings.seed)
        network = _network(kind, settings, (len(known.product_ids), len(known.tags), known.words))
        rates = settings.loss == "mean_squared_error"
        network.start(generator, _prior(data), _mean_rating(data) if rates else 0.0)
        shares = np.maximum(1.0, data.counts) ** settings.negatives_power
        tag_share = settings.tag_share if known.tags else 0.0
        learner = NextLearner(
            network,
            items.shelf,
            settings.loss,
            torch.from_numpy((shares / shares.sum()).astype(np.float32)),
            smoothing=settings.smoothing,
            drawn=settings.negatives,
            tag_share=tag_share,
        )
        trained = train(learner, loss_of, _plan(data, settings), *_batches(data, settings), figure_of)
        if not trained.epochs:
            raise SettingsError(
                f"nothing was learned: {trained.stopped} in the first pass, with a step size of"
                f" {settings.learning_rate:g}; lower recommender.learning_rate"
            )
        return cls(kind, network.eval(), settings.max_events, rates, tag_share > 0, trained)

    def relearned(self, data: TrainingData, settings: RecommenderSettings) -> NetworkExpert:
        """Trained anew on another log, such as the whole one, for as many passes as were best before.

        Of these the best on valid counts; where valid is learned from, too, that is the last or one near it.
        """
        passes = self.trained.best_epoch if self.trained else settings.epochs
        return self.fit(data, settings.model_copy(update={"epochs": passes, "patience": passes}), self.kind)

    def scores(self, asked: Asked) -> Floats:
        """[B, P] the log of each product's probability; of a network that learned ratings the rating."""
        import torch

        vectors, table = self._vectors(asked.items)
        with torch.inference_mode():
            scores = self.network.pointing(self._states(asked, vectors)) @ table.T
            found = scores + self.network.level if self.rates else scores.log_softmax(1)
        result: Floats = found.numpy()
        return result

    def tag_scores(self, asked: Asked) -> Floats:
        """[B, L] the log of each tag's share among the tags of what comes next."""
        import torch

        vectors, _ = self._vectors(asked.items)
        with torch.inference_mode():
            states = self._states(asked, vectors)
            result: Floats = self.network.tag_scores(states).log_softmax(1).numpy()
        return result

    def _vectors(self, items: Items) -> tuple[Tensor, Tensor]:
        """Of a catalogue's products [P, D]: their vectors, and the same of length 1; those of the last one are kept."""
        import torch
        from torch.nn.functional import normalize

        last, *made = self._made.get("last", (None, None, None))
        if last is not items:
            shelf = items.shelf  # made outside: tensors of inference cannot be learned from
            with torch.inference_mode():
                vectors = self.network.items(shelf)
                made = [vectors, normalize(vectors, dim=-1)]
            self._made["last"] = (items, *made)
        return made[0], made[1]

    def _states(self, asked: Asked, vectors: Tensor) -> Tensor:
        """[B, D] the state after each user's last event."""
        import torch

        from tagloom.nn.events import PaddedHistories

        windows = Windows.asking(asked.histories, asked.items.known.word_rows, self.most)
        batches = WindowBatches(windows, _ANSWERED_EVENTS)
        found = [vectors[:0]]  # there may be nobody
        for (*parts, _, _), _, _ in batches:
            seen = PaddedHistories(*parts)
            states = self.network.states(seen, vectors)  # [B, T, D]
            found.append(states[torch.arange(len(states)), seen.lengths.clamp(min=1) - 1])
        states = torch.cat(found)
        ordered = torch.empty_like(states)
        ordered[torch.from_numpy(batches.order)] = states
        return ordered

    def arrays(self) -> Arrays:
        """The weights."""
        return {name: part.numpy() for name, part in self.network.state_dict().items()}

    def about(self) -> dict[str, Any]:
        """What the network is made like."""
        names = ("kind", "most", "rates", "knows_tags")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], settings: RecommenderSettings) -> NetworkExpert:
        """From what `arrays` and `about` gave."""
        import torch

        sizes = tuple(len(arrays[f"items.{name}"]) for name in ("ids", "tags", "words"))
        network = _network(about["kind"], settings, sizes)
        network.load_state_dict({name: torch.from_numpy(part) for name, part in arrays.items()})
        return cls(network=network.eval(), **about)


def _network(kind: str, settings: RecommenderSettings, tables: tuple[int, ...]) -> NextItems:
    import torch

    from tagloom.data.tables import ACTIONS
    from tagloom.nn.items import ItemTable
    from tagloom.nn.next_items import NextItems
    from tagloom.nn.sizes import SIZES

    size = SIZES[settings.size]
    # Made without numbers at first: torch's own would be drawn from the process's random numbers.
    with torch.device("meta"):
        ids, tags, words = tables
        items = ItemTable(ids, tags, words, size.width, settings.id_dropout)
        network = NextItems(kind, size, items, len(ACTIONS), settings.dropout)
    return network.to_empty(device="cpu")


def _mean_rating(data: TrainingData) -> float:
    rated = ratings_of(data.asked.histories)
    if not np.isfinite(rated).any():
        raise SettingsError(
            "recommender.loss = 'mean_squared_error' learns ratings, and no event has one; import events with a value,"
            " or take another loss"
        )
    return float(np.nanmean(rated))


def _prior(data: TrainingData) -> torch.Tensor:
    """[L] the log share of each tag among those of all events' products."""
    import torch

    counts = np.asarray(data.items.tags.T @ data.counts).ravel() + 1
    return torch.from_numpy(np.log(counts / counts.sum()).astype(np.float32))


def _batches(data: TrainingData, settings: RecommenderSettings) -> tuple[WindowBatches, WindowBatches]:
    words, learned = data.items.known.word_rows, data.asked.histories
    windows = Windows.of(learned, words, learned.weights(settings.weights), settings.max_events)
    if not len(windows):
        raise DataError(
            "nobody has two products, one after the other, so there is no order to learn; import more events, or set"
            " recommender.model to popular"
        )
    watched = np.arange(len(data.valid))
    if len(watched) > _MOST_WATCHED:
        watched = np.sort(np.random.default_rng(settings.seed).permutation(watched)[:_MOST_WATCHED])
    before = data.valid.histories.of(watched)
    valid = Windows.asking(before, words, settings.max_events, data.wanted[watched], data.rated[watched])
    # A small log needs small steps, or there are too few of them to learn from.
    at_once = settings.batch_events or int(np.clip(len(windows.products) // _STEPS_OF_A_PASS, *_AT_ONCE))
    return (
        WindowBatches(windows, at_once, settings.seed),
        WindowBatches(valid, _ANSWERED_EVENTS),
    )


def fingerprint(data: TrainingData, settings: RecommenderSettings) -> str:
    """Tells what is trained on, and how, from anything else."""
    told = hashlib.sha256(settings.model_dump_json(exclude={"threads"}).encode())
    items, known = data.items, data.items.known
    arrays = [data.wanted, np.nan_to_num(data.rated, nan=-1)]
    texts = [*items.product_ids, *known.tags, *(known.features.terms if known.features else ())]
    for histories in (data.asked.histories, data.valid.histories):
        arrays += [histories.starts, histories.product_ix, histories.action_ix, histories.seconds]
        arrays += [np.nan_to_num(histories.values, nan=-1)]
        texts += histories.texts
    for matrix in (items.tags, items.words):
        arrays += [matrix.indptr, matrix.indices, matrix.data]
    for array in arrays:
        told.update(np.ascontiguousarray(array).tobytes())
    told.update("\n".join(texts).encode("utf-8", "surrogatepass"))
    return told.hexdigest()


def _precision(data: TrainingData, settings: RecommenderSettings) -> str:
    """Bits of training; not measured, so that a machine gives the same answer each time."""
    from tagloom.nn.processes import multiplies_in_16_bits

    if settings.numbers != "auto":
        return settings.numbers
    pays = settings.loss == "full_softmax" and len(data.items) >= _WORTH_16_BITS
    return "bf16" if pays and multiplies_in_16_bits() else "32"


def _plan(data: TrainingData, settings: RecommenderSettings) -> Any:
    from tagloom.nn.training import TrainingPlan

    return TrainingPlan(
        epochs=settings.epochs,
        patience=settings.patience,
        learning_rate=settings.learning_rate,
        dropout=0.0,
        seed=settings.seed,
        log_folder=data.log_folder,
        progress=data.progress,
        optimiser="adamw",
        weight_decay=settings.weight_decay,
        warmup=settings.warmup,
        clip=settings.clip,
        average=settings.average,
        precision=_precision(data, settings),
        checkpoint=data.checkpoint,
        fingerprint=fingerprint(data, settings) if data.checkpoint else "",
        devices=settings.devices,
        threads=settings.threads,
    )
