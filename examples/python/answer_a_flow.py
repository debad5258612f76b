"""A flow that a program answers: `python answer_a_flow.py FLOW SESSION [ANSWER…]`.

It stops when it has no more answers; the next call goes on with the question that is open.
"""

from __future__ import annotations

import sys

import retoma


def main(flow: str, session: str, *answers: str) -> None:
    with retoma.open() as client, client.run_flow(flow, session) as run:
        for answer in answers:
            if run.ended:
                break
            run.send(answer)
        for visit in run.shown:
            print(visit.content)
        if run.prompt is not None:
            print(f"waits at '{run.prompt.node}'")
        print(f"history: {' → '.join(run.history)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
