"""`retoma store copy`: every session to another store, of the other database too, proved and resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.interfaces.conftest import Retoma

import retoma
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.service.transfer import copying
from retoma.stores.contract.store import Store


@pytest.fixture(params=["to PostgreSQL", "from PostgreSQL", "files"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A store with some of everything, and the place of another."""
    file = str(tmp_path / "file")
    other = str(tmp_path / "other") if request.param == "files" else str(request.getfixturevalue("database"))
    source, target = (other, file) if request.param == "from PostgreSQL" else (file, other)
    with retoma.open(source) as client:
        parent = client.create("parent", title="T")
        parent.append_many([("user", f"message {n} \u2028 {'x' * 3000}") for n in range(20)])
        client.create("child", parent="parent").append("user", "hello")
        client.fork("parent", "fork", at=5)
        client.create("archived").archive()
        client.create("erased").append("user", "secret")
        client.session("erased").redact(first=2)
        client.create("trashed").trash()
        client.create("ended").append("user", "an epoch that goes")
        client.session("ended").reset(erase=True)
        client.session("ended").end()
    return source, target


def heads(place: str) -> dict[str, object]:
    with retoma.open(place) as client:
        rows = [client.session(name) for name in ("parent", "child", "fork", "archived", "erased", "ended")]
        return {
            one.id: (one.message_count, one.status, one.title, one.archived, [*one.events()]) for one in rows
        }


def test_every_session_is_copied_and_proved_and_again_nothing_is(
    retoma: Retoma, places: tuple[str, str]
) -> None:
    source, target = places
    done = retoma("store", "copy", source, target)
    assert (done.returncode, "In the trash, so not copied: trashed." in done.stderr) == (0, True), done
    assert done.stdout.startswith("6 sessions the same in ")
    assert "6 copied now" in done.stdout
    assert heads(source) == heads(target)
    assert retoma("--store", target, "store", "check").returncode == 0
    again = json.loads(retoma("store", "copy", source, target, "--json").stdout)
    assert (again["equal"], again["copied"], again["changed"], again["failed"]) == (6, 0, [], [])


def test_a_session_that_is_written_meanwhile_is_copied_again_or_named(
    places: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    writes = 0
    copy_one = copying._copy_one

    with retoma.open(source) as client, retoma.open(source) as writer:

        def beside(*stores: Store, who: Principal, name: str, limits: Limits) -> None:
            nonlocal writes
            copy_one(*stores, who=who, name=name, limits=limits)
            if name == "child" and writes:
                writes -= 1
                writer.session("child").append("user", "meanwhile")

        monkeypatch.setattr(copying, "_copy_one", beside)
        writes = 1
        done = client.copy_to(target)
        assert (done.equal, done.changed) == (6, ())
        writes = 3
        writer.session("child").append("user", "once more")
        done = client.copy_to(target)
        assert (done.equal, done.changed) == (5, ("child",))
        assert client.copy_to(target).equal == 6


def test_a_session_that_cannot_be_copied_is_named_and_the_others_are(places: tuple[str, str]) -> None:
    source, target = places
    with retoma.open(target) as other, retoma.open(source) as client:
        other.create("child")
        done = client.copy_to(target)
        assert ([one.id for one in done.failed], done.equal) == (["child"], 5)
        other.delete("child")
        assert client.copy_to(target).equal == 6
