"""A child process that tries one injection after the other, each in a fork of its own, and prints what each one took.

A line of the corpus says where the text goes (`in`) and the text. In it `⟪x×3⟫` stands for `xxx`, and `№` in a repeated
part for the number of the repetition.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from retoma import flows
from retoma.errors import RetomaError
from retoma.model.codec import decode
from retoma.model.flow import Position, Step
from retoma.template import condition, template

CORPUS = Path(__file__).with_name("injections.jsonl")
CANARY = "canary-8f1d2c"
CPU_S = 10
MEMORY = 1 << 30

DATA = {
    "name": "Ana",
    "list": [1, 2, 3],
    "map": {f"k{n}": n for n in range(60_000)},
    "big": [1] * 300_000,
    "other": [1] * 300_000,
    "nested": [[1] * 1000] * 300,
    "text": "x" * 900_000,
    "twin": "x" * 899_999 + "x",
    "huge": 10**400,
    "digits": "9" * 900_000,
    "a": 1,
}

# What a text that is data alone has no reason to reach. To compile is what the conditions' parser does, to run is not.
FORBIDDEN = ("exec", "import", "open", "os.", "subprocess.", "socket.", "ctypes.", "pickle.", "marshal.", "shutil.",
             "sys._", "function.__new__", "code.__new__", "builtins.input", "glob.", "urllib.", "pty.")  # fmt: skip


def expanded(text: str) -> str:
    """Return what a text of the corpus stands for."""
    while (end := text.find("⟫")) >= 0:
        begin = text.rindex("⟪", 0, end)
        part, _, times = text[begin + 1 : end].rpartition("×")
        repeated = (
            "".join(part.replace("№", str(n)) for n in range(int(times)))
            if "№" in part
            else part * int(times)
        )
        text = text[:begin] + repeated + text[end + 1 :]
    return text


def in_template(text: str) -> str:
    template.check(text)
    template.paths(text)
    return template.render(text, DATA) + str(template.value(text, DATA))


def in_condition(text: str) -> str:
    condition.check(text)
    condition.keys(text)
    return str(condition.holds(text, input="x", context=DATA))


def in_file(name: str) -> Callable[[str], str]:
    """Return what loads a flow with the text as its first node, checks it, begins it and answers it once."""

    def run(text: str) -> str:
        files = {name: text.encode("utf-8", "surrogatepass"), "end.md": b"The end.\n"}
        flow = flows.parse("flow", files)
        said = [str(problem) for problem in flows.validate(flow)]
        flows.check(flow)
        first = flows.start(flow, {"name": "Ana"})
        said += [visit.content for visit in first.visits] + [first.failure]
        if first.status == "waiting_for_input":
            second = flows.step(flow, standing(first), "x")
            said += [visit.content for visit in second.visits] + [second.failure, second.notice]
        return "\n".join(said)

    return run


def standing(step: Step) -> Position:
    context = dict(step.sets)
    for visit in step.visits:
        context |= visit.sets
    return Position(
        node=step.visits[-1].node, status=step.status, context=context, ans=step.ans, visits=len(step.visits)
    )


ECHO = {
    "start.md": b"---\ninput_type: text\nsave_to: said\nto: echo\n---\nSay.\n",
    "echo.md": b"---\nwait: true\n---\n[{{ .said }}]\n",
}


def in_input(text: str) -> str:
    """Type the text, and see that it is shown as it was typed."""
    flow = flows.parse("flow", ECHO)
    first = flows.start(flow, {"secret": CANARY})
    second = flows.step(flow, standing(first), text)
    shown = second.visits[-1].content
    assert second.failure or shown == f"[{text.strip()}]", f"typed text was changed: {shown[:80]!r}"
    return "" if second.failure else shown.replace(text.strip(), "")


def in_context(text: str) -> str:
    """Give the text with --context, and see that what it holds is shown as data."""
    given = decode(text)
    if not isinstance(given, dict):
        return ""
    flow = flows.parse("flow", {"start.md": b"---\nwait: true\n---\n{{ .name }}\n"})
    step = flows.start(flow, {"secret": CANARY, **given})
    name = given.get("name")
    if isinstance(name, str) and not step.failure:
        assert step.visits[-1].content == name, "text of the context was changed"
    return step.failure


RUNS: dict[str, Callable[[str], str]] = {
    "template": in_template,
    "condition": in_condition,
    "yaml": in_file("start.yaml"),
    "json": in_file("start.json"),
    "markdown": in_file("start.md"),
    "input": in_input,
    "context": in_context,
}


def runs_code(text: str) -> str:
    """What must be caught, or the rest proves nothing: `text` says how."""
    match text:
        case "exec":
            exec("1")
        case "open":
            Path("/dev/null").open().close()
        case "memory":
            return str(len([0] * 20_000_000))
        case "time":
            began = time.process_time()
            while time.process_time() - began < 1.5:
                pass
        case "crash":
            signal.raise_signal(signal.SIGSEGV)
        case "leak":
            return CANARY
        case _:
            raise RecursionError(text)
    return ""


RUNS["proof"] = runs_code


def peak_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


class Caught(BaseException):
    """Something ran that should not."""


def guard(event: str, args: tuple[object, ...]) -> None:
    if event.startswith(FORBIDDEN):
        raise Caught(f"{event} {args!r:.100}")


def attempt(where: str, text: str, out: int) -> NoReturn:
    """Run one injection under limits, and write what came of it."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    before, began = peak_kb(), time.process_time()
    said, wrong = "", ""
    sys.addaudithook(lambda event, args: guard(event, args) if armed else None)
    armed = True
    try:
        said = RUNS[where](text)
    except RetomaError as error:
        said = str(error)
    except BaseException as error:
        wrong = f"{type(error).__name__}: {error!s:.200}"
    armed = False
    cpu_s = time.process_time() - began
    if CANARY in said or "<class" in said or "built-in" in said or " object at 0x" in said:
        wrong = f"it says {said[:200]!r}"
    found = {"cpu_s": cpu_s, "peak_mb": (peak_kb() - before) / 1024, "wrong": wrong, "said": said[:200]}
    os.write(out, json.dumps(found).encode() + b"\n")
    os._exit(0)


def forked(where: str, text: str) -> dict[str, object]:
    """Return what came of one injection; a process that died says so."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        attempt(where, text, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        found = pipe.read()
    _, status, used = os.wait4(child, 0)
    if found:
        result: dict[str, object] = json.loads(found)
        return result
    return {
        "cpu_s": used.ru_utime,
        "peak_mb": 0,
        "wrong": f"it died: {os.waitstatus_to_exitcode(status)}",
        "said": "",
    }


# What is imported when it is first used is there before anything is watched.
WARM = (
    ("template", '{{ printf "%q %d" .name 1 }}{{ .x }}'),
    ("condition", "input == 'x'"),
    ("condition", "ｉｎｐｕｔ == 1"),
    ("yaml", "content: '{{ .x }}'\nwrong: [1"),
    ("yaml", "contnt: x\nto: nowhere"),
    ("json", '{"content": 1.5}'),
    ("markdown", "x\n---\n"),
    ("input", "x"),
    ("context", "{}"),
)


def main() -> None:
    os.environ["RETOMA_CANARY"] = CANARY
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    lines = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    for where, text in WARM:
        with suppress(RetomaError):
            RUNS[where](text)
    for number, line in enumerate(lines, 1):
        text = expanded(line["text"])
        print(json.dumps({"line": number, "in": line["in"], **forked(line["in"], text)}), flush=True)


if __name__ == "__main__":
    main()
