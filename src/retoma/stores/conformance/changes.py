"""The contract of wake-ups, as tests: what is committed after `changes()` wakes who listens, and nothing needs it."""

from __future__ import annotations

import select
from contextlib import closing
from functools import partial

from retoma.stores.conformance.store import Clock, Open, add
from retoma.stores.contract.changes import Changes
from retoma.stores.contract.store import Store

_LONG_S = 30.0


class ChangesContract:
    """What a store promises to who follows it. Use it beside StoreContract, which has the fixtures."""

    def test_a_commit_wakes_each_listener(self, store: Store) -> None:
        store.write(add)
        with closing(store.changes()) as one, closing(store.changes()) as other:
            assert one.prompt
            assert other.prompt
            for name in ("two", "three"):
                store.write(partial(add, name=name))
                assert _came(one)
                assert _came(other)

    def test_many_commits_leave_a_wake_up_and_hold_nobody_up(self, store: Store) -> None:
        with closing(store.changes()) as changes:
            for n in range(300):
                store.write(partial(add, name=f"s{n}"))
            assert _came(changes)

    def test_a_listener_that_was_closed_is_in_nobodys_way(self, store: Store) -> None:
        gone, stays = store.changes(), store.changes()
        gone.close()
        gone.close()
        store.write(add)
        assert _came(stays)
        stays.close()
        store.write(partial(add, name="two"))
        with closing(store.changes()) as again:
            store.write(partial(add, name="three"))
            assert _came(again)

    def test_closing_the_store_wakes_its_listeners(self, opened: Open, clock: Clock) -> None:
        store = opened(clock)
        store.write(add)
        with closing(store.changes()) as changes:
            store.close()
            assert _came(changes)


class SharedChangesContract(ChangesContract):
    """What a store promises that several processes open."""

    def test_a_commit_of_another_wakes_who_listens(self, store: Store, opened: Open, clock: Clock) -> None:
        store.write(add)
        with closing(store.changes()) as changes, closing(opened(clock)) as other:
            other.write(partial(add, name="two"))
            assert _came(changes)
            other.write(partial(add, name="three"))
            assert _came(changes)


def _came(changes: Changes) -> bool:
    """Return whether a wake-up comes; `wait` takes it."""
    ready = select.poll()
    ready.register(changes, select.POLLIN)
    came = bool(ready.poll(_LONG_S * 1_000))
    changes.wait(_LONG_S)
    return came
