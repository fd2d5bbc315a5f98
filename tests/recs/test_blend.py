"""Experts joined: planted scores of which it is known who is right."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tagloom.recs.blend import Blend, Candidates, fit_blend, sharpened
from tagloom.recs.experts.contract import figure

USERS, PRODUCTS = 300, 60
WANTED = np.random.default_rng(0).integers(0, PRODUCTS, USERS)


def shares(wanted=WANTED):
    truth = np.zeros((len(wanted), PRODUCTS), np.float32)
    truth[np.arange(len(wanted)), wanted] = 1
    return truth


def noise(seed, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, (USERS, PRODUCTS)).astype(np.float32)


def knowing(seed, rows=slice(None), scale=4.0):
    """Scores of one who knows what some of the users want."""
    scores = noise(seed)
    scores[rows] += scale * shares()[rows]
    return scores


def fitted(*scores, truth=None, **more):
    truth = shares() if truth is None else truth
    names = tuple(f"e{number}" for number in range(len(scores)))
    return fit_blend(names, Candidates.of([(list(scores), truth)], **more))


def test_a_blend_adds_up_what_its_experts_say():
    blend = Blend(("a", "b"), np.array([0.5, 2], np.float32))
    one, other = np.array([1, 2], np.float32), np.array([10, -10], np.float32)
    assert blend.joined([one, other]).tolist() == [20.5, -19]
    assert blend.joined([np.stack([one, one]), np.stack([other, one])]).tolist() == [[20.5, -19], [2.5, 5]]


def test_what_is_written_down_comes_back():
    blend = Blend(("a", "b"), np.array([0.1, 2], np.float32))
    back = Blend.from_dict(json.loads(json.dumps(blend.as_dict())))
    assert back.names == blend.names
    assert back.weights.dtype == np.float32
    assert back.weights.tolist() == blend.weights.tolist()


# The fit


def test_one_who_knows_outweighs_noise():
    blend = fitted(knowing(1), noise(2))
    assert blend.names == ("e0", "e1")
    assert blend.weights[0] > 0.5
    assert blend.weights[1] == pytest.approx(0, abs=0.15)


def test_one_who_only_harms_has_no_weight():
    assert fitted(knowing(1), -knowing(2)).weights[1] == 0


def test_two_who_know_different_users_are_better_together():
    halves = knowing(1, slice(0, None, 2)), knowing(2, slice(1, None, 2))
    blend = fitted(*halves)
    assert min(blend.weights) > 0.5
    together = figure(blend.joined(halves), WANTED)
    assert together > max(figure(one, WANTED) for one in halves) + 0.1


def test_two_alike_share_the_weight():
    one = knowing(1)
    both, alone = fitted(one, one), fitted(one)
    assert both.weights[0] == pytest.approx(both.weights[1], abs=0.01)
    assert sum(both.weights) == pytest.approx(alone.weights[0], rel=0.05)


def test_weights_undo_the_scale_of_an_expert():
    one, other = knowing(1, scale=2.0), knowing(2, scale=2.0)
    plain, scaled = fitted(one, other), fitted(10 * one, other)
    assert 10 * scaled.weights[0] == pytest.approx(plain.weights[0], rel=0.05)


def test_scores_that_are_thousands_apart_are_weighed_too():
    """As those of an expert who puts whole categories before all others."""
    far = 5_000 * shares(WANTED[::-1])  # sure, and wrong
    blend = fitted(far, knowing(1))
    assert np.isfinite(blend.weights).all()
    assert blend.weights[0] == pytest.approx(0, abs=0.001)
    assert figure(blend.joined([far, knowing(1)]), WANTED) > 0.9


def test_the_weights_are_the_likeliest_of_a_grid():
    one, other = knowing(1), knowing(2, slice(0, 100))

    def likelihood(weights):
        total = weights[0] * one + weights[1] * other
        return np.mean(total[np.arange(USERS), WANTED] - np.log(np.exp(total).sum(1)))

    found = fitted(one, other).weights
    best = max(likelihood((x, y)) for x in np.linspace(0, 2, 21) for y in np.linspace(0, 2, 21))
    assert likelihood(found) >= best - 1e-3


def test_users_without_a_truth_count_nothing():
    truth = shares()
    truth[100:] = 0
    part = fit_blend(("e0", "e1"), Candidates.of([([knowing(1)[:100], noise(2)[:100]], truth[:100])]))
    assert fitted(knowing(1), noise(2), truth=truth).weights == pytest.approx(part.weights, abs=1e-3)


def test_where_nobody_has_a_truth_all_experts_weigh_alike():
    assert fitted(knowing(1), noise(2), truth=np.zeros_like(shares())).weights.tolist() == [0.5, 0.5]


# What is compared


def one_of(*columns):
    return shares(np.array(columns))


def test_candidates_are_the_best_of_each():
    first, second = np.arange(PRODUCTS, dtype=np.float32), -np.arange(PRODUCTS, dtype=np.float32)
    found = Candidates.of([([first[None], second[None]], one_of(1))], best=2)
    (scores,), (truth,) = found.scores, found.truth
    assert scores[:, 0].tolist() == [0, 1, 58, 59]
    assert scores[:, 1].tolist() == [0, -1, -58, -59]
    assert truth.tolist() == [0, 1, 0, 0]


def test_what_is_hidden_is_no_candidate():
    first, second = (np.arange(PRODUCTS, dtype=np.float32)[None] for _ in range(2))
    for part in (first, second):
        part[0, 58:] = -np.inf
    found = Candidates.of([([first, second], one_of(57))], best=2)
    assert found.scores[0, :, 0].tolist() == [56, 57]


def test_users_who_took_none_of_the_best_tell_nothing():
    first = np.arange(PRODUCTS, dtype=np.float32)[None]
    assert Candidates.of([([first], one_of(3))], best=2).truth.shape[0] == 0
    assert Candidates.of([([first], np.zeros((1, PRODUCTS), np.float32))]).truth.shape[0] == 0


def test_places_that_are_not_filled_are_no_candidates():
    rising = np.arange(PRODUCTS, dtype=np.float32)
    experts = [np.stack([rising, rising]), np.stack([rising, -rising])]
    found = Candidates.of([(experts, one_of(59, 0))], best=1)
    assert found.scores[:, :, 0].tolist() == [[59, -np.inf], [0, 59]]
    assert found.truth.tolist() == [[1, 0], [1, 0]]


def test_batches_are_one_after_the_other():
    parts = [([knowing(1)[rows], noise(2)[rows]], shares()[rows]) for rows in (slice(0, 7), slice(7, USERS))]
    whole = fitted(knowing(1), noise(2))
    assert fit_blend(whole.names, Candidates.of(iter(parts))).weights == pytest.approx(whole.weights, abs=1e-4)


def test_fewer_products_than_candidates_are_all_compared():
    found = Candidates.of([([noise(1)[:5, :3]], np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]])], best=100)
    assert found.scores.shape == (5, 3, 1)


# What ranks best


def ranked(*scores, weights):
    blend = Blend(tuple(f"e{number}" for number in range(len(scores))), np.array(weights, np.float32))
    return sharpened(blend, Candidates.of([(list(scores), shares())]))


def test_weights_that_rank_badly_are_given_up():
    good, bad = knowing(1), noise(2)
    found = ranked(good, bad, weights=[0.1, 1.0])
    assert found.weights[0] > 10 * found.weights[1]
    assert figure(found.joined([good, bad]), WANTED) > figure(good, WANTED) - 0.01


def test_weights_that_rank_well_stay():
    halves = knowing(1, slice(0, None, 2)), knowing(2, slice(1, None, 2))
    assert ranked(*halves, weights=[1.0, 1.0]).weights.tolist() == [1, 1]


def test_nobody_is_wholly_left_out():
    found = ranked(knowing(1), noise(2), -knowing(3), weights=[1.0, 0.0, 0.0])
    assert 0 < found.weights[1] <= 0.05
    assert 0 < found.weights[2] <= 0.05


def test_where_nobody_tells_anything_weights_stay():
    blend = Blend(("e0", "e1"), np.array([0.7, 0.3], np.float32))
    nothing = Candidates.of([([noise(1), noise(2)], np.zeros_like(shares()))])
    assert sharpened(blend, nothing).weights == pytest.approx([0.7, 0.3])
