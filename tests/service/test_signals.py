"""Signals: journalled with the step they lead to, by the node's own handler, else by the entry node's."""

from __future__ import annotations

import pytest

from retoma.errors import Busy, NotFound, Refused
from retoma.model.fold import fold
from retoma.model.lease import Holder
from retoma.model.session import NewSession
from retoma.runtime.drive import Drive, Request

START = "---\ntype: question\nto: ask\non_signal_default: {interrupt: bye, help: help, lost: nowhere}\n---\nBegin?\n"
ASK = "---\ntype: question\ntimeout: 5s\non_timeout: late\non_signal: {help: hint}\nsave_to: x\nto: end\n---\nAsk\n"
NODES = {
    "start": START.replace(", lost: nowhere", ""), "ask": ASK, "late": "---\nto: ask\n---\nLate.\n",
    "hint": "---\nto: ask\n---\nA hint.\n", "help": "Help.\n", "bye": "---\nwait: true\n---\nBye?\n", "end": "End\n",
}  # fmt: skip


@pytest.fixture
def flow(make_flow):
    return make_flow(**NODES)


def request(flow):
    return Request(directory=flow, session="s")


def events(client, kind):
    return [event for event in client.events("s") if event.type == kind]


def test_a_signal_is_journalled_with_its_step(client, flow):
    with client.drive(request(flow)) as drive:
        drive.send("go")
        assert drive.leads_to("timeout") == "late"
        step = drive.signal("timeout")
        assert [visit.node for visit in step.visits] == ["late", "ask"]
        assert (drive.position.ans, drive.prompt.timeout_s) == ("go", 5.0)
    [signal] = events(client, "flow.signal")
    assert signal.value() == {"node": "ask", "name": "timeout", "to": "late"}
    caused = [event for event in events(client, "flow.step") if event.cause == signal.seq]
    assert [event.value()["node"] for event in caused] == ["late", "ask"]
    assert {event.operation for event in (signal, *caused)} == {signal.operation}
    folded, rows = fold(client.events("s")), client.position("s")
    assert (folded.history, folded.flow_status) == (rows.history, rows.session.flow_status)
    assert folded.ans == rows.position.ans == "go"


@pytest.mark.parametrize(
    ("inputs", "name", "to"),
    [([], "interrupt", "bye"), ([], "help", "help"), (["go"], "help", "hint"), (["go"], "interrupt", "bye")],
)
def test_the_nodes_own_handler_goes_before_the_entrys(client, flow, inputs, name, to):
    with client.drive(request(flow)) as drive:
        for text in inputs:
            drive.send(text)
        drive.signal(name)
        assert to in drive.history


def test_what_nothing_handles_changes_nothing(client, flow):
    with client.drive(request(flow)) as drive:
        before = client.get("s").seq
        assert drive.signal("timeout") is None
        assert drive.signal("unknown") is None
        assert client.get("s").seq == before
        drive.send("go")
        assert drive.position.node == "ask"


def test_an_interrupt_at_its_own_handler_leaves(client, flow):
    with client.drive(request(flow)) as drive:
        drive.signal("interrupt")
        assert drive.position.node == "bye"
        assert drive.signal("interrupt") is None


def test_a_signal_from_beside_goes_by_the_stored_version(client, flow):
    client.drive(request(flow)).close()
    for file in flow.iterdir():
        file.write_text("{{ broken")
    sent = client.signal("s", "interrupt")
    assert (sent.node, sent.to, sent.current_node, sent.flow_status) == (
        "start",
        "bye",
        "bye",
        "waiting_for_input",
    )
    assert client.position("s").history == ["start", "bye"]
    assert client.signal("s", "interrupt").to is None
    with pytest.raises(Refused, match="Nothing handles the signal 'x' at the node 'bye'"):
        client.signal("s", "x")


def test_a_signal_that_ends_the_flow_completes_the_session(client, flow):
    client.drive(request(flow)).close()
    assert client.signal("s", "help").flow_status == "finished"
    assert client.get("s").status == "completed"
    with pytest.raises(Refused, match="is completed"):
        client.signal("s", "help")
    folded = fold(client.events("s"))
    assert (folded.status, folded.flow_status) == ("completed", "finished")


def test_a_signal_is_refused_while_another_drives_and_where_no_flow_is(client, flow):
    holder = Holder("other", "boot", 42, 1, "retoma run")
    sources = client._sources
    driven = Drive(client._store, client._who, holder, sources.now, sources.random, request(flow))
    with driven, pytest.raises(Busy, match="process 42 on other"):
        client.signal("s", "interrupt")
    client.create(NewSession(id="plain"))
    with pytest.raises(Refused, match="has no flow"):
        client.signal("plain", "interrupt")
    with pytest.raises(NotFound):
        client.signal("nosuch", "interrupt")
    client.change("s", "suspended")
    with pytest.raises(Refused, match="suspended"):
        client.signal("s", "interrupt")
