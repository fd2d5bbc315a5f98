"""Why a product is recommended: on shops in which the reason was planted, and checked by taking reasons away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tagloom import Events, Products, Recommender

START = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 12


def products():
    """Teas, and a cup that goes with each: both have the tag of their pair, and all have the tag `thing`."""
    return Products.of(
        [
            {"product_id": f"{kind}{n}", "title": f"{kind} number{n}", "tags": [f"pair{n}", "thing"]}
            for kind in ("tea", "cup")
            for n in range(COUNT)
        ]
    )


def taken(rounds):
    """Users who take something twice over, `rounds(user, n)` each time; n is another number."""
    rows = []
    for user in range(300):
        for day, n in enumerate((user % COUNT, (user // COUNT + 5) % COUNT)):
            for hour, entry in enumerate(rounds(user, n)):
                action, key, what = ("purchase", "product_id", entry) if isinstance(entry, str) else entry
                time = START + timedelta(days=2 * user + day, hours=hour)
                rows.append({"user_id": f"u{user}", "action": action, "time": time, key: what})
    return Events.of(rows)


def log():
    """The cup of its tea is taken right after it; before come teas of no meaning."""

    def teas(user, n):
        draw = np.random.default_rng(COUNT * user + n)
        noise = draw.choice([ix for ix in range(COUNT) if ix != n], 2, replace=False)
        return [*(f"tea{ix}" for ix in noise), f"tea{n}", f"cup{n}"]

    return taken(teas)


NETWORK = {"model": "transformer", "epochs": 20, "batch_events": 256, "numbers": "32", "dropout": 0.1, "split": "last"}


@pytest.fixture(scope="module", params=["neighbours", "transformer"])
def recommender(request):
    settings = NETWORK if request.param == "transformer" else {"model": request.param, "split": "last"}
    return Recommender(again="no", **settings).fit(products(), log())


def test_the_event_that_was_planted_is_the_reason(recommender):
    history = ["tea1", "tea2", "tea5"]
    (found,) = recommender.products(history=history, top=1, why=True)
    assert found.product_id == "cup5"
    assert found.because.events[0].product_id == "tea5"
    assert found.because.events[0].action == "purchase"
    assert 0.1 <= found.because.events[0].share <= 1


def test_without_the_reason_the_product_falls_more_than_without_any_other_event(recommender):
    history = ["tea3", "tea7", "tea4", "tea9"]
    (first, *_) = recommender.products(history=history, top=1, why=True)
    reason = first.because.events[0].product_id

    def share(without):
        kept = [one for one in history if one != without]
        return {one.product_id: one.share for one in recommender.products(history=kept, top=99)}[first.product_id]

    assert share(reason) < min(share(other) for other in history if other != reason)


def test_reasons_are_told_only_where_they_are_asked_for(recommender):
    assert recommender.products(history=["tea1"], top=1)[0].because is None


def test_of_an_unknown_user_there_is_no_reason(recommender):
    for found in (recommender.products("nobody", top=2, why=True), recommender.products(history=[], top=2, why=True)):
        assert [one.because.events + one.because.tags for one in found] == [(), ()]


def test_several_events_on_one_product_are_one_reason(recommender):
    history = [("view", "tea5"), "tea1", "tea5"]
    (found,) = recommender.products(history=history, top=1, why=True)
    events = [one.product_id for one in found.because.events]
    assert events[0] == "tea5"
    assert len(set(events)) == len(events)
    assert found.because.events[0].action == "purchase"


def test_shares_are_those_without_reasons(recommender):
    plain = recommender.products(history=["tea1", "tea2"], top=5)
    told = recommender.products(history=["tea1", "tea2"], top=5, why=True)
    assert [(one.product_id, one.share) for one in told] == [(one.product_id, one.share) for one in plain]


def test_a_search_can_be_the_reason_of_a_network():
    def searches(user, n):
        return [f"tea{(user // 7 + n // 2) % COUNT}", ("search", "text", f"number{n}"), f"cup{n}"]

    network = Recommender(again="no", **NETWORK).fit(products(), taken(searches))
    (found,) = network.products(history=["tea9", ("search", "number4")], top=1, why=True)
    assert found.product_id == "cup4"
    assert found.because.events[0].text == "number4"


def test_the_tag_that_carried_a_product_is_one_that_tells_it_from_others():
    network = Recommender(again="no", **NETWORK).fit(products(), log())
    (found,) = network.products(history=["tea1", "tea2", "tea5"], top=1, why=True)
    assert found.product_id == "cup5"
    assert [one.tag for one in found.because.tags] == ["pair5"]  # not `thing`, which all have
    known = network._fitted.items.known
    assert found.because.tags[0].tag_id == known.tag_ids[known.tags.index("pair5")]


def test_counts_know_no_tags():
    counts = Recommender(model="neighbours", split="last", again="no").fit(products(), log())
    (found,) = counts.products(history=["tea5"], top=1, why=True)
    assert found.because.tags == ()


def test_what_no_expert_reads_is_no_reason():
    counts = Recommender(model="neighbours", split="last", again="no").fit(products(), log())
    found = counts.products(history=[("search", "words that nobody knows")], top=3, why=True)
    assert [one.because.events for one in found] == [(), (), ()]
