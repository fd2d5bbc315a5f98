"""What every model of the Recommender must do, on planted logs of which it is known what comes next."""

from __future__ import annotations

import functools
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch

from tagloom import Events, Products, Recommender, Tagger
from tagloom.config import RecommenderSettings
from tagloom.data.histories import history_of
from tagloom.errors import NotFittedError, SettingsError
from tagloom.nn.next_losses import LOSSES
from tagloom.recs.experts.contract import Asked
from tagloom.recs.models import BLEND, MODELS, NETWORKS

# What each model can be expected to know; see `PLANTED`.
KNOWS = {
    "popular": {"most sold"},
    "recent": {"late burst"},
    "category": {"own category"},
    "neighbours": {"order"},
    "repeats": {"again"},
    "gru": {"order"},
    "transformer": {"order"},
    BLEND: {"again", "order"},
}
EVERY = [*MODELS, BLEND]
IN_ORDER = [name for name in EVERY if "order" in KNOWS.get(name, ())]
# Few passes with large steps: enough for planted data, and a second or less.
QUICK = {"epochs": 5, "patience": 5, "batch_events": 64, "learning_rate": 0.01, "dropout": 0.1, "id_dropout": 0.3}
# Bits of numbers and threads that are measured may differ from run to run.
ALIKE = {"split": "last", "numbers": "32", "threads": 1}
START = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCTS, GROUP, DAYS = 24, 6, 7
COLOURS, SHAPES = ["red", "blue", "green", "pink"], ["round", "flat", "tall", "thin", "wide", "deep"]
HISTORIES = [
    ["p3"],
    ["p5", "p6", "p7"],
    [("view", "p23"), ("cart", "p0")],
    [("search", "red round"), "p1"],
    [("search", "blue")],
    [],
]

pytestmark = pytest.mark.usefixtures("one_thread")


