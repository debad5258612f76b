"""What goes wrong outside: one clear sentence, the right exit status, no traceback, nothing lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

TOUR = str(Path(__file__).parents[2] / "examples" / "tour")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a/b", "a slash"),
        ("a.b", "a dot"),
        ("x" * 129, "129 characters"),
        ("", "empty"),
        ("a b", "a space"),
        ("-a", "'-'"),
    ],
)
def test_an_id_that_cannot_be(retoma, name, said):
    for args in (("session", "create", "--", name), ("run", TOUR, "--headless", "--session", name)):
        done = retoma(*args)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") <= 2
    assert retoma("session", "ls").stdout == "No active sessions found.\n"


def test_a_store_file_that_is_no_database(retoma, store):
    store.mkdir()
    (store / "retoma.db").write_bytes(b"not a database at all" * 100)
    for args in (("session", "ls"), ("session", "create", "x"), ("run", TOUR, "--headless")):
        done = retoma(*args)
        assert done.returncode == 6
        assert "damaged" in done.stderr
    assert (store / "retoma.db").read_bytes() == b"not a database at all" * 100


def test_a_damaged_page(retoma, store):
    retoma("session", "create", "x")
    size = (store / "retoma.db").stat().st_size
    with (store / "retoma.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    assert retoma("session", "ls").returncode == 6


def test_another_programs_database_is_left_alone(retoma, tmp_path):
    place = tmp_path / "other.db"
    with sqlite3.connect(place) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = place.read_bytes()
    done = retoma("session", "create", "x", at=place)
    assert done.returncode == 6
    assert "another program" in done.stderr
    assert place.read_bytes() == before


def test_a_store_of_a_newer_version(retoma, store):
    retoma("session", "create", "kept")
    with sqlite3.connect(store / "retoma.db") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    done = retoma("session", "ls")
    assert done.returncode == 1
    assert "newer Retoma" in done.stderr
    assert "format 99" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    # An empty store takes 200 KB, its log of what was written as much again as is said: some answers fit, and not all.
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small tmpfs: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_loses_nothing_that_was_acknowledged(retoma, small_disk):
    place = small_disk / "store"
    answers = [f"{n} " + "x" * 20_000 for n in range(100)]
    flow = small_disk.parent / "loop"
    flow.mkdir()
    (flow / "start.md").write_text("---\ntype: question\nsave_to: last\nto: start\n---\nGo on.\n")
    done = retoma("run", str(flow), "--session", "s", "--json", input="\n".join(answers) + "\n", at=place)
    assert done.returncode == 1
    assert "The disk is full" in done.stderr
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert lines[-1]["type"] == "end"
    acknowledged = sum(line["type"] == "request_input" for line in lines) - 1
    assert 0 < acknowledged < 100
    log = retoma("session", "log", "s", "--type", "flow.input", "--json", at=place)
    kept = [event["data"]["input"] for event in msgspec.json.decode(log.stdout)["items"]]
    assert kept[:acknowledged] == [answer.strip() for answer in answers[:acknowledged]]
    assert len(kept) == acknowledged
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    again = retoma("run", str(flow), "--session", "s", "--headless", input="space again\n", at=place)
    assert again.returncode == 3
    assert "Resuming at 'start' node" in again.stderr


def test_a_read_only_directory(retoma, tmp_path):
    place = tmp_path / "store"
    retoma("session", "create", "kept", at=place)
    mounted = subprocess.run(
        ["mount", "--bind", "-o", "ro", str(place), str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount read-only: {mounted.stderr.decode().strip()}")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
    try:
        for args, status in (
            (("session", "ls"), 0),
            (("session", "create", "x"), 1),
            (("run", TOUR, "--headless"), 1),
        ):
            done = retoma(*args, at=place)
            assert done.returncode == status
            assert "read-only" in done.stderr
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert "- kept" in retoma("session", "ls", at=place).stdout


def test_input_that_is_not_utf8(retoma):
    done = retoma("run", TOUR, "--session", "s", "--headless", input=b"Ana\n\xff\xfe\n")
    assert done.returncode == 2
    assert "Line 2 of the input is not UTF-8: byte 0xff at place 1." in done.stderr
    assert at(retoma) == "roads"


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ("{", "--context: This is not JSON: "),
        ("[]", "--context is not a JSON object."),
        ("@nosuch.json", "The context file 'nosuch.json' cannot be read: No such file or directory."),
        ("@", "The context file '' cannot be read: Is a directory."),
    ],
)
def test_a_context_that_cannot_be(retoma, context, said):
    done = retoma("run", TOUR, "--headless", "--context", context)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and "For example --context" in done.stderr


def test_five_megabytes_on_a_line(retoma):
    line = b"x" * (5 << 20)
    for args in (("--headless",), ("--json",)):
        done = retoma(
            "run",
            TOUR,
            "--session",
            "s",
            *args,
            input=b"Ana\n" + line + b"\n" if args[0] == "--headless" else line,
        )
        assert done.returncode == 2
        assert "5,242,880 bytes" in done.stderr
        assert at(retoma) == "roads"
    assert msgspec.json.decode(done.stdout.splitlines()[-1])["type"] == "end"


def at(retoma) -> str:
    return msgspec.json.decode(retoma("session", "inspect", "s").stdout)["current_node"]


@pytest.mark.parametrize(
    ("closed", "status"), [("<&-", 3), (">&-", 3), ("2>&-", 3), ("<&- >&- 2>&-", 3), (">&- </dev/null", 3)]
)
def test_a_standard_stream_that_is_closed(store, closed, status):
    command = f"{sys.executable} -m retoma --store {store} run {TOUR} --session s {closed}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], input="Ana\n", capture_output=True, text=True, check=False
    )
    assert (done.returncode, "defect" in done.stderr) == (status, False), done.stderr


def test_words_and_names_that_are_not_utf8(retoma, store, monkeypatch):
    bad = os.fsdecode(b"a\xff")
    for args in (
        ("session", "show", bad),
        ("session", "create", "--title", bad),
        ("run", TOUR, "--context", f'{{"a": "{bad}"}}'),
        ("--store", bad, "session", "ls"),
    ):
        done = retoma(*args)
        assert done.returncode == 2
        assert r"a\xff" in done.stderr and "not UTF-8" in done.stderr
    monkeypatch.setenv("RETOMA_STORE", bad)
    done = subprocess.run([sys.executable, "-m", "retoma", "session", "ls"], capture_output=True, check=False)
    assert (done.returncode, b"not UTF-8" in done.stderr) == (2, True), done.stderr


def test_a_user_or_a_directory_whose_name_is_not_utf8(retoma, store, monkeypatch):
    bad = os.fsdecode(b"a\xff")
    monkeypatch.setenv("LOGNAME", bad)
    assert retoma("session", "create", "s").returncode == 0
    place = store.parent / bad
    (place / ".retoma").mkdir(parents=True)
    (place / "start.md").write_text("Hi\n")
    monkeypatch.chdir(place)
    assert "is not UTF-8" in retoma("run", ".", "--headless").stderr
    done = subprocess.run([sys.executable, "-m", "retoma", "session", "ls"], capture_output=True, check=False)
    assert (done.returncode, b"is not UTF-8" in done.stderr) == (2, True), done.stderr


def test_a_run_whose_output_is_no_longer_read_is_not_finished(store):
    """`retoma run … | head -1` in a script under pipefail must not look like a flow that came to its end."""
    for form in ("--headless", "--json"):
        reader, writer = os.pipe()
        os.close(reader)
        run = ("run", TOUR, "--session", form[2:], form)
        done = subprocess.run(
            [sys.executable, "-m", "retoma", "--store", str(store), *run],
            input=b"Ana\n",
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writer)
        assert (done.returncode, b"defect" in done.stderr) == (3, False), done.stderr
