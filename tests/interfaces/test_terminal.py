"""`retoma run` on a terminal: what is typed, edited, refused and left."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
from pathlib import Path

import pexpect
import pytest
from tests.glass import Glass

pytestmark = pytest.mark.alone

TOUR = Path(__file__).parents[2] / "examples" / "tour"


@pytest.fixture
def terminal(store):
    """Start `retoma ARGS` on a pseudo-terminal of 80 columns."""
    opened = []

    def start(*args: object, width: int = 80, term: str = "xterm") -> pexpect.spawn:
        environ = {**os.environ, "TERM": term, "LC_ALL": "C.UTF-8", "INPUTRC": os.devnull}
        command = ["-m", "retoma", "--store", str(store), *map(str, args)]
        child = pexpect.spawn(
            sys.executable, command, env=environ, dimensions=(24, width), encoding="utf-8", timeout=20
        )
        child.delaybeforesend = None
        child.glass = Glass(width)
        opened.append(child)
        return child

    yield start
    for child in opened:
        child.close(force=True)


def at(child: pexpect.spawn, row: str) -> None:
    """Wait until the terminal shows `row` last, with the cursor in it."""
    child.glass.until(child, row)


def left(child: pexpect.spawn) -> tuple[int, str]:
    """Wait for the end; return the exit status and what was printed."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.before


MENU = """---
options: [Short, 'One that is so long that it does not fit in one row of a narrow terminal', Last]
save_to: way
to: end
---
Which way?
"""


@pytest.fixture
def menu(tmp_path):
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text(MENU)
    (flow / "end.md").write_text("You took {{ .way }}.\n")
    return flow


def inputs(retoma):
    return re.findall(r'"input":"(.*?)"', retoma("session", "log", "s", "--type", "flow.input").stdout)


@pytest.mark.parametrize("width", [40, 80])
def test_an_option_is_chosen_with_the_arrow_keys(terminal, retoma, menu, width):
    child = terminal("run", menu, "--session", "s", width=width)
    at(child, ">")
    for keys, number in zip(("\x1b[B", "\x1b[B", "\x1b[B", "\x1b[B", "\x1b[A", "\x1b[A", "\x1bOF", "\x1b[3~\x1b[A"),
                            (1, 2, 3, 1, 3, 2, 3, 2), strict=True):  # fmt: skip
        child.send(keys)
        at(child, f"> {number}")
    shown = child.glass.shown()
    if width == 40:
        assert shown[-6:] == [
            "  1  Short",
            "> 2  One that is so long that it does",
            "     not fit in one row of a narrow",
            "     terminal",
            "  3  Last",
            "> 2",
        ]
    else:
        assert [row[:8] for row in shown[-4:]] == ["  1  Sho", "> 2  One", "  3  Las", "> 2"]
    child.send("\r")
    status, said = left(child)
    assert (status, inputs(retoma)) == (0, ["2"])
    assert "You took One that is so long" in said


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("3\r", "3"),
        ("last\r", "last"),
        ("\x1b[Bshort\r", "short"),
        ("é\x7fLast\r", "Last"),
        ("\x1b[A\r", "3"),
    ],
)
def test_a_number_or_a_text_is_typed_where_keys_could_choose(terminal, retoma, menu, keys, wanted):
    child = terminal("run", menu, "--session", "s")
    at(child, ">")
    child.send(keys)
    assert left(child)[0] == 0
    assert inputs(retoma) == [wanted]


def test_enter_alone_chooses_nothing_and_ctrl_c_and_d_leave(terminal, menu):
    text = "---\noptions: [{text: Short, to: end}, {text: Long, to: end}]\n---\nWhich way?\n"
    (menu / "start.md").write_text(text)
    child = terminal("run", menu, "--session", "s")
    at(child, ">")
    child.send("\r")
    child.glass.until(child, "Please choose one of these", last=False)
    at(child, ">")
    child.sendintr()
    status, said = left(child)
    assert (status, "^C\r\n>>> Interrupted" in said) == (130, True)
    child = terminal("run", menu, "--session", "s")
    at(child, ">")
    child.sendeof()
    assert left(child)[0] == 3


