"""The experts that learn: a GRU or a causal transformer over the history; see `nn.next_items`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import RecommenderSettings
from tagloom.errors import SettingsError
from tagloom.recs.experts.contract import Arrays, Asked, Floats, Ints, Kept, TrainingData
from tagloom.recs.experts.schooling import batches, mean_rating, plan, prior
from tagloom.recs.items import Items
from tagloom.recs.nearest import EXACT, Nearest, packed_index
from tagloom.recs.windows import WindowBatches, Windows

if TYPE_CHECKING:
    from torch import Tensor

    from tagloom.nn.next_items import NextItems
    from tagloom.nn.training import Trained

_INDEX, _COMPARED = "nearest", 200
_AT_ONCE = 100_000  # products whose vectors are made
_GATHERED = 2**26  # numbers of products' vectors that are laid side by side
_ANSWERED_EVENTS = 4_096


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
    _kept: Kept[Nearest] = field(default_factory=Kept, repr=False)
    _last_states: Kept[Tensor] = field(default_factory=Kept, repr=False)
    _index: Any = field(default=None, repr=False)  # of the catalogue of training

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
        network.start(generator, prior(data), mean_rating(data) if rates else 0.0)
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
        trained = train(learner, loss_of, plan(data, settings), *batches(data, settings), figure_of)
        if not trained.epochs:
            raise SettingsError(
                f"nothing was learned: {trained.stopped} in the first pass, with a step size of"
                f" {settings.learning_rate:g}; lower recommender.learning_rate"
            )
        expert = cls(kind, network.eval(), settings.max_events, rates, tag_share > 0, trained)
        if items.large:
            expert._near(items)  # so that a version that is saved now has the index
        return expert

    def relearned(self, data: TrainingData, settings: RecommenderSettings) -> NetworkExpert:
        """Trained anew on another log, such as the whole one, for as many passes as were best before.

        Of these the best on valid counts; where valid is learned from, too, that is the last or one near it.
        """
        passes = self.trained.best_epoch if self.trained else settings.epochs
        return self.fit(data, settings.model_copy(update={"epochs": passes, "patience": passes}), self.kind)

    def scores(self, asked: Asked, rows: Ints | None = None) -> Floats:
        """[B, P] the log of each product's probability; of a network that learned ratings the rating.

        Of rows [B, C] it is that log but for a number which is the same for all products of a user.
        """
        import torch

        near = self._near(asked.items)
        with torch.inference_mode():
            pointing = self.network.pointing(self._states(asked))
            if rows is not None:
                size = max(1, _GATHERED // max(1, rows.shape[1] * near.table.shape[1]))
                parts = [pointing.new_zeros(0, rows.shape[1])]
                for some in (slice(start, start + size) for start in range(0, len(rows), size)):
                    table = torch.from_numpy(near.table[rows[some]])  # [B, C, D]
                    parts.append(torch.bmm(table, pointing[some].unsqueeze(2)).squeeze(2))
                scores = torch.cat(parts)
            else:
                scores = pointing @ torch.from_numpy(near.table).T
            if self.rates:
                scores = scores + self.network.level
            result: Floats = (scores if self.rates or rows is not None else scores.log_softmax(1)).numpy()
        return result

    def best(self, asked: Asked, most: int) -> Ints:
        """[B, C]: those whose vectors the state points at."""
        return self._near(asked.items).rows(self._states(asked).numpy(), most)

    def tag_scores(self, asked: Asked) -> Floats:
        """[B, L] the log of each tag's share among the tags of what comes next."""
        import torch

        with torch.inference_mode():
            result: Floats = self.network.tag_scores(self._states(asked)).log_softmax(1).numpy()
        return result

    def without_tags(self, asked: Asked, rows: Ints, tags: Ints) -> Floats:
        """[T, K] by how much the scores of one user's rows [K] fall when no product has a tag [T].

        Scores are compared with those of products that are drawn once: what moves all alike says nothing.
        """
        import torch
        from torch.nn.functional import normalize

        from tagloom.nn.events import PaddedHistories
        from tagloom.nn.items import Bags, Shelf

        items, histories = asked.items, asked.histories.recent(self.most)
        drawn = np.random.default_rng(0).choice(len(items), min(len(items), _COMPARED))
        met = histories.product_ix[histories.product_ix >= 0]
        few = torch.from_numpy(np.unique(np.concatenate([rows, met, drawn])))
        # The same history on the few products that matter here.
        places = np.searchsorted(few.numpy(), histories.product_ix.clip(min=0))
        history = replace(histories, product_ix=np.where(histories.product_ix < 0, -1, places))
        (batch,) = WindowBatches(Windows.asking(history, items.known.word_rows, self.most), _ANSWERED_EVENTS)
        seen = PaddedHistories(*batch[0][:-2])
        wanted, others = np.searchsorted(few.numpy(), rows), np.searchsorted(few.numpy(), drawn)
        own, words, ids = items.shelf.tags.of(few), items.shelf.words.of(few), items.shelf.ids[few]
        found = []
        with torch.inference_mode():
            for tag in (-1, *tags.tolist()):
                without = Bags(own.entries, own.starts, own.weights * (own.entries != tag))
                vectors = self.network.items(Shelf(ids, without, words))
                state = self.network.states(seen, vectors)[:, int(seen.lengths[0]) - 1]
                (scores,) = self.network.pointing(state) @ normalize(vectors, dim=-1).T
                found.append(scores[wanted] - scores[others].logsumexp(0))
        result: Floats = (
            (found[0] - torch.stack(found[1:])).numpy() if len(tags) else np.zeros((0, len(rows)), np.float32)
        )
        return result

    def _near(self, items: Items) -> Nearest:
        """The vectors of a catalogue's products [P, D], of length 1, ready to be searched."""
        import torch
        from torch.nn.functional import normalize

        def made() -> Nearest:
            shelf = items.shelf  # made outside: tensors of inference cannot be learned from
            table = np.empty((len(items), self.network.items.ids.shape[1]), np.float32)
            with torch.inference_mode():
                for start in range(0, len(items), _AT_ONCE):
                    rows = torch.arange(start, min(len(items), start + _AT_ONCE))
                    table[start : start + len(rows)] = normalize(self.network.items(shelf, rows), dim=-1).numpy()
            earlier = self._kept.last
            return Nearest.of(table, items.keys, self._index if earlier is None else earlier.index)

        return self._kept.of(items, made)

    def _states(self, asked: Asked) -> Tensor:
        """[B, D] the state after each user's last event; those of the last that were asked are kept."""
        return self._last_states.of(asked, lambda: self._read(asked))

    def _read(self, asked: Asked) -> Tensor:
        import torch

        from tagloom.nn.events import PaddedHistories

        windows = Windows.asking(asked.histories, asked.items.known.word_rows, self.most)
        # Vectors of the products that were met alone, numbered anew.
        there = windows.products >= 0
        numbers = np.full(len(there), -1, np.int64)
        few, numbers[there] = np.unique(windows.products[there], return_inverse=True)
        windows = replace(windows, products=numbers)
        read, shelf = WindowBatches(windows, _ANSWERED_EVENTS), asked.items.shelf
        with torch.inference_mode():
            vectors = self.network.items(shelf, torch.from_numpy(few))
            vectors = torch.cat([vectors, vectors.new_zeros(1, vectors.shape[1])])  # there may be none
            found = [vectors[:0]]  # there may be nobody
            for (*parts, _, _), _, _ in read:
                seen = PaddedHistories(*parts)
                states = self.network.states(seen, vectors)  # [B, T, D]
                found.append(states[torch.arange(len(states)), seen.lengths.clamp(min=1) - 1])
            states = torch.cat(found)
            ordered = torch.empty_like(states)
            ordered[torch.from_numpy(read.order)] = states
        return ordered

    def arrays(self) -> Arrays:
        """The weights, and the index of the vectors of a large catalogue, where one was made."""
        weights = {name: part.numpy() for name, part in self.network.state_dict().items()}
        made = self._kept.last
        index = self._index if made is None else made.index
        packed = None if index is None else packed_index(index)
        return weights if packed is None else {**weights, _INDEX: packed}

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
        network.load_state_dict({name: torch.from_numpy(part) for name, part in arrays.items() if name != _INDEX})
        index = Nearest.unpacked(arrays[_INDEX]) if _INDEX in arrays else None
        return cls(network=network.eval(), _index=index, **about)


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
        sparse = ids > EXACT and settings.devices == 1  # processes cannot share sparse gradients
        items = ItemTable(ids, tags, words, size.width, settings.id_dropout, sparse=sparse)
        network = NextItems(kind, size, items, len(ACTIONS), settings.dropout)
    return network.to_empty(device="cpu")
