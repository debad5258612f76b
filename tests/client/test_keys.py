"""What a key is compared with is in stores already: a call that a newer version repeats gets its first answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import retoma
from retoma.model.ids import given_operation
from retoma.model.principal import LOCAL_TENANT

KEY = "the key"


def in_batch(session: retoma.Session) -> None:
    with session.batch(key=KEY) as batch:
        batch.append("user", "a", sender="ana")
        batch.state["n"] = 1
        del batch.state["old"]


KEPT: dict[str, tuple[Callable[[retoma.Client, retoma.Session], object], str, str]] = {
    "create": (
        lambda c, s: c.create(
            "made",
            title="T",
            tags=["b", "a"],
            contexts={"task": "7"},
            metadata={"n": 1},
            ttl="2h",
            parent="demo",
            key=KEY,
        ),
        "made",
        "558e4b6b6c9ff8b7217bda38b2659a13",
    ),
    "resume": (
        lambda c, s: (s.pause(), c.resume("demo", key=KEY)),
        "demo",
        "3969aa65711610162fd8d74b42c19b31",
    ),
    "delete": (lambda c, s: c.delete("demo", key=KEY), "", "c66ba351a2f19f5b25cfa674c7b29869"),
    "delete with forks": (
        lambda c, s: c.delete("demo", with_forks=True, key=KEY),
        "",
        "0fd7a262f590d1a229a92c7dee19db2f",
    ),
    "fork": (
        lambda c, s: c.fork("demo", "other", at=1, key=KEY),
        "other",
        "180a5d82b0ad45ea762eaa62a90ffa58",
    ),
    "fork of a handle": (
        lambda c, s: s.fork("other", at=1, key=KEY),
        "other",
        "180a5d82b0ad45ea762eaa62a90ffa58",
    ),
    "append": (
        lambda c, s: s.append("user", "Which rows fail?", key=KEY),
        "demo",
        "e7a356f5b52d3dd9f0340c863b98acc6",
    ),
    "append by a sender": (
        lambda c, s: s.append("assistant", "None.", sender="reviewer", key=KEY),
        "demo",
        "c4febe0e423d3f4206839f9859c8d42e",
    ),
    "append parts": (
        lambda c, s: s.append(
            "assistant", [retoma.types.Text("March."), retoma.types.Reasoning("x")], key=KEY
        ),
        "demo",
        "b0f792df99295692bfca45ffb6ccedd4",
    ),
    "append_many": (
        lambda c, s: s.append_many([("user", "a"), {"role": "tool", "content": "b", "sender": "c"}], key=KEY),
        "demo",
        "c2b43da09d796d616cf081734c82b76e",
    ),
    "batch": (lambda c, s: in_batch(s), "demo", "0f8bd535ed821f3e39faa46294e068d6"),
    "state": (
        lambda c, s: s.state.put({"n": 1, "m": [1, None]}, delete=["old"], key=KEY),
        "demo",
        "97cfb097142d7d966c46d4058c1a9015",
    ),
    "pause": (lambda c, s: s.pause("waits", key=KEY), "demo", "debdf6a8878978422dbf921bc2e2b96d"),
    "resume of a handle": (
        lambda c, s: (s.pause(), s.resume(key=KEY)),
        "demo",
        "65ac87521497c7625ac4295efa394751",
    ),
    "end": (lambda c, s: s.end("done", key=KEY), "demo", "7afebcb5a496e1a491a67e3178e82748"),
    "fail": (lambda c, s: s.fail("broke", key=KEY), "demo", "30a48c522073feb730bf77b56d58e94f"),
    "reset": (lambda c, s: s.reset(key=KEY), "demo", "e49a0a47d74a4b9b5e4a975e84295591"),
    "reset erasing": (lambda c, s: s.reset(erase=True, key=KEY), "demo", "5297aaa66fcdae8cbdf9817d4c93ea7f"),
    "trash": (lambda c, s: s.trash(key=KEY), "demo", "d2f8169311e4853c7c26bda9687acc44"),
    "restore": (lambda c, s: (s.trash(), s.restore(key=KEY)), "demo", "daf63da974a2b74de69cb5416fce836d"),
    "undo": (
        lambda c, s: (s.append("user", "a"), s.undo(key=KEY)),
        "demo",
        "638ecf1a2fd83efaeb17b9dfcd3a2676",
    ),
    "redact": (
        lambda c, s: (s.append("user", "secret"), s.redact(pattern="secret", key=KEY)),
        "demo",
        "2aa6b836d598e1f1ae5619cc0f528ae8",
    ),
    "rename": (lambda c, s: s.rename("T", key=KEY), "demo", "3d86757e035abc7338bdf44ce820dc36"),
    "describe": (lambda c, s: s.describe("D", key=KEY), "demo", "85207470815f3d4d4674cd92637d13ab"),
    "set_id": (lambda c, s: s.set_id("new", key=KEY), "new", "e097b7283357fd479a8bb7d993eb4b6f"),
    "tag": (lambda c, s: s.tag("b", "a", key=KEY), "demo", "5f451eaca97fc76385e5e4e1f877c7b5"),
    "link": (lambda c, s: s.link({"task": ["7", "8"]}, key=KEY), "demo", "25edb99f92a21c93f734160d3243e8c5"),
    "set_metadata": (
        lambda c, s: s.set_metadata({"n": 1}, forget=["m"], key=KEY),
        "demo",
        "a74a78b665874309b57fdc390bbe1ffe",
    ),
    "pin": (lambda c, s: s.pin(key=KEY), "demo", "aac25eb61a3b1caef25da24147286572"),
    "note": (lambda c, s: s.note("N", key=KEY), "demo", "6352b4591dcd71c48f14fe2fb9de160e"),
}


@pytest.mark.parametrize("name", KEPT)
def test_the_hash_of_a_request_is_that_of_earlier_versions(client, session, name):
    act, of, expected = KEPT[name]
    act(client, session)
    assert kept(client, of) == expected


def kept(client: retoma.Client, session: str) -> str:
    """Return the hash that the store keeps with the key, of `session`; of the store without one."""
    operation = given_operation(KEY)

    def read(tx):
        if session:
            return tx.journal.operation(tx.sessions.key(LOCAL_TENANT, session), operation)[1]
        return tx.sessions.operation(LOCAL_TENANT, operation)[0]

    return client._opened.store.read(read).hex()
