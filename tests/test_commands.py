"""The table of commands: each has a verb, or a stated reason for none, and a method, or a stated reason."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import retoma
from retoma.client.driven import FlowRun
from retoma.client.held import Lease
from retoma.client.state import State
from retoma.commands.command import Command, Stream
from retoma.interfaces.cli.table import VERBS

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src/retoma"
NOUNS = sorted(path.stem for path in (SRC / "commands").glob("*.py") if path.stem != "__init__")


def commands() -> Iterator[tuple[str, type]]:
    """Yield every command, with the noun whose file it is in."""
    for noun in NOUNS:
        module = importlib.import_module(f"retoma.commands.{noun}")
        for name in getattr(module, "__all__", ()):
            found = getattr(module, name)
            if isinstance(found, type) and issubclass(found, (Command, Stream)):
                yield noun, found


ASIDE = "what is put aside is a person's to decide"
TABLE = {
    # command: (verbs, methods)
    "AddNote": (["session note"], ["Session.note"]),
    "AppendMessage": (["session append"], ["Session.append"]),
    "AppendMessages": ("a shell writes one message at a time", ["Session.append_many"]),
    "BackUp": (["store backup"], ["Client.backup"]),
    "ChangeState": ("a flow and a program keep values, a person does not", ["State.put"]),
    "ChangeStatus": (["session pause", "session resume", "session end", "session fail"], ["Session.pause"]),
    "Check": (["store check"], ["Client.check"]),
    "Collect": (["store gc"], "due work is done beside writes; a person may ask for all of it"),
    "CopyStore": (["store copy"], ["Client.copy_to"]),
    "CountSessions": (["session ls"], "a page has its total"),
    "CreateSession": (["session create"], ["Client.create"]),
    "DeleteQuarantined": (["store quarantine"], ASIDE),
    "DeleteSession": (["session rm"], ["Client.delete"]),
    "DiffSessions": (["session diff"], ["Client.diff"]),
    "EraseEpochs": (["session reset"], ["Session.reset"]),
    "ExportQuarantined": (["store quarantine"], ASIDE),
    "ExportSession": (["session export"], ["Client.export"]),
    "FailSession": (["session fail"], ["Session.fail"]),
    "ForkSession": (["session fork"], ["Client.fork", "Session.fork"]),
    "GetOrCreateSession": ("a shell knows whether it made one", ["Client.get_or_create"]),
    "GetSession": ("`session show` says that there is none", ["Client.get"]),
    "HoldSession": ("a lease ends with its process, and a verb ends at once", ["Session.lease"]),
    "ImportFrom": (["session import"], ["Client.import_from"]),
    "ImportSession": ("`session import` reads every format", ["Client.import_"]),
    "ListForks": (["session rm"], "`tree` has them"),
    "ListNotes": (["session show"], ["Session.notes"]),
    "ListQuarantine": (["store quarantine", "doctor"], ASIDE),
    "ListSessions": (["session ls"], "handles need each session whole: ListWhole"),
    "ListWhole": ("lists print no labels: ListSessions", ["Client.list"]),
    "LookAtSession": (["session inspect", "flow graph"], ["State.at"]),
    "PreviewPrune": (["session prune"], ["Client.prune"]),
    "Prune": (["session prune"], ["Client.prune"]),
    "ReadConversation": (["session read"], "`messages` without `last` reads all of it"),
    "ReadEvents": (["session log", "session read"], ["Session.events", "Session.follow"]),
    "ReadLog": (["store log"], ["Client.log"]),
    "ReadMessages": (["session read"], ["Session.messages"]),
    "ReadState": ("`session inspect` prints it with the position", ["State.copy"]),
    "RedactSession": (["session redact"], ["Session.redact"]),
    "RenameSession": (["session set-id"], ["Session.set_id"]),
    "Repair": (["store check"], ASIDE),
    "ResetSession": (["session reset"], ["Session.reset"]),
    "ResolveSession": (["session show"], "a program has whole ids"),
    "RestoreSession": (["session restore"], ["Session.restore"]),
    "RestoreQuarantined": (["store quarantine"], ASIDE),
    "ResumeSession": ("`session resume` changes the status, as ChangeStatus does", ["Client.resume"]),
    "RunFlow": (["run", "flow test"], ["Client.run_flow"]),
    "Search": (["session search"], ["Client.search"]),
    "SendSignal": (["session signal"], "a run has `signal`"),
    "ShowClock": ("beside what goes by age, where the clock jumped", "about the machine, for people"),
    "ShowContents": (["store info"], "a count over all of the store, for people"),
    "ShowDue": (["store gc"], "what `store gc` would do, for people"),
    "ShowFacts": (["store info", "doctor"], "about the database, for people"),
    "ShowSession": (["session show"], ["Client.session", "Session.refresh"]),
    "ShowStanding": (["doctor"], "about the store, for people"),
    "ShowTree": (["session tree"], ["Client.tree"]),
    "Tidy": ("follows a write that leaves something to be removed", "the same"),
    "TrashSession": (["session trash"], ["Session.trash"]),
    "UndoSession": (["session undo"], ["Session.undo"]),
    "UpdateSession": (["session rename", "session tag", "session pin"], ["Session.rename", "Session.tag"]),
    "WorkDue": ("follows each verb that wrote", "follows the writes of a client, when it is closed"),
    "WriteBatch": ("a shell writes one thing at a time", ["Session.batch"]),
}
OWNERS = {
    "Client": retoma.Client,
    "Session": retoma.Session,
    "State": State,
    "Lease": Lease,
    "FlowRun": FlowRun,
}


def test_the_table_has_every_command() -> None:
    assert sorted(TABLE) == sorted(found.__name__ for _, found in commands())


@pytest.mark.parametrize("name", TABLE)
def test_a_command_has_a_verb_and_a_method_or_a_reason(name: str) -> None:
    verbs, methods = TABLE[name]
    for verb in verbs if isinstance(verbs, list) else ():
        assert verb in VERBS
        assert uses(verb_file(verb), name), f"`{verb}` does not use {name}"
    if isinstance(verbs, str):
        assert len(verbs) > 10
        beside = name in ("ShowClock", "WorkDue")
        assert beside or not [one for one in (SRC / "interfaces/cli").glob("*.py") if name in made(one)]
    for method in methods if isinstance(methods, list) else ():
        owner, _, called = method.partition(".")
        assert callable(getattr(OWNERS[owner], called))
    if isinstance(methods, list):
        assert any(name in made(one) for one in (SRC / "client").glob("*.py"))


@pytest.mark.parametrize(("noun", "command"), list(commands()))
def test_a_command_says_what_it_does(noun: str, command: type) -> None:
    assert (command.__doc__ or "").strip().endswith((".", "'", "]", "2"))
    assert command.__struct_config__.frozen, "a request is not changed"


def test_faces_reach_the_store_through_commands_alone() -> None:
    """No face runs a use case of its own: nothing but a command is given a transaction."""
    for path in [*(SRC / "client").glob("*.py"), *(SRC / "interfaces/cli").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for reach in (".store.read(", ".store.write(", ".store.submit("):
            assert reach not in text, f"{path.name} has a transaction of its own"


def verb_file(verb: str) -> Path:
    module = VERBS[verb].target.partition(":")[0].removeprefix("retoma.").replace(".", "/")
    return SRC / f"{module}.py"


def uses(path: Path, name: str) -> bool:
    """Return whether a file makes the command, or is the one whose verbs share a helper that does."""
    text = path.read_text(encoding="utf-8")
    helper = name == "ResolveSession" and "ctx.found(" in text
    return helper or name in made(path) or f"change = {name} " in text or f"else {name}\n" in text


def made(path: Path) -> set[str]:
    """Return the names that a file calls."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
