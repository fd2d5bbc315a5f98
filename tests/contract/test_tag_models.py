"""What every model of the Tagger must do, on planted data whose answer is known: each tag has a word of its own."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from tagloom import Products, Tagger
from tagloom.data.words.text import WordSplitter
from tagloom.errors import DataError, NotFittedError, SettingsError, UserError
from tagloom.tags.models import BLEND, MODELS, NETWORKS

WORDS = {"dress": "女装", "phone": "数码", "camera": "摄影", "tea": "食品", "lipstick": "美妆", "lamp": "家居"}
# Few passes with large steps: enough for planted data, and a second or less.
QUICK = {
    "linear": {"learning_rate": 4.0, "epochs": 3},
    "bag": {"width": 32, "learning_rate": 0.02, "epochs": 5},
    "cnn": {"learning_rate": 0.01, "epochs": 3},
    "lstm": {"learning_rate": 0.01, "epochs": 3},
    "transformer": {"learning_rate": 0.004, "epochs": 5},
    "pretrained": {"learning_rate": 0.003, "epochs": 5},
    "blend": {"experts": ("tree", "nearest", "name", "linear"), "learning_rate": 4.0, "epochs": 3},
}
EVERY = [*sorted(MODELS), BLEND]
# `popular` reads no text, and `name` learns nothing from texts in which no tag's name stands.
LEARNERS = [name for name in EVERY if name not in ("popular", "name")]
IN_ORDER = ("cnn", "lstm", "transformer", "pretrained")
# Those that take a second or more to fit are not fitted for every test of the default run.
SLOW = [pytest.param(name, marks=pytest.mark.slow) if name in IN_ORDER else name for name in EVERY]
SLOW_LEARNERS = [name for name in SLOW if getattr(name, "values", (name,))[0] in LEARNERS]
TEXTS = ["new dress", "phone and camera", "tea tea tea", "nothing of it", "lot1", "", "🎁 lamp", "مصباح lamp"]
QUESTIONS = [*TEXTS, "A NEW Dress, style3 lot2: dress", "dress phone camera tea lipstick lamp"]


@pytest.fixture(scope="module", autouse=True)
def _quick_and_offline(one_thread):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with a BERT that has learned nothing, and its tokeniser: what a user would download."""
    folder = tmp_path_factory.mktemp("base")
    save_bert(folder)
    return folder


