"""Tags that are new since training."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tagloom import Products, Tagger
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.errors import UserError
from tagloom.tags.newcomers import Judge, draw_tasks, draw_texts

KINDS = [f"kind{n}" for n in range(14)]
MATERIALS = ["silk", "wool", "cotton", "linen"]
NEW = "kind13"


def catalogue(copies, seed, tags):
    """A product has three of its kind's six words, two of its material's five, and some that say nothing.

    Kind and material are its tags; of them those that are named in `tags` are on it.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(copies * len(KINDS)):
        kind, material = n % len(KINDS), int(draw.integers(0, 4))
        words = [f"k{kind}x{word}" for word in draw.choice(6, 3, replace=False)]
        words += [f"m{material}y{word}" for word in draw.choice(5, 2, replace=False)]
        words += [f"w{word}" for word in draw.integers(0, 40, 4)]
        names = [f"kind{kind}", MATERIALS[material]]
        rows.append(
            {
                "product_id": f"{seed}-{n}",
                "title": " ".join(draw.permutation(words)),
                "tags": [name for name in names if name in tags],
            }
        )
    return Products.of(rows)


OLD = [*KINDS[:-1], *MATERIALS]
FRESH = catalogue(20, seed=9, tags=[*OLD, NEW])


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary().add([*reversed(OLD)])


@pytest.fixture(scope="module")
def tagger(vocabulary):
    return Tagger(experts=("nearest", "linear", "name"), learning_rate=4.0).fit(
        catalogue(30, 0, OLD), vocabulary=vocabulary
    )


def texts_with(name, products=FRESH):
    return products.texts.filter(products.frame["tags"].list.contains(name)).to_list()


def separation(tagger, name, products=FRESH, wanted=None):
    """The area under the curve of a tag's confidence over fresh products."""
    column = tagger.tags.index(name)
    sure = np.vstack(list(tagger.confidences(products.texts.to_list())))[:, column]
    return roc_auc_score(products.frame["tags"].list.contains(wanted or name).to_numpy(), sure)


EXAMPLES = texts_with(NEW, catalogue(6, seed=5, tags=[NEW]))[:5]


def test_five_examples_are_enough_to_find_its_products(tagger):
    wider = tagger.with_tag(NEW, examples=EXAMPLES)
    assert wider.tags == (*tagger.tags, NEW)
    assert separation(wider, NEW) > 0.95
    given = wider.suggest(texts_with(NEW), top=99, threshold=0)
    assert all(NEW in [score.tag for score in answer] for answer in given)


def test_the_name_alone_is_enough_where_it_stands_in_the_text(tagger):
    named = Products.of(
        [
            {
                "product_id": str(n),
                "title": f"{'新款真丝外套' if n % 3 == 0 else '新款外套'} {text}",
                "tags": ["真丝"] * (n % 3 == 0),
            }
            for n, text in enumerate(FRESH.texts.to_list())
        ]
    )
    assert separation(tagger.with_tag("material=真丝"), "material=真丝", named, "真丝") > 0.95
    assert separation(tagger.with_tag("mulberry", ["真丝"]), "mulberry", named, "真丝") > 0.95


def test_its_words_are_told(tagger):
    wider = tagger.with_tag(NEW, examples=EXAMPLES)
    (answer,) = wider.suggest("k13x1 k13x2 w3 m1y1", top=99, threshold=0)
    (new,) = [score for score in answer if score.tag == NEW]
    assert new.because[0].text in {"k13x1", "k13x2"}
    assert all(word.weight > 0 for score in answer for word in score.because)


def test_the_answers_of_the_old_tags_are_the_same_to_the_last_bit(tagger):
    wider = tagger.with_tag(NEW, examples=EXAMPLES).with_tag("other", examples=EXAMPLES[:2])
    texts = FRESH.texts.to_list()
    before, after = (np.vstack(list(one.confidences(texts))) for one in (tagger, wider))
    assert before.tobytes() == np.ascontiguousarray(after[:, : before.shape[1]]).tobytes()
    assert wider.threshold == tagger.threshold
    for old, new in zip(tagger.suggest(texts[:50], top=9), wider.suggest(texts[:50], top=99), strict=True):
        assert [score for score in new if score.tag in OLD] == old


def test_the_tagger_it_came_from_does_not_know_it(tagger):
    tagger.with_tag(NEW, examples=EXAMPLES)
    assert NEW not in tagger.tags


def test_it_is_saved_and_loaded(tagger, tmp_path):
    wider = tagger.with_tag(NEW, ["丝绸"], EXAMPLES, tag_id=77).with_tag("lone")
    wider.save(tmp_path / "model")
    loaded = Tagger.load(tmp_path / "model")
    texts = [*FRESH.texts.to_list()[:40], "丝绸", "lone w3", ""]
    assert loaded.suggest(texts, top=99, threshold=0) == wider.suggest(texts, top=99, threshold=0)
    assert loaded.tags == wider.tags
    for one, other in zip(loaded.confidences(texts), wider.confidences(texts), strict=True):
        assert one.tobytes() == other.tobytes()
    # And it goes on from there.
    assert loaded.with_tag("later", examples=EXAMPLES).tags == (*wider.tags, "later")
    with pytest.raises(UserError, match="gives 'lone' already"):
        loaded.with_tag("lone")


