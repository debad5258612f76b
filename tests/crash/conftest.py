"""What the crash tests found, told at the end of every run: trials, seed, losses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_SAID = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SAID] = []


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say a line at the end of the run."""
    return request.config.stash[_SAID].append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[_SAID]:
        terminalreporter.section("crash tests")
        for line in config.stash[_SAID]:
            terminalreporter.write_line(line)
