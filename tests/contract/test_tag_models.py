"""What every model of the Tagger must do, on planted data whose answer is known: each tag has a word of its own."""

from __future__ import annotations

import numpy as np
import pytest

from tagloom import Products, Tagger
from tagloom.artifact import load_arrays
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError, NotFittedError, SettingsError, UserError
from tagloom.tags.models import MODELS

WORDS = {"dress": "女装", "phone": "数码", "camera": "摄影", "tea": "食品", "lipstick": "美妆", "lamp": "家居"}
RATE = 4.0  # given, so that a fit makes no trial passes
LEARNERS = sorted(MODELS.keys() - {"popular"})


def planted(copies=12, start=0):
    """A product's tag is the word it holds; the other words say nothing."""
    return Products.of(
        [
            {"product_id": f"{word}-{n}", "title": f"{word} style{n % 7} lot{n % 3}", "tags": [tag]}
            for n in range(start, start + copies)
            for word, tag in WORDS.items()
        ]
    )


def fitted(name, **settings):
    return Tagger(encoder=name, learning_rate=RATE, **settings).fit(planted())


@pytest.fixture(scope="module", params=sorted(MODELS))
def tagger(request):
    return fitted(request.param)


@pytest.fixture(scope="module", params=LEARNERS)
def learner(request):
    return fitted(request.param)


def everything(answers):
    return [[(score.tag, score.confidence, score.because, score.tag_id) for score in text] for text in answers]


TEXTS = ["new dress", "phone and camera", "tea tea tea", "nothing of it", "lot1", "", "🎁 lamp", "مصباح lamp"]


# Fitting


def test_the_constructor_only_stores(tagger):
    made = Tagger(encoder="bag", width=9, no_such_setting=1)
    assert made.settings == {"encoder": "bag", "width": 9, "no_such_setting": 1}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_unknown_setting_is_refused_with_the_nearest_known_one(name):
    with pytest.raises(SettingsError, match=r"'tagger\.epoch'; did you mean 'epochs'"):
        Tagger(encoder=name, epoch=3).fit(planted())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_nothing_is_answered_before_fit(name, tmp_path):
    tagger = Tagger(encoder=name)
    asked = [
        lambda: tagger.suggest("dress"),
        lambda: tagger.evaluate(planted()),
        lambda: next(tagger.confidences(["dress"])),
        lambda: tagger.save(tmp_path / "model"),
        lambda: tagger.tags,
        lambda: tagger.threshold,
        lambda: tagger.trained,
    ]
    for ask in asked:
        with pytest.raises(NotFittedError, match=r"call fit\(products\) or Tagger\.load\(path\)"):
            ask()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_fit_returns_self_and_a_second_fit_is_a_fresh_one(name):
    few = Products.of([{"product_id": str(n), "title": f"red {n % 3}", "tags": ["red"]} for n in range(12)])
    twice = Tagger(encoder=name, learning_rate=RATE)
    assert twice.fit(few) is twice
    assert twice.fit(planted()) is twice
    assert twice.tags == tuple(sorted(WORDS.values()))
    assert everything(twice.suggest(TEXTS, threshold=0)) == everything(fitted(name).suggest(TEXTS, threshold=0))


def test_the_same_seed_gives_the_same_bytes(tagger, tmp_path):
    again = fitted(tagger.settings["encoder"])
    for number, one in enumerate((tagger, again)):
        one.save(tmp_path / str(number))
    first, second = ((tmp_path / str(number) / "weights.safetensors").read_bytes() for number in range(2))
    assert first == second
    assert everything(tagger.suggest(TEXTS)) == everything(again.suggest(TEXTS))


def test_a_fit_that_fails_leaves_the_tagger_as_it_was(tagger):
    before = everything(tagger.suggest(TEXTS))
    with pytest.raises(DataError, match="no products with tags"):
        tagger.fit(Products.of([{"product_id": "1", "title": "dress"}]))
    assert everything(tagger.suggest(TEXTS)) == before


# Planted answers


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", LEARNERS)
def test_the_planted_tag_comes_first_whatever_the_seed(name, seed):
    figures = fitted(name, seed=seed).evaluate(planted(5, start=100))
    assert figures.values["P@1"] == figures.values["nDCG@10"] == figures.values["micro-F1"] == 1


