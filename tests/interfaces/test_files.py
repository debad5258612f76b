"""Files that are named on the command line: links are not followed to be written, pipes and devices keep nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from retoma.config.opened import open_file
from retoma.errors import Conflict, Unavailable
from retoma.interfaces.cli.file import write_file


def write(path: Path, *, force: bool = False) -> int:
    return write_file(path, iter([b"new"]), force=force)


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "dangling"])
def test_a_link_is_refused_and_with_force_replaced_itself(tmp_path, there):
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    with pytest.raises(Conflict, match="already"):
        write(link)
    assert link.is_symlink() and target.exists() is there
    assert write(link, force=True) == 3
    assert (link.is_symlink(), link.read_bytes()) == (False, b"new")
    assert (target.read_bytes() if target.exists() else b"") == (b"old" if there else b"")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", *(["target"] if there else [])]


def test_links_to_directories_pipes_and_themselves(tmp_path):
    (tmp_path / "directory").mkdir()
    (tmp_path / "inside").symlink_to(tmp_path / "directory")
    assert write(tmp_path / "inside" / "file") == 3  # the way to the file may be a link
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-pipe").symlink_to(tmp_path / "pipe")
    for name in ("inside", "loop", "to-pipe"):
        with pytest.raises(Conflict):
            write(tmp_path / name)
    assert write(loop, force=True) == write(tmp_path / "to-pipe", force=True) == 3
    with pytest.raises(Unavailable):
        write(tmp_path / "directory", force=True)


@pytest.mark.parametrize("force", [True, False])
def test_a_pipe_or_a_device_is_refused_as_a_target(tmp_path, force):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/tty"), Path("/dev/full")):
        with pytest.raises(Unavailable, match="is a pipe or a device"):
            write(path, force=force)
    assert write(Path("/dev/null")) == 3


def test_what_is_open_already_is_written_and_read(tmp_path):
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader:
        assert write(Path(f"/dev/fd/{write_end}")) == 3
        with open_file(Path(f"/dev/fd/{reader.fileno()}")) as again:
            writer = threading.Thread(target=lambda: (os.write(write_end, b"late"), os.close(write_end)))
            writer.start()
            assert again.read() == b"newlate"
            writer.join()


def test_a_pipe_a_device_or_a_directory_is_refused_to_be_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), Path("/dev/random")):
        with pytest.raises(OSError, match="a pipe or a device"):
            open_file(path)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"x")
    with open_file(tmp_path / "file") as file:
        assert file.read() == b"x"


def test_no_verb_waits_for_a_pipe(retoma, tmp_path):
    pipe, flow = str(tmp_path / "pipe.json"), tmp_path / "flow"
    os.mkfifo(pipe)
    flow.mkdir()
    (flow / "start.md").write_text("Hi.\n", encoding="utf-8")
    for args, said in (
        (["session", "import", pipe], "It cannot be read: it is a pipe or a device, not a file."),
        (["session", "import", str(tmp_path)], "There is no session of a tool that Retoma can import"),
        (["session", "import", "/dev/zero"], "it is a pipe or a device"),
        (["run", str(flow), "--context", f"@{pipe}"], "it is a pipe or a device"),
        (["run", str(flow), "--tools", pipe], "cannot be read"),
        (["flow", "test", str(flow), pipe], "There is no script"),
    ):
        ran = retoma(*args)
        assert ran.returncode and said in ran.stderr, (args, ran)
    retoma("session", "create", "s")
    ran = retoma("session", "export", "s", "-o", pipe, "--force")
    assert (ran.returncode, "is a pipe or a device" in ran.stderr) == (1, True)


def test_standard_input_by_its_name_is_imported(retoma, store, tmp_path):
    retoma("session", "create", "s")
    kept = retoma("session", "export", "s").stdout
    other = tmp_path / "other"
    for name in ("-", "/dev/stdin"):
        ran = retoma("session", "import", name, input=kept, at=other)
        assert ran.returncode == 0, ran
    command = [
        sys.executable,
        "-m",
        "retoma",
        "--store",
        str(store),
        "session",
        "export",
        "s",
        "-o",
        "/dev/stdout",
    ]
    assert subprocess.run(command, capture_output=True, check=True).stdout.decode() == kept
