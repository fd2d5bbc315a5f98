"""Families of tags of which a product has one at most."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from tagloom.nn.losses import family_log_odds as by_torch
from tagloom.tags.families import exclusive_families, family_log_odds, one_of_each

NAMES = ["colour=blue", "colour=red", "for=man", "for=woman", "cotton", "shoes", "boots", "sandals"]
PARENTS = {"boots": "shoes", "sandals": "shoes"}


def truth(products=100, both=0):
    """Each product has one colour; `both` of a hundred have two. Those for man and woman are often the same."""
    rows = np.zeros((products, len(NAMES)), np.float32)
    for n in range(products):
        rows[n, n % 2] = 1
        rows[n, [2, 3] if n % 3 else [2]] = 1
        rows[n, [5, 6 + n % 2]] = 1
        if n < both:
            rows[n, :2] = 1
    return csr_matrix(rows)


def test_a_family_is_found_where_the_data_say_so_and_only_there():
    found = exclusive_families(NAMES, PARENTS, truth(), 0.98)
    assert found == ((0, 1), (6, 7))
    assert exclusive_families(NAMES, {}, truth(), 0.98) == ((0, 1),)


@pytest.mark.parametrize(("both", "least", "exclusive"), [(2, 0.98, True), (3, 0.98, False), (3, 0.9, True)])
def test_the_setting_says_how_many_products_may_have_several(both, least, exclusive):
    assert ((0, 1) in exclusive_families(NAMES, PARENTS, truth(both=both), least)) is exclusive


def test_too_few_products_say_nothing():
    assert exclusive_families(NAMES, PARENTS, truth(19), 0.98) == ()
    assert exclusive_families(NAMES, PARENTS, truth(20), 0.98) != ()


def test_one_value_is_no_family():
    assert exclusive_families(["colour=red", "cotton"], {}, csr_matrix(np.ones((50, 2))), 0.98) == ()


def test_products_of_one_text_that_contradict_each_other_are_no_reason_against_a_family():
    """The shares of a text's products: half have the one colour, half the other."""
    shares = csr_matrix(np.full((50, 2), 0.5, np.float32))
    assert exclusive_families(NAMES[:2], {}, shares, 0.98) == ((0, 1),)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_the_log_odds_are_those_of_the_loss(scale):
    families = ((0, 3), (1, 2, 5))
    scores = (scale * np.random.default_rng(0).normal(size=(50, 7))).astype(np.float32)
    theirs = by_torch([torch.tensor(family) for family in families])(torch.from_numpy(scores)).numpy()
    np.testing.assert_allclose(family_log_odds(scores, families), theirs, rtol=1e-4, atol=1e-4)
    assert family_log_odds(scores, ()).tolist() == scores.tolist()


def test_log_odds_of_any_size_are_finite_and_ranked_as_the_scores():
    scores = np.array([[1e4, -1e4, 50.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 0], [90.0, 60.0, 30.0]], np.float32)
    found = family_log_odds(scores, ((0, 1, 2),))
    assert np.isfinite(found).all()
    for row, before in zip(found, scores, strict=True):
        assert np.all(np.diff(row[np.argsort(before, kind="stable")]) >= 0)


def test_of_a_family_the_surest_is_given_if_it_is_given_at_all():
    confidences = np.array([[0.6, 0.7, 0.9], [0.9, 0.1, 0.2], [0.2, 0.3, 0.9]])
    kept = one_of_each(confidences, confidences > 0.5, ((0, 1),))
    assert kept.tolist() == [[False, True, True], [True, False, False], [False, False, True]]
    # The surest is not given where its own threshold forbids it: then none of them is.
    forbidden = one_of_each(confidences, np.array([[True, False, True]] * 3), ((0, 1),))
    assert forbidden[0].tolist() == [False, False, True]