def save_bert(folder):
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    pieces = ["[PAD]", "[UNK]", *WORDS, *(f"style{n}" for n in range(7)), *(f"lot{n}" for n in range(3)), "dog", "man"]
    pieces += [f"w{n}" for n in range(20)] + list("abcdefghijklmnopqrstuvwxyz0123456789") + ["##s", "##1", "##2"]
    tokeniser = Tokenizer(models.WordPiece({piece: ix for ix, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokeniser.normalizer = normalizers.BertNormalizer()
    tokeniser.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokeniser, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)


def planted(copies=12, start=0):
    """A product's tag is the word it holds; the other words say nothing."""
    return Products.of(
        [
            {"product_id": f"{word}-{n}", "title": f"{word} style{n % 7} lot{n % 3}", "tags": [tag]}
            for n in range(start, start + copies)
            for word, tag in WORDS.items()
        ]
    )


def catalogue(texts_and_tags):
    return Products.of(
        [{"product_id": str(n), "title": text, "tags": list(tags)} for n, (text, tags) in enumerate(texts_and_tags)]
    )


@pytest.fixture(scope="module")
def make(request):
    """`make(name)`: a Tagger that is not fitted, with settings that make it quick."""

    def made(name, **settings):
        told = {**QUICK.get(name, {}), **settings}
        if name == "pretrained":
            told = {"pretrained": str(request.getfixturevalue("base")), **told}
        return Tagger(encoder=name, **told)

    return made


@pytest.fixture(scope="module", params=EVERY)
def tagger(request, make):
    return make(request.param).fit(planted())


@pytest.fixture(scope="module", params=LEARNERS)
def learner(request, make):
    return make(request.param).fit(planted())


def everything(answers):
    return [[(score.tag, score.confidence, score.because, score.tag_id) for score in text] for text in answers]


def all_of(tagger, texts=QUESTIONS):
    return everything(tagger.suggest(texts, top=99, threshold=0))


# Fitting


def test_the_constructor_only_stores():
    made = Tagger(encoder="bag", width=9, no_such_setting=1)
    assert made.settings == {"encoder": "bag", "width": 9, "no_such_setting": 1}


@pytest.mark.parametrize("name", EVERY)
def test_an_unknown_setting_is_refused_with_the_nearest_known_one(name):
    with pytest.raises(SettingsError, match=r"'tagger\.epoch'; did you mean 'epochs'"):
        Tagger(encoder=name, epoch=3).fit(planted())


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_answered_before_fit(name, tmp_path):
    tagger = Tagger(encoder=name)
    asked = [
        lambda: tagger.suggest("dress"),
        lambda: tagger.evaluate(planted()),
        lambda: tagger.evaluation(planted()),
        lambda: tagger.given(np.zeros((1, 6))),
        lambda: tagger.with_tag("new"),
        lambda: next(tagger.confidences(["dress"])),
        lambda: tagger.save(tmp_path / "model"),
        lambda: tagger.tags,
        lambda: tagger.threshold,
        lambda: tagger.trained,
        lambda: tagger.families,
        lambda: tagger.contributions,
    ]
    for ask in asked:
        with pytest.raises(NotFittedError, match=r"call fit\(products\) or Tagger\.load\(path\)"):
            ask()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SLOW)
def test_fit_returns_self_and_a_second_fit_is_a_fresh_one(name, make):
    few = Products.of([{"product_id": str(n), "title": f"red {n % 3}", "tags": ["red"]} for n in range(12)])
    twice = make(name, epochs=2)
    assert twice.fit(few) is twice
    assert twice.fit(planted()) is twice
    assert twice.tags == tuple(sorted(WORDS.values()))
    assert all_of(twice) == all_of(make(name, epochs=2).fit(planted()))


def test_the_same_seed_gives_the_same_bytes_of_every_file(tagger, differing, tmp_path):
    again = Tagger(**tagger.settings).fit(planted())
    for number, one in enumerate((tagger, again)):
        one.save(tmp_path / str(number))
    assert differing(tmp_path / "0", tmp_path / "1") == []
    assert all_of(tagger) == all_of(again)


def test_a_fit_that_fails_leaves_the_tagger_as_it_was(tagger):
    before = all_of(tagger)
    with pytest.raises(DataError, match="no products with tags"):
        tagger.fit(Products.of([{"product_id": "1", "title": "dress"}]))
    assert all_of(tagger) == before


# Planted answers


def test_the_planted_tag_comes_first(learner):
    figures = learner.evaluate(planted(5, start=100))
    assert figures.values["P@1"] == figures.values["nDCG@10"] == figures.values["micro-F1"] == 1


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", SLOW_LEARNERS)
def test_the_planted_tag_comes_first_whatever_the_seed(name, seed, make):
    figures = make(name, seed=seed).fit(planted()).evaluate(planted(5, start=100))
    assert figures.values["P@1"] == figures.values["nDCG@10"] == figures.values["micro-F1"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LEARNERS if name != "pretrained"])
def test_the_step_size_and_the_passes_of_its_own_solve_it_too(name):
    tagger = Tagger(encoder=name).fit(planted())
    assert tagger.evaluate(planted(5, start=100)).values["P@1"] == 1


def test_a_blend_of_networks_solves_it():
    settings = {"experts": ("bag", "cnn", "lstm", "tree"), "learning_rate": 0.01, "epochs": 2, "width": 32}
    tagger = Tagger(**settings).fit(planted())
    assert set(tagger.trained) == {"bag", "cnn", "lstm"}
    assert tagger.evaluate(planted(5, start=100)).values["P@1"] == 1


def test_the_baseline_gives_every_text_the_most_frequent_tags():
    often = catalogue([(f"style{n % 3} {n}", ["a"] + ["b"] * (n % 2)) for n in range(40)])
    tagger = Tagger(encoder="popular").fit(often)
    answers = tagger.suggest(["style1", "style2 and more"], threshold=0)
    assert [[score.tag for score in answer] for answer in answers] == [["a", "b"]] * 2
    assert all(score.because == () for answer in answers for score in answer)


def test_the_name_is_found_where_it_stands():
    texts = [(f"{word if n % 4 else 'some'} style{n} lot{n % 3}", [word]) for n in range(12) for word in WORDS]
    tagger = Tagger(encoder="name").fit(catalogue(texts))
    answers = tagger.suggest([f"new {word} of style3" for word in WORDS])
    assert [[score.tag for score in answer] for answer in answers] == [[word] for word in WORDS]
    assert [answer[0].because[0].text for answer in answers] == list(WORDS)


def in_order(count, seed):
    """`dog man` is one tag, `man dog` the other; both words stand in every text, so nothing but their order tells."""
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(count):
        words = [f"w{word}" for word in draw.integers(0, 20, draw.integers(2, 7))]
        place, tag = int(draw.integers(0, len(words) + 1)), n % 2
        words[place:place] = ["dog man", "man dog"][tag].split()
        rows.append((" ".join(words), [["bites", "bitten"][tag]]))
    return catalogue(rows)


