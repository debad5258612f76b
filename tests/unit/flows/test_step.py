"""What one input does to a flow: which way it leads, what is saved, what is asked again, and how it ends."""

from __future__ import annotations

import pytest

from retoma.errors import NotFound, Refused
from retoma.flows import PASSING_NODES, Flow, parse, proceed, show, signal, start, step
from retoma.flows.walk import STEP_NODES
from retoma.model.codec import Json, JsonMap
from retoma.model.flow import Position, Step


def made(**files: str) -> Flow:
    """A flow of nodes written as `front matter | content`."""
    texts = {}
    for name, text in files.items():
        head, _, content = text.rpartition("|")
        texts[f"{name.replace('__', '/')}.md"] = f"---\n{head}\n---\n{content}".encode()
    return parse("made", texts)


class Driver:
    """Applies steps as a store would."""

    def __init__(self, flow: Flow, given: JsonMap | None = None, locale: str = "") -> None:
        self.flow, self.locale, self.history = flow, locale, list[str]()
        self.context: dict[str, Json] = {}
        self.last = self.applied(start(flow, given or {}, locale=locale))

    def applied(self, done: Step) -> Step:
        self.context |= done.sets
        for visit in done.visits:
            self.context |= visit.sets
            self.history.append(visit.node)
        self.last = done
        assert (done.prompt is not None) == (done.status == "waiting_for_input")
        assert done.prompt is None or done.prompt.node == self.node
        return done

    @property
    def node(self) -> str:
        return self.history[-1]

    @property
    def position(self) -> Position:
        return Position(
            node=self.node,
            status=self.last.status,
            context=self.context,
            ans=self.last.ans,
            visits=len(self.history),
        )

    def type(self, text: str) -> Step:
        return self.applied(step(self.flow, self.position, text, locale=self.locale))


def test_nodes_that_do_not_wait_are_passed_through_to_the_end() -> None:
    driver = Driver(made(start="to: a|One", a="to: b|Two", b="|Three"))
    assert [visit.content for visit in driver.last.visits] == ["One", "Two", "Three"]
    assert (driver.last.status, driver.last.ans, driver.history) == ("finished", None, ["start", "a", "b"])


def test_a_question_waits_saves_and_leads_on() -> None:
    driver = Driver(
        made(start="type: question\nsave_to: name\nto: end|Who?", end="|Hi {{ .name }}, {{ .sys.ans }}")
    )
    assert driver.last.status == "waiting_for_input"
    done = driver.type("  Ada ")
    assert (done.sets, done.ans, done.visits[-1].content) == ({"name": "Ada"}, "Ada", "Hi Ada, Ada")
    assert driver.context == {"name": "Ada"}


@pytest.mark.parametrize(
    "head", ["wait: true", "type: question", "input_type: text", "type: question\nsave_to: x"]
)
def test_a_terminal_node_that_waits_waits_once_then_ends(head: str) -> None:
    driver = Driver(made(start=f"{head}|Press Enter"))
    assert driver.last.status == "waiting_for_input"
    done = driver.type("x")
    assert (done.status, done.visits, driver.node) == ("finished", (), "start")


def test_ways_are_tried_in_order_options_conditions_denial_unconditional() -> None:
    head = """
wait: true
on_denied: denied
to: last
transitions:
  - to: always
  - {to: small, condition: input == 'a' or input == 'no way'}
  - {to: small2, condition: input == 'a'}
  - {to: named, text: Labelled}
"""
    ends = dict.fromkeys(["denied", "last", "always", "small", "small2", "named"], "|x")
    for typed, node in [
        ("A", "small"),
        ("no way", "small"),
        ("deny", "denied"),
        ("N", "denied"),
        ("z", "always"),
        ("labelled", "named"),
    ]:
        driver = Driver(made(start=f"{head}|?", **ends))
        driver.type(typed)
        assert driver.node == node, typed


def test_when_no_way_holds_the_node_asks_again_and_the_history_does_not_grow() -> None:
    driver = Driver(
        made(start="wait: true\nsave_to: x\ntransitions: [{to: end, condition: input == 'go'}]|?", end="|e")
    )
    done = driver.type("stay")
    assert (done.status, done.visits, driver.history) == ("waiting_for_input", (), ["start"])
    assert done.notice
    assert driver.type("GO").status == "finished"


