"""What was said: a role and text."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

from retoma.errors import Invalid

Role: TypeAlias = Literal["user", "assistant", "system", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation. `sender` is a name within the role: the flow's node, an agent, a session."""

    seq: int
    at: int
    role: str
    text: str
    sender: str = ""
    epoch: int = 1


def role(text: str) -> Role:
    """Return `text` as a role. Raises Invalid listing the roles."""
    if text not in ROLES:
        raise Invalid(f"{text!r} is not a role.", code="bad_role", hint=f"Roles: {', '.join(ROLES)}.")
    return text