def row(number, product_id=None):
    """A colour for each group of six, a shape for each place in it: no two products have both alike."""
    colour, shape = COLOURS[number // GROUP], SHAPES[number % GROUP]
    return {
        "product_id": product_id or f"p{number}",
        "title": f"{colour} {shape} thing",
        "tags": [colour, shape],
        "category": [f"c{number // GROUP}"],
    }


def shelf(*more):
    return Products.of([*map(row, range(PRODUCTS)), *more])


def log(users, action="purchase"):
    """From each user's numbers of products: one a day."""
    rows = [
        {
            "user_id": f"u{user}",
            "action": action,
            "time": START + timedelta(days=day, minutes=user),
            "product_id": f"p{n}",
        }
        for user, numbers in enumerate(users)
        for day, n in enumerate(numbers)
    ]
    return Events.of(rows)


# Planted logs: of each user some days, and what comes next


def order():
    """The next product follows the last one round a ring."""
    starts = np.random.default_rng(0).integers(0, PRODUCTS, 60)
    return [[(start + day) % PRODUCTS for day in range(DAYS)] for start in starts], (starts + DAYS) % PRODUCTS


def most_sold():
    """Everybody takes anything, and in the end what is sold most."""
    draw = np.random.default_rng(0)
    return [[*draw.permutation(PRODUCTS)[: DAYS - 2].tolist(), 9, 9] for _ in range(60)], np.full(60, 9)


def late_burst():
    """For long one product was sold most; in the last days it is another."""
    return [[9] * 24 + [4] * 16 for _ in range(30)], np.full(30, 4)


def own_category():
    """Each user stays in a group, and there is no order in it; five of its six products are taken already."""
    draw = np.random.default_rng(0)
    groups = [GROUP * (user % 4) + draw.permutation(GROUP) for user in range(60)]
    return [group[:-1].tolist() for group in groups], np.array([group[-1] for group in groups])


def again():
    """Each user takes two products in turns, and others other ones."""
    draw = np.random.default_rng(0)
    pairs = [draw.permutation(PRODUCTS)[:2].tolist() for _ in range(60)]
    return [pair * 3 for pair in pairs], np.array([first for first, _ in pairs])


# By what must be known: the log, and whether what users have is recommended again.
PLANTED = {
    "order": (order, "no"),
    "most sold": (most_sold, "yes"),
    "late burst": (late_burst, "yes"),
    "own category": (own_category, "no"),
    "again": (again, "yes"),
}


def after(users, wanted):
    days = [[None] * len(numbers) + [n] for numbers, n in zip(users, wanted, strict=True)]
    rows = [
        {
            "user_id": f"u{user}",
            "action": "purchase",
            "time": START + timedelta(days=len(numbers)),
            "product_id": f"p{numbers[-1]}",
        }
        for user, numbers in enumerate(days)
    ]
    return Events.of(rows)


@pytest.fixture(scope="module")
def reader():
    """A Tagger for all of them, with the rows that it has not learned from."""
    return Tagger(encoder="nearest").fit(shelf()), np.arange(PRODUCTS)


@pytest.fixture(scope="module")
def fit(reader):
    """`fit(name, users)`: a quick Recommender that has learned from a log."""

    def made(name, users, products=None, recommender=None, **settings):
        told = {**QUICK, **ALIKE, "again": "no", **settings}
        recommender = recommender or Recommender(model=name, **told)
        events = users if isinstance(users, Events) else log(users)
        return recommender.fit(products or shelf(), events, tagger=reader)

    return made


@pytest.fixture(scope="module")
def of_order(fit):
    """`of_order(name)`: one that has learned from `order()`, each fitted once."""
    return functools.cache(lambda name: fit(name, order()[0]))


@pytest.fixture(params=EVERY)
def model(request, of_order):
    return of_order(request.param)


@pytest.fixture(params=IN_ORDER)
def ordered(request, of_order):
    return of_order(request.param)


def everything(recommender):
    """All that it answers, to the last bit."""
    found = []
    for history in HISTORIES:
        found += [recommender.products(history=history, top=99), recommender.tags(history=history, top=99)]
        found.append(recommender.tags(history=history, texts=["red thing", "blue tall"], top=99))
    return [(one.found, one.basis, dict(one.left_out)) for one in found]


def ids(found):
    return [one.product_id for one in found]


def test_every_model_stands_in_the_table():
    assert set(KNOWS) == {*MODELS, BLEND}
    assert set().union(*KNOWS.values()) == set(PLANTED)
    assert set(IN_ORDER) >= NETWORKS


# Fitting


def test_the_constructor_only_stores():
    assert Recommender(model=BLEND, no_such_setting=1).settings == {"model": BLEND, "no_such_setting": 1}


@pytest.mark.parametrize("name", EVERY)
def test_an_unknown_setting_is_refused_with_the_nearest_known_one(name):
    with pytest.raises(SettingsError, match=r"'recommender\.epoch'; did you mean 'epochs'"):
        Recommender(model=name, epoch=3).fit(shelf(), log(order()[0]))


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_answered_before_fit(name):
    with pytest.raises(NotFittedError, match=r"call fit\(products, events\) or Recommender\.load\(path\) first"):
        Recommender(model=name).products("u1")


def random_states():
    return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()


def test_the_same_seed_gives_the_same_bytes_and_a_second_fit_is_a_fresh_one(model, fit, differing, tmp_path):
    before = random_states()
    again = Recommender(**{**model.settings, "epochs": 1})
    other = Products.of([{"product_id": f"q{n}", "title": f"thing {n % 2}", "tags": ["odd"]} for n in range(4)])
    days = log([[0, 1, 2], [1, 2, 3]] * 12).frame
    fit("", Events(days.with_columns(product_id="q" + days["product_id"].str.slice(1))), other, again)
    again.settings.update(model.settings)
    assert fit("", order()[0], recommender=again) is again
    assert random_states() == before
    assert everything(again) == everything(model)
    for number, one in enumerate((model, again)):
        one.save(tmp_path / str(number))
    assert differing(tmp_path / "0", tmp_path / "1") == []


def test_a_saved_recommender_answers_the_same_to_the_last_bit(model, differing, tmp_path):
    model.save(tmp_path / "model")
    before = random_states()
    loaded = Recommender.load(tmp_path / "model")
    assert everything(loaded) == everything(model)
    assert random_states() == before
    assert (loaded.contributions, loaded.trained) == (model.contributions, {})
    today = loaded.seeing(shelf(), log(order()[0]))
    assert list(today.for_users(["u1", "u2"])) == list(model.for_users(["u1", "u2"]))
    loaded.save(tmp_path / "again")
    assert {path.name for path in differing(tmp_path / "model", tmp_path / "again")} <= {"training.json"}


# Planted answers


@pytest.mark.parametrize(("name", "what"), [(name, what) for name in EVERY for what in sorted(KNOWS.get(name, ()))])
def test_what_was_planted_comes_first(name, what, fit, of_order):
    planted, owned = PLANTED[what]
    users, wanted = planted()
    recommender = of_order(name) if what == "order" else fit(name, users, again=owned)
    found = recommender.evaluate(log(users), after(users, wanted))
    assert found.values["MRR@100"] > 0.95
    assert found.products["recommender"].users == len(users)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in IN_ORDER])
