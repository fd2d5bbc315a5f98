import os
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagloom.data.words.text import WordSplitter, normalise

DATA = Path(os.environ.get("TAGLOOM_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
BRANDS = DATA / "zh" / "jd_brands.txt"

# Pieces that meet each other badly: half entities, half tags, marks, characters that fold into several.
# fmt: off
_PIECES = [
    " ", "\n", "\u3000", "&",
    "&amp;", "amp;", "#38;", "&#38;", "&lt;", "&nbsp", "nbsp;", "&#65018;", "&#769;", "&#8203;",
    "&#x26;", "&AMP;", "&Eacute;", ";", "＆", "<", "＜", "b", ">", "</", "<a ", "<!--", "-->", "<style>", "</style>",
    "script", "ﷺ", "\u200b", "\ud800", "İ", "ß", "ΐ", "\u0345", "Ⅷ", "é", "e", "\u0301", "\u0323", "’", "\u212a",
    "ſ", "👍🏻", "❤\ufe0f",
    "乾", "闥", "婆", "隆", "薴", "T恤",
]
# fmt: on
dirty_texts = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=3)), max_size=12).map("".join)


@given(dirty_texts, st.sampled_from([3, 7, 12, 100_000]))
@example("<a<b>>", 100)
@example("&amp;amp;amp;lt;b>", 100)
@example("乾闥婆", 100)
def test_normalising_twice_is_normalising_once(text, max_characters):
    once = normalise(text, max_characters)

    assert normalise(once, max_characters) == once
    assert len(once) <= max_characters
    once.encode("utf-8")  # no half surrogate is left, which the libraries in Rust would refuse


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("ＷＩ－ＦＩ ６", "wi-fi 6"),
        ("<p class='a'>棉<br/>麻</p><!-- 内部 --><style>p {color: red}</style>", "棉 麻"),
        ("AT&amp;T &amp;lt;5kg&nbsp&#x4e2d;", "at&t <5kg 中"),
        ("black&white salt&nothing R&D", "black&white salt&nothing r&d"),
        ("尺寸<L码, 重量<5kg", "尺寸 l码, 重量<5kg"),
        ("a\u200bb\ufeffc\u202ed\x00", "abcd"),
        (" a\r\n\tb\u3000\xa0c ", "a b c"),
        ("O’MIN", "o'min"),
        ("裡面的著名乾隆後來乾燥", "里面的著名乾隆后来干燥"),
        ("STRASSE straße", "strasse strasse"),
        ("", ""),
    ],
)
def test_normalise_gives_the_one_spelling(raw, plain):
    assert normalise(raw) == plain


@pytest.mark.parametrize(
    "piece",
    [
        "牛仔外套",
        "裡面",
        "&amp;",
        "&",
        "<a ",
        "<!--",
        "<style>",
        "\u0316\u0301",
        "\u0316\u200b\u0301",
        "1.",
        "a-",
        "😀",
        " ",
    ],
)
def test_a_million_characters_take_bounded_time(piece):
    text = "a" + piece * (1_000_000 // len(piece))
    begin = time.perf_counter()

    assert len(normalise(text)) <= 100_000
    normalise(text, 1_000_000)
    WordSplitter(("牛仔", "仔外套", "10")).split(text)

    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Wi-Fi 6 路由器 5G手机", ["wi-fi", "6", "路由器", "5g", "手机"]),
        ("8+256GB，3.5mm耳机", ["8", "256gb", "3.5mm", "耳机"]),
        ("纯棉T恤 V领 U盘 A字裙", ["纯棉", "t恤", "v领", "u盘", "a字", "裙"]),
        ("XL型号 m字母", ["xl", "型号", "m", "字母"]),
        ("100%棉 C++ 1,000ml 12.5%", ["100%", "棉", "c++", "1,000ml", "12.5%"]),
        ("Women's long-sleeved H&M tee.", ["women's", "long-sleeved", "h&m", "tee"]),
        ("black&white (a/b) ...!?", ["black", "white", "a", "b"]),
        ("★好用👍🏻😀❤️🇨🇳！", ["好用", "👍🏻", "😀", "❤", "🇨🇳"]),
        ("café हिन्दी سلام カメラ", ["café", "हिन्दी", "سلام", "カメラ"]),
        ("，。！", []),
        ("", []),
    ],
)
def test_split_keeps_what_belongs_together(text, words):
    assert WordSplitter().split(text) == words


