"""The Recommender: what it is asked, what it sees of today, what it tells, on planted shops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tagloom import Events, Products, Recommendation, Recommender, Tagger
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.errors import ArtifactError, DataError, NotFittedError, SettingsError, UserError

START = datetime(2026, 1, 1, tzinfo=UTC)
DIGITS = ["手机", "相机", "电脑", "打印机"]
QUICK = {"epochs": 2, "batch_events": 64, "numbers": "32"}


def log(users):
    """From each user's product ids, or pairs of an action and a product id or a text: an event a day."""
    rows = []
    for user, entries in users.items():
        for day, entry in enumerate(entries):
            action, what = ("purchase", entry) if isinstance(entry, str) else entry
            about = {"text" if action == "search" else "product_id": what}
            rows.append({"user_id": user, "action": action, "time": START + timedelta(days=day), **about})
    return Events.of(rows)


# The worked example: who bought 1, 2 and 3 wants a telephone, or else a camera; who bought 4, 5 and 6 a computer or a
# printer. A text names what its product is, and what it goes with: which is which, only the history tells.


def gadgets():
    small = [{"product_id": str(n), "title": f"配件 第{n}款", "tags": ["配件"]} for n in range(1, 7)]
    pairs = dict(zip(DIGITS, DIGITS[2:] + DIGITS[:2], strict=True))
    large = [
        {"product_id": f"{kind}{n}", "title": " ".join(sorted([kind, other])) + f" 第{n}款", "tags": [kind]}
        for kind, other in pairs.items()
        for n in range(10)
    ]
    return Products.of([*small, *large])


def gadget_buyers():
    draw = np.random.default_rng(0)
    users = {}
    for number in range(120):
        mine = number % 2
        small = draw.permutation([["1", "2", "3"], ["4", "5", "6"]][mine]).tolist()
        kinds = draw.choice(DIGITS[2 * mine : 2 * mine + 2], 3, p=[0.6, 0.4])
        users[f"u{number}"] = [*small, *(f"{kind}{draw.integers(0, 10)}" for kind in kinds)]
    return users


@pytest.fixture(scope="module")
def gadget_shop():
    return Recommender(model="neighbours", split="last").fit(gadgets(), log(gadget_buyers()))


def names(found):
    return [one.tag for one in found]


def alike(one, other):
    """The same but for the last bits, in which what is computed together and alone may differ."""
    shares = [{product.product_id: product.share for product in found} for found in (one, other)]
    return shares[0] == pytest.approx(shares[1], abs=1e-5) and one.basis == other.basis


def test_of_three_texts_the_tags_that_this_user_wants(gadget_shop):
    history, texts = [("purchase", "1"), ("purchase", "2"), ("purchase", "3")], ["手机", "相机", "电脑"]
    assert set(names(gadget_shop.tags(history=history, texts=texts, top=2))) == {"手机", "相机"}
    assert set(names(gadget_shop.tags(history=["4", "5", "6"], texts=texts, top=2))) == {"电脑", "打印机"}


def test_the_products_and_tags_that_come_next(gadget_shop):
    for history, wanted in ((["1", "2", "3"], DIGITS[:2]), (["6", "4", "5"], DIGITS[2:])):
        found = names(gadget_shop.tags(history=history, top=9))
        assert found[0] == wanted[0]
        assert not set(wanted) & set(found[3:])
        found = gadget_shop.products(history=history, top=10)
        assert all(one.product_id.startswith(tuple(wanted)) for one in found)


# Two views: the text tells the word, the history the side. Tags are word and side, and each word is on both sides.


def two_sided(seed):
    draw = np.random.default_rng(seed)
    rows = [
        {"product_id": f"{side}{word}{n}", "title": f"word{word} own{n} x{draw.integers(5)}", "tags": [f"{side}{word}"]}
        for side in "lr"
        for word in range(4)
        for n in range(8)
    ]
    users = {
        f"u{number}": [f"{'lr'[number % 2]}{draw.integers(4)}{draw.integers(8)}" for _ in range(7)]
        for number in range(160)
    }
    return Products.of(rows), users


