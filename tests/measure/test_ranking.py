"""Recommended lists against ir-measures and a plain sort, and by hand where the answer is known."""

from __future__ import annotations

import tracemalloc

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from tagloom.errors import DataError
from tagloom.measure.ranking import RankingMetrics, difference, ranking_metrics, sampled_metrics, top_of

few = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf])


def measured(each, rows=()):
    each = np.asarray(each, float)
    return RankingMetrics(len(each), {"HR@1": float(each.mean())}, {"HR@1": each}, np.array(rows))


def random_lists(seed, users=40, products=60, length=20):
    random = np.random.default_rng(seed)
    top = np.stack([random.permutation(products)[:length] for _ in range(users)])
    top[random.random(top.shape) < 0.1] = -1
    top[0] = -1
    return top, csr_matrix(random.random((users, products)) < 0.04)


# The best k


@given(arrays(float, (4, 12), elements=few), arrays(np.bool_, (4, 12)), st.integers(1, 15), st.integers(0, 3))
def test_the_best_are_those_of_a_plain_sort(scores, hidden, k, seed):
    turn = np.random.default_rng(seed).permutation(12).tolist()
    expected = np.full((4, k), -1)
    for row in range(4):
        candidates = [column for column in turn if scores[row, column] > -np.inf and not hidden[row, column]]
        best = sorted(candidates, key=lambda column: -scores[row, column])[:k]
        expected[row, : len(best)] = best
    np.testing.assert_array_equal(top_of(scores, k, csr_matrix(hidden), seed), expected)
    np.testing.assert_array_equal(top_of(scores.astype(np.float32), k, csr_matrix(hidden), seed), expected)


def test_a_large_catalogue_full_of_ties_is_cut_in_the_middle_of_equals():
    scores = np.random.default_rng(0).integers(0, 4, (5, 3000)).astype(np.float32)
    whole = np.random.default_rng(7).permutation(3000)  # sorted stably from that order
    expected = whole[np.argsort(-scores[:, whole], axis=1, kind="stable")]
    for k in (10, 1000, 3000):
        np.testing.assert_array_equal(top_of(scores, k, seed=7), expected[:, :k])


def test_what_is_hidden_or_no_candidate_is_never_given_and_leaves_its_place_empty():
    scores = np.array([[3.0, 2.0, 1.0], [3.0, -np.inf, 1.0], [1.0, 2.0, 3.0]])
    hidden = csr_matrix(np.array([[1, 0, 0], [0, 0, 0], [1, 1, 1]]))
    assert top_of(scores, 2, hidden).tolist() == [[1, 2], [0, 2], [-1, -1]]
    assert top_of(scores[:1], 5).tolist() == [[0, 1, 2, -1, -1]]


def test_a_stored_zero_hides_nothing():
    hidden = csr_matrix((np.zeros(1), ([0], [1])), shape=(1, 2))
    assert top_of(np.array([[0.0, 1.0]]), 1, hidden).tolist() == [[1]]


def test_equals_stand_in_an_order_that_the_seed_draws_and_every_row_shares():
    whole = top_of(np.zeros((3, 50)), 50, seed=4)
    assert sorted(whole[0]) == list(range(50))
    assert whole[0].tolist() != list(range(50))
    np.testing.assert_array_equal(whole, whole[:1].repeat(3, axis=0))
    np.testing.assert_array_equal(top_of(np.zeros((3, 50)), 7, seed=4), whole[:, :7])
    assert top_of(np.zeros((1, 50)), 50, seed=5).tolist() != whole[:1].tolist()


def test_a_model_that_scores_all_the_same_gains_nothing_from_the_order_of_the_columns():
    # The true ones are the first columns, as in a catalogue with the best sold in front.
    truth = csr_matrix(np.eye(400)[:20].repeat(20, axis=0))
    found = [ranking_metrics(top_of(np.zeros((400, 400)), 20, seed=seed), truth).values["HR@20"] for seed in range(40)]
    assert np.mean(found) == pytest.approx(20 / 400, abs=0.03)


def test_the_scores_stay_as_they_were():
    scores = np.array([[0.1, 0.9]])
    top_of(scores, 1, csr_matrix([[0, 1]]))
    assert scores.tolist() == [[0.1, 0.9]]


