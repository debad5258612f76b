"""Wake-ups between processes on SQLite: a datagram to each socket in `write.wake`, beside the store, after a commit.

The first byte of `write.lock` says that somebody may listen, so a writer without listeners pays for one read. A
listener makes its socket first, and then sets the byte. A writer that finds no socket clears the byte, and looks again
after that. A socket whose process is gone refuses the datagram, and the writer removes it. Nothing here fails a write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from retoma.stores.sql.changes import Listener, Listeners

# A socket's address has room for a hundred bytes or so.
_SHORT_BYTES = 70


class SqliteChanges:
    """The wake-ups of the store at `path`, or in memory."""

    def __init__(self, path: Path | None) -> None:
        self._lock = path.with_name("write.lock") if path else None
        self._directory = path.with_name("write.wake") if path else None
        self._here: Listeners | None = None

    def listen(self) -> Listener:
        """Return a new listener; where no socket can be made, one that other processes cannot wake."""
        from retoma.stores.sql.changes import Listeners  # with the sockets, which no command needs

        if self._here is None:
            self._here = Listeners()
        if self._directory is None or self._lock is None:
            return self._here.add_pair(prompt=True)
        try:
            return self._bound(self._here, self._directory, self._lock)
        except OSError:
            return self._here.add_pair(prompt=False)

    def wake_here(self) -> None:
        """Wake the listeners of this object alone."""
        if self._here is not None:
            self._here.wake()

    def tell(self, lock: int | None) -> None:
        """Wake who listens, once a commit is done. `lock` is the open `write.lock`; None in memory."""
        if lock is None or self._directory is None:
            self.wake_here()
            return
        with suppress(OSError):
            if not _sent(self._directory):
                os.ftruncate(lock, 0)
                if _sent(self._directory):
                    os.pwrite(lock, b"\1", 0)
                else:
                    self._directory.rmdir()

    def _bound(self, here: Listeners, directory: Path, lock: Path) -> Listener:
        import socket

        from retoma.stores.sql.changes import Listener

        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            place = directory / _bind(receiver, directory)
            place.chmod(0o600)
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(file, b"\1", 0)
            finally:
                os.close(file)
        except BaseException:
            receiver.close()
            raise

        def wake() -> None:
            with _near(directory) as near, _sender() as sender:
                sender.sendto(b"!", f"{near}/{place.name}")

        def ended(listener: Listener) -> None:
            here.discard(listener)
            with suppress(OSError):
                place.unlink()
                directory.rmdir()  # fails while others listen

        listener = Listener(receiver, wake, ended, prompt=True)
        here.add(listener)
        return listener


def _bind(receiver: socket.socket, directory: Path) -> str:
    """Bind the socket in `directory` under a name of its own, and return that."""
    for n in count():
        name = f"{os.getpid()}-{n}"
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            with _near(directory) as near:
                receiver.bind(f"{near}/{name}")
        except OSError as error:
            # Its name is taken, or the last who listened removed the directory just now.
            if n > 1_000 or not (isinstance(error, FileNotFoundError) or (directory / name).exists()):
                raise
        else:
            return name
    raise AssertionError("count ends never")


def _sent(directory: Path) -> bool:
    """Send a datagram to each socket; return whether anybody may have got it."""
    somebody = False
    if not directory.is_dir():
        return somebody
    with _near(directory) as near, _sender() as sender:
        for place in Path(near).iterdir():
            try:
                sender.sendto(b"!", str(place))
            except (ConnectionRefusedError, FileNotFoundError):
                with suppress(OSError):
                    place.unlink()
            except OSError:
                somebody = True  # it has wake-ups waiting, or is another user's
            else:
                somebody = True
    return somebody


def _sender() -> socket.socket:
    import socket

    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)
    return sender


@contextmanager
def _near(directory: Path) -> Iterator[str]:
    """Yield a name of the directory that is short enough for an address; only Linux has one for a long path."""
    if len(os.fsencode(directory)) <= _SHORT_BYTES:
        yield str(directory)
        return
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)
