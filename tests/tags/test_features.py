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


# What a model reads


def test_a_reading_makes_words_rows_and_token_numbers_of_its_texts():
    features = fit(ngrams=2)
    reading = features.read(["red silk stranger", "", "tea"])
    assert reading.words == [["red", "silk", "stranger"], [], ["tea"]]
    number = features.token_of
    assert [tokens.tolist() for tokens in reading.tokens] == [[number["red"], number["silk"], 1], [], [number["tea"]]]
    assert reading.known.tolist() == [True, False, True]
    assert list(reading.terms_of(0)) == [features.terms[term] for term in reading.rows[0].indices]
    assert set(reading.terms_of(0)) == {"red", "silk", "red silk"}
    assert list(reading.terms_of(1)) == []
    assert len(reading) == 3


def test_words_have_numbers_from_2_on_and_runs_have_none():
    features = Features.fit(["five trees red silk"] * 2, TaggerSettings(ngrams=2), WordSplitter(("five trees",)))
    assert "red silk" in features.terms
    assert set(features.token_of) == {"five trees", "red", "silk"}
    assert sorted(features.token_of.values()) == [2, 3, 4]


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_part_is_the_same_as_reading_those_texts_alone(asked_before):
    features = fit(ngrams=2)
    whole = features.read(TEXTS)
    if asked_before:
        assert (len(whole.words), whole.rows.shape[0], len(whole.tokens)) == (6, 6, 6)
    part, alone = whole.part([4, 0]), features.read([TEXTS[4], TEXTS[0]])
    assert part.texts == alone.texts
    assert part.words == alone.words
    assert [tokens.tolist() for tokens in part.tokens] == [tokens.tolist() for tokens in alone.tokens]
    np.testing.assert_array_equal(part.rows.toarray(), alone.rows.toarray())
    assert len(whole.part([])) == 0


def test_pairs_are_read_where_there_are_texts_enough():
    few, many = ([f"red silk {n}" for n in range(count)] for count in (19_999, 20_000))
    assert (fit(few).ngrams, fit(many).ngrams) == (1, 2)
    assert (fit(few, ngrams=2).ngrams, fit(many, ngrams=1).ngrams) == (2, 1)
    assert "red silk" in fit(many).terms