def test_a_node_that_does_not_wait_and_has_no_open_way_asks() -> None:
    driver = Driver(made(start="transitions: [{to: end, condition: input == 'go'}]|?", end="|e"))
    assert driver.last.status == "waiting_for_input"
    assert driver.type("go").status == "finished"


@pytest.mark.parametrize(
    ("typed", "default", "kept"),
    [
        ("Y", "", "yes"),
        ("TRUE", "", "yes"),
        ("1", "", "yes"),
        ("yes", "", "yes"),
        ("n", "", "no"),
        ("False", "", "no"),
        ("0", "", "no"),
        ("", "", "yes"),
        ("", "n", "no"),
        (" ", "no", "no"),
        ("", "rubbish", "yes"),
    ],
)
def test_confirm_is_kept_as_yes_or_no(typed: str, default: str, kept: str) -> None:
    head = f"input_type: confirm\nsave_to: ok\nto: end\non_denied: out\ninput_default: {default}"
    driver = Driver(made(start=f"{head}|?", end="|x", out="|x"))
    assert driver.last.prompt is not None
    assert driver.last.prompt.default == ("no" if default.startswith("n") else "yes")
    driver.type(typed)
    assert driver.context == {"ok": kept}
    assert driver.last.ans == kept
    assert driver.node == ("end" if kept == "yes" else "out")


def test_confirm_asks_again_for_anything_else() -> None:
    driver = Driver(made(start="input_type: confirm\nsave_to: ok\nto: end|?", end="|x"))
    done = driver.type("maybe")
    assert (done.status, done.sets, driver.node) == ("waiting_for_input", {}, "start")
    assert "yes or no" in done.notice


CHOICE = """
save_to: road
options:
  - {text: Hidden, to: a, condition: context.secret}
  - {text: Short one, to: a}
  - {text: '3', to: b}
  - {text: 'The {{ .adjective }} one', to: c}
"""


@pytest.mark.parametrize(
    ("typed", "node", "kept"),
    [
        ("short ONE", "a", "Short one"),
        ("1", "a", "Short one"),
        ("2", "b", "3"),
        ("3", "b", "3"),
        ("the long one", "c", "The long one"),
    ],
)
def test_a_choice_is_made_by_text_or_by_number_in_the_list_shown(typed: str, node: str, kept: str) -> None:
    driver = Driver(made(start=f"{CHOICE}|?", a="|a", b="|b", c="|c"), {"adjective": "long"})
    assert driver.last.prompt is not None
    assert (driver.last.prompt.input_type, driver.last.prompt.options) == (
        "choice",
        ("Short one", "3", "The long one"),
    )
    driver.type(typed)
    assert (driver.node, driver.context["road"], driver.last.ans) == (node, kept, kept)


@pytest.mark.parametrize("typed", ["hidden", "0", "4", "-1", "", "٣", "1" * 5000])
def test_a_choice_without_a_match_is_asked_again_and_saves_nothing(typed: str) -> None:
    driver = Driver(made(start=f"{CHOICE}|?", a="|a", b="|b", c="|c"), {"adjective": "long"})
    done = driver.type(typed)
    assert (done.status, done.sets, driver.node) == ("waiting_for_input", {}, "start")
    assert "1. Short one" in done.notice


def test_a_choice_without_a_match_takes_the_unconditional_way_if_there_is_one() -> None:
    flow = made(start="options: [{text: A, to: a}]\nto: other\nsave_to: x|?", a="|a", other="|o")
    driver = Driver(flow)
    driver.type("something else")
    assert (driver.node, driver.context) == ("other", {"x": "something else"})


def test_plain_options_leave_the_way_to_the_transitions() -> None:
    flow = made(
        start="options: [Yes, 2]\ntransitions: [{to: a, condition: input == 'yes'}, {to: b}]|?",
        a="|a",
        b="|b",
    )
    for typed, node in [("1", "a"), ("YES", "a"), ("2", "b")]:
        driver = Driver(flow)
        driver.type(typed)
        assert driver.node == node


