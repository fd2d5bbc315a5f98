import re
import time

import pytest

from tagloom.config import TagSettings
from tagloom.data.vocabulary.hashtags import Hashtags
from tagloom.data.vocabulary.lists import UserLists
from tagloom.data.vocabulary.vocab import Vocabulary

VOCABULARY = (
    Vocabulary().add(["显瘦", "phone case", "颜色=红色", "主色=蓝色", "颜色=蓝色", "👗"]).add_alias("显瘦", "遮肉")
)


def posts(hashtag, users, each=1):
    return [(f"u{user}", f"好看 #{hashtag}# @小美 http://t.cn/a") for user in range(users) for _ in range(each)]


def test_a_hashtag_is_a_known_tag_by_name_alias_spelling_synonym_or_value():
    hashtags = Hashtags(VOCABULARY, UserLists({"藏肉": "显瘦"}, frozenset(), ()))

    assert {hashtags.tag(one).name for one in ("显瘦", "顯瘦", "遮肉", "藏肉")} == {"显瘦"}
    assert [hashtags.tag(one).name for one in ("PhoneCases", "红色", "👗")] == ["phone case", "颜色=红色", "👗"]
    assert hashtags.tag("蓝色") is None  # of two attributes
    assert hashtags.tag("通勤") is None


def test_a_hashtag_that_could_be_no_tag_has_no_name():
    hashtags = Hashtags(VOCABULARY, UserLists({}, frozenset({"好物分享"}), ()))

    assert hashtags.name("OfficeLook") == "Office Look"
    assert [hashtags.name(one) for one in ("2026", "好物分享", "我的收藏", "！！")] == [""] * 4


def test_only_what_several_users_wrote_is_proposed_with_counts_examples_and_the_nearest_tag():
    hashtags = Hashtags(VOCABULARY, settings=TagSettings(proposed_users=3))
    log = [
        *posts("超显瘦", 4, each=2),
        *posts("露营", 3),
        *posts("小美的店", 2, each=9),
        *posts("显瘦", 9),
        *posts("12", 9),
    ]
    found = hashtags.proposals(log)

    assert [(one.name, one.posts, one.users, one.nearest) for one in found] == [
        ("超显瘦", 8, 4, "显瘦"),
        ("露营", 3, 3, ""),
    ]
    assert found[0].examples == ("好看 超显瘦",) * 3  # of different users, without links and names
    assert hashtags.proposals(log, top=1) == found[:1]


@pytest.mark.parametrize("number", ["13812345678", "138 1234 5678", "138-1234-5678", "１３８１２３４５６７８", "12345"])
def test_examples_are_what_stands_around_the_hashtag_without_long_numbers(number):
    text = (
        f"住在和平路一百号三单元{'。' * 3}" + "很长的话" * 9 + f"电话{number}买于2026年 #露营# 好看{number}" + "啊" * 99
    )
    (found,) = Hashtags(Vocabulary(), settings=TagSettings(proposed_users=1)).proposals([("a", text)])
    (example,) = found.examples

    assert "露营" in example
    assert "买于2026年" in example
    assert "和平路" not in example
    assert "**" in example
    assert not re.search(r"\d{5}|38", example)
    assert len(example) <= 40


def test_the_names_alone_of_a_thousand_proposals_are_told_in_little_time():
    """Looking for the nearest of three thousand tags takes each of them milliseconds."""
    tags = Vocabulary().add([f"标签{number:x}样式" for number in range(3_000)])
    hashtags = Hashtags(tags, settings=TagSettings(proposed_users=1))
    log = [("a", f"#话题{chr(0x4E00 + number)}#") for number in range(1_000)]
    hashtags.tag("话题")
    start = time.process_time()

    assert len(hashtags.proposed(log)) > 900  # some are two ways to write one sign
    assert time.process_time() - start < 2


def test_spellings_of_one_hashtag_are_counted_together_under_the_commonest():
    log = [("a", "#officelook"), ("b", "#OfficeLook"), ("c", "#OfficeLook"), ("d", "#office_look")]

    assert [(one.name, one.users) for one in Hashtags(Vocabulary()).proposals(log)] == [("Office Look", 4)]


def test_what_was_declined_is_not_proposed_until_that_is_undone():
    vocabulary = Vocabulary().decline("露营")
    log = posts("露营", 5)

    assert Hashtags(vocabulary).proposals(log) == []
    assert [one.name for one in Hashtags(vocabulary.undo(0)).proposals(log)] == ["露营"]


def test_what_was_accepted_is_a_tag_and_proposed_no_more():
    log = posts("露营", 5)

    assert Hashtags(Vocabulary().add(["露营"])).proposals(log) == []
    assert Hashtags(VOCABULARY.add_alias("显瘦", "露营")).tag("露营").name == "显瘦"
