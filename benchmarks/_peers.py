"""Peers in our own process: scikit-learn one-versus-rest and omikuji's label trees, over `_features.py`."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _data import Catalogue
from _features import Features
from _fitted import THREADS, Fitted, Settings, searched, timed

# From the largest penalty down.
_ALPHAS = (1e-5, 3e-6, 1e-6, 5e-7, 1e-7)
_PASSES = 20
_TREE_TAGS = 100


def one_versus_rest(catalogue: Catalogue, seed: int, longest: int, known: Settings | None) -> Fitted:
    """A logistic regression for each tag, by stochastic gradient descent; its penalty is the best of a few on valid."""
    words = Features(catalogue, longest)

    def fit(settings: Settings) -> Fitted:
        return _regressions(words, seed, settings)

    return fit(known) if known else searched(catalogue, {"alpha": _ALPHAS[0]}, [("alpha", _ALPHAS[1:])], fit)


def _regressions(words: Features, seed: int, settings: Settings) -> Fitted:
    from joblib import parallel_backend
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import SGDClassifier
    from sklearn.multiclass import OneVsRestClassifier

    started = time.perf_counter()
    each = SGDClassifier(loss="log_loss", max_iter=_PASSES, random_state=seed, **settings)
    # Threads, not processes: the solver lets go of Python's lock, and the features need no second copy.
    with parallel_backend("threading", n_jobs=THREADS), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = OneVsRestClassifier(each, n_jobs=THREADS).fit(words.train, words.truth)
    seconds = words.seconds + time.perf_counter() - started
    about = {"most passes": _PASSES, "features": words.train.shape[1]}
    answer = timed(lambda texts: model.predict_proba(words.rows(texts)))
    return Fitted(words.tags, answer, seconds, settings, about)


def omikuji_trees(catalogue: Catalogue, seed: int, longest: int, known: Settings | None) -> Fitted:  # noqa: ARG001
    """Label trees (Khandagale, Xiao and Babbar 2020, "Bonsai"; Prabhu et al. 2018, "Parabel") as omikuji sets them.

    It takes no seed, and nothing is chosen.
    """
    import omikuji

    words = Features(catalogue, longest)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, _silent():
        path = Path(folder) / "train.txt"
        _write_svm(path, words.train, words.truth)
        model = omikuji.Model.train_on_data(str(path), omikuji.Model.default_hyper_param(), n_threads=THREADS)
        model.init_prediction_thread_pool(THREADS)
    seconds = words.seconds + time.perf_counter() - started
    most = min(_TREE_TAGS, len(words.tags))

    def confidences(texts: Sequence[str]) -> np.ndarray:
        rows = words.rows(texts)
        found = np.zeros((rows.shape[0], len(words.tags)), np.float32)
        for ix in np.flatnonzero(np.diff(rows.indptr)):
            part = slice(rows.indptr[ix], rows.indptr[ix + 1])
            pairs = list(zip(rows.indices[part].tolist(), rows.data[part].tolist(), strict=True))
            for tag_ix, confidence in model.predict(pairs, top_k=most):
                found[ix, tag_ix] = confidence
        return found

    about = {"most tags a text": most, "features": words.train.shape[1]}
    return Fitted(words.tags, timed(confidences), seconds, about=about)


def _write_svm(path: Path, rows: Any, truth: Any) -> None:
    """One line a text: `tag,tag feature:weight feature:weight`. omikuji cannot read a line without features."""
    kept = np.flatnonzero(np.diff(rows.indptr))
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{len(kept)} {rows.shape[1]} {truth.shape[1]}\n")
        for ix in kept:
            tags = ",".join(map(str, truth.indices[truth.indptr[ix] : truth.indptr[ix + 1]]))
            part = slice(rows.indptr[ix], rows.indptr[ix + 1])
            pairs = zip(rows.indices[part].tolist(), rows.data[part].tolist(), strict=True)
            file.write(tags + " " + " ".join(f"{feature}:{weight:.6f}" for feature, weight in pairs) + "\n")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without what native code writes on both streams: omikuji's progress bars are thousands of lines."""
    kept, nowhere = [os.dup(stream) for stream in (1, 2)], os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    try:
        yield
    finally:
        for stream, before in zip((1, 2), kept, strict=True):
            os.dup2(before, stream)
            os.close(before)
        os.close(nowhere)