@pytest.mark.parametrize("shape", [(0, 4), (2, 0)])
def test_without_rows_or_columns_the_lists_are_empty(shape):
    found = top_of(np.zeros(shape), 2)
    assert found.tolist() == [[-1, -1]] * shape[0]
    assert found.dtype == np.int64


def test_scores_that_cannot_be_ranked_are_refused():
    with pytest.raises(ValueError, match="NaN cannot be ranked; give -inf"):
        top_of(np.array([[0.1, np.nan]]), 1)
    with pytest.raises(ValueError, match="give a k of 1 or more"):
        top_of(np.zeros((1, 2)), 0)
    with pytest.raises(ValueError, match=r"same shape, not \(2, 2\)"):
        top_of(np.zeros((1, 2)), 1, csr_matrix((2, 2)))


# Measures


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_ir_measures(seed):
    top, truth = random_lists(seed)
    judged = [ir_measures.Qrel(str(user), str(product), 1) for user, product in zip(*truth.nonzero(), strict=True)]
    # An empty place is a product that nobody knows.
    ranked = [
        ir_measures.ScoredDoc(str(user), f"none {place}" if product < 0 else str(product), -float(place))
        for (user, place), product in np.ndenumerate(top)
    ]
    names = {"Success": "HR", "nDCG": "nDCG", "R": "recall", "P": "precision"}
    wanted = {f"{theirs}@{k}": f"{ours}@{k}" for theirs, ours in names.items() for k in (1, 5, 10, 20)}
    wanted |= {"RR@20": "MRR@20"}
    found = ranking_metrics(top, truth, (1, 5, 10, 20))
    theirs = ir_measures.calc_aggregate([ir_measures.parse_measure(name) for name in wanted], judged, ranked)
    assert {wanted[str(name)]: value for name, value in theirs.items()} == pytest.approx(found.values)
    assert found.users == len({one.query_id for one in judged}) < len(top)


def test_by_hand():
    # Two of three true ones, at ranks 2 and 4; the one true one first; nothing found; nothing to find.
    top = np.array([[7, 1, 8, 2], [5, 0, 1, 2], [0, 1, -1, -1], [0, 1, 2, 3]])
    truth = csr_matrix((np.ones(5), ([0, 0, 0, 1, 2], [1, 2, 3, 5, 9])), shape=(4, 10))
    found = ranking_metrics(top, truth, (2, 4))
    assert found.users == 3
    assert found.rows.tolist() == [0, 1, 2]
    second, fourth = 1 / np.log2(3), 1 / np.log2(5)
    expected = {
        "HR@2": [1, 1, 0],
        "HR@4": [1, 1, 0],
        "nDCG@2": [second / (1 + second), 1, 0],
        "nDCG@4": [(second + fourth) / (1 + second + 1 / 2), 1, 0],
        "recall@2": [1 / 3, 1, 0],
        "recall@4": [2 / 3, 1, 0],
        "precision@2": [1 / 2, 1 / 2, 0],
        "precision@4": [2 / 4, 1 / 4, 0],
        "MRR@4": [1 / 2, 1, 0],
    }
    assert list(found.each) == list(found.values) == list(expected)
    for name, each in expected.items():
        assert found.each[name].tolist() == pytest.approx(each), name
        assert found.values[name] == pytest.approx(np.mean(each)), name


@settings(deadline=None)
@given(arrays(float, (6, 9), elements=few), arrays(np.bool_, (6, 9)).filter(np.any))
def test_all_figures_lie_between_0_and_1_and_those_that_can_only_rise_with_k_do(scores, truth):
    found = ranking_metrics(top_of(scores, 9), csr_matrix(truth), range(1, 10))
    for name, each in found.each.items():
        assert ((each >= 0) & (each <= 1 + 1e-12)).all(), name
    for name in ("HR", "recall"):
        assert (np.diff([found.each[f"{name}@{k}"] for k in range(1, 10)], axis=0) >= 0).all(), name


