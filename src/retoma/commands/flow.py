"""Flows: driven under a lease, sent a signal, and where one stands; and the lease by itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from retoma.commands import command
from retoma.commands.command import Command, Read
from retoma.commands.opened import Opened
from retoma.model.lease import LEASE_TTL_MS, FencingToken
from retoma.model.principal import Principal
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from retoma.model.outcomes import Signalled
    from retoma.runtime.drive import Drive, Request
    from retoma.runtime.lease import Held
    from retoma.service.flows import Snapshot

__all__ = ["HoldSession", "LookAtSession", "RunFlow", "SendSignal"]


class LookAtSession(Read["Snapshot"], frozen=True, kw_only=True):
    """Return a session with its state, and its flow's position and history, as they were at event `at` if given.

    Raises NotFound, Invalid.
    """

    session: str
    at: int | None = None

    def read(self, tx: Transaction, who: Principal) -> Snapshot:
        from retoma.service.flows import look

        return look(tx, who, self.session)

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> Snapshot:
        if self.at is None:
            return opened.store.read(partial(self.read, who=opened.who))
        from retoma.runtime.branch import look

        return look(opened.store, opened.who, self.session, self.at)


class RunFlow(command.Drive["Drive"], frozen=True, kw_only=True):
    """Open a flow in a session and hold it. Raises Invalid (the flow), Busy, Refused, Limit.

    Its tools see PATH, HOME, LANG and TMPDIR of this process, unless the request says otherwise.
    """

    request: Request

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> Drive:
        from retoma.runtime.drive import Drive
        from retoma.runtime.process import this_holder

        now, random = opened.sources.now, opened.sources.random
        request = self.request
        if request.tools.environment is None:
            from retoma.config import read_environment

            tools = msgspec.structs.replace(request.tools, environment=read_environment().for_tools)
            request = msgspec.structs.replace(request, tools=tools)
        holder = this_holder(opened.who.name)
        return Drive(
            opened.store, opened.who, holder, now, random, request, limits=opened.limits, beside=opened.beside
        )


class SendSignal(Command["Signalled"], frozen=True, kw_only=True):
    """Send the flow of a session that nobody drives a signal. Raises NotFound, Refused, Busy."""

    session: str
    name: str
    locale: str = ""

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> Signalled:
        from retoma.runtime.signal import send_signal

        def driven(request: Request) -> Drive:
            return RunFlow(request=request).run(opened)

        at = LookAtSession(session=self.session).run(opened)
        return send_signal(driven, at, self.name, locale=self.locale)


class HoldSession(command.Drive["Held"], frozen=True, kw_only=True):
    """Take a session, so that nobody else writes its messages, steps and state. Raises Busy, Refused in the trash.

    The lease's term is `ttl_ms` milliseconds; it is renewed until it is released. One of a process that is gone is
    taken over.
    """

    session: str
    ttl_ms: int = LEASE_TTL_MS

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> Held:
        from retoma.runtime.lease import Held
        from retoma.runtime.process import this_holder

        holder = this_holder(opened.who.name)
        return Held(opened.store, opened.who, self.session, holder, beside=opened.beside, ttl_ms=self.ttl_ms)
