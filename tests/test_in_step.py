"""Docs, settings, commands, extras and the lock are in step with the code."""

from __future__ import annotations

import importlib.metadata
import itertools
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tagloom
from tagloom import config

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {"llm", "explain", "compress", "privacy", "tune", "scale", "postgres"}
LOCKED_EXTRAS = ["dev", "postgres"]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


# Settings, Python names, commands and links


def test_every_setting_is_described_has_a_default_and_stands_in_the_docs():
    for section, field in config.Settings.model_fields.items():
        assert field.description, f"[{section}] has no description"
        assert not field.is_required(), f"[{section}] has no default"
        for key, setting in type(field.default).model_fields.items():
            assert setting.description, f"{section}.{key} has no description"
            assert not setting.is_required(), f"{section}.{key} has no default"
            assert key in config.settings_markdown(), f"{section}.{key} is not in docs/settings.md"
            assert setting.description in config.settings_markdown(), (
                f"docs/settings.md does not describe {section}.{key}"
            )
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == config.settings_markdown(), (
        "docs/settings.md is old: .venv/bin/python -m tagloom.config > docs/settings.md"
    )


def test_every_public_name_is_in_the_python_docs():
    page = ROOT / "docs" / "python.md"
    if not page.exists():
        pytest.skip("docs/python.md is not written yet")
    text = page.read_text(encoding="utf-8")
    missing = [name for name in tagloom.__all__ if not re.search(rf"\b{re.escape(name)}\b", text)]
    assert not missing, f"docs/python.md does not name: {missing}"
    assert all(hasattr(tagloom, name) for name in tagloom.__all__)


def commands() -> dict[str, object]:
    """Every command by its words: {"tagloom": ..., "tagloom train": ..., "tagloom tags rename": ...}."""
    from typer.main import get_command

    from tagloom import cli

    found: dict[str, object] = {}

    def walk(words: str, command: object) -> None:
        found[words] = command
        for name, child in getattr(command, "commands", {}).items():
            walk(f"{words} {name}", child)

    walk("tagloom", get_command(cli.app))
    return found


def test_every_command_has_a_help_with_an_example():
    for words, command in commands().items():
        text = f"{command.help or ''}\n{command.epilog or ''}"
        assert command.help, f"`{words}` has no help"
        assert re.search(rf"\b{words} ", text), f"the help of `{words}` has no example: a line with `{words} ...`"
        for parameter in command.params:
            hidden = getattr(parameter, "hidden", False) or parameter.name in {"install_completion", "show_completion"}
            assert hidden or getattr(parameter, "help", None), f"`{words}`: {parameter.name} has no help"


def test_help_is_printed(run_cli):
    done = run_cli("--help")
    assert done.code == 0, done.err
    assert "Usage" in done.out


def test_every_command_in_the_docs_exists():
    known = commands()
    roots = {words.split()[1] for words in known if " " in words}
    for page in pages():
        blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        lines = itertools.chain.from_iterable(block.splitlines() for block in blocks)
        named = {
            match[1] for line in lines if (match := re.match(r"(?:\$ )?(?:\.venv/bin/)?tagloom ([a-z][a-z-]*)\b", line))
        }
        assert named <= roots, f"{relative(page)} shows commands that do not exist: {sorted(named - roots)}"


def test_every_relative_link_leads_to_a_file():
    broken = []
    for page in pages():
        text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(<?([^)\s>]+)", text):
            place = target.split("#")[0]
            if place and not re.match(r"[a-z]+:", place) and not (page.parent / place).exists():
                broken.append(f"{relative(page)}: {target}")
    assert not broken, "\n".join(broken)


# What is installed


def test_the_extras_are_those_of_the_design():
    extras = PROJECT["optional-dependencies"].keys()
    assert extras - {"dev"} == EXTRAS


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def test_the_lock_pins_everything_the_project_asks_for():
    asked = [
        *PROJECT["dependencies"],
        *(line for extra in LOCKED_EXTRAS for line in PROJECT["optional-dependencies"][extra]),
    ]
    for requirement in map(Requirement, asked):
        version = locked().get(canonicalize_name(requirement.name))
        assert version, f"requirements.lock does not pin {requirement.name}: make lock"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"requirements.lock has {requirement.name} {version}: make lock"
        )
    assert locked()["torch"] == "2.13.0"


def test_the_lock_leaves_out_torchvision_and_drivers():
    unwanted = [name for name in locked() if re.match(r"nvidia|cuda|triton|torchvision|torchaudio", name)]
    assert not unwanted
    # Its mere presence breaks lightning, torchmetrics and transformers beside a CPU build of torch.
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("torchvision")


@pytest.mark.slow
def test_the_wheel_holds_the_whole_package(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-qq",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("tagloom-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {relative(path) for path in (ROOT / "tagloom").rglob("*.py")} | {"tagloom/py.typed"}
    assert wanted <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)
