"""A Recommender measured on what users did later: planted shops in which the right figures are known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tagloom import Events, Products, Recommender, Tagger
from tagloom.errors import DataError, NotFittedError
from tagloom.recs.experts.contract import Asked
from tagloom.recs.measured import RECOMMENDER

START = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCTS, USERS = 12, 48
BASELINES = {"popular", "recent", "category"}


def goods(count=PRODUCTS, **more):
    """The tag of a product stands in its text, among words of no meaning."""
    rows = [
        {
            "product_id": f"p{n}",
            "title": f"word{n % 6} own{n} w{n % 5}",
            "tags": [f"t{n % 6}"],
            "category": [f"c{n % 2}"],
        }
        for n in range(count)
    ]
    return Products.of([{**row, **more} for row in rows])


def walks(first=0, length=5, users=USERS, step=1):
    """Each user takes one product after the other, a day apart."""
    rows = [
        {
            "user_id": f"u{user}",
            "action": "purchase",
            "time": START + timedelta(days=first + day),
            "product_id": f"p{(user + step * (first + day)) % PRODUCTS}",
        }
        for user in range(users)
        for day in range(length)
    ]
    return Events.of(rows)


@pytest.fixture(scope="module")
def reader():
    return Tagger(encoder="bag", width=32).fit(goods(60))


@pytest.fixture(scope="module")
def recommender(reader):
    return fitted(reader, np.arange(8))


def fitted(reader, unseen, **settings):
    told = {"model": "neighbours", "split": "last", "again": "yes", **settings}
    return Recommender(**told).fit(goods(), walks(), tagger=(reader, unseen))


@pytest.fixture(scope="module")
def found(recommender):
    return recommender.evaluate(walks(), walks(5, 1))


def mrr(models):
    return {name: one.values["MRR@100" if "MRR@100" in one.values else "MRR@20"] for name, one in models.items()}


# Next products


def test_it_is_measured_beside_its_experts_and_the_baselines(found):
    assert set(found.products) == {RECOMMENDER, "neighbours", *BASELINES} == set(found.exposure)
    assert all(one.users == USERS for one in found.products.values())
    assert mrr(found.products)[RECOMMENDER] == mrr(found.products)["neighbours"] == 1
    assert max(mrr(found.products)[name] for name in BASELINES) < 0.5


def test_a_list_that_is_the_same_for_all_overlaps_wholly_and_one_for_each_does_not(found):
    assert found.exposure["popular"]["overlap@10"] == pytest.approx(1)
    assert found.exposure[RECOMMENDER]["coverage@10"] == 1
    assert "diversity@10" in found.exposure[RECOMMENDER]


def test_all_that_was_taken_later_is_true_and_counted_once(recommender):
    values = recommender.evaluate(walks(), walks(5, 3)).products[RECOMMENDER].values
    assert values["recall@5"] == 1
    twice = Events(walks(5, 1).frame.vstack(walks(5, 1).frame))
    assert recommender.evaluate(walks(), twice).products[RECOMMENDER].values["recall@5"] == 1


def test_only_users_with_something_before_and_a_product_after_count(recommender):
    values = recommender.evaluate(walks(users=30), walks(5, 1, users=40)).products[RECOMMENDER]
    assert values.users == 30
    searches = Events.of([{"user_id": "u1", "action": "search", "time": START, "text": "red"}])
    for before, after in ((walks(), searches), (searches, walks(5, 1, users=1)), (walks(), Events.of([]))):
        with pytest.raises(DataError, match="nobody did anything with a product both before and after; give more"):
            recommender.evaluate(before, after)


def test_the_experts_alone_are_those_of_the_blend(reader):
    blend = fitted(reader, np.arange(8), model="blend", experts=("neighbours", "recent"))
    measured = blend.evaluate(walks(), walks(5, 1))
    assert set(measured.products) == {RECOMMENDER, "neighbours", *BASELINES}
    assert [one["name"] for one in measured.experts] == ["neighbours", "recent"]
    assert measured.experts == blend.contributions


# Tags


def test_the_tags_of_what_comes_next_by_each_source(found):
    assert set(found.tags) == {RECOMMENDER, "popular", "history", "products"}
    assert mrr(found.tags)[RECOMMENDER] == pytest.approx(1)
    assert mrr(found.tags)["products"] > mrr(found.tags)["popular"] + 0.2


def test_the_tags_of_the_next_product_by_text_and_by_history(found):
    assert set(found.product_tags) == {RECOMMENDER, "tagger", "interest"}
    assert mrr(found.product_tags)[RECOMMENDER] == pytest.approx(1)


def test_only_products_that_the_tagger_never_saw_are_judged_and_enough_of_them(found, reader):
    assert found.product_tags[RECOMMENDER].users == USERS * 8 // PRODUCTS
    few = fitted(reader, np.arange(2))
    assert few.evaluate(walks(), walks(5, 1)).product_tags == {}
    new = Products(goods().frame.with_columns(product_id="n" + goods().frame["product_id"]))
    later = Events(walks(5, 1).frame.with_columns(product_id="n" + walks(5, 1).frame["product_id"]))
    both = few.seeing(Products(goods().frame.vstack(new.frame)))
    assert both.evaluate(walks(), later).product_tags[RECOMMENDER].users == USERS


@pytest.mark.parametrize("more", [{"tags": []}, {"title": ""}])
def test_without_tags_or_texts_there_is_nothing_to_say_about_them(more):
    products = goods(**more)
    measured = Recommender(model="neighbours", split="last").fit(products, walks()).evaluate(walks(), walks(5, 1))
    assert measured.product_tags == {}
    assert bool(measured.tags) is ("title" in more)
    assert measured.values["MRR@100"] == 1


def test_where_nothing_that_is_taken_has_a_tag_products_are_measured_all_the_same(recommender):
    bare = Products(goods().frame.with_columns(tags=goods(tags=[]).frame["tags"]))
    measured = recommender.seeing(bare).evaluate(walks(), walks(5, 1))
    assert measured.tags == {}
    assert measured.values["MRR@100"] == 1


# Newcomers


def test_users_and_products_that_came_since_have_figures_of_their_own(recommender):
    new = [{"product_id": f"n{n}", "title": f"word{n}", "tags": [f"t{n}"]} for n in range(4)]
    today = Products(goods().frame.vstack(Products.of(new).frame))
    later = walks(5, 1, users=USERS + 30).frame.to_dicts()
    later = [{**row, "product_id": f"n{n % 4}"} if n < 24 else row for n, row in enumerate(later)]
    few = recommender.seeing(today).evaluate(walks(), Events.of(later)).few
    assert set(few) == {"new users HR@10", "new products HR@20"}
    assert 0.5 < few["new users HR@10"] <= 1  # ten of twelve that are all taken as often
    assert few["new products HR@20"] == 1  # of sixteen


def test_figures_of_a_handful_are_not_told(found):
    assert found.few == {}


# What becomes of it


def test_the_figures_of_a_manifest_are_its_own(found):
    values = found.values
    assert values["users"] == USERS
    assert values["MRR@100"] == 1
    assert values["tags nDCG@10"] == found.tags[RECOMMENDER].values["nDCG@10"]
    assert values["product's tags nDCG@10"] == found.product_tags[RECOMMENDER].values["nDCG@10"]
    assert values["coverage@10"] == 1
    assert all(np.isfinite(value) for value in values.values())


def test_all_of_it_is_json_with_intervals(found):
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["products"][RECOMMENDER]["interval of nDCG@10"] == [1, 1]
    low, high = told["products"]["popular"]["interval of nDCG@10"]
    assert 0 <= low <= told["products"]["popular"]["nDCG@10"] <= high <= 1
    assert told["products"]["popular"]["overlap@10"] == pytest.approx(1)
    assert told["tags"].keys() == found.tags.keys()
    assert told["experts"] == [dict(one) for one in found.experts]


def test_lists_are_those_that_users_are_given(recommender, found):
    fitted = recommender._fitted
    top, _ = fitted.top(Asked(fitted.histories, fitted.items), 3)
    given = [
        [fitted.items.row_of[one.product_id] for one in recommender.products(f"u{n}", top=3)] for n in range(USERS)
    ]
    assert top.tolist() == given


def test_nothing_is_measured_before_fit():
    with pytest.raises(NotFittedError):
        Recommender().evaluate(walks(), walks())
