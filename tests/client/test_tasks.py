"""What only tasks, threads and processes meet: cancelling, sharing, closing, forking."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.calls import Calls

import retoma
from retoma import aio
from retoma.commands.opened import Opened
from retoma.model.changes import Changes
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.wiring import Sources

WHO = Principal(LOCAL_TENANT, "ana")


@pytest.fixture
def door(opened, clock) -> Callable[[], Opened]:
    return lambda: Opened(opened(), WHO, sources=Sources(clock, clock.bytes))


class Gate:
    """Holds a write up in the middle: a use case that begins waits here until it is let through."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, tx: object) -> None:
        self.reached.set()
        assert self.open.wait(10)


async def reached(gate: Gate) -> None:
    while not gate.reached.is_set():
        await asyncio.sleep(0.001)


# Tasks


def test_a_write_that_is_cancelled_in_the_queue_is_not_run(tmp_path):
    async def run() -> None:
        async with aio.open(tmp_path / "store") as client:
            session = await client.create("demo")
            gate = Gate()
            writer = threading.Thread(target=client._opened.store.write, args=(gate,))
            writer.start()
            await reached(gate)
            waiting = asyncio.create_task(session.append("user", "never"))
            kept = asyncio.create_task(session.append("user", "kept"))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            gate.open.set()
            await kept
            assert [message.text for message in await session.messages()] == ["kept"]
            assert session.head == 2
            writer.join()

    asyncio.run(run())


def test_a_write_that_is_cancelled_later_stands_and_its_key_tells(tmp_path, monkeypatch):
    from retoma.service import timeline

    gate, write = Gate(), timeline.append

    def slow(tx, *args, **facts):
        gate(tx)
        return write(tx, *args, **facts)

    async def run() -> None:
        async with aio.open(tmp_path / "store") as client:
            session = await client.create("demo")
            monkeypatch.setattr(timeline, "append", slow)
            writing = asyncio.create_task(session.append("user", "stands", key="k"))
            await reached(gate)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            gate.open.set()
            monkeypatch.undo()
            assert await session.append("user", "stands", key="k") == 2
            assert [message.text for message in await session.messages()] == ["stands"]

    asyncio.run(run())


def test_a_lease_whose_taking_is_cancelled_is_let_go(tmp_path):
    async def run() -> None:
        async with aio.open(tmp_path / "store") as client:
            session = await client.create("demo")
            gate = Gate()
            writer = threading.Thread(target=client._opened.store.write, args=(gate,))
            writer.start()
            await reached(gate)
            taking = asyncio.create_task(session.lease().__aenter__())
            while not any(thread.name.startswith("retoma-wait") for thread in threading.enumerate()):
                await asyncio.sleep(0.001)
            taking.cancel()
            gate.open.set()
            with pytest.raises(asyncio.CancelledError):
                await taking
            writer.join()
            while client._opened.held:
                await asyncio.sleep(0.001)
            async with (await client.session("demo")).lease():
                pass

    asyncio.run(run())


def test_many_tasks_share_a_handle(door):
    async def run() -> None:
        async with aio.AsyncClient(door()) as client:
            session = await client.create("demo")
            seqs = await asyncio.gather(*(session.append("user", str(n)) for n in range(100)))
            assert sorted(seqs) == list(range(2, 102))
            assert (session.head, session.message_count) == (101, 100)
            found = await asyncio.gather(*(session.messages(last=5) for _ in range(20)))
            assert all([message.seq for message in page] == list(range(97, 102)) for page in found)

    asyncio.run(run())


def test_an_error_of_one_task_is_its_own(door):
    async def run() -> None:
        async with aio.AsyncClient(door()) as client:
            session = await client.create("demo")
            results = await asyncio.gather(
                *(session.append("user", str(n), expect=None if n % 2 else 1) for n in range(10)),
                return_exceptions=True,
            )
            kept = [result for result in results if isinstance(result, int)]
            assert len(kept) in {5, 6}
            assert all(isinstance(result, retoma.Conflict | int) for result in results)
            assert len(await session.messages()) == len(kept)

    asyncio.run(run())


def test_closing_ends_every_thread(door):
    before = set(threading.enumerate())

    async def run() -> None:
        client = aio.AsyncClient(door())
        session = await client.create("demo")
        await asyncio.gather(*(session.append("user", "x") for _ in range(10)))
        await asyncio.gather(*(client.get("demo") for _ in range(10)))
        async with session.lease():
            assert set(threading.enumerate()) > before
        await client.close()
        await client.close()
        assert set(threading.enumerate()) == before
        with pytest.raises(retoma.Unavailable, match="was closed"):
            await session.append("user", "x")

    asyncio.run(run())


def test_a_store_is_opened_by_await_or_async_with(tmp_path):
    async def run() -> None:
        client = await aio.open(tmp_path / "store", user="eva")
        async with client:
            session = await client.create("demo")
            assert [event.actor async for event in session.events()] == ["eva"]
        with pytest.raises(retoma.Unavailable):
            await client.get("demo")
        (tmp_path / "broken.db").write_bytes(b"no database" * 500)
        with pytest.raises(retoma.Integrity):
            await aio.open(tmp_path / "broken.db")
        with pytest.raises(retoma.Invalid, match="is not a kind of store"):
            async with aio.open("mysql://x"):
                pass

    before = set(threading.enumerate())
    asyncio.run(run())
    assert {thread.name for thread in set(threading.enumerate()) - before} <= {"retoma-wait_0"}


