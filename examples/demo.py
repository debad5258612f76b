"""The main job, shown: a flow in a durable session, killed in the middle with SIGKILL and taken up again.

On a terminal it is yours to answer; without one the answers are scripted and the kill is real. `make demo` runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FLOW = HERE / "tour"
SESSION = "demo"
BEFORE = ("Ana", "2")  # name, road
AFTER = ("", "green", "yes")  # walk on, colour, keep
RULE = "─" * 60


def retoma(store: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "retoma", "--store", str(store), *args]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="retoma-demo-") as place:
        store = Path(place)
        print(f"\nA flow in a durable session: examples/tour, session {SESSION}\n{RULE}", flush=True)
        if sys.stdin.isatty() and sys.stdout.isatty():
            return interactive(store)
        return scripted(store)


def interactive(store: Path) -> int:
    run = retoma(store, "run", str(FLOW), "--session", SESSION)
    print("Answer, or press Ctrl+C anywhere: it is taken up again where it stood.\n", flush=True)
    while True:
        process = subprocess.Popen(run)
        while True:
            try:
                status = process.wait()
                break
            except KeyboardInterrupt:
                continue  # the run itself got it too, and says where it stands
        if status == 0:
            break
        try:
            input("Press Enter to take it up again (Ctrl+C leaves the demo). ")
        except (KeyboardInterrupt, EOFError):
            print()
            return 0
    return show(store, kills=0)


def scripted(store: Path) -> int:
    run = retoma(store, "run", str(FLOW), "--session", SESSION)
    process = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdin is not None and process.stdout is not None
    for answer in BEFORE:
        echo(process)
        print(answer)
        process.stdin.write(answer.encode() + b"\n")
        process.stdin.flush()
    echo(process)
    process.kill()
    process.wait()
    print(
        f"\n{RULE}\nKilled with SIGKILL while it waited at the third question. The same command again:\n{RULE}",
        flush=True,
    )
    done = subprocess.run(run, input="\n".join(AFTER) + "\n", text=True, capture_output=True, check=False)
    print(done.stderr.splitlines()[1] if done.returncode == 0 else done.stderr)
    print(done.stdout.rstrip())
    return show(store, kills=1) if done.returncode == 0 else 1


def echo(process: subprocess.Popen[bytes]) -> None:
    """Print what the run prints up to its next prompt."""
    assert process.stdout is not None
    seen = b""
    while not (seen.endswith(b"> ") and not seen.endswith(b">> ")):
        chunk = os.read(process.stdout.fileno(), 4096)
        if not chunk:
            break
        seen += chunk
    sys.stdout.write(seen.decode())
    sys.stdout.flush()


def show(store: Path, *, kills: int) -> int:
    import msgspec

    log = subprocess.run(
        retoma(store, "session", "log", SESSION, "--json", "--type", "flow.input"),
        capture_output=True,
        check=True,
    )
    inputs = [event["data"]["input"] for event in msgspec.json.decode(log.stdout)["items"]]
    print(RULE)
    if kills:
        lost = sum(answer not in inputs for answer in (*BEFORE, *AFTER))
        doubled = len(inputs) - len(BEFORE + AFTER)
        print(f"{len(inputs)} inputs, {kills} kill, {lost} lost, {doubled} asked twice.")
        if lost or doubled:
            return 1
    print("Try it yourself:  .venv/bin/retoma run examples/tour --session my-experiment")
    print("                  .venv/bin/retoma session ls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
