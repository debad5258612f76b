"""A flow's tools: journalled before they start, with one key; what came of them never asked for twice."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from tests.calls import Calls

from retoma.errors import Busy, NotFound, Refused
from retoma.model import event as kinds
from retoma.model.call import Came
from retoma.model.event import MAX_DATA_BYTES
from retoma.model.fold import fold
from retoma.model.lease import Holder
from retoma.model.pattern import Pattern
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.runtime.drive import Drive, Request
from retoma.runtime.toolbox import Given
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

TOOLS = "tools:\n- {name: ring, command: ring, retries: 2}\n- {name: paint, command: p}\n- {name: undo, command: u}\n"
RING = "---\ndo: {name: ring, args: {who: '{{ .who }}', n: ['{{ .n }}', x]}}\nsave_to: bell\nto: end\n---\nRinging.\n"
END = "Rang {{ .bell }} {{ .tool_result._id }} {{ .sys.ans }}.\n"


class Fake:
    """Tools that answer in turn; a BaseException is raised instead."""

    def __init__(self, *answers, retries=0, refuse="") -> None:
        self.answers = list(answers)
        self.calls = []
        self.waited = []
        self._retries = retries
        self._refuse = refuse
        self.between = lambda: None

    def refusal(self, flow, call):
        return self._refuse

    def retries(self, call):
        return self._retries

    def check(self, call):
        return

    def run(self, flow, call, args, session, mask):
        self.calls.append((call.name, args, call.key))
        self.between()
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def wait(self, seconds):
        self.waited.append(seconds)


def done(result="ok") -> Came:
    return Came(outcome="done", result=result)


def failed(text="broken") -> Came:
    return Came(outcome="failed", text=text)


def request(flow, tools=None, **more) -> Request:
    return Request(directory=flow, session=more.pop("session", "s"), tools=Given(tools=tools), **more)


def through(client, flow, tools, **more) -> Drive:
    """Drive the flow as far as it goes without inputs, and let go of it."""
    with client.drive(request(flow, tools, **more)) as drive:
        while drive.call is not None and drive.prompt is None:
            drive.perform("test")
        return drive


@pytest.fixture
def flow(make_flow):
    directory = make_flow(start=RING, end=END)
    (directory / "tools.yaml").write_text(TOOLS)
    return directory


def types(client, session="s"):
    return [event.type for event in client.events(session)]


def sha(*parts: object) -> str:
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()


def whole(client) -> None:
    events = list(client.events("s"))
    at = client.position("s")
    folded = fold(events)
    assert (folded.state, folded.history) == (at.position.context, at.history)
    assert (folded.ans, folded.flow_status) == (at.position.ans, at.session.flow_status)
    report = client.check()
    assert report.damage == []


# One call


def test_a_call_is_journalled_before_it_starts_and_its_result_with_what_follows(client, flow):
    fake = Fake(done({"tone": "A", "loud": 3}))
    seen = []
    fake.between = lambda: seen.append(types(client))
    drive = through(client, flow, fake, context={"who": "Eva", "n": 7})
    assert seen[0][-2:] == [kinds.TOOL_CALL, kinds.TOOL_STARTED]
    assert fake.calls == [("ring", {"who": "Eva", "n": [7, "x"]}, sha("s", "start", 1, "ring"))]
    assert drive.history == ["start", "end"]
    result = {"tone": "A", "loud": 3}
    assert drive.position.context["bell"] == result
    assert drive.position.context["tool_result"] == {"_id": "ring", **result}
    assert drive.position.ans == result
    assert drive.shown[-1].content == 'Rang {"tone":"A","loud":3} ring {"tone":"A","loud":3}.'
    [event] = [event for event in client.events("s") if event.type == kinds.TOOL_RESULT]
    step = next(event for event in client.events("s") if event.type == kinds.FLOW_STEP and event.seq > 5)
    assert event.operation == step.operation
    assert step.cause == event.seq
    whole(client)


def test_a_tool_that_was_killed_runs_again_with_the_same_key_and_one_that_returned_never(client, flow):
    with client.drive(request(flow, Fake(KeyboardInterrupt()))) as drive, pytest.raises(KeyboardInterrupt):
        drive.perform("person")
    at = client.position("s")
    assert (at.session.flow_status, at.session.flow_node) == ("waiting_for_tool", "start")
    assert (at.position.call.attempt, at.position.call.approved) == (1, "person")
    whole(client)
    fake = Fake(done())
    with client.drive(request(flow, fake)) as drive:
        assert (drive.asks, drive.resumed, drive.shown[0].content) == (False, True, "Ringing.")
        drive.perform()
    assert fake.calls[0][2] == sha("s", "start", 1, "ring") == at.position.call.key
    assert through(client, flow, Fake()).final == "completed"
    assert types(client).count(kinds.TOOL_STARTED) == 2
    whole(client)


def test_a_new_epoch_and_an_id_that_was_used_before_have_keys_of_their_own(client, flow):
    first, second, third, fourth = Fake(done()), Fake(done()), Fake(done()), Fake(KeyboardInterrupt(), done())
    through(client, flow, first)
    through(client, flow, second, fresh=True)
    epoch = client._store.read(lambda tx: tx.transfers.epochs(tx.sessions.key(LOCAL_TENANT, "s")))[-1].uid
    assert second.calls[0][2] == sha("s", epoch, "start", 1, "ring") != first.calls[0][2]
    client.delete("s")
    through(client, flow, third)
    assert third.calls[0][2] not in {first.calls[0][2], second.calls[0][2]}
    with client.drive(request(flow, fourth, session="t")) as drive, pytest.raises(KeyboardInterrupt):
        drive.perform("test")
    client.set_id("t", "u")
    through(client, flow, fourth, session="u")
    assert [key for *_, key in fourth.calls] == [sha("t", "start", 1, "ring")] * 2


def test_a_result_without_fields_is_under_result_and_a_call_may_have_an_id(client, make_flow):
    flow = make_flow(
        start="---\ndo: {name: ring, id: bell-1, args: '{{ .all }}'}\n"
        "transitions: [{to: end, condition: input == 'OK'}]\n---\n",
        end="{{ .tool_result.result }}",
    )
    fake = Fake(done("ok"))
    drive = through(client, flow, fake, context={"all": {"a": 1}})
    assert fake.calls[0][1] == {"a": 1}
    assert drive.position.context["tool_result"] == {"_id": "bell-1", "result": "ok"}
    assert drive.shown[-1].content == "ok"


def test_a_result_that_opens_no_way_fails_the_flow(client, make_flow):
    flow = make_flow(start="---\ndo: ring\ntransitions: [{to: end, condition: input == 'a'}]\n---\n", end="x")
    drive = through(client, flow, Fake(done("no")))
    assert "No transition of the node 'start' matches what the tool" in drive.failure
    assert client.get("s").status == "failed"


def test_a_failure_is_tried_again_with_the_same_key(client, flow):
    fake = Fake(failed("busy"), failed("busy"), done(), retries=2)
    told = []
    with client.drive(request(flow, fake)) as drive:
        drive.perform("test", told=told.append)
        assert drive.over
    assert fake.waited == [1.0, 2.0]
    assert len({key for *_, key in fake.calls}) == 1
    assert told[0] == "busy. Trying again in 1 s (1 of 2)."
    started = [event.value() for event in client.events("s") if event.type == kinds.TOOL_STARTED]
    assert [(one["attempt"], one.get("error")) for one in started] == [(1, None), (2, "busy"), (3, "busy")]
    whole(client)


def test_failures_are_counted_across_a_kill(client, flow):
    with pytest.raises(KeyboardInterrupt):
        through(client, flow, Fake(failed(), KeyboardInterrupt(), retries=1))
    fake = Fake(failed(), retries=1)
    drive = through(client, flow, fake)
    assert len(fake.calls) == 1
    assert "The tool 'ring' failed at the node 'start': broken" in drive.failure


@pytest.mark.parametrize(
    ("keys", "nodes", "to", "status"),
    [
        ("on_error: sorry\n", {"sorry": "{{ .tool_result.error }}"}, "sorry", "completed"),
        ("", {"error": "{{ .sys.ans }}"}, "error", "completed"),
        ("", {}, "start", "failed"),
    ],
)
def test_a_failure_goes_to_its_handler_or_the_default_error_node_or_fails(
    client, make_flow, keys, nodes, to, status
):
    flow = make_flow(start=f"---\ndo: ring\n{keys}to: end\n---\n", end="x", **nodes)
    drive = through(client, flow, Fake(failed("no bell")))
    assert (drive.position.node, client.get("s").status) == (to, status)
    if status == "completed":
        assert drive.shown[-1].content == "no bell"
    assert drive.position.context["tool_result"] == {"_id": "ring", "error": "no bell"}


def test_a_refusal_goes_to_its_handler_or_finishes_there(client, make_flow):
    for name, keys, node in (("a", "on_denied: no\n", "no"), ("b", "", "start")):
        flow = make_flow(name, start=f"---\ndo: ring\n{keys}to: end\n---\n", end="x", no="Not rung.")
        with client.drive(request(flow, Fake(), session=name)) as drive:
            assert drive.asks
            drive.deny("it was not allowed.")
            assert (drive.position.node, drive.over, drive.failure) == (node, True, "")
        assert client.get(name).status == "completed"
        assert [event.value()["denied"] for event in client.events(name) if event.type == kinds.TOOL_RESULT]
        assert "tool_result" not in client.position(name).position.context


def test_a_tool_that_is_not_listed_is_refused_with_a_sentence(client, flow):
    (flow / "start.md").write_text(RING.replace("name: ring", "name: rnig"))
    with client.drive(request(flow)) as drive:
        sentence = "The tool 'rnig' is not on the allow-list. Did you mean 'ring'?"
        assert (drive.hindrance, drive.asks, drive.notices) == (sentence, False, [sentence])
        assert drive.perform("yes") == Came(outcome="denied", text=sentence)
        assert drive.over


def test_a_result_that_is_too_large_to_keep_is_a_failure(client, flow):
    drive = through(client, flow, Fake(done('"' * (MAX_DATA_BYTES - 100))))
    assert "too large to be saved" in drive.failure
    whole(client)


# Rollback

STEP = (
    "---\ndo: paint\nundo: {{name: undo, args: {{was: '{{{{ .{0} }}}}', last: '{{{{ .sys.ans }}}}'}}}}\n"
    "save_to: {0}\nto: {1}\n---\n"
)


@pytest.fixture
def walls(make_flow):
    return make_flow(
        start="---\nundo: {name: undo, args: {was: start}}\nto: a\n---\nBegin.\n",
        a=STEP.format("a", "between"),
        between="---\nto: b\n---\n",
        b=STEP.format("b", "c"),
        c="---\ndo: paint\nundo: undo\non_error: rollback\nto: end\n---\n",
        end="x",
    )


def test_a_rollback_undoes_each_node_backwards(client, walls):
    fake = Fake(done("red"), done("blue"), failed("dry"), done(), failed("stuck"), done())
    drive = through(client, walls, fake)
    assert [(name, args) for name, args, _ in fake.calls[3:]] == [
        ("undo", {"was": "blue", "last": "dry"}),
        ("undo", {"was": "red", "last": "dry"}),
        ("undo", {"was": "start"}),
    ]
    assert (drive.position.node, drive.position.status, drive.history) == (None, "finished", [])
    session = client.get("s")
    assert (session.status, session.flow_node, session.flow_visits) == ("failed", None, 0)
    assert session.reason == (
        "The tool 'paint' failed at the node 'c': dry. Undone: 'b' (undo), 'start' (undo). "
        "Not undone: 'a' (undo: stuck)."
    )
    assert client.position("s").history == []
    assert fake.calls[3][2] == hashlib.sha256(b"s:b:4:undo\nundo").hexdigest()
    assert len({key for *_, key in fake.calls}) == 6
    whole(client)


def test_a_rollback_that_is_killed_goes_on_where_it_was(client, walls):
    fake = Fake(done("red"), done("blue"), failed("dry"), done(), KeyboardInterrupt(), done(), done())
    with pytest.raises(KeyboardInterrupt):
        through(client, walls, fake)
    at = client.position("s")
    assert (at.session.flow_status, at.history) == ("rolling_back", ["start", "a"])
    whole(client)
    with client.drive(request(walls, fake)) as drive:
        assert (drive.shown, drive.call.name, drive.call.undo) == ((), "undo", True)
    through(client, walls, fake)
    assert fake.calls[4][2] == fake.calls[5][2]
    assert client.get("s").reason.endswith("Undone: 'b' (undo), 'a' (undo), 'start' (undo).")
    whole(client)


def test_a_way_may_roll_back_and_what_cannot_be_rendered_is_reported(client, make_flow):
    flow = make_flow(
        start="---\ndo: paint\nundo: {name: undo, args: {x: '{{ range .sys.ans }}{{ end }}'}}\nto: ask\n---\n",
        ask="---\ninput_type: confirm\ntransitions: [{to: rollback, condition: input == 'no'}]\nto: end\n---\nKeep?\n",
        end="x",
    )
    fake = Fake(done("red"))
    with client.drive(request(flow, fake)) as drive:
        drive.perform("test")
        drive.send("no")
        if drive.call is not None:
            assert drive.call.unready
            drive.perform("test")
        assert drive.over
    assert len(fake.calls) == 1
    assert client.get("s").reason.startswith(
        "Rolled back from 'ask'. Nothing was undone. Not undone: 'start' (undo: its"
    )
    whole(client)


# Secrets

PIN = "---\ninput_type: secret\nsave_to: pin\nto: who\n---\nPin?\n"
NAME = "---\ntype: question\nsave_to: name\nto: open\n---\nName?\n"
OPEN = "---\ndo: {name: ring, args: {pin: '{{ .pin }}', both: ['{{ .name }}: {{ .pin }}!']}}\nto: end\n---\n"


def test_a_secret_is_given_to_the_tool_and_kept_nowhere(tmp_path: Path, make_flow):
    flow = make_flow(start=PIN, who=NAME, open=OPEN, end="x")
    clock = Clock()
    store = SqliteStore(tmp_path / "store" / "retoma.db", now=clock, random=clock.bytes)
    fake = Fake(KeyboardInterrupt(), done())
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        with client.drive(request(flow, fake)) as drive:
            drive.send("xyzzy")
            drive.send("\ue0000:0\ue001")  # what stands for a secret inside cannot be typed
            assert drive.call.args == {"pin": {"secret": True}, "both": [{"secret": True}]}
            assert drive.ready()
            with pytest.raises(KeyboardInterrupt):
                drive.perform("test")
        with client.drive(request(flow, fake)) as drive:
            assert not drive.ready()
            assert (drive.wanted, drive.prompt.input_type) == ("pin", "secret")
            drive.send("xyzzy")
            assert (drive.wanted, drive.prompt, drive.ready()) == (None, None, True)
            drive.perform("test")
            assert drive.over
        assert [args for _, args, _ in fake.calls] == [
            {"pin": "xyzzy", "both": ["\ue0000:0\ue001: xyzzy!"]}
        ] * 2
        files = [file for file in (tmp_path / "store").rglob("*") if file.is_file()]
        assert all(b"xyzzy" not in file.read_bytes() for file in files)
        whole(client)


def test_a_result_is_kept_when_the_way_on_needs_a_secret(client, make_flow):
    gate = "---\ntransitions: [{to: end, condition: context.pin == 'xyzzy'}]\nto: start\n---\n"
    flow = make_flow(start=PIN, who="---\ndo: ring\nsave_to: bell\nto: gate\n---\n", gate=gate, end="x")
    with client.drive(request(flow)) as drive:
        drive.send("xyzzy")
    fake = Fake(done("ding"))
    with client.drive(request(flow, fake)) as drive:
        drive.perform("test")
        assert (drive.wanted, drive.position.context["bell"]) == ("pin", "ding")
    whole(client)
    with client.drive(request(flow, Fake())) as drive:
        assert (drive.wanted, drive.call) == ("pin", None)
        drive.send("xyzzy")
        assert drive.over
    assert len(fake.calls) == 1
    whole(client)


# Beside others


def test_a_driver_that_lost_the_session_does_not_write_the_result_and_says_so(client, flow):
    holder = Holder("other", "boot", 42, 1, "retoma run")
    fake = Fake(done("late"))
    lost = Drive(
        client._store, client._who, holder, client._sources.now, client._sources.random, request(flow, fake)
    )
    fake.between = lambda: client.reset("s")
    with pytest.raises(Busy, match="The result of the tool 'ring' was not saved") as refused:
        lost.perform("test")
    assert refused.value.code == "fenced"
    lost.close()
    assert kinds.TOOL_RESULT not in types(client)


def test_a_session_that_is_paused_meanwhile_calls_again(client, flow):
    fake = Fake(done("late"), done("again"))
    fake.between = lambda: client.change("s", "suspended") if len(fake.calls) == 1 else None
    with (
        client.drive(request(flow, fake)) as drive,
        pytest.raises(Refused, match="called again, with the same key"),
    ):
        drive.perform("test")
    through(client, flow, fake, resume=True)
    assert fake.calls[0][2] == fake.calls[1][2]
    assert client.get("s").status == "completed"


def test_a_signal_waits_for_the_tool(client, flow):
    (flow / "start.md").write_text(RING.replace("to: end", "on_signal: {stop: end}\nto: end"))
    with client.drive(request(flow, Fake())) as drive:
        assert drive.signal("stop") is None
    with pytest.raises(Refused, match="waits for the tool 'ring'"):
        client.signal("s", "stop")


def test_a_flow_edited_meanwhile_is_called_by_the_version_that_asked(client, flow):
    with client.drive(request(flow, Fake(KeyboardInterrupt()))) as drive, pytest.raises(KeyboardInterrupt):
        drive.perform("test")
    (flow / "start.md").write_text("---\ndo: paint\nto: start\n---\n")
    fake = Fake(done())
    with client.drive(request(flow, fake)) as drive:
        assert "The tool of the previous version" in drive.notices[0]
        drive.perform("test")
        assert drive.history == ["start", "end"]
    assert [name for name, *_ in fake.calls] == ["ring"]


def test_without_its_directory_the_tools_are_known_and_the_call_waits(client, flow):
    with client.drive(request(flow)):
        pass
    for file in flow.iterdir():
        file.unlink()
    flow.rmdir()
    with client.drive(request(flow)) as drive:
        assert (drive.hindrance, drive.asks) == ("", True)
        before = types(client)
        with pytest.raises(NotFound, match="the tool 'ring' runs there"):
            drive.perform("test")
        assert types(client) == before
    assert client.position("s").position.call is not None


def test_a_pending_call_moves_to_another_store_with_its_key(client, flow, tmp_path: Path):
    fake = Fake(KeyboardInterrupt(), done())
    with client.drive(request(flow, fake)) as drive, pytest.raises(KeyboardInterrupt):
        drive.perform("test")
    clock = Clock()
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "eva"), sources=Sources(clock, clock.bytes)) as other:
        other.import_(BytesIO(b"".join(client.export("s", "jsonl"))))
        drive = through(other, flow, fake)
        assert drive.over
        whole(other)
    assert fake.calls[0][2] == fake.calls[1][2]


def test_a_call_is_no_message(client, flow):
    through(client, flow, Fake(done("ding")))
    assert [message.text for message in client.messages("s")] == ["Ringing.", "Rang ding ring ding."]


@pytest.mark.parametrize("taken", ["range", "pattern"])
def test_a_redaction_takes_arguments_and_results(client, flow, taken):
    with pytest.raises(KeyboardInterrupt):
        through(client, flow, Fake(KeyboardInterrupt()), context={"who": "Eva", "n": 1})
    selection = Selection(wanted=Pattern("Eva")) if taken == "pattern" else Selection(first=2)
    client.redact("s", selection)
    assert b"Eva" not in b"".join(client.export("s", "jsonl"))
    assert client.check().damage == []
    fake = Fake()
    with client.drive(request(flow, fake)) as drive:
        assert drive.perform("test").text.startswith("its arguments were redacted")
        assert drive.failure
    assert fake.calls == []
    assert client.check().damage == []


def test_a_result_is_redacted_where_it_went(client, flow):
    through(client, flow, Fake(done("a secret tone")))
    client.redact("s", Selection(wanted=Pattern("tone")))
    exported = b"".join(client.export("s", "jsonl"))
    assert b"tone" not in exported
    assert client.position("s").position.ans == "[redacted]"
    assert client.check().damage == []


def test_a_rollback_is_redacted_and_goes_on(client, walls):
    fake = Fake(
        done("red"),
        done("blue"),
        failed("dry as dust"),
        failed("dust again"),
        KeyboardInterrupt(),
        done(),
        done(),
    )
    with pytest.raises(KeyboardInterrupt):
        through(client, walls, fake)
    client.redact("s", Selection(wanted=Pattern("dust")))
    assert b"dust" not in b"".join(client.export("s", "jsonl"))
    assert client.check().damage == []
    through(client, walls, fake)
    assert client.get("s").reason.startswith("[redacted]. Undone: 'start' (undo)")
    assert client.check().damage == []


def test_a_new_session_needs_no_tools_to_be_kept(client, flow):
    client.create(NewSession(id="s"))
    drive = through(client, flow, Fake(done()))
    assert msgspec.json.encode(drive.position.context)
    assert drive.over
