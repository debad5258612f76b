"""A flow that a program answers: `python answer_a_flow.py FLOW SESSION [ANSWER…]`.

It stops when it has no more answers; the next call goes on with the question that is open.
"""

from __future__ import annotations

import sys
from pathlib import Path

from retoma.client import open_client
from retoma.config import load_settings
from retoma.runtime.drive import Request


def main(flow: str, session: str, *answers: str) -> None:
    with (
        open_client(load_settings()) as client,
        client.drive(Request(directory=Path(flow), session=session)) as drive,
    ):
        for answer in answers:
            if drive.over:
                break
            drive.send(answer)
        for visit in drive.shown:
            print(visit.content)
        if drive.prompt is not None:
            print(f"waits at '{drive.prompt.node}'")
        print(f"history: {' → '.join(drive.history)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