def test_text_and_history_together_beat_either():
    products, users = two_sided(0)
    before = {user: entries[:-1] for user, entries in users.items()}
    recommender = Recommender(model="neighbours", split="last").fit(products, log(before))
    later = log(users).frame[-len(users) :]
    found = recommender.evaluate(log(before), Events(later)).product_tags
    first = {name: one.each["MRR@20"] for name, one in found.items()}
    right = {name: (each == 1).mean() for name, each in first.items()}
    assert right["recommender"] > 0.95
    assert right["tagger"] < 0.7  # which of two it cannot know
    assert right["interest"] < 0.5  # which of four it cannot know


# What is asked


@pytest.fixture(scope="module")
def vocabulary():
    # Not in the order of the alphabet, so that ids and positions differ.
    return Vocabulary().add(["打印机", "不用的", "配件", "电脑", "相机", "手机"])


@pytest.fixture(scope="module")
def reader(vocabulary):
    return Tagger(encoder="bag", width=32).fit(gadgets(), vocabulary=vocabulary)


@pytest.fixture(scope="module")
def recommender(vocabulary, reader):
    """A blend without networks; it has not seen the users' last product."""
    before = {user: entries[:-1] for user, entries in gadget_buyers().items()}
    settings = {"experts": ("neighbours", "recent"), "split": "last", "again": "no"}
    return Recommender(**settings).fit(
        gadgets(), log(before), vocabulary=vocabulary, tagger=(reader, np.arange(len(gadgets())))
    )


def test_an_answer_is_like_a_tuple_and_says_on_what_it_is_based(recommender):
    found = recommender.products("u1", top=3)
    assert isinstance(found, Recommendation)
    assert (len(found), list(found), found[0]) == (3, list(found.found), found.found[0])
    assert (found.basis, found.left_out) == ("history", {})
    assert recommender.products("nobody").basis == recommender.tags("nobody").basis == "default"


def test_products_come_with_falling_shares_of_1(recommender):
    found = recommender.products("u3", top=99)
    shares = [one.share for one in found]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share < 1 for share in shares)
    assert sum(shares) < 1  # what the user has is not listed
    assert len(found) == len(gadgets()) - len(set(gadget_buyers()["u3"][:-1]))
    assert sum(one.share for one in recommender.products("nobody", top=99)) == pytest.approx(1, abs=1e-4)


def test_tags_come_with_falling_confidences_and_the_vocabularys_ids(recommender, vocabulary):
    for asked in ({}, {"texts": "手机 大号"}, {"product": "手机1"}):
        found = recommender.tags("u2", top=99, **asked)
        assert sorted(names(found)) == sorted([*DIGITS, "配件"])
        confidences = [one.confidence for one in found]
        assert confidences == sorted(confidences, reverse=True)
        assert all(0 <= confidence <= 1 for confidence in confidences)
        assert [one.tag_id for one in found] == [vocabulary.tag(one.tag).id for one in found]


def test_without_a_vocabulary_too_a_tag_has_one_id():
    rows = [*gadgets().frame.to_dicts(), {"product_id": "x", "title": "alone", "tags": ["a-rare-one"]}]
    recommender = Recommender(model="popular", split="last").fit(Products.of(rows), log(gadget_buyers()))
    of_all, of_text = (
        {one.tag: one.tag_id for one in recommender.tags("u1", top=9, **asked)} for asked in ({}, {"texts": "手机"})
    )
    assert of_text.items() <= of_all.items()
    assert len(set(of_all.values())) == len(of_all) == 6


def test_top_is_the_most_that_is_given(recommender):
    assert [len(recommender.products("u1", top=top)) for top in (1, 7)] == [1, 7]
    assert recommender.products("u1", top=7).found[:3] == recommender.products("u1", top=3).found
    assert [len(recommender.tags("u1", top=top)) for top in (1, 4, 50)] == [1, 4, 5]


def test_a_product_is_asked_for_by_its_text(recommender):
    text = gadgets().texts[10]
    assert recommender.tags("u5", product=gadgets().frame["product_id"][10]) == recommender.tags("u5", texts=text)
    assert recommender.tags("u5", texts=text) == recommender.tags("u5", texts=[text])


def test_of_several_texts_each_tag_counts_where_it_fits_best(recommender):
    texts = ["手机 第3款", "打印机 小号", ""]
    alone = [{one.tag: one.confidence for one in recommender.tags("u1", texts=text, top=9)} for text in texts]
    together = {one.tag: one.confidence for one in recommender.tags("u1", texts=texts, top=9)}
    assert together == pytest.approx({tag: max(each[tag] for each in alone) for tag in together}, abs=1e-6)


