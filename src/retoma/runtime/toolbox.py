"""Which tools may be called, and how: by the allow-list, as processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from retoma.config.opened import open_file
from retoma.errors import Invalid, NotFound
from retoma.flows import Flow, Tool
from retoma.flows import tools as lists
from retoma.flows.validate import refusal
from retoma.model.call import Call, Came
from retoma.model.codec import Json, encode
from retoma.model.mask import Mask
from retoma.model.nearest import did_you_mean


class Tools(Protocol):
    """What a flow's calls are made with."""

    def refusal(self, flow: Flow, call: Call) -> str:
        """Return why the call may not be made, whatever a person says; empty when it may."""
        ...

    def retries(self, call: Call) -> int:
        """Return how often the call is made again when it fails."""
        ...

    def check(self, call: Call) -> None:
        """Raise NotFound when no call can be made now."""
        ...

    def run(self, flow: Flow, call: Call, args: Json, session: str, mask: Mask) -> Came:
        """Make the call and return what came of it, without the secrets of `mask` and those of the tool's own."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait before the call is made again."""
        ...


class Toolbox:
    """Tools as processes. `listed` are those of the flow's directory, or of the file given instead.

    `environment` is all that a tool has of this process's.
    """

    def __init__(
        self,
        listed: Mapping[str, Tool],
        directory: Path,
        *,
        environment: Mapping[str, str],
        allow_inline: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._listed = listed
        self._directory = directory
        self._environment = environment
        self._allow_inline = allow_inline
        self._sleep = sleep

    def refusal(self, flow: Flow, call: Call) -> str:
        if call.name in self._listed:
            return ""
        if _inline(flow, call) is not None:
            if self._allow_inline:
                return ""
            return (
                f"The tool '{call.name}' is declared in the flow itself: it runs with --allow-inline alone."
            )
        hint = did_you_mean(call.name, self._listed, "List it in tools.yaml, or give a list with --tools.")
        return f"The tool '{call.name}' is not on the allow-list. {hint}"

    def retries(self, call: Call) -> int:
        tool = self._listed.get(call.name)
        return tool.retries if tool is not None else 0

    def check(self, call: Call) -> None:
        if not self._directory.is_dir():
            raise NotFound(
                f"The flow's directory {str(self._directory)!r} is gone, and the tool '{call.name}' runs there.",
                code="flow_directory_gone",
                hint="Put it back and run again: the call waits.",
            )

    def run(self, flow: Flow, call: Call, args: Json, session: str, mask: Mask) -> Came:
        from retoma.model.veil import names_secret
        from retoma.runtime.tool import Program, run

        tool = self._listed.get(call.name) or _inline(flow, call)
        assert tool is not None, "a call that is refused is not made"
        environment = {**self._environment, **tool.env}
        program = Program(
            command=tool.command,
            arguments=tool.args,
            directory=self._directory,
            environment={
                **environment,
                "RETOMA_IDEMPOTENCY_KEY": call.key,
                "RETOMA_SESSION": session,
            },
            args=encode(args),
            timeout_s=tool.timeout_s,
            mask=mask.also(value for name, value in environment.items() if names_secret(name)),
        )
        return run(program)

    def wait(self, seconds: float) -> None:
        self._sleep(seconds)


def listed_in(file: Path) -> dict[str, Tool]:
    """Return the tools that `file` lists. Raises NotFound, and Invalid naming all that is wrong with it."""
    try:
        with open_file(file) as opened_file:
            data = opened_file.read()
    except (OSError, ValueError) as error:
        raise NotFound(
            f"The tools' file {str(file)!r} cannot be read.", code="no_tools", hint="Give --tools a file."
        ) from error
    found, problems = lists.read(str(file), data)
    if any(problem.level == "error" for problem in problems):
        wrong = refusal(str(file), problems)
        said = wrong.message.replace("The flow", "The file", 1)
        raise Invalid(said, code="tools_invalid", problems=problems)
    return found


def _inline(flow: Flow, call: Call) -> Tool | None:
    node = flow.nodes.get(call.node)
    use = (node.undo if call.undo else node.do) if node is not None else None
    if use is None or not use.inline or use.name != call.name:
        return None
    command, *args = use.inline
    return Tool(name=call.name, command=command, args=tuple(args))


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failures: 1 s, 2 s, 4 s, at most a minute."""
    return float(min(1 << min(failures - 1, 6), 60))


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of the tools: another list, whether inline ones may run, and what they see.

    `tools` stands for all of it, in a test of a flow.
    """

    file: Path | None = None
    allow_inline: bool = False
    environment: Mapping[str, str] | None = None
    tools: Tools | None = None


def opened(given: Given, flow: Flow, directory: str) -> Tools:
    """Return what the calls of `flow` are made with."""
    if given.tools is not None:
        return given.tools
    listed = flow.tools if given.file is None else listed_in(given.file)
    return Toolbox(
        listed, Path(directory), environment=given.environment or {}, allow_inline=given.allow_inline
    )
