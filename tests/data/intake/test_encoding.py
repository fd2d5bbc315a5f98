"""Encodings are told apart by the bytes, and damage stays where it is."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.data.intake.encoding import choose_encoding, find_encoding, open_text
from tagloom.errors import DataError

SIMPLIFIED = "编号,标题,描述\n1,宽松牛仔外套,胸前刺绣的短款外套，春秋都能穿\n" * 20
TRADITIONAL = "編號,標題,描述\n1,寬鬆牛仔外套,胸前刺繡的短款外套，春秋都能穿，質感厚實，顯瘦遮肉，熱賣\n" * 20
WESTERN = "id,title\n1,Crème brûlée à la française – déjà vu\n2,Fünf müde Mäuse\n" * 20


@pytest.mark.parametrize("text", [SIMPLIFIED, TRADITIONAL, "id,title\n1,牛仔外套\n", "标题\n外套\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_each_encoding_is_found_and_read(tmp_path, text, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    assert find_encoding(path) == encoding
    with open_text(path, find_encoding(path)) as file:
        assert file.read() == text


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_the_first_megabytes_may_be_plain_ascii(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,title\n" + b"1,plain title\n" * 200_000 + SIMPLIFIED.encode(encoding))
    assert find_encoding(path) == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("shift", range(4))
def test_a_character_may_lie_across_the_end_of_what_is_looked_at(tmp_path, encoding, shift):
    path = tmp_path / "a.csv"
    path.write_bytes(("x" * shift + "外套" * 400_000).encode(encoding))
    assert find_encoding(path) == encoding


def test_plain_ascii_is_utf8(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,title\n1,shirt\n")
    assert find_encoding(path) == "utf-8"


def test_a_few_damaged_bytes_do_not_change_the_verdict(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(SIMPLIFIED.encode() + b"2,\xe7\x89,x\n" + SIMPLIFIED.encode())
    assert find_encoding(path) == "utf-8"
    path.write_bytes(SIMPLIFIED.encode("gb18030") + b"2,\xff,x\n")
    assert find_encoding(path) == "gb18030"


def test_replacement_characters_of_an_earlier_accident_are_utf8(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,title\n1,caf\ufffd\n".encode())
    assert find_encoding(path) == "utf-8"


@pytest.mark.parametrize("content", [WESTERN.encode("cp1252"), TRADITIONAL.encode("big5", "ignore"), b"\x80\xff" * 99])
def test_other_encodings_are_refused_instead_of_misread(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.csv: the encoding is neither UTF-8 nor GB18030; save the file as UTF-8"):
        find_encoding(path)


@pytest.mark.parametrize(
    ("told", "is_in", "named"),
    [
        ("utf-8", "gb18030", "another encoding"),
        ("utf-8-sig", "utf-16", "utf-16"),
        ("gb18030", "utf-8", "utf-8"),
        ("gb18030", "utf-8-sig", "utf-8-sig"),
    ],
)
def test_a_told_encoding_that_is_plainly_wrong_is_refused(tmp_path, told, is_in, named):
    path = tmp_path / "a.csv"
    path.write_bytes(SIMPLIFIED.encode(is_in))
    with pytest.raises(
        DataError, match=f"read.encoding in tagloom.toml is '{told}', but the file is in {named}; write"
    ):
        choose_encoding(path, told)


@pytest.mark.parametrize(
    ("told", "is_in"),
    [("utf-8", "utf-8"), ("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8"), ("gb18030", "gb18030"), ("gb18030", "ascii")],
)
def test_a_told_encoding_that_fits_is_taken(tmp_path, told, is_in):
    path = tmp_path / "a.csv"
    text = "id,title\n1,shirt\n" if is_in == "ascii" else SIMPLIFIED
    path.write_bytes(text.encode(is_in))
    with open_text(path, choose_encoding(path, told)) as file:
        assert file.read() == text


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "gb18030", "utf-16"]))
def test_no_bytes_stop_the_reading_and_no_line_break_is_lost(tmp_path_factory, content, encoding):
    path = tmp_path_factory.mktemp("bytes") / "a.csv"
    path.write_bytes(codecs.BOM_UTF16_LE * (encoding == "utf-16") + content)
    with open_text(path, encoding) as file:
        text = file.read()
    if encoding == "utf-8":
        assert text.count("\n") == content.count(b"\n")
