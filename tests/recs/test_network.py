"""How the network expert asks its network; what networks learn is tested in tests/nn."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from tagloom.artifact import load_arrays, save_arrays
from tagloom.config import RecommenderSettings
from tagloom.data.histories import Histories, history_of
from tagloom.data.tables import ACTIONS, Products
from tagloom.nn.items import ItemTable
from tagloom.nn.next_items import ENCODERS, NextItems
from tagloom.nn.sizes import SIZES
from tagloom.recs.experts.contract import Asked
from tagloom.recs.experts.network import NetworkExpert
from tagloom.recs.items import Items, Known

SETTINGS = RecommenderSettings()
ROWS = [{"product_id": name, "title": f"red {name}", "tags": [f"t{ix % 3}"]} for ix, name in enumerate("abcdefgh")]
TAGS = 3

# Of any length and in no order of it; one without events, one with a search alone.
USERS = ["abcdefgh", "", "c", [("search", "red")], "hg", "fedcba", "ab"]

every_encoder = pytest.mark.parametrize("kind", ENCODERS)


@functools.cache
def catalogue():
    products = Products.of(ROWS)
    return Items.of(products, Known.of(products, {}, (), 100))


def asked(users, items=None):
    """From each user's purchases or entries, an hour apart."""
    items = items or catalogue()
    each = [history_of([*entries], items.product_ids) for entries in users]
    joined = [np.concatenate([getattr(one, name) for one in each]) if each else np.zeros(0, np.int64) for name in
              ("product_ix", "action_ix", "values")]  # fmt: skip
    return Asked(
        Histories(
            user_ids=tuple(f"u{number}" for number in range(len(users))),
            starts=np.cumsum([0, *map(len, users)]),
            product_ix=joined[0],
            action_ix=joined[1],
            seconds=3_600 * np.arange(len(joined[0])),
            values=joined[2].astype(np.float32),
            texts=tuple(text for one in each for text in one.texts),
            left_out={},
        ),
        items,
    )


def expert(kind, most=5, rates=False, level=3.0):
    """Loaded from first weights that say something."""
    size = SIZES[SETTINGS.size]
    network = NextItems(kind, size, ItemTable(len(ROWS), TAGS, catalogue().known.words, size.width), len(ACTIONS))
    network.start(torch.Generator().manual_seed(0), torch.zeros(TAGS), level)
    about = {"kind": kind, "most": most, "rates": rates, "knows_tags": True}
    return NetworkExpert.load({name: part.numpy() for name, part in network.state_dict().items()}, about, SETTINGS)


@every_encoder
def test_each_user_has_the_scores_that_he_has_alone(kind):
    one = expert(kind)
    for answer in (one.scores, one.tag_scores):
        alone = np.concatenate([answer(asked([user])) for user in USERS])
        np.testing.assert_allclose(answer(asked(USERS)), alone, atol=1e-4)
        assert len(np.unique(alone.round(3), axis=0)) == len(USERS)


@every_encoder
def test_scores_are_logs_of_probabilities(kind):
    found = expert(kind).scores(asked(USERS))
    assert (found.shape, found.dtype) == ((len(USERS), 8), np.float32)
    np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-4)
    np.testing.assert_allclose(np.exp(expert(kind).tag_scores(asked(USERS))).sum(1), 1, rtol=1e-4)


def test_of_a_network_that_learned_ratings_they_are_above_or_below_the_mean_rating():
    low, high = (expert("gru", rates=True, level=level).scores(asked(USERS)) for level in (1.0, 3.5))
    np.testing.assert_allclose(high - low, 2.5, atol=1e-4)
    likely = expert("gru").scores(asked(USERS))
    assert (low.argsort(1) == likely.argsort(1)).all()


@every_encoder
def test_nobody_is_asked_about_nothing(kind):
    one = expert(kind)
    assert one.scores(asked([])).shape == (0, 8)
    assert one.tag_scores(asked([])).shape == (0, TAGS)


@every_encoder
def test_the_latest_events_are_read_and_no_more(kind):
    one = expert(kind, most=2)
    same = one.scores(asked(["abcgh", "fedgh"]))
    np.testing.assert_allclose(same[0], same[1], atol=1e-5)


@every_encoder
def test_products_that_came_later_have_scores_and_those_that_are_there_keep_theirs(kind):
    new = {"product_id": "new", "title": "red n", "tags": ["t1"]}
    today = Items.of(Products.of([new, *reversed(ROWS)]), catalogue().known)
    found, before = expert(kind).scores(asked(["ab"], today)), expert(kind).scores(asked(["ab"]))
    assert np.isfinite(found).all()
    shift = found[0, 1:] - before[0, ::-1]
    np.testing.assert_allclose(shift, np.full(8, shift[0]), atol=1e-4)


@every_encoder
def test_what_is_saved_comes_back_and_no_random_number_is_drawn(kind, tmp_path):
    one = expert(kind)
    save_arrays(tmp_path / "network.safetensors", one.arrays())
    before = torch.get_rng_state()
    back = NetworkExpert.load(load_arrays(tmp_path / "network.safetensors"), one.about(), SETTINGS)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(back.scores(asked(USERS)), one.scores(asked(USERS)))


@every_encoder
def test_some_rows_are_apart_as_they_are_among_all(kind):
    one, question = expert(kind), asked(USERS)
    rows = np.tile(np.array([[4, 0, 7]]), (len(USERS), 1))
    apart = one.scores(question, rows) - one.scores(question)[:, [4, 0, 7]]
    np.testing.assert_allclose(apart, np.tile(apart[:, :1], (1, 3)), atol=1e-4)
    rated = expert(kind, rates=True)
    np.testing.assert_allclose(rated.scores(question, rows), rated.scores(question)[:, [4, 0, 7]], atol=1e-4)


@every_encoder
def test_the_best_are_those_that_score_highest(kind):
    one, question = expert(kind), asked(USERS)
    found = np.sort(one.best(question, 3), 1)
    assert np.array_equal(found, np.sort(np.argsort(-one.scores(question), 1)[:, :3], 1))
