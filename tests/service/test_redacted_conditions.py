"""A number that a condition orders by, redacted: the session resumes, and the flow says why it is not met."""

from __future__ import annotations

import pytest

from retoma.model.pattern import Pattern
from retoma.runtime.drive import Request
from retoma.service.forget.erasing import Selection
from retoma.template import condition

AGE = "---\ntype: question\ninput_type: int\nsave_to: age\nto: menu\n---\nHow old are you?\n"
MENU = """---
input_type: choice
options:
  - {text: Wine, to: end, condition: context.age >= 18}
  - {text: Juice, to: end}
---
What would you like?
"""
ASK = (
    "---\ntype: question\ntransitions:\n  - {condition: context.age >= 18, to: grown}\nto: end\n---\nReady?\n"
)
SAID = "The condition 'context.age >= 18' is not met: a value in it was redacted."


def redacted(client, flow) -> None:
    with client.drive(Request(directory=flow, session="s")) as drive:
        drive.send("4711")
    client.redact("s", Selection(wanted=Pattern("4711")), pattern="4711")


def test_an_option_that_orders_by_a_redacted_number_is_not_offered(client, make_flow):
    flow = make_flow(start=AGE, menu=MENU, end="Here.\n")
    redacted(client, flow)
    with client.drive(Request(directory=flow, session="s")) as drive:
        assert drive.prompt.options == ("Juice",)
        assert SAID in drive.notices
        drive.send("Juice")
        assert drive.over
        assert not drive.failure


def test_a_way_that_orders_by_a_redacted_number_is_not_taken(client, make_flow):
    flow = make_flow(start=AGE.replace("menu", "ask"), ask=ASK, grown="Grown.\n", end="Here.\n")
    redacted(client, flow)
    with client.drive(Request(directory=flow, session="s")) as drive:
        step = drive.send("yes")
        assert drive.history[-1] == "end"
        assert step.notice == SAID
    assert client.check().whole


@pytest.mark.parametrize(
    "text", ["context.n < 3", "3 >= context.n", "not (1 < context.n < 3) and context.n > 2"]
)
def test_no_order_of_a_redacted_value_holds(text):
    remarks: list[str] = []
    assert not condition.holds(text, input="", context={"n": "[redacted]"}, remarks=remarks)
    assert len(remarks) == 1
    with pytest.raises(condition.ConditionError):
        condition.holds(text, input="", context={"n": "text"})
