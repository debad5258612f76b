"""A job of many steps that survives being killed: `python long_job.py SESSION STEPS`.

Run it, press Ctrl+C or kill it anywhere, and run it again: it goes on with the first step that is not in the journal.
"""

from __future__ import annotations

import sys

from retoma.client import open_client
from retoma.config import load_settings
from retoma.errors import Conflict
from retoma.model.session import NewSession


def work(step: int) -> str:
    """The work itself: here, a sum that takes a moment."""
    return f"step {step}: {sum(n * n for n in range(20_000 + step))}"


def main(session: str, steps: int) -> None:
    with open_client(load_settings()) as client:
        try:
            client.create(NewSession(id=session, title="A long job"))
        except Conflict:
            print(f"{session} goes on.")
        done = len(client.messages(session))
        for step in range(done + 1, steps + 1):
            # The key makes the step count once, even when the answer to the write was lost and it is sent again.
            client.append(session, "assistant", work(step), key=f"{session} step {step}")
            print(f"step {step} of {steps} is done", flush=True)
        if client.get(session).status == "active":
            client.change(session, "completed")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
