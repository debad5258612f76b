"""The two faces say the same, and what is public says what it does, with an example that runs."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import retoma
from retoma import aio, errors, types
from retoma.client.batch import AwaitedBatch, Batch, BlockingBatch
from retoma.client.driven import FlowRun
from retoma.client.held import AwaitedLease, BlockingLease, Lease
from retoma.client.state import AsyncState, State

FACES = [
    (retoma.Client, aio.AsyncClient),
    (retoma.Session, aio.AsyncSession),
    (BlockingBatch, AwaitedBatch),
    (BlockingLease, AwaitedLease),
    (FlowRun, aio.AsyncFlowRun),
]
BRACKETS = {"get", "items", "keys", "popitem", "set", "setdefault", "values"}
"""What one of the two states has alone: a mapping's methods here, `get` and `set` in the place of brackets there."""


def public(owner: type) -> dict[str, object]:
    return {name: inspect.getattr_static(owner, name) for name in dir(owner) if not name.startswith("_")}


@pytest.mark.parametrize(("waits", "awaited"), FACES, ids=lambda face: face.__name__)
def test_both_faces_have_the_same_names_with_the_same_signatures(waits, awaited):
    assert public(waits).keys() == public(awaited).keys()
    for name, found in public(waits).items():
        other = public(awaited)[name]
        if not inspect.isfunction(found):
            assert type(found) is type(other), name
            continue
        ours, theirs = inspect.signature(found), inspect.signature(other)
        assert ours.parameters == theirs.parameters, name
        if inspect.iscoroutinefunction(other) or inspect.isasyncgenfunction(other):
            # What the caller gets: a handle of the face, and what is iterated as the face iterates.
            assert str(ours.return_annotation) == str(theirs.return_annotation).replace("Async", ""), name
        else:
            assert name in {"append", "append_many", "batch", "keys", "lease", "to_dict", "use"}, (
                f"{name} is not awaited"
            )


def test_both_states_have_the_same_methods_beside_the_brackets():
    ours, theirs = public(State), public(AsyncState)
    assert ours.keys() ^ theirs.keys() <= BRACKETS
    for name in (ours.keys() & theirs.keys()) - BRACKETS:
        assert (
            list(inspect.signature(ours[name]).parameters)[1:2]
            == list(inspect.signature(theirs[name]).parameters)[1:2]
        ), name
        assert inspect.iscoroutinefunction(theirs[name]), name


def test_the_asynchronous_faces_are_made_of_the_blocking_ones():
    made = subprocess.run(
        [sys.executable, Path(__file__).parents[2] / "scripts/awaited", "--check"], check=False
    )
    assert made.returncode == 0, "run scripts/awaited"


def test_public_names_are_what_they_are_called():
    assert set(dir(retoma)) == set(retoma.__all__)
    for name in retoma.__all__:
        assert getattr(retoma, name) is not None
    for module in (aio, types):
        for name in module.__all__:
            assert getattr(module, name) is not None
    with pytest.raises(AttributeError):
        retoma.nothing  # noqa: B018


@pytest.mark.parametrize(("module", "name"), [("parts", "Text"), ("parts", "Part"), ("values", "Message")])
def test_former_names_are_there_and_warn_with_the_new_one(module, name):
    former = getattr(retoma, module)
    with pytest.warns(DeprecationWarning, match=rf"retoma\.{module}\.{name} is retoma\.types\.{name} now"):
        found = getattr(former, name)
    assert found is getattr(types, name)
    with pytest.raises(AttributeError):
        former.nothing  # noqa: B018


# Docstrings

MADE_OF = ("File", "Image", "Opaque", "Reasoning", "Text", "ToolCall", "ToolResult")
"""The parts of a message."""
ERRORS = [getattr(retoma, name) for name in errors.__all__]


def documented() -> Iterator[tuple[str, object]]:
    """Yield every public name of the package that waits, and every method and attribute below it."""
    yield "retoma", retoma
    yield "retoma.open", retoma.open
    owners = [retoma.Client, retoma.Session, State, Batch, Lease, FlowRun]
    owners += [
        getattr(types, name)
        for name in (
            "Message",
            "Event",
            "Note",
            "Usage",
            "Flow",
            "Driver",
            "Page",
            "Hit",
            "Found",
            "Branch",
            "LogEntry",
            "Pruned",
        )
    ]
    owners += [getattr(types, name) for name in MADE_OF]
    owners += ERRORS
    for owner in owners:
        yield owner.__name__, owner
        for name, found in public(owner).items():
            if isinstance(found, property) or inspect.isfunction(found):
                yield f"{owner.__name__}.{name}", found


