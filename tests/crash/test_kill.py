"""`retoma run`, killed with SIGKILL at any moment: what was acknowledged is there, once; the next run goes on there.

The full count is 200 (`make crash`); a plain run does a seeded tenth and prints the seed.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

pytestmark = pytest.mark.alone

TOUR = Path(__file__).parents[2] / "examples/tour"
TRIALS = 200
FULL = bool(os.environ.get("RETOMA_CRASH_FULL"))
SEED = int(os.environ.get("RETOMA_CRASH_SEED", "0")) or random.randrange(1 << 30)


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    directory = tmp_path / "loop"
    directory.mkdir()
    (directory / "start.md").write_text("---\nto: ask\n---\nBegin.\n")
    (directory / "ask.md").write_text(
        "---\ntype: question\nsave_to: last\nto: said\n---\nLast was {{ .last }}.\n"
    )
    (directory / "said.md").write_text("---\nto: ask\n---\nYou said {{ .last }}.\n")
    return directory


@pytest.fixture
def life_s(tmp_path: Path) -> float:
    """Return how long a run may live before it is killed: twice as long as one takes here, now, to ask."""
    run, began = Run(tmp_path / "measured", TOUR), time.monotonic()
    assert run.until_asked()
    run.end()
    return 2 * (time.monotonic() - began)


def command(store: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "retoma", "--store", str(store), *args]


class Run:
    """One `retoma run --json`, fed one answer at a time, until it is killed."""

    def __init__(self, store: Path, flow: Path, session: str = "s") -> None:
        self.process = subprocess.Popen(
            command(store, "run", str(flow), "--session", session, "--json"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.shown: list[dict[str, object]] = []

    def until_asked(self) -> bool:
        """Read up to the next request for input; False when the process is gone."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith(b"\n"):
                return False
            self.shown.append(msgspec.json.decode(line))
            if self.shown[-1]["type"] == "request_input":
                return True
        return False

    def kill_within(self, seconds: float) -> None:
        threading.Timer(seconds, self.process.send_signal, [signal.SIGKILL]).start()

    def node(self) -> str:
        """Return the node that asks, or "over"."""
        return str(self.shown[-1]["node"]) if self.shown[-1]["type"] == "request_input" else "over"

    def send(self, text: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text.encode() + b"\n")
            self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


def journal(store: Path, session: str = "s") -> list[str]:
    log = subprocess.run(
        command(store, "session", "log", session, "--json", "--type", "flow.input"),
        capture_output=True,
        check=True,
    )
    return [event["data"]["input"] for event in msgspec.json.decode(log.stdout)["items"]]


def test_no_acknowledged_input_is_lost_or_doubled(
    tmp_path: Path, flow: Path, life_s: float, tell: Callable[[str], None]
) -> None:
    trials = TRIALS if FULL else TRIALS // 20
    chance = random.Random(SEED)
    store = tmp_path / "store"
    acknowledged: list[str] = []
    sent: str | None = None
    lost = doubled = wrong = landed = 0
    number = 0
    for trial in range(trials):
        run = Run(store, flow)
        # A kill at a random moment of the process's life: while it starts, reads, writes or answers.
        run.kill_within(chance.uniform(0.0, life_s))
        first = True
        while run.until_asked():
            if first:
                held = inputs_of(run, acknowledged, sent)
                wrong += held is None
                if held:
                    landed += 1
                    acknowledged.append(str(sent))
                first = False
            elif sent is not None:
                acknowledged.append(sent)
            number += 1
            sent = f"answer {trial}.{number}"
            run.send(sent)
        run.end()
    kept = journal(store) if acknowledged or sent else []
    extra = kept[len(acknowledged) :]
    lost = sum(answer not in kept for answer in acknowledged)
    doubled = len(kept) - len(set(kept))
    tell(
        f"kill -9 while running: {trials} trials, seed {SEED}, {len(acknowledged)} acknowledged inputs, "
        f"{landed} that landed unseen, lost {lost}, doubled {doubled}, resumed elsewhere {wrong}"
    )
    assert (lost, doubled, wrong) == (0, 0, 0)
    assert kept[: len(acknowledged)] == acknowledged
    assert extra in ([], [sent])
    assert acknowledged, "no input was acknowledged in any trial: the test saw nothing"


