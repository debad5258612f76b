"""The listeners of one process: a socket for each, and how they are woken."""

from __future__ import annotations

import select
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress


class Listener:
    """A `Changes` over the socket `receiver`. `wake` sends a datagram to it; `ended` is called once, at its close."""

    def __init__(
        self,
        receiver: socket.socket,
        wake: Callable[[], object],
        ended: Callable[[Listener], object],
        *,
        prompt: bool,
    ) -> None:
        receiver.setblocking(False)
        self.prompt = prompt
        self._receiver = receiver
        self._wake = wake
        self._ended = ended
        # A stream that is left in the middle is never closed.
        weakref.finalize(self, receiver.close)

    def fileno(self) -> int:
        return self._receiver.fileno()

    def wait(self, seconds: float) -> None:
        ready = select.poll()
        ready.register(self._receiver, select.POLLIN)
        ready.poll(seconds * 1_000)
        self.clear()

    def clear(self) -> None:
        with suppress(OSError):  # there is none left
            while self._receiver.recv(1):
                pass

    def wake(self) -> None:
        """Wake it from this process. One that has wake-ups waiting, or was closed, needs no more."""
        with suppress(OSError):
            self._wake()

    def close(self) -> None:
        if self._receiver.fileno() >= 0:
            self._ended(self)
            self._receiver.close()


class Listeners(set[Listener]):
    """The listeners of one store object."""

    def add_pair(self, *, prompt: bool) -> Listener:
        """Add a listener that this process alone can wake."""
        receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)

        def ended(listener: Listener) -> None:
            self.discard(listener)
            sender.close()

        listener = Listener(receiver, lambda: sender.send(b"!"), ended, prompt=prompt)
        weakref.finalize(listener, sender.close)
        self.add(listener)
        return listener

    def wake(self) -> None:
        """Wake all of them."""
        for listener in tuple(self):
            listener.wake()
