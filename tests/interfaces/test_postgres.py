"""The command line on PostgreSQL: what holds on a file holds there, and what is wrong with a server is said."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.crash.test_kill import Run, flow, journal  # noqa: F401 (a fixture)
from tests.postgres import Server

Retoma = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def store(database: str) -> str:
    return database


@pytest.fixture
def named(database: str) -> Retoma:
    """Run `retoma ARGS` with the store in the environment."""

    def run(*args: str, at: str = database) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "retoma", *args],
            env={**os.environ, "RETOMA_STORE": at},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_reading_makes_no_tables_and_init_makes_them_once(named: Retoma, database: str) -> None:
    assert named("session", "ls").stdout == "No active sessions found.\n"
    with psycopg.connect(database) as other:
        assert other.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        ).fetchone() == (0,)
    shown = database.replace(":pass%20word", "").partition("?")[0]
    assert named("--store", database, "init").stdout == f"Made the store {shown}.\n"
    assert named("--store", database, "init").stdout == f"The store {shown} already exists.\n"


def test_a_password_is_never_shown(named: Retoma, database: str) -> None:
    for args in (("config",), ("doctor",), ("doctor", "--json"), ("version",)):
        ran = named(*args)
        assert (ran.returncode < 2, "pass" in ran.stdout + ran.stderr) == (True, False), ran
    for wrong in (
        database.replace("pass%20word", "other"),
        database.replace("%20", "%2"),
        database + "&password=other",
    ):
        ran = named("session", "ls", at=wrong)
        assert ran.returncode in {1, 2}
        assert "other" not in ran.stderr and "word@" not in ran.stderr, ran.stderr


@pytest.mark.parametrize(
    "password",
    ["s3cr@et-tail", "hunter2?q", "hunter2/x", "hunter2#x@et-tail", "et-tail@1/hunter2", "%zzs3cr"],
)
def test_no_part_of_a_password_is_in_an_error_whatever_libpq_makes_of_it(
    named: Retoma, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, password: str
) -> None:
    monkeypatch.setenv("RETOMA_DEBUG", "1")
    url, beside = f"postgresql://ana:{password}@127.0.0.1:1/x", str(tmp_path / "store")
    for at, args in (
        (url, ("session", "ls")),
        (url, ("config",)),
        (f"postgresql://ana:{password.partition('@')[0]}", ("doctor",)),
        (beside, ("session", "import", url)),
        (beside, ("session", "ls", url)),
        (beside, ("store", "restore", url)),
    ):
        ran = named(*args, at=at)
        said = ran.stdout + ran.stderr
        assert not any(part in said for part in ("s3cr", "hunter2", "et-tail")), said
        if at is url and args != ("config",):
            assert "must be written as %XX" in said or "Connection refused" in said, said


def test_a_store_is_backed_up_restored_and_checked_as_the_page_says(named: Retoma, tmp_path: Path) -> None:
    server = Server()
    server.start()
    try:
        url, again = (
            server.url().partition("?")[0],
            server.url().partition("?")[0].replace("/postgres", "/again"),
        )
        named("session", "create", "s", at=url)
        named("session", "append", "s", "user", "hello", at=url)
        file, bin = tmp_path / "monday.dump", server._bin
        subprocess.run([bin / "pg_dump", "--format=custom", f"--file={file}", url], check=True)
        subprocess.run([bin / "psql", "--quiet", "--command=CREATE DATABASE again", url], check=True)
        subprocess.run([bin / "pg_restore", "--exit-on-error", f"--dbname={again}", file], check=True)
        assert named("store", "check", at=again).returncode == 0
        assert "hello" in named("session", "read", "s", at=again).stdout
        refused = named("store", "backup", str(tmp_path / "x.db"), at=url)
        assert (refused.returncode, "store copy URL FILE" in refused.stderr) == (1, True)
    finally:
        server.close()


def test_a_run_that_was_killed_goes_on_where_it_stood(database: str, flow: Path) -> None:  # noqa: F811
    run = Run(database, flow)
    assert run.until_asked()
    run.send("one")
    assert run.until_asked()
    run.end()
    again = Run(database, flow)
    assert again.until_asked()
    again.send("two")
    assert again.until_asked()
    again.end()
    assert journal(database) == ["one", "two"]


def test_a_second_driver_is_refused(named: Retoma, database: str, flow: Path) -> None:  # noqa: F811
    run = Run(database, flow)
    assert run.until_asked()
    refused = named("run", str(flow), "--session", "s", "--headless")
    assert refused.returncode == 5
    assert f"driven by process {run.process.pid} on " in refused.stderr
    run.end()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace("pass%20word", "wrong"), "refused the user or the password"),
        (lambda url: url.rpartition("/")[0] + "/nowhere", 'database "nowhere" does not exist'),
        (lambda url: "postgresql://u@127.0.0.1:1/x", "cannot be reached: Connection refused"),
        (lambda url: url.replace("%20", "%2"), "is not a valid PostgreSQL URL"),
    ],
)
def test_what_is_wrong_with_the_url_is_said_at_once(
    named: Retoma, database: str, change: Callable[[str], str], said: str
) -> None:
    began = time.monotonic()
    ran = named("session", "ls", at=change(database))
    # Most of it is Python's start, which a slow and busy machine makes long.
    assert time.monotonic() - began < 15
    assert ran.returncode in {1, 2}
    assert said in ran.stderr


def test_a_database_of_a_newer_version_or_of_another_program_is_left_alone(
    named: Retoma, database: str
) -> None:
    named("session", "create", "one")
    with psycopg.connect(database) as other:
        other.execute("INSERT INTO migration VALUES (999, 'later', '', 0)")
    ran = named("session", "ls")
    assert (ran.returncode, "is from a newer Retoma: it has format 999" in ran.stderr) == (1, True), (
        ran.stderr
    )
    with psycopg.connect(database) as other:
        other.execute("DROP TABLE migration")
    for args in (("session", "ls"), ("session", "create", "two")):
        ran = named(*args)
        assert (ran.returncode, "has tables of another program" in ran.stderr) == (6, True), ran.stderr


@pytest.fixture
def replica(named: Retoma) -> Iterator[str]:
    """The URL of a replica of a server that had one session."""
    first = Server()
    try:
        first.start()
        assert named("session", "create", "one", at=first.url()).returncode == 0
        first.stop()
        first.standby()
        first.start()
        yield first.url()
    finally:
        first.close()


def test_a_replica_is_read_and_not_written(named: Retoma, replica: str) -> None:
    assert "one" in named("session", "ls", at=replica).stdout
    assert ", a replica" in named("doctor", at=replica).stdout
    ran = named("session", "append", "one", "user", "hello", at=replica)
    assert (ran.returncode, "is read-only: it is a replica" in ran.stderr) == (1, True), ran.stderr


def test_a_server_that_does_not_wait_for_its_disk_is_told_of(named: Retoma) -> None:
    ran = named("doctor")
    assert (ran.returncode, "can destroy the store" in ran.stdout) == (1, True), ran.stdout
