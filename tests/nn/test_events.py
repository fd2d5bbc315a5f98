"""Events as vectors: what was touched and what was typed in its place, the action and the time since the last one."""

from __future__ import annotations

import pytest
import torch

from tagloom.nn.events import GAPS, EventVectors, PaddedHistories
from tagloom.nn.items import ItemTable

WIDTH, PRODUCTS, WORDS, ACTIONS = 6, 5, 4, 3

# Two histories of 4 and 2 events, (product, action, gap); -1: no product. Texts by their place.
EVENTS = [[(0, 0, 0), (-1, 2, 3), (4, 1, GAPS - 1), (2, 2, 1)], [(-1, 2, 0), (1, 0, 5)]]
TEXTS = {(0, 1): [(3, 0.6), (1, 0.8)], (0, 3): [(0, 1.0)], (1, 0): []}


def items():
    table = ItemTable(PRODUCTS, 0, WORDS, WIDTH)
    table.start(torch.Generator().manual_seed(0))
    return table


def vectors(dropout=0.0):
    made = EventVectors(ACTIONS, WIDTH, dropout)
    made.start(torch.Generator().manual_seed(1))
    with torch.no_grad():  # as if trained: at the start actions and gaps say little
        for table in (made.actions, made.gaps):
            table.normal_(generator=torch.Generator().manual_seed(2))
    return made


def seen(texts=TEXTS):
    """The histories as tensors, padded with events of no product."""
    longest = max(map(len, EVENTS))
    padded = torch.tensor([[*history, *[(-1, 0, 0)] * (longest - len(history))] for history in EVENTS])
    flat = [pair for text in texts.values() for pair in text]
    return PaddedHistories(
        *padded.unbind(2),
        torch.tensor([len(history) for history in EVENTS]),
        torch.tensor([history * longest + place for history, place in texts], dtype=torch.int64),
        torch.tensor([word for word, _ in flat], dtype=torch.int64),
        torch.tensor([0, *map(len, texts.values())]).cumsum(0),
        torch.tensor([weight for _, weight in flat], dtype=torch.float32),
    )


def products():
    return torch.randn(PRODUCTS, WIDTH, generator=torch.Generator().manual_seed(3))


def looped(made, table, texts):
    """Each event in turn."""
    found = torch.zeros(len(EVENTS), max(map(len, EVENTS)), WIDTH)
    for row, history in enumerate(EVENTS):
        for place, (product, action, gap) in enumerate(history):
            touched = products()[product] if product >= 0 else torch.zeros(WIDTH)
            for word, weight in texts.get((row, place), []):
                touched = touched + weight * table.words[word]
            found[row, place] = made.norm(touched) + made.actions[action] + made.gaps[gap]
    return found


@pytest.mark.parametrize("texts", [TEXTS, {}, {(1, 1): [(2, 1.0)]}])
def test_product_and_text_stand_in_the_place_of_their_event(texts):
    made, table = vectors(), items()
    found = made(seen(texts), products(), table)
    assert found.shape == (2, 4, WIDTH)
    expected = looped(made, table, texts)
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1, :2], expected[1, :2])


def test_a_search_stands_where_a_product_of_its_words_does():
    made, table = vectors(), items()
    word_alone = PaddedHistories(
        torch.tensor([[-1, 0]]),
        torch.tensor([[0, 0]]),
        torch.tensor([[0, 0]]),
        torch.tensor([2]),
        torch.tensor([0]),
        torch.tensor([3]),
        torch.tensor([0, 1]),
        torch.ones(1),
    )
    found = made(word_alone, table.words[3:], table)[0]
    torch.testing.assert_close(found[0], found[1])


def test_products_words_actions_and_gaps_are_learned_and_stay_finite():
    made, table, rows = vectors(), items(), products().requires_grad_()
    (made(seen(), rows, table) ** 3).sum().backward()
    assert rows.grad.any(1).tolist() == [True, True, True, False, True]
    assert table.words.grad.any(1).tolist() == [True, True, False, True]
    assert made.actions.grad.any(1).all()
    assert made.gaps.grad.any(1).nonzero().flatten().tolist() == [0, 1, 3, 5, GAPS - 1]
    learned = (rows.grad, table.words.grad, *(weight.grad for weight in made.parameters()))
    assert all(gradient.isfinite().all() for gradient in learned)


def test_numbers_are_hidden_in_training_alone():
    made, table = vectors(dropout=0.5), items()
    expected = vectors()(seen(), products(), table)
    torch.testing.assert_close(made.eval()(seen(), products(), table), expected)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        hidden = made.train()(seen(), products(), table)
    kept = hidden != 0
    torch.testing.assert_close(hidden[kept], 2 * expected[kept])
    assert 0.3 < kept.float().mean() < 0.7
