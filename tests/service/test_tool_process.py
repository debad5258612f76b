"""A tool's process: what it sees, what its output means, and that it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from retoma.model.call import Call, Came
from retoma.model.codec import decode
from retoma.model.mask import Mask
from retoma.programs import program as tool
from retoma.programs.allow_list import backoff_s, listed_in
from retoma.programs.program import MAX_OUTPUT_BYTES, Program, read_output, run
from retoma.runtime.toolbox import Toolbox

pytestmark = pytest.mark.alone

SHOW = (
    "import json, os, sys; print(json.dumps({'env': dict(os.environ), 'argv': sys.argv[1:], 'cwd': os.getcwd(), "
    "'stdin': sys.stdin.read(), 'group': os.getpgrp() == os.getpid()}))"
)


@pytest.fixture
def program(tmp_path: Path):
    def make(code: str, *arguments: str, **more) -> Program:
        more.setdefault("environment", {"PATH": os.environ["PATH"]})
        return Program(command=sys.executable, arguments=("-c", code, *arguments), directory=tmp_path, **more)

    return make


def test_it_sees_what_it_is_given_and_nothing_else(program, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET", "x")
    made = program(
        SHOW,
        "--flag; $(touch hit)",
        environment={"PATH": "/bin", "LC_ALL": "C.UTF-8"},
        args=b'{"a":"$HOME `id`"}',
    )
    seen = run(made).result
    assert seen["env"].pop("LC_ALL") == "C.UTF-8"
    seen["env"].pop("LC_CTYPE", None)  # Python's own
    assert seen["env"] == {
        "PATH": "/bin",
        "TRELLIS_ARGS": '{"a":"$HOME `id`"}',
        "RETOMA_ARGS": '{"a":"$HOME `id`"}',
    }
    assert seen["argv"] == ["--flag; $(touch hit)"]
    assert (seen["cwd"], seen["stdin"], seen["group"]) == (str(tmp_path), "", True)
    assert list(tmp_path.iterdir()) == []


def test_the_toolbox_adds_the_key_the_session_and_the_tools_own(tmp_path):
    (tmp_path / "tools.yaml").write_text(
        f"tools: [{{name: show, command: {sys.executable}, args: [-c, {SHOW!r}], env: {{LIMIT: 5, HOME: /x}}}}]"
    )
    box = Toolbox(
        listed_in(tmp_path / "tools.yaml"), tmp_path, environment={"PATH": "/bin", "HOME": "/home/ana"}
    )
    call = Call(node="start", name="show", key="k1")
    came = box.run(None, call, {"; rm -rf /": "--help"}, "s-1", Mask())
    seen = came.result["env"]
    seen.pop("LC_CTYPE", None)
    args = '{"; rm -rf /":"--help"}'
    assert seen == {
        "PATH": "/bin", "HOME": "/x", "LIMIT": "5", "RETOMA_IDEMPOTENCY_KEY": "k1", "RETOMA_SESSION": "s-1",
        "TRELLIS_ARGS": args, "RETOMA_ARGS": args,
    }  # fmt: skip
    assert [backoff_s(n) for n in (1, 2, 3, 7, 100)] == [1, 2, 4, 60, 60]


def test_large_arguments_are_in_a_file_that_has_no_name(program, tmp_path):
    code = "import os; print(len(open(os.environ['RETOMA_ARGS_FILE']).read()), 'RETOMA_ARGS' in os.environ)"
    for size in (200_000, tool.ARGS_IN_ENVIRONMENT_BYTES + 1):
        assert run(program(code, args=b"1" * size)) == Came(outcome="done", result=f"{size} False")
    at_most = program(
        "import os; print(len(os.environ['RETOMA_ARGS']))", args=b"1" * tool.ARGS_IN_ENVIRONMENT_BYTES
    )
    assert run(at_most).result == str(tool.ARGS_IN_ENVIRONMENT_BYTES)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b' {"a": [1, null]}\n', {"a": [1, None]}),
        (b"[]", []),
        (b"12", "12"),
        (b'"x"', '"x"'),
        (b"true", "true"),
        (b"{no", "{no"),
        (b"", ""),
        (b"two\nlines\n", "two\nlines"),
        (b"\xff", "\ufffd"),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_output_is_json_when_it_is_an_object_or_an_array(written, value):
    assert read_output(written) == value


def test_what_it_writes_is_drained_and_bounded(program):
    both = "import sys; sys.stderr.write('e' * 1000000); sys.stdout.write('o' * %d)"
    assert run(program(both % MAX_OUTPUT_BYTES)).result == "o" * MAX_OUTPUT_BYTES
    came = run(program(both % (MAX_OUTPUT_BYTES + 1) + "; import time; time.sleep(60)"))
    assert came.text.startswith("it wrote more than 1 MiB: eee")
    assert len(came.text) < 2_100


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit('no such room')", "exit status 1: no such room"),
        ("import sys; sys.exit(3)", "exit status 3."),
        ("import os; os.kill(os.getpid(), 9)", "it was ended by SIGKILL."),
    ],
)
def test_a_failure_has_the_end_of_what_it_said(program, code, why):
    assert run(program(code)) == Came(outcome="failed", text=why)


def test_what_does_not_start_is_a_failure(tmp_path):
    (tmp_path / "plain").write_text("x")
    environment = {"PATH": "/nowhere"}
    for command, why in (
        ("nosuch", "there is no program 'nosuch'."),
        ("nosuch --help", "Put its arguments in 'args'."),
        ("./plain", "may not be executed (chmod +x)"),
        ("a\0b", "does not start"),
    ):
        came = run(Program(command=command, directory=tmp_path, environment=environment))
        assert (came.outcome, why in came.text) == ("failed", True), came
    (tmp_path / "plain").chmod(0o755)
    assert (
        "does not start" in run(Program(command="./plain", directory=tmp_path, environment=environment)).text
    )


FAMILY = """
import os, signal, sys, time

