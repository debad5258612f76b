"""README and docs say what is so: every snippet is run, and what must be listed is listed.

A page is run from top to bottom in a directory of its own that holds a copy of `examples/`.

- `console`: lines that begin with `$ ` are commands, what follows is their output. `…` stands for any text in a line,
  alone for any lines; blank lines do not count. A command may fail only when `$ echo $?` comes next. Output with
  prompts (`> `) is a dialogue on a terminal: what follows the prompt is typed, `^C` is Ctrl+C. A dialogue that ends
  at an open prompt stays open, and goes on with the next block that begins with a prompt.
- `LANGUAGE FILE`: written to FILE. A directory of nodes must be a valid flow, unless the page validates it itself.
- `python`: run.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import click
import pexpect
import pytest

from retoma import flows
from retoma.config import file as config_file
from retoma.flows import fields
from retoma.interfaces.cli.app import App
from retoma.interfaces.cli.table import ALIASES, VERBS
from retoma.model import event
from retoma.template import syntax

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
DIALOGUES = {"README.md", "cli.md", "quickstart.md"}
"""Pages with dialogues on a terminal, which show how long each step took."""
LANGUAGES = {"console", "python", "markdown", "yaml", "json", "toml", "text"}

_FENCE = re.compile(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"(?:\[[^\]]*\] )?>(?: (.*))?")
_AT_PROMPT = r"(?<!>)> $"
_WAIT_S = 20


class Block(NamedTuple):
    line: int
    language: str
    file: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        yield Block(text.count("\n", 0, match.start()) + 1, match[1], match[2] or "", match[3])


# Running a page


class Page:
    """One page being run in `place`. `at` names the block under way, for whoever reads a failure."""

    def __init__(self, name: str, place: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        self.place = place
        self.environ = dict(environ)
        self.at = name
        self.status = 0
        self.validated = ""
        self.terminal: pexpect.spawn[str] | None = None
        self.seen = StringIO()

    def run(self, block: Block) -> None:
        self.at = f"{self.name}:{block.line}"
        if block.file:
            file = self.place / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            self._transcript(block.text)
        elif block.language == "python":
            self._done(self._start(f"{sys.executable} -", block.text), "")
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)

    def _transcript(self, text: str) -> None:
        head, *commands = re.split(r"^\$ ", text, flags=re.MULTILINE)
        if head:
            self._talk(head.splitlines(), last=not commands)
        for number, entry in enumerate(commands, 1):
            command, _, output = entry.partition("\n")
            self.validated += command + "\n"
            lines = output.splitlines()
            if any(_PROMPT.fullmatch(line) for line in lines):
                self._open(command)
                self._talk(lines, last=number == len(commands))
                continue
            may_fail = number < len(commands) and commands[number].startswith("echo $?")
            self._done(self._start(command), output, may_fail=may_fail)

    def _start(self, command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", f"(exit {self.status})\n{command}"],
            cwd=self.place, env=self.environ, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", timeout=_WAIT_S, check=False,
        )  # fmt: skip

    def _done(self, ran: subprocess.CompletedProcess[str], expected: str, *, may_fail: bool = False) -> None:
        self.status = ran.returncode
        assert may_fail or ran.returncode == 0, f"{self.at}: exit status {ran.returncode}\n{ran.stdout}"
        if expected.strip():
            self._same(ran.stdout, expected.splitlines())

    def _open(self, command: str) -> None:
        assert self.terminal is None, f"{self.at}: the dialogue before is still open"
        self.terminal = pexpect.spawn(
            "/bin/sh", ["-c", f"exec {command}"], cwd=self.place, env=self.environ | {"TERM": "dumb"},
            dimensions=(40, 80), encoding="utf-8", timeout=_WAIT_S,
        )  # fmt: skip
        self.terminal.delaybeforesend = None
        self.terminal.logfile_read = self.seen = StringIO()
        self.terminal.expect(_AT_PROMPT)

    def _talk(self, lines: list[str], *, last: bool) -> None:
        """Type what follows each prompt; the dialogue is at one when this begins."""
        terminal = self.terminal
        assert terminal is not None, f"{self.at}: no dialogue is open"
        prompts = [at for at, line in enumerate(lines) if _PROMPT.fullmatch(line)]
        stays_open = last and prompts[-1] == len(lines) - 1 and not lines[-1].endswith("^C")
        for at in prompts[:-1] if stays_open else prompts:
            match = _PROMPT.fullmatch(lines[at])
            assert match is not None
            if match[1] == "^C":
                terminal.sendintr()
            else:
                terminal.sendline(match[1] or "")
            terminal.expect(pexpect.EOF if at == prompts[-1] else _AT_PROMPT)
        self._same(self.seen.getvalue(), lines)
        # What was compared is done with, but for the prompt at which the dialogue stands.
        terminal.logfile_read = self.seen = StringIO("> ")
        self.seen.seek(0, os.SEEK_END)
        if not stays_open:
            terminal.close()
            self.status, self.terminal = terminal.exitstatus or 0, None

    def _same(self, got: str, expected: list[str]) -> None:
        wanted = "".join(_pattern(line.rstrip()) for line in expected if line.strip())
        lines = [line.rstrip() for line in got.replace("\r", "").split("\n") if line.strip()]
        matched = re.fullmatch(wanted, "".join(line + "\n" for line in lines))
        assert matched, (
            f"{self.at} expects\n" + "\n".join(expected) + "\n\nbut this came:\n" + "\n".join(lines)
        )


def _pattern(line: str) -> str:
    return r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """A user named ana with an empty home, for whom `retoma` is this tree's; `make demo` makes no new environment."""
    commands = tmp_path_factory.mktemp("bin")
    scripts = {
        "retoma": f'exec {sys.executable} -m retoma "$@"',
        "python": f'exec {sys.executable} "$@"',
        "make": f'[ "$1" = demo ] && exec {sys.executable} examples/demo.py',
    }
    for name, line in scripts.items():
        script = commands / name
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
    return {
        "PATH": f"{commands}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT / "src"),
        "LOGNAME": "ana",
        "LANG": "C.UTF-8",
    }


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.alone] if page.name in DIALOGUES else [])
        for page in PAGES
    ],
)
def test_every_snippet_runs(page: Path, tmp_path: Path, environ: Mapping[str, str]) -> None:
    home, place = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    shutil.copytree(ROOT / "examples", place / "examples")
    run = Page(page.name, place, {**environ, "HOME": str(home), "TMPDIR": str(home)})
    found = list(blocks(page))
    try:
        for block in found:
            run.run(block)
    finally:
        if run.terminal is not None:
            run.terminal.close(force=True)
    assert run.terminal is None, f"{page.name} leaves a dialogue open"
    nodes = {block.file for block in found if block.language in {"markdown", "yaml", "json"}}
    for directory in {name.partition("/")[0] for name in nodes if "/" in name and name[0] != "."}:
        if f"flow validate {directory}" not in run.validated:
            assert flows.validate(flows.load(place / directory)) == []


