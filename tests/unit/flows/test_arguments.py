"""Arguments of tools: rendered with their types, secrets beside them, and put together again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retoma.flows.arguments import call_of, filled, needed
from retoma.flows.model import ToolUse
from retoma.flows.uses import _texts, read
from retoma.model.codec import encode
from retoma.template.template import TemplateError
from retoma.trees.tree import plain
from retoma.trees.tree import read as read_yaml

MARK = {"secret": True}
texts = st.text(st.characters(codec="utf-8"), max_size=20)
around = st.text(st.characters(codec="utf-8", exclude_characters="{}"), max_size=10)


def use(text: str) -> ToolUse:
    tree = read_yaml(text)
    assert tree is not None
    return ToolUse(name="t", args=plain(tree), texts=tuple(_texts(tree)), line=1)


def test_one_look_up_keeps_its_type_and_numbers_stay_numbers():
    asked = use(
        "{a: '{{ .n }}', b: 'n={{ .n }}', c: [1, true, null, ' {{ .m }} '], d: '{{ .none }}', e: 0.5}"
    )
    call = call_of("node", asked, {"n": 7, "m": {"x": [1]}}, None, ())
    assert call.args == {"a": 7, "b": "n=7", "c": [1, True, None, {"x": [1]}], "d": None, "e": 0.5}
    assert filled(call, {}) == call.args


@given(st.lists(st.tuples(around, st.sampled_from(["pin", "name"]), around), max_size=4), texts, texts)
def test_a_secret_is_put_in_where_it_was_written_and_nowhere_else(pieces, secret, name):
    template = "".join(f"{before}{{{{ .{key} }}}}{after}" for before, key, after in pieces) + "."
    asked = ToolUse(name="t", args={"a/~b": [template]}, texts=((template, 1),))
    call = call_of("node", asked, {"pin": MARK, "name": name}, None, ("pin", "other"))
    known = {"pin": f"<{secret}>", "name": name}
    wanted = "".join(f"{before}{known[key]}{after}" for before, key, after in pieces) + "."
    assert filled(call, {"pin": f"<{secret}>"}) == {"a/~b": [wanted]}
    assert needed(call) == (["pin"] if any(key == "pin" for _, key, _ in pieces) else [])
    if needed(call):
        assert call.args == {"a/~b": [MARK]}
    assert b"\xee\x80\x80" not in encode(call) or "\ue000" in name + template


def test_what_stands_for_a_secret_cannot_be_given():
    forged = "\ue0000:0\ue001"
    asked = use("{a: '{{ .pin }}', b: '{{ .name }}', c: '{{ .map }}'}")
    call = call_of("node", asked, {"pin": MARK, "name": forged, "map": MARK}, None, ("pin",))
    assert filled(call, {"pin": "4711"}) == {"a": "4711", "b": forged, "c": MARK}


def test_a_template_that_fails_names_its_line():
    tree = read_yaml("name: t\nargs:\n  a: x\n  b: '{{ range .n }}{{ end }}'\n")
    asked, problems = read("x.md", "do", tree, None)
    assert problems == []
    assert asked is not None
    with pytest.raises(TemplateError) as failed:
        call_of("node", asked, {"n": "text"}, None, ())
    assert failed.value.line == 4
