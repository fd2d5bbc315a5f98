"""Experts joined by weights that are fitted on valid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tagloom.errors import UserError
from tagloom.measure.tagging import tag_metrics
from tagloom.tags.blend import Blend

TEXTS, TAGS = 400, 20
ONES = np.ones(TEXTS, np.float32)


def truth(seed=0, texts=TEXTS):
    """One tag in twenty, at random."""
    return (np.random.default_rng(seed).random((texts, TAGS)) < 0.05).astype(np.float32)


def noise(seed, texts=TEXTS):
    return np.random.default_rng(seed).normal(0, 2, (texts, TAGS)).astype(np.float32)


def knowing(right, seed, scale=6.0):
    """Scores of one who sees the truth through some noise."""
    return (scale * right - 4 + noise(seed, len(right)) / 2).astype(np.float32)


def ndcg(scores, right):
    return tag_metrics([(scores, right)], np.inf).values["nDCG@10"]


def test_noise_has_no_weight_beside_one_who_knows():
    right = truth()
    blend = Blend.fit({"good": knowing(right, 1), "noise": noise(2)}, right, ONES, 0)
    assert blend.weights["good"] > 0.5
    assert blend.weights["noise"] < 0.05
    fresh = truth(9)
    scores = {"good": knowing(fresh, 8), "noise": noise(7)}
    assert ndcg(blend.joined(scores), fresh) == pytest.approx(ndcg(scores["good"], fresh), abs=0.01)


def halves(right, seed):
    """Two experts, each of whom knows one half of the tags and says nothing of the other."""
    whole, half = knowing(right, seed), TAGS // 2
    first, second = np.full_like(whole, -3), np.full_like(whole, -3)
    first[:, :half], second[:, half:] = whole[:, :half], whole[:, half:]
    return {"first": first, "second": second}


def test_two_that_complete_each_other_beat_each_alone():
    right, fresh = truth(), truth(9)
    blend, scores = Blend.fit(halves(right, 1), right, ONES, 0), halves(fresh, 8)
    together = ndcg(blend.joined(scores), fresh)
    assert together > 0.9
    assert together > ndcg(scores["first"], fresh) + 0.2
    assert together > ndcg(scores["second"], fresh) + 0.2
    assert min(blend.weights.values()) > 0.5


def test_one_who_says_the_reverse_is_not_listened_to():
    right = truth()
    blend = Blend.fit({"good": knowing(right, 1), "liar": -knowing(right, 2)}, right, ONES, 0)
    assert blend.weights["liar"] == 0
    alone = Blend.fit({"liar": -knowing(right, 2)}, right, ONES, 0)
    assert alone.weights["liar"] == 1  # any order is as good


def test_the_log_odds_are_those_that_were_planted():
    random = np.random.default_rng(0)
    one, other = (random.normal(0, 2, (4_000, 10)).astype(np.float32) for _ in range(2))
    line = 0.5 * one + 1.5 * other - 1
    right = (random.random(line.shape) < 1 / (1 + np.exp(-line))).astype(np.float32)
    blend = Blend.fit({"one": one, "other": other}, right, np.ones(4_000, np.float32), 0)
    found = (blend.weights["one"], blend.weights["other"], blend.offset)
    assert found == pytest.approx((0.5, 1.5, -1), abs=0.06)
    np.testing.assert_allclose(blend.joined({"one": one, "other": other}), line, atol=0.6)


def test_what_is_left_out_is_the_blend_of_the_others():
    right = truth()
    scores = {"good": knowing(right, 1), "fair": knowing(right, 2, scale=3.0), "noise": noise(3)}
    blend = Blend.fit(scores, right, ONES, 0)
    for name in scores:
        others = {other: some for other, some in scores.items() if other != name}
        assert blend.leaving_out(name).weights.keys() == others.keys()
        joined = blend.leaving_out(name).joined(others)
        assert ndcg(joined, right) == pytest.approx(
            ndcg(Blend.fit(others, right, ONES, 0).joined(others), right), abs=0.02
        )


def test_an_expert_that_it_has_not_cannot_be_left_out():
    right = truth()
    blend = Blend.fit({"good": knowing(right, 1), "noise": noise(2)}, right, ONES, 0)
    with pytest.raises(UserError, match=r"expected an expert of the blend \(good, noise\), came 'bad'"):
        blend.leaving_out("bad")
    alone = Blend.fit({"good": knowing(right, 1)}, right, ONES, 0)
    with pytest.raises(UserError, match=r"none: it has one expert alone\), came 'good'"):
        alone.leaving_out("good")


def test_it_comes_back_from_json():
    right = truth()
    blend = Blend.fit({"good": knowing(right, 1), "noise": noise(2)}, right, ONES, 0)
    assert Blend.from_dict(blend.as_dict()) == blend


def test_a_text_of_weight_2_counts_as_two_texts():
    right = truth()
    scores = {"good": knowing(right, 1), "noise": noise(2)}
    double = Blend.fit(scores, right, np.where(np.arange(TEXTS) < 100, 2, 1).astype(np.float32), 0)
    twice = {name: np.vstack([some, some[:100]]) for name, some in scores.items()}
    same = Blend.fit(twice, np.vstack([right, right[:100]]), np.ones(TEXTS + 100, np.float32), 0)
    assert double.weights == pytest.approx(same.weights, abs=1e-3)
    assert double.offset == pytest.approx(same.offset, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.float32, (3, 6, 4), elements=st.floats(-100, 100, width=32)),
    arrays(np.float32, (6, 4), elements=st.floats(0, 1, width=32)),
)
def test_whatever_comes_no_weight_is_negative_or_no_number(scores, right):
    named = dict(zip(("a", "b", "c"), scores, strict=True))
    blend = Blend.fit(named, right, np.ones(6, np.float32), 0)
    for one in (blend, *blend.without.values()):
        assert all(weight >= 0 for weight in one.weights.values())
        assert any(weight > 0 for weight in one.weights.values())
        assert np.isfinite([*one.weights.values(), one.offset]).all()
    assert np.isfinite(blend.joined(named)).all()