@pytest.mark.parametrize(("args", "term"), [(["--plain"], "xterm"), ([], "dumb")])
def test_a_plain_terminal_is_not_told_to_move_its_cursor(terminal, menu, args, term):
    child = terminal("run", menu, "--session", "s", *args, term=term, width=40)
    child.expect_exact("\r\n> ")
    before = child.before
    child.send("3\r")
    status, said = left(child)
    assert (status, "\x1b" in before + said) == (0, False)
    if args:
        assert "  2  One that is so long that it does not fit in one row of a narrow terminal\r\n" in before


def test_more_options_than_rows_are_chosen_by_number(terminal, retoma, tmp_path):
    many = ", ".join(f"o{n}" for n in range(40))
    (tmp_path / "start.md").write_text(f"---\noptions: [{many}]\nto: end\n---\nWhich?\n")
    (tmp_path / "end.md").write_text("Done.\n")
    child = terminal("run", tmp_path, "--session", "s")
    at(child, ">")
    child.send("7\r")
    assert left(child)[0] == 0
    assert inputs(retoma) == ["7"]


def test_a_menu_whose_flow_is_edited_is_shown_anew(terminal, retoma, menu):
    child = terminal("run", menu, "--session", "s", "--watch")
    at(child, ">")
    child.send("\x1b[B")
    at(child, "> 1")
    (menu / "start.md").write_text(MENU.replace("Short", "Shortest"))
    child.glass.until(child, "> 1  Shortest", last=False)
    at(child, "> 1")
    assert any("continues with the new version." in row for row in child.glass.shown())
    child.send("\r")
    assert "You took Shortest." in left(child)[1]
    assert inputs(retoma) == ["1"]


def test_what_validate_would_warn_of_is_pointed_at_once(terminal, tmp_path):
    (tmp_path / "start.md").write_text("---\nwait: true\nconten: x\n---\nHi {{ .nobody }}.\n")
    said = f">>> Warnings in this flow: 2. Show them: retoma flow validate {tmp_path}"
    child = terminal("run", tmp_path, "--session", "s", "--plain")
    child.expect_exact("Hi .")
    assert said in child.before
    child.expect_exact("> ")
    child.sendeof()
    left(child)
    child = terminal("run", tmp_path, "--session", "s", "--plain")
    child.expect_exact("Hi .")
    assert "Warnings" not in child.before


def test_a_line_is_edited_with_the_arrow_keys(terminal, retoma):
    child = terminal("run", TOUR, "--session", "s")
    at(child, "[friend] >")
    child.send("na世é\x1b[D\x1b[D\x1b[D\x1b[DA\x7fA\x1b[C\x1b[C\x1b[C\x7f\r")
    child.glass.until(child, "Hello Anaé", last=False)
    at(child, ">")
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
    at(child, "[friend] >")
    child.sendintr()
    status, said = left(child)
    assert status == 130
    assert "^C\r\n>>> Interrupted at 'start' node. Resume with the same command and --session tour-" in said


def test_a_wait_that_ends_by_itself_begins_a_new_line(terminal, tmp_path):
    (tmp_path / "start.md").write_text("---\nwait: true\ntimeout: 50ms\non_timeout: late\n---\nQuick!\n")
    (tmp_path / "late.md").write_text("Too late.\n")
    status, said = left(terminal("run", tmp_path, "--session", "s", "--plain"))
    assert status == 0
    assert (
        "Quick!\r\n> \r\n>>> Signal 'timeout' at 'start' node: going to 'late'.\r\nToo late.\r\n"
        in said.replace("\x1b[?2004h", "").replace("\x1b[?2004l\r", "")
    )


def test_a_default_cannot_speak_to_the_terminal(terminal, tmp_path):
    (tmp_path / "start.md").write_text('---\nwait: true\ninput_default: "{{ .name }}"\n---\nWho?\n')
    child = terminal("run", tmp_path, "--context", r'{"name": "\u001b]0;mine\u0007"}')
    at(child, "[␛]0;mine␇] >")


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
        ">>> The flow was edited; the session continues with the new version.\r\nWho are you?\r\n"
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


WIPE = "---\ntype: question\nsave_to: a\nto: act\n---\nAddress?\n"


