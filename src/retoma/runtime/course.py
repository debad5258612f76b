"""A flow's course in its session: one input, signal or stretch at a time, each recorded before the next is decided."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from retoma import flows
from retoma.flows import Flow, SecretNeeded, rollback
from retoma.model.call import Call, Outcome
from retoma.model.flow import Position, Prompt, Step, Visit
from retoma.model.ids import Operation, SessionId, new_operation
from retoma.model.limits import Limits
from retoma.model.mask import Mask
from retoma.model.principal import Principal
from retoma.runtime.lease import Held
from retoma.service import calls
from retoma.service import flows as positions
from retoma.service.flows import Led, Signalled, Typed
from retoma.stores.contract.store import Store


class Wanted(msgspec.Struct):
    """A secret that is asked for again, and what could not be done without it."""

    key: str
    then: Callable[[], Step]


class Course:
    """Where a flow stands in a session that this process holds, and its steps from there.

    `shown` is what the last step puts before the person: nodes and their content. `prompt` is there while the flow
    waits, or a secret is asked for again. Values of secrets are here and nowhere else: those that conditions and
    arguments use by their keys, and all that were ever typed, which tools may repeat.
    """

    flow: Flow

    def __init__(
        self,
        store: Store,
        who: Principal,
        now: Callable[[], int],
        random: Callable[[int], bytes],
        *,
        locale: str,
        limits: Limits,
    ) -> None:
        self._store = store
        self._who = who
        self._now = now
        self._random = random
        self._locale = locale
        self._limits = limits
        self._held: Held | None = None
        self._seq = 0
        self._secrets: dict[str, str] = {}
        self._typed: set[str] = set()
        self._wanted: Wanted | None = None
        self.session = SessionId("")
        self.over = False
        self.prompt: Prompt | None = None
        self.shown: tuple[Visit, ...] = ()
        self.failure = ""
        self.position = Position(node=None, status="active", context={})
        self.history: list[str] = []

    @property
    def wanted(self) -> str | None:
        """The key of the secret that `prompt` asks for again; None while the flow itself asks."""
        return self._wanted.key if self._wanted is not None else None

    def send(self, text: str) -> Step:
        """Give the waiting node an input; return what it did once that is durable.

        Raises Invalid when the input is too large, Busy when another took the session, Refused when it was paused or
        ended meanwhile, Limit when the session is full. A step that needs a secret which is not in memory is not taken
        yet: `prompt` then asks for the secret, and the next `send` gives it.
        """
        prompt = self.prompt
        if self._wanted is None:
            return self._attempt(lambda: self._send(text, prompt))
        self._secrets[self._wanted.key] = secret = text or (prompt.default if prompt else None) or ""
        self._typed.add(secret)
        self.shown = ()
        return self._attempt(self._wanted.then)

    def leads_to(self, name: str) -> str | None:
        """Return the node that the signal `name` leads to from here; None when nothing handles it."""
        target = flows.handler(self.flow, self.position, name)
        return None if target is None else self.flow.resolve(target)

    def signal(self, name: str) -> Step | None:
        """Send the flow a signal; None when no node handles it and nothing changed."""
        if flows.handler(self.flow, self.position, name) is None:
            return None
        return self._attempt(lambda: self._signal(name))

    def _send(self, text: str, prompt: Prompt | None) -> Step:
        self.shown = ()
        if prompt is not None and prompt.input_type == "secret":
            self._typed.add(text or prompt.default or "")
        step = flows.step(self.flow, self.position, text, locale=self._locale, secrets=self._secrets)
        if prompt is not None and prompt.input_type == "secret":
            self._secrets |= dict.fromkeys(step.sets, text or prompt.default or "")
            return self._take(step, Typed(step.ans))
        return self._take(step, Typed(text))

    def _signal(self, name: str) -> Step:
        self.shown = ()
        step = flows.signal(self.flow, self.position, name, locale=self._locale, secrets=self._secrets)
        assert step is not None, "the signal has a handler"
        return self._take(step, Signalled(name))

    def _take(self, step: Step, led: Led) -> Step:
        step = self._whole(step)
        self._record(step, led)
        self._moved(step)
        self._attempt(self._pass)
        return step

    def _pass(self) -> Step:
        """Go on through nodes that do not wait, each stretch recorded before the next; return the last one's step."""
        passed = len(self.shown)
        step = Step(status=self.position.status, ans=self.position.ans, prompt=self.prompt)
        while self.position.status == "active" and not self.failure:
            step = flows.proceed(self.flow, self.position, locale=self._locale, secrets=self._secrets)
            passed += len(step.visits)
            if passed > flows.PASSING_NODES:
                step = msgspec.structs.replace(
                    step,
                    status="finished",
                    failure=f"The flow passed {flows.PASSING_NODES:,} nodes without waiting, "
                    f"last '{self.position.node}': a loop that never waits for input.",
                    call=None,
                )
            step = self._whole(step)
            earlier = self.shown
            self._record(step, None)
            self._moved(step)
            self.shown = earlier + self.shown
        return step

    def _attempt(self, act: Callable[[], Step]) -> Step:
        """Do `act`; when it cannot be decided without a secret, ask for that first."""
        before = self._wanted
        try:
            step = act()
        except SecretNeeded as needed:
            self._ask_again(needed.key, act)
            return Step(status=self.position.status, ans=self.position.ans, prompt=self.prompt)
        if self._wanted is before:
            self._wanted = None
        return step

    def _ask_again(self, key: str, act: Callable[[], Step]) -> None:
        askers = self.flow.secrets[key]
        asker = next((node for node in reversed(self.history) if node in askers), askers[0])
        asking = msgspec.structs.replace(self.position, node=asker, status="waiting_for_input")
        content, prompt = flows.show(self.flow, asking, locale=self._locale, secrets=self._secrets)
        assert prompt is not None, "a node that asks for a secret waits"
        self._wanted = Wanted(key, act)
        self.prompt = msgspec.structs.replace(prompt, timeout_s=None)
        self.shown = (*self.shown, Visit(node=asker, content=content))

    def _whole(self, step: Step) -> Step:
        """Return the step with the first undo that it leads to, when it begins a rollback."""
        return rollback.begin(self.flow, self.position, self.history, step) if step.rolls else step

    def _record(self, step: Step, led: Led | None) -> None:
        held = self._require_held()
        operation = self._operation()
        self._seq = self._store.write(
            lambda tx: positions.record(
                tx,
                self._who,
                self.session,
                led=led,
                at=self.position,
                step=step,
                operation=operation,
                token=held.token,
                expect=self._seq,
                limits=self._limits,
            )
        )

    def _moved(self, step: Step, *, came: Outcome | None = None) -> None:
        context = dict(self.position.context) | dict(step.sets)
        for visit in step.visits:
            context |= visit.sets
        self.history += [visit.node for visit in step.visits]
        node = step.visits[-1].node if step.visits else self.position.node
        if step.rollback is not None:
            del self.history[step.kept :]
            node = self.history[-1] if self.history else None
        self.position = Position(
            node=node,
            status=step.status,
            context=context,
            ans=step.ans,
            visits=len(self.history),
            call=self._read_call() if step.call is not None else None,
            came=came,
            rollback=step.rollback if step.status == "rolling_back" else None,
        )
        self.shown, self.prompt, self.failure = step.visits, step.prompt, step.failure
        self.over = step.status == "finished"

    def _read_call(self) -> Call | None:
        """Return the pending call as it was journalled: its key is made there."""
        return self._store.read(lambda tx: calls.pending(tx, self._who, self.session))

    def _operation(self) -> Operation:
        return Operation(new_operation(self._now(), self._random))

    @property
    def _mask(self) -> Mask:
        """What takes the secrets that were typed out of what a tool says."""
        return Mask(self._typed)

    def _require_held(self) -> Held:
        assert self._held is not None, "a drive is used after it was closed"
        return self._held

    @property
    def _version(self) -> bytes:
        return bytes.fromhex(self.flow.version)