def inputs_of(run: Run, acknowledged: list[str], sent: str | None) -> bool | None:
    """Return whether the input under way at the kill had been kept; None when the resume is at another point."""
    content = str(next(line["content"] for line in run.shown[::-1] if line["type"] == "render"))
    before = acknowledged[-1] if acknowledged else ""
    if sent is not None and content == f"Last was {sent}.":
        return True
    return False if content == f"Last was {before}." else None


NEXT: dict[str, Callable[[str], str]] = {
    "start": lambda _: "roads",
    "roads": lambda road: {"1": "colour", "2": "scenic"}[road],
    "scenic": lambda _: "colour",
    "colour": lambda _: "keep",
    "keep": lambda keep: {"no": "colour", "yes": "over"}[keep],
}
"""Where each answer leads in examples/tour, from one question to the next."""


class Tour:
    """A walker of the tour who knows what was acknowledged, and where that leads."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.acknowledged: list[str] = []
        self.at = "start"
        self.sent: str | None = None
        self.elsewhere = 0

    def sees(self, node: str) -> None:
        """What is asked after an answer acknowledges it; on resuming, tells whether the answer under way had landed."""
        leads_to = self.at if self.sent is None else NEXT[self.at](self.sent)
        if self.sent is not None and node == leads_to:
            self.acknowledged.append(self.sent)
            self.at = node
        elif node != self.at:
            self.elsewhere += 1
        self.sent = None

    def answer(self, chance: random.Random) -> str:
        choices = {"roads": ["1", "2"], "scenic": [""], "keep": ["no", "no", "yes"]}
        self.sent = chance.choice(choices.get(self.at) or [f"blue {chance.random()}"])
        return self.sent


def test_the_tour_killed_at_any_moment_resumes_where_it_was(
    tmp_path: Path, life_s: float, tell: Callable[[str], None]
) -> None:
    trials = TRIALS if FULL else TRIALS // 20
    chance = random.Random(SEED)
    store = tmp_path / "store"
    walks = [Tour("my-experiment")]
    for _ in range(trials):
        walk = walks[-1]
        run = Run(store, TOUR, walk.session)
        run.kill_within(chance.uniform(0.0, life_s))
        while run.until_asked():
            walk.sees(run.node())
            run.send(walk.answer(chance))
        run.end()
        if run.shown and run.shown[-1]["type"] == "end":
            walk.sees("over")
            walks.append(Tour(f"my-experiment-{len(walks)}"))
    lost = doubled = 0
    for walk in walks[:-1]:
        kept = journal(store, walk.session)
        lost += len(walk.acknowledged) > len(kept)
        doubled += len(walk.acknowledged) < len(kept)
        assert kept == walk.acknowledged, walk.session
    inputs, elsewhere = sum(len(walk.acknowledged) for walk in walks), sum(walk.elsewhere for walk in walks)
    tell(
        f"kill -9 of the tour: {trials} trials, seed {SEED}, {len(walks) - 1} whole tours, "
        f"{inputs} acknowledged inputs, tours with a lost one {lost}, with a doubled one {doubled}, "
        f"resumed elsewhere {elsewhere}"
    )
    assert (lost, doubled, elsewhere) == (0, 0, 0)
    assert inputs, "no input was acknowledged in any trial: the test saw nothing"


def test_a_second_driver_is_refused_at_once_and_gets_it_when_the_first_is_killed(
    tmp_path: Path, flow: Path
) -> None:
    store = tmp_path / "store"
    first = Run(store, flow)
    assert first.until_asked()
    second = subprocess.run(
        command(store, "run", str(flow), "--session", "s", "--headless"),
        input=b"",
        capture_output=True,
        check=False,
    )
    assert second.returncode == 5
    said = second.stderr.decode()
    assert f"'s' is driven by process {first.process.pid} on " in said
    assert "just now" in said
    assert "retoma session log s" in said
    first.end()
    third = subprocess.run(
        command(store, "run", str(flow), "--session", "s", "--headless"),
        input=b"",
        capture_output=True,
        check=False,
    )
    assert third.returncode == 3
    assert b">>> Resuming at 'ask' node..." in third.stderr
