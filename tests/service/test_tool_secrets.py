"""A tool that repeats a secret: nothing of it is on the disk, or in what is shown."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from tests.calls import Calls

from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.runtime.drive import Request
from retoma.runtime.toolbox import Given
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

SECRET = 'hunter2/+ "ção"'
ASK = "---\ninput_type: secret\nsave_to: token\nto: {to}\n---\nToken?\n"
CALL = "---\ndo: {{name: say, args: {{t: '{{{{ .token }}}}'}}}}\nsave_to: said\nto: end\n{more}---\n"
END = "It said {{ .said }}, {{ .tool_result }}.\n"
HEAD = "import base64, json, os, sys, urllib.parse as u; t = json.loads(os.environ['RETOMA_ARGS']).get('t', ''); "
SAYS = {
    "output": "print('Bearer ' + t)",
    "errors": "sys.exit('401 for Bearer ' + t)",
    "errors, where they are cut": "sys.stderr.write('Bearer ' + t + '.' * (2_000 - len(t.encode()) // 2)); sys.exit(1)",
    "JSON": "print(json.dumps({'echo': {t: [t, 'x' + t]}}))",
    "JSON in a text": "print(json.dumps({'echo': json.dumps({'t': t})}))",
    "JSON that is none": "print('{' + json.dumps(t))",
    "URL": "print('https://example.org/?a=' + u.quote(t) + '&b=' + u.quote_plus(t) + '&c=' + u.quote(t, '').lower())",
    "base64": "print([base64.b64encode((' ' * n + t).encode()).decode() for n in range(3)])",
    "urlsafe base64": "sys.exit(base64.urlsafe_b64encode(('u:' + t).encode()).decode().rstrip('='))",
    "pieces": "[(sys.stdout.write(c), sys.stdout.flush()) for c in t]",
    "pieces of errors": "[(sys.stderr.buffer.write(bytes([c])), sys.stderr.flush()) for c in t.encode()]; sys.exit(1)",
    "latin-1": "sys.stdout.buffer.write(t.encode('latin-1'))",
    "a traceback": "raise ValueError(t)",
    "a signal amid it": "sys.stderr.write('Bearer ' + t[:-2]); sys.stderr.flush(); os.kill(os.getpid(), 15)",
}


def traces(text: bytes) -> list[bytes]:
    """Return the parts of the secret that stand in `text` in any of its encodings."""
    data = SECRET.encode()
    forms = [data, b"hunter", quote(SECRET).encode(), quote_plus(SECRET).lower().encode()]
    inner = [base64.b64encode(bytes(shift) + data)[4:16] for shift in range(3)]
    return [one for one in (*forms, *inner) if one in text]


def make(directory: Path, code: str, *, more: str = "", retries: int = 0) -> Path:
    flow = directory / "flow"
    flow.mkdir()
    listed = [{"name": "say", "command": "python3", "args": ["-c", HEAD + code], "retries": retries}]
    (flow / "tools.json").write_text(json.dumps({"tools": listed}), encoding="utf-8")
    (flow / "start.md").write_text(ASK.format(to="call"), encoding="utf-8")
    (flow / "call.md").write_text(CALL.format(more=more), encoding="utf-8")
    (flow / "end.md").write_text(END, encoding="utf-8")
    return flow


def run(directory: Path, flow: Path) -> tuple[bytes, list[str]]:
    """Run the flow; return all that is in the files of its store, and all that is shown on the way."""
    clock = Clock()
    store = SqliteStore(directory / "store" / "retoma.db", now=clock, random=clock.bytes)
    given = Given(environment={"PATH": os.environ["PATH"]})
    shown: list[str] = []
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        with client.drive(Request(directory=flow, session="s", tools=given)) as drive:
            drive.tools._sleep = lambda seconds: None
            shown += [visit.content for visit in drive.shown]
            if drive.prompt is not None:
                drive.send(SECRET)
            while drive.call is not None:
                shown.append(str(drive.perform("test", told=shown.append)))
                shown += [visit.content for visit in drive.shown]
            assert drive.over, drive.failure
            shown.append(drive.failure)
        return on_disk(directory / "store"), shown


def on_disk(store: Path) -> bytes:
    files = [file for file in store.rglob("*") if file.is_file()]
    assert files
    return b"".join(file.read_bytes() for file in files)


@pytest.mark.parametrize("how", SAYS)
def test_nothing_of_it_is_kept_or_shown(tmp_path, how):
    kept, shown = run(tmp_path, make(tmp_path, SAYS[how], more="on_error: end\n"))
    assert "[secret]" in " ".join(shown)
    assert traces(kept + "\n".join(shown).encode()) == []


def test_nothing_of_it_is_in_what_is_said_of_a_second_try(tmp_path):
    kept, shown = run(tmp_path, make(tmp_path, SAYS["errors"], more="on_error: end\n", retries=1))
    assert sum("401 for Bearer [secret]" in one for one in shown) == 3
    assert traces(kept + "\n".join(shown).encode()) == []


def test_nothing_of_it_is_in_a_rollback(tmp_path):
    more = "undo: {name: say, args: {t: '{{ .token }}'}}\n"
    flow = make(tmp_path, "print(t) if 'undo' not in os.environ else 0", more=more)
    call = (flow / "call.md").read_text(encoding="utf-8")
    (flow / "call.md").write_text(call.replace("to: end", "to: back"), encoding="utf-8")
    (flow / "back.md").write_text("---\nto: rollback\n---\nBack.\n", encoding="utf-8")
    (flow / "end.md").unlink()
    kept, shown = run(tmp_path, flow)
    assert "[secret]" in " ".join(shown)
    assert traces(kept + "\n".join(shown).encode()) == []


def test_what_a_tools_own_environment_says_under_a_secrets_name_is_masked(tmp_path):
    flow = tmp_path / "flow"
    flow.mkdir()
    code = "import os; print(os.environ['API_TOKEN'], os.environ['REGION'])"
    env = {"API_TOKEN": "hunter2-of-tools", "REGION": "eu-south"}
    listed = [{"name": "say", "command": "python3", "args": ["-c", code], "env": env}]
    (flow / "tools.json").write_text(json.dumps({"tools": listed}), encoding="utf-8")
    (flow / "start.md").write_text("---\ndo: say\nsave_to: said\nto: end\n---\n", encoding="utf-8")
    (flow / "end.md").write_text("{{ .said }}\n", encoding="utf-8")
    _, shown = run(tmp_path, flow)
    assert "[secret] eu-south" in shown[-2]
