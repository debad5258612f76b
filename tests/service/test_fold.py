"""The journal alone says what the rows say, whatever was done."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.calls import Calls

from retoma import Client
from retoma.commands.opened import Opened
from retoma.errors import NotFound, RetomaError, Unavailable
from retoma.model.call import Came
from retoma.model.chain import digest, genesis, link
from retoma.model.fold import fold
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.runtime.toolbox import Given
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

WHO = Principal(LOCAL_TENANT, "ana")
NODES = {
    "start": "---\non_signal_default: {key: key, interrupt: b}\nsave_to: road\n"
    "options:\n  - text: a\n    to: a\n  - text: b\n    to: b\n  - text: t\n    to: tool\n---\nWhich?\n",
    "a": "---\ntype: question\nsave_to: x\ndefault_context: {seen: a}\nto: pass\n---\nA {{ .road }}\n",
    "b": "---\ninput_type: confirm\nsave_to: y\non_denied: start\nto: pass\n---\nB\n",
    "pass": "---\nto: start\ntransitions:\n  - to: end\n    condition: context.x == 'stop'\n---\nPassing\n",
    "end": "End\n",
    "tool": "---\ndo: {name: t, args: {a: '{{ .key }}'}}\nundo: u\nsave_to: made\non_denied: a\nto: b\n"
    "transitions: [{to: risky, condition: input == 'go'}]\n---\nTool\n",
    "risky": "---\ndo: t\nundo: u\non_error: rollback\nto: tool\n---\nRisky\n",
    "key": "---\ninput_type: secret\nsave_to: key\nto: a\non_signal: {stop: end}\n---\nKey?\n",
}
EDITS = [
    {},
    {"a": "---\nid: was-a\nto: pass\n---\nNo question\n"},
    {"a": NODES["a"].replace("---\n", "---\nid: was-a\n", 1)},
    {"a": None, "other": "---\nid: was-a\ntype: question\nto: pass\n---\nOther\n"},
    {"b": None, "start": "---\nid: b\nwait: true\nto: key\n---\nNo options\n"},
    {"end": "---\nto: nowhere\n---\n"},
    {"pass": "---\nto: end\ntransitions: [{to: start, condition: context.key == 'b'}]\n---\nBy key\n"},
]
words = st.sampled_from(["a", "b", "t", "1", "2", "3", "", "yes", "no", "stop", "é"])
answers = st.lists(st.sampled_from(["go", "ok", {"x": 1}, None, "!", "no", "kill"]), max_size=6)


class Tools:
    """Tools that answer in turn: `!` is a failure, `no` a refusal, `kill` the end of the run."""

    def __init__(self, answers):
        self.answers = list(answers)

    def refusal(self, flow, call):
        return "no" if self.answers[:1] == ["no"] and self.answers.pop(0) else ""

    def retries(self, call):
        return 1

    def check(self, call):
        if not self.answers:
            raise NotFound("No answer is left.")

    def run(self, flow, call, args, session, mask):
        answer = self.answers.pop(0) if self.answers else "kill"
        if answer == "kill":
            raise Unavailable("Killed.")
        return Came(outcome="failed", text="!") if answer == "!" else Came(outcome="done", result=answer)

    def wait(self, seconds):
        pass


acts = st.one_of(
    st.tuples(st.just("run"), st.lists(words, max_size=5), st.booleans(), answers),
    st.tuples(st.just("say"), words),
    st.tuples(st.just("redact"), st.integers(2, 30)),
    st.tuples(st.just("edit"), st.sampled_from(EDITS)),
    st.tuples(st.just("signal"), st.sampled_from(["stop", "key", "interrupt"])),
    st.tuples(st.just("set"), st.sampled_from(["road", "x", "own"]), words),
    st.tuples(
        st.just("batch"),
        st.lists(st.tuples(st.sampled_from(["road", "own", "z"]), words | st.none()), max_size=4),
    ),
    st.tuples(st.just("become"), st.sampled_from(["active", "suspended", "completed", "failed"])),
)


@settings(max_examples=100)
@given(st.lists(acts, max_size=12))
def test_a_journal_folds_to_the_rows(tmp_path_factory, deeds):
    directory = tmp_path_factory.getbasetemp() / "fold-flow"
    directory.mkdir(exist_ok=True)
    write(directory, {})
    clock = Clock()
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, WHO, sources=Sources(clock, clock.bytes)) as client:
        client.create(NewSession(id="s"))
        for deed in deeds:
            clock.now += 700
            try:
                do(client, Client(Opened(store, WHO, sources=Sources(clock, clock.bytes))), directory, deed)
            except RetomaError:
                continue
        agree(client)
        assert [one.detail for one in client.check().damage] == []


def write(directory, edit):
    for file in directory.iterdir():
        file.unlink()
    for name, text in {**NODES, **edit}.items():
        if text is not None:
            (directory / f"{name}.md").write_text(text, encoding="utf-8")


def do(client, program, directory, deed):
    match deed:
        case ("set", name, value):
            program.session("s").state[name] = value
        case ("batch", changes):
            with program.session("s").batch() as batch:
                for name, value in changes:
                    if value is None:
                        del batch.state[name]
                    else:
                        batch.append("user", value)
                        batch.state[name] = value
        case ("edit", edit):
            write(directory, edit)
        case ("signal", name):
            client.signal("s", name)
        case ("run", inputs, fresh, answers):
            tools = Given(tools=Tools(answers))
            with client.drive(
                Request(directory=directory, session="s", fresh=fresh, resume=True, tools=tools)
            ) as drive:
                inputs = list(inputs)
                while not drive.over and not drive.failure:
                    if drive.call is not None and drive.prompt is None:
                        if drive.ready():
                            drive.perform("test")
                    elif inputs:
                        drive.send(inputs.pop(0))
                    else:
                        break
        case ("redact", seq):
            client.redact("s", Selection(first=seq, last=seq + 1))
        case ("say", text):
            client.append("s", "user", text)
        case ("become", status):
            client.change("s", status, reason="why")


def agree(client):
    events = list(client.events("s"))
    snapshot = client.position("s")
    session, folded = snapshot.session, fold(events)
    assert [event.seq for event in events] == list(range(1, session.seq + 1))
    assert folded.epoch == session.epoch
    assert len(snapshot.history) == session.flow_visits
    if not folded.partial:
        assert (folded.status, folded.reason) == (session.status, session.reason)
        assert folded.messages == session.messages
        assert folded.state == snapshot.position.context
        assert folded.ans == snapshot.position.ans
        assert (folded.flow, folded.flow_status) == (session.flow, session.flow_status)
        assert folded.history == snapshot.history
    last = genesis(session.uid)
    for event in events:
        assert event.erased or event.digest == digest(event.salt, event.data)
        header = (event.seq, event.type, event.at, event.actor, event.cause, event.operation, event.request)
        last = link(last, *header, event.digest)
        assert event.hash == last
    assert last == session.hash
    assert msgspec.json.encode(folded.state)