def test_what_only_the_order_tells_is_not_known_to_those_that_do_not_read_it(name, of_order):
    users, wanted = order()
    assert of_order(name).evaluate(log(users), after(users, wanted)).values["MRR@100"] < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_order_is_found_whatever_the_seed(name, seed, fit):
    users, wanted = order()
    assert fit(name, users, seed=seed).evaluate(log(users), after(users, wanted)).values["MRR@100"] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", [*sorted(NETWORKS), BLEND])
def test_the_settings_of_its_own_solve_it_too(name):
    users, wanted = order()
    recommender = Recommender(model=name, split="last").fit(shelf(), log(users))
    assert recommender.evaluate(log(users), after(users, wanted)).values["MRR@100"] > 0.9


# Every network, but in the default run only one.
ONE_NETWORK, *others = sorted(NETWORKS)
SOME_NETWORKS = [ONE_NETWORK, *(pytest.param(name, marks=pytest.mark.slow) for name in others)]


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"full_softmax", "mean_squared_error"}))
@pytest.mark.parametrize("name", SOME_NETWORKS)
def test_the_order_is_found_with_every_loss(name, loss, fit):
    users, wanted = order()
    found = fit(name, users, loss=loss, negatives=50).evaluate(log(users), after(users, wanted))
    assert found.values["MRR@100"] > 0.9


def rated():
    """Of each group the first three products are good, the others are not, whoever takes them."""
    draw = np.random.default_rng(0)
    users = [draw.permutation(PRODUCTS)[: DAYS + 1].tolist() for _ in range(80)]
    frame = log(users).frame
    value = [5.0 if int(name[1:]) % GROUP < 3 else 1.0 for name in frame["product_id"]]
    return Events.of(
        [{**one, "action": "rate", "value": rating} for one, rating in zip(frame.to_dicts(), value, strict=True)]
    )


@pytest.mark.parametrize("name", SOME_NETWORKS)
def test_ratings_are_learned_far_below_their_spread(name, fit):
    settings = {"loss": "mean_squared_error", "epochs": 8, "patience": 8, "learning_rate": 0.02, "again": "yes"}
    recommender = fit(name, rated(), **settings)
    fitted = recommender._fitted
    asked = Asked(fitted.histories, fitted.items)
    truth = np.where(np.arange(PRODUCTS) % GROUP < 3, 5.0, 1.0)
    error = np.sqrt(np.square(fitted.scored(asked).scores - truth).mean())
    assert error < 0.5 < 2.0 == np.std(truth)
    assert {int(name[1:]) % GROUP for name in ids(recommender.products("u1", top=12))} == {0, 1, 2}


def test_ratings_cannot_be_learned_where_there_are_none(fit):
    with pytest.raises(SettingsError, match=r"learns ratings, and no event has one; import events with a value"):
        fit(ONE_NETWORK, order()[0], loss="mean_squared_error")