def test_what_follows_can_be_left_at_any_moment(door):
    async def run() -> None:
        async with aio.AsyncClient(door()) as client:
            session = await client.create("demo")
            following = asyncio.create_task(anext(session.follow()))
            await asyncio.sleep(0.01)
            following.cancel()
            with pytest.raises(asyncio.CancelledError):
                await following
            async for event in session.follow(since=0):
                assert event.type == "session.created"
                break
            await session.append("user", "goes on")

    asyncio.run(run())


def test_each_task_has_its_own_current_session(door):
    async def run() -> None:
        async with aio.AsyncClient(door()) as client:
            for name in ("a", "b"):
                await client.create(name)

            async def works(name: str) -> str:
                with (await client.session(name)).use():
                    await asyncio.sleep(0)
                    return (await client.session()).id

            assert await asyncio.gather(works("a"), works("b")) == ["a", "b"]
            assert client.current is None

    asyncio.run(run())


# Threads


def test_many_threads_share_a_client_and_a_handle(door):
    with retoma.Client(door()) as client, ThreadPoolExecutor(8) as threads:
        session = client.create("demo")

        def works(n: int) -> int:
            client.get_or_create("shared", title=str(n))
            client.session("demo").state[f"k{n}"] = n
            return session.append("user", str(n))

        assert len(set(threads.map(works, range(40)))) == 40
        assert session.message_count == 40
        assert session.state.copy() == {f"k{n}": n for n in range(40)}
        assert len(client.list()) == 2
        assert client.check().whole


def test_of_those_who_set_a_default_at_once_one_is_first(door):
    with retoma.Client(door()) as client, ThreadPoolExecutor(8) as threads:
        client.create("demo")
        found = set(threads.map(lambda n: client.session("demo").state.setdefault("owner", n), range(16)))
        assert len(found) == 1
        assert len(list(client.session("demo").events(types="state"))) == 1


# Processes

FORKED = """
import os, sys, retoma
with retoma.open(sys.argv[1]) as client:
    session = client.create("demo")
    with session.lease():
        child = os.fork()
        if child == 0:
            for call in (lambda: client.get("demo"), lambda: session.append("user", "x"), lambda: session.state["k"]):
                try:
                    call()
                except retoma.Unavailable as error:
                    print(error.code, error.process == os.getppid(), flush=True)
        else:
            assert os.waitpid(child, 0)[1] == 0
            print(session.append("user", "the parent goes on"))
if child == 0:
    with retoma.open(sys.argv[1]) as own:
        try:
            own.session("demo").append("user", "x")
        except retoma.Busy as error:
            print(error.holder.pid == os.getppid(), flush=True)
else:
    with retoma.open(sys.argv[1]) as again:
        print([message.text for message in again.session("demo").messages()], again.check().whole)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_client_does_not_cross_a_fork(kind, tmp_path, request):
    place = str(tmp_path / "store") if kind == "sqlite" else request.getfixturevalue("database")
    ran = subprocess.run([sys.executable, "-c", FORKED, place], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        *["forked True"] * 3,
        "True",
        "2",
        "['the parent goes on'] True",
    ]


# The same key, whoever uses it


def test_a_key_means_the_same_through_the_command_line(door, opened, clock):
    with retoma.Client(door()) as client, Calls(opened(), WHO, sources=Sources(clock, clock.bytes)) as calls:
        session = client.create("demo")
        assert calls.append("demo", "user", "a", sender="b", key="1") == session.append(
            "user", "a", sender="b", key="1"
        )
        parts = [
            {"type": "text", "text": "x"},
            {"type": "tool_call", "id": "1", "name": "n", "arguments": {}},
        ]
        assert calls.append("demo", "user", parts, key="2") == session.append("user", parts, key="2")
        assert calls.note("demo", "n", key="3") == session.note("n", key="3")
        calls.update("demo", Changes(title="T"), key="4")
        session.rename("T", key="4")
        calls.change("demo", "suspended", reason="r", key="5")
        session.pause("r", key="5")
        calls.change("demo", "active", key="6")
        session.resume(key="6")
        assert calls.reset("demo", key="7") == session.reset(key="7")
        calls.trash("demo", key="8")
        session.trash(key="8")
        calls.restore("demo", key="9")
        session.restore(key="9")
        before = session.head
        session.refresh()
        assert session.head == before
        calls.delete("demo", key="10")
        client.delete("demo", key="10")


def test_a_command_that_repeats_a_program_finds_its_answer(door, opened, clock):
    with retoma.Client(door()) as client, Calls(opened(), WHO, sources=Sources(clock, clock.bytes)) as calls:
        from retoma.model.session import NewSession

        made = client.create(title="T", tags=["a"], key="k")
        assert calls.create(NewSession(title="T", tags=("a",)), key="k") == made.id
