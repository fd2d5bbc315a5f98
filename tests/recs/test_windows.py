"""Windows over histories: what is read, what is asked, and that each event is asked once."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from tagloom.data.histories import Histories
from tagloom.data.tables import ACTIONS
from tagloom.nn.events import GAPS
from tagloom.recs.windows import WindowBatches, Windows, gap_steps, merged

VOCABULARY = ["red", "dress", "blue"]


def words(texts):
    """One column for each word of the vocabulary."""
    return csr_matrix(
        np.array([[word in text.split() for word in VOCABULARY] for text in texts], np.float32).reshape(-1, 3)
    )


def histories(users):
    """From each user's events (product, action, minutes, text, value), the last three as far as they are given."""
    filled = [[(*event, *(10 * place, "", math.nan)[len(event) - 2 :]) for place, event in enumerate(u)] for u in users]
    rows = [event for user in filled for event in user]
    product, action, minutes, text, value = zip(*rows, strict=True) if rows else ([],) * 5
    return Histories(
        user_ids=tuple(f"u{number}" for number in range(len(users))),
        starts=np.cumsum([0, *map(len, users)]),
        product_ix=np.array(product, np.int64),
        action_ix=np.array([ACTIONS.index(one) for one in action], np.int64),
        seconds=60 * np.array(minutes, np.int64),
        values=np.array(value, np.float32),
        texts=tuple(text),
        left_out={},
    )


def counted(lengths):
    """Users with so many views; the products are 0, 1, 2, ... over all users, so that each event has its own."""
    ends = np.cumsum(lengths).tolist()
    return histories(
        [[(product, "view") for product in range(end - n, end)] for n, end in zip(lengths, ends, strict=True)]
    )


def of(given, most=4, weights=None):
    return Windows.of(given, words, np.ones(len(given.product_ix), np.float32) if weights is None else weights, most)


def runs(windows, values):
    return [values[start:end].tolist() for start, end in pairwise(windows.starts.tolist())]


LENGTHS = [0, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 25, 1, 40]


# To learn from


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 8, 24, 100])
def test_each_event_with_one_before_it_is_asked_once_whatever_the_length(most):
    given = counted(LENGTHS)
    windows = of(given, most)
    first = set(given.starts[:-1][given.lengths > 0].tolist())
    asked = windows.targets[windows.targets >= 0]
    assert sorted(asked) == [event for event in range(len(given.product_ix)) if event not in first]
    # It is asked after the event before it, which is the same user's: products count up.
    assert (windows.products[windows.targets >= 0] == asked - 1).all()


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 8, 24, 100])
def test_a_window_is_a_run_of_one_users_events_of_no_more_than_the_most(most):
    given = counted(LENGTHS)
    windows = of(given, most)
    for run in runs(windows, windows.products):
        assert 1 <= len(run) <= most
        assert run == list(range(run[0], run[-1] + 1))
        assert len(set(given.user[run].tolist())) == 1


