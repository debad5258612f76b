"""A flow is edited at random while a session runs it; a model that knows nothing of the code says what must be shown.

The flow is a ring of questions. Each edit writes every file anew, with the edit's number in each text, so that a text
tells which version it came from. The model keeps what the session has to say, hold and run.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from blake3 import blake3
from tests.calls import Calls
from tests.crash.trials import SEED, client_at, count, quick_directory

from retoma.flows import Directory
from retoma.model.fold import fold
from retoma.runtime.drive import Drive, Request
from retoma.runtime.reload import Found, Settling

EDITS = 1_000
A_SESSION = 40
NAMES = ("start", "a", "b", "c", "d")
GOES_ON = "The session continues with the version it has."
AS_BEFORE = "The flow is now the same as the version that the session runs."


@dataclass(frozen=True)
class Asks:
    """A node as the model has it: asks, saves to `k_NAME`, leads to the next of the ring."""

    path: str
    waits: bool = True
    needs: tuple[str, ...] = ()
    ints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """Every node of the ring by name, and at most one mistake: (file, line, what is said of it)."""

    number: int
    nodes: dict[str, Asks]
    wrong: tuple[str, int, str] | None = None
    mistake: dict[str, str] = field(default_factory=dict)

    def after(self, name: str) -> str:
        at = NAMES.index(name)
        return next(one for one in NAMES[at + 1 :] + NAMES[: at + 1] if one in self.nodes)

    def files(self) -> dict[str, str]:
        written = {}
        for name, node in self.nodes.items():
            head = f"id: {name}\nto: {self.after(name)}\n"
            head += f"type: question\nsave_to: k_{name}\n" if node.waits else ""
            head += f"required_context: [{', '.join(node.needs)}]\n" if node.needs else ""
            head += "".join(f"context_schema: {{{key}: int}}\n" for key in node.ints)
            shown = " ".join(f"<{{{{ .k_{one} }}}}>" for one in NAMES)
            written[f"{node.path}.md"] = f"---\n{head}---\nversion {self.number} at {name} {shown}\n"
        return written | self.mistake

    def text(self, name: str, context: dict[str, str]) -> str:
        shown = " ".join(f"<{context.get(f'k_{one}', '')}>" for one in NAMES)
        return f"version {self.number} at {name} {shown}"

    def hash(self) -> str:
        digest = blake3()
        for path, text in sorted(self.files().items()):
            for part in (path.encode(), text.encode()):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def lacks_on_the_way(self, name: str, context: dict[str, str]) -> str:
        """Return what the context lacks from the node up to the first that waits."""
        lacking = self.lacks(name, context)
        return (
            lacking if lacking or self.nodes[name].waits else self.lacks_on_the_way(self.after(name), context)
        )

    def lacks(self, name: str, context: dict[str, str]) -> str:
        node = self.nodes[name]
        missing = ", ".join(repr(key) for key in (*node.needs, *node.ints) if key not in context)
        if missing:
            return f"The node '{node.path}' needs {missing} in the context."
        wrong = [f"{key!r} must be int, not string" for key in node.ints]
        return f"At the node '{node.path}' the context is not valid: {wrong[0]}." if wrong else ""


@dataclass
class Model:
    """What has to be: the version that runs, the node (by name and by path), context and history."""

    running: Version
    at: str = "start"
    context: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    used: dict[str, Version] = field(default_factory=dict)

    def enter(self, name: str) -> list[str]:
        """Enter the node, and those behind it up to one that waits; return their texts."""
        self.at = name
        self.history.append(self.running.nodes[name].path)
        shown = [self.running.text(name, self.context)]
        following = [] if self.running.nodes[name].waits else self.enter(self.running.after(name))
        return shown + following

    def meet(self, edited: Version, since: str) -> tuple[bool, str, list[str]]:
        """Return whether the edit is taken up, the sentence, and the texts that are shown."""
        said, was = f"The flow was edited{since}", self.running.nodes[self.at].path
        if edited.wrong is not None:
            file, line, what = edited.wrong
            return False, f"The flow 'flow' has one problem:\n{file}:{line}: {what}\n{GOES_ON}", []
        gone = self.at not in edited.nodes
        first = "start" if gone else self.at
        if lacking := edited.lacks_on_the_way(first, self.context):
            return False, f"{said}. {lacking} {GOES_ON}", []
        self.running = self.used[edited.hash()] = edited
        if gone:
            said += (
                f", and its node '{was}' no longer exists: back to 'start', with the data collected so far."
            )
            return True, said, self.enter("start")
        said += "; the session continues with the new version."
        if (path := edited.nodes[first].path) != was:
            self.history[-1] = path
            said += f" Its node '{was}' is '{path}' now."
        shown = [edited.text(first, self.context)]
        return True, said, shown if edited.nodes[first].waits else shown + self.enter(edited.after(first))

    def answer(self, word: str) -> list[str]:
        self.context[f"k_{self.at}"] = word
        return self.enter(self.running.after(self.at))

    def may_answer(self) -> bool:
        """Whether the next node can be entered: a session that failed could not be edited further."""
        following = self.running.after(self.at)
        return not self.running.lacks_on_the_way(following, self.context | {f"k_{self.at}": "x"})


class Nervous(Directory):
    """A directory that is written to in the moment between a look and the reading, when it is told to be."""

    meanwhile: Callable[[], None] | None = None

    def load(self, seen):
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()
        return super().load(seen)


class Trial:
    """A session and its model, edit after edit."""

    def __init__(self, client: Calls, place: Path, chance: random.Random, name: str) -> None:
        self.client, self.place, self.chance, self.name = client, place, chance, name
        self.number = self.clock = 0
        self.disk = self.fresh()
        self.write(self.disk)
        self.model = Model(self.disk, used={self.disk.hash(): self.disk})
        self.drive = self.opened()
        assert self.shown() == self.model.enter("start")

    def fresh(self) -> Version:
        self.number += 1
        return Version(self.number, {name: Asks(name) for name in NAMES})

    def opened(self) -> Drive:
        drive = self.client.drive(Request(directory=self.place / "flow", session=self.name))
        self.directory = Nervous(self.place / "flow")
        self.settling = Settling(self.directory, drive.found)
        self.known = self.key(self.disk)
        return drive

    def key(self, version: Version) -> object:
        """What tells one find in the directory from the next."""
        return version.wrong or version.hash()

    def shown(self) -> list[str]:
        return [visit.content for visit in self.drive.shown]

    def write(self, version: Version, look: Callable[[], object] = lambda: None) -> None:
        """Make the directory hold `version`, file by file in any order, with looks in between."""
        root = self.place / "flow"
        files = version.files()
        nodes = [
            path for path in root.rglob("*.md") if path.name != "README.md" and path.parent.name[0] != "."
        ]
        old = [path for path in nodes if str(path.relative_to(root)) not in files]
        acts: list[tuple[Path, str | None]] = [(root / name, text) for name, text in files.items()]
        acts += [(path, None) for path in old]
        self.chance.shuffle(acts)
        for path, text in acts:
            if text is None:
                path.unlink()
            else:
                self.save(path, text)
            if self.chance.random() < 0.3:
                assert look() is None, "a look counted while files were being written"

    def rest(self) -> Found | None:
        """Look once more, perhaps after the change was loaded ahead, as a watch does that the system tells."""
        whole = self.chance.random() < 0.5
        if not whole:
            assert not self.settling.prepare()
        return self.settling.look(whole=whole)

    def save(self, path: Path, text: str) -> None:
        """Write a file in place or beside it, as editors do, a second after what was written before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        to = path if self.chance.random() < 0.5 else path.with_name("4913~")
        to.write_text(text)
        self.clock += 1
        os.utime(
            to, (self.clock, self.clock)
        )  # looks follow one another faster here than a file system's clock ticks
        to.replace(path)

    # The edits

    def edit(self) -> str:
        """Make one edit, and check what came of it; return its kind."""
        kind = self.chance.choice(KINDS)
        edited = getattr(self, f"_{kind}")()
        if edited is None:  # nothing that defines the flow
            assert [self.settling.look() for _ in range(3)] == [None] * 3
            return kind
        if kind == "racing":
            self.disk = self.race(edited)
        else:
            self.disk = edited
            self.write(edited, self.settling.look)
        found = self.settling.look() or self.rest()
        if self.key(self.disk) == self.known:
            assert found is None
            return kind
        self.known = self.key(self.disk)
        said = self.drive.reload(found)
        if self.disk.hash() == self.model.running.hash():
            assert (said.taken, said.sentence, self.shown()) == (False, AS_BEFORE, [])
        else:
            assert (said.taken, said.sentence, self.shown()) == self.model.meet(self.disk, "")
        assert (said.version, said.node) == (self.model.running.hash(), self.model.history[-1])
        return kind

    def race(self, edited: Version) -> Version:
        """Write `edited`; in the moment before it is read, begin to write the next one. Return that one."""
        following = replace(edited, number=edited.number + 1)
        self.number += 1
        self.write(edited, self.settling.look)
        self.directory.meanwhile = lambda: self.write(following)
        for _ in range(2):
            if self.directory.meanwhile is not None:
                assert self.settling.look() is None, "what was being written was taken up"
        assert self.directory.meanwhile is None
        return following

    def _valid(self) -> Version:
        self.number += 1
        return Version(self.number, dict(self.model.running.nodes))

    def _whole(self) -> Version:
        return self.fresh()

    def _racing(self) -> Version:
        return self.fresh()

    def _gone(self) -> Version:
        version = self.fresh()
        if self.model.at != "start":
            del version.nodes[self.model.at]
        return version

    def _other_gone(self) -> Version:
        version = self.fresh()
        del version.nodes[self.chance.choice([one for one in NAMES[1:] if one != self.model.at])]
        return version

    def _moved(self) -> Version:
        version = self.fresh()
        for name in self.chance.sample(NAMES[1:], 2):
            version.nodes[name] = Asks(f"deeper/{name}")
        return version

    def _passes(self) -> Version:
        version = self._at_node(waits=False)
        following = version.after(self.model.at)
        if self.chance.random() < 0.3:
            version.nodes[following] = Asks(following, needs=("token",))
        return version

    def _needs(self) -> Version:
        return self._at_node(needs=("token",) if self.chance.random() < 0.7 else tuple(self.model.context))

    def _schema(self) -> Version:
        return self._at_node(ints=(self.chance.choice([*self.model.context, "token"]),))

    def _gone_and_entry_needs(self) -> Version:
        version = self._gone()
        version.nodes["start"] = Asks("start", needs=("token",))
        return version

    def _at_node(self, **more: object) -> Version:
        version = self.fresh()
        version.nodes[self.model.at] = replace(version.nodes[self.model.at], **more)
        return version

    def _unclosed(self) -> Version:
        version, name = self.fresh(), self.chance.choice(NAMES)
        lines = self.chance.randrange(1, 40)
        text = version.files()[f"{name}.md"] + "\n" * lines + "{{ .name\n"
        line = text.count("\n")
        said = "This {{ is not closed. End it with }}, within 4,000 characters."
        return replace(version, wrong=(f"{name}.md", line, said), mistake={f"{name}.md": text})

    def _no_yaml(self) -> Version:
        version, name = self.fresh(), self.chance.choice(NAMES)
        text = version.files()[f"{name}.md"].replace("---\n", f"---\n# {self.number}\nid: twice\n", 1)
        said = "The key 'id' appears twice. The first one is at line 3."
        return replace(version, wrong=(f"{name}.md", 4, said), mistake={f"{name}.md": text})

    def _dangling(self) -> Version:
        version, name = self.fresh(), self.chance.choice(NAMES)
        target = f"90{self.number}"
        text = version.files()[f"{name}.md"].replace(f"to: {version.after(name)}\n", f"to: {target}\n")
        hint = "Add a file with that name, or correct it."
        said = f"'to' leads to '{target}', which is not a node. {hint}"
        return replace(version, wrong=(f"{name}.md", 3, said), mistake={f"{name}.md": text})

    def _back(self) -> Version:
        return self.model.running

    def _beside(self) -> None:
        for name in (".start.md.swp", "start.md~", ".git/a.md", ".retoma/b.md", "README.md"):
            path = self.place / "flow" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"---\n{self.number}: [\n")

    # Between the edits

    def go_on(self) -> None:
        """Answer some questions, stop and take the session up again, and hold what is there against the model."""
        model = self.model
        while self.chance.random() < 0.5 and model.may_answer():
            word = f"w{self.chance.randrange(10_000)}"
            self.drive.send(word)
            assert self.shown() == model.answer(word)
        if self.chance.random() < 0.1:
            self.drive.close()
            self.drive = self.opened()
            notices = []
            shown = [model.running.text(model.at, model.context)]
            if self.disk.hash() != model.running.hash():
                taken, sentence, meanwhile = model.meet(self.disk, " since the last run")
                notices, shown = [sentence], meanwhile if taken else shown
            assert (self.drive.notices, self.shown()) == (notices, shown)
        assert self.drive.position.context == model.context
        assert self.drive.history == model.history
        assert self.drive.flow.version == model.running.hash()

    def close(self) -> None:
        """See that the journal and the rows say so, too, and that every version that was used is there whole."""
        versions = self.drive._versions
        for version, used in self.model.used.items():
            files = {name: text.encode() for name, text in used.files().items()}
            assert versions.stored(bytes.fromhex(version)).files == files
        self.drive.close()
        rows, events = self.client.position(self.name), list(self.client.events(self.name))
        folded = fold(events)
        assert folded.state == rows.position.context == self.model.context
        assert folded.history == rows.history == self.model.history
        named = [
            event.value()["version"] for event in events if event.type in ("flow.started", "flow.version")
        ]
        assert set(named) == set(self.model.used)
        assert named[-1] == rows.session.flow_version.hex() == self.model.running.hash()