def test_a_terminal_choice_takes_one_of_its_options() -> None:
    driver = Driver(made(start="input_type: choice\ninput_options: [a, b]\nsave_to: x|?"))
    assert driver.type("c").status == "waiting_for_input"
    assert (driver.type("2").status, driver.context) == ("finished", {"x": "b"})


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("int", " 42 ", 42),
        ("int", "-7", -7),
        ("float", "2.5", 2.5),
        ("float", "3", 3.0),
        ("float", "1e3", 1000.0),
        ("int", "x", None),
        ("int", "1.5", None),
        ("int", "9" * 30, None),
        ("int", "", None),
        ("float", "nan", None),
        ("float", "inf", None),
        ("float", "1e999", None),
        ("float", "1_0", None),
    ],
)
def test_numbers_are_saved_as_numbers_and_anything_else_is_asked_again(
    kind: str, typed: str, kept: Json
) -> None:
    driver = Driver(made(start=f"input_type: {kind}\nsave_to: n\nto: end|?", end="|{{ .n }}"))
    done = driver.type(typed)
    if kept is None:
        assert (done.status, done.sets) == ("waiting_for_input", {})
        assert done.notice
    else:
        assert (done.status, driver.context) == ("finished", {"n": kept})
        assert type(driver.context["n"]) is type(kept)


def test_an_empty_input_means_the_default() -> None:
    driver = Driver(made(start="input_type: int\ninput_default: 5\nsave_to: n|?"))
    driver.type("")
    assert driver.context == {"n": 5}


def test_a_secret_is_used_and_never_kept() -> None:
    flow = made(
        start="input_type: secret\nsave_to: pin\ntransitions: [{to: ok, condition: input == '1234'}]|?",
        ok="|{{ .pin }} {{ .sys.ans }}",
    )
    driver = Driver(flow)
    assert "9999" not in str(driver.type("9999"))
    done = driver.type("1234")
    assert driver.node == "ok"
    assert done.sets == {"pin": {"secret": True}}
    assert done.ans == {"secret": True}
    assert "1234" not in str(done)


def test_default_context_is_overridden_by_what_is_given_and_elsewhere_fills_what_is_absent() -> None:
    flow = made(
        start="default_context: {a: 1, b: 2}\nto: next|{{ .a }}{{ .b }}",
        next="default_context: {b: 9, c: 3}|{{ .b }}{{ .c }}",
    )
    driver = Driver(flow, {"b": 7, "x": None})
    assert [visit.content for visit in driver.last.visits] == ["17", "73"]
    assert driver.context == {"a": 1, "b": 7, "c": 3, "x": None}


def test_missing_keys_stop_the_flow_and_are_all_named() -> None:
    driver = Driver(
        made(start="to: next|x", next="required_context: [a, b.c, d]\ncontext_schema: {e: int}|y"),
        {"a": 1, "b": {"c": 0}},
    )
    assert driver.last.status == "finished"
    assert "'next' needs 'd', 'e'" in driver.last.failure
    assert driver.node == "next"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", ["x"], [1, None]),
        ("int", [1, 2.0], [1.5, True, "1"]),
        ("float", [1, 1.5], ["1", False]),
        ("bool", [True], [1, "true"]),
        ("[int]", [[], [1, 2.0]], [[1, "x"], 1, "[]"]),
    ],
)
def test_a_schema_is_met_or_names_node_key_expected_and_got(
    kind: str, good: list[Json], bad: list[Json]
) -> None:
    flow = made(start=f"context_schema: {{k: {kind}}}|x")
    for value in good:
        assert start(flow, {"k": value}).failure == ""
    for value in bad:
        failure = start(flow, {"k": value}).failure
        assert all(word in failure for word in ("'start'", "'k'", kind)), failure


def test_sys_cannot_be_given() -> None:
    assert "sys" in start(made(start="|x"), {"sys": {}}).failure


