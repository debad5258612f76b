"""`retoma run` on a terminal: what is typed, edited, refused and left."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest

TOUR = Path(__file__).parents[2] / "examples" / "tour"


@pytest.fixture
def terminal(store):
    """Start `retoma ARGS` on a pseudo-terminal of 80 columns."""
    opened = []

    def start(*args: object) -> pexpect.spawn:
        environ = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "INPUTRC": os.devnull}
        command = ["-m", "retoma", "--store", str(store), *map(str, args)]
        child = pexpect.spawn(
            sys.executable, command, env=environ, dimensions=(24, 80), encoding="utf-8", timeout=20
        )
        child.delaybeforesend = None
        opened.append(child)
        return child

    yield start
    for child in opened:
        child.close(force=True)


def left(child: pexpect.spawn) -> tuple[int, str]:
    """Wait for the end; return the exit status and what was printed."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.before


def test_what_validate_would_warn_of_is_pointed_at_once(terminal, tmp_path):
    (tmp_path / "start.md").write_text("---\nwait: true\nconten: x\n---\nHi {{ .nobody }}.\n")
    said = f">>> 2 to look at in this flow: retoma flow validate {tmp_path}"
    child = terminal("run", tmp_path, "--session", "s", "--plain")
    child.expect_exact("Hi .")
    assert said[:60] in child.before.replace("\r\n", "\n").replace("\n", "")
    child.sendeof()
    left(child)
    child = terminal("run", tmp_path, "--session", "s", "--plain")
    child.expect_exact("Hi .")
    assert "to look at" not in child.before
    child.sendeof()


def test_a_line_is_edited_with_the_arrow_keys(terminal, retoma):
    child = terminal("run", TOUR, "--session", "s")
    child.expect_exact("[friend] > ")
    child.send("na世é\x1b[D\x1b[D\x1b[D\x1b[DA\x7fA\x1b[C\x1b[C\x1b[C\x7f\r")
    child.expect_exact("Hello Ana")
    child.expect_exact("2  The scenic one\r\n")
    child.sendeof()
    status, said = left(child)
    assert (status, "the input ended" in said) == (3, True)
    assert '"input":"Anaé"' in retoma("session", "log", "s", "--type", "flow.input").stdout


def test_a_line_longer_than_a_terminal_keeps_by_itself_comes_whole(terminal, retoma):
    child = terminal("run", TOUR, "--session", "s", "--plain")
    child.expect_exact("[friend] > ")  # ">>> Session" comes before the keyboard is listened to
    child.send("x" * 6000 + "\r")
    child.expect_exact("Which one do you take?")
    child.sendintr()
    assert left(child)[0] == 130
    assert f'"{"x" * 6000}"' in retoma("session", "log", "s", "--type", "flow.input").stdout


def test_ctrl_c_says_how_to_go_on(terminal):
    child = terminal("run", TOUR)
    child.expect_exact("[friend] > ")
    child.sendintr()
    status, said = left(child)
    assert status == 130
    assert "^C\r\n>>> Interrupted at 'start' node. Go on with the same command and --session tour-" in said


def test_a_wait_that_ends_by_itself_begins_a_new_line(terminal, tmp_path):
    (tmp_path / "start.md").write_text("---\nwait: true\ntimeout: 50ms\non_timeout: late\n---\nQuick!\n")
    (tmp_path / "late.md").write_text("Too late.\n")
    status, said = left(terminal("run", tmp_path, "--session", "s", "--plain"))
    assert status == 0
    assert (
        "Quick!\r\n> \r\n>>> Signal 'timeout' at 'start' node: on to 'late'.\r\nToo late.\r\n"
        in said.replace("\x1b[?2004h", "").replace("\x1b[?2004l\r", "")
    )


def test_a_default_cannot_speak_to_the_terminal(terminal, tmp_path):
    (tmp_path / "start.md").write_text('---\nwait: true\ninput_default: "{{ .name }}"\n---\nWho?\n')
    child = terminal("run", tmp_path, "--context", r'{"name": "\u001b]0;mine\u0007"}')
    child.expect_exact("[␛]0;mine␇] > ")


def test_nodes_are_set_apart_and_their_lines_hold_no_filling(terminal, tmp_path):
    (tmp_path / "start.md").write_text("---\nto: end\n---\nOne.\n\nTwo.\n")
    (tmp_path / "end.md").write_text("Three.\n")
    _, said = left(terminal("run", tmp_path, "--session", "s"))
    assert said.endswith("active.\r\n\r\nOne.\r\n\r\nTwo.\r\n\r\nThree.\r\n>>> Finished at 'end' node.\r\n")


def test_a_secret_is_asked_for_again_without_an_echo(terminal, retoma, tmp_path):
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text("---\ninput_type: secret\nsave_to: pin\nto: ask\n---\nPin?\n")
    (flow / "ask.md").write_text(
        "---\nwait: true\ntransitions: [{condition: context.pin == '4711', to: end}]\n---\nNow?\n"
    )
    (flow / "end.md").write_text("Right.\n")
    retoma("run", str(flow), "--session", "s", "--headless", input="4711\n")
    child = terminal("run", flow, "--session", "s", "--plain")
    child.expect_exact("The secret 'pin' is asked for again")
    child.expect_exact("> ")
    child.send("4711\r")
    child.expect_exact("Now?")
    assert "4711" not in child.before
    child.send("\r")
    status, said = left(child)
    assert (status, "Right." in said) == (0, True)


def test_an_edited_flow_shows_at_the_prompt_and_what_was_typed_stays(terminal, retoma, tmp_path):
    flow = tmp_path / "flow"
    flow.mkdir()
    ask = "---\ntype: question\nsave_to: name\nto: end\n---\n{}?\n"
    (flow / "start.md").write_text(ask.format("Who"))
    (flow / "end.md").write_text("Bye {{ .name }}.\n")
    child = terminal("run", flow, "--session", "s", "--plain", "--watch")
    child.expect_exact("Who?")
    child.expect_exact("> ")
    child.send("An世")
    child.expect_exact("世")
    (flow / "start.md").write_text(ask.format("Who are you"))
    child.expect_exact(
        ">>> The flow was edited; the session goes on with the new version.\r\nWho are you?\r\n"
    )
    child.expect_exact("> An世")
    (flow / "end.md").write_text("Bye {{ .name\n")
    child.expect_exact("end.md:1: This {{ is not closed.")
    child.expect_exact("> An世")
    child.send("\x7fa\r")
    status, said = left(child)
    assert (status, "Bye Ana." in said) == (0, True)
    assert '"input":"Ana"' in retoma("session", "log", "s", "--type", "flow.input").stdout


def test_an_edit_while_a_secret_is_typed_shows_after_it(terminal, tmp_path):
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text("---\ninput_type: secret\nsave_to: pin\nto: next\n---\nPin?\n")
    (flow / "next.md").write_text("---\nwait: true\n---\nNow?\n")
    child = terminal("run", flow, "--session", "s", "--plain", "--watch")
    child.expect_exact("Pin?\r\n> ")
    (flow / "next.md").write_text("---\nwait: true\n---\nNow then?\n")
    child.send("4711\r")
    child.expect_exact("Now then?")
    assert "4711" not in child.before
