"""PECOS XR-Linear's side (Yu et al. 2020, "PECOS: Prediction for Enormous and Correlated Output Spaces").

See `_apart.py`. Tags are clustered by the mean features of their texts, and linear models lead down the tree.
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

import numpy as np
from _apart import serve
from scipy.sparse import load_npz

_MOST_TAGS = 100
_LEAF = 100


def train(command: dict[str, Any]) -> Any:
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.xlinear.model import XLinearModel

    rows, truth = _sorted(command["rows"]), load_npz(command["truth"]).tocsc()
    settings = dict(command["settings"])
    splits = settings.pop("nr_splits")
    tags = LabelEmbeddingFactory.create(truth, rows, method="pifa", threads=command["threads"])
    tree = Indexer.gen(
        tags,
        indexer_type="hierarchicalkmeans",
        nr_splits=splits,
        max_leaf_size=_LEAF,
        seed=command["seed"],
        threads=command["threads"],
    )
    model = XLinearModel.train(rows, truth, C=tree, nr_splits=splits, threads=command["threads"], **settings)
    # As it is served: read back for answering alone, it is many times as fast.
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        return XLinearModel.load(folder, is_predict_only=True)


def score(model: Any, command: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Confidences [P, L] of the surest tags; 0 for the others."""
    rows = _sorted(command["rows"])
    started = time.perf_counter()
    found = model.predict(rows, only_topk=min(_MOST_TAGS, command["tags"]), **command["answering"])
    dense = np.asarray(found.todense(), np.float32)
    return dense, time.perf_counter() - started


def _sorted(path: str) -> Any:
    rows = load_npz(path)
    # With unsorted columns PECOS gives wrong answers and no error.
    rows.sort_indices()
    return rows


if __name__ == "__main__":
    sys.exit(serve(train, score))
