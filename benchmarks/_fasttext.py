"""fastText's side (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"); see `_apart.py`.

Each tag is a two-way choice of its own (loss `ova`). Texts come cut into words, a line each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _apart import serve

_LABEL = "__label__"
_BATCH = 256


def main() -> None:
    import fasttext

    # It warns of an attribute that nobody here uses, on each load.
    fasttext.FastText.eprint = lambda *_: None

    def train(command: dict[str, Any]) -> Any:
        return fasttext.train_supervised(
            input=command["texts"],
            loss="ova",
            thread=command["threads"],
            seed=command["seed"],
            verbose=0,
            **command["settings"],
        )

    serve(train, score)


def score(model: Any, command: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Confidences [P, L] of all tags; 0 for a tag that fastText never saw."""
    lines = Path(command["texts"]).read_text("utf-8").split("\n")
    scores = np.zeros((len(lines), command["tags"]), np.float32)
    started = time.perf_counter()
    for start in range(0, len(lines), _BATCH):
        labels, known = model.predict(lines[start : start + _BATCH], k=-1, threshold=-1.0)
        for row, (names, values) in enumerate(zip(labels, known, strict=True), start):
            scores[row, [int(name[len(_LABEL) :]) for name in names]] = values
    return scores, time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
