"""What the Tagger is measured against: scikit-learn one-versus-rest and omikuji's label trees, over the same features.

Both read words, or words and pairs of words, that stand in two texts or more, weighted by sublinear TF-IDF. Shapes:
P texts, V features, L tags.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _data import Catalogue

from tagloom.data.tables import Products
from tagloom.measure.tagging import tag_metrics

THREADS = 2
_MOST_FEATURES = 200_000
_ALPHAS = (1e-5, 3e-6, 1e-6, 5e-7, 1e-7)
_PASSES = 20
_TREE_TAGS = 100


@dataclass(frozen=True)
class Fitted:
    """A trained system: its tags, texts -> confidences [P, L], seconds that training took, and what was chosen."""

    tags: list[str]
    confidences: Callable[[Sequence[str]], np.ndarray]
    seconds: float
    chosen: dict[str, Any]


def truth_of(products: Products, tags: Sequence[str]) -> Any:
    """CSR matrix [P, L] of the products' tags; tags that are not in the list are left out."""
    from scipy.sparse import csr_matrix

    column = {tag: ix for ix, tag in enumerate(tags)}
    rows = [[column[tag] for tag in row if tag in column] for row in products.frame["tags"].to_list()]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    flat = np.fromiter(itertools.chain.from_iterable(rows), np.int64)
    return csr_matrix((np.ones(len(flat), np.float32), flat, starts), shape=(len(rows), len(tags)))


def one_versus_rest(catalogue: Catalogue, seed: int, longest: int) -> Fitted:
    """A logistic regression for each tag, by stochastic gradient descent; its penalty is the best of a few on valid.

    Penalties are tried from the largest down, until one is worse than the one before. The seconds are those of the
    features and of the best penalty alone, as if it had been known.
    """
    words = _Features(catalogue, longest)
    held_out, truth = words.rows(catalogue.valid.texts), truth_of(catalogue.valid, words.tags).toarray()
    best: tuple[float, Fitted] | None = None
    for alpha in _ALPHAS:
        fitted, scores = _regressions(words, seed, alpha, held_out)
        reached = tag_metrics([(scores, truth)], np.inf).values["nDCG@10"]
        if best is not None and reached < best[0]:
            break
        best = (reached, fitted)
    assert best is not None
    return best[1]


def _regressions(words: _Features, seed: int, alpha: float, held_out: Any) -> tuple[Fitted, np.ndarray]:
    """The regressions with one penalty, and their scores of the held-out rows."""
    from joblib import parallel_backend
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import SGDClassifier
    from sklearn.multiclass import OneVsRestClassifier

    started = time.perf_counter()
    each = SGDClassifier(loss="log_loss", alpha=alpha, max_iter=_PASSES, random_state=seed)
    # Threads, not processes: the solver lets go of Python's lock, and the features need no second copy.
    with parallel_backend("threading", n_jobs=THREADS), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = OneVsRestClassifier(each, n_jobs=THREADS).fit(words.train, words.truth)
    seconds = words.seconds + time.perf_counter() - started
    chosen = {"alpha": alpha, "most passes": _PASSES, "features": words.train.shape[1]}
    fitted = Fitted(words.tags, lambda texts: model.predict_proba(words.rows(texts)), seconds, chosen)
    return fitted, model.predict_proba(held_out)


def omikuji_trees(catalogue: Catalogue, seed: int, longest: int) -> Fitted:  # noqa: ARG001 (omikuji takes no seed)
    """Label trees (Khandagale, Xiao and Babbar 2020, "Bonsai"; Prabhu et al. 2018, "Parabel") as omikuji sets them."""
    import omikuji

    words = _Features(catalogue, longest)
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

    return Fitted(words.tags, confidences, seconds, {"most tags a text": most, "features": words.train.shape[1]})


class _Features:
    """The peers' features [P, V] and truth [P, L] of the training texts, and the way there for other texts."""

    def __init__(self, catalogue: Catalogue, longest: int) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        started = time.perf_counter()
        cut = _CUT[catalogue.language]
        self._tfidf = TfidfVectorizer(
            analyzer=lambda text: cut(text) if longest == 1 else _with_pairs(cut(text)),
            min_df=2,
            max_features=_MOST_FEATURES,
            sublinear_tf=True,
            dtype=np.float32,
        )
        self.train = self._tfidf.fit_transform(catalogue.train.texts)
        self.tags = sorted(set(catalogue.train.frame["tags"].explode().drop_nulls()))
        self.truth = truth_of(catalogue.train, self.tags)
        self.seconds = time.perf_counter() - started

    def rows(self, texts: Sequence[str]) -> Any:
        return self._tfidf.transform(texts)


def _chinese_words(text: str) -> list[str]:
    import rjieba

    return [word for word in rjieba.cut(text) if re.match(r"\w", word)]


def _english_words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


_CUT = {"zh": _chinese_words, "en": _english_words}


def _with_pairs(words: list[str]) -> list[str]:
    return [*words, *(f"{first} {second}" for first, second in itertools.pairwise(words))]


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