def test_custom_words_come_out_whole_and_normalised():
    splitter = WordSplitter(("安利（Amway）", "Five Trees", "O’MIN", "±0", "波光粼粼纱"))

    assert splitter.split("新款安利(AMWAY)的包，FIVE  TREES/o'min's ±0波光粼粼纱裙") == [
        "新款", "安利(amway)", "的", "包", "five trees", "o'min", "s", "±0", "波光粼粼纱", "裙",
    ]  # fmt: skip


def test_the_longest_of_overlapping_custom_words_wins():
    assert WordSplitter(("华为", "华为手机", "手机壳")).split("华为手机壳") == ["华为手机", "壳"]
    assert WordSplitter(("米家", "家居服")).split("米家居服") == ["米", "家居服"]
    assert WordSplitter(("款古", "古币")).split("新款古币") == ["新款", "古币"]
    assert WordSplitter(("甲乙", "乙丙")).split("甲乙丙") == ["甲乙", "丙"]


def test_latin_and_numeric_custom_words_are_found_at_word_boundaries_only():
    splitter = WordSplitter(("or", "360", "V5", "fi"))

    assert splitter.split("order 1360 3.60 360.5 360ml v50 fire") == [
        "order", "1360", "3.60", "360.5", "360ml", "v50", "fire",
    ]  # fmt: skip
    assert splitter.split("新or款，360手机 V5。") == ["新", "or", "款", "360", "手机", "v5"]


def test_custom_words_of_one_character_leave_other_words_alone():
    assert WordSplitter(("款", "T", "）")).split("新款T恤）款") == ["新款", "t恤", "款"]


def test_one_shops_words_do_not_leak_into_another():
    text = "新款凤栖坞纱裙"
    before = WordSplitter().split(text)
    assert "凤栖坞纱" in WordSplitter(("凤栖坞纱",)).split(text)

    assert WordSplitter().split(text) == before


def test_split_many_is_split_of_each():
    splitter = WordSplitter(("红茶",))
    texts = ["红茶杯", "", "green tea"]

    assert splitter.split_many(texts) == [splitter.split(text) for text in texts]


_LETTERS = "茗茶梵玛森洛古欧蓝天的款新包夏雪"
brand_words = st.lists(
    st.one_of(
        st.text(_LETTERS, min_size=1, max_size=4),
        st.text("abcXYZ019", min_size=1, max_size=5),
        st.sampled_from(["（Abc）", " ", "’", "&", ".", "-", "+", "·", "é", "カ", "（", "）", "!", "🐼"]),
    ),
    min_size=1,
    max_size=4,
).map("".join)


@settings(max_examples=300)
@given(brand_words, st.sampled_from([("新款", "的包"), ("，", "。"), ("new ", " bag"), ("【", "】"), ("", "")]))
def test_any_brand_comes_out_whole_where_it_stands(brand, around):
    splitter = WordSplitter((brand,))
    sentence = normalise(around[0] + brand + around[1])

    for word in splitter.known:
        if word in sentence:
            assert word in splitter.split(sentence)


@settings(max_examples=300)
@given(st.lists(brand_words, max_size=6), st.lists(brand_words, max_size=5).map("".join))
def test_custom_words_lose_no_letter_of_a_text(brands, text):
    def letters(words):
        return [sign for word in words for sign in word if sign.isalnum()]

    assert letters(WordSplitter(tuple(brands)).split(text)) == letters(normalise(text))


@pytest.mark.skipif(not BRANDS.exists(), reason="the list of brands for development is not here")
def test_none_of_ninety_nine_thousand_brands_is_split():
    """All of them at once, each in Chinese, in brackets and in English."""
    brands = BRANDS.read_text(encoding="utf-8").splitlines()
    splitter = WordSplitter(tuple(brands))
    wanted = {brand: normalise(brand) for brand in brands}

    split = [
        brand
        for brand, word in wanted.items()
        if len(word) > 1 and splitter.split(f"新款{brand}的包，【{brand}】with {brand} bag").count(word) != 3
    ]

    assert split == []
    assert {word for word in wanted.values() if len(word) > 1} == splitter.known
    assert len(brands) > 99_000
