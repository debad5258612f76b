"""A flow that a program drives: it holds the session, and answers."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retoma.client.faces import Blocking, Face
from retoma.commands.opened import Opened
from retoma.errors import Unavailable
from retoma.model.codec import JsonField
from retoma.model.flow import Prompt, Visit

if TYPE_CHECKING:
    from retoma.model.call import Call
    from retoma.runtime.drive import Drive


class Driven(Face):
    """Where a flow stands in a session that this program drives."""

    def __init__(self, opened: Opened, drive: Drive) -> None:
        self._opened = opened
        self._drive = drive
        self._closed = False
        opened.held[self] = drive.close

    @property
    def session(self) -> str:
        """The id of the session that it runs in."""
        return self._drive.session

    @property
    def shown(self) -> tuple[Visit, ...]:
        """What the last step put before the person: the nodes that were entered, each with its `content`."""
        return self._drive.shown

    @property
    def prompt(self) -> Prompt | None:
        """What the flow asks for; None when it does not wait for an answer."""
        return self._drive.prompt

    @property
    def call(self) -> Call | None:
        """The tool call that the flow waits for: `perform` makes it, `deny` refuses it."""
        return self._drive.call

    @property
    def asks(self) -> bool:
        """Whether a person has to allow the call first."""
        return self._drive.asks

    @property
    def ended(self) -> bool:
        """Whether the flow has ended."""
        return self._drive.over

    @property
    def failure(self) -> str:
        """Why the flow failed; empty when it did not."""
        return self._drive.failure

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about what was found when the flow was opened, such as an edit."""
        return tuple(self._drive.notices)

    @property
    def node(self) -> str | None:
        """The node at which the flow stands."""
        return self._drive.position.node

    @property
    def history(self) -> list[str]:
        """The nodes that were entered, in order."""
        return list(self._drive.history)

    @property
    def context(self) -> dict[str, JsonField]:
        """What the flow has collected: the state of its session."""
        return dict(self._drive.position.context)

    def _ready(self) -> None:
        if self._closed:
            raise Unavailable(
                f"This run of session '{self.session}' was closed.",
                code="closed",
                hint="Run the flow again: it resumes at the node it stopped at.",
                session=self.session,
            )
        self._opened.ready()

    def _let_go(self) -> None:
        self._closed = True
        self._opened.let_go(self)


class FlowRun(Driven, Blocking):
    """A flow under this program's lease: fed one answer at a time, each durable with what it led to.

    `client.run_flow()` returns it; close it, or use it in a `with`. The session stays where it stands, and the next run
    resumes there. One thread at a time may use it.

    >>> with client.run_flow(flow, "order") as run:
    ...     [visit.content for visit in run.shown], run.prompt.node
    ...     run.send("Ana")
    ...     run.history, run.context["name"], run.ended
    (['What is your name?'], 'start')
    (['start', 'end'], 'Ana', True)
    """

    def send(self, answer: str) -> None:
        """Answer what the flow asks, and go on to the next question, tool call or the end.

        Raises Invalid when the answer is too large, Busy when another took the session, Refused when it was paused or
        ended meanwhile, Limit.

        >>> with client.run_flow(flow, "order") as run:
        ...     run.send("Ana")
        ...     run.shown[-1].content
        'Hello, Ana.'
        """
        self._ready()
        self._work(partial(self._drive.send, answer))

    def signal(self, name: str) -> bool:
        """Send the flow a signal: `interrupt`, `timeout` or a name of its own; return whether a node handles it.

        Raises as `send` does.

        >>> with client.run_flow(flow, "order") as run:
        ...     run.signal("hurry")
        False
        """
        self._ready()
        return self._work(partial(self._drive.signal, name)) is not None

    def perform(self, approved: str = "") -> None:
        """Make the tool call that the flow waits for, and go on with what came of it.

        `approved` says who allowed it, where somebody has to (`asks`). A call that fails is made again as often as its
        list says. Raises Invalid when no call is waiting, NotFound when the flow's directory is gone, and as `send`.

        >>> with client.run_flow(flow, "order") as run:
        ...     while run.call is not None:
        ...         run.perform(approved="ana")
        """
        self._ready()
        self._work(partial(self._drive.perform, approved))

    def deny(self, why: str) -> None:
        """Refuse the tool call that the flow waits for, and go on. Raises as `send` does.

        >>> with client.run_flow(flow, "order") as run:
        ...     if run.call is not None:
        ...         run.deny("not today")
        """
        self._ready()
        self._work(partial(self._drive.deny, why))

    def close(self) -> None:
        """Let go of the session; it stays where it stands. Twice is no error.

        >>> client.run_flow(flow, "order").close()
        """
        self._work(self._let_go)

    def __enter__(self) -> Self:
        self._ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
