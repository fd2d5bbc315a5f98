import json
import shutil

import pytest

from tagloom import Shop
from tagloom.cli.posts import _Answering
from tagloom.data.vocabulary.hashtags import Hashtags
from tagloom.recs.recommender import Recommender
from tagloom.tags.posts import PostReader


@pytest.fixture
def posted(shop, cli, tmp_path):
    """A shop in whose log five users wrote one hashtag, and two another."""
    day = "2026-03-01T10:00:00Z"
    rows = [
        {"user_id": f"new{user}", "action": "post", "time": day, "text": f"好看 #{hashtag}# {user}"}
        for hashtag, users in (("多巴胺穿搭", 5), ("小店日常", 2))
        for user in range(users)
    ]
    log = tmp_path / "posts.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = cli("import", shop, "--events", log)
    assert done.code == 0, done.err
    return shop


def proposed(cli, shop, *more):
    done = cli("tags", "proposed", shop, "--json", *more)
    assert done.code == 0, done.err
    return {one["name"]: one for one in json.loads(done.out)}


def test_one_post_is_told_as_a_table_and_as_json(shop, cli):
    tag = next(tag for tag in Shop.open(shop).tagger().tags if "=" not in tag)
    done = cli("post", shop, f"#{tag}# 绝绝子😍 #通勤穿搭测试#")
    assert done.code == 0, done.err
    assert tag in done.out
    assert "Hashtags that could be tags: 通勤穿搭测试" in done.out

    answer = json.loads(cli("post", shop, f"#{tag}#", "--json").out)
    assert answer["hashtags"] == [tag]
    assert tag in [one["tag"] for one in answer["tags"]]
    assert not answer["none"]
    assert json.loads(cli("post", shop, "早上好", "--json").out)["none"]


def test_without_a_recommender_there_are_no_products(shop, cli):
    assert json.loads(cli("post", shop, "连衣裙 手机", "--json").out)["products"] == []


def test_products_are_recommended_for_what_the_post_says(recs_shop, cli):
    tag = next(tag for tag in Shop.open(recs_shop).tagger().tags if "=" not in tag)
    user = Shop.open(recs_shop).events.frame["user_id"][0]
    products = json.loads(cli("post", recs_shop, f"#{tag}#", "--json", "--top", "3").out)["products"]
    personal = json.loads(cli("post", recs_shop, f"#{tag}#", "--json", "--top", "3", "--user", user).out)["products"]

    assert len(products) == len(personal) == 3
    assert products != personal
    assert json.loads(cli("post", recs_shop, "早上好", "--json").out)["products"] == []
    done = cli("post", recs_shop, "好", "--user", "nobody")
    assert done.code == 2
    assert "nobody: is not in the log" in done.err


@pytest.mark.parametrize("tag", ["黑色", "送礼"])
def test_the_first_product_has_the_tag_that_the_post_is_about(recs_shop, cli, tag):
    found = json.loads(cli("post", recs_shop, f"今天收到了，绝绝子😍 #{tag}#", "--json").out)["products"]
    tags_of = dict(Shop.open(recs_shop).products.frame.select("product_id", "tags").iter_rows())

    assert tag in tags_of[found[0]["product_id"]]


def test_a_post_of_an_emoji_alone_that_is_a_tag_does_not_stop_the_file(recs_shop, cli, tmp_path):
    mine, file = shutil.copytree(recs_shop, tmp_path / "mine"), tmp_path / "posts.jsonl"
    assert cli("tags", "add", mine, "👗", "--text", "连衣裙").code == 0
    file.write_text('{"text": "👗"}\n{"text": "#黑色#"}\n', encoding="utf-8")
    done = cli("post", mine, "--file", file, "--json")

    assert done.code == 0, done.err
    assert [json.loads(line)["hashtags"][0] for line in done.out.splitlines()] == ["👗", "黑色"]


def test_without_a_search_products_follow_what_was_done_and_an_emoji_counts_by_its_name(recs_shop):
    opened = Shop.open(recs_shop)
    reader = PostReader(opened.tagger(), Hashtags(opened.vocabulary.add(["👗"])))
    recommender = Recommender(model="neighbours", split="last").fit(opened.products, opened.events)
    answering = _Answering(reader, recommender.seeing(opened.products, opened.events), 3, None, "", [])

    assert len(answering.one("👗")["products"]) == 3


