"""Whatever a flow says and is told: only our errors, the same each time, and a journal that says what the rows say."""

from __future__ import annotations

import itertools
import string
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.calls import Calls

from retoma import flows
from retoma.errors import RetomaError
from retoma.model.fold import fold
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.runtime.drive import Request
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.template import condition, template
from retoma.template.condition import ConditionError
from retoma.template.template import MAX_ITERATIONS, MAX_OUTPUT, TemplateError
from retoma.wiring import Sources

KEYS = ("a", "b", "list", "map", "missing")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
data = st.dictionaries(st.sampled_from(KEYS), json_values, max_size=5)

paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(lambda keys: "." + ".".join(keys))
operands = paths | st.sampled_from(["1", "2.5", '"x"', "true", "nil", ".", "$"])
calls = st.one_of(
    operands,
    st.tuples(st.sampled_from(["eq", "ne", "lt", "ge", "and", "or", "default"]), operands, operands).map(
        " ".join
    ),
    st.tuples(st.sampled_from(["not", "len", "toJson"]), operands).map(" ".join),
    st.tuples(st.just('printf "%v %5d|%-6s"'), operands, operands, operands).map(" ".join),
    st.tuples(operands, st.sampled_from(["toJson", "len", 'default "none"', 'printf "<%v>"'])).map(
        " | ".join
    ),
)
templates = st.recursive(
    st.text(alphabet=string.ascii_letters + " \n{}", max_size=6) | calls.map("{{{{ {} }}}}".format),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.tuples(calls, inner, inner).map(
            lambda p: f"{{{{ if {p[0]} }}}}{p[1]}{{{{ else }}}}{p[2]}{{{{ end }}}}"
        ),
        st.tuples(calls, inner).map(lambda p: f"{{{{ range {p[0]} }}}}{p[1]}{{{{ end }}}}"),
        st.tuples(calls, inner).map(lambda p: f"{{{{ with $x := {p[0]} }}}}{{{{ $x }}}}{p[1]}{{{{- end }}}}"),
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(templates, data)
def test_a_template_renders_the_same_each_time_or_says_what_is_wrong(text, values):
    before = msgspec.json.encode(values)
    results = []
    for _ in range(2):
        try:
            results.append(template.render(text, values))
        except TemplateError as error:
            results.append((error.message, error.line))
    assert results[0] == results[1]
    assert not isinstance(results[0], str) or len(results[0].encode("utf-8", "surrogatepass")) <= MAX_OUTPUT
    assert msgspec.json.encode(values) == before


@given(
    st.lists(
        st.sampled_from(["__class__", "__init__", "get", "items", "keys", "__globals__", "mro"]), min_size=1
    )
)
def test_no_attribute_of_anything_is_reached(names):
    for value in ({}, {"x": 1}, [1], "text", 1.5, True):
        assert template.render("{{ .v." + ".".join(names) + " }}", {"v": value}) == ""
        assert condition.holds("context.v." + ".".join(names), input="", context={"v": value}) is False


@pytest.mark.parametrize("around", range(3))
def test_the_limits_hold_at_their_edges(around):
    over = [
        f"The ranges repeated more than {MAX_ITERATIONS:,} times",
        "over 1 MiB",
        "nested more than 50 deep",
    ]
    nested = "{{ if .a }}" * 51 + "x" + "{{ end }}" * 51
    texts = ["{{ range .n }}{{ end }}", "{{ .t }}{{ .t }}", nested]
    edge = [{"n": MAX_ITERATIONS}, {"t": "x" * (MAX_OUTPUT // 2)}, {"a": 1}]
    past = [{"n": MAX_ITERATIONS + 1}, {"t": "x" * (MAX_OUTPUT // 2 + 1)}, {"a": 1}]
    inside = texts[around] if around < 2 else "{{ if .a }}" * 50 + "x" + "{{ end }}" * 50
    template.render(inside, edge[around])
    with pytest.raises(TemplateError, match=over[around]):
        template.render(texts[around], past[around])


sides = st.sampled_from(
    ["input", "context.a", "context.map.b", "sys.ans", "'yes'", "1", "2.5", "[1, 'a']", "null"]
)
comparisons = st.tuples(
    sides, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]), sides
).map(" ".join)
conditions = st.recursive(
    comparisons | sides,
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda p: f"({' '.join(p)})")
    | inner.map("not ({})".format),
    max_leaves=8,
)  # fmt: skip


@given(conditions, data, json_values, st.text(max_size=5))
def test_a_condition_decides_the_same_each_time_or_says_why_not(text, context, ans, typed):
    condition.check(text)
    decided = []
    for _ in range(2):
        try:
            decided.append(condition.holds(text, input=typed, context=context, ans=ans))
        except ConditionError as error:
            decided.append(error.message)
    assert decided[0] == decided[1]
    assert isinstance(decided[0], (bool, str))


NODES = ("start", "one", "two", "sub/three", "four")
heads = st.fixed_dictionaries(
    {"to": st.sampled_from(("", *NODES, *NODES)), "wait": st.sampled_from([True, True, True, False])},
    optional={
        "transitions": st.lists(
            st.fixed_dictionaries(
                {"to": st.sampled_from(NODES)}, optional={"condition": comparisons, "text": st.sampled_from(["a", "b"])}
            ),
            max_size=2,
        ),
        "options": st.lists(
            st.fixed_dictionaries({"text": st.sampled_from(["a", "B", "{{ .a }}x"]), "to": st.sampled_from(NODES)}),
            min_size=1, max_size=2,
        ),
        "type": st.sampled_from(["text", "question"]),
        "save_to": st.sampled_from(KEYS),
        "default_context": st.dictionaries(st.sampled_from(KEYS), json_values, max_size=2),
        "on_denied": st.sampled_from(NODES),
        "on_signal": st.dictionaries(st.sampled_from(["timeout", "x"]), st.sampled_from(NODES), max_size=2),
        "input_type": st.sampled_from(["text", "confirm", "int", "float", "secret"]),
        "context_schema": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["string", "int"]), max_size=1),
        "content": templates,
    },
)  # fmt: skip
whole_flows = st.tuples(*(heads for _ in NODES))
inputs = st.lists(
    st.sampled_from(["a", "b", "1", "2", "", "y", "no", "-3.5", "!timeout", "!x", "again"])
    | st.text(max_size=3),
    min_size=2,
    max_size=8,
)


@pytest.fixture(scope="module", autouse=True)
def short_loops():
    """A loop that never asks is given up sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, "PASSING_NODES", 150)
        yield


numbers = itertools.count()


@settings(max_examples=120)
@given(whole_flows, inputs)
def test_any_flow_goes_on_from_any_input_and_its_journal_folds_to_its_rows(tmp_path_factory, nodes, typed):
    directory = tmp_path_factory.getbasetemp() / f"flow-{next(numbers)}"
    (directory / "sub").mkdir(parents=True)
    for name, head in zip(NODES, nodes, strict=True):
        (directory / f"{name}.json").write_bytes(msgspec.json.encode(head))
    clock = Clock()
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        with suppress(RetomaError):
            walk(client, directory, typed)
        if client.get("s") is not None:
            agree(client, nodes)


def walk(client, directory, typed):
    request = Request(directory=directory, session="s")
    drive = client.drive(request)
    try:
        for text in typed:
            if drive.over or drive.failure:
                break
            before = (drive.history.copy(), dict(drive.position.context))
            if text == "again":
                drive.close()
                drive = client.drive(request)
                assert drive.position.context == before[1]
            elif text.startswith("!"):
                drive.signal(text[1:])
            else:
                drive.send(text)
            assert drive.history[: len(before[0])] == before[0]
            assert (drive.prompt is not None) == (
                drive.position.status == "waiting_for_input" or drive.wanted is not None
            )
            assert drive.position.node == drive.history[-1]
    finally:
        drive.close()


def agree(client, nodes):
    rows, folded = client.position("s"), fold(client.events("s"))
    assert folded.history == rows.history
    assert folded.state == rows.position.context
    assert (folded.ans, folded.flow_status) == (rows.position.ans, rows.session.flow_status)
    assert (folded.status, folded.reason) == (rows.session.status, rows.session.reason)
    assert rows.session.flow_visits == len(rows.history)
    assert set(rows.history) <= set(NODES)
    named = {node.get("save_to") for node in nodes} | {
        key for node in nodes for key in node.get("default_context", {})
    }
    assert rows.position.context.keys() <= named
