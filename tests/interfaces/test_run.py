"""`retoma run` as a new user meets it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOUR, SIGNUP = ROOT / "examples/tour", ROOT / "examples/signup"

Retoma = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def retoma(tmp_path: Path) -> Retoma:
    def run(*args: object, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "retoma", "--store", str(tmp_path / "store"), *map(str, args)]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

    return run


def test_a_secret_is_in_no_file_of_the_store(retoma: Retoma, tmp_path: Path) -> None:
    answers = "ana@example.org\n30\n1\nMain 3\nopensesame\n"
    assert retoma("run", SIGNUP, "--session", "s", "--headless", given=answers).returncode == 0
    log = retoma("session", "log", "s", "--type", "flow.input").stdout
    assert '"input":"Main 3"' in log and '"input":{"secret":true}' in log
    assert all(b"opensesame" not in file.read_bytes() for file in (tmp_path / "store").iterdir())


def test_a_paused_session_that_run_resumes_takes_the_next_input(retoma: Retoma) -> None:
    retoma("run", TOUR, "--session", "s", given="Ana\n")
    retoma("session", "pause", "s")
    assert retoma("run", TOUR, "--session", "s").returncode == 5
    ran = retoma("run", TOUR, "--session", "s", "--resume", "--headless", given="2\n")
    assert (ran.returncode, "The road climbs" in ran.stdout) == (3, True), ran.stderr


def test_what_is_read_has_no_blanks_at_the_ends_of_lines(retoma: Retoma) -> None:
    retoma("run", TOUR, "--session", "s")
    said = retoma("session", "read", "s", "--plain-text").stdout
    assert said.startswith("start  # Welcome\n\n       This tour")
