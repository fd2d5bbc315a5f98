"""The shared fixtures are real."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


def test_the_postgres_server_answers_and_keeps_chinese_text(postgres_url):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(postgres_url)
    try:
        with engine.begin() as connection:
            assert connection.execute(sqlalchemy.text("select 1")).scalar_one() == 1
            assert connection.execute(sqlalchemy.text("show server_encoding")).scalar_one() == "UTF8"
            assert connection.execute(sqlalchemy.text("select :word"), {"word": "手机"}).scalar_one() == "手机"
    finally:
        engine.dispose()


def test_the_command_line_tells_a_wrong_command_from_a_right_one(run_cli):
    wrong = run_cli("no-such-command")
    assert wrong.code == 2
    assert "no-such-command" in wrong.err
    assert run_cli("--help").code == 0
