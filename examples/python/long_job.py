"""A job of many steps that survives being killed: `python long_job.py SESSION STEPS`.

Run it, press Ctrl+C or kill it anywhere, and run it again: it goes on with the first step that is not in the journal.
"""

from __future__ import annotations

import sys

import retoma


def work(step: int) -> str:
    """The work itself: here, a sum that takes a moment."""
    return f"step {step}: {sum(n * n for n in range(20_000 + step))}"


def main(name: str, steps: int) -> None:
    with retoma.open() as client:
        session = client.get_or_create(name, title="A long job")
        done = session.message_count
        if done:
            print(f"{name} goes on.")
        for step in range(done + 1, steps + 1):
            # The key makes the step count once, even when the answer to the write was lost and it is sent again.
            session.append("assistant", work(step), key=f"{name} step {step}")
            print(f"step {step} of {steps} is done", flush=True)
        if session.status == "active":
            session.end()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
