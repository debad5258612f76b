"""What every verb shares: the table, options on both sides, help, usage errors, streams, and what gets imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from retoma.__main__ import main
from retoma.errors import Busy
from retoma.interfaces.cli import table
from retoma.interfaces.cli.app import App
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import Verb, verb

HERE = [path for path, entry in table.VERBS.items() if find_spec(entry.target.partition(":")[0])]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test works in a directory of its own, with no configuration and no variables of the person's."""
    for name in [name for name in os.environ if name.startswith(("RETOMA_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def python(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args], capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )


@verb("probe", example="retoma probe")
@click.option("--fail", is_flag=True, help="Raise.")
def probe(ctx: Invocation, *, fail: bool) -> int | None:
    """Say what was given. It stands for any verb in these tests."""
    if fail:
        raise Busy("'a' is driven by process 1.", hint="Wait for it.")
    ctx.out.note("a note")
    ctx.out.print_json({"given": dict(ctx.given)})
    return 3


@pytest.fixture
def with_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "probe_module", type(sys)("probe_module"))
    setattr(sys.modules["probe_module"], "probe", probe)  # noqa: B010
    monkeypatch.setitem(table.VERBS, "session probe", table.Entry("probe_module:probe", "a probe"))


GIVEN = {"store": "x", "json": True, "quiet": True, "no_color": True, "utc": True}
OPTIONS = ["--store", "x", "--json", "--quiet", "--no-color", "--utc"]


@pytest.mark.usefixtures("with_probe")
@pytest.mark.parametrize(
    "args",
    [
        [*OPTIONS, "session", "probe"],
        ["session", *OPTIONS, "probe"],
        ["session", "probe", *OPTIONS],
        [*OPTIONS[:3], "sessions", "probe", *OPTIONS[3:]],
    ],
)
def test_global_options_stand_anywhere(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 3
    out, err = capsys.readouterr()
    assert json.loads(out) == {"given": GIVEN}
    assert err == ""


@pytest.mark.usefixtures("with_probe")
def test_the_nearer_option_wins(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--store", "a", "session", "probe", "--store", "b"])
    out, err = capsys.readouterr()
    assert json.loads(out) == {"given": {"store": "b"}}
    assert err == "a note\n"


@pytest.mark.usefixtures("with_probe")
def test_an_error_is_a_sentence_and_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["session", "probe", "--fail"]) == 5
    assert capsys.readouterr() == ("", "'a' is driven by process 1. Wait for it.\n")
    assert main(["session", "probe", "--fail", "--json"]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["error"]["code"] == "busy"


@pytest.mark.usefixtures("with_probe")
def test_a_traceback_is_shown_only_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETOMA_DEBUG", "1")
    assert main(["session", "probe", "--fail"]) == 5
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("Wait for it.\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["sesion", "ls"], "There is no verb 'sesion'. Did you mean 'session'"),
        (["session", "lst"], "'session' has no verb 'lst'. Did you mean 'ls'?"),
        (["ls"], "Did you mean `retoma session ls`?"),
        (["xyzzy"], "There is no verb 'xyzzy'. `retoma --help`"),
        (["session"], "`retoma session` needs a verb after it. `retoma session --help` lists"),
        (["version", "--jsn"], "No such option '--jsn'. Did you mean '--json'? `retoma version --help`"),
        (["version", "more"], "unexpected extra argument (more). `retoma version --help`"),
        (["completion"], "Missing argument"),
        (["--store"], "Option '--store' requires an argument."),
        (["config", "--store", "mysql://x"], "'mysql://' is not a kind of store (--store)."),
    ],
)
def test_wrong_usage_is_two_lines_at_most_and_exits_2(
    args: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") <= 2 + ("Missing argument" in err) * 4


def screen(text: str) -> bool:
    lines = text.splitlines()
    return len(lines) <= 24 and max(map(len, lines)) <= 80


@pytest.mark.parametrize("args", [[], ["--help"], *([noun, "--help"] for noun in table.nouns())], ids=str)
def test_help_fits_a_screen(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 0
    out = capsys.readouterr().out
    assert screen(out)
    assert "Everywhere: --store" in out


def test_the_topics_of_a_noun_have_each_of_its_verbs_once() -> None:
    for noun, topics in table.TOPICS.items():
        words = [word for _, topic in topics for word in topic]
        assert sorted(words) == sorted(table.verbs_of(noun))


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    words = capsys.readouterr().out.replace(",", " ").split()
    assert {word for path in table.VERBS for word in path.split()} <= set(words)


@pytest.mark.parametrize("path", HERE)
def test_a_verbs_help_has_an_example_and_fits_a_screen(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*path.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert screen(out)
    assert f"retoma {path}" in out
    assert "Example: " in out


def test_every_alias_means_a_verb_or_a_noun() -> None:
    assert set(table.ALIASES.values()) <= {*table.VERBS, *table.nouns()}
    assert table.resolve("sessions list") == "session ls"
    shown = {word for _, words in table.GROUPS for word in words}
    assert shown == set(table.verbs_of(""))


@pytest.mark.parametrize("path", HERE)
def test_the_table_names_verbs(path: str) -> None:
    noun, _, word = path.rpartition(" ")
    command = App(noun).get_command(click.Context(App(noun)), word)
    assert isinstance(command, Verb)
    assert command.name == word


@pytest.mark.parametrize("args", [["version", "--json"], ["--json", "--version"], ["--version", "--json"]])
def test_version(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 0
    assert set(json.loads(capsys.readouterr().out)) >= {"retoma", "python", "sqlite"}


def test_config_says_where_each_value_came_from(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "retoma.toml").write_text("[limits]\nsessions = 5000\n[artifacts]\nstore = 'x'\n")
    assert main(["config", "--store", "s"]) == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()[:2]] == [
        ["store", str(tmp_path / "s"), "--store"],
        ["limits.sessions", "5,000", f"retoma.toml:{tmp_path}/retoma.toml"],
    ]
    assert err == "artifacts.store is a known key, but this version does not use it.\n"
    assert main(["config", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert {
        "key": "limits.sessions",
        "value": 5000,
        "source": f"retoma.toml:{tmp_path}/retoma.toml",
    } in shape["settings"]
    assert shape["unused"] == ["artifacts.store"]


def test_init_makes_a_private_directory_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    directory = tmp_path / ".retoma"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / ".gitignore").read_text() == "*\n"
    assert main(["init", "--json"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"Made the store {directory}."
    assert json.loads(out[1]) == {"store": str(directory), "created": False}


def test_init_says_which_store_holds_when_it_is_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETOMA_STORE", "elsewhere")
    assert main(["init"]) == 0
    assert (
        capsys.readouterr().err
        == "RETOMA_STORE names another store, so verbs use that store instead of this one.\n"
    )


def test_init_hides_nothing_of_a_directory_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retoma.interfaces.cli.init.create_store", lambda place: True)
    assert main(["init", "--store", "mine.db"]) == 0
    assert not (tmp_path / ".gitignore").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_RETOMA_COMPLETE" in capsys.readouterr().out


def test_completion_imports_no_verb() -> None:
    code = "import sys; from retoma.__main__ import main; main([]); print(*sys.modules)"
    words = {"_RETOMA_COMPLETE": "bash_complete", "COMP_WORDS": "retoma session rea", "COMP_CWORD": "2"}
    lines = python("-c", code, **words).stdout.splitlines()
    assert lines[:-1] == ["plain,read"]
    assert {"apsw", "tomllib", "retoma.wiring"}.isdisjoint(lines[-1].split())


def test_a_verb_imports_only_what_it_needs() -> None:
    code = "import sys; from retoma.__main__ import main; main(['config', '--json']); print(); print(*sys.modules)"
    imported = set(python("-c", code).stdout.splitlines()[-1].split())
    heavy = {
        "rich",
        "platformdirs",
        "tomllib",
        "yaml",
        "asyncio",
        "apsw",
        "difflib",
        "subprocess",
        "importlib.metadata",
    }
    assert imported & heavy == set()
    cli = {name.rpartition(".")[2] for name in imported if name.startswith("retoma.interfaces.cli.")}
    assert cli <= {"app", "table", "verb", "context", "output", "text", "config"}


def test_output_that_nobody_reads_is_no_failure(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        ran = subprocess.run(
            [sys.executable, "-m", "retoma", "--help"], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_a_failure() -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "retoma", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (
        1,
        "The operating system reported an error: No space left on device.\n",
    )


def test_an_encoding_without_the_letters_ends_nothing() -> None:
    ran = python("-m", "retoma", "config", "--store", "café", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert "caf\\xe9" in ran.stdout


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("retoma.interfaces.cli.app.run", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"