def test_the_same_history_by_hand_has_the_answer_of_its_user(recommender):
    entries = gadget_buyers()["u7"][:-1]
    by_hand = [
        {"action": "purchase", "product_id": entry, "time": START + timedelta(days=day)}
        for day, entry in enumerate(entries)
    ]
    assert recommender.products(history=by_hand) == recommender.products("u7")
    assert recommender.tags(history=by_hand) == recommender.tags("u7")


def test_many_users_have_the_answers_that_each_has_alone(recommender):
    users = [f"u{number}" for number in range(130)]  # the last ten are unknown
    for user, together in zip(users, recommender.for_users(users, top=4), strict=True):
        assert alike(together, recommender.products(user, top=4))


def test_any_number_of_users_may_come_one_after_the_other(recommender):
    many = list(recommender.for_users(("u1" if n % 3 else f"u{n % 120}" for n in range(2_500)), top=2))
    assert len(many) == 2_500
    assert alike(many[1], recommender.products("u1", top=2))
    assert alike(many[2_000], many[1])
    assert list(recommender.for_users([])) == []
    endless = recommender.for_users(iter(lambda: "u1", None), top=1)
    assert alike(next(endless), recommender.products("u1", top=1))


# What is there today


def with_new(*rows):
    return Products(gadgets().frame.vstack(Products.of(list(rows)).frame))


def test_a_product_that_is_gone_is_recommended_no_more_and_no_model_has_changed(recommender):
    first = recommender.products(history=["1", "2", "3"], top=1)[0].product_id
    rest = Products(gadgets().frame.filter(gadgets().frame["product_id"] != first))
    seeing = recommender.seeing(rest)
    found = [one.product_id for one in seeing.products(history=["1", "2", "3"], top=99)]
    assert first not in found
    assert found[:9] == [one.product_id for one in recommender.products(history=["1", "2", "3"], top=10)][1:]
    assert recommender.products(history=["1", "2", "3"], top=1)[0].product_id == first


def test_the_order_of_the_catalogue_changes_nothing(recommender):
    backwards = recommender.seeing(Products(gadgets().frame.reverse()))
    for history in (["1", "2", "3"], ["手机1"], [("search", "手机")]):
        assert alike(*(one.products(history=history, top=99) for one in (recommender, backwards)))


def first_ids(recommender, history):
    return [one.product_id for one in recommender.products(history=history, top=3)]


def test_users_and_events_of_today_count(recommender):
    seeing = recommender.seeing(gadgets(), log({"new": ["4", "5"], "u0": ["4", "6"]}))
    # Of today's log is also what settles ties.
    assert [one.product_id for one in seeing.products("new", top=3)] == first_ids(recommender, ["4", "5"])
    assert [one.product_id for one in seeing.products("u0", top=3)] == first_ids(recommender, ["4", "6"])
    assert seeing.products("u1").basis == "default"
    assert recommender.seeing(gadgets()).products("u0").basis == "default"


def test_what_is_later_than_now_is_left_out(recommender):
    events = log({"new": ["1", "4"]})
    day = START + timedelta(hours=1)
    found = recommender.seeing(gadgets(), events, now=day).products("new", top=3)
    assert [one.product_id for one in found] == first_ids(recommender, ["1"])
    long_ago = START - timedelta(days=1)
    assert recommender.seeing(gadgets(), events, now=long_ago).products("new").basis == "default"


def test_what_was_left_out_of_the_whole_log_is_not_told_of_each_user(recommender):
    seeing = recommender.seeing(gadgets(), log({"one": ["1", "gone", "gone"], "two": ["1"]}))
    assert seeing.products("two") == seeing.products("one")
    assert seeing.products("one").left_out == seeing.tags("one").left_out == {}
    assert next(seeing.for_users(["one"])).left_out == {}
    assert recommender.products(history=["1", "gone"]).left_out == {"unknown product": 1}


# The tags' names of today


def test_a_renamed_tag_goes_by_its_new_name_with_the_same_id(recommender, vocabulary):
    renamed = recommender.named_by(vocabulary.rename("手机", "电话"))
    for asked in ({}, {"texts": "手机 大号"}, {"product": "手机1"}):
        old, new = (one.tags("u2", **asked) for one in (recommender, renamed))
        assert [one.tag_id for one in new] == [one.tag_id for one in old]
        assert names(new) == ["电话" if tag == "手机" else tag for tag in names(old)]


