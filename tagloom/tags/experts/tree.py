"""Label trees: tags that stand on the same products share a branch, and a text goes down the branches it belongs to.

Prabhu et al. 2018, "Parabel"; Khandagale, Xiao and Babbar 2020, "Bonsai". All trees are one sparse matrix, so that many
texts are answered at once, every branch is looked at instead of the best ten, and the words that carried a tag can be
told. `grow` has how they are grown.
Shapes: B texts, V terms, L tags, N nodes of all trees, R trees, K tags asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagloom.config import TaggerSettings
from tagloom.errors import DataError
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData, terms_carried
from tagloom.tags.experts.grow import Node, grow
from tagloom.tags.experts.linear import picked
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.nn.training import Trained

_BRANCH = -1
_ROOT = -1
_SURE = 1e-5


@dataclass(frozen=True, eq=False)
class TreeExpert:
    """All trees as one CSR matrix [V + 1, N] of the nodes' weights (its three arrays; the last row is the bias).

    Args:
        values, columns, starts: the matrix.
        parents: [N] each node's parent, -1 under a root; parents stand before their children.
        labels: [N] the tag's column of a leaf, -1 of a branch.
        prior: [L] log-odds of each tag, for texts without a known term.
        trees: R.
    """

    values: Floats
    columns: Rows
    starts: Rows
    parents: Rows
    labels: Rows
    prior: Floats
    trees: int

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[TreeExpert, Trained | None]:
        """Grow the trees.

        Raises:
            DataError: no text has both a known term and a tag.
        """
        trees = [grow(data.train, (settings.seed, tree)) for tree in range(settings.trees)]
        if not all(trees):
            raise DataError("no training text has a known word and a tag; lower tagger.min_documents")
        return forest([tree for tree in trees if tree], len(data.features), data.prior), None

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> TreeExpert:  # noqa: ARG003
        """What was saved."""
        return cls(**arrays, trees=about["trees"])

    @cached_property
    def weights(self) -> Any:
        """The CSR matrix [V + 1, N]."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.values, self.columns, self.starts), shape=(len(self.starts) - 1, len(self.parents)))

    def scores(self, reading: Reading) -> Floats:
        """Log-odds of the mean over trees of the tag's probability: the product down its path."""
        log_p = self._log_probabilities(reading.rows)  # [B, N]
        leaf = np.flatnonzero(self.labels != _BRANCH)
        # Leaves in the order of their tags, each tag's trees beside each other.
        leaf = leaf[np.argsort(self.labels[leaf], kind="stable")]
        tags, starts = np.unique(self.labels[leaf], return_index=True)
        share = np.add.reduceat(np.exp(log_p[:, leaf]), starts, axis=1) / self.trees
        share = np.clip(share, _SURE, 1 - _SURE)
        found = np.repeat(self.prior[None], len(reading), axis=0)
        found[:, tags] = np.log(share / (1 - share))
        found[~reading.known] = self.prior
        return found

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """What each term adds to the margins down the tag's paths, the mean over trees."""
        rows = reading.rows
        found = []
        for ix in range(len(reading)):
            part = slice(rows.indptr[ix], rows.indptr[ix + 1])
            nodes, path = self._paths(tags[ix])  # [M], [M, K]
            added = picked(self.weights, rows.indices[part], nodes) @ path  # [N, K]
            found.append(terms_carried(reading, ix, rows.data[part][:, None] * added))
        return found

    def _log_probabilities(self, rows: Any) -> Floats:
        """Rows [B, V] -> log of each node's probability [B, N]; squared hinge, as they were grown."""
        margins = (rows @ self.weights[:-1]).toarray() + self.weights[-1].toarray()  # [B, N]
        log_p: Floats = -np.square(np.maximum(1 - margins, 0))
        for start, end in self._levels:
            log_p[:, start:end] += log_p[:, self.parents[start:end]]
        return log_p

    @cached_property
    def _levels(self) -> list[tuple[int, int]]:
        """Runs of nodes below the roots' children; each run's parents stand before it."""
        runs, start = [], int((self.parents == _ROOT).sum())
        while start < len(self.parents):
            end = int(np.searchsorted(self.parents, start))  # nodes come level by level: parents only rise
            runs.append((start, end))
            start = end
        return runs

    @cached_property
    def _leaves(self) -> dict[int, list[int]]:
        """The leaves of each tag, one a tree."""
        found: dict[int, list[int]] = {}
        for node in np.flatnonzero(self.labels != _BRANCH).tolist():
            found.setdefault(int(self.labels[node]), []).append(node)
        return found

    def _paths(self, tags: Rows) -> tuple[npt.NDArray[np.int64], Floats]:
        """The nodes on the paths of K tags, and how much each counts for each tag: [M], [M, K]."""
        counted: dict[tuple[int, int], float] = {}
        for k, tag in enumerate(tags.tolist()):
            for leaf in self._leaves.get(tag, ()):
                node = leaf
                while node != _ROOT:
                    counted[node, k] = 1.0 / self.trees
                    node = int(self.parents[node])
        nodes = sorted({node for node, _ in counted})
        row = {node: ix for ix, node in enumerate(nodes)}
        path = np.zeros((len(nodes), len(tags)), np.float32)
        for (node, k), share in counted.items():
            path[row[node], k] = share
        return np.array(nodes, np.int64), path

    def arrays(self) -> Arrays:
        """The forest."""
        names = ("values", "columns", "starts", "parents", "labels", "prior")
        return {name: getattr(self, name) for name in names}

    def about(self) -> dict[str, Any]:
        """How many trees."""
        return {"trees": self.trees}


def forest(trees: Sequence[Node], terms: int, prior: Floats) -> TreeExpert:
    """Trees as one matrix [V + 1, N], nodes level by level."""
    from scipy.sparse import coo_matrix

    parents: list[int] = []
    labels: list[int] = []
    parts: list[tuple[Rows, Rows, Floats]] = []
    level = [(_ROOT, tree) for tree in trees]
    while level:
        below = []
        for parent, node in level:
            first, machines = len(parents), node.weights.tocoo()
            parents += [parent] * machines.shape[1]
            labels += [_BRANCH] * len(node.children) if node.children else node.tags.tolist()
            parts.append((node.terms[machines.row], machines.col + first, machines.data))
            below += [(first + ix, child) for ix, child in enumerate(node.children)]
        level = below
    rows, columns, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    matrix = coo_matrix((values, (rows, columns)), shape=(terms + 1, len(parents))).tocsr()
    return TreeExpert(
        matrix.data, matrix.indices, matrix.indptr, np.array(parents), np.array(labels), prior, len(trees)
    )
