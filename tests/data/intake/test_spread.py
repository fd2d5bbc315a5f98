"""Columns of cells at once give what the cells give one by one."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.data.intake import cells, spread

PIECES = (*"aB1红👗 \n|;；,，、=:：#*[]{}/>", '"', "'", "nan", "None", "//")
CELLS = st.lists(st.none() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join), max_size=8)


@given(CELLS, st.sampled_from(cells.SEPARATORS))
def test_lists_and_pairs_are_those_of_the_single_cells(column, separator):
    series = pl.Series("x", column, dtype=pl.String)
    assert spread.lists(series, separator).to_list() == [cells.parse_list(cell, separator) for cell in column]
    pairs = [[(pair["name"], pair["value"]) for pair in row] for row in spread.pairs(series, separator)]
    assert pairs == [cells.parse_pairs(cell, separator) for cell in column]
    assert spread.paths(series).to_list() == [cells.parse_path(cell) for cell in column]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_types_hold_for_any_number_of_rows(rows):
    column = pl.Series("x", [None] * rows, dtype=pl.String)
    assert spread.lists(column, "|").dtype == pl.List(pl.String)
    assert spread.pairs(column, "|").to_list() == spread.paths(column).to_list() == [[]] * rows


def test_several_list_columns_are_joined_without_repeats():
    first, second = pl.Series("a", [["x", "y"], []]), pl.Series("b", [["y", "z"], ["z"]])
    assert spread.joined([first, second]).to_list() == [["x", "y", "z"], ["z"]]


def test_a_column_each_becomes_pairs_named_like_the_columns():
    colour, odd = pl.Series("颜色", ["红", None]), pl.Series("^.*$", [None, "1"])
    assert spread.from_columns([colour, odd]).to_list() == [
        [{"name": "颜色", "value": "红"}],
        [{"name": "^.*$", "value": "1"}],
    ]
