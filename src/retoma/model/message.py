"""What was said: a role, and text or parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias, get_args

import msgspec

from retoma.errors import Invalid
from retoma.model.codec import Json, JsonField, NameField
from retoma.model.instant import Instant
from retoma.model.plain import Mapped

Tokens: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Role: TypeAlias = Literal["user", "assistant", "system", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)


class Text(msgspec.Struct, Mapped, frozen=True, tag="text", forbid_unknown_fields=True):
    """Said aloud.

    >>> session.append("assistant", [retoma.types.Text("Those of March."), retoma.types.Text("By date.")])
    2
    >>> session.messages()[0].text
    'Those of March.\\nBy date.'
    """

    text: str


class Reasoning(msgspec.Struct, Mapped, frozen=True, tag="reasoning", forbid_unknown_fields=True):
    """Thought, not said: kept, and left out of the conversation as it is read.

    >>> session.append("assistant", [retoma.types.Reasoning("Look at dates."), retoma.types.Text("March.")])
    2
    >>> session.messages()[0].text
    'March.'
    """

    text: str


class Image(msgspec.Struct, Mapped, frozen=True, tag="image", forbid_unknown_fields=True, omit_defaults=True):
    """A picture, by the reference of an artifact.

    >>> session.append("user", [retoma.types.Text("What is this?"), retoma.types.Image("scan-1", "image/png")])
    2
    """

    artifact: str
    mime: str = ""


class File(msgspec.Struct, Mapped, frozen=True, tag="file", forbid_unknown_fields=True, omit_defaults=True):
    """A file, by the reference of an artifact.

    >>> session.append("user", [retoma.types.Text("Read this."), retoma.types.File("report-7", "text/csv")])
    2
    """

    artifact: str
    mime: str = ""


class ToolCall(msgspec.Struct, Mapped, frozen=True, tag="tool_call", forbid_unknown_fields=True):
    """A tool is to be called. `id` pairs it with its result.

    >>> call = retoma.types.ToolCall(id="1", name="count", arguments={"month": 3})
    >>> session.append("assistant", [retoma.types.Text("I count."), call])
    2
    >>> session.messages()[0].tools
    ('count',)
    """

    id: str
    name: str
    arguments: dict[str, JsonField] = {}


class ToolResult(
    msgspec.Struct, Mapped, frozen=True, tag="tool_result", forbid_unknown_fields=True, omit_defaults=True
):
    """What a tool returned, or why it failed.

    >>> session.append("tool", retoma.types.ToolResult(id="1", result=412))
    2
    >>> session.append("tool", retoma.types.ToolResult(id="2", error="no such month"))
    3
    """

    id: str
    result: JsonField = None
    error: str = ""


class Opaque(msgspec.Struct, Mapped, frozen=True, tag="opaque", forbid_unknown_fields=True):
    """What another program kept with the message and no other part stands for: its word for it, and the JSON.

    >>> session.append("assistant", [retoma.types.Text("Look:"), retoma.types.Opaque("chart", {"bars": [1, 2]})])
    2
    """

    kind: str
    raw: JsonField = None


Part: TypeAlias = Text | Reasoning | Image | File | ToolCall | ToolResult | Opaque
Content: TypeAlias = "str | Sequence[Part]"


class MessageUsage(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """The tokens of one message, as the program that appended it counted them; null where it did not.

    >>> session.append("assistant", "Those of March.", tokens_in=120, tokens_out=9)
    2
    >>> session.messages()[0].usage.tokens_out, session.usage.tokens_in
    (9, 120)
    """

    tokens_in: Tokens | None = None
    tokens_out: Tokens | None = None
    tokens_cached: Tokens | None = None


class Message(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """A message of a conversation. `role` is empty for one that was erased; `parts` null for a text alone.

    `seq` is its number in the journal. `text` is the visible text. `sender` is a name within the role: a flow's node,
    an agent, a session. `usage` and `metadata` are null unless they were given.

    >>> session.append("user", "Which rows fail?", sender="ana")
    2
    >>> message = session.messages()[0]
    >>> message.seq, message.role, message.sender, message.text
    (2, 'user', 'ana', 'Which rows fail?')
    """

    seq: int
    at: Instant
    role: Role | str
    sender: NameField = ""
    text: str
    whole: tuple[Part, ...] | None = msgspec.field(name="parts", default=None)
    epoch: int = 1
    usage: MessageUsage | None = None
    metadata: Mapping[str, JsonField] | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of it; empty when it is a text alone."""
        return self.whole or ()

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of what it calls."""
        return tuple(part.name for part in self.parts if isinstance(part, ToolCall))

    @property
    def spoken(self) -> bool:
        """Whether there is something to read: tool calls and thoughts alone are not."""
        return (
            bool(self.text) or not self.parts or any(isinstance(part, (Image, File)) for part in self.parts)
        )


def role(text: str) -> Role:
    """Return `text` as a role. Raises Invalid listing the roles."""
    if text not in ROLES:
        raise Invalid(f"{text!r} is not a role.", code="bad_role", hint=f"Roles: {', '.join(ROLES)}.")
    return text


def content(value: Json) -> Content:
    """Return a message's content from JSON, a text or parts. Raises Invalid naming what is wrong."""
    if isinstance(value, str):
        return value
    try:
        parts = msgspec.convert(value, tuple[Part, ...])
    except msgspec.ValidationError as error:
        raise Invalid(
            f"This is not valid message content: {error}.",
            code="bad_content",
            hint='Give a text, or parts: [{"type": "text", "text": "…"}, …]. '
            "Types: text, image, file, tool_call, tool_result, reasoning, opaque.",
        ) from error
    if not parts:
        raise Invalid("A message needs a text or at least one part.", code="bad_content")
    return parts


def read_aloud(said: Content) -> str:
    """Return the text of a content."""
    return said if isinstance(said, str) else "\n".join(part.text for part in said if isinstance(part, Text))
