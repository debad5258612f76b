"""A run that is killed while its tools run: each call is made again with its key until its result is journalled.

The full count is 200 (`make crash`); a plain run does a seeded twentieth and prints the seed.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.crash.trials import FULL, SEED, client_at, count

from retoma.model import event as kinds

pytestmark = pytest.mark.alone

TRIALS = 200
TOOL = """
import json, os, time
file = os.open("runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(file, (os.environ["RETOMA_IDEMPOTENCY_KEY"] + "\\n").encode())
os.fsync(file)
time.sleep(0.03)
print(json.dumps({"n": len(os.environ["RETOMA_ARGS"])}))
"""


class Kept(NamedTuple):
    """What the journal says after a kill: keys with a result, and the key of the call that waits for one."""

    settled: set[str]
    pending: str
    asked: list[str]
    over: bool


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """Three tools, then one that fails, so that two are undone."""
    directory = tmp_path / "chain"
    directory.mkdir()
    (directory / "tool.py").write_text(TOOL)
    run = f"command: {sys.executable}, args: [-I, -S"
    (directory / "tools.yaml").write_text(
        f"tools:\\n- {{name: note, {run}, tool.py]}}\\n- {{name: fail, {run}, -c, 'raise SystemExit(1)']}}\\n".replace(
            "\\n", "\n"
        )
    )
    undo = "undo: {name: note, args: {back: '{{ .sys.ans }}'}}\n"
    (directory / "start.md").write_text(f"---\ndo: note\n{undo}to: second\n---\nOne.\n")
    (directory / "second.md").write_text(f"---\ndo: {{name: note, args: {{n: 2}}}}\n{undo}to: third\n---\n")
    (directory / "third.md").write_text("---\ndo: note\nto: last\n---\n")
    (directory / "last.md").write_text("---\ndo: fail\non_error: rollback\n---\n")
    return directory


def begun(store: Path, flow: Path, session: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "retoma", "--store", str(store), "run", str(flow), "--session", session, "--headless"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def runs(flow: Path) -> Counter[str]:
    file = flow / "runs"
    return Counter(file.read_text().split() if file.exists() else [])


def wait_for_orphans(flow: Path) -> None:
    """Wait until no tool runs any more whose run was killed: it would still write its key."""
    while any(
        links_to(process / "cwd", flow) for process in Path("/proc").iterdir() if process.name.isdigit()
    ):
        time.sleep(0.01)


def links_to(link: Path, target: Path) -> bool:
    try:
        return link.readlink() == target
    except OSError:
        return False


def kept(store: Path, session: str) -> Kept:
    with client_at(store / "retoma.db") as client:
        if client.get(session) is None:
            return Kept(set(), "", [], over=False)
        events = list(client.events(session))
        call = client.position(session).position.call
        assert client.check().damage == []
        return Kept(
            {event.value()["key"] for event in events if event.type == kinds.TOOL_RESULT},
            call.key if call is not None else "",
            [event.value()["key"] for event in events if event.type == kinds.TOOL_CALL],
            over=client.get(session).status == "failed",
        )


def test_a_tool_is_called_until_its_result_is_journalled_and_never_after(
    tmp_path: Path, flow: Path, tell: Callable[[str], None]
) -> None:
    trials, chance, store = count(TRIALS), random.Random(SEED), tmp_path / "store"
    began = time.monotonic()
    assert begun(store, flow, "whole").wait() == 1
    life_s = time.monotonic() - began
    assert sorted(runs(flow).values()) == [1] * 5
    (flow / "runs").unlink()
    number = again = doubled = unasked = 0
    settled: Counter[str] = Counter()
    for _ in range(trials):
        session = f"s{number}"
        process = begun(store, flow, session)
        time.sleep(chance.uniform(0.3, 1.0) * life_s)
        process.kill()
        process.wait()
        wait_for_orphans(flow)
        found, counted = kept(store, session), runs(flow)
        # What had a result at an earlier kill was not run since.
        doubled += sum(counted[key] != times for key, times in settled.items())
        settled.update({key: counted[key] for key in found.settled - settled.keys() if key in counted})
        if found.over:
            number += 1
        elif found.pending and counted[found.pending]:
            again += 1
    for session in (f"s{one}" for one in range(number + 1)):
        while not (found := kept(store, session)).over:
            before, pending = runs(flow), found.pending
            assert begun(store, flow, session).wait() == 1
            if pending and pending not in found.settled and before[pending]:
                assert runs(flow)[pending] > before[pending]
        assert len(set(found.asked)) == len(found.asked) == 6
        assert found.settled == set(found.asked)
        unasked += sum(runs(flow)[key] == 0 for key in found.asked[:3])
    doubled += sum(runs(flow)[key] != times for key, times in settled.items())
    tell(
        f"kill -9 while tools run: {trials} trials, seed {SEED}, {number + 1} whole flows, {len(settled)} results "
        f"journalled before a kill, {again} calls cut in the middle and made again, settled ones run again {doubled}, "
        f"never run {unasked}"
    )
    assert (doubled, unasked) == (0, 0)
    assert again or not FULL, "no tool was cut in any trial: the test saw nothing"
