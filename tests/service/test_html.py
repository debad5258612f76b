"""The HTML export: one file that nothing leads out of, and in which nothing that was said does anything."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from tests.calls import Calls
from tests.service.test_imports import SAMPLES, whole

from retoma.model.session import NewSession
from retoma.service.transfer.markup import rendered

ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "h5", "h6", "dl", "dt", "dd",
    "main", "article", "p", "b", "time", "a", "div", "span", "details", "summary", "pre", "code", "em", "strong", "s",
    "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "hr", "br", "img",
}  # fmt: skip
ATTRIBUTES = {
    "charset", "name", "content", "http-equiv", "class", "id", "dir", "datetime", "href", "start", "alt", "src",
}  # fmt: skip
VOID = {"meta", "br", "hr", "img"}

ATTACKS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "</style><script>1</script>",
    "</pre></details></article></main></body></html><script>1</script>", '"><script>1</script>', "'><b onclick=1>",
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](https://evil.example/pixel.png)", "![x](javascript:alert(1))", "<https://evil.example/>",
    '[x](https://evil.example/ "onmouseover=alert(1)")', '[x](https://evil.example/"onmouseover="alert(1))',
    "[x]: https://evil.example/\n\n[x]", "<iframe src=https://evil.example>", "<!--><script>1</script>",
    "```\"><script>1</script>\n<script>1</script>\n```", "`<script>1</script>`", "    <script>1</script>",
    "| a |\n|:-:|\n| <script>1</script> |", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;",
    "<a href=x>y</a>",
    "<base href=//evil.example>", "<meta http-equiv=refresh content=0>", "<link rel=stylesheet href=//evil.example>",
    "<form action=//evil.example><input autofocus onfocus=1>", "\0<scr\0ipt>1</scr\0ipt>", "\u202e<script>1</script>",
    "<![CDATA[<script>1</script>]]>", "<math><mi//xlink:href='data:x,<script>1</script>'>", "{{7*7}}${7*7}<%= 7*7 %>",
    "expression(alert(1))", "@import 'https://evil.example/x.css';", "\ufeff<script>1</script>", "<x" * 50,
]  # fmt: skip


class Strict(HTMLParser):
    """Takes a page apart, and fails at what should not be in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.styles: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        self.seen.add(tag)
        for name, value in attrs:
            assert name in ATTRIBUTES, (tag, name, value)
            assert value is not None
            if name == "href":
                assert re.fullmatch(r"#e\d+", value), value
            if name == "src":
                assert re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}", value), (
                    value
                )
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.styles.append(data)
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def page(client: Calls, name: str = "s") -> tuple[str, Strict]:
    text = b"".join(client.export(name, "html")).decode()
    parsed = Strict()
    parsed.feed(text)
    parsed.close()
    assert parsed.open == []
    return text, parsed


