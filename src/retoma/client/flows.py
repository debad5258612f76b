"""Flows, run by a program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from retoma.client import given
from retoma.client.driven import FlowRun
from retoma.client.faces import Blocking
from retoma.model.codec import JsonField


class Flows(Blocking):
    """Flows in sessions of this client."""

    def run_flow(
        self,
        flow: str | Path,
        session: str | None = None,
        *,
        context: Mapping[str, JsonField] | None = None,
        fresh: bool = False,
        resume: bool = False,
        pinned: bool = False,
        tools: str | Path | None = None,
        allow_inline: bool = False,
        locale: str = "",
    ) -> FlowRun:
        """Start the flow in the directory `flow` in a session, or take it up where it stands; return the run.

        Without `session` a new one is made, with a generated id. `context` is for a start. `fresh` starts the flow
        again in a new epoch; `resume` takes up a suspended session; `pinned` keeps the version that the session has,
        whatever the directory holds by now. `tools` is another list of tools, `allow_inline` allows commands that nodes
        name themselves. The run holds the session until it is closed.

        Raises Invalid for a flow that does not read, NotFound without one, Busy while another drives the session,
        Refused when it runs another flow or is suspended, Limit.

        >>> with client.run_flow(flow, "order") as run:
        ...     run.send("Ana")
        >>> client.session("order").flow.status
        'finished'
        """
        from retoma.commands.flow import RunFlow
        from retoma.runtime.drive import Request
        from retoma.runtime.toolbox import Given

        request = Request(
            directory=Path(flow),
            session=session,
            context=given.mapping(context),
            fresh=fresh,
            resume=resume,
            pinned=pinned,
            locale=locale,
            tools=Given(file=Path(tools) if tools is not None else None, allow_inline=allow_inline),
        )
        return FlowRun(self._opened, self._run(RunFlow(request=request)))
