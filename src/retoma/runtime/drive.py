"""A flow under a lease: opened where it stands, fed one input at a time, each journalled with what it led to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from retoma import flows
from retoma.errors import Conflict, Invalid, Limit, Refused, RetomaError
from retoma.flows import Edited, Flow, SecretNeeded
from retoma.model.codec import JsonMap
from retoma.model.flow import Position, Step, Visit
from retoma.model.lease import Holder
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import FINAL, NewSession, Status
from retoma.runtime.calls import Calling
from retoma.runtime.lease import Held
from retoma.runtime.reload import AS_BEFORE, Reload, refused
from retoma.runtime.supervisor import Supervisor
from retoma.runtime.toolbox import Given, opened
from retoma.runtime.version import Versions
from retoma.service import flows as positions
from retoma.service import sessions, timeline
from retoma.service.forget.deleting import delete
from retoma.stores.contract.store import Store, Transaction


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be driven. `session` None: a new one with a generated id.

    `pinned`: the version that the session has, whatever the directory holds by now.
    """

    directory: Path
    session: str | None = None
    context: JsonMap = {}
    fresh: bool = False
    resume: bool = False
    pinned: bool = False
    locale: str = ""
    tools: Given = Given()


class Drive(Calling):
    """A flow that runs in a session, held by this process from `open` to `close`.

    `notices` are sentences about what was found on opening, `found` is what was in the directory (see `Versions`).
    `final` is the status of a session that had ended before; then `shown` is where it stands, as it was said.
    """

    def __init__(
        self,
        store: Store,
        who: Principal,
        holder: Holder,
        now: Callable[[], int],
        random: Callable[[int], bytes],
        request: Request,
        *,
        limits: Limits | None = None,
        beside: Supervisor | None = None,
    ) -> None:
        super().__init__(store, who, now, random, locale=request.locale, limits=limits or Limits())
        self._beside = beside
        self._request = request
        self.named = request.session is not None
        self.resumed = False
        self.final: Status | None = None
        self._ran: bytes | None = None
        known = None if request.fresh else request.session
        self._versions = Versions(store, who, request.directory, known)
        self.flow, said = self._versions.choose(pinned=request.pinned)
        self.tools = opened(request.tools, self.flow, self._versions.path)
        self.found = self._versions.found
        self.notices: list[str] = list(said)
        try:
            self._open(holder)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the session; it stays where it is."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reload(self, found: Flow | RetomaError) -> Reload:
        """Go on with an edited flow, between two inputs, if it can; `found` is that, or why it does not read.

        `shown` then has where it stands now, or nothing when the session goes on with the version it has. Raises what
        `send` does when the session is not this process's any more.
        """
        self.shown = ()
        if isinstance(found, RetomaError):
            return refused(self.flow, self.position, found)
        if found.version == self.flow.version:
            return Reload(taken=False, version=found.version, node=self.position.node, sentence=AS_BEFORE)
        try:
            edited = flows.take_up(
                self.flow, found, self.position, locale=self._locale, secrets=self._secrets, since=""
            )
            self._meet(edited)
        except (Invalid, SecretNeeded) as error:
            return refused(self.flow, self.position, error)
        taken = edited.flow is found
        if taken:
            self.tools = opened(self._request.tools, self.flow, self._versions.path)
            self._attempt(self._stand)
        return Reload(
            taken=taken, version=self.flow.version, node=self.position.node, sentence=edited.sentence
        )

    # Opening

    def _open(self, holder: Holder) -> None:
        named = self._request.session
        found = self._store.read(lambda tx: sessions.get(tx, self._who, named)) if named else None
        if found is None:
            self._start(holder, found)
            return
        self.session = found.id
        self._held = Held(self._store, self._who, self.session, holder, beside=self._beside)
        snapshot = self._look()
        if self._request.fresh:
            self._start(holder, snapshot)
            return
        positions.refuse_other_flow(snapshot.session, self._versions.path, self._version)
        if snapshot.session.status == "suspended":
            snapshot = self._resume_suspended()
        if snapshot.session.flow is None and snapshot.session.status not in FINAL:
            self._start(holder, snapshot)
            return
        self._adopt(snapshot)
        if snapshot.session.status in FINAL:
            self.over, self.final = True, snapshot.session.status
            self._show_last()
            return
        self.resumed = True
        if self._request.context:
            self.notices.append("--context works only when a flow starts: this session keeps its context.")
        self._attempt(self._go_on)

    def _start(self, holder: Holder, snapshot: positions.Snapshot | None) -> None:
        """Begin the flow, if it can: a context that lacks a key changes nothing and leaves nothing behind."""
        request = self._request
        first = self._whole(flows.start(self.flow, request.context, locale=request.locale))
        if first.failure and len(first.visits) <= 1:
            self.failure = first.failure
            self.position = Position(node=self.flow.entry, status="finished", context=dict(request.context))
            return
        self.notices += self.refused_tools()
        if snapshot is None:
            self._start_new(holder, first)
        else:
            self._begin(first, anew=request.fresh)

    def _start_new(self, holder: Holder, first: Step) -> None:
        """Make the session and begin in it; what is too large to begin with leaves no session behind."""
        named = self._request.session
        new = NewSession(id=named, title=self.flow.name if named is None else "")
        operation = self._operation()
        try:
            self.session = self._store.write(
                lambda tx: sessions.create(tx, self._who, new, operation=operation, limits=self._limits)
            )
        except Conflict as error:
            if error.code != "id_taken":
                raise
            self._open(holder)  # another process made it since we looked
            return
        self._held = Held(self._store, self._who, self.session, holder, beside=self._beside)
        try:
            self._begin(first)
        except (Invalid, Limit):
            self._store.write(lambda tx: delete(tx, self._who, self.session, operation=self._operation()))
            raise

    def _resume_suspended(self) -> positions.Snapshot:
        if not self._request.resume:
            raise Refused(
                f"Session '{self.session}' is suspended.",
                code="suspended",
                hint=f"Resume it with: retoma session resume {self.session} (or run with --resume)",
                status="suspended",
            )
        self._store.write(
            lambda tx: sessions.change(tx, self._who, self.session, "active", operation=self._operation())
        )
        return self._look()

    def _begin(self, step: Step, *, anew: bool = False) -> None:
        """Record the flow's first step; `anew` in a new epoch, in the same transaction."""
        token = self._require_held().token

        def use_case(tx: Transaction) -> int:
            if anew:
                sessions.reset(tx, self._who, self.session, operation=self._operation(), token=token)
            return positions.begin(
                tx,
                self._who,
                self.session,
                flow=self.flow.name,
                path=self._versions.path,
                version=self._version,
                files=self.flow.files,
                step=step,
                operation=self._operation(),
                token=token,
                limits=self._limits,
            )

        self._seq, self._ran = self._store.write(use_case), self._version
        self._moved(step)
        self._attempt(self._pass)

    def _go_on(self) -> Step:
        """Take up a flow where it stands: the same point, under the directory's version when it can carry on there."""
        self.shown = ()
        if self._ran != self._version:
            self._meet_edited()
        return self._stand()

    def _meet_edited(self) -> None:
        before = self._versions.stored(self._ran) if self._ran is not None else None
        if self.position.call is not None and self._ran is not None:
            # The version that asked for the tool goes on; which program that is, the list of the new one says.
            self.flow = before or self.flow
            self.notices.append(
                "The flow was edited since the last run. The tool of the previous version is called first."
            )
            return
        if self._ran is None:  # one that was imported may have had none
            edited = flows.take_over(self.flow, self.position, locale=self._locale, secrets=self._secrets)
        else:
            edited = flows.take_up(
                before, self.flow, self.position, locale=self._locale, secrets=self._secrets
            )
        self.notices.append(edited.sentence)
        self._meet(edited)

    def _stand(self) -> Step:
        """Show where the flow stands, if nothing is shown yet, and go on from there if it does not wait."""
        if not self.shown and self.position.rollback is None:
            content, self.prompt = flows.show(
                self.flow, self.position, locale=self._locale, secrets=self._secrets, remarks=self.notices
            )
            self.shown = (Visit(node=self.position.node or self.flow.entry, content=content),)
        return self._attempt(self._pass)

    def _meet(self, edited: Edited) -> None:
        """Go on with the version that was decided for, and record it when the session ran another."""
        before, self.flow = self.flow, edited.flow
        if self._ran == self._version:
            return
        try:
            step = self._whole(edited.step) if edited.step is not None else None
            self._change_version(edited.at, moved=edited.moved, step=step)
        except BaseException:
            self.flow = before
            raise
        self.shown = (*edited.passed, *self.shown)

    def _change_version(self, at: Position, *, moved: bool, step: Step | None) -> None:
        held = self._require_held()
        self._seq = self._store.write(
            lambda tx: positions.change_version(
                tx, self._who, self.session, flow=self.flow.name, path=self._versions.path, version=self._version,
                files=self.flow.files, at=at, moved=moved, first=self._ran is None, step=step,
                operation=self._operation(), token=held.token,
                limits=self._limits,
            )
        )  # fmt: skip
        self.position, self._ran = at, self._version
        if moved and at.node is not None:
            self.history[-1:] = [at.node]
        if step is not None:
            self._moved(step)

    def _show_last(self) -> None:
        said = self._store.read(lambda tx: timeline.messages(tx, self._who, self.session, last=50))
        node = self.position.node
        last = next((one for one in reversed(said) if one.role == "assistant" and one.sender == node), None)
        if node is not None and last is not None:
            self.shown = (Visit(node=node, content=last.text),)

    def _look(self) -> positions.Snapshot:
        return self._store.read(lambda tx: positions.look(tx, self._who, self.session))

    def _adopt(self, snapshot: positions.Snapshot) -> None:
        self.position, self.history = snapshot.position, snapshot.history
        self._seq, self._ran = snapshot.session.seq, snapshot.session.flow_version
        if snapshot.session.status == "failed":
            self.failure = snapshot.session.reason or "no reason was given."
