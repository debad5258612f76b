"""Which tools may be called, and how: by the allow-list, as processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from retoma.errors import NotFound
from retoma.flows import Flow
from retoma.model.call import Call, Came
from retoma.model.codec import Json
from retoma.model.mask import Mask
from retoma.model.nearest import did_you_mean
from retoma.programs.allow_list import Tool, listed_in


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
            return f"The tool '{call.name}' is declared in the flow itself: it runs only with --allow-inline."
        hint = did_you_mean(
            call.name, self._listed, "Add it to tools.yaml, or give a list of tools with --tools."
        )
        return f"The tool '{call.name}' is not on the allow-list. {hint}"

    def retries(self, call: Call) -> int:
        tool = self._listed.get(call.name)
        return tool.retries if tool is not None else 0

    def check(self, call: Call) -> None:
        if not self._directory.is_dir():
            raise NotFound(
                f"The flow's directory {str(self._directory)!r} does not exist, and the tool '{call.name}' runs there.",
                code="flow_directory_gone",
                hint="Restore the directory and run again: the call is still pending.",
            )

    def run(self, flow: Flow, call: Call, args: Json, session: str, mask: Mask) -> Came:
        from retoma.programs.program import run_tool

        tool = self._listed.get(call.name) or _inline(flow, call)
        assert tool is not None, "a call that is refused is not made"
        return run_tool(
            tool,
            args,
            key=call.key,
            session=session,
            directory=self._directory,
            environment=self._environment,
            mask=mask,
        )

    def wait(self, seconds: float) -> None:
        self._sleep(seconds)


def _inline(flow: Flow, call: Call) -> Tool | None:
    node = flow.nodes.get(call.node)
    use = (node.undo if call.undo else node.do) if node is not None else None
    if use is None or not use.inline or use.name != call.name:
        return None
    command, *args = use.inline
    return Tool(name=call.name, command=command, args=tuple(args))


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
