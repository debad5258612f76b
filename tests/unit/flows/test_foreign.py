"""Flows as others might write them (tests/flows): where each ends, with which context and history."""

from __future__ import annotations

from pathlib import Path

import pytest

from retoma.flows import Flow, check, load, signal, start, step, validate
from retoma.model.codec import Json
from retoma.model.flow import Position, Step

FLOWS = Path(__file__).parents[2] / "flows"
MARK: Json = {"secret": True}
DESK: Json = {"name": "North", "open": {"from": 8, "to": 18}}
DISHES: Json = [{"name": "Soup", "price": 6, "tags": ["hot"]}, {"name": "Salad", "price": 5}]
SHOP: Json = {"name": "Norte"}
PORT: dict[str, Json] = {"port": 80.0, "hosts": ["a", "b"], "ratio": 1, "on": True}


class Walked:
    """A flow after some inputs; one that begins with `!` is a signal."""

    def __init__(self, name: str, context: dict[str, Json], inputs: list[str], locale: str = "") -> None:
        self.flow: Flow = load(FLOWS / name)
        check(self.flow)
        self.history: list[str] = []
        self.said: list[str] = []
        self.position = Position(node=None, status="active", context={})
        self._apply(start(self.flow, context, locale=locale))
        for text in inputs:
            assert self.position.status == "waiting_for_input", (text, self.history)
            if text.startswith("!"):
                sent = signal(self.flow, self.position, text[1:], locale=locale)
                assert sent is not None, text
                self._apply(sent)
            else:
                self._apply(step(self.flow, self.position, text, locale=locale))

    def _apply(self, done: Step) -> None:
        context = {**self.position.context, **done.sets}
        for visit in done.visits:
            context |= visit.sets
            self.history.append(visit.node)
            self.said.append(visit.content)
        node = self.history[-1]
        self.failure = done.failure
        self.position = Position(
            node=node, status=done.status, context=context, ans=done.ans, visits=len(self.history)
        )


