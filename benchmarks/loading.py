"""Row flows: a large flow loaded, and one changed file taken up by the session that runs it.

Loading is held against reading the same files and parsing what they say as YAML with the C loader.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from functools import partial
from pathlib import Path

import yaml

from benchmarks.harness import Figure, Run, Watch, emptied, interleaved
from benchmarks.stores import SESSION, place_in
from retoma import flows
from retoma.commands.flow import RunFlow
from retoma.commands.opened import opened_at
from retoma.runtime import watch
from retoma.runtime.drive import Drive, Request
from retoma.runtime.reload import Settling

ROW = "flows"
_A_PART = 100


def measure(run: Run) -> list[Figure]:
    """Measure wall time, the files in the system's cache."""
    count = run.scale.nodes
    flow = write_flow(emptied(run.disk / "large"), count)
    ours, bare = interleaved(run.rounds, partial(_load, flow), partial(_raw, flow))
    looks = interleaved(run.rounds, partial(_look, flow))[0]
    request = Request(directory=flow, session=SESSION)
    edits = (partial(_reword, flow), partial(_relink, flow, count))
    place = place_in(emptied(run.disk / "large-store"))
    # An edit is taken up by the drive itself, as `run --watch` does: no name of the client's stands for it.
    with opened_at(place) as store, RunFlow(request=request).run(store) as drive:
        settling = Settling(flows.Directory(flow), drive.found)
        settling.look()
        settling.look()
        reworded, relinked = interleaved(
            run.rounds, *(partial(_reload, settling, drive, edit) for edit in edits)
        )
        with watch.Watch(flow, drive.found) as watching:
            waits = [partial(_wait, watching, drive, edit) for edit in edits]
            waited, waited_long = interleaved(run.rounds, *waits)
    what = f"a flow of {count:,} nodes"
    return [
        Figure(ROW, f"load and check {what}", "ms", _ms(ours), _ms(bare)),
        Figure(ROW, f"load and check {what}, time", "ms", _ms(ours), target=1_000),
        Figure(ROW, f"one look at {what}", "ms", _ms(looks)),
        Figure(ROW, f"a text of {what}, from settled to taken up", "ms", _ms(reworded), target=50),
        Figure(ROW, f"a target of {what}, from settled to taken up", "ms", _ms(relinked), target=50),
        Figure(ROW, f"a text of {what}, from written to taken up", "ms", _ms(waited), target=150),
        Figure(ROW, f"a target of {what}, from written to taken up", "ms", _ms(waited_long), target=150),
    ]


def write_flow(directory: Path, count: int) -> Path:
    """Write a flow of `count` nodes of four kinds, each leading to the next; return its directory."""
    for n in range(count):
        file = directory / f"{_name(n)}.md"
        file.parent.mkdir(exist_ok=True)
        file.write_text(_node(n, count), encoding="utf-8")
    return directory


def _name(n: int) -> str:
    return f"part{n // _A_PART:03}/node{n:05}" if n else "start"


def _node(n: int, count: int) -> str:
    following = _name((n + 1) % count)
    match n % 4:
        case 0:
            head = f"type: question\nsave_to: answer{n}\nto: {following}\n"
        case 1:
            back = _name(max(0, n - 7))
            head = f"options:\n  - {{text: Go on, to: {following}}}\n  - {{text: Back, to: {back}}}\n"
        case 2:
            way = f"  - condition: input > 10 and context.n{n} != null\n    to: {_name(n * 7919 % count)}\n"
            head = f"input_type: int\nsave_to: n{n}\ntransitions:\n{way}to: {following}\n"
        case _:
            head = f"default_context:\n  seen{n}: true\nto: {following}\n"
    shown = (
        f"# Node {n}\n\nHello {{{{ .answer{n - n % 4} }}}}, this says what comes next. " + "And more. " * 12
    )
    return f"---\n{head}---\n{shown}\n"


def _load(flow: Path) -> float:
    with Watch() as watch:
        flows.check(flows.load(flow))
    return watch.wall_s


def _raw(flow: Path) -> float:
    with Watch() as watch:
        for file in sorted(flow.rglob("*.md")):
            head, _ = file.read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n", 1)
            yaml.load(head, Loader=yaml.CSafeLoader)
    return watch.wall_s


def _look(flow: Path) -> float:
    with Watch() as watch:
        flows.Directory(flow).look()
    return watch.wall_s


def _reload(settling: Settling, drive: Drive, edit: Callable[[], str]) -> float:
    """Return what it takes from when a change has settled, looked at last, until the session has the new version."""
    settling.glance([edit()])
    assert not settling.prepare(), "nothing else was edited"
    with Watch() as timed:
        found = settling.look(whole=False)
        assert found is not None, "the edit settled"
        reload = drive.reload(found)
    assert reload.taken, reload.sentence
    return timed.wall_s


def _wait(watching: watch.Watch, drive: Drive, edit: Callable[[], str]) -> float:
    """Return what it takes from the write until the session has the new version, with what a change takes to settle."""
    edit()
    with Watch() as timed:
        select.select([watching], [], [])
        found = watching.take()
        assert found is not None, "the watch said so"
        reload = drive.reload(found)
    assert reload.taken, reload.sentence
    return timed.wall_s


def _reword(flow: Path) -> str:
    name = f"{_name(7)}.md"
    file = flow / name
    file.write_text(file.read_text(encoding="utf-8") + "And again.\n", encoding="utf-8")
    return name


def _relink(flow: Path, count: int) -> str:
    name = f"{_name(4)}.md"
    file = flow / name
    text = file.read_text(encoding="utf-8")
    ways = [f"to: {_name(n % count)}\n" for n in (5, 6)]
    old, new = ways if ways[0] in text else reversed(ways)
    file.write_text(text.replace(old, new), encoding="utf-8")
    return name


def _ms(seconds: list[float]) -> list[float]:
    return [1e3 * one for one in seconds]