# Asking


def test_scores_are_finite_and_one_for_each_user_and_product(model):
    fitted = model._fitted
    for asked in (Asked(fitted.histories, fitted.items), Asked(fitted.histories.recent(0), fitted.items)):
        for scores in (fitted.scored(asked).scores, *(expert.scores(asked) for expert in fitted.experts.values())):
            assert scores.shape == (60, PRODUCTS)
            assert scores.dtype == np.float32
            assert np.isfinite(scores).all()
    nobody = Asked(history_of([], ()).of([]), fitted.items)
    assert fitted.scored(nobody).scores.shape == (0, PRODUCTS)


def test_what_a_user_has_never_comes_back_where_it_shall_not(model):
    for user, numbers in enumerate(order()[0]):
        found = set(ids(model.products(f"u{user}", top=99)))
        assert found == {f"p{n}" for n in range(PRODUCTS)} - {f"p{n}" for n in numbers}
    assert ids(model.products(history=[f"p{n}" for n in range(PRODUCTS)])) == []


def test_a_new_user_has_an_answer_from_the_first_click_on(model):
    found = model.products(history=[("view", "p3")], top=99)
    assert (len(found), found.basis) == (PRODUCTS - 1, "history")
    assert all(np.isfinite(one.share) and one.share >= 0 for one in found)
    assert model.tags(history=[("view", "p3")]).basis == "history"
    assert model.products(history=[("search", "red thing")]).basis == "history"
    assert model.products(history=[]).basis == "default"


def test_the_first_click_tells_those_that_read_the_order_what_comes_next(ordered):
    right = [
        ids(ordered.products(history=[("view", f"p{n}")], top=1)) == [f"p{(n + 1) % PRODUCTS}"] for n in range(PRODUCTS)
    ]
    assert np.mean(right) > 0.9
    right = [ordered.tags(history=[f"p{n}"])[0].tag in row((n + 1) % PRODUCTS)["tags"] for n in range(PRODUCTS)]
    assert np.mean(right) > 0.8


def test_a_new_product_can_be_recommended_and_harms_no_model(model):
    today = model.seeing(shelf(row(8, "new"), {"product_id": "bare"}))
    for history in (*HISTORIES, ["new"], [("view", "new"), "p3"], ["bare"]):
        found = today.products(history=history, top=99)
        missing = {"new", "bare"} - set(ids(found))
        assert missing <= {entry if isinstance(entry, str) else entry[1] for entry in history}
        assert all(np.isfinite(one.share) and one.share >= 0 for one in found)
        assert len(today.tags(history=history, top=99)) == len(COLOURS) + len(SHAPES)
    before, now = (
        {one.product_id: one.share for one in each.products(history=["p3"], top=99)} for each in (model, today)
    )
    ratios = [now[name] / share for name, share in before.items() if share > 1e-6]
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-3)  # those that were there keep their order


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_new_product_whose_tags_and_text_fit_is_among_the_first_at_once(name, of_order):
    recommender, right = of_order(name), []
    for n in range(PRODUCTS):
        today = recommender.seeing(shelf(row(n, "new")))
        right.append("new" in ids(today.products(history=[f"p{(n - 2) % PRODUCTS}", f"p{(n - 1) % PRODUCTS}"], top=3)))
    assert np.mean(right) > 0.9


@pytest.mark.timeout(20)
def test_histories_of_one_and_of_ten_thousand_events_have_their_answer(model):
    long = [("view" if n % 3 else "purchase", f"p{n % PRODUCTS}") for n in range(10_000)]
    for history in (long[:1], long):
        with_texts = [*history, ("search", "red thing")]
        for asked in (history, with_texts):
            assert all(np.isfinite(one.share) for one in model.products(history=asked, top=99))
            assert all(np.isfinite(one.confidence) for one in model.tags(history=asked, top=99))


def test_defaults_are_those_that_are_tested():
    settings = RecommenderSettings()
    assert settings.model == BLEND
    assert set(settings.experts) <= set(MODELS)
