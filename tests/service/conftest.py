"""A client on a store in memory, with time as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.calls import Calls

from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

MakeFlow = Callable[..., Path]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Iterator[Calls]:
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        yield client


@pytest.fixture
def make_flow(tmp_path: Path) -> MakeFlow:
    """Write a flow's nodes (`sub__node` is `sub/node`), and return its directory."""

    def make(name: str = "flow", **nodes: str) -> Path:
        directory = tmp_path / name
        for node, text in nodes.items():
            file = directory / (node.replace("__", "/") + ".md")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return directory

    return make
