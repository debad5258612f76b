"""The rules that CONTRIBUTING.md states, as tests."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "retoma"

SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|WITH|PRAGMA)\s+\w")
ENVIRONMENT = {"os.environ", "os.getenv", "os.environb", "os.putenv"}
CHANCE = {
    "time.time",
    "time.time_ns",
    "datetime.now",
    "datetime.utcnow",
    "os.urandom",
    "uuid.uuid4",
    "uuid.uuid1",
}
CHANCE_MODULES = {"random", "secrets"}
MAY_READ_THE_CLOCK = {
    "wiring.py",  # hands time, ids and randomness to everything below it
    "interfaces/cli/context.py",  # the moment a command began, from which "2 min ago" is counted
}


@cache
def sources() -> dict[str, ast.Module]:
    return {str(path.relative_to(SRC)): ast.parse(path.read_text()) for path in sorted(SRC.rglob("*.py"))}


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for what reads so, the last two names of anything longer included; else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def names_used(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield each dotted name that is read or imported, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, dotted(node)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)


def ends_with(name: str, wanted: set[str]) -> bool:
    return any(name == want or name.endswith(f".{want}") for want in wanted)


def test_the_layers_hold() -> None:
    code = "from importlinter.cli import lint_imports_command as run; run()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_sql_is_in_stores_alone() -> None:
    found = [
        f"{file}:{node.lineno}"
        for file, tree in sources().items()
        if not file.startswith("stores/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
    ]
    assert found == []


def test_one_file_reads_the_environment() -> None:
    found = {
        file
        for file, tree in sources().items()
        for _, name in names_used(tree)
        if ends_with(name, ENVIRONMENT)
    }
    assert found == {"config/environment.py"}


def test_time_and_chance_are_arguments() -> None:
    found = [
        f"{file}:{line} {name}"
        for file, tree in sources().items()
        if file not in MAY_READ_THE_CLOCK and not file.startswith("runtime/")
        for line, name in names_used(tree)
        if ends_with(name, CHANCE) or name.partition(".")[0] in CHANCE_MODULES
    ]
    assert found == []


def test_the_guards_see_what_they_guard_against() -> None:
    tree = ast.parse(
        "import os\nfrom time import time\nimport random\nx = os.environ['A']\ny = datetime.datetime.now()"
    )
    names = [name for _, name in names_used(tree)]
    assert [name for name in names if ends_with(name, ENVIRONMENT)] == ["os.environ"]
    assert [name for name in names if ends_with(name, CHANCE)] == ["time.time", "datetime.datetime.now"]
    assert SQL.match("  SELECT id") and not SQL.match("Without a store") and not SQL.match("DELETE")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_that_the_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    quoted = [word for word in re.findall(r"`([^`\s]+)`", text) if "/" in word or re.search(r"\.\w+$", word)]
    named = [word for word in quoted if not word.startswith(("ctx.", "client.", "Session.", "retoma."))]
    assert len(named) > 10
    assert [path for path in named if path != ".venv" and not (ROOT / path).exists()] == []


def test_no_file_is_longer_than_five_hundred_lines() -> None:
    assert [path.name for path in SRC.rglob("*.py") if path.read_text().count("\n") > 500] == []


@pytest.mark.parametrize("module", ["apsw", "click", "rich", "yaml", "asyncio"])
def test_importing_retoma_is_light(module: str, imported_by_retoma: frozenset[str]) -> None:
    assert module not in imported_by_retoma


@pytest.fixture(scope="module")
def imported_by_retoma() -> frozenset[str]:
    code = "import retoma, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return frozenset(ran.stdout.split())
