"""Save and restore the sessions of a conversation: `python persisting_sessions.py [STEP…]`.

Each step opens the store anew, as a program does that was closed and started again. Without a step, all are taken:
`create`, `resume`, `history`, `list`, `delete`.
"""

from __future__ import annotations

import sys

import retoma

CONVERSATION = "user-123-conversation"


def create() -> None:
    """Make a session with an id that can be remembered."""
    with retoma.open() as client:
        session = client.create(CONVERSATION, model="openai:gpt-5", tags=["docs"])
        session.append("user", "Let's discuss TypeScript generics")
        print(f"Session created: {session.id}")
        session.disconnect()  # lets go of it; everything stays on the disk


def resume() -> None:
    """Take it up again. A session that is not there is an error, and a suspended one is active again."""
    with retoma.open() as client:
        try:
            session = client.resume(CONVERSATION)
        except retoma.NotFound as error:
            print(error)
            return
        print(f"Session resumed: {session.id}, {session.message_count} message(s)")
        session.append("user", "What were we discussing?")
        session.disconnect()


def history() -> None:
    """Read what was said."""
    with retoma.open() as client:
        for message in client.session(CONVERSATION).messages():
            print(f"[{message.role}] {message.text}")


def listing() -> None:
    """See which sessions there are."""
    with retoma.open() as client:
        for session in client.list(tags=["docs"]):
            print(f"Session: {session.id} ({session.status})")


def delete() -> None:
    """Remove the session and all its data from the disk."""
    with retoma.open() as client:
        client.delete(CONVERSATION)
        print(f"Session deleted: {client.get(CONVERSATION) is None}")


STEPS = {"create": create, "resume": resume, "history": history, "list": listing, "delete": delete}

if __name__ == "__main__":
    for step in sys.argv[1:] or STEPS:
        STEPS[step]()
