"""Markdown and plain text → HTML that can do nothing: no tag of the writer's, no link out, no picture from outside."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import cache
from html import escape
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

_LONGEST: Final = 16 << 10
"""Longer texts are shown as they are: Markdown that was made to be slow must not be."""

# C0 has no place in HTML, and what turns the writing's direction could show another text than is there.
_UNSAFE: Final = {code: chr(0x2400 + code) for code in range(32) if code not in (9, 10, 13)} | dict.fromkeys(
    (*range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
)


def safe(text: str) -> str:
    """Return `text` as it may stand in an element or in an attribute with quotes."""
    return escape(text.translate(_UNSAFE))


def rendered(text: str) -> str:
    """Return Markdown as HTML. What looks like HTML in it is shown, not obeyed."""
    clean = text.translate(_UNSAFE)
    if len(clean) > _LONGEST:
        return f'<div class="said plain" dir="auto">{escape(clean)}</div>\n'
    return f'<div class="said" dir="auto">{_markdown().render(clean)}</div>\n'


@cache
def _markdown() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False, "typographer": False})
    reader.enable(["table", "strikethrough"]).disable(
        # A definition of a link would not be shown, and a line below a text would make it a heading.
        ["image", "html_block", "html_inline", "entity", "reference", "lheading"]
    )
    reader.add_render_rule("link_open", _link_open)
    reader.add_render_rule("link_close", _link_close)
    for cell in ("th_open", "td_open"):
        reader.add_render_rule(cell, _cell)
    return reader


def _link_open(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """Begin a link: what it says is shown, and where it leads behind it. Nothing in the file leads out of it."""
    env.setdefault("links", []).append((str(tokens[index].attrGet("href") or ""), tokens[index + 1].content))
    return '<span class="link">'


def _link_close(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    target, said = env["links"].pop()
    return "</span>" if target == said else f'</span> <span class="target">({escape(target)})</span>'


def _cell(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """Begin a cell without the style that its column asks for: the page allows its own alone."""
    return f"<{tokens[index].tag}>"