@pytest.mark.parametrize("most", [2, 4, 5, 8])
def test_windows_of_a_long_history_overlap_by_half_and_the_last_ends_with_it(most):
    windows = of(counted([30]), most)
    begins = [run[0] for run in runs(windows, windows.products)]
    assert {later - earlier for earlier, later in pairwise(begins[:-1])} == {most // 2}
    assert 0 < begins[-1] - begins[-2] <= most // 2
    assert begins[-1] + most == 29
    assert set(windows.lengths.tolist()) == {most}
    # So every event but the first few is asked with at least half a window before it.
    places = [run.index(next(target for target in run if target >= 0)) for run in runs(windows, windows.targets)]
    assert places[0] == 0
    assert min(places[1:]) >= most - most // 2


def test_a_history_that_just_fits_is_one_window():
    assert runs(of(counted([5])), of(counted([5])).products) == [[0, 1, 2, 3]]
    assert runs(of(counted([6])), of(counted([6])).targets) == [[1, 2, 3, 4], [-1, -1, -1, 5]]


def test_what_follows_a_search_is_asked_and_a_search_is_not():
    windows = of(histories([[(0, "view"), (-1, "search", 1, "red dress"), (2, "purchase"), (-1, "post", 9, "nice")]]))
    assert windows.products.tolist() == [0, -1, 2]
    assert windows.targets.tolist() == [-1, 2, -1]
    assert windows.actions.tolist() == [ACTIONS.index(one) for one in ("view", "search", "purchase")]


def test_ratings_and_weights_are_those_of_the_event_that_is_asked():
    given = histories(
        [[(0, "rate", 0, "", 5.0), (1, "view"), (2, "rate", 20, "", 1.0)], [(3, "view"), (4, "rate", 1, "", 2.0)]]
    )
    windows = of(given, weights=np.array([9, 1, 2, 9, 3], np.float32))
    assert windows.targets.tolist() == [1, 2, 4]
    assert windows.ratings.tolist() == pytest.approx([math.nan, 1.0, 2.0], nan_ok=True)
    assert windows.weights.tolist() == [1, 2, 3]


def test_what_weighs_nothing_is_not_asked_and_a_window_that_asks_nothing_is_left_out():
    """A batch of such windows would have no mean loss, and training would end there."""
    given = histories(
        [[(0, "view"), (1, "view")], [(2, "view"), (3, "view"), (4, "purchase")], [(5, "view"), (-1, "search")]]
    )
    windows = of(given, weights=given.weights({"purchase": 1.0}))
    assert runs(windows, windows.products) == [[2, 3]]
    assert windows.targets.tolist() == [-1, 4]
    assert windows.weights[windows.targets >= 0].tolist() == [1]


def test_texts_are_those_of_the_events_that_are_read():
    texts = ["red dress", "blue", ""]
    given = histories(
        [
            [(-1, "search", 0, texts[0]), (1, "view"), (2, "post", 2, texts[1])],
            [(-1, "search", 0, texts[2]), (4, "view")],
        ]
    )
    windows = of(given, most=2)
    assert windows.text_of.tolist() == [0, -1, -1]
    assert windows.texts.toarray().tolist() == [[1, 1, 0]]
    longer = Windows.asking(given, words, 9)
    assert longer.text_of.tolist() == [0, -1, 1, -1, -1]
    assert longer.texts.toarray().tolist() == [[1, 1, 0], [0, 0, 1]]


def test_gaps_are_steps_of_the_minutes_since_the_event_before():
    minutes = [0, 0, 1, 3, 6, 14, 44, 104, 1_544, 50_000, 150_000]
    windows = Windows.asking(histories([[(0, "view", minute) for minute in minutes]]), words, 99)
    waited = [0, *(later - earlier for earlier, later in pairwise(minutes))]
    assert windows.gaps.tolist() == gap_steps(waited).tolist()
    # The event before a window's first counts, though it is not read.
    assert (
        Windows.asking(histories([[(0, "view", minute) for minute in minutes]]), words, 3).gaps.tolist()
        == gap_steps(waited[-3:]).tolist()
    )


@pytest.mark.parametrize("users", [[], [[]], [[], [(0, "view")], []]])
def test_without_two_events_there_is_nothing_to_learn_from(users):
    windows = of(histories(users))
    assert (len(windows), windows.products.tolist(), windows.texts.shape) == (0, [], (0, 3))
    assert list(WindowBatches(windows, 16, seed=0)) == []


# To answer


def test_the_last_events_are_read_and_what_came_next_is_asked_after_the_last():
    windows = Windows.asking(counted([0, 2, 3, 7, 1]), words, 3, np.array([90, 91, 92, 93, 94]))
    assert runs(windows, windows.products) == [[], [0, 1], [2, 3, 4], [9, 10, 11], [12]]
    assert runs(windows, windows.targets) == [[], [-1, 91], [-1, -1, 92], [-1, -1, 93], [94]]
    assert windows.weights.tolist() == [1] * 9
    assert np.isnan(windows.ratings).all()


def test_how_it_was_rated_stands_beside_it():
    windows = Windows.asking(
        counted([2, 0, 1]), words, 3, np.array([90, 91, 92]), np.array([4.0, 9.0, np.nan], np.float32)
    )
    assert windows.ratings.tolist() == pytest.approx([math.nan, 4.0, math.nan], nan_ok=True)


def test_where_nobody_knows_what_came_next_nothing_is_asked():
    windows = Windows.asking(counted([2, 0, 5]), words, 3)
    assert (windows.targets == -1).all()
    assert len(windows) == 3


# Batches


def batches(lengths=LENGTHS, batch_events=16, seed=0, most=8):
    given = counted(lengths)
    windows = of(given, most, (given.product_ix + 1).astype(np.float32))
    return WindowBatches(windows, batch_events, seed)


def first_products(batch):
    """Each window's first product and its length: with products of their own they tell the windows apart."""
    products, _, _, lengths = batch[0][:4]
    return list(zip(products[:, 0].tolist(), lengths.tolist(), strict=True))


@pytest.mark.parametrize("batch_events", [1, 7, 16, 1_000])
@pytest.mark.parametrize("seed", [0, None])
def test_every_window_comes_once_in_every_pass(batch_events, seed):
    made = batches(batch_events=batch_events, seed=seed)
    windows = made.windows
    expected = sorted((run[0], len(run)) for run in runs(windows, windows.products))
    for number in range(3):
        came = [first_products(batch) for batch in made.of_pass(number)]
        assert sorted(window for batch in came for window in batch) == expected
        assert len(came) == len(made)


def test_a_batch_has_no_more_events_than_asked_for_or_one_window():
    for batch in batches().of_pass(1):
        lengths = batch[0][3]
        assert lengths.sum() <= 16 or len(lengths) == 1
    assert [len(batch[0][3]) for batch in batches(batch_events=1)] == [1] * len(batches(batch_events=1).windows)


def test_passes_mix_windows_of_equal_length_anew_and_the_seed_decides_how():
    lengths = [3] * 40

    def order(seed, number):
        return [first_products(batch) for batch in batches(lengths, seed=seed).of_pass(number)]

    assert order(0, 1) == order(0, 1)
    together = [{frozenset(batch) for batch in order(seed, number)} for seed, number in ((0, 0), (0, 1), (1, 0))]
    assert len({frozenset(one) for one in together}) == 3


def test_without_a_seed_the_shortest_come_first_and_order_tells_which_they_are():
    made = batches(seed=None)
    runs_in_order = [runs(made.windows, made.windows.products)[ix] for ix in made.order]
    assert [window for batch in made for window in first_products(batch)] == [
        (run[0], len(run)) for run in runs_in_order
    ]
    assert np.diff(made.windows.lengths[made.order]).min() >= 0


def test_a_batch_is_padded_at_the_end_with_events_that_are_none():
    (((products, actions, gaps, lengths, *texts, targets, ratings), truth, weights),) = batches([3, 6, 2], 100, None)
    assert lengths.tolist() == [1, 2, 5]
    assert products.tolist() == [[9, -1, -1, -1, -1], [0, 1, -1, -1, -1], [3, 4, 5, 6, 7]]
    assert targets.tolist() == [[10, -1, -1, -1, -1], [1, 2, -1, -1, -1], [4, 5, 6, 7, 8]]
    padding = products == -1
    assert not actions[padding].any()
    assert not gaps[padding].any()
    assert ratings.isnan().all()
    assert [part.dtype for part in (products, actions, gaps, lengths, targets)] == [torch.int64] * 5
    assert [part.tolist() for part in texts] == [[], [], [0], []]
    assert (ratings.dtype, weights.dtype) == (torch.float32, torch.float32)
    assert truth.shape == (len(weights), 1)


def test_weights_are_in_the_order_of_what_is_asked():
    for (*_, targets, _), _, weights in batches().of_pass(1):
        assert weights.tolist() == [target + 1 for target in targets[targets >= 0].tolist()]


def test_texts_stand_in_their_places():
    search = (-1, "search", 0)
    users = [
        [(0, "view"), (1, "view"), (*search, "red dress"), (3, "view")],
        [(*search, "blue"), (5, "view")],
        [(6, "view"), (7, "view")],
    ]
    (((products, _, _, _, places, entries, starts, weights, *_), _, _),) = WindowBatches(of(histories(users)), 100)
    came = {}
    for text, place in enumerate(places.tolist()):
        row, column = divmod(place, products.shape[1])
        assert products[row, column] == -1
        came[row, column] = [VOCABULARY[entry] for entry in entries[starts[text] : starts[text + 1]]]
    assert came == {(0, 0): ["blue"], (2, 2): ["red", "dress"]}
    assert weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_a_pass_equally(world):
    made = batches()
    shares = [[tuple(first_products(batch)) for batch in made.of_pass(1, rank, world)] for rank in range(world)]
    assert {len(share) for share in shares} == {math.ceil(len(made) / world)}
    assert {batch for share in shares for batch in share} == {tuple(first_products(batch)) for batch in made.of_pass(1)}


def test_a_history_without_events_is_a_window_of_padding():
    (((products, *_), _, weights),) = WindowBatches(Windows.asking(counted([0, 2, 0]), words, 4, np.arange(3)), 100)
    assert products.tolist() == [[-1, -1], [-1, -1], [0, 1]]
    assert weights.tolist() == [1]
    (((alone, _, _, lengths, *_), _, _),) = WindowBatches(Windows.asking(counted([0]), words, 4), 100)
    assert (alone.tolist(), lengths.tolist()) == ([[-1]], [0])


# Events that follow one another on one product


def kept(users, minutes=30):
    made = merged(histories(users), minutes)
    return [
        [
            (int(made.product_ix[event]), ACTIONS[made.action_ix[event]], int(made.seconds[event]) // 60)
            for event in range(*span)
        ]
        for span in pairwise(made.starts.tolist())
    ]


def test_of_view_cart_and_purchase_the_purchase_stays():
    assert kept([[(0, "view"), (0, "cart"), (0, "purchase"), (1, "view")]]) == [[(0, "purchase", 20), (1, "view", 30)]]
    assert kept([[(0, "purchase"), (0, "view")]]) == [[(0, "purchase", 0)]]


def test_of_equal_actions_the_last_stays():
    assert kept([[(0, "view"), (0, "view"), (0, "cart"), (0, "like")]]) == [[(0, "like", 30)]]


@pytest.mark.parametrize(
    "events",
    [
        [(0, "view"), (1, "view"), (0, "purchase")],  # another product between
        [(0, "view", 0), (0, "purchase", 31)],  # another session
        [(-1, "search", 0, "red"), (-1, "search", 1, "red")],
        [(0, "view", 0), (0, "post", 1, "so red")],
    ],
)
def test_what_is_apart_stays_apart(events):
    assert [len(user) for user in kept([events])] == [len(events)]


def test_a_pause_that_is_short_enough_joins_and_the_last_of_one_user_is_not_the_first_of_another():
    assert kept([[(0, "view", 0), (0, "purchase", 31)]], minutes=31) == [[(0, "purchase", 31)]]
    assert kept([[(0, "view", 0)], [], [(0, "purchase", 1)]]) == [[(0, "view", 0)], [], [(0, "purchase", 1)]]


def test_without_events_nothing_is_joined():
    assert kept([]) == []
    assert kept([[], []]) == [[], []]


def test_a_step_is_twice_as_long_as_the_one_before():
    begins = [2**step - 1 for step in range(GAPS)]
    assert gap_steps(begins).tolist() == list(range(GAPS))
    assert gap_steps(np.array(begins[1:]) - 0.01).tolist() == list(range(GAPS - 1))


def test_there_is_no_step_before_the_first_or_after_the_last():
    assert gap_steps([-5.0, 0.0, 60 * 24 * 365]).tolist() == [0, 0, GAPS - 1]
