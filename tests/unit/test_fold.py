"""The journal alone says what the rows say, whatever was done."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from retoma.client import Calls
from retoma.errors import RetomaError
from retoma.model.chain import digest, genesis, link
from retoma.model.fold import fold
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.stores.conformance import Clock
from retoma.stores.sqlite import SqliteStore
from retoma.wiring import Sources

NODES = {
    "start": "---\non_signal_default: {key: key, interrupt: b}\nsave_to: road\n"
    "options:\n  - text: a\n    to: a\n  - text: b\n    to: b\n---\nWhich?\n",
    "a": "---\ntype: question\nsave_to: x\ndefault_context: {seen: a}\nto: pass\n---\nA {{ .road }}\n",
    "b": "---\ninput_type: confirm\nsave_to: y\non_denied: start\nto: pass\n---\nB\n",
    "pass": "---\nto: start\ntransitions:\n  - to: end\n    condition: context.x == 'stop'\n---\nPassing\n",
    "end": "End\n",
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
words = st.sampled_from(["a", "b", "1", "2", "", "yes", "no", "stop", "é"])
acts = st.one_of(
    st.tuples(st.just("run"), st.lists(words, max_size=5), st.booleans()),
    st.tuples(st.just("say"), words),
    st.tuples(st.just("edit"), st.sampled_from(EDITS)),
    st.tuples(st.just("signal"), st.sampled_from(["stop", "key", "interrupt"])),
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
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        client.create(NewSession(id="s"))
        for deed in deeds:
            clock.now += 700
            try:
                do(client, directory, deed)
            except RetomaError:
                continue
        agree(client)


def write(directory, edit):
    for file in directory.iterdir():
        file.unlink()
    for name, text in {**NODES, **edit}.items():
        if text is not None:
            (directory / f"{name}.md").write_text(text, encoding="utf-8")


def do(client, directory, deed):
    match deed:
        case ("edit", edit):
            write(directory, edit)
        case ("signal", name):
            client.signal("s", name)
        case ("run", inputs, fresh):
            with client.drive(Request(directory=directory, session="s", fresh=fresh, resume=True)) as drive:
                for text in inputs:
                    if drive.over:
                        break
                    drive.send(text)
        case ("say", text):
            client.append("s", "user", text)
        case ("become", status):
            client.change("s", status, reason="why")


def agree(client):
    events = list(client.events("s"))
    snapshot = client.position("s")
    session, folded = snapshot.session, fold(events)
    assert [event.seq for event in events] == list(range(1, session.seq + 1))
    assert (folded.status, folded.reason, folded.epoch) == (session.status, session.reason, session.epoch)
    assert folded.messages == session.messages
    assert folded.state == snapshot.position.context
    assert folded.ans == snapshot.position.ans
    assert (folded.flow, folded.flow_status) == (session.flow, session.flow_status)
    assert folded.history == snapshot.history
    assert len(snapshot.history) == session.flow_visits
    last = genesis(session.uid)
    for event in events:
        assert event.digest == digest(event.salt, event.data)
        header = (event.seq, event.type, event.at, event.actor, event.cause, event.operation, event.request)
        last = link(last, *header, event.digest)
        assert event.hash == last
    assert last == session.hash
    assert msgspec.json.encode(folded.state)
