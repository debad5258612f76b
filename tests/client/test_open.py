"""A store is found as the command line finds it, and what `retoma.toml` says holds for a program, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import retoma


def test_a_place_is_a_directory_a_file_a_url_or_memory(tmp_path):
    for place in (tmp_path / "a", str(tmp_path / "b.db"), f"sqlite:///{tmp_path}/c.db", ":memory:"):
        with retoma.open(place) as client:
            client.create("demo")
            assert client.check().sessions == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in {"", ".db"}) >= [
        "a",
        "b.db",
        "c.db",
    ]
    for wrong in ("", "mysql://x", "sqlite://x"):
        with pytest.raises(retoma.Invalid):
            retoma.open(wrong)


def test_without_a_place_it_is_the_one_that_commands_find(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RETOMA_STORE", raising=False)
    run = [sys.executable, "-m", "retoma"]
    subprocess.run([*run, "init"], check=True, capture_output=True)
    with retoma.open(user="eva") as client:
        client.create("demo").append("user", "from a program")
    said = subprocess.run([*run, "session", "log", "demo"], check=True, capture_output=True, text=True).stdout
    assert said.count(" eva ") == 2
    monkeypatch.setenv("RETOMA_STORE", str(tmp_path / "other"))
    with retoma.open() as client:
        assert client.get("demo") is None


def test_limits_of_the_configuration_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("retoma.toml").write_text("[limits]\nsessions = 1\nevents_per_session = 3\n")
    Path("retoma.toml").chmod(0o600)
    with retoma.open(tmp_path / "store") as client:
        session = client.create("demo")
        with pytest.raises(retoma.Limit) as limit:
            client.create("second")
        assert (limit.value.code, limit.value.limit) == ("too_many_sessions", 1)
        with pytest.raises(retoma.Limit, match="allows 3"):
            session.append_many([("user", "x")] * 3)
        session.append("user", "x")
        session.state["k"] = 1
        with pytest.raises(retoma.Limit):
            session.state["k"] = 2
        assert session.head == 3
    Path("retoma.toml").write_text("[limit]\n")
    with pytest.raises(retoma.Invalid, match=r"limits"):
        retoma.open(tmp_path / "store")
