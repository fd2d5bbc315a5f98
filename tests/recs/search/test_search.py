"""Search as a whole: planted answers, odd queries, users, what is allowed, catalogues that change, saving."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.config import SearchSettings, Settings
from tagloom.data.tables import Events, Products
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError, NotFittedError, UserError
from tagloom.recs.search.answers import BASES
from tagloom.recs.search.fit import Log, fit_search
from tagloom.recs.search.pairs import Pairs
from tagloom.recs.search.search import Search
from tagloom.recs.search.tags import Names


def ids(answer):
    return [found.product_id for found in answer.products]


# What is found


@pytest.mark.parametrize(
    ("query", "understood"),
    [
        ("blue trousers", "blue trousers"),
        ("TROUSERS, blue!", "trousers blue"),
        ("blue tousers", "blue trousers"),
        ("bleu trousers", "blue trousers"),
        ("blue trou", "blue trousers"),
        ("bluetrousers", "blue trousers"),
    ],
)
def test_a_query_finds_what_has_all_its_words(search, query, understood):
    answer = search.answer(query, top=2)
    assert sorted(ids(answer)) == ["blue-trousers-1", "blue-trousers-2"]
    assert (answer.basis, answer.understood, answer.missing) == ("match", understood, ())


@pytest.mark.parametrize("query", ["蓝色双肩包", "蓝色 双肩包", "藍色雙肩包", "藍色　雙肩包", "蓝色双肩", "蓝双肩包"])
def test_chinese_is_found_simplified_traditional_half_typed_and_in_pieces(search, query):
    assert ids(search.answer(query, top=1)) == ["blue-backpack-zh"]


@pytest.mark.parametrize("query", ["双肩包 green", "green双肩包", "green 雙肩包"])
def test_a_query_in_two_languages_is_one_query(search, query):
    assert ids(search.answer(query, top=1)) == ["green-backpack-zh"]


def test_an_alias_of_a_tag_finds_its_products(search):
    answer = search.answer("red rucksack", top=2)
    assert sorted(ids(answer)) == ["red-backpack-1", "red-backpack-2"]


def test_a_word_that_no_product_has_is_known_from_what_was_bought_after_it(search):
    answer = search.answer("kicks", top=3)
    assert answer.basis == "nearest"
    assert answer.missing == ("kicks",)
    assert ids(answer)[0] == "red-shoes-1"


def test_the_words_that_a_product_holds_are_told_as_they_were_typed(search):
    assert search.answer("blu drses", top=1).products[0].words == ("blu", "drses")


def test_shares_are_of_one(search):
    shares = [found.share for found in search.answer("red dress", top=100).products]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1 + 1e-9
    assert shares[-1] > 0


def test_what_is_bought_most_comes_first_among_equals(search):
    assert ids(search.answer("red dress", top=1)) == ["red-dress-1"]


# Tags


def test_a_tag_that_the_query_names_is_the_surest(search, vocabulary):
    best = {found.tag: found for found in search.answer("blue shoes", top=2).tags}
    assert best.keys() == {"colour=blue", "shoes"}
    assert all(found.named and 0 < found.confidence < 1 for found in best.values())
    assert best["shoes"].tag_id == vocabulary.find("shoes").id


def test_tags_are_learned_from_what_was_bought(search):
    tags = search.answer("kicks", top=2).tags
    assert {found.tag for found in tags} == {"colour=red", "shoes"}
    assert not any(found.named for found in tags)


def test_a_renamed_tag_is_answered_with_its_name_of_today(search, products, vocabulary):
    renamed = vocabulary.rename("shoes", "footwear")
    again = search.seeing(products, renamed)
    (best,) = again.answer("footwear", top=1).tags
    assert (best.tag, best.tag_id) == ("footwear", vocabulary.find("shoes").id)


# Odd queries


@pytest.mark.parametrize("query", ["", "   ", "\n\t", "!?…", "\u200b", "\x00", "\ud800"])
def test_a_query_without_a_word_finds_nothing_and_says_so(search, query):
    answer = search.answer(query)
    assert (answer.basis, answer.products, answer.tags, answer.understood) == ("empty", (), (), "")


def test_a_query_that_is_like_nothing_gets_what_is_taken_most(search):
    answer = search.answer("qqqq", top=1)
    assert answer.basis == "default"
    assert ids(answer) == ["red-shoes-1"]
    assert answer.tags == ()
    assert answer.missing == ("qqqq",)


def test_an_emoji_alone_is_a_word_that_nothing_has(search):
    assert search.answer("😀").basis == "default"


def test_of_ten_thousand_characters_the_first_words_are_read(search, quick):
    answer = search.answer("red dress " + " ".join(f"word{n}" for n in range(1_500)), top=1)
    assert len(answer.read) == quick.search.max_words
    assert answer.left_out == 1_502 - quick.search.max_words
    assert ids(answer) == ["red-dress-1"]


@pytest.mark.parametrize(
    ("query", "basis", "left_out"),
    [
        ("x" * 10_000, "default", 0),
        ("包" * 10_000, "nearest", 0),
        ("红色" * 5_000, "match", 0),
        ("a b " * 2_500, "default", 0),
        (" ".join(f"{n}x" for n in range(2_000)), "default", 2_000 - SearchSettings().max_words),
    ],
    ids=["letters", "a character", "Chinese", "the same words", "different words"],
)
def test_ten_thousand_characters_are_answered(search, query, basis, left_out):
    answer = search.answer(query)
    assert (answer.basis, answer.left_out) == (basis, left_out)


@pytest.mark.parametrize(
    "query",
    [
        "title:dress AND (red",
        '"red dress',
        "red* dress?",
        "+red -dress",
        "red^5 dress~2",
        "red && dress || [a TO b}",
        "\\ red dress",
    ],
)
def test_signs_of_a_query_syntax_only_part_words(search, query):
    assert ids(search.answer(query, top=1)) == ["red-dress-1"]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_answered(search, query):
    answer = search.answer(query, top=3)
    assert answer.basis in BASES
    assert (answer.basis == "empty") is (answer.products == ())
    assert search.answer(query, top=3) == answer


@pytest.mark.parametrize("query", [None, 3, b"red"])
def test_a_query_that_is_no_text_is_refused(search, query):
    with pytest.raises(UserError, match="query: expected text"):
        search.answer(query)


def test_a_top_below_one_is_refused(search):
    with pytest.raises(UserError, match="top: expected a whole number from 1, came 0"):
        search.answer("red", top=0)


# Users, and what may be found


def test_a_users_scores_order_what_fits_the_query_alike(search, row_of):
    def likes_the_second(rows):
        return np.where(rows == row_of["red-dress-2"], 0.0, -9.0).astype(np.float32)

    assert ids(search.answer("red dress", top=1, personal=likes_the_second)) == ["red-dress-2"]


def test_how_much_a_user_counts_is_learned_from_what_was_bought(products, vocabulary, row_of, quick):
    """Users want what their own scores say: the weight of those is far above that where they are noise."""
    log = []
    for user in range(600):
        number = 1 + user % 2
        for minute, (action, text, product) in enumerate(
            (("search", "red dress", None), ("purchase", None, f"red-dress-{number}"))
        ):
            time = datetime(2026, 1, 1, 0, minute, tzinfo=UTC) + timedelta(hours=user)
            event = {"user_id": f"{number}-{user}", "action": action, "time": time}
            log.append({**event, "text": text, "product_id": product})
    pairs = Pairs.of(Events.of(log), products.frame["product_id"].to_list(), WordSplitter().split, 30)

    def weight(told):
        def personal(user, _):
            liked = row_of[f"red-dress-{told(user)}"]
            return lambda rows: np.where(rows == liked, 0.0, -3.0).astype(np.float32)

        learned, _ = fit_search(products, Log(pairs, {}, personal), quick.search, vocabulary=vocabulary)
        blend = learned.joining.asked
        return dict(zip(blend.names, blend.weights, strict=True))["personal"]

    assert weight(lambda user: user[0]) > 3 * weight(lambda user: 1 + sum(map(ord, user)) // 3 % 2)


def test_how_much_what_is_taken_counts_is_learned_without_what_is_held_out(products, quick):
    """What is bought changes with the newest queries: counted with these it would seem to foretell them."""
    log = []
    for user in range(600):
        number, time = (1 if user < 500 else 2), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=user)
        searched = {"user_id": str(user), "action": "search", "time": time, "text": "red dress"}
        # The last hundred are the held-out ones, and buy very much of what was never bought before.
        bought = [
            {**searched, "action": "purchase", "text": None, "product_id": f"red-dress-{number}", "value": float(n),
             "time": time + timedelta(minutes=1)} for n in range(1 if user < 540 else 50)
        ]  # fmt: skip
        log += [searched, *bought]
    events = Events.of(log)
    of_all, fair = (Log.of(events, products, quick.recommender) for _ in range(2))
    assert fair.earlier is not None
    assert fair.earlier["red-dress-2"] < 50 < fair.taken["red-dress-2"]
    weights = []
    for one in (replace(of_all, earlier=None), fair):
        learned, shown = fit_search(products, one, quick.search)
        blend = learned.joining.asked
        weights.append(dict(zip(blend.names, blend.weights, strict=True))["popular"])
        assert learned.taken == one.taken
        assert np.array_equal(shown.popular, learned.popular(shown.product_ids))
    assert weights[0] > 3 * max(0.01, weights[1])


def test_only_what_is_allowed_is_found(search, row_of):
    allowed = np.ones(len(row_of), np.bool_)
    allowed[[row_of["red-dress-1"], row_of["red-dress-2"]]] = False
    found = ids(search.answer("red dress", top=100, allowed=allowed))
    assert found
    assert not {"red-dress-1", "red-dress-2"} & set(found)
    assert ids(search.answer("qqqq", top=1, allowed=allowed)) == ["red-shoes-1"]


def test_where_nothing_may_be_shown_the_answer_says_so_and_has_no_tags(search, row_of):
    answer = search.answer("red dress", allowed=np.zeros(len(row_of), np.bool_))
    assert (answer.basis, answer.products, answer.tags) == ("nothing", (), ())
    assert answer.missing == ("red", "dress")


def test_a_word_is_missing_where_only_forbidden_products_have_it(search, row_of):
    allowed = np.array([not product_id.startswith("red-") for product_id in row_of])
    assert search.answer("red dress").missing == ()
    assert search.answer("red dress", allowed=allowed).missing == ("red",)


def test_an_answer_says_whether_it_is_for_a_user(search):
    assert not search.answer("red").personal
    assert search.answer("red", personal=lambda rows: np.zeros(len(rows), np.float32)).personal
    assert search.answer("", personal=lambda rows: np.zeros(len(rows), np.float32)).personal


class Watched:
    """An index of words that notes how many it is asked for."""

    def __init__(self, index):
        self.index, self.counts = index, []

    def found(self, read, limit):
        self.counts.append(limit)
        return self.index.found(read, limit)


@pytest.mark.parametrize(("hidden", "counts"), [(0, [3]), (1, [4]), (4, [4, 7])])
def test_of_a_few_forbidden_products_only_a_few_more_are_asked_for(search, products, hidden, counts):
    shown = search.learned.shown(products, Names.of(None))
    shown = replace(shown, index=Watched(shown.index))
    query = shown.read("red dress ", 9)
    order = shown.index.index.found(query.read, 99)[0]
    allowed = np.ones(len(shown), np.bool_)
    allowed[order[:hidden]] = False
    found = shown.candidates(query, None, allowed=allowed if hidden else None, limit=3)
    assert set(found.rows) == set(order[hidden : hidden + 3])
    assert shown.index.counts == counts


def test_a_mask_of_another_length_is_refused(search):
    with pytest.raises(UserError, match="allowed: expected true or false for each of"):
        search.answer("red", allowed=np.ones(3, np.bool_))


# Catalogues


def test_a_new_product_is_found_at_once_and_a_removed_one_no_more(search, products, vocabulary):
    kept = products.frame.filter(~pl.col("product_id").str.starts_with("red-dress"))
    new = Products.of([{"product_id": "new", "title": "crimson gown", "tags": ["colour=red", "dress"]}])
    now = search.seeing(Products(pl.concat([kept, new.frame])), vocabulary)
    assert ids(now.answer("crimson gown", top=1)) == ["new"]
    assert ids(now.answer("red dress", top=1)) == ["new"]
    assert ids(search.answer("red dress", top=1)) == ["red-dress-1"]


def test_a_tag_that_came_since_is_answered_when_it_is_named(search, products):
    new = Products.of([{"product_id": "new", "title": "hat", "tags": ["straw hat"]}])
    answer = search.seeing(Products(pl.concat([products.frame, new.frame]))).answer("straw hat", top=3)
    assert "straw hat" in {found.tag for found in answer.tags if found.named}


def test_a_product_without_text_and_tags_is_searched_with_the_others(search, products):
    everything = ids(search.answer("qqqq", top=100))
    assert "bare" in everything
    assert "bare" not in ids(search.answer("red dress", top=5))


def test_a_catalogue_without_text_and_tags_offers_what_is_taken_most(quick):
    bare = Products.of([{"product_id": "a"}, {"product_id": "b"}])
    time = datetime(2026, 1, 1, tzinfo=UTC)
    bought = {"user_id": "u", "action": "purchase", "time": time, "product_id": "b"}
    answer = Search.fit(bare, Events.of([bought]), quick).answer("red dress", top=1)
    assert (answer.basis, ids(answer)) == ("default", ["b"])


def test_a_catalogue_of_one_product_is_enough(quick):
    one = Products.of([{"product_id": "a", "title": "red dress"}])
    assert ids(Search.fit(one, Events.of([]), quick).answer("red")) == ["a"]


def test_a_catalogue_without_products_is_refused(quick):
    with pytest.raises(DataError, match="no products to search"):
        Search.fit(Products.of([]), Events.of([]), quick)


def test_an_emptied_catalogue_finds_nothing(search):
    answer = search.seeing(Products.of([])).answer("red dress")
    assert (answer.products, answer.basis) == ((), "nothing")


# Saving


def test_what_is_saved_and_loaded_answers_alike(search, products, vocabulary, tmp_path):
    search.save(tmp_path)
    again = Search.load(tmp_path).seeing(products, vocabulary)
    for query in ("blue trousers", "kicks", "藍色雙肩包", "qqqq", "bl"):
        assert again.answer(query) == search.answer(query)


def test_a_loaded_search_needs_a_catalogue(search, tmp_path):
    search.save(tmp_path)
    with pytest.raises(NotFittedError, match="call seeing"):
        Search.load(tmp_path).answer("red")


def test_the_same_data_and_seed_learn_the_same(products, vocabulary, quick):
    twins = [Search.fit(products, Events.of([]), quick, vocabulary=vocabulary).learned for _ in range(2)]
    assert (twins[0].vectors.table == twins[1].vectors.table).all()
    assert twins[0].joining.as_dict() == twins[1].joining.as_dict()


def test_nothing_that_fewer_than_three_users_typed_is_kept(search, tmp_path):
    search.save(tmp_path)
    kept = "".join(path.read_text("utf-8") for path in tmp_path.glob("*.json"))
    assert all(word in kept for word in ("kicks", "among", "three"))
    assert not any(word in kept for word in ("secret", "wish", "between", "two"))


def test_settings_change_what_is_read(products):
    search = Search.fit(products, Events.of([]), Settings(search=SearchSettings(epochs=1, width=8, max_words=1)))
    answer = search.answer("blue trousers")
    assert (answer.understood, answer.left_out) == ("blue", 1)