WALKS: list[tuple[str, dict[str, Json], list[str], str, dict[str, Json], list[str]]] = [
    # name, given, inputs, how it stands, context, history (the current node last)
    ("parcel", {}, ["send", "0", "12.50", "n", "fetch", "x", "B2"], "finished",
     {"desk": DESK, "express": False, "wish": "Fetch", "kilos": 12.5, "paid": "no", "code": "B2"},
     ["main", "send/weight", "send/weight", "send/price", "main", "fetch", "fetch", "done"]),
    ("parcel", {"express": True}, ["9", "3", "31"], "finished",
     {"desk": DESK, "express": True, "wish": "Express", "kilos": 31.0}, ["main", "send/weight", "refused"]),
    ("parcel", {}, ["3", "express"], "waiting_for_input", {"desk": DESK, "express": False}, ["main"]),
    ("parcel", {"desk": {"name": "S", "open": None}}, ["1", "2", ""], "finished",
     {"desk": {"name": "S", "open": None}, "express": False, "wish": "Send", "kilos": 2.0, "paid": "yes"},
     ["main", "send/weight", "send/price", "done"]),
    ("windows", {}, [" Zo\u00e9\r", "letmein", "4,711", "4711"], "finished",
     {"user": "Zo\u00e9", "password": MARK, "pin": 4711}, ["start", "login/password", "login/pin", "inside"]),
    ("windows", {}, ["Zo\u00e9", "LetMeIn"], "waiting_for_input",
     {"user": "Zo\u00e9", "password": MARK}, ["start", "login/password", "login/pin"]),
    ("windows", {}, ["Zo\u00e9", ""], "finished",
     {"user": "Zo\u00e9", "password": MARK}, ["start", "login/password", "denied"]),
    ("watch", {}, ["quiet", "!noise", "!timeout", "", "!interrupt", "n", "OVER"], "finished",
     {"rounds": 0, "note": "OVER"},
     ["index", "round", "round", "look", "round", "asleep", "round", "leave", "round", "report"]),
    ("watch", {"note": "smoke"}, ["!fire"], "finished",
     {"rounds": 0, "note": "smoke"}, ["index", "round", "alarm/fire"]),
    ("watch", {}, ["!timeout", "!fire"], "finished", {"rounds": 0}, ["index", "round", "asleep", "alarm/fire"]),
    ("form", {"shop": SHOP, "orders": 0}, [""], "finished",
     {"shop": SHOP, "orders": 0, "reply": "Norte"}, ["start", "ask", "bye"]),
    ("menu", {}, ["salad", "9", "1"], "waiting_for_input",
     {"dishes": DISHES, "total": 1000000, "dish": "Soup", "green": True},
     ["menu", "kitchen/start", "kitchen/salad", "kitchen/start", "kitchen/start", "kitchen/deep/er/soup"]),
    ("menu", {"dishes": []}, ["2", "SOUP", ""], "finished",
     {"dishes": [], "total": 1000000, "dish": "Soup"},
     ["menu", "kitchen/start", "kitchen/start", "kitchen/deep/er/soup"]),
    ("schema", {}, [], "finished", PORT, ["start", "check"]),
    ("schema", {"port": True}, [], "finished", PORT | {"port": True}, ["start"]),
    ("refusal", {}, ["No", "x"], "waiting_for_input", {}, ["start", "surely"]),
    ("refusal", {}, ["n"], "finished", {}, ["start", "stop"]),
    ("refusal", {}, ["false"], "finished", {}, ["start", "stop"]),
    ("refusal", {}, ["no", "deny"], "finished", {}, ["start", "surely", "stop"]),
    ("refusal", {}, ["nope", "no"], "finished", {}, ["start", "on"]),
    ("lamp", {}, [""], "finished", {"colour": "red", "level": 1, "state": "3"}, ["lamp", "parts/bulb-v2", "parts/end"]),
    ("lamp", {"level": 7}, ["YES"], "finished",
     {"colour": "red", "level": 7, "state": "yes"}, ["lamp", "parts/bulb-v2", "parts/end"]),
    ("lamp", {}, ["2"], "finished",
     {"colour": "red", "level": 1, "state": "off"}, ["lamp", "parts/bulb-v2", "parts/end"]),
    ("maze", {}, ["", "x", "9", "RED"], "finished",
     {"keys": ["red"], "steps": 3, "door": {"open": False}}, ["start", "start", "start", "start", "hall", "exit"]),
    ("maze", {}, ["10"], "finished", {"keys": ["red"], "steps": 3, "door": {"open": False}}, ["start", "pit"]),
    ("maze", {"steps": 2}, ["x"], "finished", {"keys": ["red"], "steps": 2, "door": {"open": False}}, ["start", "pit"]),
    ("maze", {"door": {"open": True}, "keys": []}, ["red", "11.5"], "finished",
     {"keys": [], "steps": 3, "door": {"open": True}}, ["start", "start", "pit"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "inputs", "status", "context", "history"), WALKS)
def test_a_foreign_flow_goes_where_its_author_meant(
    name: str,
    given: dict[str, Json],
    inputs: list[str],
    status: str,
    context: dict[str, Json],
    history: list[str],
) -> None:
    walked = Walked(name, given, inputs)
    assert walked.history == history
    assert walked.position.context == context
    assert walked.position.status == status
    assert bool(walked.failure) == (name == "schema")


def test_what_is_said() -> None:
    assert Walked("parcel", {}, ["send", "9"]).said == [
        "Desk North, open 8 to 18.",
        "How heavy is it, in kg?",
        "That is 9 crowns for 9 kg.",
    ]
    assert Walked("parcel", {}, ["1", "2", "y"]).said[-1] == 'Off it goes: {"from":8,"to":18}'
    assert Walked("windows", {}, ["Zo\u00e9", "letmein", "1"]).said == [
        "# Acc\u00e8s\n\nNom ?",
        "Mot de passe ?",
        "Code ?\n(4 chiffres)",
        "Bonjour Zo\u00e9,\nvotre code est 1.",
    ]
    menu = Walked("menu", {}, ["salad", "9"])
    assert menu.said[0] == "0. Soup    6.00 (hot)\n1. Salad   5.00\nLast 1, 2 dishes, 1000000."
    assert menu.said[-1] == "Which? Before: 9"
    assert Walked("lamp", {}, []).said[-1] == "red 1"
    assert Walked("maze", {}, ["red"]).said[-1] == "Out with red."


@pytest.mark.parametrize(
    ("locale", "orders", "said"),
    [
        ("pt_BR.UTF-8", 2, ["Bem-vindo, cliente antigo!", "Qual \u00e9 o seu nome?", "Tchau, Rui."]),
        ("pt_PT.UTF-8", 0, ["Bem-vindo!", "Qual \u00e9 o seu nome?", "Tchau, Rui."]),
        ("en_GB", 2, ["Welcome!", "What is your name?", "Bye, Rui."]),
        ("C", 0, ["Bem-vindo!", "Qual \u00e9 o seu nome?", "Tchau, Rui."]),
    ],
)
def test_messages_follow_the_locale(locale: str, orders: int, said: list[str]) -> None:
    assert Walked("form", {"shop": SHOP, "orders": orders}, ["Rui"], locale).said == said


def test_what_the_context_lacks_is_named() -> None:
    assert "'start' needs 'shop.name' in the context" in Walked("form", {"shop": {}}, []).failure
    failed = Walked("schema", {}, []).failure
    assert "'check' needs 'name' in the context" in failed
    mixed = Walked("schema", {"name": "x", "port": 80.5}, [])
    assert mixed.failure == "At the node 'start' the context is not valid: 'port' must be int, not float."
    deep = Walked("schema", {"name": "x"}, []).failure
    assert deep == "At the node 'check' the context is not valid: 'hosts' must be [int], not [string]."


def test_entry_names_and_what_is_no_node() -> None:
    lamp = load(FLOWS / "lamp")
    assert (lamp.entry, sorted(lamp.nodes)) == ("lamp", ["lamp", "parts/bulb-v2", "parts/end"])
    assert lamp.nodes["lamp"].metadata == {"colour": "red", "level": 2}
    assert load(FLOWS / "menu").entry == "menu"
    assert load(FLOWS / "watch").entry == "index"
    assert "README" not in load(FLOWS / "parcel").nodes


@pytest.mark.parametrize("directory", sorted(FLOWS.iterdir()), ids=lambda path: path.name)
def test_a_foreign_flow_has_no_error(directory: Path) -> None:
    assert [problem for problem in validate(load(directory)) if problem.level == "error"] == []