def test_a_condition_that_cannot_be_decided_fails_with_the_node_named() -> None:
    driver = Driver(
        made(start="wait: true\ntransitions: [{to: end, condition: context.a > 1}]|x", end="|e"), {"a": "b"}
    )
    done = driver.type("")
    assert (done.status, driver.node) == ("finished", "start")
    assert "'start'" in done.failure
    assert "start.md:3" in done.failure


def test_a_template_that_fails_names_node_and_line() -> None:
    driver = Driver(made(start="to: next|x", next="|fine\n{{ range 99999 }}{{ end }}"))
    assert "next.md:5" in driver.last.failure
    assert driver.node == "next"


def test_a_missing_target_fails_instead_of_ending() -> None:
    assert "'nowhere'" in start(made(start="to: nowhere|x"), {}).failure


def test_targets_are_relative_to_the_root_and_aliases_count() -> None:
    driver = Driver(made(start="to: deep/a|x", deep__a="to: short|y", deep__b="id: short|z"))
    assert driver.history == ["start", "deep/a", "deep/b"]


def test_a_loop_that_never_waits_is_handed_over_in_bounded_steps() -> None:
    flow = made(start="to: b|x", b="to: start|y")
    driver = Driver(flow)
    assert (driver.last.status, len(driver.last.visits)) == ("active", STEP_NODES)
    driver.applied(proceed(flow, driver.position))
    assert len(driver.history) == 2 * STEP_NODES
    assert driver.history == ["start", "b"] * STEP_NODES
    assert PASSING_NODES == 10_000


def test_a_step_that_stopped_at_its_bound_goes_on_where_it_was() -> None:
    files = {f"n{at}": f"to: n{at + 1}|{at}" for at in range(150)}
    driver = Driver(made(start="to: n0|s", **files, n150="wait: true|end"))
    driver.applied(proceed(driver.flow, driver.position))
    assert driver.history == ["start", *(f"n{at}" for at in range(151))]
    assert driver.last.status == "waiting_for_input"


def test_show_gives_the_content_and_the_prompt_again() -> None:
    driver = Driver(
        made(start="wait: true\nto: b\nsave_to: n|a", b="timeout: 5s\noptions: ['{{ .n }}']|Hi {{ .n }}")
    )
    driver.type("Ada")
    content, prompt = show(driver.flow, driver.position)
    assert content == "Hi Ada"
    assert prompt == driver.last.prompt
    assert prompt is not None
    assert (prompt.options, prompt.timeout_s) == (("Ada",), 5)


def test_show_at_the_end_has_no_prompt() -> None:
    driver = Driver(made(start="|bye"))
    assert show(driver.flow, driver.position) == ("bye", None)


def test_a_node_that_is_gone_is_not_found_and_a_finished_flow_takes_no_input() -> None:
    flow = made(start="|bye")
    with pytest.raises(NotFound):
        show(flow, Position(node="gone", status="waiting_for_input", context={}))
    with pytest.raises(Refused):
        step(flow, Position(node="start", status="finished", context={}), "x")
    with pytest.raises(Refused):
        proceed(flow, Position(node="start", status="waiting_for_input", context={}))


def test_signals_go_to_the_node_s_handler_then_to_the_entry_s_default() -> None:
    flow = made(
        start="wait: true\nto: b\non_signal_default: {stop: out, timeout: late}|a",
        b="wait: true\non_timeout: b2\non_signal: {nudge: b2}|b",
        b2="wait: true|c",
        out="|o",
        late="|l",
    )
    at_b = Position(node="b", status="waiting_for_input", context={"k": 1}, ans="x")
    for name, node in [("timeout", "b2"), ("nudge", "b2"), ("stop", "out")]:
        done = signal(flow, at_b, name)
        assert done is not None
        assert ([visit.node for visit in done.visits], done.ans) == ([node], "x")
    assert signal(flow, at_b, "interrupt") is None
    assert signal(flow, Position(node="start", status="waiting_for_input", context={}), "timeout") is not None
    assert signal(flow, Position(node="b", status="finished", context={}), "stop") is None
    assert signal(flow, Position(node="gone", status="waiting_for_input", context={}), "stop") is None


