"""Two towers: what is scored, and that a query learns to point at its product and its tags."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.items import Bags
from tagloom.nn.next_items import figure_of, loss_of
from tagloom.nn.towers import Towers, TowersLearner

PRODUCTS, TAGS, WIDTH = 6, 3, 8


def bags_of(rows):
    starts = torch.tensor([0, *(len(row) for row in rows)]).cumsum(0)
    entries = torch.tensor([entry for row in rows for entry in row], dtype=torch.int64)
    return Bags(entries, starts, torch.ones(len(entries)))


@pytest.fixture
def learner() -> TowersLearner:
    """Product p has word p and tag p % 3; queries are of word p alone."""
    towers = Towers(PRODUCTS, TAGS, WIDTH)
    towers.start(torch.Generator().manual_seed(0), torch.zeros(TAGS))
    words, tags = bags_of([[p] for p in range(PRODUCTS)]), bags_of([[p % TAGS] for p in range(PRODUCTS)])
    return TowersLearner(towers, words, tags, drawn=PRODUCTS, tag_share=0.5)


@torch.no_grad()
def measured(learner):
    return asked(learner.eval())


def asked(learner):
    queries = learner.words
    return learner(queries.entries, queries.starts, queries.weights, torch.arange(PRODUCTS))


def test_products_have_length_one_and_an_empty_one_is_nothing(learner):
    found = learner.towers.products(bags_of([[0], []]), bags_of([[0], []]))
    assert found.norm(dim=1).tolist() == pytest.approx([1.0, 0.0])


def test_queries_learn_to_point_at_their_products_and_tags(learner):
    optimiser = torch.optim.Adam(learner.parameters(), 0.05)
    torch.manual_seed(0)
    first = loss_of(measured(learner), torch.empty(0)).mean().item()
    for _ in range(60):
        optimiser.zero_grad()
        loss_of(asked(learner.train()), torch.empty(0)).mean().backward()
        optimiser.step()
    outputs = measured(learner)
    assert loss_of(outputs, torch.empty(0)).mean().item() < first / 3
    assert figure_of(outputs, torch.empty(0)) == 1.0
    scores = learner.towers.tag_scores(learner.towers.queries(learner.words))
    assert scores.argmax(1).tolist() == [p % TAGS for p in range(PRODUCTS)]


def test_tags_start_with_their_share():
    towers = Towers(2, 2, WIDTH)
    towers.start(torch.Generator().manual_seed(0), torch.tensor([-1.0, -3.0]))
    nothing = towers.queries(bags_of([[]]))
    assert towers.tag_scores(nothing)[0].tolist() == pytest.approx([-1.0, -3.0])