def test_a_file_of_posts_is_answered_line_by_line_and_bad_lines_are_kept(shop, cli, tmp_path):
    file, out = tmp_path / "posts.jsonl", tmp_path / "answers.jsonl"
    tag = next(tag for tag in Shop.open(shop).tagger().tags if "=" not in tag)
    texts = {"a": f"#{tag}#", "b": "", "c": "早上好"}
    first, *others = (json.dumps({"id": key, "content": text}) for key, text in texts.items())
    file.write_text("\n".join([first, "no json", *others]), encoding="utf-8")
    done = cli("post", shop, "--file", file, "--out", out)

    assert done.code == 0, done.err
    assert "Read 2 posts, of which 1 are about nothing known here" in done.out
    assert "line 2" in done.err
    assert "line 3, content: empty" in done.err
    answers = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert {answer["line"]: answer.get("post_id", "unread") for answer in answers} == {
        1: "a",
        2: "unread",
        3: "unread",
        4: "c",
    }
    assert next(answer["row"] for answer in answers if "unread" in answer) == "no json"
    assert json.loads(cli("post", shop, "--file", file, "--out", out, "--json").out)["unread"] == 2
    shown = cli("post", shop, "--file", file, "--json").out.splitlines()
    assert [json.loads(line) for line in shown] == answers


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "--file, one of the two"),
        (("text", "--file", "posts.jsonl"), "--file, one of the two"),
        (("text", "--out", "a.jsonl"), "--out is for --file"),
        (("--file", "missing.jsonl"), "no such file"),
        (("text", "--threshold", "3"), "threshold"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(shop, cli, arguments, problem):
    done = cli("post", shop, *arguments)

    assert done.code == 2
    assert problem in done.err


def test_a_file_without_posts_is_told(shop, cli, tmp_path):
    file = tmp_path / "goods.csv"
    file.write_text("sku,price\n1,2\n", encoding="utf-8")
    done = cli("post", shop, "--file", file)

    assert done.code == 2
    assert "no column holds the posts" in done.err


def test_a_hashtag_of_enough_users_is_proposed_accepted_and_undone(posted, cli):
    assert proposed(cli, posted)["多巴胺穿搭"]["users"] == 5
    assert "小店日常" not in proposed(cli, posted)
    before = len(Shop.open(posted).vocabulary)

    done = cli("tags", "accept", posted, "多巴胺穿搭")
    assert done.code == 0, done.err
    assert "Added 多巴胺穿搭" in done.out
    opened = Shop.open(posted)
    assert len(opened.vocabulary) == before + 1
    assert "多巴胺穿搭" in opened.tagger().tags
    assert "多巴胺穿搭" not in proposed(cli, posted)
    assert json.loads(cli("post", posted, "#多巴胺穿搭#", "--json").out)["hashtags"] == ["多巴胺穿搭"]


def test_a_hashtag_is_accepted_as_another_word_for_a_tag(posted, cli):
    tag = Shop.open(posted).vocabulary.tags[0].name
    done = cli("tags", "accept", posted, "多巴胺穿搭", "--as", tag)

    assert done.code == 0, done.err
    assert Shop.open(posted).vocabulary.find("多巴胺穿搭").name == tag
    assert json.loads(cli("post", posted, "#多巴胺穿搭#", "--json").out)["hashtags"] == [tag]


def test_a_declined_hashtag_is_not_proposed_until_that_is_undone(posted, cli):
    done = cli("tags", "decline", posted, "#多巴胺穿搭#")
    assert done.code == 0, done.err
    number = done.out.split()[-1]
    assert "多巴胺穿搭" not in proposed(cli, posted)
    assert "decline" in cli("tags", "history", posted).out

    assert cli("tags", "undo", posted, number).code == 0
    assert "多巴胺穿搭" in proposed(cli, posted)


def test_posts_of_a_file_count_too(posted, cli, tmp_path):
    file = tmp_path / "more.csv"
    file.write_text("user,text\nx1,#小店日常#\nx2,\n", encoding="utf-8")

    assert proposed(cli, posted, "--file", file)["小店日常"]["users"] == 3
    assert cli("tags", "decline", posted, "小店日常", "--file", file).code == 0


@pytest.mark.parametrize("command", ["accept", "decline"])
def test_only_what_is_proposed_is_accepted_or_declined(posted, cli, command):
    done = cli("tags", command, posted, "多巴胺穿答")
    assert done.code == 2
    assert "did you mean '多巴胺穿搭'" in done.err

    tag = Shop.open(posted).vocabulary.tags[0].name
    assert "is a tag already" in cli("tags", command, posted, tag).err


def test_proposals_as_a_table_say_what_to_do_next(posted, cli):
    done = cli("tags", "proposed", posted, "--top", "50")

    assert "多巴胺穿搭" in done.out
    assert "tagloom tags accept" in done.out