def test_tags_that_were_merged_are_one_and_as_likely_as_both(recommender, vocabulary):
    merged = recommender.named_by(vocabulary.merge("手机", into="相机"))
    old, new = ({one.tag: one.confidence for one in each.tags("u2", top=9)} for each in (recommender, merged))
    assert new.keys() == old.keys() - {"手机"}
    assert new["相机"] == pytest.approx(min(1, old["相机"] + old["手机"]), abs=1e-5)
    assert len(merged.tags("u2", top=9)) == 4


def test_of_a_text_too_merged_tags_are_one(recommender, vocabulary):
    merged = recommender.named_by(vocabulary.merge("手机", into="相机"))
    today = gadgets().frame.to_dicts()
    today = Products.of([{**row, "tags": ["相机" if tag == "手机" else tag for tag in row["tags"]]} for row in today])
    for one in (merged, merged.seeing(today)):
        found = one.tags(history=["1", "2"], texts="手机 大号", top=9)
        assert found[0].tag == "相机"
        assert found[0].tag_id == vocabulary.tag("相机").id
        assert sorted(names(found)) == sorted(["相机", "电脑", "打印机", "配件"])
    assert names(merged.seeing(today).tags(history=["1", "2", "3"], top=1)) == ["相机"]


# What fit tells, and what it leaves alone


def fit(reader, users, **settings):
    told = {"split": "last", **settings}
    return Recommender(**told).fit(gadgets(), log(users), tagger=(reader, np.arange(len(gadgets()))))


def test_of_a_blend_it_is_told_what_each_expert_adds(recommender, gadget_shop):
    rows = {row["name"]: row for row in recommender.contributions}
    assert list(rows) == ["neighbours", "recent"]
    assert rows["neighbours"]["alone"] > rows["recent"]["alone"]
    assert rows["recent"]["without"] == rows["neighbours"]["alone"]
    (alone,) = gadget_shop.contributions
    assert (alone["name"], alone["weight"], alone["without"]) == ("neighbours", 1, None)
    assert recommender.trained == {}


