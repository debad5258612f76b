"""The command line as a user types it: a process, its output and its exit status."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Retoma = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def retoma(store: Path) -> Retoma:
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
