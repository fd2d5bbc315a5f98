"""Posts read by a Tagger of planted products: each kind, colour and material is said by words of its own."""

import time

import pytest

from tagloom.data.tables import Products
from tagloom.data.vocabulary.hashtags import Hashtags
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.errors import NotFittedError, UserError
from tagloom.tags.posts import PostReader
from tagloom.tags.tagger import Tagger

KINDS = {"连衣裙": "连衣裙", "手机": "手机", "耳机": "耳机", "帽子": "帽子"}
COLOURS = {"红色": "颜色=红色", "蓝色": "颜色=蓝色", "green": "颜色=green"}
MATERIALS = {"纯棉": "材质=纯棉", "真丝": "材质=真丝"}


@pytest.fixture(scope="module")
def reader():
    rows = [
        {"product_id": f"{kind}{colour}{material}{n}", "title": f"新款{colour}{kind} {material} {n}件",
         "tags": [KINDS[kind], COLOURS[colour], MATERIALS[material]]}
        for kind in KINDS for colour in COLOURS for material in MATERIALS for n in range(12)
    ]  # fmt: skip
    products = Products.of(rows)
    names = [*KINDS.values(), *COLOURS.values(), *MATERIALS.values()]
    vocabulary = Vocabulary().add(names).add_alias("帽子", "渔夫帽").add(["露营", "👗"]).decline("好物分享")
    tagger = Tagger(experts=["linear", "name"], epochs=4, learning_rate=8.0).fit(products, vocabulary=vocabulary)
    return PostReader(tagger, Hashtags(vocabulary))


def told(reader, text, **asked):
    (answer,) = reader.read([text], **asked)
    return {score.tag for score in answer.tags}


def test_a_post_gets_the_tags_of_each_thing_it_is_about(reader):
    text = "今天收到的红色连衣裙绝绝子😍😍！穿着很舒服，一点都不后悔，家里人看了都说好，准备再去看看别的东西。" * 3
    text += "\n顺便说一下上周买的蓝色手机，已经用了几天了，速度很快，声音也好，比原来的那一部好得太多了。"

    assert told(reader, text) == {"连衣裙", "颜色=红色", "手机", "颜色=蓝色"}


@pytest.mark.parametrize(
    "text",
    ["", "早上好呀大家", "转发微博", "Good morning everyone!", "http://t.cn/A6 http://t.cn/A7", "😍😍😍",
     "哈哈哈哈哈", "\ud800", "物流太慢了，服务态度也不好，差评！", "I do not know what to say"],
)  # fmt: skip
def test_a_post_about_nothing_gets_no_tag_though_the_tagger_alone_always_has_a_guess(reader, text):
    (answer,) = reader.read([text])

    assert answer.none
    assert answer.tags == ()


def test_chatter_gets_no_tags_where_the_tagger_gives_some(reader):
    text = "新款很好，就买了一件"

    assert reader.tagger.suggest(text, 1, threshold=0.0)[0]
    assert told(reader, text) == set()


@pytest.mark.parametrize("text", ["#红色# 好看", "＃红色＃", "so nice #红色", "买它#红色#不后悔"])
def test_a_hashtag_of_either_form_that_is_a_tag_counts_as_that_tag(reader, text):
    (answer,) = reader.read([text])

    assert answer.hashtags == ("颜色=红色",)
    (score,) = [score for score in answer.tags if score.tag == "颜色=红色"]
    assert score.confidence >= 0.95
    assert [word.text for word in score.because] == ["#红色"]
    assert score.tag_id == reader.hashtags.vocabulary.tag("颜色=红色").id


def test_other_hashtags_are_told_as_proposed_and_are_no_tags(reader):
    (answer,) = reader.read(["#通勤穿搭# 早上好 #OfficeLook #2026 #好物分享#"])

    assert answer.proposed == ("通勤穿搭", "Office Look")  # neither a number nor what was declined
    assert answer.hashtags == ()
    assert answer.tags == ()


def test_tags_that_only_the_vocabulary_knows_are_found_by_name_alias_and_emoji(reader):
    assert told(reader, "周末去露营吧") == {"露营"}
    assert told(reader, "#渔夫帽#") == {"帽子"}
    assert told(reader, "👗👗") == {"👗"}


@pytest.mark.parametrize(
    ("rules", "tags"),
    [
        ({"exclude": ["颜色=*", "露营"]}, {"手机"}),
        ({"exclude": ["手机", "👗"]}, {"颜色=红色", "露营"}),
        ({"include": ["手机"]}, {"手机"}),
    ],
)
def test_what_the_settings_forbid_is_not_given_by_hashtags_and_names_either(reader, rules, tags):
    tagger = Tagger(**reader.tagger.settings, **rules)
    tagger._fitted = reader.tagger._fitted
    (answer,) = PostReader(tagger, reader.hashtags).read(["#红色# #手机# 周末去露营吧"])

    assert {score.tag for score in answer.tags} == tags
    assert set(answer.hashtags) == tags - {"露营"}
    assert answer.proposed == ()


@pytest.mark.parametrize("text", ["这根本不是纯棉", "没有纯棉", "一点也不露营", "not green", "it is not really green"])
def test_what_is_denied_is_not_given(reader, text):
    assert told(reader, text) == set()


@pytest.mark.parametrize("text", ["质量不错纯棉", "不是真丝，是纯棉"])
def test_a_denial_reaches_no_further_than_its_word(reader, text):
    assert "材质=纯棉" in told(reader, text)
    assert "材质=真丝" not in told(reader, text)


def test_chinese_and_english_are_read_in_one_post(reader):
    assert told(reader, "OMG 这条连衣裙 is soooo green，loooove it!") == {"连衣裙", "颜色=green"}


def test_each_tag_says_which_words_carried_it(reader):
    (answer,) = reader.read(["这条红色的裙子是纯棉的"])

    assert {score.tag: score.because[0].text for score in answer.tags} == {"颜色=红色": "红色", "材质=纯棉": "纯棉"}


def test_a_post_reads_the_same_alone_and_among_others(reader):
    texts = ["红色连衣裙", "", "蓝色手机 #露营#", "早上好"]

    assert reader.read(texts) == [answer for text in texts for answer in reader.read([text])]


def test_top_and_threshold_are_kept(reader):
    text = "红色连衣裙 纯棉"

    assert len(reader.read([text], top=1)[0].tags) == 1
    assert all(score.confidence >= 0.9 for score in reader.read([text], threshold=0.9)[0].tags)
    assert told(reader, text, threshold=1.0) == set()


def test_a_post_of_a_hundred_thousand_characters_is_read_in_seconds(reader):
    start = time.process_time()
    found = told(reader, "今天天气不错，出去走走。" * 8_000 + "红色连衣裙")

    assert time.process_time() - start < 20
    assert "颜色=红色" in found


def test_what_cannot_be_asked_is_told(reader):
    with pytest.raises(UserError, match="expected a string"):
        reader.read([None])
    with pytest.raises(UserError, match="top"):
        reader.read(["a"], top=0)
    with pytest.raises(UserError, match="threshold"):
        reader.read(["a"], threshold=2)
    with pytest.raises(NotFittedError):
        PostReader(Tagger(), Hashtags(Vocabulary())).read(["a"])
