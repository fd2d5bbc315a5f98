"""Products and tags by what a query means: two towers over words and their pieces, see `nn.towers`.

Learned from what was taken after a query, bought first of all, and from queries that are drawn from the catalogue.
Shapes: P products, L tags, F words and pieces, D width, B queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.config import SearchSettings
from tagloom.recs.experts.contract import Progress
from tagloom.recs.items import bags
from tagloom.recs.search.features import Bag, WordFeatures, joined
from tagloom.recs.search.planted import Planter
from tagloom.recs.search.reading import ProductWords

if TYPE_CHECKING:
    from tagloom.nn.plan import Batch, Trained

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# A small log needs small steps, or there are too few of them to learn from.
_STEPS_OF_A_PASS, _AT_ONCE = 64, (32, 256)
_DRAWN, _TAG_SHARE, _LEARNING_RATE = 1_024, 0.2, 0.01
# How much a drawn query counts beside one after which something was bought; least and most that are drawn in a pass.
_PLANTED_WEIGHT, _PLANTED = 0.3, (1_000, 20_000)
_SMALL = 1e-6


@dataclass(frozen=True, eq=False)
class Vectors:
    """What the towers learned, as numbers.

    Args:
        features: which words and pieces there are.
        table: float32 [F, D].
        tags: float32 [L, D].
        tag_bias: float32 [L].
        scale: of the scores.
    """

    features: WordFeatures
    table: Floats
    tags: Floats
    tag_bias: Floats
    scale: float

    @classmethod
    def nothing(cls, features: WordFeatures, tags: int, width: int) -> Vectors:
        """Before anything is learned."""
        table, of_tags = (np.zeros((count, width), np.float32) for count in (len(features), tags))
        return cls(features, table, of_tags, np.zeros(tags, np.float32), 1.0)

    def query(self, words: Sequence[tuple[str, float]]) -> Floats | None:
        """Weighted words -> [D], multiplied with `products` for scores; None: not a piece of any is known."""
        entries, weights = self.features.of_words(words)
        if not entries:
            return None
        total = np.array(weights, np.float32) @ self.table[entries]
        length = float(np.linalg.norm(total))
        result: Floats = (self.scale / max(length, _SMALL) * total).astype(np.float32)
        return result

    def products(self, words: ProductWords, tag_shares: Any) -> Floats:
        """A catalogue -> [P, D] of length 1; a product without known words and tags is 0.

        Args:
            words: of the P products.
            tag_shares: CSR matrix [P, L].
        """
        total = self.features.products(words) @ self.table + tag_shares @ self.tags
        length = np.linalg.norm(total, axis=1, keepdims=True)
        result: Floats = (total / np.maximum(length, _SMALL)).astype(np.float32)
        return result

    def tag_logs(self, query: Floats) -> Floats:
        """[L] the log of each tag's share among the tags of what is taken after a query."""
        scores = self.tags @ query + self.tag_bias
        if not len(scores):
            return scores
        top = scores.max()
        result: Floats = scores - top - np.log(np.exp(scores - top).sum())
        return result


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is learned from.

    Args:
        bags: of each query of the log that something was taken after.
        products: int64, what was taken.
        weights: float32, how much that says.
        planter: draws more queries.
        drawn_for: int64, the rows of the products that it draws for.
        valid: queries to choose the best pass by, with their products.
    """

    bags: Sequence[Bag]
    products: Ints
    weights: Floats
    planter: Planter
    drawn_for: Ints
    valid: tuple[Sequence[Bag], Ints]


def learn(
    features: WordFeatures,
    lessons: Lessons,
    tag_shares: Any,
    settings: SearchSettings,
    progress: Progress | None = None,
) -> tuple[Vectors, Trained]:
    """Train the towers; the best pass by nDCG@10 on valid counts.

    Args:
        features: which words and pieces there are.
        lessons: what is learned from.
        tag_shares: CSR matrix [P, L].
        settings: how.
        progress: told of each pass.
    """
    import torch

    from tagloom.nn.next_items import figure_of, loss_of
    from tagloom.nn.plan import TrainingPlan
    from tagloom.nn.towers import Towers, TowersLearner
    from tagloom.nn.training import train

    # Made without numbers at first: torch's own would be drawn from the process's random numbers.
    with torch.device("meta"):
        towers = Towers(len(features), tag_shares.shape[1], settings.width)
    towers = towers.to_empty(device="cpu")
    prior = np.log((np.asarray(tag_shares.sum(0)).ravel() + 1) / (tag_shares.sum() + tag_shares.shape[1]))
    towers.start(torch.Generator().manual_seed(settings.seed), torch.from_numpy(prior.astype(np.float32)))
    words = bags(features.products(lessons.planter.words))
    drawn = min(_DRAWN, tag_shares.shape[0])
    learner = TowersLearner(towers, words, bags(tag_shares), drawn, _TAG_SHARE if tag_shares.shape[1] else 0.0)
    plan = TrainingPlan(
        epochs=settings.epochs,
        patience=max(2, settings.epochs // 3),
        learning_rate=_LEARNING_RATE,
        dropout=0.0,
        seed=settings.seed,
        progress=progress,
        optimiser="adam",
        warmup=0.05,
        threads=1,
    )
    batches = _QueryBatches(features, lessons, settings.seed)
    trained = train(learner, loss_of, plan, batches, batches.valid(), figure_of)
    arrays = {name: part.detach().numpy() for name, part in towers.state_dict().items()}
    scale = float(arrays.pop("scale"))
    return Vectors(features, arrays["features"], arrays["tags"], arrays["tag_bias"], scale), trained


@dataclass(frozen=True, eq=False)
class _QueryBatches:
    """Batches of queries: those of the log, and in each pass other ones that are drawn."""

    features: WordFeatures
    lessons: Lessons
    seed: int

    def __len__(self) -> int:
        return -(-self._queries // self._at_once)

    @property
    def _planted(self) -> int:
        return int(np.clip(len(self.lessons.drawn_for), *_PLANTED))

    @property
    def _queries(self) -> int:
        return len(self.lessons.bags) + self._planted

    @property
    def _at_once(self) -> int:
        return int(np.clip(self._queries // _STEPS_OF_A_PASS, *_AT_ONCE))

    def of_pass(self, number: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The share of one process in a pass."""
        random = np.random.default_rng([self.seed, number])
        lessons, at_once = self.lessons, self._at_once
        rows = np.resize(random.permutation(lessons.drawn_for), self._planted)  # of few products several for each
        drawn = self.drawn(rows, Random(f"{self.seed} {number}"))  # noqa: S311 (queries, not secrets)
        queries = [*lessons.bags, *drawn]
        products = np.concatenate([lessons.products, rows])
        weights = np.concatenate([lessons.weights, np.full(len(rows), _PLANTED_WEIGHT, np.float32)])
        order = random.permutation(len(queries))
        for place in range(rank, len(self), world):
            chosen = order[place * at_once : (place + 1) * at_once]
            yield _batch([queries[ix] for ix in chosen.tolist()], products[chosen], weights[chosen])

    def drawn(self, rows: Ints, random: Random) -> list[Bag]:
        """A query for each of some products."""
        planter, features = self.lessons.planter, self.features
        return [features.of_words((word, 1.0) for word in planter.draw(row, random)) for row in rows.tolist()]

    def valid(self) -> list[Batch]:
        """One batch: each asks for the vectors of the whole catalogue."""
        queries, products = self.lessons.valid
        return [_batch(queries, products, np.ones(len(products), np.float32))]


def _batch(queries: Sequence[Bag], products: Ints, weights: Floats) -> Batch:
    import torch

    entries, starts, each = map(torch.from_numpy, joined(queries))
    return (entries, starts, each, torch.from_numpy(products)), torch.zeros(len(products)), torch.from_numpy(weights)
