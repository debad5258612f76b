"""Exports without secrets: in none of the formats, importable where the format is, and said to be so."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.calls import Calls
from tests.service.conftest import MakeFlow
from tests.service.test_damaged_imports import empty

from retoma.errors import Conflict, Invalid
from retoma.model.changes import Changes
from retoma.model.pattern import Pattern
from retoma.model.redaction import REDACTED
from retoma.model.session import NewSession
from retoma.model.veil import Veil
from retoma.runtime.drive import Request
from retoma.service.forget.erasing import Selection
from retoma.service.transfer.export import FORMATS

SECRETS = {
    "password": "correct horse battery",
    "api_key": "k-8812-zz",
    "X-Auth-Token": "tok3n-of-mine",
    "client_secret": "s3cret!",
    "Authorization": "Basic dXNlcjpwYXNz",
    "senha": "abre-te-sesamo",
}
LOOKS = [
    "sk-" + "ant-api03-" + "a1B2c3D4e5F6g7H8i9J0",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r",
    "xoxb-123456789012-abcdefghijkl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
    "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
]


def out(
    client: Calls, format: str = "jsonl", *keys: str, patterns: tuple[str, ...] = (), name: str = "s"
) -> str:
    return b"".join(client.export(name, format, veil=Veil(keys, patterns))).decode()


def planted(client: Calls) -> Calls:
    """Make a session with secrets in every place that an export has."""
    client.create(
        NewSession(id="s", title=f"About {LOOKS[0]}", description="plain", tags=("fine",),
                   metadata={"deploy": {"password": SECRETS["password"]}, "note": "kept"})
    )  # fmt: skip
    for name, secret in SECRETS.items():
        client.append(
            "s", "assistant", [{"type": "tool_call", "id": "1", "name": "f", "arguments": {name: secret}}]
        )
        client.append("s", "user", f"I said {secret} aloud, and it stands in a text.")
    for secret in LOOKS:
        client.append("s", "user", f"before {secret} after")
    client.append(
        "s", "user", 'log: {\\"password\\": \\"in-a-text-9\\"} and https://me:pa55-word@host.example/x'
    )
    client.append("s", "assistant", "Nothing to hide: max_tokens, the token, a secret garden, passwords.")
    client.note("s", "the api key: zzz-yyy-xxx")
    client.change("s", "completed", reason=f"used {LOOKS[2]}")
    return client


HIDDEN = [*SECRETS.values(), *LOOKS, "in-a-text-9", "pa55-word", "zzz-yyy-xxx", "MIIEow"]


@pytest.mark.parametrize("format", FORMATS)
def test_no_secret_is_in_any_format(client: Calls, format: str) -> None:
    text = out(planted(client), format)
    plain = text.replace("\\", "")
    assert [secret for secret in HIDDEN if secret in plain] == []
    assert "Nothing to hide: max_tokens, the token, a secret garden, passwords." in plain.replace(
        "&#x27;", "'"
    )
    if format != "csv":
        assert "edacted" in text
    if format in ("csv", "md", "html"):
        assert "before [redacted] after" in plain.replace("\\[", "[")


def test_it_says_that_it_is_redacted_and_can_be_imported(client: Calls) -> None:
    lines = out(planted(client))
    first, last = json.loads(lines.splitlines()[0]), json.loads(lines.splitlines()[-1])
    assert first["redacted"] is True
    assert (first["title"], first["reason"], first["metadata"]) == (
        REDACTED,
        REDACTED,
        {"deploy": REDACTED, "note": "kept"},
    )
    assert set(last["redacted"]["fields"]) == {"title", "reason", "metadata"}
    for format in ("jsonl", "json"):
        with empty() as other:
            done = other.import_(io.BytesIO(out(client, format).encode()))
            assert (done.outcome, done.events) == ("imported", client.get("s").seq + 1)
            assert other.check().damage == []
            assert other.get("s").messages == client.get("s").messages
            (erased,) = [event for event in other.events("s") if event.type == "session.erased"]
            assert len(erased.value()["events"]) == sum(event.erased for event in other.events("s"))
            again = other.import_(io.BytesIO(out(client, format).encode()))
            assert (again.outcome, again.added) == ("unchanged", 0)
            # An unredacted one is the same session: it adds nothing, too.
            assert other.import_(io.BytesIO(b"".join(client.export("s", "jsonl")))).added == 0


def test_the_state_of_a_flow_is_redacted_and_the_flow_goes_on(client: Calls, make_flow: MakeFlow) -> None:
    flow = make_flow(
        start="---\ntype: question\nsave_to: token\nto: second\n---\nToken?\n",
        second="---\ntype: question\nsave_to: name\nto: end\n---\nName?\n",
        end="Hello {{ .name }}.\n",
    )
    with client.drive(
        Request(directory=flow, session="s", context={"kept": 1, "api_key": "zq-77-zq"})
    ) as drive:
        drive.send("abcdef-123456")
    lines = out(client)
    assert "abcdef-123456" not in lines
    assert "zq-77-zq" not in lines
    with empty() as other:
        other.import_(io.BytesIO(lines.encode()))
        position = other.position("s").position
        # Whatever the event that is hidden set is hidden with it.
        assert position.context == dict.fromkeys(("token", "api_key", "kept"), REDACTED)
        assert position.ans == REDACTED
        assert other.check().damage == []
        with other.drive(Request(directory=flow, session="s")) as drive:
            drive.send("Ana")
            assert drive.over
        assert other.check().damage == []


def test_keys_and_patterns_of_ones_own(client: Calls) -> None:
    client.create(NewSession(id="s", tags=("card-4111",), contexts=(("task", "4111"), ("task", "7"))))
    client.append("s", "user", "My card is 4111 1111, my shoe size 44.")
    client.append(
        "s", "tool", [{"type": "tool_result", "id": "1", "result": {"shoeSize": 44, "colour": "red"}}]
    )
    csv = out(client, "csv", "shoe_size", patterns=(r"4111( \d{4})*",))
    assert "My card is [redacted], my shoe size 44." in csv
    html = out(client, "html", "shoe_size")
    assert "44" in html
    assert "&quot;shoeSize&quot;: &quot;[redacted]&quot;" in html
    lines = out(client, "jsonl", patterns=(r"4111",))
    assert "4111" not in lines
    first = json.loads(lines.splitlines()[0])
    assert (first["tags"], first["contexts"]) == ([], [{"kind": "task", "ref": "7"}])
    with empty() as other:
        other.import_(io.BytesIO(lines.encode()))
        assert other.check().damage == []
    for wrong in ("(", ".*"):
        with pytest.raises(Invalid):
            Veil((), (wrong,))


def test_a_flows_files_stay_behind_when_one_holds_a_secret(client: Calls, make_flow: MakeFlow) -> None:
    flow = make_flow(start=f"---\ntype: question\nto: start\n---\nUse {LOOKS[0]}\n")
    client.drive(Request(directory=flow, session="s")).close()
    lines = out(client)
    assert LOOKS[0] not in lines
    assert '"type":"flow"' not in lines
    with empty() as other:
        other.import_(io.BytesIO(lines.encode()))
        assert other.check().damage == []


def test_nothing_is_redacted_where_nothing_is_secret(client: Calls) -> None:
    client.create(NewSession(id="s", title="Plain"))
    client.append("s", "user", "Hello")
    lines = out(client)
    assert '"erased":true' not in lines
    with empty() as other:
        other.import_(io.BytesIO(lines.encode()))
        assert [message.text for message in other.messages("s")] == ["Hello"]
        assert other.check().damage == []


def test_a_redacted_copy_does_not_go_on_with_a_whole_session(client: Calls) -> None:
    client.create(NewSession(id="s"))
    client.append("s", "user", f"use {LOOKS[0]}")
    with empty() as other:
        other.import_(io.BytesIO(b"".join(client.export("s", "jsonl"))))
        client.append("s", "user", "more")
        with pytest.raises(Conflict, match="redacted"):
            other.import_(io.BytesIO(out(client).encode()))
        assert LOOKS[0] in str([message.text for message in other.messages("s")])


def test_what_was_erased_before_stays_explained(client: Calls) -> None:
    planted(client)
    client.redact("s", Selection(wanted=Pattern("battery")))
    client.update("s", Changes(title="Other"))
    with empty() as other:
        other.import_(io.BytesIO(out(client).encode()))
        assert other.check().damage == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(HIDDEN),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SECRETS, "a", "items"]) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON)
def test_a_veil_hides_once_and_for_all(value: object) -> None:
    veil = Veil()
    veil.learn(value)
    shown = veil.value(value)
    assert veil.value(shown) == shown
    assert not veil.hides(shown)
    assert type(shown) is type(value)
    text = json.dumps(shown)
    for secret in LOOKS:
        assert json.dumps(secret)[1:-1] not in text
