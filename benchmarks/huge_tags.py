"""A hundred thousand tags of three examples each: memory, time, and whether the tag is found.

    python benchmarks/huge_tags.py [--tags 100000] [--encoders blend] [--ceiling 16000]

The catalogue is made, not read: each tag has two rare words of its own, and each of its texts holds one or both of
them, in random places among five words that all texts draw from, frequent ones more often (Zipf). A text of the test
is a new one; so P@1 says whether three examples are enough to hold on to a tag among so many. Each encoder trains and
answers in a process of its own; `--ceiling` MiB is what it may take, beyond which the run counts as failed.

Prints and writes results/huge_tags.json; with another number of tags, a trial, nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import polars as pl
from _fitted import THREADS, own_peak
from _report import circumstances, known_figures, write_figures

from tagloom.data.tables import OFFERS, PRODUCT_SCHEMA, Products
from tagloom.tags.tagger import Tagger

FILE = "huge_tags.json"
EXAMPLES = 3
_TAGS, _CEILING = 100_000, 16_000
_HELD_OUT = 1_000
_COMMON, _NOISE = 5_000, 5
_CALL = 200
_LIBRARIES = ("torch", "lightning", "scikit-learn", "omikuji", "scipy", "numpy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tags", type=int, default=_TAGS)
    parser.add_argument("--encoders", nargs="+", default=("blend",))
    parser.add_argument("--ceiling", type=int, default=_CEILING, help="MiB that training and answering may take")
    wanted = parser.parse_args()
    too_much = []
    for encoder in wanted.encoders:
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            found = alone.submit(measure, encoder, wanted.tags).result()
        print(f"\n{encoder}\n{json.dumps(found, indent=1)}", flush=True)
        if found["peak MiB"] > wanted.ceiling:
            too_much.append(encoder)
        if wanted.tags == _TAGS:
            known = known_figures(FILE)
            write_figures(
                FILE, {**known, encoder: {**circumstances(_LIBRARIES), "ceiling MiB": wanted.ceiling, **found}}
            )
    if too_much:
        sys.exit(f"took more than {wanted.ceiling:,} MiB: {', '.join(too_much)}")


def measure(encoder: str, tags: int) -> dict[str, Any]:
    """Train on three texts of each tag, then answer new ones."""
    import torch

    torch.set_num_threads(THREADS)
    draw = np.random.default_rng(0)
    train = catalogue("train", np.repeat(np.arange(tags), EXAMPLES), draw)
    valid, test = (catalogue(part, draw.integers(0, tags, _HELD_OUT), draw) for part in ("valid", "test"))
    before = own_peak()
    started = time.perf_counter()
    tagger = Tagger(encoder=encoder).fit(train, valid)
    training = time.perf_counter() - started
    after_training = own_peak()
    texts, right = test.texts.to_list(), 0
    started = time.perf_counter()
    for start in range(0, len(texts), _CALL):
        answers = tagger.suggest(texts[start : start + _CALL], top=1, threshold=0, because=False)
        wanted = test.frame["tags"][start : start + _CALL].to_list()
        right += sum(bool(answer) and answer[0].tag == tag for answer, (tag,) in zip(answers, wanted, strict=True))
    seconds = time.perf_counter() - started
    return {
        "tags": len(tagger.tags),
        "train": len(train),
        "test": len(test),
        "P@1": round(right / len(texts), 4),
        "training seconds": round(training, 1),
        "texts a second": round(len(texts) / seconds, 1),
        "peak MiB": own_peak(),
        "peak MiB after training": after_training,
        "peak MiB before": before,
    }


def catalogue(part: str, tags: np.ndarray, draw: np.random.Generator) -> Products:
    """One text for each entry of `tags`."""
    shares = 1 / np.arange(1, _COMMON + 1)
    noise = draw.choice(_COMMON, (len(tags), _NOISE), p=shares / shares.sum())
    which = draw.integers(0, 3, len(tags))  # the first word, the second, both
    places = draw.random((len(tags), _NOISE + 2)).argsort(axis=1)
    texts = []
    for tag, common, some, order in zip(tags.tolist(), noise.tolist(), which.tolist(), places.tolist(), strict=True):
        own = [f"r{tag}a"] * (some != 1) + [f"r{tag}b"] * (some != 0)
        words = [*(f"w{word}" for word in common), *own]
        texts.append(" ".join(words[ix] for ix in order if ix < len(words)))
    frame = pl.DataFrame(
        {
            "product_id": [f"{part}-{ix}" for ix in range(len(tags))],
            "title": texts,
            "tags": [[f"tag {tag}"] for tag in tags.tolist()],
        }
    )
    empty = {
        name: pl.lit(None if name in ("image", *OFFERS) else "" if kind == pl.String else [], dtype=kind)
        for name, kind in PRODUCT_SCHEMA.items()
        if name not in frame.columns
    }
    return Products(frame.with_columns(**empty).select(list(PRODUCT_SCHEMA)))


if __name__ == "__main__":
    main()
