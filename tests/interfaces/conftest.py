"""The command line as a user types it: a process, its output and its exit status."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Retoma = Callable[..., "subprocess.CompletedProcess[str]"]

ON_BOTH = {
    "test_flow_verbs",
    "test_handoff",
    "test_retention_verbs",
    "test_run",
    "test_run_tools",
    "test_session_guide",
    "test_session_verbs",
    "test_transfer",
}
"""Files whose tests run on SQLite and on PostgreSQL, but for those that are marked `in_files`."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" not in metafunc.fixturenames or metafunc.module.__name__.rpartition(".")[2] not in ON_BOTH:
        return
    on_file = metafunc.definition.get_closest_marker("in_files")
    metafunc.parametrize("store", ["sqlite"] if on_file else ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Path | str:
    if getattr(request, "param", "sqlite") == "postgresql":
        url: str = request.getfixturevalue("database")
        return url
    return tmp_path / "store"


@pytest.fixture
def retoma(store: Path | str) -> Retoma:
    """Run `retoma ARGS` on a store of this test alone; `at` names another one."""

    def run(*args: str, input: str | bytes = "", at: Path | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "retoma", "--store", str(at or store), *args],
            input=input if isinstance(input, bytes) else input.encode(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        result = subprocess.CompletedProcess(
            args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )
        assert "Traceback" not in result.stderr, result.stderr
        return result

    return run
