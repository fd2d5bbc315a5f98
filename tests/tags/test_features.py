"""Texts as TF-IDF rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tagloom.config import TaggerSettings
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError
from tagloom.tags.features import Features

TEXTS = ["red silk dress", "red tea", "silk tea tea tea", "red silk lamp", "宽松 牛仔外套", "牛仔外套 red"]


def fit(texts=TEXTS, **settings):
    return Features.fit(texts, TaggerSettings(**settings), WordSplitter())


def test_rows_are_what_scikit_learn_makes_of_the_same_words():
    ours = fit(min_documents=1, ngrams=2)
    theirs = TfidfVectorizer(
        analyzer=lambda text: (words := WordSplitter().split(text)) + [" ".join(pair) for pair in pairwise(words)],
        sublinear_tf=True,
    )
    expected = theirs.fit_transform(TEXTS)
    assert ours.terms == tuple(theirs.get_feature_names_out())
    np.testing.assert_allclose(ours.rows(TEXTS).toarray(), expected.toarray(), rtol=1e-5)


def test_a_row_has_length_1_and_one_without_known_terms_is_empty():
    rows = fit().rows([*TEXTS, "unknown", ""])
    np.testing.assert_allclose(np.linalg.norm(rows.toarray(), axis=1), [1] * len(TEXTS) + [0, 0], rtol=1e-6)
    assert np.diff(rows.indptr)[-2:].tolist() == [0, 0]


def test_settings_say_which_terms_are_kept():
    assert "red silk" in fit(ngrams=2).terms
    assert all(" " not in term for term in fit(ngrams=1).terms)
    assert "red silk dress" in fit(ngrams=3, min_documents=1).terms
    assert "dress" not in fit(min_documents=2).terms
    assert len(fit([f"w{n} w{n}" for n in range(300)] * 2, max_features=100)) == 100
    first_ten = fit([" ".join(f"w{n}" for n in range(50))] * 2, max_words=10, ngrams=1)
    assert sorted(first_ten.terms) == [f"w{n}" for n in range(10)]


def test_they_come_back_from_their_files_with_the_custom_words(tmp_path):
    before = Features.fit(["五环之歌 tea", "五环之歌"], TaggerSettings(), WordSplitter(("五环之歌",)))
    before.save(tmp_path)
    after = Features.load(tmp_path)
    assert (after.terms, after.ngrams, after.max_words) == (before.terms, before.ngrams, before.max_words)
    one, other = (some.rows(["唱五环之歌", "tea"]) for some in (before, after))
    assert one.data.tobytes() == other.data.tobytes()
    assert one.indices.tolist() == other.indices.tolist()


@pytest.mark.parametrize("texts", [[], [""], ["a b c"], ["…", "!!"]])
def test_no_terms_is_an_error_with_a_remedy(texts):
    with pytest.raises(DataError, match=r"lower tagger\.min_documents"):
        fit(texts)
