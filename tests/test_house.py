"""The house rules: the tree in the README, the order of imports, nothing at import, short files, no pickle."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tagloom"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Imports go one way: a module may import from its own folder and from the lines above its own.
ORDER = [
    ["errors"],
    ["config"],
    ["files"],
    ["artifact"],
    ["versions"],
    ["data"],
    ["nn"],
    ["measure"],
    ["tags"],
    ["recs"],
    ["texts", "images"],
    ["explain", "compress", "privacy", "tune"],
    ["live"],
    ["scale"],
    ["serve"],
    ["workbench"],
    ["models"],
    ["shop"],
    ["cli"],
    ["__init__"],
    ["__main__"],
]
RANK = {unit: rank for rank, units in enumerate(ORDER) for unit in units}
JOBS = {"tags": "Tagger", "recs": "Recommender", "texts": "Writer", "images": "Painter"}
HEAVY = {"torch", "polars", "lightning", "sklearn", "gensim", "scipy", "matplotlib", "opencc", "transformers", "ray"}
PICKLERS = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}

# What may be longer than the rule, each with the reason: {"tagloom/x.py": "why"} and {"tagloom/x.py:function": "why"}.
LONG_FILES: dict[str, str] = {"tagloom/config.py": "a table of all settings, which stand in one place"}
LONG_FUNCTIONS: dict[str, str] = {}
MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION = 300, 50


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# The tree in the README


def paths_in_tree(text: str, source: str) -> set[str]:
    """The paths in the fenced block that starts with `tagloom/`: one a line, indented, then half a line of text."""
    block = re.search(r"^```\w*\n(tagloom/.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert block, f"{source} has no fenced block that starts with tagloom/"
    above: list[tuple[int, str]] = []
    found = set()
    for line in block[1].splitlines():
        indent, name, words = re.fullmatch(r"([\s│├└─]*)(\S*)(.*)", line).groups()
        if not name:
            continue
        if above and not indent:
            break  # the next root folder
        assert words.strip(" #"), f"{source} says nothing about {name}"
        above = [(depth, folder) for depth, folder in above if depth < len(indent)]
        path = above[-1][1] + name if above else name
        found.add(path)
        if name.endswith("/"):
            above.append((len(indent), path))
    return found


def paths_on_disk() -> set[str]:
    folders = {f"{relative(path.parent)}/" for path in SOURCES}
    files = {relative(path) for path in SOURCES if path.name != "__init__.py" or path.parent == PACKAGE}
    return folders | files


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_readme_carries_the_tree_of_the_package(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    if page != "README.md" and "\ntagloom/" not in text:
        pytest.skip(f"{page} leaves the tree to README.md")
    told = paths_in_tree(text, page)
    missing = sorted(paths_on_disk() - told)
    extra = sorted(path for path in told if not (ROOT / path).exists())
    assert not missing, f"{page} does not name: {missing}"
    assert not extra, f"{page} names what is not there: {extra}"


def test_a_tree_with_and_without_lines_is_read():
    plain = "```\ntagloom/     all\n  data/   tables\n    read.py  files\n  cli.py  commands\ntests/  tests\n```\n"
    drawn = "```text\ntagloom/     all\n├── data/   tables\n│   └── read.py  files\n└── cli.py  commands\n```\n"
    expected = {"tagloom/", "tagloom/data/", "tagloom/data/read.py", "tagloom/cli.py"}
    assert paths_in_tree(plain, "a") == paths_in_tree(drawn, "b") == expected


# The order of imports


def unit_of(path: Path) -> str:
    """The entry of ORDER that a source file belongs to: its folder under tagloom/, or its own name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports_in(tree: ast.AST, package: str) -> Iterator[tuple[str, str, int]]:
    """Every import, also inside functions: (module, imported name or "", line)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((module, alias.name, node.lineno) for alias in node.names)


def wrong_imports(path: Path, source: str) -> list[str]:
    """What a source file at `path` imports against ORDER, as lines for a reader."""
    unit = unit_of(path)
    wrong = []
    for module, name, line in imports_in(ast.parse(source), ".".join(path.relative_to(ROOT).parent.parts)):
        parts = module.split(".")
        if parts[0] != "tagloom":
            continue
        target = parts[1] if len(parts) > 1 else name if name in RANK else "__init__"
        public = unit in JOBS and target in JOBS and name == JOBS[target]
        if target != unit and RANK.get(target, len(ORDER)) >= RANK.get(unit, 0) and not public:
            wrong.append(f"{relative(path)}:{line} imports {target}, which stands beside or below {unit} in ORDER")
    return wrong


def test_every_module_has_its_place_in_the_order():
    strangers = sorted({unit_of(path) for path in SOURCES} - RANK.keys())
    assert not strangers, f"give these a line in ORDER: {strangers}"


def test_imports_go_one_way():
    wrong = [line for path in SOURCES for line in wrong_imports(path, path.read_text(encoding="utf-8"))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("path", "source", "allowed"),
    [
        ("data/read.py", "from tagloom.errors import DataError", True),
        ("data/read.py", "from .tables import Products", True),
        ("data/read.py", "from tagloom.tags.model import fit", False),
        ("data/read.py", "def f():\n    from ..shop import Shop", False),
        ("data/read.py", "import tagloom", False),
        ("errors.py", "from tagloom import config", False),
        ("texts/model.py", "from tagloom.tags import Tagger", True),
        ("texts/model.py", "from tagloom.recs.model import network", True),
        ("tags/model.py", "from tagloom.recs.model import network", False),
        ("images/model.py", "from tagloom.texts import Writer", True),
        ("images/model.py", "from tagloom.texts.model import network", False),
        ("__main__.py", "from tagloom.cli import main", True),
    ],
)
def test_an_import_against_the_order_is_found(path, source, allowed):
    assert (wrong_imports(PACKAGE / path, source) == []) is allowed


# Nothing happens at import


def run_python(code: str, folder: Path) -> str:
    """What `code` prints, run in an empty folder that is its home too."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)}
    kept = {
        key: value
        for key, value in environment.items()
        if key not in {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"}
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=kept, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    assert not list(folder.iterdir()), f"the import left files: {list(folder.iterdir())}"
    return done.stdout


@pytest.mark.parametrize("module", ["tagloom", "tagloom.config", "tagloom.cli"])
def test_the_command_line_is_imported_without_heavy_libraries(module, tmp_path):
    code = f"import sys, {module}; print(*sorted(sys.modules.keys() & {HEAVY!r}))"
    assert run_python(code, tmp_path).split() == []


@pytest.mark.slow
def test_no_module_does_anything_at_import(tmp_path):
    # Lightning, which these two of nn import, draws random numbers and lets matplotlib make folders: not our doing.
    left_out = {PACKAGE / "__main__.py", *(PACKAGE / "nn" / name for name in ("training.py", "processes.py"))}
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES if path not in left_out]
    code = (
        "import importlib, logging, random, sys\n"
        "state, handlers = random.getstate(), list(logging.root.handlers)\n"
        f"for name in {modules!r}: importlib.import_module(name.removesuffix('.__init__'))\n"
        "assert random.getstate() == state, 'an import used or seeded the random numbers'\n"
        "assert logging.root.handlers == handlers, 'an import set up logging'\n"
    )
    assert run_python(code, tmp_path) == ""


# What is written in the code


def functions_in(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_files_and_functions_are_short():
    files = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    functions = {
        f"{relative(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in functions_in(ast.parse(path.read_text(encoding="utf-8")))
    }
    long_files = {name for name, lines in files.items() if lines > MOST_LINES_OF_A_FILE}
    long_functions = {name for name, lines in functions.items() if lines > MOST_LINES_OF_A_FUNCTION}
    assert long_files == LONG_FILES.keys(), "too long, or allowed for no reason"
    assert long_functions == LONG_FUNCTIONS.keys(), "too long, or allowed for no reason"


def test_nothing_is_pickled():
    wrong = []
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        names = ((module.split(".")[0], line) for module, _, line in imports_in(ast.parse(source), "tagloom"))
        wrong += [f"{relative(path)}:{line} imports {name}" for name, line in names if name in PICKLERS]
        wrong += [f"{relative(path)} asks for allow_pickle"] * ("allow_pickle=True" in source)
    assert not wrong, "\n".join(wrong)


def test_no_file_names_a_machine_or_a_registry():
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip("this is no git checkout")
    # In brackets, so that the patterns do not find themselves.
    everywhere = [
        r"(?<![\w.-])/(?:[w]ork|[o]pt|[r]oot|[h]ome)/",
        r"[p]ypi\.org",
        r"[p]ythonhosted",
        r"[d]ownload\.pytorch",
        r"[i]ndex-url",
    ]
    measuring = ("benchmarks/", "tests/", "docs/benchmarks.md")
    wrong = []
    for name in done.stdout.splitlines():
        text = (ROOT / name).read_text(encoding="utf-8", errors="ignore") if (ROOT / name).is_file() else ""
        patterns = everywhere if name.startswith(measuring) else [*everywhere, r"\b[s]hared/"]
        wrong += [f"{name}: {match[0]}" for pattern in patterns if (match := re.search(pattern, text))]
    assert not wrong, "\n".join(wrong)
