"""Markdown of a session: nothing in it is fetched or run when it is shown, and links to the web stay."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from retoma.model.session import NewSession

DEAD = [
    "![pixel](https://evil.example/p.png)", "![p][1]\n\n[1]: https://evil.example/p.png", "![https://evil.example/p]",
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x]( javascript:alert(1))", "[x](<javascript:alert(1)>)",
    "[x](java&#115;cript:alert(1))", "[x](javascript&colon;alert(1))", "[x](java\\script:alert(1))",
    "[x](javascript\\:alert(1))", "[x][1]\n\n[1]: javascript:alert(1)", "[1]\n\n[1]:\n   javascript:alert(1)",
    "[1]\n\n[1]: <javascript:alert(1)> 'x'", "[x](data:text/html,<script>alert(1)</script>)", "[x](vbscript:x)",
    "[x](file:///etc/passwd)", "[x](\njavascript:alert(1))", "[x](&#1;javascript:alert(1))",
    "[x](java&Tab;script:alert(1))", "[![i](http://e.org/i)](javascript:alert(1))", "<javascript:alert(1)>",
    "> [1]\n>\n> [1]:\n> javascript:alert(1)", "<img src=x onerror=alert(1)>", "\\\\![p](https://evil.example/p)",
    "[x](javascript:alert(1)//https://e.org)", "[x](ssh://host)", "[x](custom:whatever?http://e.org)",
]  # fmt: skip
ALIVE = [
    ("[x](https://example.org/a?b=c#d)", "https://example.org/a?b=c#d"), ("[x](HTTP://example.org)", "HTTP://example.org"),
    ("[x](mailto:ana@example.org)", "mailto:ana@example.org"), ("[x](notes.md#top)", "notes.md#top"),
    ("[x][1]\n\n[1]: https://example.org", "https://example.org"), ("[x](/a/b:c)", "/a/b:c"), ("[x](#a:b)", "#a:b"),
]  # fmt: skip


@pytest.fixture
def exported(client):
    def export(said: str) -> str:
        client.create(NewSession(id="s"))
        client.append("s", "user", said)
        return b"".join(client.export("s", "md")).decode()

    return export


def render(text: str) -> str:
    # Every link is drawn, as the least careful of programs would.
    md = MarkdownIt("commonmark", {"html": True})
    md.validateLink = lambda url: True
    return md.render(text)


@pytest.mark.parametrize("said", DEAD)
def test_nothing_is_fetched_or_run(exported, said):
    page = render(exported(said))
    assert "<img" not in page
    assert all(re.match(r"(https?|mailto):", to, re.I) for to in re.findall(r'href="([^"]*)"', page)), page


@pytest.mark.parametrize(("said", "to"), ALIVE)
def test_links_to_the_web_and_to_addresses_stay(exported, said, to):
    assert f'href="{to}"' in render(exported(said))


def test_what_is_no_link_stays_as_it_was_written(exported):
    said = "a ! b [c] (d) e](f: no\n- [ ] todo: x!\n"
    assert "a ! b [c] (d) e](f: no" in exported(said).replace("]\\(", "](")