@pytest.mark.parametrize("name", ["bag", "cnn", "lstm", "transformer"])
def test_what_only_the_order_of_words_tells_is_learned_by_those_that_read_in_order(name, make):
    settings = {"epochs": 6, "learning_rate": 0.005, "dropout": 0.0, "ngrams": 1}
    tagger = make(name, **settings).fit(in_order(600, seed=0), in_order(100, seed=1))
    right = tagger.evaluate(in_order(200, seed=2)).values["P@1"]
    assert right > 0.97 if name in IN_ORDER else right < 0.65


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
    words = [word for word in WORDS for _ in range(1 + len(word))] * 40  # more than one batch
    answers = learner.suggest(words, top=1, threshold=0, because=False)
    assert [answer[0].tag for answer in answers] == [WORDS[word] for word in words]


def test_a_text_has_the_same_answer_whatever_stands_beside_it(tagger):
    together = np.vstack(list(tagger.confidences(QUESTIONS)))
    alone = np.vstack([next(tagger.confidences([text])) for text in QUESTIONS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_more_tags_asked_for_than_there_are(tagger):
    (answer,) = tagger.suggest("new dress", top=99, threshold=0)
    assert sorted(score.tag for score in answer) == sorted(WORDS.values())
    assert [len(tagger.suggest("new dress", top=top, threshold=0)[0]) for top in (1, 2, 6)] == [1, 2, 6]


def test_confidences_are_sorted_and_between_0_and_1(tagger):
    for answer in tagger.suggest(QUESTIONS, top=99, threshold=0):
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
        ({"threshold": 0.5, "precision": 0.9}, "threshold and precision: give one of the two"),
        ({"precision": 0.3}, "precision: expected a share from 0.5 to 0.99, came 0.3"),
        ({"precision": 1.0}, "came 1.0"),
        ({"precision": float("nan")}, "came nan"),
        ({"include": ["no such tag"]}, "include: no tag is called 'no such tag'"),
        ({"exclude": ["colour=*"]}, r"exclude: no tag is called 'colour=\*'"),
        ({"include": ["女装"], "exclude": ["女装"]}, "leave no tag to give"),
        ({"without": "no such expert"}, "without: expected an expert of the blend"),
    ],
)
def test_an_impossible_question_is_refused(tagger, asked, message):
    with pytest.raises(UserError, match=message):
        tagger.suggest("dress", **asked)


@pytest.mark.parametrize("text", [None, float("nan"), 7, b"dress"])
def test_what_is_no_text_is_refused_with_its_place(tagger, text):
    with pytest.raises(UserError, match="texts, entry 1: expected a string"):
        tagger.suggest(["dress", text])
    with pytest.raises(UserError, match="texts, entry 1: expected a string"):
        next(tagger.confidences(["dress", text]))
    with pytest.raises(UserError, match="texts, entry 1: expected a string"):
        tagger.with_tag("new", examples=["dress", text])


def test_include_and_exclude_hold_for_every_model(tagger):
    only = tagger.suggest(QUESTIONS, top=99, threshold=0, include=["女装", "家居"])
    assert {score.tag for answer in only for score in answer} == {"女装", "家居"}
    rest = tagger.suggest(QUESTIONS, top=99, threshold=0, exclude=["女装"])
    assert {score.tag for answer in rest for score in answer} == set(WORDS.values()) - {"女装"}


# Why


def test_because_names_words_that_stand_in_the_text_the_planted_one_first(learner):
    text = "A NEW Dress, style3 lot2: dress"
    words = WordSplitter().split(text)
    runs = {" ".join(words[start : start + size]) for size in (1, 2) for start in range(len(words))}
    (answer,) = learner.suggest(text, top=99, threshold=0)
    assert answer[0].tag == "女装"
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


@pytest.mark.parametrize("name", ["linear", "nearest", "cnn", "lstm", "transformer"])
def test_what_the_words_carried_and_the_rest_make_the_score(name, make):
    """Exact: a text's score is that of nothing and what its words carried."""
    fit = make(name, epochs=2).fit(planted())._fitted
    expert = fit.experts[name]
    reading = fit.features.read(["dress dress style1", "phone style3 lot2", "tea lamp", "lot1"])
    scores = expert.scores(reading)
    nothing = expert.scores(fit.features.read([""]))[0]
    tags = np.tile(np.arange(len(fit.names)), (len(reading), 1))
    for score, (terms, carried) in zip(scores, expert.carried(reading, tags), strict=True):
        assert carried.shape == (len(terms), len(fit.names))
        np.testing.assert_allclose(carried.sum(axis=0) + nothing, score, rtol=1e-4, atol=1e-4)


def test_a_word_said_often_is_named_once(learner):
    (score,) = learner.suggest("dress dress dress style1", top=1, threshold=0)[0]
    assert [word.text for word in score.because].count("dress") == 1


# Files