@settings(deadline=None)
@given(arrays(np.bool_, (6, 9)).filter(np.any))
def test_who_knows_the_truth_finds_it_all(truth):
    found = ranking_metrics(top_of(truth.astype(float), 9), csr_matrix(truth), (1, 3, 9)).values
    wanted = ("HR@1", "nDCG@1", "nDCG@3", "nDCG@9", "recall@9", "MRR@9", "precision@1")
    assert [found[name] for name in wanted] == pytest.approx([1] * len(wanted))


def test_counts_in_the_truth_are_as_good_as_ones():
    top = np.array([[0, 1, 2, 3, 4]])
    once, often = csr_matrix([[0, 1, 0, 0, 0, 1]]), csr_matrix([[0, 7, 0, 0, 0, 2]])
    twice = csr_matrix((np.ones(3), [1, 5, 1], [0, 3]), shape=(1, 6))  # an entry stored two times
    expected = ranking_metrics(top, once, (5,)).values
    assert ranking_metrics(top, often, (5,)).values == ranking_metrics(top, twice, (5,)).values == expected


def test_an_empty_place_finds_nothing_even_where_the_last_column_is_true():
    found = ranking_metrics(np.array([[-1, 2], [-1, -1]]), csr_matrix([[0, 0, 1], [0, 0, 1]]), (1, 2))
    assert found.each["HR@1"].tolist() == [0, 0]
    assert found.each["MRR@2"].tolist() == [1 / 2, 0]


def test_without_anything_true_there_is_nothing_to_measure():
    with pytest.raises(DataError, match="none of 2 users took anything that could be found"):
        ranking_metrics(np.zeros((2, 1), int), csr_matrix((2, 3)), (1,))


@pytest.mark.parametrize(
    ("top", "ks", "message"),
    [
        ([[0, 1]], (1, 3), r"lists of 2 cannot be measured at \[1, 3\]; make longer lists"),
        ([[0, 1]], (0,), r"lists of 2 cannot be measured at \[0\]"),
        ([[0, 3]], (1,), "column 3 of 3 products; number the columns from 0"),
        ([[1, 1]], (1,), "a product twice; list each product once"),
        ([[0, 1], [0, 1]], (1,), "2 lists cannot be measured against 1 rows"),
    ],
)
def test_lists_that_do_not_fit_are_refused(top, ks, message):
    with pytest.raises(ValueError, match=message):
        ranking_metrics(np.array(top), csr_matrix([[1, 0, 0]]), ks)


# Intervals


def test_an_interval_is_that_of_the_theory():
    # Of 400 users half: the mean's standard error is 0.025, so 95 % lie within 1.96 of those.
    low, high = measured([0, 1] * 200).interval("HR@1", samples=4000)
    assert (low, high) == (pytest.approx(0.5 - 0.049, abs=0.005), pytest.approx(0.5 + 0.049, abs=0.005))
    narrow = measured([0, 1] * 200).interval("HR@1", samples=4000, level=0.5)
    assert narrow == (pytest.approx(0.5 - 0.017, abs=0.005), pytest.approx(0.5 + 0.017, abs=0.005))


def test_an_interval_depends_on_the_seed_alone():
    found = measured(np.random.default_rng(0).random(30))
    assert found.interval("HR@1", 100) == found.interval("HR@1", 100) != found.interval("HR@1", 100, seed=1)


@pytest.mark.parametrize("each", [[0.25], [0.25] * 9])
def test_where_all_users_are_alike_the_interval_is_a_point(each):
    assert measured(each).interval("HR@1") == (0.25, 0.25)


def test_an_interval_over_many_users_takes_little_room():
    found = measured(np.random.default_rng(0).random(20_000))
    found.interval("HR@1", 10)  # imports
    tracemalloc.start()
    low, high = found.interval("HR@1", 300)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert low < found.values["HR@1"] < high
    assert most < 60_000_000


def test_a_difference_is_paired():
    # Users differ much, the two models by 0.1 for each of them.
    hard = np.random.default_rng(0).random(50) * 0.9
    assert difference(measured(hard + 0.1), measured(hard), "HR@1") == pytest.approx((0.1, 0.1, 0.1))
    mean, low, high = difference(measured(hard), measured(hard[::-1]), "HR@1")
    assert mean == pytest.approx(0)
    assert low < -0.01 < 0.01 < high


