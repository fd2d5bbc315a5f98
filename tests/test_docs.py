"""What the docs show is true: Python blocks run, commands and options exist, tables and settings agree with the code.

.venv/bin/python tests/test_docs.py     writes the tables of docs/data-formats.md afresh
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

import tagloom
from tagloom.config import load_settings
from tagloom.data.intake.columns import _USUAL, ACTION_NAMES, map_columns

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]
FORMATS = ROOT / "docs" / "data-formats.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language on a page."""
    return [body for name, body in BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


# Python


@pytest.fixture(scope="module")
def printed_by_readme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What README.md's Python prints on a small sample shop; we stay in its folder, where `my-shop` now is."""
    import polars as pl

    folder = tmp_path_factory.mktemp("docs")
    files = tagloom.write_sample(
        folder / "files", seed=0, products=300, users=25
    )  # fewer users are no log to learn an order from
    files.products.rename(folder / "goods.csv")
    events = [json.loads(line) for line in files.events.read_text("utf-8").splitlines() if line.endswith("}")]
    pl.DataFrame(events, infer_schema_length=None).write_parquet(folder / "log.parquet")
    before = Path.cwd()
    os.chdir(folder)
    try:
        (code,) = blocks(ROOT / "README.md", "python")
        yield run(code, {})
    finally:
        os.chdir(before)


def run(code: str, names: dict[str, Any]) -> str:
    """What a block prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(code, "docs", "exec"), names)
    return out.getvalue()


def test_the_readmes_python_is_about_fifteen_lines_and_runs(printed_by_readme):
    (code,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in code.splitlines() if line]) <= 15
    first, second, *tags, _, _, third, wanted = printed_by_readme.splitlines()
    assert re.fullmatch(r"3\d\d products, \d+ tags", first)
    assert second.startswith("0001 0.")
    assert tags
    assert re.fullmatch(r"p\d{5}(-en)? 0\.\d+", third)
    assert len(ast.literal_eval(wanted)) == 3


def test_the_blocks_of_the_python_page_run_one_after_the_other(printed_by_readme):
    names: dict[str, Any] = {}
    printed = [run(code, names) for code in blocks(ROOT / "docs" / "python.md", "python")]
    assert len(printed) >= len(tagloom.__all__) - 1
    assert "no shop here" in printed[-1]


def test_the_blocks_of_the_page_on_recommending_run_one_after_the_other(printed_by_readme):
    names: dict[str, Any] = {}
    printed = [run(code, names) for code in blocks(ROOT / "docs" / "recommending.md", "python")]
    assert len(printed) == 3
    assert len(printed[-1].splitlines()) == 5


# Commands


def commands() -> dict[str, Any]:
    """Every command by its words, as in tests/test_in_step.py."""
    from typer.main import get_command

    from tagloom import cli

    found: dict[str, Any] = {}

    def walk(words: str, command: Any) -> None:
        found[words] = command
        for name, child in getattr(command, "commands", {}).items():
            walk(f"{words} {name}", child)

    walk("tagloom", get_command(cli.app))
    return found


def command_lines(page: Path) -> Iterator[str]:
    """Every `tagloom ...` of a page: lines of plain blocks, and code within the text."""
    text = page.read_text(encoding="utf-8")
    lines = [line for body in blocks(page, "") for line in body.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    for line in [*lines, *inline]:
        match = re.match(r"(?:\$ )?(?:[^|#]*\| )?(?:\.venv/bin/)?(tagloom [a-z-].*)", line)
        if match:
            yield match[1]


def what_is_wrong(line: str, known: dict[str, Any]) -> str:
    """Why a command line would not be understood; empty if it would."""
    words = shlex.split(line, comments=True)
    name = words[0]
    while len(words) > 1 and f"{name} {words[1]}" in known:
        name = f"{name} {words.pop(1)}"
    command, given = known[name], words[1:]
    if getattr(command, "commands", None):
        return "" if not given or given == ["--help"] else f"`{name}` has no command {given[0]!r}"
    options = {opt: one for one in command.params for opt in one.opts if one.param_type_name == "option"}
    options["--help"] = None
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    places = 0
    while given:
        word = given.pop(0)
        if word.startswith("--"):
            if word not in options:
                return f"`{name}` has no option {word}"
            if options[word] is not None and not options[word].is_flag:
                if not given:
                    return f"{word} of `{name}` needs a value"
                given.pop(0)
        else:
            places += 1
    most = None if any(one.nargs == -1 for one in arguments) else len(arguments)
    # In a sentence a command may stand by its name alone.
    least = sum(one.required for one in arguments) if places else 0
    if places < least or (most is not None and places > most):
        return f"`{name}` takes {least} to {most} arguments, {places} are shown"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_docs_exist(page):
    known = commands()
    wrong = [f"{line}: {problem}" for line in command_lines(page) if (problem := what_is_wrong(line, known))]
    assert not wrong, "\n".join(wrong)


def test_the_examples_of_the_helps_are_right():
    known = commands()
    wrong = []
    for command in known.values():
        told = re.sub(r"\s+", " ", command.epilog or "").removeprefix("Examples:").removeprefix("Example:")
        for example in told.split("; "):
            line = example.strip()
            if line and (problem := what_is_wrong(line, known)):
                wrong.append(f"{line}: {problem}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("tagloom check my-shop --html a.html", ""),
        ("tagloom tags merge my-shop a b", ""),
        ("tagloom check", ""),
        ("tagloom chek my-shop", "has no command"),
        ("tagloom check my-shop --htm a.html", "no option"),
        ("tagloom tags merge my-shop a", "arguments"),
        ("tagloom tag my-shop a b", "arguments"),
    ],
)
def test_a_wrong_command_line_is_noticed(line, problem):
    found = what_is_wrong(line, commands())
    assert (problem in found) if problem else not found


def test_every_command_is_on_some_page():
    shown = {line for page in PAGES for line in command_lines(page)}
    missing = [
        words
        for words, command in commands().items()
        if not getattr(command, "commands", None) and not any(line.startswith(words) for line in shown)
    ]
    assert not missing


def test_both_readmes_show_the_same_commands_and_code():
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert blocks(english, "python") == blocks(chinese, "python")
    shown = [body for body in blocks(english, "") if not body.startswith(("make ", "tagloom/"))]
    assert shown == [body for body in blocks(chinese, "") if not body.startswith("make ")]
    for page in (english, chinese):
        (make,) = [body for body in blocks(page, "") if body.startswith("make ")]
        assert [line.split("#")[0].strip() for line in make.splitlines()] == ["make demo", "make test"]


# Tables and settings


def columns_markdown() -> str:
    """The usual names of columns as a table."""
    lines = ["| table | our field | usual names, the first that is there is taken |", "|---|---|---|"]
    for kind, fields in _USUAL.items():
        for field, names in fields.items():
            lines.append(f"| {kind} | `{field}` | {', '.join(f'`{name}`' for name in names.split())} |")
    return "\n".join(lines) + "\n"


def actions_markdown() -> str:
    """The known words for actions as a table."""
    lines = ["| action | words that mean it, in any case |", "|---|---|"]
    for action, words in ACTION_NAMES.items():
        lines.append(f"| `{action}` | {', '.join(words.split())} |")
    return "\n".join(lines) + "\n"


TABLES = {"columns": columns_markdown, "actions": actions_markdown}


def with_tables(text: str) -> str:
    """The page with every marked table as the code has it."""
    for name, table in TABLES.items():
        begin, end = text.index(f"<!-- {name}:"), text.index(f"<!-- end of {name} -->")
        head = "".join(takewhile(lambda letter: letter != "\n", text[begin:]))
        text = f"{text[:begin]}{head}\n\n{table()}\n{text[end:]}"
    return text


def test_the_tables_of_the_data_formats_are_those_of_the_code():
    text = FORMATS.read_text(encoding="utf-8")
    assert text == with_tables(text), "docs/data-formats.md is old: .venv/bin/python tests/test_docs.py"


def toml_blocks() -> list[tuple[str, str]]:
    return [(f"{page.name}-{number}", body) for page in PAGES for number, body in enumerate(blocks(page, "toml"))]


@pytest.mark.parametrize("body", [body for _, body in toml_blocks()], ids=[name for name, _ in toml_blocks()])
def test_settings_in_the_docs_load(body, tmp_path):
    (tmp_path / "tagloom.toml").write_text(body, encoding="utf-8")
    read = load_settings(tmp_path / "tagloom.toml").read
    # The fields that are named there must be ours, whatever the columns are called.
    for kind, told in (("products", read.product_columns), ("events", read.event_columns)):
        columns = [name for given in told.values() for name in ([given] if isinstance(given, str) else given)]
        if columns:
            assert map_columns(kind, [*columns, "title", "user_id", "item"], told, "docs").fields.keys() >= told.keys()


if __name__ == "__main__":
    FORMATS.write_text(with_tables(FORMATS.read_text(encoding="utf-8")), encoding="utf-8")
