"""A secret: in the memory of the run and nowhere else, and asked for again before the node that needs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.calls import Calls

from retoma.flows import SecretNeeded, load, validate
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.runtime.drive import Request
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

PIN = "---\ninput_type: secret\nsave_to: pin\nto: who\n---\nPin?\n"
NAME = "---\ntype: question\nsave_to: name\nto: gate\n---\nName?\n"
GATE = "---\ntransitions:\n  - {condition: context.pin == '4711', to: in}\nto: out\n---\nAt the gate.\n"
MARK = {"secret": True}


@pytest.fixture
def flow(make_flow):
    return make_flow(
        start=PIN, who=NAME, gate=GATE, **{"in": "Come in, {{ .name }}.\n", "out": "{{ .pin }}\n"}
    )


def request(flow, **more):
    return Request(directory=flow, session="s", **more)


def test_conditions_see_it_for_as_long_as_the_run_lasts(client, flow):
    with client.drive(request(flow)) as drive:
        assert drive.prompt.input_type == "secret"
        drive.send("4711")
        assert drive.position.context == {"pin": MARK}
        assert drive.position.ans == MARK
        drive.send("Ana")
        assert drive.history[-2:] == ["gate", "in"]
        assert drive.wanted is None


def test_what_templates_show_of_it_is_the_mark(client, flow):
    with client.drive(request(flow)) as drive:
        drive.send("wrong")
        drive.send("Ana")
        assert drive.shown[-1].content == '{"secret":true}'
    warned = [problem.message for problem in validate(load(flow))]
    assert warned == ["'pin' is a secret: its value is never shown."]


def test_it_is_asked_for_again_before_the_node_that_needs_it(client, flow):
    with client.drive(request(flow)) as drive:
        drive.send("4711")
    with client.drive(request(flow)) as drive:
        assert (drive.shown[-1].content, drive.wanted) == ("Name?", None)
        before = client.get("s").seq
        drive.send("Ana")
        # The step is not taken yet, and nothing of it is kept.
        assert (drive.wanted, drive.prompt.node, drive.prompt.input_type) == ("pin", "start", "secret")
        assert [visit.content for visit in drive.shown] == ["Pin?"]
        assert client.get("s").seq == before
        drive.send("4711")
        assert (drive.wanted, drive.history[-2:]) == (None, ["gate", "in"])
        assert [visit.node for visit in drive.shown] == ["gate", "in"]
    said = [event.value().get("input") for event in client.events("s") if event.type == "flow.input"]
    assert said == [MARK, "Ana"]


def test_a_node_that_waits_and_decides_by_it_is_shown_after_it(client, make_flow):
    ask = "---\ntype: question\ntransitions:\n  - {condition: input == context.pin, to: end}\nto: ask\n---\nAgain?\n"
    flow = make_flow(start=PIN.replace("who", "ask"), ask=ask, end="Right.\n")
    with client.drive(request(flow)) as drive:
        drive.send("4711")
    with client.drive(request(flow)) as drive:
        assert (drive.wanted, drive.shown[-1].content) == ("pin", "Pin?")
        drive.send("4711")
        assert (drive.wanted, drive.shown[-1].content) == (None, "Again?")
        assert (drive.prompt.node, drive.prompt.input_type) == ("ask", "text")
        drive.send("4712")
        assert drive.position.node == "ask"
        drive.send("4711")
        assert drive.over


def test_a_stretch_that_needs_it_goes_on_where_it_stopped(client, make_flow, monkeypatch):
    monkeypatch.setattr("retoma.flows.walk.STEP_NODES", 1)
    flow = make_flow(start=PIN, who=NAME.replace("gate", "far"), far="---\nto: gate\n---\nFar.\n", gate=GATE, end="",
                     **{"in": "In.\n", "out": "Out.\n"})  # fmt: skip
    with client.drive(request(flow)) as drive:
        drive.send("4711")
    with client.drive(request(flow)) as drive:
        drive.send("Ana")
        assert (drive.wanted, drive.position.node, drive.position.status) == ("pin", "far", "active")
    with client.drive(request(flow)) as drive:
        assert (drive.wanted, [visit.content for visit in drive.shown]) == ("pin", ["Far.", "Pin?"])
        drive.send("4711")
        assert (drive.over, [visit.node for visit in drive.shown]) == (True, ["gate", "in"])
    assert client.position("s").history == ["start", "who", "far", "gate", "in"]


def test_a_signal_from_beside_cannot_ask(client, make_flow):
    gate = GATE.replace("---\n", "---\nwait: true\n", 1)
    flow = make_flow(start=PIN, who=NAME.replace("---\n", "---\non_signal: {go: gate}\n", 1), gate=gate,
                     **{"in": "In.\n", "out": "Out.\n"})  # fmt: skip
    with client.drive(request(flow)) as drive:
        drive.send("4711")
    before = client.get("s").seq
    with pytest.raises(SecretNeeded, match="needs the secret 'pin'"):
        client.signal("s", "go")
    assert client.get("s").seq == before


def test_it_meets_a_schema_as_text_and_is_no_secret_where_the_flow_asks_for_none(client, make_flow):
    end = "---\ncontext_schema: {pin: string}\n---\nDone.\n"
    with client.drive(request(make_flow(start=PIN.replace("who", "end"), end=end))) as drive:
        drive.send("4711")
        assert (drive.over, drive.failure) == (True, "")
    plain = make_flow(
        "plain", start="---\ntransitions:\n  - {condition: context.pin, to: end}\n---\nx\n", end="y\n"
    )
    with client.drive(Request(directory=plain, session="p", context={"pin": MARK})) as drive:
        assert (drive.over, drive.wanted) == (True, None)


def test_it_is_in_no_file_of_the_store(tmp_path: Path, flow):
    clock = Clock()
    store = SqliteStore(tmp_path / "store" / "retoma.db", now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        with client.drive(request(flow)) as drive:
            drive.send("xyzzy-first")
        with client.drive(request(flow)) as drive:
            drive.send("Ana")
            drive.send("xyzzy-again")
            assert drive.over
        files = [file for file in (tmp_path / "store").rglob("*") if file.is_file()]
        assert any(file.name.endswith("-wal") and file.stat().st_size for file in files)
        assert b"Ana" in b"".join(file.read_bytes() for file in files)
        assert all(b"xyzzy" not in file.read_bytes() for file in files)
