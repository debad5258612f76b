"""A flow run by a script: typed to, its tools answered for, held against what is expected. No process is started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from retoma.errors import Invalid
from retoma.flows import Flow, Tool
from retoma.flows.script import Answers, Input, Script
from retoma.model.call import Call, Came
from retoma.model.codec import Json, JsonMap, encode
from retoma.model.mask import Mask
from retoma.model.nearest import did_you_mean
from retoma.runtime.drive import Drive, Request
from retoma.runtime.toolbox import Given

MOST_CALLS = 1_000


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first thing that was not as expected. `line` is that of the script, 0 where there is none."""

    what: str
    line: int = 0
    expected: str | None = None
    got: str | None = None


class _Differs(Exception):
    def __init__(self, difference: Difference) -> None:
        self.difference = difference


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was made."""

    name: str
    node: str
    args: object
    undo: bool


class Mocks:
    """Tools that answer as a script says. How often they are tried again is what the flow's own list says."""

    def __init__(self, answers: dict[str, Answers], listed: dict[str, Tool]) -> None:
        self._answers = answers
        self._listed = listed
        self._calls: dict[str, int] = {}
        self.made: list[Made] = []

    def coming(self, call: Call) -> Came:
        """Return the next answer to `call`."""
        answers = self._answers.get(call.name)
        if answers is None:
            hint = did_you_mean(call.name, self._answers)
            raise _Differs(
                Difference(
                    what=f"the tool '{call.name}' was called, but has no answer in 'tools'. {hint}".rstrip()
                )
            )
        at = self._calls.get(call.name, 0)
        if not answers.each or (not answers.always and at >= len(answers.each)):
            what = f"the tool '{call.name}' was called {at + 1} times, and has {len(answers.each)} answers"
            raise _Differs(Difference(what=what, line=answers.line))
        return answers.each[0 if answers.always else at]

    def take(self, call: Call) -> Came:
        """Return the next answer, and count the call."""
        came = self.coming(call)
        self._calls[call.name] = self._calls.get(call.name, 0) + 1
        self.made.append(Made(name=call.name, node=call.node, args=call.args, undo=call.undo))
        if len(self.made) > MOST_CALLS:
            raise _Differs(Difference(what=f"tools were called more than {MOST_CALLS:,} times"))
        return came

    def refusal(self, flow: Flow, call: Call) -> str:
        return ""

    def retries(self, call: Call) -> int:
        return self._listed[call.name].retries if call.name in self._listed else 0

    def check(self, call: Call) -> None:
        return

    def run(self, flow: Flow, call: Call, args: Json, session: str, mask: Mask) -> Came:
        return mask.came(self.take(call))

    def wait(self, seconds: float) -> None:
        return


def rehearse(
    opened: Callable[[Request], Drive], directory: Path, flow: Flow, script: Script
) -> Difference | None:
    """Run the script in a session of its own; return the first difference, None when all is as expected."""
    unknown = _never_called(flow, script)
    if unknown is not None:
        return unknown
    mocks = Mocks(script.tools, dict(flow.tools))
    request = Request(
        directory=directory, context=script.context, locale=script.locale, tools=Given(tools=mocks)
    )
    try:
        with opened(request) as drive:
            said = _run(drive, script.inputs, mocks)
            return next(_differences(script, drive, said, mocks.made), None)
    except _Differs as differs:
        return differs.difference


def _never_called(flow: Flow, script: Script) -> Difference | None:
    names = {use.name for node in flow.nodes.values() for use in (node.do, node.undo) if use is not None}
    for name, answers in script.tools.items():
        if name not in names:
            hint = did_you_mean(name, names)
            return Difference(what=f"no node calls a tool '{name}'. {hint}".rstrip(), line=answers.line)
    return None


def _run(drive: Drive, inputs: tuple[Input, ...], mocks: Mocks) -> str:
    """Type the inputs, one after the other, until the flow is over or they are; return what it said."""
    said: list[str] = []
    left = list(inputs)
    while True:
        said += [visit.content for visit in drive.shown]
        drive.shown = ()
        call = drive.call
        if drive.over or drive.failure:
            break
        if call is not None and drive.prompt is None:
            _settle(drive, call, mocks)
        elif left:
            _give(drive, left.pop(0), len(inputs) - len(left))
        else:
            return "\n".join(said)
    if left:
        what = f"the flow ended at '{drive.position.node}' before this input"
        raise _Differs(Difference(what=what, line=left[0].line))
    return "\n".join(said)


