"""How words, vectors, what is taken and the user are joined: by what is asked often, and by what is not."""

from __future__ import annotations

import numpy as np
import pytest

from tagloom.recs.blend import Blend
from tagloom.recs.search.joining import Held, Joining
from tagloom.recs.search.shown import FEATURES, Candidates


@pytest.fixture
def joining() -> Joining:
    """What is asked often is joined by what is taken, all else by words."""
    asked, other = (
        Blend(FEATURES, np.array([name == one for name in FEATURES], np.float32)) for one in ("popular", "words")
    )
    return Joining(asked, other)


@pytest.mark.parametrize(("share", "best"), [(1.0, 1), (0.0, 0), (0.2, 0), (0.9, 1)])
def test_the_more_of_a_query_is_asked_often_the_more_its_own_weights_count(joining, share, best):
    scores = np.zeros((2, len(FEATURES)), np.float32)
    scores[0, FEATURES.index("words")] = scores[1, FEATURES.index("popular")] = 1.0
    found = joining.scores(Candidates(np.arange(2), scores, True), share)
    assert found.argmax() == best
    assert found.sum() == pytest.approx(1.0)


def test_weights_are_saved(joining):
    again = Joining.from_dict(joining.as_dict())
    assert again.as_dict() == joining.as_dict()


def test_the_share_of_a_query_that_is_asked_often(search):
    def share(text):
        return search.learned.share_asked(search._shown.read(text, 9))

    assert [share(text) for text in ("kicks", "red dress", "red backpack", "backpack", "drses", "zzzz")] == [
        1.0, 1.0, 0.5, 0.0, 1.0, 0.0
    ]  # fmt: skip


def test_without_queries_of_the_log_all_are_joined_alike(search):
    learned, shown = search.learned, search._shown
    drawn = Held([["red", "dress"], ["blue", "shoes"]], np.array([1, 2]), [None, None])
    joining = Joining.fit(shown, learned.vectors, 9, Held((), np.zeros(0, np.int64), ()), drawn)
    assert joining.asked is joining.other
    assert joining.of(0.5).names == FEATURES