@pytest.fixture
def wipe(tmp_path):
    """A flow that asks for a text and then calls a tool, which makes the file `wiped`."""
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text(WIPE)
    (flow / "act.yaml").write_text("do: wipe\nto: end\non_denied: end\n")
    (flow / "end.md").write_text("Bye.\n")
    (flow / "tools.yaml").write_text(
        f"tools:\n  - {{name: wipe, command: touch, args: [{tmp_path}/wiped]}}\n"
    )
    return flow


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_a_paste_never_consents_to_a_tool(terminal, wipe, plain):
    child = terminal("run", wipe, "--session", "s", *plain)
    at(child, ">")
    child.send("Rua 1\ry\ry\r" if plain else "\x1b[200~Rua 1\ny\ny\n\x1b[201~\ry\ry\r")
    at(child, "Allow execution? [y/N]")
    if not plain:
        child.send("\x1b[200~y\n\x1b[201~")
    child.send("yep\r")
    child.glass.until(child, "Please answer yes or no.", last=False)
    at(child, "Allow execution? [y/N]")
    child.send("\r")
    assert left(child)[0] == 0
    assert not (wipe.parent / "wiped").exists()


def test_the_lines_of_run_are_in_the_language_of_the_flow(terminal, wipe):
    (wipe / "start.md").write_text(WIPE.replace("type:", "language: pt\ntype:"))
    child = terminal("run", wipe, "--session", "s")
    at(child, ">")
    child.send("Rua 1\r")
    at(child, "Permitir a execução? [s/N]")
    child.send("sim\r")
    status, said = left(child)
    assert (status, ">>> Concluído no nó 'end'." in said) == (0, True)
    assert (wipe.parent / "wiped").exists()


def test_wide_and_right_to_left_letters_come_as_they_were_typed(terminal, retoma, wipe):
    child = terminal("run", wipe, "--session", "s")
    at(child, ">")
    child.send("世界שלום e\u0301x\x7f\r")
    at(child, "Allow execution? [y/N]")
    child.sendeof()
    assert left(child)[0] == 3
    assert inputs(retoma) == ["世界שלום e\u0301"]


def test_the_earlier_inputs_of_the_session_come_back_with_the_arrow_keys(terminal, retoma, wipe):
    (wipe / "act.yaml").unlink()
    (wipe / "act.md").write_text("---\ninput_type: secret\nsave_to: pin\nto: last\n---\nPin?\n")
    (wipe / "last.md").write_text("---\ntype: question\nto: end\n---\nOnce more?\n")
    retoma("run", str(wipe), "--session", "s", "--headless", input="Rua 1\n4711\n")
    child = terminal("run", wipe, "--session", "s")
    at(child, ">")
    child.send("\x1b[A\x1b[A")
    at(child, "> Rua 1")
    child.send("\r")
    status, said = left(child)
    assert (status, "4711" in said) == (0, False)


def test_an_empty_answer_that_was_not_saved_is_named(terminal, retoma, wipe):
    child = terminal("run", wipe, "--session", "s")
    at(child, ">")
    retoma("session", "pause", "s")
    child.send("\r")
    assert "Your last answer was not saved: (an empty line)" in left(child)[1]


def test_what_was_typed_for_a_node_that_is_gone_is_dropped(terminal, wipe):
    (wipe / "act.yaml").unlink()
    (wipe / "act.md").write_text("---\ntype: question\nto: end\n---\nHow many?\n")
    child = terminal("run", wipe, "--session", "s", "--watch")
    at(child, ">")
    child.send("Rua 1\r")
    child.glass.until(child, "How many?", last=False)
    at(child, ">")
    child.send("3")
    at(child, "> 3")
    (wipe / "start.md").write_text(WIPE.replace("to: act", "to: end"))
    (wipe / "act.md").unlink()
    child.glass.until(child, "Address?", last=False)
    at(child, ">")


def test_a_wider_or_narrower_window_keeps_the_question(terminal, wipe):
    child = terminal("run", wipe, "--session", "s", width=40)
    at(child, ">")
    child.send("x" * 60)
    child.glass.until(child, "x" * 20, last=False)
    child.glass.width = 80
    child.setwinsize(24, 80)
    at(child, f"> {'x' * 60}")
    assert "Address?" in child.glass.shown()


@pytest.mark.in_files
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_restores_the_terminal_of_the_picker(terminal, number):
    child = terminal("session", "pick")
    before = termios.tcgetattr(child.child_fd)
    child.expect_exact("Search")
    child.glass.feed(child.before)
    child.kill(number)
    child.expect(pexpect.EOF)
    child.glass.feed(child.before)
    assert ("?1049" in child.glass.modes, termios.tcgetattr(child.child_fd) == before) == (False, True)
    child.close()
    assert child.exitstatus == 128 + number