child = os.fork()
signal.signal(signal.SIGTERM, %s)
if child:
    open('pids', 'w').write(f'{os.getpid()} {child}')
print('ready', file=sys.stderr, flush=True)
time.sleep(60)
"""


def gone(tmp_path: Path) -> bool:
    """Whether nothing of the family lives any more; an orphan's zombie is nobody."""
    for pid in (tmp_path / "pids").read_text().split():
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                return False
        except OSError:
            continue
    return True


def test_at_the_time_out_its_whole_group_is_told_to_end(program, tmp_path):
    came = run(program(FAMILY % "signal.SIG_DFL", timeout_s=0.4))
    assert came.text.startswith("it took longer than 0.4 s and was ended")
    assert gone(tmp_path)


def test_who_does_not_end_is_killed(program, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "ENDS_WITHIN_S", 0.2)
    assert run(program(FAMILY % "signal.SIG_IGN", timeout_s=0.4)).outcome == "failed"
    assert gone(tmp_path)


def test_an_interrupt_ends_it_first(program, tmp_path):
    threading.Timer(0.4, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        run(program(FAMILY % "signal.SIG_DFL"))
    assert gone(tmp_path)


def test_a_child_that_is_left_behind_does_not_hold_it_up(program, monkeypatch):
    monkeypatch.setattr(tool, "_PIPES_AFTER_EXIT_S", 0.1)
    began = time.monotonic()
    code = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '20'], start_new_session=True); print(p.pid)"
    )
    came = run(program(code))
    os.kill(int(came.result), signal.SIGKILL)
    assert time.monotonic() - began < 10


def test_a_tool_that_closes_its_output_is_waited_for(program):
    code = "import os, time; os.write(1, b'{\"a\": 1}'); os.close(1); os.close(2); time.sleep(0.3)"
    assert run(program(code)).result == {"a": 1}


def test_results_survive_the_codec():
    big = b'{"a": 123456789012345678901234567890123456789}'
    value = read_output(big)
    assert isinstance(value, str | dict)
    assert decode(b"[1]") == [1]
