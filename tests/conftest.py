"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

# A job in the background of a shell ignores these, and so would each process that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

if TYPE_CHECKING:
    from tests.postgres import Server

# A busy machine makes one example slow, which says nothing about the code. The examples are the same each time, so that
# a failure belongs to the change it came with; `make explore` looks for new ones.
settings.register_profile("retoma", deadline=None, max_examples=100, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1_000)
settings.load_profile("explore" if os.environ.get("RETOMA_EXPLORE") else "retoma")

# What the program says follows the language of whoever runs the tests.
os.environ["LC_ALL"] = "C.UTF-8"


SAID = pytest.StashKey[list[str]]()
"""What the crash tests found, told at the end of every run."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SAID] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over the lines of a process that ran a part of the tests."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["said"] = session.config.stash[SAID]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take over what a process that ran a part of the tests had to tell (pytest-xdist calls this)."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    config.stash[SAID] += getattr(node, "workeroutput", {}).get("said", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[SAID]:
        terminalreporter.section("crash tests")
        for line in config.stash[SAID]:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The PostgreSQL server of this run of the tests."""
    from tests.postgres import Server

    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def database(server: Server) -> str:
    """The URL of a schema of this test alone."""
    return server.schema()
