"""From a question to its answer: who asks, what is found, under which names."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from tagloom.data.histories import Entry, history_of
from tagloom.data.tables import Events, Products
from tagloom.errors import NotFittedError, UserError
from tagloom.recs.answers import BASIS, ProductScore, Recommendation, WantedTag
from tagloom.recs.experts.contract import Asked
from tagloom.recs.fitted import Fitted
from tagloom.recs.items import Items
from tagloom.recs.offers import Offers
from tagloom.recs.reasons import reasons
from tagloom.recs.rules import Rules
from tagloom.recs.search.answers import SearchAnswer
from tagloom.recs.search.search import Search
from tagloom.recs.showing import Showing, Today
from tagloom.recs.windows import merged, read_histories

_USERS_AT_ONCE = 1_000


def of(fitted: Fitted, user_id: str | None, history: Iterable[Entry] | None, top: int) -> Asked:
    """One user of the log, or a history given by hand; of a user who is not in the log nothing is known.

    Raises:
        UserError: not one of the two, a wrong entry, or `top` below 1.
    """
    if (user_id is None) == (history is None):
        raise UserError("user_id and history: give one of the two")
    check_top(top)
    if user_id is not None and len(asked := fitted.asked_of([user_id])):
        return asked
    if history is None:
        return Asked(history_of([], ()), fitted.items)
    settings, given = fitted.settings, history_of(history, fitted.items.row_of)
    return Asked(merged(given, settings.session_minutes, settings.weights), fitted.items)


def products(fitted: Fitted, asked: Asked, top: int, rules: Rules | None) -> list[Recommendation[ProductScore]]:
    """See `Recommender.products`; an answer for each user, without reasons."""
    ids, answers = asked.items.product_ids, []
    found, shares = fitted.top(asked, min(top, len(ids)), fitted.ruled(rules))
    for best, share, known in zip(found.tolist(), shares.tolist(), fitted.knows(asked).tolist(), strict=True):
        scored = tuple(ProductScore(ids[row], likely) for row, likely in zip(best, share, strict=True) if row >= 0)
        answers.append(Recommendation(scored, BASIS[known], asked.histories.left_out))
    return answers


def with_reasons(fitted: Fitted, asked: Asked, found: Recommendation[ProductScore]) -> Recommendation[ProductScore]:
    """The same answer for one user with why each product is in it."""
    told = reasons(fitted, asked, [fitted.items.row_of[one.product_id] for one in found])
    return replace(found, found=tuple(replace(one, because=why) for one, why in zip(found, told, strict=True)))


def for_users(
    fitted: Fitted, user_ids: Iterable[str], top: int, rules: Rules | None
) -> Iterator[Recommendation[ProductScore]]:
    """See `Recommender.for_users`."""
    check_top(top)
    named = iter(user_ids)
    while some := list(itertools.islice(named, _USERS_AT_ONCE)):
        asked = fitted.asked_of(list(dict.fromkeys(some)))
        answers = dict(zip(asked.histories.user_ids, products(fitted, asked, top, rules), strict=True))
        for user_id in some:
            if user_id not in answers:
                answers[user_id] = products(fitted, of(fitted, user_id, None, top), top, rules)[0]
            yield answers[user_id]


def tags(
    fitted: Fitted, asked: Asked, product: str | None, texts: str | Sequence[str], top: int
) -> Recommendation[WantedTag]:
    """See `Recommender.tags`."""
    told = [texts] if isinstance(texts, str) else list(texts)
    if product is not None and told:
        raise UserError("product and texts: give one of the two")
    if product is not None or told:
        told = [fitted.text_of(product)] if product is not None else told
        sure, (names, ids) = fitted.tags_of_texts(asked, told), fitted.tagger_tags
    else:
        (sure,), names, ids = fitted.wanted_tags(asked)
    order = np.argsort(-sure, kind="stable")[:top].tolist()
    found = tuple(WantedTag(names[ix], ids[ix], float(sure[ix])) for ix in order)
    return Recommendation(found, BASIS[bool(fitted.knows(asked)[0])], asked.histories.left_out)


def check_top(top: int) -> None:
    """Raises a `UserError` where nothing is asked for."""
    if top < 1:
        raise UserError(f"top: expected a whole number from 1, came {top}")


def search(
    fitted: Fitted,
    query: str,
    who: tuple[str | None, Iterable[Entry] | None],
    top: int,
    rules: Rules | None,
) -> SearchAnswer:
    """See `Recommender.search`; `who` is a user or a history, or neither."""
    found, personal = finding(fitted), None
    if who != (None, None):
        asked = of(fitted, *who, top)
        personal = fitted.personal(asked) if fitted.knows(asked)[0] else None
    ruled = fitted.ruled(rules)
    return found.answer(query, top, personal=personal, allowed=None if ruled is None else ruled.allowed)


def finding(fitted: Fitted) -> Search:
    """Its search.

    Raises:
        NotFittedError: it was not learned.
    """
    if fitted.search is None:
        raise NotFittedError(
            "this Recommender has not learned to search; train it in a shop, or with fit(..., search=SearchSettings())"
        )
    return fitted.search


def seeing(fitted: Fitted, products: Products, events: Events | None, now: datetime | None, today: Today) -> Fitted:
    """See `Recommender.seeing`."""
    items = Items.of(products, fitted.items.known)
    log = Events.of([]) if events is None else events
    showing = Showing(Offers(products, frozenset(today.hidden)), today.rules, today.new_events)
    found = fitted.seeing(items, read_histories(log, items, fitted.settings, now), showing)
    if fitted.search is None:
        return found
    return replace(found, search=fitted.search.seeing(products, today.vocabulary, today.index_folder))
