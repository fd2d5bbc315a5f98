"""What holds of every command that is used in a wrong way."""

from __future__ import annotations

import pytest


@pytest.fixture
def refused(cli, tmp_path, monkeypatch):
    """`refused("tag SHOP --top 0", shop)` is the one line that a command used in a wrong way says, and nothing else."""

    def run(line, shop):
        monkeypatch.chdir(tmp_path)
        done = cli(*(str(shop) if word == "SHOP" else word for word in line.split()))
        assert done.code == 2, done
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
        assert done.out == ""
        return done.err

    return run