def test_progress_hears_of_every_pass_and_curves_are_drawn(reader, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = []
    settings = {"experts": ("gru", "neighbours"), "split": "last", **QUICK}
    recommender = Recommender(**settings).fit(
        gadgets(),
        log(gadget_buyers()),
        tagger=(reader, np.arange(9)),
        log_folder=tmp_path / "logs",
        progress=lambda *said: told.append(said),
    )
    best = recommender.trained["gru"].best_epoch
    passes = [("gru", 1), ("gru", 2), *(("gru-again", number + 1) for number in range(best))]
    assert [(name, number) for name, number, _ in told] == passes
    assert recommender.trained["gru"].history == tuple(figures for _, _, figures in told[:2])
    assert all(figures.keys() >= {"train/loss", "valid/loss", "valid/ndcg"} for _, _, figures in told)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["gru", "gru-again"]
    (events,) = (tmp_path / "logs" / "gru").rglob("events.out.tfevents*")
    drawn = [point.value for point in EventAccumulator(str(events.parent)).Reload().Scalars("valid/ndcg")]
    assert drawn == pytest.approx([figures["valid/ndcg"] for _, _, figures in told[:2]])


def test_an_error_in_progress_is_not_swallowed(reader):
    def stop(expert, number, figures):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        Recommender(model="gru", split="last", **QUICK).fit(
            gadgets(), log(gadget_buyers()), tagger=(reader, np.arange(9)), progress=stop
        )


def test_without_refit_what_was_held_out_is_not_learned(reader):
    """Only the last purchase of most users tells what follows 1."""
    users = {f"u{n}": ["1", "2", "1", "手机9"] for n in range(30)} | {"v": ["2", "1", "2", "手机1"]}
    found = [fit(reader, users, model="neighbours", again="yes", refit=refit) for refit in (True, False)]
    assert [one.products(history=["1"], top=1)[0].product_id for one in found] == ["手机9", "2"]


@pytest.mark.parametrize(("users", "again"), [(["1", "2", "1", "2", "1"], True), (["1", "2", "3", "4"], False)])
def test_whether_people_take_again_what_they_have_is_found_out(users, again, reader):
    recommender = fit(reader, {f"u{n}": users for n in range(30)}, model="neighbours")
    found = {one.product_id for one in recommender.products(history=["1", "2"], top=99)}
    assert (found >= {"1", "2"}) is again
    assert bool(found & {"1", "2"}) is again


def test_the_weights_of_actions_are_those_of_the_settings(reader):
    users = {f"v{n}": [("view", "1"), ("view", "2")] for n in range(9)}
    users |= {f"p{n}": [("view", "1"), ("purchase", "3")] for n in range(5)}
    found = [
        fit(reader, users, model="neighbours", again="yes", **settings)
        for settings in ({}, {"weights": {"view": 1.0, "purchase": 1.0}})
    ]
    assert [one.products(history=["1"], top=1)[0].product_id for one in found] == ["3", "2"]


def test_a_tagger_that_is_given_is_the_one_that_reads(vocabulary):
    some = [row for row in gadgets().frame.to_dicts() if row["tags"][0] in ("手机", "相机")]
    narrow = Tagger(encoder="nearest").fit(Products.of(some), vocabulary=vocabulary)
    recommender = Recommender(model="popular", split="last")
    recommender.fit(gadgets(), log(gadget_buyers()), tagger=(narrow, np.arange(5)), vocabulary=vocabulary)
    assert set(names(recommender.tags("u1", texts="手机 电脑", top=9))) == {"手机", "相机"}
    assert set(names(recommender.tags("u1", top=9))) == {*DIGITS, "配件"}


@pytest.mark.parametrize("settings", [{"model": "gru"}, {"experts": ("transformer", "neighbours", "recent")}])
def test_fit_leaves_the_process_and_the_folder_as_they_were(
    settings, reader, tmp_path, monkeypatch, capfd, process_state
):
    monkeypatch.chdir(tmp_path)
    before = process_state()
    recommender = fit(reader, gadget_buyers(), **settings, **{**QUICK, "epochs": 1})
    recommender.products("u1")
    recommender.tags("u1", texts="手机")
    recommender.save(tmp_path / "model")
    Recommender.load(tmp_path / "model").products(history=["1"])
    assert process_state() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert capfd.readouterr() == ("", "")


def test_a_fit_that_fails_leaves_the_recommender_as_it_was(reader):
    recommender = fit(reader, gadget_buyers(), model="neighbours")
    before = recommender.products("u1")
    with pytest.raises(DataError, match="nobody has one before and one after"):
        recommender.fit(gadgets(), log({"u1": ["2"]}))
    assert recommender.products("u1") == before


@pytest.mark.filterwarnings("ignore:training stopped in pass:RuntimeWarning")
def test_a_step_size_that_runs_away_says_what_to_lower(reader):
    try:
        recommender = fit(reader, gadget_buyers(), model="gru", learning_rate=1_000.0, clip=0.0, **QUICK)
    except SettingsError as error:
        assert "lower recommender.learning_rate" in str(error)  # noqa: PT017 (one of two right answers)
        return
    assert all(np.isfinite(one.share) for one in recommender.products("u1"))


# Files


def test_a_loaded_recommender_knows_the_catalogue_and_nobody(recommender, tmp_path):
    recommender.save(tmp_path / "model", data={"rows": 3}, metrics={"HR@10": 0.5})
    loaded = Recommender.load(tmp_path / "model")
    assert loaded.products(history=["1", "2"]) == recommender.products(history=["1", "2"])
    assert loaded.tags(history=["1", "2"], texts="手机") == recommender.tags(history=["1", "2"], texts="手机")
    assert loaded.products("u1").basis == "default"
    assert loaded.contributions == recommender.contributions
    with pytest.raises(NotFittedError, match=r"does not hold the products' texts; call seeing\(products\) first"):
        loaded.tags(history=["1"], product="手机1")
    before = {user: entries[:-1] for user, entries in gadget_buyers().items()}
    today = loaded.seeing(gadgets(), log(before))
    assert today.products("u1") == recommender.products("u1")
    assert today.tags("u1", product="手机1") == recommender.tags("u1", product="手机1")


def test_the_catalogue_that_is_saved_is_the_one_of_today(recommender, tmp_path):
    new = {"product_id": "new", "title": "手机 电脑", "tags": ["手机"]}
    today = recommender.seeing(Products.of([new, *gadgets().frame.to_dicts()[3:]]), log({"u1": ["1"]}))
    today.save(tmp_path / "model")
    loaded = Recommender.load(tmp_path / "model")
    assert loaded.products(history=["4", "手机1"], top=99) == today.products(history=["4", "手机1"], top=99)
    assert loaded.products(history=["1"]).left_out == {"unknown product": 1}
    assert loaded.products("u1").basis == "default"


def test_nobodys_history_is_in_a_saved_recommender(reader, tmp_path):
    users = {f"secret-person-{n}": ["1", "2", ("search", f"whispered{n}"), "手机1"] for n in range(30)}
    fit(reader, users, model="neighbours").save(tmp_path / "model")
    for path in (tmp_path / "model").rglob("*"):
        if path.is_file():
            assert b"secret-person" not in path.read_bytes(), path.name
            assert b"whispered" not in path.read_bytes(), path.name


def test_a_version_is_never_overwritten(recommender, tmp_path):
    recommender.save(tmp_path / "model")
    with pytest.raises(ArtifactError, match="exists already; a model version is never overwritten"):
        recommender.save(tmp_path / "model")
    with pytest.raises(ArtifactError):
        Tagger.load(tmp_path / "model")


def test_every_damage_to_every_file_is_refused_by_name(recommender, check_damage, tmp_path):
    recommender.save(tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").rglob("*")}
    assert names >= {"recommender.json", "recommender.safetensors", "known.json", "neighbours.safetensors"}
    check_damage(tmp_path / "model", Recommender.load)
    assert Recommender.load(tmp_path / "model").contributions == recommender.contributions


# Wrong questions


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "user_id and history: give one of the two"),
        ({"user_id": "u1", "history": ["1"]}, "user_id and history: give one of the two"),
        ({"user_id": "u1", "top": 0}, "top: expected a whole number from 1, came 0"),
        ({"history": ["1"], "top": -3}, "came -3"),
    ],
)
def test_an_impossible_question_is_refused(recommender, asked, message):
    for ask in (recommender.products, recommender.tags):
        with pytest.raises(UserError, match=message):
            ask(**asked)