def _settle(drive: Drive, call: Call, mocks: Mocks) -> None:
    if not drive.hindrance and mocks.coming(call).outcome == "denied":
        drive.deny(mocks.take(call).text)
    else:
        drive.perform("script")


def _give(drive: Drive, given: Input, number: int) -> None:
    node = drive.position.node
    if given.at and drive.flow.resolve(given.at) != node:
        raise _Differs(
            Difference(
                what=f"input {number}", line=given.line, expected=f"at '{given.at}'", got=f"at '{node}'"
            )
        )
    if given.signal:
        if drive.signal(given.signal) is None:
            what = f"nothing handles the signal '{given.signal}' at '{node}'"
            raise _Differs(Difference(what=what, line=given.line))
        return
    try:
        drive.send(given.text)
    except Invalid as error:
        raise _Differs(Difference(what=error.message, line=given.line)) from error


def _differences(script: Script, drive: Drive, said: str, made: list[Made]) -> Iterator[Difference]:
    status = "failed" if drive.failure else drive.position.status
    context: JsonMap = drive.position.context
    for key, wanted in script.expect.items():
        line = script.lines.get(key, 0)
        match key:
            case "node":
                node = drive.flow.resolve(wanted) if isinstance(wanted, str) else wanted
                yield from _compare("node", node, drive.position.node, line)
            case "status":
                yield from _compare("status", wanted, status, line)
            case "failure":
                yield from _contains("failure", wanted, drive.failure, line)
            case "context":
                yield from _subset("context", wanted, dict(context), line)
            case "history":
                yield from _each("history", wanted, list(drive.history), line)
            case "calls":
                yield from _calls(wanted, made, line)
            case "output":
                yield from _contains("output", wanted, said, line)


def _calls(wanted: object, made: list[Made], line: int) -> Iterator[Difference]:
    items = wanted if isinstance(wanted, list) else []
    for at in range(max(len(items), len(made))):
        expected = items[at] if at < len(items) else None
        got = msgspec.to_builtins(made[at]) if at < len(made) else None
        if isinstance(expected, str) or expected is None or got is None:
            yield from _compare(f"calls[{at}]", _name(expected), _name(got), line)
        else:
            yield from _subset(f"calls[{at}]", expected, got, line)


def _name(call: object) -> object:
    return call.get("name") if isinstance(call, dict) else call


def _contains(what: str, wanted: object, said: str, line: int) -> Iterator[Difference]:
    """Yield a difference unless each of the texts is in what was said, one behind the other."""
    at = 0
    for text in wanted if isinstance(wanted, list) else [wanted]:
        found = said.find(str(text), at)
        if found < 0:
            yield Difference(what=what, line=line, expected=f"… {text} …", got=said[at:] or "nothing more")
            return
        at = found + len(str(text))


def _each(what: str, wanted: object, got: list[str], line: int) -> Iterator[Difference]:
    items = wanted if isinstance(wanted, list) else []
    for at in range(max(len(items), len(got))):
        expected = items[at] if at < len(items) else "nothing more"
        yield from _compare(f"{what}[{at}]", expected, got[at] if at < len(got) else "nothing more", line)


def _subset(what: str, wanted: object, got: object, line: int) -> Iterator[Difference]:
    """Yield where a mapping lacks what is wanted of it, or has something else; what else it has does not matter."""
    if not isinstance(wanted, dict) or not isinstance(got, dict):
        yield from _compare(what, wanted, got, line)
        return
    for key, value in wanted.items():
        yield from _subset(f"{what}.{key}", value, got.get(key), line)


def _compare(what: str, wanted: object, got: object, line: int) -> Iterator[Difference]:
    if encode(wanted) != encode(got):
        yield Difference(what=what, line=line, expected=_shown(wanted), got=_shown(got))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else encode(value).decode()
    return text if len(text) <= 200 else f"{text[:199]}…"