def test_every_fence_has_a_language_that_is_run_or_is_plain_text() -> None:
    for page in PAGES:
        opened = re.findall(r"^```(\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(opened) <= LANGUAGES, page.name
        assert len(opened) == len(list(blocks(page))), f"{page.name} has a fence that is not read"


def test_a_page_that_is_wrong_is_seen(tmp_path: Path, environ: Mapping[str, str]) -> None:
    page = Page("wrong", tmp_path, environ)
    page.run(
        Block(1, "console", "", "$ echo one two\none …\n$ false\n$ echo $?\n1\n$ printf 'a\\nb\\n'\n…\nb\n")
    )
    for wrong in ("$ echo one\ntwo\n", "$ false\n", "$ printf 'a\\nb\\n'\na\n"):
        with pytest.raises(AssertionError):
            page.run(Block(1, "console", "", wrong))


# What must be listed


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in _anchors(there), f"{page.name} links to {target}#{anchor}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_no_page_has_a_placeholder() -> None:
    for page in PAGES:
        text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))
        assert re.findall(r"@@.*?@@|\b(?:TODO|FIXME|TBD)\b", text) == [], page.name


def test_a_figure_of_the_benchmarks_is_one_of_its_results() -> None:
    results = (ROOT / "benchmarks/RESULTS.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert _unmeasured(page.read_text(encoding="utf-8"), results) == set(), page.name
    assert _unmeasured("| measure | figure |\n|---|---|\n| append | 9,999,999 a second |\n", results) == {
        "9,999,999"
    }
    assert _unmeasured("It writes 9,999,999 messages a second.", results) == {"9,999,999"}


def _unmeasured(text: str, results: str) -> set[str]:
    """Return the rates in a page, and the numbers in its columns of figures, that the results do not have."""
    quoted = set(re.findall(r"(\d[\d,.]*) (?:\w+ )?(?:a|per) second\b", text))
    for table in re.findall(r"^\|.*\| figure \|\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            quoted |= set(re.findall(r"\d[\d,.]*", row.rstrip("| ").rpartition("|")[2]))
    return quoted - set(re.findall(r"\d[\d,.]*", results))


def test_help_errors_and_docs_use_the_words_of_the_project() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/words.py"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def _verbs() -> Iterator[tuple[str, click.Command]]:
    app = App()
    with app.make_context("retoma", [], resilient_parsing=True) as ctx:
        for path in VERBS:
            noun, _, verb = path.rpartition(" ")
            command = (App(noun) if noun else app).get_command(ctx, verb)
            assert command is not None
            yield path, command


def test_the_command_line_page_has_every_verb_option_and_other_name() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    shown = "".join(block.text for block in blocks(DOCS / "cli.md"))
    for path, command in _verbs():
        assert f"$ retoma {path}" in shown, f"cli.md shows no example of {path}"
        section = page.partition(f"\n### `{path}")[2].partition("\n### ")[0]
        assert section, f"cli.md has no section on {path}"
        options = [
            one for param in command.params if not getattr(param, "hidden", False) for one in param.opts
        ]
        for option in (one for one in options if one.startswith("-")):
            assert option in section, f"cli.md has no {option} under {path}"
    for alias in ALIASES:
        assert f"`{alias.rpartition(' ')[2]}`" in page, f"cli.md does not name {alias}"


def test_the_command_line_page_has_every_variable_and_configuration_key() -> None:
    words = set(re.findall(r"[\w.]+", (DOCS / "cli.md").read_text(encoding="utf-8")))
    reader = (ROOT / "src/retoma/config/environment.py").read_text(encoding="utf-8")
    variables = set(re.findall(r"read\.get\(\"(\w+)\"", reader))
    assert "RETOMA_STORE" in variables
    assert variables - words == set()
    keys = set(_keys(config_file.KNOWN))
    assert {key for key in keys if key not in words and key.rpartition(".")[2] not in words} == set()


def _keys(table: config_file.Table, above: str = "") -> Iterator[str]:
    for key, use in table.items():
        dotted = f"{above}{key}" if key != "*" else above.removesuffix(".")
        if isinstance(use, Mapping):
            yield from _keys(use, f"{dotted}.")
        else:
            yield dotted


def test_the_flows_page_has_every_key_and_function() -> None:
    page = (DOCS / "flows.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`[^`\n]+`", page))))
    assert set(fields.KEYS) - words == set()
    assert set(syntax.FUNCTIONS) - words == set()


def test_the_format_page_has_every_table_column_and_event_type() -> None:
    page = (DOCS / "file-format.md").read_text(encoding="utf-8")
    database = sqlite3.connect(":memory:")
    for file in sorted((ROOT / "src/retoma/stores/migrations/sqlite").glob("*.sql")):
        database.executescript(file.read_text(encoding="utf-8"))
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        if table.startswith("sqlite_"):
            continue
        section = page.partition(f"\n### `{table}`\n")[2].partition("\n### ")[0]
        columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        assert columns - set(re.findall(r"`(\w+)`", section)) == set(), f"of the table {table}"
    database.close()
    types = {value for name, value in vars(event).items() if name.isupper() and isinstance(value, str)}
    assert types - set(re.findall(r"`([\w.]+)`", page)) == set()


def test_the_dependencies_page_has_each_dependency() -> None:
    page = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[^\w.-]", line)[0] for line in wanted}
    listed = set(re.findall(r"^\| `([\w.-]+)` ", page, re.MULTILINE))
    assert listed == names
