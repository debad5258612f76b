"""One HTML file for people: it opens offline, on a phone too, in light and dark. No script, and nothing from elsewhere.

What was said is Markdown, read by markdown-it with HTML off; everything else is escaped text. It cannot be imported.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final, assert_never

import msgspec
from msgspec import UNSET

from retoma.model.codec import Json, encode
from retoma.model.message import (
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from retoma.model.transfer import SessionRecord
from retoma.service.transfer.markup import rendered, safe
from retoma.service.transfer.md import facts
from retoma.service.transfer.outgoing import Outgoing

_STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PREVIEW: Final = 80


def write(session: Outgoing) -> Iterator[bytes]:
    """Yield the page, a page of messages at a time."""
    record = session.record
    yield _head(record).encode()
    epoch = record.epochs[0].epoch
    said = 0
    for page in session.messages():
        text = ""
        for message in page:
            if message.epoch != epoch:
                epoch = message.epoch
                text += f'<p class="epoch">Epoch {epoch}: restarted</p>\n'
            text += _message(message)
        said += len(page)
        yield text.encode()
    if not said:
        yield b'<p class="epoch">There are no messages yet.</p>\n'
    yield b"</main>\n</body>\n</html>\n"


def _head(record: SessionRecord) -> str:
    style = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = safe(record.title or record.id)
    rows = "".join(f"<dt>{name}</dt><dd>{safe(text)}</dd>\n" for name, text in facts(record))
    veiled = '<p class="redacted">Redacted: likely secrets were removed from this copy.</p>\n'
    return f"""<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1 dir="auto">{title}</h1>
{veiled if record.redacted is not UNSET else ""}<dl>
{rows}</dl>
</header>
<main>
"""


def _message(message: Message) -> str:
    role = message.role if message.role in ("user", "assistant", "system", "tool") else "other"
    at = message.at.text
    shown = f"{at[:10]} {at[11:19]} UTC"
    body = _parts(message.parts) if message.parts else rendered(message.text)
    quiet = "" if message.spoken else " quiet"
    return (
        f'<article id="e{message.seq}" class="{role}{quiet}">\n'
        f'<p class="who"><b>{_name(message)}</b> <time datetime="{at}">{shown}</time> '
        f'<a href="#e{message.seq}">{message.seq}</a></p>\n{body}</article>\n'
    )


def _name(message: Message) -> str:
    role = safe(message.role or "message")
    return f"{role} · {safe(message.sender)}" if message.sender else role


def _parts(parts: Sequence[Part]) -> str:
    beside = [part for part in parts if isinstance(part, Opaque) and not _stands_in(parts, part)]
    text = "".join(_part(part, following) for part, following in pairwise((*parts, None)) if part is not None)
    if beside:
        named = ", ".join(dict.fromkeys(safe(part.kind) for part in beside))
        said = "".join(f"<pre>{safe(_json(part.raw))}</pre>\n" for part in beside)
        text += f'<details class="beside"><summary>Original record: {named}</summary>\n{said}</details>\n'
    return text


def _part(part: Part, following: Part | None) -> str:
    match part:
        case Text():
            return rendered(part.text)
        case Reasoning():
            return (
                f'<details class="reasoning"><summary>Reasoning</summary>\n{rendered(part.text)}</details>\n'
            )
        case Image() | File():
            return _picture(part, following)
        case ToolCall():
            preview = safe(_cut(encode(part.arguments).decode())) if part.arguments else ""
            return (
                f'<details class="call"><summary>Calls <b>{safe(part.name or part.id)}</b> <code>{preview}</code>'
                f"</summary>\n<pre>{safe(_json(part.arguments))}</pre>\n</details>\n"
            )
        case ToolResult():
            return _result(part)
        case Opaque():
            return ""  # they stand together behind the rest
        case _:
            assert_never(part)


def _result(part: ToolResult) -> str:
    said = part.error or (part.result if isinstance(part.result, str) else encode(part.result).decode())
    word = "Failed" if part.error else "Result"
    whole = part.result if isinstance(part.result, str) else _json(part.result)
    both = f"<pre>{safe(part.error)}</pre>\n" if part.error else ""
    if part.result is not None:
        both += f"<pre>{safe(whole)}</pre>\n"
    kind = "result failed" if part.error else "result"
    return f'<details class="{kind}"><summary>{word} <code>{safe(_cut(said))}</code></summary>\n{both}</details>\n'


def _picture(part: Image | File, following: Part | None) -> str:
    """Return a picture, when its bytes stand in the part behind it; else the reference alone."""
    found = _bytes_of(following) if isinstance(part, Image) and isinstance(following, Opaque) else None
    if found is not None:
        return f'<p class="picture"><img alt="Picture" src="data:{found[0]};base64,{found[1]}"></p>\n'
    word = "Picture" if isinstance(part, Image) else "File"
    return f'<p class="reference">{word}: {safe(part.mime or "unknown type")}, {safe(part.artifact)}</p>\n'


def _stands_in(parts: Sequence[Part], part: Opaque) -> bool:
    """Return whether a part is shown as the picture before it."""
    return any(
        other is part and isinstance(one, Image) and _bytes_of(part) is not None
        for one, other in pairwise(parts)
    )


def _bytes_of(part: Opaque) -> tuple[str, str] | None:
    """Return the type and the base64 of a picture that a part holds; None when it holds none that may be shown."""
    raw = part.raw if isinstance(part.raw, dict) else {}
    source = raw.get("source")
    if isinstance(source, dict):
        mime, data = source.get("media_type"), source.get("data")
    else:
        head, _, data = str(raw.get("image_url", "")).partition(";base64,")
        mime = head.removeprefix("data:")
    fits = mime in _PICTURES and isinstance(data, str) and _BASE64.fullmatch(data)
    return (str(mime), str(data)) if fits else None


def _json(value: Json) -> str:
    return msgspec.json.format(encode(value), indent=2).decode()


def _cut(text: str) -> str:
    line = " ".join(text[: 4 * _PREVIEW].split())
    return line if len(line) <= _PREVIEW else line[: _PREVIEW - 1] + "…"
