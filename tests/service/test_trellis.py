"""Sessions of Trellis, imported: where a flow stood is where it goes on, whatever the keys were called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.calls import Calls
from tests.service.conftest import MakeFlow
from tests.service.test_imports import SAMPLES, parts, whole

from retoma.errors import Integrity, Invalid, Refused
from retoma.runtime.drive import Request

NODES = {
    "start": "---\ntype: question\nsave_to: bebida\nto: preparar\n---\nO que prefere beber?\n",
    "preparar": "---\ntype: question\nsave_to: chaleira\nto: fim\n---\nAquecendo a água para {{ .bebida }}.\n",
    "fim": "Pronto: {{ .bebida }}, {{ .chaleira }}, antes {{ sys.ans }}.\n",
}


def write(path: Path, **fields: object) -> Path:
    path.write_text(json.dumps(fields, indent=2))
    return path


@pytest.mark.parametrize("sample", ["sessions/pedido-002.json", "sessions-old-spelling/pedido-010.json"])
def test_a_flow_goes_on_at_its_node(client: Calls, make_flow: MakeFlow, sample: str) -> None:
    flow = make_flow(**NODES)
    (name,) = whole(client.bring(SAMPLES / "trellis" / sample))
    before = client.position(name)
    assert (before.position.node, before.position.status, before.history) == (
        "preparar", "waiting_for_tool", ["start", "preparar"],
    )  # fmt: skip
    with client.drive(Request(directory=flow, session=name)) as drive:
        assert drive.resumed
        assert drive.notices == ["The session was imported; it continues in the flow 'flow'."]
        assert drive.shown[0].content == f"Aquecendo a água para {before.position.ans}."
        drive.send("sim")
        assert drive.shown[-1].content == f"Pronto: {before.position.ans}, sim, antes sim."
    session = client.get(name)
    assert (session.status, session.flow, session.flow_path) == ("completed", "flow", str(flow))
    assert client.position(name).history == ["start", "preparar", "fim"]
    assert client.check().damage == []
    assert client.bring(SAMPLES / "trellis" / sample).sessions[0].imported.added == 0


def test_then_it_is_a_session_of_that_flow_and_no_other(client: Calls, make_flow: MakeFlow) -> None:
    flow, other = make_flow(**NODES), make_flow("other", start=NODES["start"], preparar="Else.\n")
    client.bring(SAMPLES / "trellis/sessions/pedido-001.json")
    client.drive(Request(directory=flow, session="pedido-001")).close()
    with pytest.raises(Refused, match="another flow"):
        client.drive(Request(directory=other, session="pedido-001"))
    with client.drive(Request(directory=flow, session="pedido-001")) as drive:
        assert drive.notices == []
        assert drive.prompt is not None
        drive.send("chá")
    assert client.position("pedido-001").position.context == {"mesa": "4 & 5", "bebida": "chá"}
    assert client.check().damage == []


def test_a_session_that_waited_for_a_tool_asks_for_it_again(client: Calls) -> None:
    client.bring(SAMPLES / "trellis/sessions/pedido-002.json")
    with client.drive(Request(directory=SAMPLES / "trellis/flow", session="pedido-002")) as drive:
        assert drive.call is not None
        assert drive.call.name == "aquecer"
    assert client.position("pedido-002").position.node == "preparar"
    assert client.check().damage == []


def test_a_node_that_is_not_in_the_flow(client: Calls, make_flow: MakeFlow) -> None:
    flow = make_flow(**NODES)
    client.bring(SAMPLES / "trellis/damaged/node-not-in-flow.json")
    with client.drive(Request(directory=flow, session="node-not-in-flow")) as drive:
        assert "There is no node 'pagar' in it: back to 'start'" in drive.notices[0]
        assert drive.prompt is not None
        assert drive.prompt.node == "start"
    assert client.position("node-not-in-flow").history == ["start", "pagar", "start"]
    assert client.check().damage == []


def test_a_node_by_its_alias_and_one_that_does_not_wait(
    client: Calls, make_flow: MakeFlow, tmp_path: Path
) -> None:
    flow = make_flow(
        start=NODES["start"],
        moved="---\nid: preparar\nto: fim\n---\nPasses.\n",
        fim="End of {{ .bebida }}.\n",
    )
    client.bring(SAMPLES / "trellis/sessions/pedido-002.json")
    with client.drive(Request(directory=flow, session="pedido-002")) as drive:
        assert "Its node 'preparar' is 'moved' there." in drive.notices[0]
        assert [visit.content for visit in drive.shown] == ["Passes.", "End of chá."]
        assert drive.over
    assert client.position("pedido-002").history == ["start", "moved", "fim"]
    assert client.check().damage == []


def test_what_the_flow_cannot_carry_on_with_is_said(
    client: Calls, make_flow: MakeFlow, tmp_path: Path
) -> None:
    needs = "---\ntype: question\nrequired_context: [forma]\nto: start\n---\nX\n"
    flow = make_flow(start=needs, preparar=needs)
    client.bring(SAMPLES / "trellis/sessions/pedido-002.json")
    before = client.get("pedido-002")
    with pytest.raises(Refused, match="forma"):
        client.drive(Request(directory=flow, session="pedido-002"))
    write(tmp_path / "r.json", session_id="r", current_node_id="start", status="rolling_back", context={})
    client.bring(tmp_path / "r.json")
    with pytest.raises(Refused, match="rollback"):
        client.drive(Request(directory=make_flow("again", **NODES), session="r"))
    assert client.get("pedido-002") == before
    assert client.position("r").position.status == "rolling_back"


def test_a_signal_before_the_first_run_says_what_to_do(client: Calls) -> None:
    client.bring(SAMPLES / "trellis/sessions/pedido-001.json")
    with pytest.raises(Refused, match="retoma run FLOW --session pedido-001"):
        client.signal("pedido-001", "interrupt")


def test_what_ended_there_has_ended_here(client: Calls, make_flow: MakeFlow) -> None:
    flow = make_flow(**NODES)
    for name, status, node in (("pedido-003", "completed", "fim"), ("pedido-004", "failed", None)):
        client.bring(SAMPLES / f"trellis/sessions/{name}.json")
        session = client.get(name)
        assert (session.status, session.flow_node, session.flow_status) == (status, node, "finished")
        with client.drive(Request(directory=flow, session=name)) as drive:
            assert drive.final == status
    assert client.show("pedido-004").about.metadata == {"locale": "pt-BR"}
    assert [part for _, part in parts(client, "pedido-003")] == [
        {"type": "tool_result", "id": "aquecer-1", "result": {"graus": 90, "ok": True}}
    ]


def test_a_state_that_moved_on_there_is_another_way(client: Calls, tmp_path: Path) -> None:
    file = write(
        tmp_path / "s.json", session_id="s", current_node_id="a", status="active", context={}, history=["a"]
    )
    client.bring(file)
    write(file, session_id="s", current_node_id="b", status="active", context={"x": 1}, history=["a", "b"])
    (one,) = client.bring(file).sessions
    assert one.error.code == "diverged"
    assert client.position("s").position.node == "a"


def test_the_guides_form_leaves_the_current_node_out(client: Calls, tmp_path: Path) -> None:
    file = write(tmp_path / "g.json", CurrentNodeID="c", Status="active", Context={}, History=["a", "b"])
    assert whole(client.bring(file)) == ["g"]
    assert client.position("g").history == ["a", "b", "c"]


def test_odd_documents(client: Calls, tmp_path: Path) -> None:
    document = {
        "session_id": "odd", "current_node_id": "a", "status": 7,
        "context": {"sys": 1, "tool_result": {"_id": "t", "result": 3}},
        "history": ["a", 5, None, ""], "system_context": {"ans": {"x": 1}, "more": 2}, "pending_tool_call": ["x"],
        "huge": "x" * 3_000_000, "deep": 1,
    }  # fmt: skip
    document["context"]["large"] = "y" * 600_000  # type: ignore[index]
    document["context"]["larger"] = "z" * 600_000  # type: ignore[index]
    file = tmp_path / "odd.json"
    file.write_text(json.dumps(document))
    arrived = client.bring(file)
    assert whole(arrived) == ["odd"]
    codes = sorted(notice.code for notice in arrived.notices)
    assert codes == ["reserved_key", "unknown_key", "unknown_key"]
    position = client.position("odd").position
    assert {key: len(str(value)) for key, value in position.context.items()} == {
        "tool_result": 25, "large": 600_000, "larger": 600_000,
    }  # fmt: skip
    assert position.ans == {"x": 1}
    assert client.check().damage == []


def test_two_states_in_one_file(client: Calls, tmp_path: Path) -> None:
    first = json.dumps({"session_id": "s", "current_node_id": "a", "status": "active", "context": {}})
    second = json.dumps({"session_id": "s", "current_node_id": "b", "status": "active", "context": {}})
    other = json.dumps({"session_id": "o", "current_node_id": "b", "status": "active", "context": {}})
    file = tmp_path / "two.json"
    file.write_text(first + second + other + '{"session_id": "to')
    arrived = client.bring(file)
    assert whole(arrived) == ["s", "o"]
    assert [notice.code for notice in arrived.notices] == ["torn", "several_states"]
    assert client.position("s").position.node == "b"
    kept = [event.value()["raw"] for event in client.events("s") if event.type == "import.record"]
    assert kept == [json.loads(first), json.loads(second)]
    with pytest.raises(Invalid, match="has 2 sessions"):
        client.bring(file, name="x")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"current_node_id": "a', "\0\0\0", '{"status": "active"} trailing']
)
def test_half_a_state_is_none(client: Calls, tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    if content.endswith("trailing"):
        assert [notice.code for notice in client.bring(file, source="trellis").notices][-1] == "torn"
        return
    with pytest.raises(Integrity):
        client.bring(file, source="trellis")
