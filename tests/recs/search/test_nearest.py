"""Nearest vectors: all compared, or through a graph that is grown as the catalogue changes."""

from __future__ import annotations

import numpy as np
import pytest

from tagloom.recs.search.nearest import Nearest

COUNT, WIDTH = 300, 16


@pytest.fixture
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(COUNT, WIDTH)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


IDS = tuple(f"p{n}" for n in range(COUNT))


@pytest.mark.parametrize("exact", [0, COUNT])
def test_a_product_is_nearest_to_its_own_vector(vectors, exact):
    nearest = Nearest.of(IDS, vectors, exact)
    for row in range(0, COUNT, 37):
        found, scores = nearest.found(vectors[row], 5)
        assert found[0] == row
        assert (np.diff(scores) <= 0).all()


def test_graph_and_comparison_mostly_agree(vectors):
    one, other = (Nearest.of(IDS, vectors, exact) for exact in (0, COUNT))
    shared = [
        len(set(one.found(vector, 10)[0].tolist()) & set(other.found(vector, 10)[0].tolist()))
        for vector in vectors[:50]
    ]
    assert np.mean(shared) > 9


def test_the_graph_grows_and_forgets(vectors):
    before = Nearest.of(IDS[:200], vectors[:200], 0)
    after = Nearest.of(IDS[50:], vectors[50:], 0, before)
    assert after.graph is before.graph
    assert after.found(vectors[250], 1)[0].tolist() == [200]
    assert before.found(vectors[10], 1)[0].tolist() == [10]
    assert vectors[10].tolist() not in after.vectors[after.found(vectors[10], 5)[0]].tolist()
    # What only the later catalogue has is not found in the earlier one.
    assert before.found(vectors[250], 5)[0].max() < 200


def test_a_rewritten_product_gets_its_new_place(vectors):
    before = Nearest.of(IDS, vectors, 0)
    changed = vectors.copy()
    changed[7] = -vectors[7]
    after = Nearest.of(IDS, changed, 0, before)
    assert after.graph is before.graph
    assert after.found(-vectors[7], 1)[0].tolist() == [7]
    assert after.found(vectors[7], 1)[0].tolist() != [7]


def test_a_graph_of_mostly_dead_products_is_made_again(vectors):
    before = Nearest.of(IDS, vectors, 0)
    after = Nearest.of(IDS[:20], vectors[:20], 0, before)
    assert len(after.graph) == 20
    assert after.found(vectors[3], 1)[0].tolist() == [3]


@pytest.mark.parametrize("exact", [0, COUNT])
def test_only_what_is_allowed_is_found(vectors, exact):
    allowed = np.zeros(COUNT, np.bool_)
    allowed[[4, 9]] = True
    found, _ = Nearest.of(IDS, vectors, exact).found(vectors[0], 5, allowed)
    assert set(found.tolist()) == {4, 9}