KINDS = (
    "valid", "whole", "racing", "gone", "other_gone", "moved", "passes", "needs", "schema", "gone_and_entry_needs",
    "unclosed", "no_yaml", "dangling", "back", "beside",
)  # fmt: skip


def test_a_session_whose_flow_is_edited_at_random_mixes_nothing_and_loses_nothing(
    tell: Callable[[str], None],
) -> None:
    edits = count(EDITS)
    failures: list[str] = []
    made: dict[str, int] = {}
    taken = 0
    with quick_directory() as directory, client_at(directory / "store.db") as client:
        for number, chance in enumerate(sessions(edits)):
            trial, kind = Trial(client, directory, chance, f"s{number}"), "start"
            try:
                for _ in range(min(A_SESSION, edits - number * A_SESSION)):
                    kind = trial.edit()
                    made[kind] = made.get(kind, 0) + 1
                    trial.go_on()
                trial.close()
            except AssertionError as error:
                failures.append(f"session {number}, {kind} after {sum(made.values())} edits: {error}")
            taken += len(trial.model.used) - 1
            trial.drive.close()
            shutil.rmtree(directory / "flow")
    tell(
        f"hot reload: {sum(made.values())} edits, seed {SEED}, {len(made)} kinds, {taken} taken up, "
        f"failures {len(failures)}"
    )
    assert failures == []
    assert sum(made.values()) == edits


def sessions(edits: int) -> Iterator[random.Random]:
    """Yield where the chance of each session comes from, for as many as `edits` need."""
    for number in range(-(-edits // A_SESSION)):
        yield random.Random(f"{SEED}/{number}")
