"""A flow under a lease: opened where it stands, fed one input at a time, each journalled with what it led to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from retoma import flows
from retoma.errors import Conflict, Invalid, NotFound, Refused
from retoma.flows import Flow
from retoma.model.codec import Json, JsonMap
from retoma.model.flow import Position, Prompt, Step, Visit
from retoma.model.ids import Operation, SessionId, new_operation
from retoma.model.lease import Holder
from retoma.model.principal import Principal
from retoma.model.session import FINAL, NewSession, Status
from retoma.model.utf8 import unreadable
from retoma.runtime.lease import Held
from retoma.service import flows as positions
from retoma.service import sessions, timeline
from retoma.stores.api import Store, Transaction


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be driven. `session` None: a new one with a generated id."""

    directory: Path
    session: str | None = None
    context: JsonMap = {}
    fresh: bool = False
    resume: bool = False
    locale: str = ""


class Drive:
    """A flow that runs in a session, held by this process from `open` to `close`.

    `shown` is what the last step (or the resume) puts before the person: nodes and their content. `prompt` is there
    while the flow waits. `notices` are sentences about what was found on opening. `final` is the status of a session
    that had ended before; then `shown` is where it stands, as it was said.
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
        limits: sessions.Limits | None = None,
    ) -> None:
        self._store = store
        self._who = who
        self._now = now
        self._random = random
        self._request = request
        self._limits = limits
        self._held: Held | None = None
        self._seq = 0
        self.session = SessionId("")
        self.named = request.session is not None
        self.resumed = False
        self.over = False
        self.final: Status | None = None
        self.prompt: Prompt | None = None
        self.shown: tuple[Visit, ...] = ()
        self.notices: list[str] = []
        self.failure = ""
        self.position = Position(node=None, status="active", context={})
        self.history: list[str] = []
        self._path = _absolute(request.directory)
        self.flow = self._load()
        try:
            self._open(holder)
        except BaseException:
            self.close()
            raise

    def send(self, text: str) -> Step:
        """Give the waiting node an input; return what it did once that is durable.

        Raises Invalid when the input is too large, Busy when another took the session, Refused when it was paused or
        ended meanwhile.
        """
        secret = self.prompt is not None and self.prompt.input_type == "secret"
        step = flows.step(self.flow, self.position, text, locale=self._request.locale)
        return self._take(step, step.ans if secret else text)

    def signal(self, name: str) -> Step | None:
        """Send the flow a signal; None when no node handles it and nothing changed."""
        step = flows.signal(self.flow, self.position, name, locale=self._request.locale)
        return None if step is None else self._take(step, None)

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

    # Opening

    def _load(self) -> Flow:
        directory, session = self._request.directory, self._request.session
        try:
            flow = flows.load(directory)
            flows.check(flow)
            return flow
        except (Invalid, NotFound) as error:
            stored = None if session is None or self._request.fresh else self._stored(session, directory)
            if stored is None:
                raise
            self.notices.append(f"{error.message} The session goes on with the version it has.")
            return stored

    def _stored(self, session: str, directory: Path) -> Flow | None:
        """Return the version that the session runs, when it runs the flow of this directory."""

        def find(tx: Transaction) -> tuple[str, dict[str, bytes]] | None:
            found = sessions.get(tx, self._who, session)
            if found is None or found.flow_version is None or found.flow_path != str(directory.resolve()):
                return None
            return positions.stored_version(tx, self._who, found.flow_version)

        stored = self._store.read(find)
        return flows.parse(*stored) if stored else None

    def _open(self, holder: Holder) -> None:
        request = self._request
        named = request.session
        found = self._store.read(lambda tx: sessions.get(tx, self._who, named)) if named else None
        if found is None:
            if self._can_start():
                self._start_new(holder)
            return
        self.session = found.id
        self._held = Held(self._store, self._who, self.session, holder)
        if request.fresh:
            if self._can_start():
                self._begin(anew=True)
            return
        snapshot = self._store.read(lambda tx: positions.look(tx, self._who, self.session))
        positions.refuse_other_flow(snapshot.session, self._path, self._version)
        if snapshot.session.status == "suspended":
            snapshot = self._resume_suspended()
        self._adopt(snapshot)
        if snapshot.session.status in FINAL:
            self.over, self.final = True, snapshot.session.status
            self._show_last()
            return
        if snapshot.session.flow is not None:
            self._go_on()
        elif self._can_start():
            self._begin()

    def _can_start(self) -> bool:
        """Return whether the entry node can be entered; if not, nothing is written, and `failure` says why."""
        first = flows.start(self.flow, self._request.context, locale=self._request.locale)
        if not first.failure or len(first.visits) > 1:
            return True
        self.failure = first.failure
        self.position = Position(node=self.flow.entry, status="finished", context=dict(self._request.context))
        return False

    def _start_new(self, holder: Holder) -> None:
        """Make the session and begin in it; what is too large to begin with leaves no session behind."""
        new = NewSession(id=self._request.session, agent="")
        if self._request.session is None:
            new = msgspec.structs.replace(new, title=self.flow.name)
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
        self._held = Held(self._store, self._who, self.session, holder)
        try:
            self._begin()
        except Invalid:
            self._store.write(
                lambda tx: sessions.delete(tx, self._who, self.session, operation=self._operation())
            )
            raise

    def _resume_suspended(self) -> positions.Snapshot:
        if not self._request.resume:
            raise Refused(
                f"Session '{self.session}' is suspended.",
                code="suspended",
                hint=f"Take it up again with: retoma session resume {self.session} (or run with --resume)",
                status="suspended",
            )
        self._store.write(
            lambda tx: sessions.change(tx, self._who, self.session, "active", operation=self._operation())
        )
        return self._store.read(lambda tx: positions.look(tx, self._who, self.session))

    def _begin(self, *, anew: bool = False) -> None:
        """Enter the flow; `anew` in a new epoch, in the same transaction."""
        token = self._require_held().token
        step = flows.start(self.flow, self._request.context, locale=self._request.locale)

        def use_case(tx: Transaction) -> int:
            if anew:
                sessions.reset(tx, self._who, self.session, operation=self._operation(), token=token)
            return positions.begin(
                tx,
                self._who,
                self.session,
                flow=self.flow.name,
                path=self._path,
                version=self._version,
                files=self.flow.files,
                step=step,
                operation=self._operation(),
                token=token,
            )

        self._seq = self._store.write(use_case)
        self._moved(step)
        self._pass()

    def _go_on(self) -> None:
        """Take up a flow where it stands: the same point, under the directory's version when it can carry on there."""
        self.resumed = True
        self._meet_version()
        if self.position.status == "active":
            self._pass()
            return
        node = self.position.node or self.flow.entry
        content, self.prompt = flows.show(self.flow, self.position, locale=self._request.locale)
        self.shown = (Visit(node=node, content=content),)

    def _show_last(self) -> None:
        said = self._store.read(lambda tx: timeline.messages(tx, self._who, self.session, last=50))
        node = self.position.node
        last = next((one for one in reversed(said) if one.role == "assistant" and one.sender == node), None)
        if node is not None and last is not None:
            self.shown = (Visit(node=node, content=last.text),)

    def _meet_version(self) -> None:
        snapshot = self._store.read(lambda tx: positions.look(tx, self._who, self.session))
        before = snapshot.session.flow_version
        if before == self._version or before is None:
            return
        node = self.position.node
        unmet = flows.meets(self.flow, self.position) if node in self.flow.nodes else None
        if unmet is not None:
            stored = self._store.read(lambda tx: positions.stored_version(tx, self._who, before))
            if stored is not None:
                self.flow = flows.parse(*stored)
                self.notices.append(
                    f"The flow was edited, but {unmet} The session goes on with the version it has."
                )
                return
        held = self._require_held()
        self._seq = self._store.write(
            lambda tx: positions.change_version(
                tx,
                self._who,
                self.session,
                flow=self.flow.name,
                path=self._path,
                version=self._version,
                files=self.flow.files,
                operation=self._operation(),
                token=held.token,
            )
        )
        self.notices.append("The flow was edited since; the session goes on with the new version.")
        if node is not None and node not in self.flow.nodes:
            self.notices.append(
                f"Its node '{node}' is gone: back to '{self.flow.entry}', with what was collected."
            )
            self._take(flows.start(self.flow, self.position.context, locale=self._request.locale), None)

    # Steps

    def _take(self, step: Step, given: Json) -> Step:
        """Journal `given` (None: no input; a secret: what stands for it) with its step, and go on."""
        self._record(step, given)
        self._moved(step)
        self._pass()
        return step

    def _pass(self) -> None:
        """Go on through nodes that do not wait; each stretch is recorded before the next."""
        passed = len(self.shown)
        while self.position.status == "active" and not self.failure:
            step = flows.proceed(self.flow, self.position, locale=self._request.locale)
            passed += len(step.visits)
            if passed > flows.PASSING_NODES:
                step = msgspec.structs.replace(
                    step,
                    status="finished",
                    failure=f"The flow passed {flows.PASSING_NODES:,} nodes without waiting, "
                    f"last '{self.position.node}': a loop that never asks.",
                )
            earlier = self.shown
            self._record(step, None)
            self._moved(step)
            self.shown = earlier + self.shown

    def _record(self, step: Step, given: Json) -> None:
        held = self._require_held()
        operation = self._operation()
        self._seq = self._store.write(
            lambda tx: positions.record(
                tx,
                self._who,
                self.session,
                given=given,
                at=self.position,
                step=step,
                operation=operation,
                token=held.token,
                expect=self._seq,
            )
        )

    def _moved(self, step: Step) -> None:
        context = dict(self.position.context) | dict(step.sets)
        for visit in step.visits:
            context |= visit.sets
        self.history += [visit.node for visit in step.visits]
        node = step.visits[-1].node if step.visits else self.position.node
        self.position = Position(
            node=node, status=step.status, context=context, ans=step.ans, visits=len(self.history)
        )
        self.shown, self.prompt, self.failure = step.visits, step.prompt, step.failure
        self.over = step.status == "finished"

    def _adopt(self, snapshot: positions.Snapshot) -> None:
        self.position, self.history = snapshot.position, snapshot.history
        self._seq = snapshot.session.seq
        if snapshot.session.status == "failed":
            self.failure = snapshot.session.reason or "no reason was given."

    def _operation(self) -> Operation:
        return Operation(new_operation(self._now(), self._random))

    def _require_held(self) -> Held:
        assert self._held is not None, "a drive is used after it was closed"
        return self._held

    @property
    def _version(self) -> bytes:
        return bytes.fromhex(self.flow.version)


def _absolute(directory: Path) -> str:
    path = str(directory.resolve())
    if bad := unreadable(path):
        raise Invalid(
            f"The flow's directory '{bad}' is not UTF-8.",
            code="not_utf8",
            hint="Rename it, or move the flow.",
        )
    return path
