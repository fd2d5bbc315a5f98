"""Peers of the Tagger in an environment of their own: fastText and PECOS XR-Linear; see `_apart.py` for the way there.

Cutting texts and weighing words happens on our side and is counted; memory is that of the peer's process alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _apart import Apart, RefusedError
from _data import Catalogue
from _features import CUT, Features, tags_of, truth_of
from _fitted import THREADS, Fitted, Settings, searched

# Its own step size to begin with: with many tags a text a larger one soon gives numbers that are none.
_FASTTEXT_FIRST: Settings = {"wordNgrams": 2, "lr": 0.1, "epoch": 25}
_FASTTEXT_STEPS = [
    ("lr", (0.3, 1.0)),
    ("lr", (0.03, 0.01)),
    ("wordNgrams", (1,)),
    ("epoch", (50, 100)),
    ("epoch", (10,)),
]
_PECOS_FIRST: Settings = {"nr_splits": 16, "threshold": 0.1, "Cp": 1.0}
_PECOS_STEPS = [("threshold", (0.03, 0.01)), ("nr_splits", (2,)), ("Cp", (2.0, 4.0, 8.0)), ("Cp", (0.5,))]
_PECOS_ANSWERING = {"beam_size": 50, "threads": THREADS}


def fasttext_ova(catalogue: Catalogue, seed: int, longest: int, known: Settings | None) -> Fitted:  # noqa: ARG001
    """fastText; runs of words, step size and passes are the best on valid of a few."""
    tags = tags_of(catalogue.train)
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "train.txt"
    started = time.perf_counter()
    truth, cut = truth_of(catalogue.train, tags), CUT[catalogue.language]
    with path.open("w", encoding="utf-8") as file:
        for ix, text in enumerate(catalogue.train.texts):
            labels = (f"__label__{tag}" for tag in truth.indices[truth.indptr[ix] : truth.indptr[ix + 1]])
            file.write(" ".join([*labels, *cut(text)]) + "\n")
    writing = time.perf_counter() - started

    def fit(settings: Settings) -> Fitted | None:
        peer = Apart("_fasttext.py")
        try:
            seconds = peer.ask(do="train", texts=str(path), settings=settings, seed=seed, threads=THREADS)
        except RefusedError:
            peer.close()
            return None

        def answer(texts: Sequence[str]) -> tuple[np.ndarray, float]:
            started = time.perf_counter()
            lines = "\n".join(" ".join(cut(text)) for text in texts)
            cutting = time.perf_counter() - started
            (Path(folder.name) / "texts.txt").write_text(lines, "utf-8")
            return _asked(peer, cutting, folder.name, texts=f"{folder.name}/texts.txt", tags=len(tags))

        return Fitted(
            tags,
            answer,
            writing + seconds,
            settings,
            {"versions": peer.versions},
            peak_mib=lambda: peer.peak_mib,
            close=peer.close,
        )

    found = fit(known) if known else searched(catalogue, _FASTTEXT_FIRST, _FASTTEXT_STEPS, fit)
    if found is None:
        raise RuntimeError(f"fastText learned nothing with {known}, which the first seed chose")
    return found


def pecos_xr_linear(catalogue: Catalogue, seed: int, longest: int, known: Settings | None) -> Fitted:
    """PECOS XR-Linear; its tree, the least weight kept, and what a miss costs are the best on valid of a few."""
    from scipy.sparse import save_npz

    words = Features(catalogue, longest)
    folder = tempfile.TemporaryDirectory()
    rows, truth = f"{folder.name}/train.npz", f"{folder.name}/truth.npz"
    save_npz(rows, words.train, compressed=False)
    save_npz(truth, words.truth, compressed=False)

    def fit(settings: Settings) -> Fitted:
        peer = Apart("_pecos.py")
        seconds = peer.ask(do="train", rows=rows, truth=truth, settings=settings, seed=seed, threads=THREADS)

        def answer(texts: Sequence[str]) -> tuple[np.ndarray, float]:
            started = time.perf_counter()
            found = words.rows(texts)
            weighing = time.perf_counter() - started
            save_npz(f"{folder.name}/rows.npz", found, compressed=False)
            told = {"rows": f"{folder.name}/rows.npz", "tags": len(words.tags), "answering": _PECOS_ANSWERING}
            return _asked(peer, weighing, folder.name, **told)

        return Fitted(
            words.tags,
            answer,
            words.seconds + seconds,
            settings,
            {"features": words.train.shape[1], **_PECOS_ANSWERING, "versions": peer.versions},
            peak_mib=lambda: peer.peak_mib,
            close=peer.close,
        )

    return fit(known) if known else searched(catalogue, _PECOS_FIRST, _PECOS_STEPS, fit)


def _asked(peer: Apart, before: float, folder: str, **told: Any) -> tuple[np.ndarray, float]:
    """Confidences [P, L] and the seconds, those before the question with them."""
    seconds = peer.ask(do="score", into=f"{folder}/scores.npy", **told)
    return np.load(f"{folder}/scores.npy"), before + seconds