@pytest.mark.parametrize("name", LEARNERS)
def test_the_step_size_found_by_trial_solves_it_too(name):
    tagger = Tagger(encoder=name, word_vectors=False).fit(planted())
    assert tagger.evaluate(planted(5, start=100)).values["P@1"] == 1


def test_the_baseline_gives_every_text_the_most_frequent_tags():
    often = Products.of(
        [{"product_id": str(n), "title": f"style{n % 3} {n}", "tags": ["a"] + ["b"] * (n % 2)} for n in range(40)]
    )
    tagger = Tagger(encoder="popular").fit(often)
    answers = tagger.suggest(["style1", "style2 and more"], threshold=0)
    assert [[score.tag for score in answer] for answer in answers] == [["a", "b"]] * 2
    assert all(score.because == () for answer in answers for score in answer)


# Asking


def test_suggest_takes_one_text_several_and_products(tagger):
    one = tagger.suggest("new dress", threshold=0)
    assert len(one) == 1
    assert everything(one) == everything(tagger.suggest(["new dress"], threshold=0))
    assert everything(one) == everything(tagger.suggest(("new dress",), threshold=0))
    products = Products.of([{"product_id": "1", "title": "new", "description": "dress"}])
    assert everything(one) == everything(tagger.suggest(products, threshold=0))


def test_nothing_comes_of_nothing(tagger):
    assert tagger.suggest([]) == []
    assert tagger.suggest(Products.of([])) == []
    assert tagger.suggest("") == [[]]
    assert tagger.suggest(["", "xyzzy", "…", "\ud83d"], threshold=0) == [[], [], [], []]


def test_every_text_has_its_answer_in_the_order_of_the_texts(learner):
    words = list(WORDS) * 400  # more than one batch
    assert [answer[0].tag for answer in learner.suggest(words, because=False)] == [WORDS[word] for word in words]


def test_more_tags_asked_for_than_there_are(tagger):
    (answer,) = tagger.suggest("new dress", top=99, threshold=0)
    assert sorted(score.tag for score in answer) == sorted(WORDS.values())
    assert [len(tagger.suggest("new dress", top=top, threshold=0)[0]) for top in (1, 2, 6)] == [1, 2, 6]


def test_confidences_are_sorted_and_between_0_and_1(tagger):
    for answer in tagger.suggest(TEXTS, top=99, threshold=0):
        given = [score.confidence for score in answer]
        assert given == sorted(given, reverse=True)
        assert all(0 <= confidence <= 1 for confidence in given)


def test_threshold_0_gives_all_and_1_next_to_none(tagger):
    assert len(tagger.suggest("new dress", top=3, threshold=0)[0]) == 3
    assert tagger.suggest("new dress", threshold=1) == [[]]
    assert all(score.confidence >= tagger.threshold for answer in tagger.suggest(TEXTS, top=99) for score in answer)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"top": 0}, "top: expected a whole number from 1, came 0"),
        ({"top": -3}, "came -3"),
        ({"threshold": 1.5}, "threshold: expected a confidence from 0 to 1, came 1.5"),
        ({"threshold": float("nan")}, "came nan"),
    ],
)
def test_an_impossible_question_is_refused(tagger, asked, message):
    with pytest.raises(UserError, match=message):
        tagger.suggest("dress", **asked)


@pytest.mark.parametrize("text", [None, float("nan"), 7, b"dress"])
def test_what_is_no_text_is_refused_with_its_place(tagger, text):
    with pytest.raises(UserError, match="texts, entry 1: expected a string"):
        tagger.suggest(["dress", text])


# Why


def test_because_names_words_that_stand_in_the_text(learner):
    text = "A NEW Dress, style3 lot2: dress"
    words = WordSplitter().split(text)
    runs = {" ".join(words[start : start + size]) for size in (1, 2) for start in range(len(words))}
    (answer,) = learner.suggest(text, top=99, threshold=0)
    assert answer[0].because[0].text == "dress"
    for score in answer:
        assert {word.text for word in score.because} <= runs
        weights = [word.weight for word in score.because]
        assert weights == sorted(weights, reverse=True)
        assert all(weight > 0 for weight in weights)
        assert len({word.text for word in score.because}) == len(score.because) <= 3


def test_because_can_be_left_out(tagger):
    with_words, without = (tagger.suggest(TEXTS, threshold=0, because=because) for because in (True, False))
    assert [[(s.tag, s.confidence) for s in a] for a in with_words] == [
        [(s.tag, s.confidence) for s in a] for a in without
    ]
    assert all(score.because == () for answer in without for score in answer)


