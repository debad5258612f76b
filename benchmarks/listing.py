"""Row 5: 50 of very many sessions, by what people list them by; against the same rows by the same index, by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from typing import Any

import retoma
from benchmarks.harness import Figure, Run, Watch, emptied, interleaved
from benchmarks.stores import fill_labelled, opened, place_in

ROW = 5
_PAGE = 50
_TAGGED = "FROM session_tag o JOIN session ON pk = session WHERE o.tenant = 1 AND tag = '{}' AND shelf = 0"
_LINKED = """FROM session_context o JOIN session ON pk = session
WHERE o.tenant = 1 AND kind = 'repository' AND ref = '{}' AND shelf = 0"""
_ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "recency": ({}, "FROM session WHERE tenant = 1 AND shelf = 0"),
    "status": (
        {"status": "suspended"},
        "FROM session WHERE tenant = 1 AND shelf = 0 AND status = 'suspended'",
    ),
    "a common tag": ({"tags": ["common"]}, _TAGGED.format("common")),
    "a rare tag": ({"tags": ["rare"]}, _TAGGED.format("rare")),
    "a common context": ({"contexts": {"repository": "common"}}, _LINKED.format("common")),
    "a rare context": ({"contexts": {"repository": "rare"}}, _LINKED.format("rare")),
}
_COLUMNS = """pk, id, uid, status, reason, title, agent, model, thinking, channel, parent, epoch, head_seq, head_hash,
messages, tokens_in, tokens_out, tokens_cached, cost_micros, created_at, updated_at, expires_at, {o}pinned, shelf,
trashed_at, flow, flow_path, flow_version, flow_node, flow_status, flow_visits, {o}listed_at"""


def measure(run: Run) -> list[Figure]:
    """Measure the wall time of one page, in process, on the disk."""
    place = place_in(emptied(run.disk / "labelled"))
    fill_labelled(place, run.scale.listed)
    figures = []
    with (
        opened(place) as client,
        closing(sqlite3.connect(str(place.path), isolation_level=None)) as raw,
    ):
        for name, (asked, source) in _ASKED.items():
            arms = [
                partial(_repeated, run.scale.resumes, arm)
                for arm in (_ours(client, asked), _raw(raw, source))
            ]
            mine, bare = interleaved(run.rounds, *arms)
            what = f"list {_PAGE} of {run.scale.listed:,} by {name}"
            figures += [
                Figure(ROW, what, "µs", [1e6 * one for one in mine], [1e6 * one for one in bare], 3),
                Figure(ROW, f"{what}, time", "ms", [1e3 * one for one in mine], target=5),
            ]
    return figures


def _ours(client: retoma.Client, asked: Mapping[str, Any]) -> Callable[[], int]:
    return lambda: len(client.list(**asked, limit=_PAGE).items)


def _raw(connection: sqlite3.Connection, source: str) -> Callable[[], int]:
    o = "o." if " o " in source else ""
    text = f"SELECT {_COLUMNS.format(o=o)} {source} ORDER BY {o}pinned DESC, {o}listed_at DESC, pk DESC LIMIT {_PAGE}"
    return lambda: len(connection.execute(text).fetchall())


def _repeated(times: int, arm: Callable[[], int]) -> float:
    """Return the seconds that one took."""
    with Watch() as watch:
        for _ in range(times):
            assert arm() > 0
    return watch.wall_s / times
