import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.data.words.subwords import BOS, EOS, PAD, SPECIAL, UNK, Subwords, train_subwords
from tagloom.data.words.text import normalise
from tagloom.errors import ArtifactError, DataError, SettingsError

TEXTS = ["宽松牛仔外套女新款", "牛仔外套男宽松", "wireless mouse for laptops", "wireless keyboard, black"] * 20


@pytest.fixture(scope="module")
def subwords():
    return train_subwords(TEXTS, 400)


@given(st.lists(st.text(), max_size=4))
def test_every_text_comes_back(subwords, texts):
    assert subwords.decode(subwords.encode(texts)) == [normalise(text) for text in texts]


def test_rare_characters_and_emoji_come_back(subwords):
    texts = ["袯荟嘂骉𠮷野家", "👍🏻😀🇨🇳", "سلام हिन्दी", "▁a▁ Ġb", "  two   blanks ", ""]

    ids = subwords.encode(texts)

    assert subwords.decode(ids) == [normalise(text) for text in texts]
    assert UNK not in [ix for row in ids for ix in row]


def test_special_signs_come_first_and_text_never_yields_them(subwords):
    assert [subwords.tokenizer.token_to_id(sign) for sign in SPECIAL] == list(range(6))
    (ids,) = subwords.encode(["&lt;pad&gt; ＜eos＞ <mask> pad> <" + "unk"])

    assert ids
    assert min(ids) >= len(SPECIAL)
    assert subwords.decode([[BOS, *ids, EOS, PAD]]) == subwords.decode([ids])


def test_frequent_words_are_one_piece_and_pieces_can_be_read(subwords):
    (ids,) = subwords.encode(["无线牛仔外套 mouse"])

    pieces = [subwords.tokenizer.id_to_token(ix) for ix in ids]
    assert pieces[-2:] == ["牛仔外套", " mouse"]
    assert all(piece.startswith("<0x") for piece in pieces[:-2])  # 无 and 线 are not in the shop's texts: bytes


def test_bytes_written_out_in_a_text_stay_text():
    trained = train_subwords(["<0x41> <0x42>"] * 50, 400)

    assert trained.decode(trained.encode(["<0x41><0xE4>"])) == ["<0x41><0xe4>"]


def test_the_smallest_vocabulary_works():
    smallest = train_subwords(TEXTS, 262)

    assert len(smallest) == 262
    assert smallest.decode(smallest.encode(["牛仔 a"])) == ["牛仔 a"]


def test_encode_stops_at_max_tokens(subwords):
    (whole,), (cut,) = subwords.encode(["wireless zebra crossing"]), subwords.encode(["wireless zebra crossing"], 3)

    assert cut == whole[:3]


def test_the_same_texts_give_the_same_vocabulary():
    assert train_subwords(TEXTS, 400).tokenizer.to_str() == train_subwords(iter(TEXTS), 400).tokenizer.to_str()


def test_a_small_shop_gets_a_smaller_vocabulary():
    assert 262 <= len(train_subwords(["红茶"], 8_000)) < 300


def test_a_vocabulary_without_room_for_the_bytes_is_refused():
    with pytest.raises(SettingsError, match="262 or more"):
        train_subwords(TEXTS, 100)


@pytest.mark.parametrize("texts", [[], ["", " ", "\u200b"]])
def test_no_text_is_refused(texts):
    with pytest.raises(DataError, match="no text"):
        train_subwords(texts, 400)


def test_a_million_characters_can_be_encoded(subwords):
    assert len(subwords.encode(["牛仔袯" * 333_333], 512)[0]) == 512


def test_saved_and_loaded_is_the_same(subwords, tmp_path):
    subwords.save(tmp_path / "tokenizer.json")
    loaded = Subwords.load(tmp_path / "tokenizer.json")

    texts = ["宽松牛仔 pad> 骉", "black mouse"]
    assert loaded.encode(texts) == subwords.encode(texts)
    assert len(loaded) == len(subwords)


@pytest.mark.parametrize("content", [None, "", "{", '{"version": "9.0"}'])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(ArtifactError, match=r"tokenizer\.json.*train it again"):
        Subwords.load(path)


def test_a_vocabulary_of_somebody_else_is_refused(subwords, tmp_path):
    path = tmp_path / "tokenizer.json"
    state = json.loads(subwords.tokenizer.to_str())
    state["added_tokens"][1]["content"] = "[UNK]"
    state["model"]["vocab"]["[UNK]"] = state["model"]["vocab"].pop("<unk>")
    path.write_text(json.dumps(state), encoding="utf-8")

    with pytest.raises(ArtifactError, match="first ids should be <pad>, <unk>"):
        Subwords.load(path)