def everywhere(client: Calls, text: str) -> None:
    client.create(NewSession(id="s", title=text[:200], description=text, agent=text, model=text, tags=("t",)))
    client.append("s", "user", text, sender=text)
    client.append(
        "s", "assistant",
        [
            {"type": "text", "text": text}, {"type": "reasoning", "text": text},
            {"type": "tool_call", "id": text, "name": text, "arguments": {text: [text]}},
            {"type": "tool_result", "id": "1", "result": text}, {"type": "tool_result", "id": "1", "error": text},
            {"type": "tool_result", "id": "1", "result": {text: text}},
            {"type": "image", "artifact": text, "mime": text},
            {"type": "opaque", "kind": text, "raw": {"image_url": f"data:image/png;base64,{text}", "source": text}},
            {"type": "image", "artifact": "x", "mime": "image/png"},
            {"type": "opaque", "kind": "image", "raw": {"source": {"media_type": "image/png", "data": text}}},
            {"type": "image", "artifact": "x", "mime": "image/svg+xml"},
            {"type": "opaque", "kind": "i", "raw": {"source": {"media_type": "image/svg+xml", "data": "AAAA"}}},
            {"type": "file", "artifact": text, "mime": text},
        ],
    )  # fmt: skip
    client.change("s", "failed", reason=text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_was_said_does_anything(client: Calls, attack: str) -> None:
    everywhere(client, attack)
    _, parsed = page(client)
    assert "img" not in parsed.seen
    assert "evil.example" not in "".join(parsed.styles)
    # It is shown, not swallowed: all its letters stand in the text.
    letters = re.sub(r"[^a-z]", "", attack.lower())
    assert letters in re.sub(r"[^a-z]", "", parsed.text.lower().replace("%22", ""))


def test_the_page_brings_all_that_it_needs(client: Calls) -> None:
    client.create(NewSession(id="s", title="T"))
    text, parsed = page(client)
    assert text.startswith("<!doctype html>")
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    (style,) = parsed.styles
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "There are no messages yet." in parsed.text
    assert not re.search(r"https?:|//|url\(|@import|<script|style=", text.replace("</", ""))


def test_a_conversation_is_read_as_one(client: Calls) -> None:
    client.create(NewSession(id="s", title="A talk", model="m"))
    client.append("s", "user", "See *this* [page](https://x.example/y):\n\n- one\n- two")
    call = {"type": "tool_call", "id": "1", "name": "look", "arguments": {"path": "/x"}}
    client.append(
        "s", "assistant", [{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "I look."}, call]
    )
    client.append("s", "tool", [{"type": "tool_result", "id": "1", "error": "No such file"}])
    client.append("s", "assistant", "```python\nprint('<b>')\n```")
    client.reset("s")
    client.append("s", "user", "Again")
    text, parsed = page(client)
    assert "<em>this</em>" in text
    assert '<span class="link">page</span> <span class="target">(https://x.example/y)</span>' in text
    assert '<code class="language-python">print(&#x27;&lt;b&gt;&#x27;)' in text.replace("'", "&#x27;")
    assert "<summary>Reasoning</summary>" in text
    assert "<summary>Calls <b>look</b> <code>{&quot;path&quot;:&quot;/x&quot;}</code></summary>" in text
    assert '<details class="result failed"><summary>Failed <code>No such file</code></summary>' in text
    assert "Epoch 2: restarted" in parsed.text
    assert re.findall(r'<article id="e(\d+)" class="([a-z ]+)">', text) == [
        ("2", "user"), ("3", "assistant"), ("4", "tool quiet"), ("5", "assistant"), ("7", "user"),
    ]  # fmt: skip


def test_pictures_that_came_with_a_session_are_shown(client: Calls) -> None:
    client.create(NewSession(id="s"))
    data = base64.b64encode(b"\x89PNG\r\n").decode()
    for raw in (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{data}"},
    ):
        client.append(
            "s", "user", [{"type": "image", "artifact": "x"}, {"type": "opaque", "kind": "i", "raw": raw}]
        )
    text, parsed = page(client)
    assert text.count(f'src="data:image/png;base64,{data}"') == 2
    assert "Original record" not in parsed.text


def test_imported_sessions_are_pages_too(client: Calls) -> None:
    for sample in (
        "claude-code/projects/-project/5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0003.jsonl",
        "openai-agents/sessions.db",
    ):
        for name in whole(client.bring(SAMPLES / sample)):
            _, parsed = page(client, name)
            assert "Original record" in parsed.text


@pytest.mark.parametrize(
    "unit",
    ["[", "*", "`", "> ", "- ", "**a ", "![[", "<", "[a](", "|a", "a\n", "_*", "~~", "[a][b", "1. ", "`a`a", "\\"],
)  # fmt: skip
def test_markdown_that_was_made_to_be_slow_is_not(unit: str) -> None:
    began = time.process_time()
    rendered((unit * 16_384)[: 16 << 10])
    rendered(unit * 100_000)
    assert time.process_time() - began < 2


def test_a_long_text_is_shown_as_it_is() -> None:
    assert rendered("# x\n" * 10_000).startswith('<div class="said plain" dir="auto"># x\n')


def test_it_is_written_piece_by_piece(client: Calls) -> None:
    client.create(NewSession(id="s"))
    for number in range(2_500):
        client.append("s", "user", f"text {number}")

    def pieces() -> Iterator[int]:
        for piece in client.export("s", "html"):
            yield len(piece)

    sizes = list(pieces())
    assert len(sizes) > 4
    assert max(sizes) < 1 << 20
    assert io.BytesIO(b"".join(client.export("s", "html"))).read().count(b"<article") == 2_500
