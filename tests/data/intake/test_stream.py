import pytest

from tagloom.config import ReadSettings
from tagloom.data.intake.stream import PostRow, posts_of
from tagloom.errors import DataError


def read(path, text):
    path.write_text(text, encoding="utf-8")
    batches = list(posts_of(path, ReadSettings()))
    return [row for rows, _ in batches for row in rows], [bad for _, rejected in batches for bad in rejected]


def test_posts_have_their_line_id_user_and_text(tmp_path):
    rows, bad = read(tmp_path / "posts.csv", "用户,评论,id\nu1,好看,7\nu2,,8\n,不错,9\n")

    assert rows == [PostRow(2, "7", "u1", "好看"), PostRow(4, "9", "", "不错")]
    assert [(one.line, one.column) for one in bad] == [(3, "评论")]


def test_a_text_alone_is_enough(tmp_path):
    rows, bad = read(tmp_path / "posts.jsonl", '{"text": "好看"}\n{"text": 5\n')

    assert [(row.text, row.user_id, row.post_id) for row in rows] == [("好看", "", "")]
    assert [one.line for one in bad] == [2]


def test_half_a_surrogate_pair_makes_a_bad_row_that_says_so(tmp_path):
    rows, bad = read(tmp_path / "posts.jsonl", '{"text": "好\\ud83d"}\n{"text": "好看"}\n')

    assert [row.text for row in rows] == ["好看"]
    assert "damaged" in bad[0].reason


def test_a_file_without_a_text_is_told_with_its_columns(tmp_path):
    with pytest.raises(DataError, match=r"no column holds the posts.*\['sku', 'price'\]"):
        read(tmp_path / "goods.csv", "sku,price\n1,2\n")
