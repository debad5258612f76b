"""What was erased is in no file: not in free space either, whoever else has the store open."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest
from tests.calls import Calls
from tests.crash.trials import client_at

from retoma.client.client import Client, open
from retoma.errors import Unavailable
from retoma.model.ids import Operation
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.service.forget import deleting
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.page import unused
from retoma.stores.sqlite.scrub import Zeroed, zero_unused
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources, swept

MARK = "SELECT count(*) FROM due WHERE tenant = 0 AND name = 'erasing'"


def test_a_copy_that_sqlite_made_of_a_row_goes_with_it(tmp_path: Path) -> None:
    """Without zeroing, one of these seeds leaves the value of a deleted session in an unallocated part of a page."""
    for seed, verb in ((38, "rm"), (106, "redact")):
        with open(tmp_path / f"{verb}{seed}") as client:
            assert [*_left(client, tmp_path / f"{verb}{seed}", seed, verb)] == []


def _left(client: Client, store: Path, seed: int, verb: str) -> Iterator[str]:
    chance, live = random.Random(seed), []
    for n in range(60):
        secret, session = f"SECRET-{seed}-{n}-Q", client.create(f"s{n}")
        session.state.put({chance.choice("abcxyz"): secret, "z": "f" * chance.randrange(200)})
        live.append((session, secret))
        if chance.random() < 0.4 and len(live) > 2:
            chance.choice(live)[0].state["p"] = "g" * chance.randrange(400)
        if chance.random() < 0.3:
            session, secret = live.pop(chance.randrange(len(live)))
            client.delete(session.id) if verb == "rm" else session.redact(pattern=secret)
            yield from (secret for file in store.iterdir() if secret.encode() in file.read_bytes())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "retoma.db"


def _opened(file: Path) -> Calls:
    clock = Clock()
    store = SqliteStore(file, now=clock, random=clock.bytes, sweep=swept)
    return Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes))


def _scattered(file: Path, planted: bytes) -> None:
    """Put `planted` where nothing is: before the first cell of a page, as a copy that SQLite left."""
    data = bytearray(file.read_bytes())
    for at in range(2048, len(data), 2048):
        cells, content = int.from_bytes(data[at + 3 : at + 5]), int.from_bytes(data[at + 5 : at + 7])
        start = at + 8 + 2 * cells
        if data[at] in (10, 13) and at + content - start > len(planted):
            data[start : start + len(planted)] = planted
    file.write_bytes(data)


def test_another_who_has_the_page_in_its_cache_does_not_write_it_back(file: Path) -> None:
    with _opened(file) as client:
        for n in range(20):
            client.create(NewSession(id=f"s{n}", title="t" * 60))
    _scattered(file, b"SECRET-Q")
    with _opened(file) as one, _opened(file) as other:
        for client in (one, other):  # both have read most pages for writing
            for n in range(1, 20):
                client.append(f"s{n}", "user", "before")
        one.delete("s0")
        for client in (other, one):
            for n in range(1, 20):
                client.append(f"s{n}", "user", "after")
        assert not _in_files(file, b"SECRET-Q")


def _in_files(file: Path, text: bytes) -> bool:
    return any(text in one.read_bytes() for one in file.parent.iterdir())


def test_where_a_reader_stays_the_next_writer_of_any_process_does_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retoma.stores.sqlite.store.WAIT_S", 0.0)
    with _opened(file) as client, _opened(file) as other:
        client.create(NewSession(id="a", title="SECRET-Q"))
        client.create(NewSession(id="b"))
        reader = apsw.Connection(str(file))
        reader.execute("BEGIN; SELECT * FROM session").fetchall()
        with pytest.raises(Unavailable, match="Traces stay") as said:
            client.delete("a")
        assert said.value.code == "still_read"
        other.append("b", "user", "while it is read")
        assert _in_files(file, b"SECRET-Q")
        reader.close()
        other.append("b", "user", "after that")
        assert not _in_files(file, b"SECRET-Q")
        assert apsw.Connection(str(file)).execute(MARK).fetchall() == [(0,)]


def test_rows_that_a_kill_left_go_with_the_next_write(file: Path) -> None:
    killed = _opened(file)
    killed.create(NewSession(id="a", title="SECRET-Q"))
    killed.create(NewSession(id="b"))
    operation = Operation(b"o" * 16)
    killed._store.write(partial(deleting.delete, who=killed._who, session="a", operation=operation))
    with _opened(file) as client:
        assert client.get("a") is None
        assert _in_files(file, b"SECRET-Q")
        client.append("b", "user", "next")
        assert not _in_files(file, b"SECRET-Q")
    killed.close()


def test_a_backup_has_none_while_a_reader_is_in_the_way(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retoma.stores.sqlite.store.WAIT_S", 0.0)
    with _opened(file) as client:
        for n in range(20):
            client.create(NewSession(id=f"s{n}"))
    _scattered(file, b"SECRET-Q")
    with _opened(file) as client:
        client.append("s1", "user", "hello")
        target = file.parent / "copy" / "copy.db"
        target.parent.mkdir()
        target.touch()
        client._store.backup(target)
        assert b"SECRET-Q" in file.read_bytes()
        assert b"SECRET-Q" not in target.read_bytes()


def test_what_was_zeroed_is_counted_and_then_nothing_is(file: Path) -> None:
    with client_at(file) as client:
        for n in range(20):
            client.create(NewSession(id=f"s{n}"))
    _scattered(file, b"SECRET-Q")
    handle = apsw.Connection(str(file))
    zeroed = zero_unused(handle)
    assert zeroed.pages > 5
    assert zeroed.size_bytes > 8 * zeroed.pages
    assert b"SECRET-Q" not in file.read_bytes()
    assert zero_unused(handle) == Zeroed(0, 0)
    assert handle.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_page_that_does_not_add_up_is_left_as_it_is() -> None:
    page = bytearray(2048)
    page[:8] = bytes((13, 0, 0, 0, 1)) + (2040).to_bytes(2) + b"\0"
    page[8:10] = (2040).to_bytes(2)
    page[2040:] = bytes((6, 1)) + b"abcdef"
    page[100:103] = b"old"
    assert unused(bytes(page)) == [(10, 2040)]
    for at, value in ((4, 0), (6, 0), (7, 3), (8, 3), (2040, 5), (1, 200)):
        damaged = page.copy()
        damaged[at] = value
        assert unused(bytes(damaged)) == (), at


def test_in_a_file_so_large_that_an_overflow_page_can_look_like_another_it_is_left(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_at(file) as client:
        client.create(NewSession(id="a"))
        client.append("a", "user", "long " * 2_000)
    handle = apsw.Connection(str(file))
    pages = handle.execute("SELECT pageno FROM dbstat WHERE pagetype = 'overflow'").fetchall()
    data = bytearray(file.read_bytes())
    for (page,) in pages:
        data[(page - 1) * 2048 : page * 2048] = bytes((13, 0, 0, 0, 0, 8, 0, 0)) + b"content".ljust(
            2040, b"!"
        )
    file.write_bytes(data)
    monkeypatch.setattr("retoma.stores.sqlite.scrub._AMBIGUOUS_PAGES", 0)
    monkeypatch.setattr("retoma.stores.sqlite.scrub._overflow", lambda handle: {page for (page,) in pages})
    zero_unused(handle)
    kept = file.read_bytes()
    assert pages
    assert all(kept[(page - 1) * 2048 + 8 :].startswith(b"content!") for (page,) in pages)
