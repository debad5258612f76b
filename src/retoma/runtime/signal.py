"""A signal for a session that nobody drives: it is held for one step, under the version that it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from retoma import flows
from retoma.errors import Refused
from retoma.model.outcomes import Signalled
from retoma.runtime.drive import Drive, Request
from retoma.service.flows import Snapshot


def send_signal(
    opened: Callable[[Request], Drive], at: Snapshot, name: str, *, locale: str = ""
) -> Signalled:
    """Send the flow of a session its signal, and return what it did.

    Raises Refused when the session has no flow, has ended or is suspended, or nothing handles the signal; Busy when
    another process drives it. An interrupt that nothing handles leaves the session where it is, which is no error.
    """
    session = at.session
    if session.flow_path is None:
        raise Refused(
            f"Session '{session.id}' has no flow{'' if session.flow is None else ' in this store yet'}.",
            code="no_flow",
            hint="Only a flow accepts signals."
            if session.flow is None
            else f"The session was imported. Resume it once first: `retoma run FLOW --session {session.id}`.",
        )
    _refuse_while_a_tool_is_wanted(at)
    request = Request(directory=Path(session.flow_path), session=session.id, pinned=True, locale=locale)
    with opened(request) as drive:
        node, to = drive.position.node, drive.leads_to(name)
        if drive.final is not None:
            raise Refused(
                f"Session '{session.id}' is {drive.final}: its flow no longer accepts signals.",
                code="final",
                hint="Restart it with `retoma run --fresh`.",
                status=drive.final,
            )
        if to is None and name != flows.INTERRUPT:
            raise Refused(
                f"Nothing handles the signal '{name}' at the node '{node}'.",
                code="no_handler",
                hint="Add the signal to the node's on_signal, or to on_signal_default of the entry node.",
                node=node,
            )
        drive.signal(name)
        if (key := drive.wanted) is not None:
            raise flows.SecretNeeded(to or "", key)
        return Signalled(
            id=drive.session, signal=name, node=node, to=to, current_node=drive.position.node,
            flow_status=drive.position.status,
        )  # fmt: skip


def _refuse_while_a_tool_is_wanted(at: Snapshot) -> None:
    if at.position.call is not None:
        raise Refused(
            f"Session '{at.session.id}' waits for the tool '{at.position.call.name}', and accepts no signal "
            "until then.",
            code="waiting_for_tool",
            hint="`retoma run` with its flow calls the tool and resumes.",
            node=at.position.node,
        )
