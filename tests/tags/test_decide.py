"""Which tags are given."""

from __future__ import annotations

import numpy as np
import pytest

from tagloom.errors import UserError
from tagloom.tags.decide import NEVER, PROMISES, Decision, allowed_tags, promised_thresholds

NONE = np.full(4, -1)


def decision(threshold=0.5, promised=None, families=(), parents=NONE):
    promised = np.zeros((len(PROMISES), 4)) if promised is None else promised
    return Decision(threshold, promised, families, np.asarray(parents))


def calibrated(texts, seed, tags=12):
    """Confidences that are right as often as they say; some tags are easy, some next to impossible."""
    random = np.random.default_rng(seed)
    easy = np.linspace(0.2, 3.0, tags)
    confidences = random.beta(0.3, 1.2 / easy, (texts, tags))
    return confidences, random.random((texts, tags)) < confidences


@pytest.mark.parametrize("promise", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_a_promise_is_kept_on_fresh_products(promise):
    thresholds = promised_thresholds(calibrated(4_000, 0)[0], np.ones(4_000))[PROMISES.index(promise)]
    confidences, truth = calibrated(20_000, 1)
    given = confidences >= thresholds
    assert truth[given].mean() > promise - 0.01
    assert truth[given].mean() < promise + 0.06 or promise == 0.5  # and nothing is held back for no reason
    for tag in np.flatnonzero(given.sum(0) > 500):
        assert truth[given[:, tag], tag].mean() > promise - 0.04


def test_a_higher_promise_never_gives_more():
    thresholds = promised_thresholds(calibrated(2_000, 0)[0], np.ones(2_000))
    assert np.all(np.diff(thresholds, axis=0) >= 0)
    one = decision(promised=thresholds[:, :4])
    between = [one.thresholds(promise) for promise in (0.9, 0.91, 0.92, 0.93)]
    assert np.all(np.diff(between, axis=0) >= 0)
    assert one.thresholds(0.9).tolist() == thresholds[PROMISES.index(0.9), :4].tolist()


def test_what_cannot_be_promised_is_not_given():
    thresholds = promised_thresholds(np.full((100, 3), 0.6), np.ones(100))
    assert (thresholds[PROMISES.index(0.7)] == NEVER).all()
    assert not (np.ones((1, 3)) >= thresholds[PROMISES.index(0.9)]).any()
    assert (thresholds[PROMISES.index(0.6)] == 0.6).all()


def test_nothing_below_a_fifth_is_given_however_sure_the_rest_is():
    sure = np.concatenate([np.full((500, 1), 0.999), np.full((50, 1), 0.15)])
    assert (promised_thresholds(sure, np.ones(550))[PROMISES.index(0.8)] > 0.15).all()


def test_a_tag_with_too_little_data_has_the_threshold_of_all():
    confidences, _ = calibrated(2_000, 0, tags=3)
    confidences[:, 2] = 0.01
    confidences[:5, 2] = 0.99
    row = PROMISES.index(0.9)
    shared = promised_thresholds(confidences.reshape(-1, 1), np.ones(6_000))[row, 0]
    assert promised_thresholds(confidences, np.ones(2_000))[row, 2] == pytest.approx(shared)


def test_a_text_of_weight_2_counts_as_two_texts():
    confidences, _ = calibrated(500, 0)
    double = promised_thresholds(confidences, np.where(np.arange(500) < 100, 2.0, 1.0))
    np.testing.assert_allclose(double, promised_thresholds(np.vstack([confidences, confidences[:100]]), np.ones(600)))


@pytest.mark.parametrize("promise", [0.49, 0.995, -1, 2, float("nan")])
def test_an_impossible_promise_is_refused(promise):
    with pytest.raises(UserError, match=r"precision: expected a share from 0\.5 to 0\.99"):
        decision().thresholds(promise)


def test_without_a_promise_there_is_one_threshold():
    assert decision(threshold=0.37).thresholds(None) == 0.37
    assert decision().given(np.array([[0.5, 0.49, 1.0, 0.0]]), 0.5).tolist() == [[True, False, True, False]]


# Families, parents, rules


def test_one_of_each_family_is_given():
    one = decision(families=((0, 1), (2, 3)))
    confidences = np.array([[0.9, 0.8, 0.7, 0.6], [0.4, 0.45, 0.6, 0.95]])
    assert one.given(confidences, 0.5).tolist() == [[True, False, True, False], [False, False, False, True]]
    assert one.without_families().given(confidences, 0.5).all(1).tolist() == [True, False]


def test_a_tag_brings_its_parents_with_it():
    one = decision(parents=[1, 2, -1, -1])  # a chain: 0 is below 1, 1 below 2
    raised = one.with_parents(np.array([[0.9, 0.1, 0.2, 0.3], [0.1, 0.8, 0.3, 0.9]]))
    assert raised.tolist() == [[0.9, 0.9, 0.9, 0.3], [0.1, 0.8, 0.8, 0.9]]
    # Also where its own threshold is higher than that of its child.
    given = one.given(raised, np.array([0.5, 0.95, 0.95, 0.5]))
    assert given.tolist() == [[True, True, True, False], [False, False, False, True]]


def test_a_long_chain_and_a_circle_come_to_an_end():
    long = Decision(0.5, np.zeros((1, 30)), (), np.arange(1, 31) % 31 - (np.arange(30) == 29) * 31)
    confidences = np.zeros((1, 30))
    confidences[0, 0] = 0.9
    assert long.parents[-1] == -1
    assert (long.with_parents(confidences) == 0.9).all()
    circle = decision(parents=[1, 2, 0, -1])
    assert circle.with_parents(np.array([[0.1, 0.9, 0.3, 0.2]])).tolist() == [[0.9, 0.9, 0.9, 0.2]]


def test_a_child_whose_parent_was_displaced_by_a_surer_one_goes_with_it():
    one = decision(families=((1, 2),), parents=[1, -1, -1, -1])
    given = one.given(one.with_parents(np.array([[0.6, 0.6, 0.8, 0.1], [0.9, 0.6, 0.8, 0.1]])), 0.5)
    assert given.tolist() == [[False, False, True, False], [True, True, False, False]]


NAMES = ["colour=red", "colour=blue", "colourful", "cotton"]


@pytest.mark.parametrize(
    ("include", "exclude", "allowed"),
    [
        ((), (), None),
        (["cotton"], (), [3]),
        (["colour=*"], (), [0, 1]),
        (["colour=*", "cotton"], ["colour=red"], [1, 3]),
        ((), ["colour=*"], [2, 3]),
        ((), ["colourful"], [0, 1, 3]),
        (["colour=*"], ["colour=*", "colour=red"], "leave no tag to give"),
        ((), NAMES, "leave no tag to give"),
        (["colour"], (), "include: no tag is called 'colour'"),
        ((), ["size=*"], r"exclude: no tag is called 'size=\*'"),
        (["*"], (), r"include: no tag is called '\*'"),
    ],
)
def test_rules_say_which_tags_may_be_given(include, exclude, allowed):
    if isinstance(allowed, str):
        with pytest.raises(UserError, match=allowed):
            allowed_tags(NAMES, include, exclude)
        return
    found = allowed_tags(NAMES, include, exclude)
    assert (None if found is None else np.flatnonzero(found).tolist()) == allowed


def test_an_excluded_parent_is_not_brought_back_by_its_child():
    one = decision(parents=[1, -1, -1, -1])
    given = one.given(np.array([[0.9, 0.9, 0.1, 0.1]]), 0.5, np.array([True, False, True, True]))
    assert given.tolist() == [[True, False, False, False]]