def test_a_saved_tagger_answers_the_same_to_the_last_bit(tagger, tmp_path):
    tagger.save(tmp_path / "model", data={"rows": 3}, metrics={"P@1": 0.5})
    loaded = Tagger.load(tmp_path / "model")
    assert all_of(loaded) == all_of(tagger)
    for one, other in zip(loaded.confidences(QUESTIONS), tagger.confidences(QUESTIONS), strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    assert (loaded.tags, loaded.threshold, loaded.trained) == (tagger.tags, tagger.threshold, {})
    assert (loaded.contributions, loaded.families) == (tagger.contributions, tagger.families)
    for promise in (0.5, 0.77, 0.9, 0.99):
        assert everything(loaded.suggest(QUESTIONS, precision=promise)) == everything(
            tagger.suggest(QUESTIONS, precision=promise)
        )
    assert loaded.evaluate(planted(2, start=50)).values == tagger.evaluate(planted(2, start=50)).values
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".safetensors"}


def test_what_is_loaded_can_be_saved_again_to_the_same_bytes(tagger, tmp_path):
    tagger.save(tmp_path / "first")
    Tagger.load(tmp_path / "first").save(tmp_path / "second")
    for path in (tmp_path / "first").iterdir():
        if path.stem not in ("manifest", "training"):
            assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


def test_a_pretrained_tagger_needs_neither_its_base_nor_the_hub(tmp_path):
    save_bert(tmp_path / "base")
    tagger = Tagger(encoder="pretrained", pretrained=str(tmp_path / "base"), **QUICK["pretrained"]).fit(planted())
    answers = all_of(tagger)
    tagger.save(tmp_path / "model")
    shutil.rmtree(tmp_path / "base")
    assert all_of(tagger) == answers
    assert all_of(Tagger.load(tmp_path / "model")) == answers


def test_lora_learns_it_too_and_is_saved_without_peft(tmp_path, base):
    pytest.importorskip("peft")
    settings = {"epochs": 6, "learning_rate": 0.02, "lora": 4}
    tagger = Tagger(encoder="pretrained", pretrained=str(base), **settings).fit(planted())
    assert tagger.evaluate(planted(5, start=100)).values["P@1"] == 1
    tagger.save(tmp_path / "model")
    assert all_of(Tagger.load(tmp_path / "model")) == all_of(tagger)


@pytest.mark.parametrize(
    ("name", "message"),
    [("", r"tagger\.pretrained is empty: give the folder"), ("no/such-encoder", "transformers cannot load an encoder")],
)
def test_a_base_that_is_not_there_is_a_setting_to_mend(name, message, monkeypatch):
    pytest.importorskip("transformers")
    # The library reads the variable when it is imported: without this it asks the hub, five times over.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SettingsError, match=message):
        Tagger(encoder="pretrained", pretrained=name).fit(planted())


# Odd catalogues


@pytest.mark.parametrize("name", SLOW)
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
def test_an_odd_catalogue_is_learned_without_a_word(name, texts_and_tags, first, make, tmp_path):
    tagger = make(name, epochs=2).fit(catalogue(texts_and_tags))
    (answer,) = tagger.suggest("dress", top=1, threshold=0)
    assert {score.tag for score in answer} <= first
    assert all(np.isfinite(score.confidence) for score in answer)
    assert tagger.evaluate(catalogue(texts_and_tags)).values["P@1"] > 0
    tagger.save(tmp_path / "model")
    assert all_of(Tagger.load(tmp_path / "model"), ["dress 1", ""]) == all_of(tagger, ["dress 1", ""])


@pytest.mark.parametrize("name", SLOW)
def test_texts_in_any_script(name, make):
    texts = {"🎂🎁": "a", "מנורה יפה": "b", "فستان جميل": "c", "ｗｉｆｉ 路由器": "d", "เสื้อ": "e"}
    products = catalogue([(f"{text} {n}", [tag]) for n in range(8) for text, tag in texts.items()])
    tagger = make(name).fit(products)
    answers = tagger.suggest(list(texts), top=1, threshold=0)
    assert all(len(answer) == 1 for answer in answers)
    if name in LEARNERS and name != "pretrained":  # whose tokeniser knows no such script
        assert [answer[0].tag for answer in answers] == list(texts.values())


@pytest.mark.timeout(20)
def test_a_million_characters_are_answered_in_bounded_time(learner):
    (answer,) = learner.suggest("dress 连衣裙 " * 100_000, top=1, threshold=0)
    assert answer[0].tag == WORDS["dress"]
    learner.suggest(["字" * 1_000_000, "a" * 1_000_000, "e\u0301" * 500_000])


def test_networks_are_among_the_models():
    assert set(MODELS) >= NETWORKS
    assert set(QUICK) - {BLEND} == set(NETWORKS)
