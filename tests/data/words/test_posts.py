import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.data.words.posts import chatter, chatter_words, hashtag_words, read_post
from tagloom.data.words.text import MAX_CHARACTERS

# fmt: off
_PIECES = [
    "#", "##", "＃", "@", "＠小美", "//@", "RT ", "转发微博", "http://t.cn/A6", "www.a.cn", "[doge]", "[", "]",
    "#通勤#", "#Ootd", " ", "\n", "\u200b", "\ufe0f", "\ud83d", "😍", "👍🏻", "好好好好", "soooo", "哈哈哈哈", "yyds",
    "a@b.cn", "&#39;", "C#", "1", "。", "！！", "ı", "İ", "kında", "kİnda", "KINDA",
]
# fmt: on
dirty_posts = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=3)), max_size=15).map("".join)


@given(dirty_posts)
def test_any_text_is_taken_apart_into_parts_that_can_be_stored(text):
    post = read_post(text)

    for part in (post.plain, *post.hashtags, *post.mentions, *post.emoji, *post.passages()):
        part.encode("utf-8")
    assert "http://" not in post.plain
    assert all(passage.strip() for passage in post.passages())


@pytest.mark.parametrize(
    ("text", "hashtags"),
    [
        ("#通勤穿搭# 好看 #显瘦#", ("通勤穿搭", "显瘦")),
        ("＃显瘦＃真的", ("显瘦",)),
        ("今天#我渴了#喝茶", ("我渴了",)),
        ("#显瘦##通勤#", ("显瘦", "通勤")),
        ("love it #ootd #OfficeLook!", ("ootd", "OfficeLook")),
        ("#显瘦 #通勤 好看", ("显瘦", "通勤")),
        ("好看#显瘦#通勤#ootd", ("显瘦", "通勤", "ootd")),
        ("#nike run# today", ("nike run",)),
        ("#穿搭[话题]# 好看", ("穿搭",)),
        ("C# is #1, &#39; /page/#top", ()),
        ("# ## ### # #", ()),
        ("#👗👗 #显瘦", ("👗👗", "显瘦")),
    ],
)
def test_hashtags_of_both_forms_are_found(text, hashtags):
    assert read_post(text).hashtags == hashtags


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("看这里 http://t.cn/A6x?b=1#top好看", "看这里 好看"),
        ("转发微博//@小红:太好看了", "太好看了"),
        ("RT @nike: great shoes", "great shoes"),
        ("写信给 ann@shop.cn 问问", "写信给 问问"),
        ("显瘦[doge][笑哭R] [S码]", "显瘦 [S码]"),
        ("#OfficeLook and #summer_dress", "Office Look and summer dress"),
        ("MacBook stays", "MacBook stays"),
        ("soooo gooood, coooool, looove", "so good, cool, love"),
        ("XXXL AAA www 1000 码xxx aaa级 abbb2 b_ccc", "XXXL AAA www 1000 码xxx aaa级 abbb2 b_ccc"),
        ("sooo好看，好looove你", "so好看,好love你"),
        ("好好好好看，非常非常非常舒服", "好看,非常舒服"),
        ("哈哈哈哈 显瘦 hahaha", "显瘦"),
        ("这条裙子yyds，绝绝子！！！", "这条裙子非常好,非常好!"),
        ("plz restock, must have", "please restock, recommended"),
        ("种草莓，种草了", "种草莓,想买了"),
        ("放入手机", "放入手机"),
        ("ｗｉ－ｆｉ　\u200b路由器", "wi-fi 路由器"),
    ],
)
def test_what_models_read_is_plain(text, plain):
    assert read_post(text).plain == plain


def test_names_and_emoji_are_found_once_each_and_are_no_text():
    post = read_post("@小美 @Ann: 好看😍😍 #👗 @小美")

    assert post.mentions == ("小美", "Ann")
    assert post.emoji == ("😍", "👗")
    assert post.plain == "好看"


@pytest.mark.parametrize("text", ["", "  ", "http://t.cn/A6 https://x.cn/b", "😍😍", "@小美", "[doge]", "\ud800"])
def test_a_post_of_nothing_has_no_text_and_no_passage(text):
    post = read_post(text)

    assert post.plain == ""
    assert post.passages() == ()


@pytest.mark.parametrize(
    "piece", ["#", "#a", "#a ", "a#", "@a", "好", "a", "[", "http://", "hello wor", "👗", "// @", "\n", "é"]
)
def test_the_longest_post_is_read_in_little_time_and_no_more_of_it(piece):
    text = piece * (2 * MAX_CHARACTERS // len(piece))
    start = time.process_time()
    post = read_post(text)
    passages = post.passages()

    assert time.process_time() - start < 5  # seconds; a pattern that goes back takes minutes
    assert len(post.plain) <= 2 * MAX_CHARACTERS
    assert len(passages) <= 41


@pytest.mark.parametrize("end", ["中", "1", "_", ""])
def test_letters_that_run_into_others_are_read_in_little_time(end):
    start = time.process_time()
    plain = read_post("aaab" * (MAX_CHARACTERS // 4 - 1) + end).plain

    assert time.process_time() - start < 5  # seconds; a pattern that begins anew at each letter takes minutes
    assert plain.startswith("ab" if end in ("中", "") else "aaab")


@pytest.mark.parametrize("text", ["kında", "kİnda", "holy graıl"])
def test_letters_that_only_look_like_those_of_slang_make_another_word(text):
    assert read_post(text).plain == text


def test_passages_are_whole_sentences_and_lose_nothing():
    text = "裙子很好看。物流太慢了！\n面料是纯棉的；穿着舒服"
    passages = read_post(text).passages(characters=8)

    assert passages == ("裙子很好看。 物流太慢了!", "面料是纯棉的; 穿着舒服")
    assert read_post(text).passages() == ("裙子很好看。 物流太慢了! 面料是纯棉的; 穿着舒服",)


def test_a_hashtag_is_cut_into_the_words_it_was_made_of():
    assert hashtag_words("SummerDress2026") == "Summer Dress 2026"
    assert hashtag_words("iPhone") == "iPhone"
    assert hashtag_words("显瘦穿搭") == "显瘦穿搭"


def test_chatter_is_in_both_languages_and_names_no_product():
    assert any(line.isascii() for line in chatter())
    assert any(not line.isascii() for line in chatter())
    assert {"的", "the"} <= chatter_words()
    assert chatter_words().isdisjoint({"连衣裙", "手机", "纯棉", "dress", "phone", "red", "红色"})
