"""The Tagger: vocabulary ids, what fit leaves alone, damaged files, Ctrl-C, numbers that run away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tagloom import Products, Tagger
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.data.words.wordvectors import WordVectors
from tagloom.errors import ArtifactError, DataError, SettingsError, UserError, VocabularyError

ROOT = Path(__file__).parent.parent.parent
QUICK = {"experts": ("nearest", "linear"), "learning_rate": 4.0, "epochs": 2}
SETTINGS = {
    "linear": {"learning_rate": 4.0},
    "bag": {"learning_rate": 0.02, "width": 32},
    "cnn": {"learning_rate": 0.01},
    "lstm": {"learning_rate": 0.01},
}
WORDS = {"denim": "牛仔", "jeans": "denim", "tea": "食品", "lamp": "家居"}


def planted(copies=10, start=0):
    return Products.of(
        [
            {"product_id": f"{word}{n}", "title": f"{word} style{n % 5} no{n}", "tags": [tag]}
            for n in range(start, start + copies)
            for word, tag in WORDS.items()
        ]
    )


@pytest.fixture(scope="module")
def vocabulary():
    # Not in the order of the alphabet, so that ids and positions differ.
    return Vocabulary().add(["家居", "not used", "牛仔", "食品", "denim"])


@pytest.fixture(scope="module")
def tagger(vocabulary):
    return Tagger(**QUICK).fit(planted(), vocabulary=vocabulary)


def first(tagger, text):
    return tagger.suggest(text, top=1, threshold=0)[0][0]


# The tags' names and ids


def test_tags_carry_the_vocabularys_ids(tagger, vocabulary):
    assert tagger.tags == ("家居", "牛仔", "食品", "denim")
    for word, tag in WORDS.items():
        assert (first(tagger, word).tag, first(tagger, word).tag_id) == (tag, vocabulary.tag(tag).id)


def test_a_tag_that_the_vocabulary_does_not_know_is_refused():
    with pytest.raises(VocabularyError):
        Tagger(**QUICK).fit(planted(), vocabulary=Vocabulary().add(["牛仔"]))


def test_a_renamed_tag_goes_by_its_new_name_with_the_same_id(tagger, vocabulary):
    renamed = tagger.named_by(vocabulary.rename("食品", "茶叶"))
    assert (first(renamed, "tea").tag, first(renamed, "tea").tag_id) == ("茶叶", 3)
    assert first(renamed, "tea").confidence == first(tagger, "tea").confidence
    assert first(tagger, "tea").tag == "食品"  # the old one is as it was


def test_merged_tags_are_given_once_with_the_larger_confidence(tagger, vocabulary):
    merged = tagger.named_by(vocabulary.merge("denim", into="牛仔"))
    assert (merged.tags, merged.tag_ids) == (("家居", "牛仔", "食品"), (0, 2, 3))
    for text in ("jeans", "denim", "denim jeans"):
        before = {score.tag: score for score in tagger.suggest(text, top=9, threshold=0)[0]}
        (answer,) = merged.suggest(text, top=9, threshold=0)
        assert sorted(score.tag for score in answer) == sorted(merged.tags)
        surest = max(before["denim"], before["牛仔"], key=lambda score: score.confidence)
        assert (answer[0].tag, answer[0].tag_id) == ("牛仔", 2)
        assert (answer[0].confidence, answer[0].because) == (surest.confidence, surest.because)
    assert next(merged.confidences(["jeans"])).shape == (1, 3)


def test_merged_tags_are_measured_as_one(tagger, vocabulary):
    today = vocabulary.merge("denim", into="牛仔")
    products = Products(today.apply(planted(3, start=50).frame))
    figures = tagger.named_by(today).evaluate(products)
    assert figures.values["P@1"] == figures.values["R@5"] == figures.values["micro-F1"] == 1
    assert figures.per_tag[:, 0].tolist() == [3, 6, 3]


def test_a_merge_undone_brings_the_tag_back(tagger, vocabulary):
    merged = vocabulary.merge("denim", into="牛仔")
    undone = merged.undo(len(merged.records) - 1)
    again = tagger.named_by(merged).named_by(undone)
    assert again.tags == tagger.tags
    assert first(again, "jeans") == first(tagger, "jeans")


def test_a_merged_tagger_is_saved_and_loaded_as_it_is(tagger, vocabulary, tmp_path):
    merged = tagger.named_by(vocabulary.merge("denim", into="牛仔"))
    merged.save(tmp_path / "model")
    loaded = Tagger.load(tmp_path / "model")
    assert loaded.suggest(["jeans", "tea"], top=9) == merged.suggest(["jeans", "tea"], top=9)
    assert loaded.named_by(vocabulary).tags == tagger.tags  # the ids at the time of training are not lost


def test_a_tag_no_longer_in_the_vocabulary_is_not_given(tagger):
    shorter = Vocabulary().add(["家居", "not used", "牛仔", "食品"])
    known = tagger.named_by(shorter)
    assert known.tags == ("家居", "牛仔", "食品")
    assert "denim" not in {score.tag for score in known.suggest("jeans", top=9, threshold=0)[0]}
    with pytest.raises(VocabularyError, match="none of the model's 4 tags is in this vocabulary"):
        tagger.named_by(Vocabulary())


# What is measured


def test_tags_it_does_not_know_count_as_missed_though_few_are_known(tagger):
    unknown = Products.of([{"product_id": "1", "title": "tea", "tags": ["食品", "new", "newer", "newest"]}])
    figures = tagger.evaluate(unknown)
    assert figures.values["P@1"] == 1
    assert figures.values["R@10"] == 0.25
    assert figures.values["recall"] == 0.25
    assert len(figures.per_tag) == 7


def test_untagged_products_are_not_measured(tagger):
    some = Products.of([{"product_id": "1", "title": "tea", "tags": ["食品"]}, {"product_id": "2", "title": "tea"}])
    assert tagger.evaluate(some).products == 1
    with pytest.raises(DataError, match="no tagged products to measure on"):
        tagger.evaluate(Products.of([{"product_id": "2", "title": "tea"}]))


# What it learns from


@pytest.mark.parametrize("rows", [[], [{"product_id": "1", "title": "tea"}]])
def test_without_tags_there_is_nothing_to_learn(rows):
    with pytest.raises(DataError, match="no products with tags to learn from"):
        Tagger().fit(Products.of(rows))
    with pytest.raises(DataError, match="no tagged products are left for valid"):
        Tagger().fit(planted(), Products.of(rows))


def test_one_text_is_too_few_to_hold_one_out():
    same = Products.of([{"product_id": str(n), "title": "tea", "tags": ["食品"]} for n in range(9)])
    with pytest.raises(DataError, match="9 products with 1 different texts are too few to hold one out"):
        Tagger().fit(same)


def test_texts_without_words_are_refused():
    blank = Products.of([{"product_id": str(n), "title": f"{n} {'!' * n}", "tags": ["a"]} for n in range(9)])
    with pytest.raises(DataError, match=r"no word stands in 2 or more of the training texts.*tagger\.min_documents"):
        Tagger().fit(blank)


def test_untagged_products_change_nothing():
    untagged = [{"product_id": f"u{n}", "title": f"tea lamp {n}"} for n in range(20)]
    frame = planted().frame
    both = Products(frame.vstack(Products.of(untagged).frame))
    one, other = (Tagger(**QUICK).fit(products) for products in (planted(), both))
    assert one.suggest(list(WORDS), threshold=0) == other.suggest(list(WORDS), threshold=0)


def test_custom_words_stay_whole():
    products = Products.of(
        [
            {"product_id": str(n), "title": f"五环之歌 {n}" if n % 2 else f"五环 {n}", "tags": ["ab"[n % 2]]}
            for n in range(40)
        ]
    )
    tagger = Tagger(**QUICK).fit(products, custom_words=["五环之歌"])
    assert first(tagger, "唱五环之歌").because[0].text == "五环之歌"


# What fit tells, and what it leaves alone


def test_progress_hears_of_every_pass_of_trials_too():
    told = []
    tagger = Tagger(experts=("linear", "bag"), epochs=3, patience=3, width=16)
    tagger.fit(planted(), progress=lambda *said: told.append(said))
    assert [(name, number) for name, number, _ in told] == [
        *(("linear", number) for number in (0, 0, 0, 1, 2, 3)),
        *(("bag", number) for number in (1, 2, 3)),
    ]
    assert [figures["trial/learning_rate"] for _, _, figures in told[:3]] == [1.0, 4.0, 16.0]
    assert tagger.trained["linear"].history == tuple(figures for _, _, figures in told[3:6])
    assert tagger.trained["bag"].history == tuple(figures for _, _, figures in told[6:])
    assert all(figures.keys() >= {"train/loss", "valid/loss", "valid/ndcg"} for _, _, figures in told)


def test_an_error_in_progress_is_not_swallowed():
    def stop(expert, number, figures):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        Tagger(**QUICK).fit(planted(), progress=stop)


@pytest.mark.parametrize("encoder", ["linear", "bag", "lstm", "tree", "blend"])
def test_fit_leaves_the_process_and_the_folder_as_they_were(encoder, tmp_path, monkeypatch, capfd, process_state):
    monkeypatch.chdir(tmp_path)
    before = process_state()
    settings = SETTINGS.get(encoder, {"experts": ("bag", "tree")})
    tagger = Tagger(encoder=encoder, epochs=2, **settings).fit(planted())
    tagger.suggest("denim")
    assert process_state() == before
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_the_curves_are_written_where_they_are_asked_for(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = {"experts": ("linear", "cnn", "name"), "learning_rate": 0.01, "epochs": 2}
    tagger = Tagger(**settings).fit(planted(), log_folder=tmp_path / "logs")
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["cnn", "linear"]
    for name in ("linear", "cnn"):
        (events,) = (tmp_path / "logs" / name).rglob("events.out.tfevents*")
        curves = EventAccumulator(str(events.parent)).Reload()
        for figure in ("train/loss", "valid/loss", "valid/ndcg"):
            drawn = [point.value for point in curves.Scalars(figure)]
            assert drawn == pytest.approx([figures[figure] for figures in tagger.trained[name].history])


# Numbers that run away


def test_vectors_that_are_no_numbers_end_with_a_word_on_what_to_do():
    vectors = WordVectors(tuple(WORDS), np.full((len(WORDS), 8), np.nan, np.float32))
    with pytest.raises(SettingsError, match=r"nothing was learned.*lower tagger\.learning_rate, or look into the word"):
        Tagger(encoder="bag", learning_rate=1.0, word_vectors=True).fit(planted(), word_vectors=vectors)


@pytest.mark.filterwarnings("ignore:training stopped in pass:RuntimeWarning")
@pytest.mark.parametrize("encoder", ["linear", "bag", "cnn"])
def test_the_largest_step_size_does_no_worse_than_a_bad_tagger(encoder):
    try:
        tagger = Tagger(encoder=encoder, learning_rate=1_000.0, epochs=3).fit(planted())
    except SettingsError as error:
        assert "lower tagger.learning_rate" in str(error)  # noqa: PT017 (one of two right answers)
        return
    assert all(np.isfinite(score.confidence) for score in tagger.suggest("tea lamp", threshold=0)[0])


# What the blend is made of


def mixed(copies, seed, wrong=0.0):
    """A word says the tag, a pair of neighbours a second one; `wrong` is the share of products with tags at random."""
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(copies * 8):
        tag = n % 8
        words = [f"own{tag}", *(f"w{word}" for word in draw.integers(0, 30, 4))]
        tags = [f"t{draw.integers(0, 8)}" if draw.random() < wrong else f"t{tag}"]
        rows.append({"product_id": f"{seed}-{n}", "title": " ".join(draw.permutation(words)), "tags": tags})
    return Products.of(rows)


@pytest.fixture(scope="module")
def blended():
    settings = {"experts": ("tree", "nearest", "popular"), "loss": "binary_cross_entropy"}
    return Tagger(**settings).fit(mixed(60, 0, wrong=0.3), mixed(60, 1, wrong=0.3))


def test_what_each_expert_adds_is_told(blended):
    rows = {row["expert"]: row for row in blended.contributions}
    assert list(rows) == ["tree", "nearest", "popular"]
    assert rows["popular"]["weight"] == pytest.approx(0, abs=0.2)
    assert rows["popular"]["alone"] < rows["nearest"]["alone"]
    assert rows["popular"]["without"] == pytest.approx(rows["popular"]["blend"], abs=0.02)
    assert blended.trained == {}


def test_an_expert_can_be_left_out_of_an_answer(blended):
    texts = mixed(2, 5).texts.to_list()
    whole = np.vstack(list(blended.confidences(texts)))
    without = np.vstack(list(blended.confidences(texts, without="tree")))
    assert not np.array_equal(whole, without)
    assert (without.argmax(1) == whole.argmax(1)).mean() > 0.9
    (answer,) = blended.suggest("own3 w1", without="nearest", threshold=0)
    assert answer[0].tag == "t3"
    with pytest.raises(UserError, match=r"expected an expert of the blend \(tree, nearest, popular\), came 'linear'"):
        blended.suggest("own3", without="linear")


def test_one_expert_alone_cannot_be_left_out():
    with pytest.raises(UserError, match=r"none: it has one expert alone"):
        Tagger(encoder="tree").fit(planted()).suggest("tea", without="tree")


def test_confidences_mean_a_frequency_and_a_promise_is_kept(blended):
    """Of the products with each word, seven tenths and a little have its tag: no more than that can be promised."""
    fresh = mixed(200, 2, wrong=0.3)
    evaluation = blended.evaluation(fresh)
    assert evaluation.figures.values["ECE"] < 0.03
    confidences = np.vstack(list(blended.confidences(fresh.texts.to_list())))
    truth = np.array([[tag in tags for tag in blended.tags] for tags in fresh.frame["tags"].to_list()])
    given = blended.given(confidences, 0.7)
    assert truth[given].mean() > 0.69
    assert given.sum() > len(fresh) / 2
    assert blended.given(confidences, 0.95).sum() < len(fresh) / 50


def test_no_tag_rather_than_a_wrong_one():
    """Where nothing but chance decides between the tags, none is given for a promise."""
    draw = np.random.default_rng(0)
    rows = [
        {"product_id": str(n), "title": f"w{n % 7} v{draw.integers(0, 9)}", "tags": [f"t{draw.integers(0, 4)}"]}
        for n in range(800)
    ]
    tagger = Tagger(experts=("tree", "nearest", "name")).fit(Products.of(rows[:600]), Products.of(rows[600:]))
    texts = [row["title"] for row in rows[:100]]
    assert tagger.suggest(texts, precision=0.9) == [[]] * 100
    assert all(len(answer) == 4 for answer in tagger.suggest(texts, threshold=0))


def coloured(copies, seed):
    """Each product has one colour, some have several materials: an exclusive family and one that is none."""
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(copies):
        colour = ["red", "blue", "green"][n % 3]
        stuffs = [stuff for stuff in ("silk", "wool", "linen") if draw.random() < 0.5] or ["silk"]
        words = [colour, *stuffs, f"w{draw.integers(0, 9)}"]
        tags = [f"colour={colour}", *(f"stuff={stuff}" for stuff in stuffs)]
        rows.append({"product_id": f"{seed}-{n}", "title": " ".join(draw.permutation(words)), "tags": tags})
    return Products.of(rows)


@pytest.fixture(scope="module")
def colours():
    settings = {"experts": ("linear", "tree"), "learning_rate": 4.0, "epochs": 4}
    return Tagger(**settings).fit(coloured(600, 0), coloured(150, 1))


def test_one_of_each_exclusive_family_is_given(colours):
    assert colours.families == (("colour=blue", "colour=green", "colour=red"),)
    (answer,) = colours.suggest("red blue green silk wool linen w1", top=9, threshold=0.01)
    given = [score.tag for score in answer]
    assert len([tag for tag in given if tag.startswith("colour=")]) == 1
    assert {tag for tag in given if tag.startswith("stuff=")} == {"stuff=silk", "stuff=wool", "stuff=linen"}


def test_all_of_a_family_are_listed_where_everything_is_asked_for(colours):
    (answer,) = colours.suggest("red blue green silk", top=9, threshold=0)
    assert len(answer) == 6


def test_whole_attributes_are_included_and_excluded(colours):
    text = "red silk wool w1"
    (only,) = colours.suggest(text, top=9, threshold=0, include=["stuff=*"], exclude=["stuff=wool"])
    assert {score.tag for score in only} == {"stuff=silk", "stuff=linen"}
    (rest,) = colours.suggest(text, top=9, threshold=0, exclude=["colour=*"])
    assert {score.tag for score in rest} == {"stuff=silk", "stuff=wool", "stuff=linen"}
    with pytest.raises(UserError, match="leave no tag to give"):
        colours.suggest(text, include=["stuff=*"], exclude=["stuff=*"])


def test_a_rule_of_the_settings_about_a_tag_that_is_not_there_is_no_error():
    tagger = Tagger(encoder="nearest", exclude=("colour=red", "no such tag")).fit(coloured(300, 0))
    (answer,) = tagger.suggest("red silk", top=9, threshold=0)
    assert len(answer) == 5
    with pytest.raises(UserError, match="exclude: no tag is called 'no such tag'"):
        tagger.suggest("red silk", exclude=["no such tag"])


def test_the_rules_and_the_promise_of_the_settings_hold_where_none_are_given(tmp_path):
    settings = {"encoder": "nearest", "include": ("colour=*",), "exclude": ("colour=red",), "precision": 0.9}
    tagger = Tagger(**settings).fit(coloured(300, 0))
    tagger.save(tmp_path / "model")
    for one in (tagger, Tagger.load(tmp_path / "model")):
        assert {score.tag for score in one.suggest("red blue silk", top=9, threshold=0)[0]} == {
            "colour=blue",
            "colour=green",
        }
        confidences = next(one.confidences(["red", "blue silk"]))
        assert one.given(confidences).tolist() == one.given(confidences, 0.9).tolist()
    assert {score.tag for score in tagger.suggest("red silk", include=["stuff=*"], threshold=0)[0]} == {
        "stuff=silk",
        "stuff=wool",
        "stuff=linen",
    }


def test_a_tag_brings_its_parent_with_it(vocabulary):
    below = vocabulary.set_parent("denim", "牛仔")
    tagger = Tagger(encoder="nearest").fit(planted(30), vocabulary=below)
    (answer,) = tagger.suggest("jeans")
    assert {score.tag for score in answer} == {"denim", "牛仔"}
    assert answer[0].confidence <= next(score.confidence for score in answer if score.tag == "牛仔")


# Files


def test_a_version_is_never_overwritten(tagger, tmp_path):
    tagger.save(tmp_path / "model")
    with pytest.raises(ArtifactError, match="exists already; a model version is never overwritten"):
        tagger.save(tmp_path / "model")


def test_every_damage_to_every_file_is_refused_by_name(tagger, check_damage, tmp_path):
    tagger.save(tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names >= {"tagger.json", "tagger.safetensors", "linear.json", "linear.safetensors"}
    check_damage(tmp_path / "model", Tagger.load)
    assert Tagger.load(tmp_path / "model").tags == tagger.tags


# Ctrl-C

TRAIN = """
import sys
from pathlib import Path
from tagloom import Products, Tagger
rows = [{"product_id": str(n), "title": f"tea {n % 50} {n}", "tags": ["ab"[n % 2]]} for n in range(4000)]
products = Products.of(rows)
tagger = Tagger(encoder="linear", epochs=1000, patience=100, learning_rate=1.0)
try:
    tagger.fit(products, progress=lambda expert, number, figures: print(number, flush=True))
    tagger.save("model")
except KeyboardInterrupt:
    import signal
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "later ones would be ignored"
    print("interrupted", flush=True)
    raise
"""


@pytest.mark.slow
def test_ctrl_c_in_training_is_a_keyboard_interrupt_and_leaves_nothing(tmp_path):
    (tmp_path / "temporary").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")}
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout.readline().strip() == b"1"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT, err.decode()
    assert b"interrupted" in out
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
    assert not list((tmp_path / "temporary").iterdir())