def test_several_new_tags_in_a_row(vocabulary):
    new = KINDS[-4:]
    fewer = catalogue(30, 0, [name for name in OLD if name not in new])
    wider = Tagger(experts=("nearest", "linear"), learning_rate=4.0).fit(fewer, vocabulary=vocabulary)
    for name in new:
        wider = wider.with_tag(name, examples=texts_with(name, catalogue(6, 5, new))[:5])
    assert wider.tags[-4:] == tuple(new)
    answers = wider.suggest(["m0y0 m0y1 w1"], top=99, threshold=0)[0]
    assert len({score.tag_id for score in answers}) == len(wider.tags)
    for name in new:
        assert separation(wider, name) > 0.95, name


def test_ids_are_those_that_are_given_or_above_all_others(tagger, vocabulary):
    assert {
        score.tag: score.tag_id
        for score in tagger.with_tag("a", examples=EXAMPLES).suggest("w1 w2", top=99, threshold=0)[0]
    }["a"] == max(tag.id for tag in vocabulary.tags) + 1
    other = tagger.with_tag("a", examples=EXAMPLES, tag_id=500).with_tag("b", examples=EXAMPLES)
    ids = {score.tag: score.tag_id for score in other.suggest("w1 w2", top=99, threshold=0)[0]}
    assert (ids["a"], ids["b"]) == (500, 501)


@pytest.mark.parametrize(
    ("name", "told", "message"),
    [
        ("wool", {"examples": EXAMPLES}, "with_tag: the Tagger gives 'wool' already; train again"),
        ("new", {"examples": EXAMPLES, "tag_id": 1}, "with_tag: id 1 is taken by another tag"),
        ("new", {"examples": ["stranger", ""]}, "with_tag: no example has a word that the Tagger knows"),
        ("!!!", {}, "with_tag: expected a name with letters in it, or examples"),
        ("", {}, "with_tag: expected a name with letters in it, or examples"),
        ("new", {"examples": ["w1", 7]}, "texts, entry 1: expected a string, came 7"),
    ],
)
def test_what_cannot_be_added_is_refused(tagger, name, told, message):
    with pytest.raises(UserError, match=message):
        tagger.with_tag(name, **told)


def test_one_example_is_one_text_or_a_list(tagger):
    texts = FRESH.texts.to_list()[:9]
    one, other = (tagger.with_tag(NEW, examples=examples) for examples in (EXAMPLES[0], EXAMPLES[:1]))
    assert one.suggest(texts, top=99) == other.suggest(texts, top=99)


def test_a_new_tag_is_renamed_and_merged_through_the_vocabulary(tagger, vocabulary):
    grown = vocabulary.add([NEW])
    wider = tagger.with_tag(NEW, examples=EXAMPLES, tag_id=grown.tag(NEW).id)
    renamed = wider.named_by(grown.rename(NEW, "真丝"))
    assert renamed.tags == (*tagger.tags, "真丝")
    assert separation(renamed, "真丝", wanted=NEW) > 0.95
    merged = wider.named_by(grown.merge(NEW, into="kind2"))
    assert merged.tags == tagger.tags
    texts = ["k13x0 k13x1 k13x2", "k2x0 k2x1 k2x2"]
    before = np.vstack(list(wider.confidences(texts)))[:, [wider.tags.index("kind2"), wider.tags.index(NEW)]]
    after = np.vstack(list(merged.confidences(texts)))[:, merged.tags.index("kind2")]
    assert after.tolist() == before.max(1).tolist()
    # A vocabulary that never heard of it does not give it.
    assert tagger.tags == wider.named_by(vocabulary).tags


def test_a_new_tag_obeys_rules_and_promises(tagger):
    wider = tagger.with_tag(NEW, examples=EXAMPLES)
    text = " ".join(EXAMPLES)
    assert [score.tag for score in wider.suggest(text, include=[NEW], threshold=0)[0]] == [NEW]
    assert NEW not in [score.tag for score in wider.suggest(text, top=99, exclude=[NEW], threshold=0)[0]]
    assert wider.given(next(wider.confidences([text])), 0.9).shape == (1, len(wider.tags))
    assert wider.evaluate(FRESH).values["P@1"] > 0.9


# How the judge learns


def test_known_tags_with_enough_products_are_taken_for_new():
    from scipy.sparse import csr_matrix

    truth = csr_matrix((np.arange(60)[:, None] % np.array([2, 3, 30]) == 0).astype(np.float32))
    counts = np.asarray(truth.sum(0)).ravel()
    drawn = draw_tasks(counts, truth, seed=0)
    assert drawn.keys() == {0, 1}  # the third has two products
    for tag, rows in drawn.items():
        assert len(set(rows)) == 5
        assert truth.toarray()[rows, tag].all()
    assert drawn == draw_tasks(counts, truth, seed=0)
    assert drawn != draw_tasks(counts, truth, seed=1)
    assert len(draw_texts(2_000, 0)) == 800
    assert draw_texts(3, 0) == [0, 1, 2]


def test_with_too_few_tags_to_learn_from_nearness_is_asked_for():
    judge = Judge.fit([], (None, np.zeros((0, 2))))
    assert judge.curves.shape == (2, 5)
    assert (judge.curves[:, :4] >= 0).all()
    assert (judge.curves[:, 4] < 0).all()


def test_a_new_tag_is_given_where_its_name_is_the_only_known_word(tagger):
    wider = tagger.with_tag("zzyzx")
    (answer,) = wider.suggest("qqq zzyzx www", threshold=0.0)
    assert {score.tag for score in answer} == {"zzyzx"}
    assert wider.suggest("qqq www", threshold=0.0) == [[]]