DOCUMENTED = dict(documented())
INHERITED = {"get", "keys", "popitem"}
"""What a mapping brings along."""


def test_every_public_name_says_what_it_does():
    everything = DOCUMENTED | {f"aio.{name}": getattr(aio, name) for name in aio.__all__}
    for owner in (aio.AsyncClient, aio.AsyncSession, AsyncState):
        everything |= {
            f"{owner.__name__}.{name}": found
            for name, found in public(owner).items()
            if isinstance(found, property) or inspect.isfunction(found)
        }
    silent = [name for name, found in everything.items() if not (inspect.getdoc(found) or "").strip()]
    assert silent == []
    assert set(errors.__all__) <= set(retoma.__all__)


def has_example(name: str) -> bool:
    """Return whether a name wants an example of its own: a method does, an attribute is in those of its class."""
    found = DOCUMENTED[name]
    return (inspect.isfunction(found) or inspect.isclass(found)) and name.rpartition(".")[2] not in INHERITED


def may_have_example(name: str) -> bool:
    return ">>>" in (inspect.getdoc(DOCUMENTED[name]) or "")


@pytest.mark.parametrize(
    "name",
    [name for name in DOCUMENTED if name != "retoma" and (has_example(name) or may_have_example(name))],
)
def test_examples_in_docstrings_run(name, tmp_path):
    said = inspect.getdoc(DOCUMENTED[name]) or ""
    examples = doctest.DocTestParser().get_examples(said)
    assert examples, f"{name} has no example"
    with retoma.open(":memory:", user="ana") as client:
        session = client.create("demo", title="A demonstration")
        flow = tmp_path / "flow"
        flow.mkdir()
        (flow / "start.md").write_text(
            "---\ntype: question\nsave_to: name\nto: end\n---\nWhat is your name?\n"
        )
        (flow / "end.md").write_text("Hello, {{ .name }}.\n")
        given = {"retoma": retoma, "client": client, "session": session, "directory": tmp_path, "flow": flow}
        found = doctest.DocTest(examples, given, name, None, 0, said)
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        report: list[str] = []
        doctest.DocTestRunner(optionflags=flags).run(found, out=report.append)
        assert not report, "".join(report)


def test_docstrings_name_the_errors_of_what_writes():
    for name, found in DOCUMENTED.items():
        if inspect.isfunction(found) and "key: 'str | None'" in str(inspect.signature(found)):
            said = inspect.getdoc(found)
            assert "aises" in said, f"{name} does not say what it raises"


def test_the_python_page_names_every_name():
    page = (
        (Path(__file__).parents[2] / "docs/python.md")
        .read_text(encoding="utf-8")
        .partition("## Every name")[2]
    )
    client, _, session = page.partition("| on `Session` |")
    for section, owner in ((client, retoma.Client), (session, retoma.Session)):
        assert public(owner).keys() - set(re.findall(r"`(\w+)`", section)) == set(), owner
    for module in (aio, types):
        assert {name for name in module.__all__ if name != "Part"} <= set(re.findall(r"`(\w+)`", session))
    table = (
        (Path(__file__).parents[2] / "docs/python.md").read_text(encoding="utf-8").partition("## Errors")[2]
    )
    assert all(f"`{name}`" in table or name == "RetomaError" for name in errors.__all__)


# Imports


def imported_by(code: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.split())


def test_importing_retoma_imports_nothing_else_of_it():
    assert {name for name in imported_by("import retoma") if name.startswith("retoma")} == {"retoma"}


def test_what_waits_needs_nothing_of_what_is_awaited():
    used = "import retoma\nwith retoma.open(':memory:') as c: c.create('a').append('user', 'x')"
    loaded = imported_by(used)
    assert "apsw" in loaded
    assert loaded.isdisjoint(
        {"asyncio", "concurrent.futures", "click", "rich", "yaml", "psycopg", "retoma.aio"}
    )


def test_the_package_is_typed_and_its_public_modules_hide_nothing():
    root = Path(retoma.__file__).parent
    assert (root / "py.typed").exists()
    for module in ("aio", "types", "__init__"):
        tree = ast.parse((root / f"{module}.py").read_text())
        assert any(
            isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
            for node in tree.body
        ), module
