"""One program, called: no shell, a group of its own, both pipes drained, and an end to it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from retoma.errors import Invalid
from retoma.model.call import Came
from retoma.model.codec import Json, encode
from retoma.model.exact import decode_exact
from retoma.model.mask import Mask
from retoma.programs.allow_list import Tool

MAX_OUTPUT_BYTES: Final = 1 << 20
END_OF_ERRORS_BYTES: Final = 2_000
ENDS_WITHIN_S: Final = 5.0
"""How long a tool that was told to end has for it."""
ARGS_IN_ENVIRONMENT_BYTES: Final = (128 << 10) - 64
"""One variable has 128 KiB on Linux, its name and its end counted."""
_LOOK_S: Final = 0.05
_PIPES_AFTER_EXIT_S: Final = 1.0


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What is run: the command with its arguments as they are, where, and with which environment, whole.

    `args` is the JSON that the tool is given. `timeout_s` is None when it may take as long as it likes. `mask` has the
    secrets that it may know: what it says comes without them.
    """

    command: str
    arguments: Sequence[str] = ()
    directory: Path
    environment: Mapping[str, str]
    args: bytes = b"{}"
    timeout_s: float | None = None
    mask: Mask = Mask()


def run(program: Program) -> Came:
    """Run the program to its end and return what came of it: its output as a result, or why it failed.

    Whatever interrupts this (Ctrl+C, a signal made an exception) ends the process with all of its group first.
    """
    environment = dict(program.environment)
    with contextlib.ExitStack() as stack:
        descriptors: tuple[int, ...] = ()
        if len(program.args) <= ARGS_IN_ENVIRONMENT_BYTES:
            text = program.args.decode()
            environment |= {"TRELLIS_ARGS": text, "RETOMA_ARGS": text}
        else:
            # The file has no name, so that nothing of it is left when this process is killed.
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(program.args)
            file.flush()
            file.seek(0)
            descriptors = (file.fileno(),)
            environment["RETOMA_ARGS_FILE"] = f"/dev/fd/{file.fileno()}"
        try:
            process = subprocess.Popen(  # noqa: S603 (what is run was listed by the flow's user, and no shell reads it)
                [program.command, *program.arguments],
                cwd=program.directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, pass_fds=descriptors, process_group=0,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            return Came(outcome="failed", text=_not_started(program.command, error))
        return _Running(process, stack, program.mask).came(program.timeout_s)


def run_tool(
    tool: Tool,
    args: Json,
    *,
    key: str,
    session: str,
    directory: Path,
    environment: Mapping[str, str],
    mask: Mask,
) -> Came:
    """Call a tool that may be called, and return what came of it, without the secrets of `mask` and the tool's own.

    `environment` is all that it has of this process's. `key` is its idempotency key.
    """
    from retoma.model.veil import names_secret

    seen = {**environment, **tool.env}
    return run(
        Program(
            command=tool.command,
            arguments=tool.args,
            directory=directory,
            environment={**seen, "RETOMA_IDEMPOTENCY_KEY": key, "RETOMA_SESSION": session},
            args=encode(args),
            timeout_s=tool.timeout_s,
            mask=mask.also(value for name, value in seen.items() if names_secret(name)),
        )
    )


class _Running:
    """A process under way. What it writes is read as it comes, and no more of it kept than is wanted."""

    def __init__(self, process: subprocess.Popen[bytes], stack: contextlib.ExitStack, mask: Mask) -> None:
        self._process = process
        self._mask = mask
        self._out = bytearray()
        self._err = bytearray()
        self._cut = False
        self._too_much = False
        self._selector = stack.enter_context(selectors.DefaultSelector())
        for pipe, kept in ((process.stdout, self._out), (process.stderr, self._err)):
            assert pipe is not None, "both are pipes"
            stack.enter_context(pipe)
            self._selector.register(pipe, selectors.EVENT_READ, kept)

    def came(self, timeout_s: float | None) -> Came:
        try:
            in_time = self._wait(timeout_s)
            if not in_time or self._too_much:
                self._end()
        except BaseException:
            self._end()
            raise
        if self._too_much:
            return self._failed(f"it wrote more than {MAX_OUTPUT_BYTES >> 20} MiB", ended=True)
        if not in_time:
            return self._failed(f"it took longer than {timeout_s:g} s and was ended", ended=True)
        status = self._process.returncode
        if status:
            return self._failed(_ended(status), ended=status < 0)
        return Came(outcome="done", result=self._mask.value(read_output(bytes(self._out))))

    def _wait(self, timeout_s: float | None) -> bool:
        """Read until the process is gone; False when the time is over first."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        gone_at = None
        while self._selector.get_map() or self._process.poll() is None:
            now = time.monotonic()
            if self._process.poll() is not None:
                # A child that it left behind may hold the pipes for ever.
                gone_at = gone_at or now
                if now - gone_at > _PIPES_AFTER_EXIT_S:
                    return True
            elif deadline is not None and now >= deadline:
                return False
            if self._too_much:
                return True
            self._read(_LOOK_S if deadline is None else min(_LOOK_S, max(deadline - now, 0.001)))
        return True

    def _read(self, within_s: float) -> None:
        if not self._selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(within_s)
            return
        for key, _ in self._selector.select(within_s):
            chunk = os.read(key.fd, 64 << 10)
            kept: bytearray = key.data
            if not chunk:
                self._selector.unregister(key.fileobj)
            elif kept is self._err:
                kept += chunk
                self._cut |= len(kept) > END_OF_ERRORS_BYTES
                del kept[:-END_OF_ERRORS_BYTES]
            elif len(kept) + len(chunk) > MAX_OUTPUT_BYTES:
                self._too_much = True
            else:
                kept += chunk

    def _end(self) -> None:
        """End the whole group: asked first, then killed."""
        try:
            self._signal(signal.SIGTERM)
            until = time.monotonic() + ENDS_WITHIN_S
            while self._lives() and time.monotonic() < until:
                self._read(_LOOK_S)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _lives(self) -> bool:
        """Return whether anything of the group is still there."""
        self._process.poll()
        try:
            os.killpg(self._process.pid, 0)
        except OSError:
            return self._process.returncode is None
        return True

    def _signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, number)

    def _failed(self, why: str, *, ended: bool) -> Came:
        """Return why it failed, with the end of its errors; a tool that was `ended` may have been amid a word."""
        said = bytes(self._err).decode(errors="replace").strip()
        said = self._mask.piece(said, head=self._cut, tail=ended)
        return Came(outcome="failed", text=f"{why}: {said}" if said else f"{why}.")


def read_output(data: bytes) -> Json:
    """Return what a tool's output says: the JSON object or array that it is, else its text."""
    text = data.decode("utf-8-sig", errors="replace").strip()
    if text[:1] in ("{", "["):
        try:
            return decode_exact(text)
        except Invalid:
            return text
    return text


def _ended(status: int) -> str:
    if status > 0:
        return f"exit status {status}"
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"


def _not_started(command: str, error: Exception) -> str:
    match error:
        case FileNotFoundError():
            hint = " Put its arguments in 'args'." if " " in command else ""
            return f"there is no program '{command}'.{hint}"
        case PermissionError():
            return f"'{command}' may not be executed (chmod +x)."
        case OSError():
            return f"'{command}' does not start: {error.strerror}."
        case _:
            return f"'{command}' does not start: {error}."
