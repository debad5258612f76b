"""Every verb of a session prints JSON of the shape that the one schema file says, and nothing that it does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from retoma.__main__ import main
from retoma.interfaces.cli.table import VERBS
from retoma.interfaces.schema import SESSION_VERBS, schema
from retoma.model.codec import Json

TOUR = str(Path(__file__).parents[2] / "examples/tour")
DAMAGED = str(Path(__file__).parents[1] / "samples/trellis/damaged")
ON_A_TERMINAL = {"session pick"}
"""Verbs that are a dialogue: what they print at its end is tested with it."""

RUN = (
    "session create desk --title T --tag a --context task=7 --meta n=1 --ttl 5h --model m",
    "session create child --parent desk",
    "session append desk user hello --sender ana",
    'session append desk assistant [{"type":"text","text":"x"},{"type":"tool_call","id":"1","name":"n"}] --parts',
    "session note desk remark",
    "session rename desk Title",
    "session describe desk D",
    "session tag desk +b -a",
    "session link desk branch=x",
    "session unlink desk task=7",
    "session meta desk p=[1,2] n=",
    "session set-agent desk reviewer",
    "session set-model desk clear",
    "session set-thinking desk high",
    "session set-channel desk slack:C042",
    "session ls --total --limit 1",
    "session ls --deleted",
    "session show desk",
    "session inspect desk",
    "session inspect walk",
    "session inspect walk --format trellis",
    "session read desk -n 1",
    "session read walk",
    "session log desk --limit 3",
    "session log walk --type flow.step",
    "session tree desk",
    "session search hello",
    "session search desk",
    "session fork desk branch",
    "session append branch user again",
    "session diff desk branch",
    "session tree desk",
    "session undo branch",
    "session show walk",
    "session signal walk interrupt",
    "session pin desk child",
    "session unpin desk",
    "session archive desk nobody",
    "session unarchive desk",
    "session trash child",
    "session show child",
    "session restore child",
    "session restore child",
    "session pause desk --reason lunch",
    "session resume desk",
    "session redact desk --seq 3",
    "session log desk",
    "session read desk",
    "session export desk -o {place}/desk.json",
    "session import {place}/desk.json {place}/nothing.json",
    f"session import {DAMAGED}",
    "session reset desk",
    "session read desk --epochs",
    "session reset desk --erase",
    "session end desk",
    "session fail child --reason broke",
    "session prune --tag b --older-than 0s --dry-run",
    "session prune --status active --older-than 0s --tag none --yes",
    "session set-id child kid",
    "session rm desk kid nobody",
)


def strict(found: Json) -> Json:
    """Return a schema in which an object has the keys that are named, and no others."""
    match found:
        case dict():
            closed = {"additionalProperties": False} if "properties" in found else {}
            return {name: strict(inner) for name, inner in found.items()} | closed
        case list():
            return [strict(inner) for inner in found]
        case _:
            return found


@pytest.fixture
def printed(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Iterator[Callable[[str], Json]]:
    """Run a verb with --json in this process, and return what it printed."""

    def run(line: str) -> Json:
        capfdbinary.readouterr()
        main(["--store", str(tmp_path / "store"), *line.replace("{place}", str(tmp_path)).split(), "--json"])
        out, _ = capfdbinary.readouterr()
        return json.loads(out)

    capfdbinary.readouterr()
    main(["--store", str(tmp_path / "store"), "run", TOUR, "--session", "walk", "--headless", "--quiet"])
    return run


def test_every_verb_prints_what_the_schema_says(printed: Callable[[str], Json]) -> None:
    shapes = strict(schema())
    assert isinstance(shapes, dict)
    left = set(SESSION_VERBS)
    for line in RUN:
        verb = " ".join(line.split()[:2])
        validator = Draft202012Validator(
            {"$ref": f"#/verbs/{verb}", **shapes}, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        errors = [
            f"{line}: {error.message} at {error.json_path}" for error in validator.iter_errors(printed(line))
        ]
        assert errors == []
        left.discard(verb)
    assert left == ON_A_TERMINAL, "these verbs were not run"


def test_the_schema_has_every_verb_of_a_session() -> None:
    assert {verb for verb in VERBS if verb.startswith("session ")} == SESSION_VERBS.keys()


def test_the_schema_that_is_shipped_is_the_one_of_the_code() -> None:
    shipped = files("retoma").joinpath("schemas/views.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == schema(), "scripts/schemas writes it anew"
    Draft202012Validator.check_schema(schema())


def test_a_shape_that_is_wrong_is_seen() -> None:
    shapes = strict(schema())
    assert isinstance(shapes, dict)
    validator = Draft202012Validator({"$ref": "#/verbs/session append", **shapes})
    assert validator.is_valid({"id": "a", "seq": 1})
    for wrong in ({"id": "a"}, {"id": "a", "seq": "1"}, {"id": "a", "seq": 1, "more": 2}):
        assert not validator.is_valid(wrong)


FAILS = (
    *(f"{verb} --no-such-option" for verb in VERBS if verb not in {"session search", "session tag"}),
    "nothing", "session nothing", "session", "--no-such-option", "session ls --limit x", "session search --nothing",
    "session show nobody", "session rm nobody nothere", "session pin nobody", "session append desk narrator x",
    "session create desk", "session append desk user late", "session pick",
    "session redact desk --pattern x", "session prune --older-than 0s --tag none --status active",
    "session import nofile",
    "session import {place}/full", "session export desk --format nothing", "flow validate nowhere", "run nowhere",
    "flow schema x", "template show nothing", "store restore nofile", "trust nofile", "completion tcsh",
    "session ls --since soon", "session search ( --limit 0", "store log --cursor x", "config --store nothing://x",
)  # fmt: skip


@pytest.mark.parametrize("line", FAILS)
def test_a_failure_of_any_verb_is_json_on_standard_error(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], line: str
) -> None:
    (tmp_path / "full").write_text("{}")
    main(["--store", str(tmp_path / "store"), "session", "create", "desk", "--tag", "none", "--json"])
    if "late" in line:
        main(["--store", str(tmp_path / "store"), "session", "end", "desk"])
    words = ["--store", str(tmp_path / "store"), *line.replace("{place}", str(tmp_path)).split()]
    capfdbinary.readouterr()
    status = main([*words, "--json"])
    out, error = capfdbinary.readouterr()
    assert status not in (0, 130)
    assert main(words) == status, "the exit status is the same without --json"
    lines = error.splitlines()
    assert lines, line
    shape = strict({"$ref": "#/failure", **schema()})
    for one in lines:
        assert list(Draft202012Validator(shape).iter_errors(json.loads(one))) == []
    assert b"error" not in out or line.startswith(("run", "session import"))
