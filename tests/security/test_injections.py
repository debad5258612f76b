"""Templates, conditions and files that would run code, or take more than their time or memory: none does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
ATTACK, CORPUS = HERE / "attack.py", HERE / "injections.jsonl"
CPU_S, PEAK_MB = 1.0, 50.0
LOOPS, LOOPS_S = 1_000_000, 0.16
"""A loop of a million rounds, and the processor's time that it took where the bound of a second was measured."""


def slower() -> float:
    """How many times slower this machine is now than that one; 1 at least."""
    began, total = time.process_time(), 0
    for number in range(LOOPS):
        total += number * number % 7
    return max(1.0, (time.process_time() - began) / LOOPS_S)


def attacked(corpus: Path) -> list[dict]:
    done = subprocess.run(
        [sys.executable, str(ATTACK), str(corpus)], capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_injection_runs_code_or_takes_more_than_a_second_or_50_mb():
    found = attacked(CORPUS)
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    assert len(found) == len(lines) == len(set(lines)) >= 500
    kinds = Counter(one["in"] for one in found)
    assert min(kinds[kind] for kind in ("template", "condition", "yaml")) >= 100
    assert kinds.keys() == {"template", "condition", "yaml", "json", "markdown", "input", "context"}
    cpu_s = CPU_S * slower()
    bad = [one for one in found if one["wrong"] or one["cpu_s"] > cpu_s or one["peak_mb"] > PEAK_MB]
    assert [(one, lines[one["line"] - 1][:200]) for one in bad] == []


def test_what_is_to_be_caught_is_caught(tmp_path):
    tries = ["exec", "open", "memory", "time", "crash", "leak", "deep"]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"in": "proof", "text": one}) + "\n" for one in tries))
    found = dict(zip(tries, attacked(corpus), strict=True))
    assert {one: found[one]["wrong"].split(" ")[0] for one in ("exec", "open", "crash", "leak", "deep")} == {
        "exec": "Caught:",
        "open": "Caught:",
        "crash": "it",
        "leak": "it",
        "deep": "RecursionError:",
    }
    assert found["memory"]["peak_mb"] > PEAK_MB
    assert found["time"]["cpu_s"] > CPU_S