def test_what_the_words_carried_and_the_rest_make_the_score(tagger):
    """Exact to the last bits: the score of a text is that of an empty one and what its words carried."""
    fit = tagger._fitted
    rows = fit.features.rows([*TEXTS, "dress dress dress style1 dress", ""])
    scores = fit.model.scores(rows)
    nothing = scores[-1]
    tags = np.arange(len(tagger.tags))
    for ix in range(rows.shape[0]):
        row = rows[ix]
        carried = fit.model.carried(row.indices, row.data, tags)
        assert carried.shape == (row.nnz, len(tags))
        np.testing.assert_allclose(carried.sum(axis=0) + nothing, scores[ix], rtol=1e-5, atol=1e-5)


def test_a_word_said_often_is_named_once_and_carries_more(learner):
    def weight(text):
        (score,) = learner.suggest(text, top=1, threshold=0)[0]
        return {word.text: word.weight for word in score.because}["dress"]

    assert weight("dress dress dress style1") > weight("dress style1")


# Files


def test_a_saved_tagger_answers_the_same_to_the_last_bit(tagger, tmp_path):
    tagger.save(tmp_path / "model", data={"rows": 3}, metrics={"P@1": 0.5})
    loaded = Tagger.load(tmp_path / "model")
    assert everything(loaded.suggest(TEXTS, top=99, threshold=0)) == everything(
        tagger.suggest(TEXTS, top=99, threshold=0)
    )
    for one, other in zip(loaded.confidences(TEXTS), tagger.confidences(TEXTS), strict=True):
        assert one.tobytes() == other.tobytes()
    assert (loaded.tags, loaded.threshold, loaded.trained) == (tagger.tags, tagger.threshold, None)
    assert load_arrays(tmp_path / "model" / "weights.safetensors").keys() == tagger._fitted.model.arrays().keys()
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".safetensors"}


# Odd catalogues


def rows(texts_and_tags):
    return Products.of(
        [{"product_id": str(n), "title": text, "tags": list(tags)} for n, (text, tags) in enumerate(texts_and_tags)]
    )


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize(
    ("texts_and_tags", "first"),
    [
        ([(f"dress {n}", ["a"]) for n in range(20)], {"a"}),  # one tag only
        ([(f"{'dress' if n % 2 else 'tea'} {n}", ["all", "ab"[n % 2]]) for n in range(40)], {"all", "b"}),
        ([(f"dress {n}", ["a", "b", "c"]) for n in range(20)], {"a", "b", "c"}),  # the same tags everywhere
        ([(f"dress {n}", [f"once {n}"] * (n < 10) + ["a"]) for n in range(20)], {"a"}),  # tags with one example
        ([(f"dress {n % 5}", ["ab"[n % 2]]) for n in range(40)], {"a", "b"}),  # equal texts that contradict
    ],
)
def test_an_odd_catalogue_is_learned_without_a_word(name, texts_and_tags, first):
    tagger = Tagger(encoder=name, learning_rate=RATE).fit(rows(texts_and_tags))
    (answer,) = tagger.suggest("dress", top=1, threshold=0)
    assert {score.tag for score in answer} <= first
    assert all(np.isfinite(score.confidence) for score in answer)
    assert tagger.evaluate(rows(texts_and_tags)).values["P@1"] > 0


@pytest.mark.parametrize("name", sorted(MODELS))
def test_texts_in_any_script(name):
    texts = {"🎂🎁": "a", "מנורה יפה": "b", "فستان جميل": "c", "ｗｉｆｉ 路由器": "d", "เสื้อ": "e"}
    products = rows([(f"{text} {n}", [tag]) for n in range(8) for text, tag in texts.items()])
    tagger = Tagger(encoder=name, learning_rate=RATE).fit(products)
    answers = tagger.suggest(list(texts), top=1, threshold=0)
    assert all(len(answer) == 1 for answer in answers)
    if name in LEARNERS:
        assert [answer[0].tag for answer in answers] == list(texts.values())


@pytest.mark.timeout(5)
def test_a_million_characters_are_answered_in_bounded_time(learner):
    (answer,) = learner.suggest("dress 连衣裙 " * 100_000, top=1, threshold=0)
    assert answer[0].tag == WORDS["dress"]
    learner.suggest(["字" * 1_000_000, "a" * 1_000_000, "e\u0301" * 500_000])
