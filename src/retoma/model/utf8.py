"""Text that the system handed over: it may stand for bytes that are no UTF-8."""

from __future__ import annotations


def unreadable(text: str) -> str:
    r"""Return the first place of `text` that UTF-8 cannot hold, as bytes with a little around it: `na\xffme`; or ''."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 30) : error.start + 10]
        return ascii(around.encode(errors="surrogateescape"))[2:-1]
    return ""
