"""The collector after a large flow was read: as it was before, for whatever program reads one."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from retoma.flows import Flow, parse

LARGE = {f"{n}.md": b"---\nto: start\n---\n{{ .a }}" for n in range(5_000)} | {"start.md": b"Hi"}


@pytest.fixture
def large() -> Iterator[Flow]:
    gc.collect()
    yield parse("large", LARGE)
    gc.unfreeze()
    gc.enable()


def test_it_collects_on_and_holds_what_was_read_for_old(large: Flow) -> None:
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    old = {id(one) for one in gc.get_objects(generation=2)}
    assert all(id(node) in old for node in large.nodes.values())


def test_what_a_program_froze_and_a_collector_that_it_stopped_stay_so() -> None:
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        frozen = gc.get_freeze_count()
        parse("large", LARGE)
        assert not gc.isenabled()
        gc.enable()
        parse("large", LARGE)
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen // 2
    finally:
        gc.unfreeze()
        gc.enable()
