import json
import random

import numpy as np
import pytest

from tagloom.data.words.wordvectors import WordVectors, train_word_vectors
from tagloom.errors import ArtifactError, DataError, UserError

PHONES = ["手机", "屏幕", "电池", "充电", "拍照", "续航"]
DRESSES = ["连衣裙", "显瘦", "雪纺", "碎花", "收腰", "长袖"]


def two_topics(sentences):
    shuffled = random.Random(1)
    return [shuffled.sample(topic, 5) for _ in range(sentences // 2) for topic in (PHONES, DRESSES)]


@pytest.fixture(scope="module")
def vectors():
    return train_word_vectors(two_topics(600), size=16, epochs=10, seed=3)


@pytest.mark.parametrize("topic", [PHONES, DRESSES])
def test_neighbours_come_from_the_same_topic(vectors, topic):
    for word in topic:
        neighbours = vectors.neighbours(word, top=5)
        assert {neighbour for neighbour, _ in neighbours} == set(topic) - {word}
        cosines = [cosine for _, cosine in neighbours]
        assert cosines == sorted(cosines, reverse=True)
        assert cosines[0] <= 1 + 1e-6


def test_the_same_seed_gives_the_same_vectors_and_another_seed_others(vectors):
    again = train_word_vectors(two_topics(600), size=16, epochs=10, seed=3)
    other = train_word_vectors(two_topics(600), size=16, epochs=10, seed=4)

    assert again.words == vectors.words
    assert np.array_equal(again.vectors, vectors.vectors)
    assert not np.array_equal(other.vectors, vectors.vectors)


def test_words_come_by_frequency():
    trained = train_word_vectors([["a", "b"], ["a", "b"], ["a"], ["c", "a"]], size=8, epochs=1)

    assert trained.words == ("a", "b", "c")
    assert trained.vectors.shape == (3, 8)
    assert trained.vectors.dtype == np.float32


def test_rare_words_get_no_vector_in_a_large_shop():
    sentences = [[f"w{ix % 50}" for ix in range(20)]] * 1_500 + [["once"]]

    assert "once" not in train_word_vectors(sentences, size=8, epochs=1)
    assert "w1" in train_word_vectors(sentences, size=8, epochs=1)


@pytest.mark.parametrize("sentences", [[["红茶"]], [[], ["红茶", "绿茶"]], [["a"] * 25_000], [["手机", "壳"]] * 10])
def test_tiny_and_odd_shops_train(sentences):
    trained = train_word_vectors(sentences, size=8, epochs=2)

    assert np.isfinite(trained.vectors).all()
    assert len(trained.neighbours(trained.words[0])) == len(trained) - 1


def test_all_of_a_very_long_text_is_read():
    """gensim reads only the first 10,000 words of a sentence: the two topics stand behind them."""
    text = ["filler"] * 12_000 + [word for topic in (PHONES, DRESSES) for _ in range(1_500) for word in topic]

    trained = train_word_vectors([text], size=16, epochs=2, seed=1)

    assert {word for word, _ in trained.neighbours("手机", top=5)} == set(PHONES) - {"手机"}


@pytest.mark.parametrize("sentences", [[], [[]], [[], []]])
def test_no_words_are_refused(sentences):
    with pytest.raises(DataError, match="no words"):
        train_word_vectors(sentences)


def test_only_rare_words_are_refused():
    with pytest.raises(DataError, match="lower min_count"):
        train_word_vectors([[f"w{ix}" for ix in range(25_000)]])


def test_a_generator_is_refused():
    with pytest.raises(DataError, match="give a list"):
        train_word_vectors(sentence for sentence in [["a"]])


def test_an_unknown_word_names_the_nearest_spellings(vectors):
    with pytest.raises(UserError, match=r"'连衣群' has no word vector: did you mean 连衣裙\?"):
        vectors.neighbours("连衣群")
    with pytest.raises(UserError, match=r"too rare .* frequent ones are"):
        vectors.neighbours("zebra")


def test_matrix_for_keeps_known_rows_and_makes_small_random_others(vectors):
    matrix = vectors.matrix_for(["<pad>", "手机", "zebra", "显瘦"], seed=1)

    assert matrix.shape == (4, 16)
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix[1], vectors.vectors[vectors.words.index("手机")])
    assert np.array_equal(matrix[3], vectors.vectors[vectors.words.index("显瘦")])
    assert 0 < np.abs(matrix[[0, 2]]).max() <= 0.5 / 16
    assert np.array_equal(matrix, vectors.matrix_for(["<pad>", "手机", "zebra", "显瘦"], seed=1))
    assert vectors.matrix_for([]).shape == (0, 16)


def test_saved_and_loaded_is_the_same(vectors, tmp_path):
    vectors.save(tmp_path / "vectors")
    loaded = WordVectors.load(tmp_path / "vectors")

    assert loaded.words == vectors.words
    assert np.array_equal(loaded.vectors, vectors.vectors)
    assert sorted(path.name for path in (tmp_path / "vectors").iterdir()) == ["vectors.safetensors", "words.json"]


def _drop_words(folder):
    (folder / "words.json").unlink()


def _drop_a_word(folder):
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    (folder / "words.json").write_text(json.dumps(words[1:]), encoding="utf-8")


def _repeat_a_word(folder):
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    (folder / "words.json").write_text(json.dumps([words[1], *words[1:]]), encoding="utf-8")


def _garble_words(folder):
    (folder / "words.json").write_bytes(b"\xff\xfe[")


def _cut_vectors(folder):
    whole = (folder / "vectors.safetensors").read_bytes()
    (folder / "vectors.safetensors").write_bytes(whole[:-10])


@pytest.mark.parametrize("damage", [_drop_words, _drop_a_word, _repeat_a_word, _garble_words, _cut_vectors])
def test_a_damaged_folder_is_refused(vectors, tmp_path, damage):
    vectors.save(tmp_path)
    damage(tmp_path)

    with pytest.raises(ArtifactError, match="train them again"):
        WordVectors.load(tmp_path)