def test_what_cannot_be_asked_of_tags_or_of_many_is_refused(recommender):
    with pytest.raises(UserError, match="product and texts: give one of the two"):
        recommender.tags("u1", product="1", texts="手机")
    with pytest.raises(
        UserError, match="product: there is no product 'none' in the catalogue; give its id, or its text"
    ):
        recommender.tags("u1", product="none")
    with pytest.raises(UserError, match="texts, entry 1: expected a string"):
        recommender.tags("u1", texts=["手机", None])
    for users in (["u1"], ["nobody"]):
        with pytest.raises(UserError, match="top: expected a whole number from 1, came 0"):
            next(recommender.for_users(users, top=0))


def test_nothing_is_answered_before_fit(tmp_path):
    recommender = Recommender()
    asked = [
        lambda: recommender.products("u1"),
        lambda: recommender.products(history=[]),
        lambda: recommender.tags("u1"),
        lambda: next(recommender.for_users(["u1"])),
        lambda: recommender.seeing(gadgets()),
        lambda: recommender.named_by(Vocabulary()),
        lambda: recommender.evaluate(log({}), log({})),
        lambda: recommender.save(tmp_path / "model"),
        lambda: recommender.contributions,
        lambda: recommender.trained,
    ]
    for ask in asked:
        with pytest.raises(NotFittedError, match=r"call fit\(products, events\) or Recommender\.load\(path\) first"):
            ask()
    assert not list(tmp_path.iterdir())


def test_where_the_text_tells_all_the_history_still_tells_what_is_wanted():
    """Titles name what a product is and nothing else."""
    rows = gadgets().frame.to_dicts()
    plain = [{**row, "title": f"{row['tags'][0]} 第{n % 10}款 {'大小'[n % 2]}号"} for n, row in enumerate(rows)]
    recommender = Recommender(model="neighbours", split="last").fit(Products.of(plain), log(gadget_buyers()))
    texts = ["手机", "相机", "电脑"]
    assert set(names(recommender.tags(history=["1", "2", "3"], texts=texts, top=2))) == {"手机", "相机"}
    assert names(recommender.tags(history=["4", "5", "6"], texts=texts, top=1)) == ["电脑"]
