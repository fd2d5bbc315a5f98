"""Searching on the command line: what is found, how a query was read, suggestions, wrong use."""

from __future__ import annotations

import json

from tagloom.shop import Shop


def found(cli, shop, *arguments):
    done = cli("search", shop, *arguments, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def test_products_and_tags_are_found_in_json(cli, recs_shop):
    told = found(cli, recs_shop, "斜挎包", "--top", "3")
    assert told["basis"] == "match"
    assert len(told["products"]) == len(told["tags"]) == 3
    assert told["products"][0]["words"] == ["斜挎包"]
    assert all(0 < one["share"] <= 1 for one in told["products"])


def test_a_misspelt_query_says_how_it_was_read(cli, recs_shop):
    done = cli("search", recs_shop, "budgett")
    assert (done.code, done.err) == (0, "")
    assert "Read as: budget" in done.out
    assert "Products" in done.out


def test_a_query_that_nothing_has_says_so(cli, recs_shop):
    done = cli("search", recs_shop, "😀")
    assert done.code == 0
    assert "No product is like this; what is taken most now:" in done.out


def test_a_user_of_whom_nothing_is_known_is_told(cli, recs_shop):
    known = Shop.open(recs_shop).events.frame["user_id"][0]
    assert "Nothing is known of this user" in cli("search", recs_shop, "budget", "--user", "nobody").out
    assert "Nothing is known" not in cli("search", recs_shop, "budget", "--user", known).out
    assert [found(cli, recs_shop, "budget", "--user", who)["personal"] for who in ("nobody", known)] == [False, True]


def test_an_empty_query_says_so(cli, recs_shop):
    done = cli("search", recs_shop, "  ")
    assert done.code == 0
    assert "There is no word in this query." in done.out


def test_suggestions_are_a_line_each(cli, recs_shop):
    done = cli("search", recs_shop, "斜", "--suggest", "--top", "3")
    assert (done.code, done.err) == (0, "")
    assert 0 < len(done.out.splitlines()) <= 3


def test_a_top_of_nothing_is_refused(refused, recs_shop):
    assert "--top" in refused("search SHOP red --top 0", recs_shop)
