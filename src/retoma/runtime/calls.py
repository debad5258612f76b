"""A flow's tool calls under its lease: each journalled before it starts, its outcome before the flow moves on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from retoma import flows
from retoma.errors import Busy, Invalid, Refused
from retoma.flows import SecretNeeded, arguments, rollback
from retoma.model.call import Call, Came
from retoma.model.flow import Step
from retoma.programs.allow_list import backoff_s
from retoma.runtime.course import Course
from retoma.runtime.toolbox import Tools
from retoma.service import calls
from retoma.service.calls import Returned
from retoma.template import template

Told = Callable[[str], None]


class Calling(Course):
    """A course that calls tools. While `call` is there the flow waits for it: `perform` it, or `deny` it."""

    tools: Tools

    @property
    def call(self) -> Call | None:
        return self.position.call if not self.over else None

    @property
    def asks(self) -> bool:
        """Whether somebody has to say yes or no to the call: nobody did, and nothing forbids it."""
        call = self.call
        return call is not None and not call.approved and not self.hindrance

    @property
    def hindrance(self) -> str:
        """Why the call cannot be made, whatever anybody says; empty when it can."""
        call = self._pending()
        if call.unready or call.redacted:
            return call.unready or "its arguments were redacted, so it can no longer be called."
        return self.tools.refusal(self.flow, call)

    @property
    def question(self) -> str:
        """What the author has a person asked before the call; empty where there are no words for it."""
        call = self._pending()
        node = self.flow.nodes.get(call.node)
        use = (node.undo if call.undo else node.do) if node is not None else None
        said = use.confirm if use is not None else ""
        try:
            return template.render(said, {**self.position.context, "sys": {"ans": self.position.ans}})
        except flows.TemplateError:
            return said

    def refused_tools(self) -> list[str]:
        """Return a sentence for each tool that the flow names and that will be refused."""
        uses = [
            (node.id, use, undo)
            for node in self.flow.nodes.values()
            for use, undo in ((node.do, False), (node.undo, True))
            if use is not None
        ]
        said = (
            self.tools.refusal(self.flow, Call(node=id, name=use.name, undo=undo)) for id, use, undo in uses
        )
        return list(dict.fromkeys(sentence for sentence in said if sentence))

    def ready(self) -> bool:
        """Return whether the call has its secrets; else `prompt` asks for one of them again."""
        missing = [key for key in arguments.needed(self._pending()) if key not in self._secrets]
        self.shown = ()
        if missing and not self.hindrance:
            self._ask_again(missing[0], self._known)
        return self._wanted is None

    def perform(self, approved: str = "", *, told: Told | None = None) -> Came:
        """Make the call, again where it fails and may be, and move on with what came of it, which is returned.

        `approved` says by whom, unless it is approved already. `told` hears why it is made again. What interrupts this
        leaves the call pending, and so does what is raised: NotFound when the flow's directory is gone, Busy when
        another took the session, Refused when it was paused or ended meanwhile.
        """
        call = self._pending()
        if hindrance := self.hindrance:
            failed = call.unready or call.redacted
            return self._settle(Came(outcome="failed" if failed else "denied", text=hindrance))
        self.shown = ()
        self.tools.check(call)
        args = arguments.filled(call, self._secrets)
        error, mask = "", self._mask
        while True:
            self._begin_call(call.attempt + 1, "" if call.approved else approved, error)
            call = self._pending()
            came = self.tools.run(self.flow, call, args, self.session, mask)
            retries = self.tools.retries(call)
            if came.outcome != "failed" or call.failures >= retries:
                return self._settle(came)
            error, failures = came.text, call.failures + 1
            wait_s = backoff_s(failures)
            if told is not None:
                told(f"{error.rstrip('.')}. Trying again in {wait_s:g} s ({failures} of {retries}).")
            self.tools.wait(wait_s)

    def deny(self, why: str) -> Came:
        """Refuse the call, and move on."""
        return self._settle(Came(outcome="denied", text=why))

    def _pending(self) -> Call:
        call = self.position.call
        assert call is not None, "the flow waits for a tool"
        return call

    def _known(self) -> Step:
        self.prompt = None
        return Step(status=self.position.status, ans=self.position.ans)

    def _begin_call(self, attempt: int, approved: str, error: str) -> None:
        token, operation = self._require_held().token, self._operation()
        self._seq = self._store.write(
            lambda tx: calls.start(
                tx, self._who, self.session, attempt=attempt, approved=approved, error=error, operation=operation,
                token=token, expect=self._seq, limits=self._limits,
            )
        )  # fmt: skip
        self.position = msgspec.structs.replace(self.position, call=self._read_call())

    def _settle(self, came: Came) -> Came:
        self.shown = ()
        name = self._pending().name
        try:
            self._keep(came)
        except Invalid as error:
            if error.code != "too_large" or came.outcome != "done":
                raise
            came = Came(
                outcome="failed", text="its result is too large to be saved; the limit is 1 MiB of JSON."
            )
            self._keep(came)
        except (Busy, Refused) as error:
            if came.outcome == "done":
                error.message += (
                    f" The result of the tool '{name}' was not saved. "
                    "The tool is called again, with the same key, when the session resumes."
                )
            raise
        self._attempt(self._pass)
        return came

    def _keep(self, came: Came) -> None:
        at = self.position
        node = self.flow.nodes.get(self._pending().node)
        stays = False
        if at.rollback is not None:
            step = rollback.go_on(self.flow, at, self.history, came)
        else:
            try:
                step = flows.settle(self.flow, at, came, locale=self._locale, secrets=self._secrets)
            except SecretNeeded:
                # What came of it is kept now; the way on is decided once the secret is known.
                step, stays = flows.stay(self.flow, at, came), True
        step = self._whole(step)
        self._record(step, Returned(came, node.save_to if node is not None else ""))
        self._moved(step, came=came.outcome if stays else None)
