"""How fast a warm Tagger answers on two threads: texts a second in batches, and one text alone.

    python benchmarks/tagging_speed.py [--data hm] [--only bag "transformer, small"] [--rows 20000]

The Tagger is trained for one pass on some of the catalogue: how much it learned does not change its pace, the size of
its vocabulary and its tags do, and those are nearly the whole catalogue's. Short texts are the products' titles alone,
or the first words of the text where products have no title; long ones the whole text. In batches: `suggest` with five
tags for all texts at once, the best of five. One text alone: `suggest` for one text after the other in the same
process, 2,000 times after 200 to warm up.

Data: see `_data.py`. Figures go to results/tagging_speed.json.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from _data import CATALOGUES, FOLDER, is_there, read_catalogue
from _features import CUT
from _fitted import THREADS, Settings
from _measure import settings_of
from _report import circumstances, known_figures, write_figures

from tagloom.tags.tagger import Tagger

FILE = "tagging_speed.json"
_LIBRARIES = ("torch", "scikit-learn", "omikuji", "scipy", "numpy", "rjieba")
# Name -> settings; what they leave out has its default.
SYSTEMS: dict[str, Settings] = {
    "bag": {"encoder": "bag"},
    "linear": {"encoder": "linear"},
    "lstm": {"encoder": "lstm"},
    "transformer": {"encoder": "transformer"},
    "transformer, small": {"encoder": "transformer", "size": "small"},
    "blend": {"encoder": "blend"},
}
_BATCH_TEXTS, _TIMINGS = 10_000, 5
_WARM_UP, _ALONE = 200, 2_000
_SHORT_WORDS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=tuple(CATALOGUES), default="hm")
    parser.add_argument("--only", nargs="+", choices=tuple(SYSTEMS), default=tuple(SYSTEMS), help="these systems")
    parser.add_argument("--rows", type=int, default=20_000, help="at most so many products to train on")
    parser.add_argument("--texts", type=int, default=_BATCH_TEXTS, help="texts to answer; fewer make a trial")
    wanted = parser.parse_args()
    if not is_there(wanted.data):
        print(f"skipped: {FOLDER / CATALOGUES[wanted.data][1]} is missing; set TAGLOOM_DATA to the data folder")
        return

    import torch

    torch.set_num_threads(THREADS)
    catalogue = read_catalogue(wanted.data, wanted.rows)
    texts = {
        "short": short_texts(wanted.data, wanted.texts),
        "long": _as_many(catalogue.test.texts.to_list(), wanted.texts),
    }
    for system in wanted.only:
        tagger = Tagger(**SYSTEMS[system], epochs=1).fit(catalogue.train, catalogue.valid)
        found = {"tags": len(tagger.tags), **{kind: pace(tagger, some) for kind, some in texts.items()}}
        found |= {"load average": round(os.getloadavg()[0], 2), "settings": settings_of(tagger)}
        print(f"\n{wanted.data}, {system}\n{json.dumps(found, indent=1)}", flush=True)
        if wanted.texts == _BATCH_TEXTS:
            known = known_figures(FILE)
            known.setdefault(wanted.data, {})[system] = {**circumstances(_LIBRARIES), **found}
            write_figures(FILE, known)


def short_texts(name: str, count: int) -> list[str]:
    """Titles of the test products; the first six words of the text of one that has no title."""
    catalogue = read_catalogue(name)
    cut, blank = CUT[catalogue.language], "" if catalogue.language == "zh" else " "
    rows = zip(catalogue.test.frame["title"], catalogue.test.texts, strict=True)
    return _as_many([title or blank.join(cut(text)[:_SHORT_WORDS]) for title, text in rows], count)


def _as_many(texts: Sequence[str], count: int) -> list[str]:
    """So many texts, from the beginning again where there are too few."""
    return (list(texts) * (count // len(texts) + 1))[:count]


def pace(tagger: Tagger, texts: Sequence[str]) -> dict[str, Any]:
    """Texts a second in batches, and milliseconds for one text alone, without and with the words that caused a tag."""
    found: dict[str, Any] = {"characters a text": round(float(np.mean([len(text) for text in texts])), 1)}
    for name, because in (("", False), (", with the cause", True)):
        tagger.suggest(texts[:_WARM_UP], because=because)
        taken = [_seconds(tagger, texts, because) for _ in range(_TIMINGS)]
        found[f"texts a second in batches{name}"] = round(len(texts) / min(taken))
        one = _as_many(texts, _WARM_UP + _ALONE)
        gc.collect()
        alone = [1_000 * _seconds(tagger, [text], because) for text in one][_WARM_UP:]
        found |= {f"one text p{share} ms{name}": round(float(np.percentile(alone, share)), 3) for share in (50, 95, 99)}
    return found


def _seconds(tagger: Tagger, texts: Sequence[str], because: bool) -> float:
    started = time.perf_counter()
    tagger.suggest(texts, top=5, because=because)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