FORMAT = """
type: format
messages:
  en: [{text: 'Big {{ .n }}', condition: context.n > 10}, 'Small {{ .n }}']
  pt-BR: ['Oi {{ .n }}']
  de: [{text: nie, condition: 'false'}]
"""


@pytest.mark.parametrize(
    ("locale", "n", "said"),
    [
        ("en", 50, "Big 50"),
        ("en_GB.UTF-8", 5, "Small 5"),
        ("pt_BR.UTF-8", 5, "Oi 5"),
        ("pt", 5, "Oi 5"),
        ("fr", 5, "Small 5"),
        ("", 5, "Small 5"),
        ("C", 5, "Small 5"),
        ("de", 5, "Small 5"),
    ],
)
def test_a_format_node_speaks_the_locale(locale: str, n: int, said: str) -> None:
    assert start(made(start=f"{FORMAT}|"), {"n": n}, locale=locale).visits[0].content == said
    assert start(made(start=f"{FORMAT}|Head"), {"n": n}, locale=locale).visits[0].content == f"Head\n\n{said}"


def test_a_step_changes_nothing_that_it_was_given() -> None:
    flow = made(start="wait: true\nsave_to: a\nto: b|x", b="default_context: {c: 1}|y")
    context: dict[str, Json] = {"a": "old"}
    step(flow, Position(node="start", status="waiting_for_input", context=context), "new")
    assert context == {"a": "old"}


def test_a_node_that_saves_without_waiting_saves_an_empty_text() -> None:
    driver = Driver(
        made(start="save_to: a\nto: next|One", next="save_to: b\nto: end|Two", end="save_to: c|[{{ .a }}]")
    )
    assert driver.context == {"a": "", "b": ""}  # nothing leaves the last node
    assert Driver(made(start="save_to: a\nto: end|", end="|"), {"a": "before"}).context == {"a": ""}
    seen = made(start="save_to: a\ntransitions: [{condition: \"context.a == ''\", to: yes}]|", yes="|")
    assert Driver(seen).history == ["start", "yes"]
    waits = Driver(made(start="save_to: a\nwait: true\nto: end|", end="|"))
    assert waits.context == {}
    waits.type("x")
    assert waits.context == {"a": "x"}


NFC, NFD = "a\u00e7\u00e3o", "ac\u0327a\u0303o"
MIXED = "a\u00e7a\u0303o"


@pytest.mark.parametrize(
    ("name", "typed"), [(NFC, NFD), (NFD, NFC), (MIXED, NFC), (NFD, MIXED), (NFC, NFC.upper())]
)
def test_one_word_in_two_forms_is_the_same(name: str, typed: str) -> None:
    options = made(start=f"options: [{{text: {name}, to: a}}, {{text: other, to: b}}]|", a="|", b="|")
    driver = Driver(options)
    driver.type(typed)
    assert driver.node == "a"
    ways = made(
        start=f"wait: true\ntransitions: [{{condition: input == '{name}', to: a}}]\nto: b|", a="|", b="|"
    )
    driver = Driver(ways)
    driver.type(typed)
    assert driver.node == "a"


@pytest.mark.parametrize(("name", "target"), [(NFC, NFD), (NFD, NFC), (MIXED, NFC), (NFD, MIXED)])
def test_a_target_names_a_file_in_another_form(name: str, target: str) -> None:
    for place in ("", f"{NFD}__"):
        flow = made(**{"start": f"to: {place.replace('__', '/')}{target}|", f"{place}{name}": "|There"})
        driver = Driver(flow)
        assert driver.last.status == "finished"
        assert driver.last.visits[-1].content == "There"
    saved = made(
        start="wait: true\nsave_to: x\nto: b|",
        b=f"transitions: [{{condition: context.x == '{name}', to: a}}]|",
        a="|",
    )
    driver = Driver(saved)
    driver.type(target)
    assert driver.node == "a"
    listed = made(
        start=f"wait: true\ntransitions: [{{condition: \"input in ['x', '{name}']\", to: a}}]|", a="|"
    )
    driver = Driver(listed)
    driver.type(target)
    assert driver.node == "a"