def test_a_difference_needs_the_same_users():
    with pytest.raises(ValueError, match="2 users cannot be paired with 3"):
        difference(measured([0, 1]), measured([0, 1, 1]), "HR@1")
    with pytest.raises(ValueError, match="measure both models with the same truth"):
        difference(measured([0, 1], [0, 1]), measured([0, 1], [0, 2]), "HR@1")


# Against a sample


def test_one_true_one_among_all_others_is_as_good_as_the_whole_catalogue():
    random = np.random.default_rng(0)
    scores, truth = random.random((20, 31)), csr_matrix(np.eye(31)[random.integers(0, 31, 20)])
    sampled = sampled_metrics(scores, truth, negatives=30)
    whole = ranking_metrics(top_of(scores, 31), truth, (5, 10))
    assert sampled.values == {f"sampled-30 {name}": pytest.approx(value) for name, value in whole.values.items()}
    assert sampled.users == 20


def test_a_sample_flatters():
    random = np.random.default_rng(1)
    scores, truth = random.random((300, 1000)), csr_matrix(np.eye(1000)[random.integers(0, 1000, 300)])
    assert ranking_metrics(top_of(scores, 10), truth, (10,)).values["HR@10"] == pytest.approx(0.01, abs=0.02)
    found = sampled_metrics(scores, truth)
    # By chance one of 101 places, ten of them good.
    assert found.values["sampled-100 HR@10"] == pytest.approx(10 / 101, abs=0.05)
    assert all(name.startswith("sampled-100 ") for name in found.values)


def test_where_another_is_as_good_the_true_one_ranks_below_it():
    scores = np.array([[1.0, 1.0, 0.0, 0.0]])
    found = sampled_metrics(scores, csr_matrix([[1, 0, 0, 0]]), negatives=3, ks=(1, 2))
    assert found.values["sampled-3 HR@1"] == 0
    assert found.values["sampled-3 HR@2"] == 1
    assert found.values["sampled-3 MRR@4"] == 1 / 2


def test_the_others_are_never_hidden_nor_the_true_one_nor_drawn_twice():
    # Column 0 beats the true column 1, but is hidden; only 2 and 3 are left to draw two from.
    scores, truth = np.array([[9.0, 5.0, 1.0, 2.0]] * 8), csr_matrix([[0, 1, 0, 0]] * 8)
    hidden = csr_matrix([[1, 0, 0, 0]] * 8)
    assert sampled_metrics(scores, truth, 2, hidden=hidden, ks=(1,)).values["sampled-2 HR@1"] == 1
    with pytest.raises(ValueError, match="row 0 has 2 others to draw 3 from; ask for fewer negatives"):
        sampled_metrics(scores, truth, 3, hidden=hidden, ks=(1,))


def test_a_true_one_that_is_hidden_ranks_last():
    found = sampled_metrics(
        np.array([[9.0, 1.0, 2.0]]), csr_matrix([[1, 0, 0]]), 2, hidden=csr_matrix([[1, 0, 0]]), ks=(2,)
    )
    assert found.values["sampled-2 HR@2"] == 0
    assert found.values["sampled-2 MRR@3"] == pytest.approx(1 / 3)


def test_the_sample_depends_on_the_seed_alone():
    random = np.random.default_rng(2)
    scores, truth = random.random((20, 90)), csr_matrix(np.eye(90)[random.integers(0, 90, 20)])
    first, again, other = (sampled_metrics(scores, truth, 10, seed).values for seed in (0, 0, 1))
    assert first == again != other


def test_what_cannot_be_sampled_is_refused():
    for truth in ([[1, 1], [0, 1]], [[0, 0], [0, 1]], [[1, 0]]):
        with pytest.raises(ValueError, match="exactly one entry in each row"):
            sampled_metrics(np.zeros((2, 2)), csr_matrix(truth), 1, ks=(1,))
    with pytest.raises(DataError, match="none of 0 users"):
        sampled_metrics(np.zeros((0, 2)), csr_matrix((0, 2)), 1, ks=(1,))
