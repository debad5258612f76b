"""A network that can be cut: a proxy on the loopback that stops forwarding, and keeps its connections open."""

from __future__ import annotations

import selectors
import socket
import threading


class Proxy:
    """Forwards to `port`. When it is cut, what is sent vanishes, as with a cable that is pulled out."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._opened: list[socket.socket] = []
        self._done = threading.Event()
        self._cut = False
        self.after: int | None = None
        self.pieces = 0
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Forward nothing from now on."""
        self._cut = True

    def mend(self) -> None:
        """Forward again, for new connections: those that were open have lost what was sent."""
        self._cut = False
        self.after = None

    def close(self) -> None:
        self._done.set()
        self._thread.join()
        for one in (self._listener, *self._opened):
            one.close()
        self._selector.close()

    def _forward(self) -> None:
        while not self._done.is_set():
            for key, _ in self._selector.select(0.02):
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if source is self._listener:
                    self._accept()
                elif source.fileno() >= 0:
                    self._pass(source, key.data)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        self._opened.append(near)
        if self._cut:
            return
        far = socket.create_connection(("127.0.0.1", self._to))
        self._opened.append(far)
        self._selector.register(near, selectors.EVENT_READ, far)
        self._selector.register(far, selectors.EVENT_READ, near)

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        """Pass on what came. A piece from a client counts: `pieces` up; `after` down, and at 0 the network is cut."""
        try:
            data = source.recv(65_536)
        except OSError:
            data = b""
        if self._cut:
            self._selector.unregister(source)
            return
        if not data:
            for one in (source, sink):
                if one in self._selector.get_map():
                    self._selector.unregister(one)
                one.close()
            return
        sink.sendall(data)
        if source not in self._near():
            return
        self.pieces += 1
        if self.after is not None:
            self.after -= 1
            if self.after == 0:
                self._cut = True

    def _near(self) -> list[socket.socket]:
        return [one for one in self._opened if one.fileno() >= 0 and one.getsockname()[1] == self.port]
