"""Text tables: delimiters guessed, quotation marks survived, every line accounted for."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.data.intake.batches import LINE
from tagloom.data.intake.delimited import open_delimited, read_delimited
from tagloom.errors import DataError


def read(path, most=1000, encoding="utf-8"):
    """The good rows as (line, cells), the bad ones as (line, reason, row), and what was mended."""
    good, bad, mended = [], [], {}
    for batch in read_delimited(open_delimited(path, encoding), most):
        good += [(row[0], *row[1:]) for row in batch.frame.rows()]
        bad += [(row.line, row.reason, row.row) for row in batch.bad]
        mended |= {what: mended.get(what, 0) + count for what, count in batch.mended.items()}
    return good, bad, mended


def write(tmp_path, text, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("id,title\n1,a|b;c\n", ","),
        ("id;title;price\n1;a, b, c, d;1,5\n2;c, d;2,5\n", ";"),
        ("id\ttitle\n1\ta, b\n", "\t"),
        ("id|title\n1|a, b\n", "|"),
        ('"name, full";id\n"a, b";1\n', ";"),
        ("title\na b\n", ","),
        ("title\na, b\nc, d\n", ","),
    ],
)
def test_delimiters_are_guessed(tmp_path, text, delimiter):
    assert open_delimited(write(tmp_path, text), "utf-8").delimiter == delimiter


def test_a_tsv_is_split_at_tabs_whatever_else_it_holds(tmp_path):
    source = open_delimited(write(tmp_path, "a,b,c\td\n1,2,3\t4\n", "a.tsv"), "utf-8")
    assert source.columns == ("a,b,c", "d")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
def test_line_ends_of_every_system(tmp_path, end, last):
    path = write(tmp_path, f"id,title{end}1,a{end}2,b{end if last else ''}")
    assert read(path) == ([(2, "1", "a"), (3, "2", "b")], [], {})


def test_lines_count_where_a_row_starts(tmp_path):
    path = write(tmp_path, '\n\nid,title\n1,"a\nb\r\nc"\n\n2,b\n3\n4,d\n')
    good, bad, _ = read(path)
    assert good == [(4, "1", "a\nb\r\nc"), (8, "2", "b"), (10, "4", "d")]
    assert bad == [(9, "expected 2 fields, came 1", ["3"])]


def test_ragged_rows_and_empty_lines(tmp_path):
    path = write(tmp_path, "id,title\n1,a,,\n2,b,c\n3\n\n   \n,\n4,d\n")
    good, bad, mended = read(path)
    assert good == [(2, "1", "a"), (7, "", ""), (8, "4", "d")]
    assert [line for line, *_ in bad] == [3, 4]
    assert mended == {"empty fields after the last column left out": 1}


@pytest.mark.parametrize("rest", ["2,good,fine\n", '2,"quoted, good",fine\n', '2,24" good,fine\n', '2,"a\nb",fine\n'])
@pytest.mark.parametrize("rows", [1, 3, 500])
def test_an_open_quotation_mark_costs_its_own_row_only(tmp_path, rest, rows):
    path = write(tmp_path, 'id,title,note\n0,sound,row\n1,"left open,oh\n' + rest * rows)
    good, bad, _ = read(path)
    assert [(line, row) for line, _, row in bad] == [(3, '1,"left open,oh')]
    assert "a quotation mark is opened in this line" in bad[0][1]
    assert len(good) == rows + 1


def test_several_open_quotation_marks(tmp_path):
    lines = [f'{i},"open,x\n' if i % 5 == 0 else f"{i},fine,x\n" for i in range(1, 51)]
    good, bad, _ = read(write(tmp_path, "id,title,note\n" + "".join(lines)), most=7)
    assert [int(row[1]) for row in good] == [i for i in range(1, 51) if i % 5]
    assert [line for line, *_ in bad] == [i + 1 for i in range(1, 51) if i % 5 == 0]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ('1,24" screen,x', '24" screen'),
        ('1,"24" screen",x', '24" screen'),
        ('1,"24"" screen",x', '24" screen'),
        ('1,"Best" phone,x', '"Best" phone'),
        ('1,"Best, really" phone,x', "Best, really phone"),
    ],
)
def test_stray_quotation_marks_belong_to_the_text(tmp_path, line, title):
    assert read(write(tmp_path, f"id,title,note\n{line}\n2,b,c\n"))[0] == [(2, "1", title, "x"), (3, "2", "b", "c")]


def test_a_text_of_many_lines_stays_whole(tmp_path):
    text = "first, line\nsecond, line\n\n- a, b\n- c"
    path = write(tmp_path, f'id,title,note\n1,"{text}",x\n2,b,c\n')
    assert read(path)[0] == [(2, "1", text, "x"), (7, "2", "b", "c")]


def test_a_field_beyond_all_measure_is_one_bad_row(tmp_path):
    path = write(tmp_path, 'id,title\n1,"' + "x" * 4_000_001 + '"\n2,b\n')
    good, bad, _ = read(path)
    assert good == [(3, "2", "b")]
    assert bad[0][:2] == (2, "a field of more than 4,000,000 characters")


def test_nul_bytes_and_very_many_columns(tmp_path):
    names = [f"c{i}" for i in range(3_000)]
    cells = [f"{i}\x00" for i in range(3_000)]
    good, bad, _ = read(write(tmp_path, f"{','.join(names)}\n{','.join(cells)}\n"))
    assert (good, bad) == ([(2, *cells)], [])


def test_damaged_bytes_cost_their_own_rows_only(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,标题\n1,外套\n2,外".encode() + b"\xe5\xa5,x\n3,\xff\n" + "4,裤\n".encode())
    good, bad, _ = read(path)
    assert good == [(2, "1", "外套"), (5, "4", "裤")]
    assert [(line, row) for line, _, row in bad] == [
        (3, ["2", "外\ufffd\ufffd", "x"]),
        (4, {"id": "3", "标题": "\ufffd"}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n", r"a\.csv, line 1: expected the names of the columns"),
        (" , , \n1,2,3\n", "line 1: expected the names of the columns first, came"),
        ("id,title,title\n1,2,3\n", "the column name 'title' stands more than once .* rename one of them"),
        ("PK\x03\x04\x14\n", "the column names are no text; is this a spreadsheet"),
    ],
)
def test_a_header_that_is_none_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        open_delimited(write(tmp_path, text), "utf-8")


def test_nameless_columns_are_called_by_their_place(tmp_path):
    assert open_delimited(write(tmp_path, ",title\n0,a\n"), "utf-8").columns == ("column 1", "title")


CELL = st.text(st.sampled_from('ab外,;|\t"\n\r \x00👗') | st.characters(exclude_categories=["Cs"]), max_size=8)
TABLE = st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=12))


@given(TABLE, st.sampled_from(",\t;|"), st.integers(1, 20))
def test_what_was_written_is_read(tmp_path_factory, rows, delimiter, most):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    names = [f"column{i}" for i in range(len(rows[0]) if rows else 2)]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    path.write_bytes(buffer.getvalue().encode())
    source = open_delimited(path, "utf-8")
    assert source.delimiter == delimiter
    good, bad, _ = read(path, most)
    assert [list(row[1:]) for row in good] == rows
    assert not bad


@given(st.lists(st.text(st.sampled_from('ab,"\n外'), max_size=12), max_size=20), st.integers(1, 9))
def test_any_text_is_read_to_its_end_and_line_numbers_rise(tmp_path_factory, lines, most):
    path = tmp_path_factory.mktemp("text") / "a.csv"
    path.write_bytes(("x,y,z\n" + "\n".join(lines) + "\nlast,sound,row\n").encode())
    batches = list(read_delimited(open_delimited(path, "utf-8"), most))
    rows = [row for batch in batches for row in batch.frame.rows()]
    numbers = [row[0] for row in rows] + [bad.line for batch in batches for bad in batch.bad]
    assert len(set(numbers)) == len(numbers)
    assert batches[0].frame.columns == [LINE, "x", "y", "z"]
    marks = sum(line.count('"') for line in lines)
    assert any("last" in str(row) for row in rows) or marks
