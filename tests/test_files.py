"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tagloom.errors import TagloomError
from tagloom.files import disk_errors, folder_aside, sync_file, write_json, write_lines, write_text

ROOT = Path(__file__).parents[1]


def test_text_json_and_lines_are_written(tmp_path):
    write_text(tmp_path / "a", "外套\n")
    write_json(tmp_path / "b", {"标签": [1]})
    assert write_lines(tmp_path / "c", (str(number) for number in range(3))) == 3
    sync_file(tmp_path / "a")
    assert (tmp_path / "a").read_text("utf-8") == "外套\n"
    assert (tmp_path / "b").read_text("utf-8") == '{\n "标签": [\n  1\n ]\n}\n'
    assert (tmp_path / "c").read_text("utf-8") == "0\n1\n2\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_an_error_on_the_way_leaves_the_old_content(tmp_path):
    path = tmp_path / "a"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    with pytest.raises(ZeroDivisionError):
        write_lines(path, (str(1 / number) for number in (1, 0)))
    assert [(entry.name, entry.read_text("utf-8")) for entry in tmp_path.iterdir()] == [("a", "old")]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "x: could not be written .No space left on device.; nothing was changed; free some space"),
        (errno.EACCES, "x: could not be written .Permission denied.; nothing was changed$"),
    ],
)
def test_errors_of_the_disk_are_one_clear_line(number, message):
    with pytest.raises(TagloomError, match=message), disk_errors(Path("x")):
        raise OSError(number, "words of a library")
    with pytest.raises(TagloomError, match=r"could not be written \(odd\)"), disk_errors(Path("x")):
        raise OSError("odd")


def test_a_folder_appears_whole(tmp_path):
    with folder_aside(tmp_path / "deep" / "model") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a").write_text("1", "utf-8")
        assert not (tmp_path / "deep" / "model").exists()
    assert (tmp_path / "deep" / "model" / "inner" / "a").read_text("utf-8") == "1"
    with pytest.raises(ZeroDivisionError), folder_aside(tmp_path / "other") as folder:
        (folder / "a").write_text(str(1 / 0), "utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_a_full_disk_leaves_the_old_content(tmp_path):
    path = tmp_path / "a"
    path.write_text("old", "utf-8")
    code = (
        "import resource, sys, pathlib\n"
        "from tagloom.files import write_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_text(pathlib.Path(sys.argv[1]), 'x' * 10_000)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, capture_output=True, text=True)
    assert "could not be written (File too large); nothing was changed; free some space" in done.stderr
    assert [(entry.name, entry.read_text("utf-8")) for entry in tmp_path.iterdir()] == [("a", "old")]
