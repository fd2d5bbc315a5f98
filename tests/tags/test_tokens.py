"""What the states of the convolution carried, shared out to the words that they saw."""

from __future__ import annotations

import numpy as np

from tagloom.tags.experts.tokens import _to_the_words_seen


def test_the_sum_stays_and_rare_words_get_more():
    share = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    idf = np.array([1.0, 5.0, 1.0, 3.0, 2.0, 4.0], np.float32)
    told = _to_the_words_seen(share, idf)
    np.testing.assert_allclose(told.sum(0), share.sum(0), rtol=1e-4)


def test_what_a_common_word_knows_of_its_neighbour_is_the_neighbours():
    share = np.zeros((3, 1), np.float32)
    share[1] = 1.0
    before, common, after = _to_the_words_seen(share, np.array([8.0, 1.0, 1.0], np.float32))[:, 0]
    assert before > common > after > 0


def test_unknown_words_carry_nothing_alone():
    told = _to_the_words_seen(np.ones((2, 1), np.float32), np.zeros(2, np.float32))
    assert not told.any()
