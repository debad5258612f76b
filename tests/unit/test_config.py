"""Where values come from, which store a name says, and what is not trusted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from retoma.config import Settings, StorePlace, find_store, load_settings, read_environment
from retoma.config.file import read_file
from retoma.config.place import shown_url, without_passwords
from retoma.config.trusted import distrust, is_trusted, list_trusted, require_trust, trust
from retoma.errors import Invalid, Refused
from retoma.interfaces.problems import sentence

Load = Callable[..., Settings]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    return tmp_path / "a" / "b"


@pytest.fixture
def load(tmp_path: Path, here: Path) -> Load:
    def loaded(store: str | None = None, **environ: str) -> Settings:
        return load_settings(
            cwd=here, environ={"HOME": str(tmp_path / "home")} | environ, overrides={"store": store}
        )

    return loaded


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_anything_the_defaults_hold(load: Load, tmp_path: Path) -> None:
    settings = load()
    assert settings.limits.sessions is None
    assert set(settings.sources.values()) == {"default"}
    place = find_store(settings)
    assert place.path == tmp_path / "home/.local/share/retoma/retoma.db"
    assert (place.given, place.source) == (False, "default")


def test_options_win_over_variables_over_the_nearest_file_over_the_users(load: Load, tmp_path: Path) -> None:
    users = write(
        tmp_path / "home/.config/retoma/retoma.toml",
        "store = 'u'\n[limits]\nsessions = 1\nsessions_active = 2\n",
    )
    settings = load()
    assert find_store(settings).path == users.parent / "u/retoma.db"
    nearest = write(tmp_path / "a/retoma.toml", "store = 'n.db'\n[limits]\nsessions = 9\n")
    settings = load()
    assert (settings.limits.sessions, settings.limits.sessions_active) == (9, 2)
    assert settings.sources["limits.sessions"] == f"retoma.toml:{nearest}"
    assert settings.sources["limits.sessions_active"] == f"retoma.toml:{users}"
    assert settings.files == (nearest, users)
    assert find_store(settings).path == tmp_path / "a/n.db"
    settings = load(RETOMA_STORE="v")
    assert (find_store(settings).path, settings.sources["store"]) == (
        tmp_path / "a/b/v/retoma.db",
        "RETOMA_STORE",
    )
    settings = load("o", RETOMA_STORE="v")
    assert (find_store(settings).path, settings.sources["store"]) == (tmp_path / "a/b/o/retoma.db", "--store")
    assert find_store(settings).given


def test_xdg_directories_are_honoured_if_absolute(load: Load, tmp_path: Path) -> None:
    write(tmp_path / "xdg/retoma/retoma.toml", "[limits]\nsessions = 3\n")
    assert load(XDG_CONFIG_HOME=str(tmp_path / "xdg")).limits.sessions == 3
    assert find_store(load(XDG_DATA_HOME=str(tmp_path / "d"))).path == tmp_path / "d/retoma/retoma.db"
    assert load(XDG_CONFIG_HOME="xdg").limits.sessions is None


def test_an_option_that_is_no_setting_is_invalid(here: Path) -> None:
    with pytest.raises(Invalid, match="Did you mean 'store'"):
        load_settings(cwd=here, environ={"HOME": str(here)}, overrides={"stroe": "x"})


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("# c\nstor = 'x'\n", 2, "Did you mean 'store'?"),
        ("[limits]\n\nsesions = 5\n", 3, "Did you mean 'sessions'?"),
        ("[limts]\nsessions = 5\n", 1, "Did you mean 'limits'?"),
        ("[agents.main]\nmodel = 'echo'\ninstruction = ''\n", 3, "Did you mean 'instructions'?"),
        ("limits.sesions = 1\n", 1, "Did you mean 'sessions'?"),
        ("[limits]\nsessions = 0\n", 2, "a whole number above 0"),
        ("[limits]\nsessions = true\n", 2, "a whole number above 0"),
        ("store = 5\n", 1, "a non-empty text"),
        ("limits = 5\n", 1, "is a table"),
        ("[retention]\nidle_timeout = 3600\n", 2, "a duration such as"),
        ("[retention]\nidle_timeout = '0s'\n", 2, "a duration such as"),
        ("[retention]\n\ncompleted_afer = '1d'\n", 3, "Did you mean 'completed_after'?"),
        ("[templates.review]\nttl = '5 hours'\n", 2, "a duration such as"),
        ("[templates.review]\ntags = ['a', 5]\n", 2, "a list of texts"),
        ("[templates.review]\nmetadata = {at = 2026-11-21}\n", 2, "a table of JSON values"),
        ("[templates.review.limits]\nsessions = 5\n", 2, "unknown key 'sessions'"),
        ("[templates.review.limits]\nevents_per_session = -1\n", 2, "a whole number above 0"),
        ("[templates.'a b']\ntags = []\n", 1, "cannot be a name"),
        ("[artifacts]\ninline_below = '64k'\n", 2, "a number of bytes"),
        ("[agents.main]\ntools = ['x', {command = ['y']}]\n", 2, "tables with a name"),
        ("[runtime.sessions]\nenabled = 1\n", 2, "true or false"),
        ("[runtime.sessions]\nsession_timeout_seconds = '1h'\n", 2, "a whole number of seconds"),
        ("a = 1\nb = = 2\n", 2, "this is not TOML"),
        ("a = 1\n[limits", 2, "this is not TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(
    load: Load, here: Path, text: str, line: int, said: str
) -> None:
    path = write(here / "retoma.toml", text)
    with pytest.raises(Invalid) as caught:
        load()
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)


def test_documented_keys_are_known_and_listed_as_unused(load: Load, here: Path) -> None:
    write(
        here / "retoma.toml",
        """
        [limits]
        artifact_size = 5
        [agents.default]
        model = "echo"
        [agents.default.limits]
        turns = 5
        [templates.review]
        tags = ["a"]
        [retention]
        idle_timeout = "1h"
        [artifacts]
        inline_below = 65536
        [runtime.sessions]
        enabled = true
        [providers.mine]
        url = "x"
        """,
    )
    assert load().unused == (
        "limits.artifact_size",
        "agents.default.model",
        "agents.default.limits",
        "artifacts.inline_below",
        "runtime.sessions.enabled",
        "providers.mine",
    )


def test_the_artifact_guides_table_means_what_is_here(load: Load, here: Path, tmp_path: Path) -> None:
    guide = "[runtime.sessions]\nmax_sessions = 7\nstorage_backend = 'memory'\nenabled = true\n"
    own = write(here / "retoma.toml", guide)
    settings = load()
    assert settings.limits.sessions_active == 7
    assert settings.sources["limits.sessions_active"] == f"retoma.toml:{own}"
    assert find_store(settings).kind == "memory"
    assert settings.unused == ("runtime.sessions.enabled",)
    write(here / "retoma.toml", f"store = 's'\n{guide}[limits]\nsessions_active = 3\n")
    settings = load()
    assert (settings.limits.sessions_active, find_store(settings).path) == (3, here / "s/retoma.db")
    for word in ("sled", "sqlite"):
        write(here / "retoma.toml", guide.replace("memory", word))
        assert find_store(load()).path == tmp_path / "home/.local/share/retoma/retoma.db"
    path = write(
        here / "retoma.toml", guide + "session_timeout_seconds = 3600\nmax_artifacts_per_session = 9\n"
    )
    assert ages(load())[0] == 3_600_000
    assert load().sources["retention.idle_timeout"] == f"retoma.toml:{path}"
    assert load().values["limits.artifacts_per_session"] == 9
    assert "runtime.sessions.max_artifacts_per_session" in load().unused
    write(path, f"{guide}session_timeout_seconds = 3600\n[retention]\nidle_timeout = '2h'\n")
    assert ages(load())[0] == 7_200_000
    write(here / "retoma.toml", guide.replace("memory", "redis"))
    with pytest.raises(Invalid, match=r"retoma\.toml:3: .*'memory', 'sled' or 'sqlite', not 'redis'"):
        load()


def test_of_an_llmspell_toml_one_table_is_read(load: Load, here: Path, tmp_path: Path) -> None:
    guide = "[providers]\nx = 1\n[runtime]\nlanguage = 'lua'\n[runtime.sessions]\nmax_sessions = 7\nnew = 1\n"
    path = write(here / "llmspell.toml", guide)
    settings = load()
    assert (settings.limits.sessions_active, settings.files) == (7, (path,))
    assert settings.unused == ("runtime.sessions.new",)
    assert settings.sources["limits.sessions_active"] == f"llmspell.toml:{path}"
    write(tmp_path / "a/retoma.toml", "[limits]\nsessions = 9\n")
    assert (load().limits.sessions_active, load().limits.sessions) == (
        None,
        9,
    )  # the nearest retoma.toml's place
    beside = write(tmp_path / "a/llmspell.toml", guide)
    assert (load().limits.sessions_active, load().files[1]) == (7, beside)
    write(tmp_path / "a/retoma.toml", "[limits]\nsessions_active = 2\n")
    assert load().limits.sessions_active == 2
    write(beside, "[runtime]\nsessions = 4\n")
    with pytest.raises(Invalid, match=r"llmspell\.toml:\d+: \[runtime\.sessions\] is a table"):
        load()


def test_a_file_that_others_may_write_is_refused(load: Load, here: Path) -> None:
    path = write(here / "retoma.toml", "")
    path.chmod(0o666)
    with pytest.raises(Refused, match=r"writable by everybody.*chmod o-w"):
        load()
    path.chmod(0o664)  # a checkout under umask 002
    assert load().files == (path,)


def test_a_file_of_another_owner_is_refused(load: Load, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The test's own user plays the other one: changing an owner takes root, and root's files are trusted.
    write(here / "retoma.toml", "")
    if os.geteuid() == 0:
        os.chown(here / "retoma.toml", 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(Refused, match=r"belongs to another user .*chown"):
        load()


def test_the_nearest_store_is_found_upwards(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".retoma").mkdir(mode=0o700)
    place = find_store(load())
    assert place.path == tmp_path / ".retoma/retoma.db"
    assert (place.given, place.shown) == (False, str(tmp_path / ".retoma"))


def test_a_found_store_that_others_may_write_is_refused_a_given_one_is_not(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / ".retoma").mkdir()
    (tmp_path / ".retoma").chmod(0o777)
    with pytest.raises(Refused) as caught:
        find_store(load())
    assert "chmod o-w" in caught.value.hint
    assert "--store" in caught.value.hint
    assert find_store(load(str(tmp_path / ".retoma"))).given
    (tmp_path / ".retoma").chmod(0o775)
    database = write(tmp_path / ".retoma/retoma.db", "")
    assert find_store(load()).path == database
    database.chmod(0o646)
    with pytest.raises(Refused, match=r"retoma\.db is writable by everybody"):
        find_store(load())


@pytest.mark.parametrize(
    ("name", "kind", "path"),
    [
        ("dir", "sqlite", "dir/retoma.db"),
        ("x.db", "sqlite", "x.db"),
        ("x.sqlite", "sqlite", "x.sqlite"),
        ("sqlite:///rel.db", "sqlite", "rel.db"),
        ("sqlite:////abs/x.db", "sqlite", "/abs/x.db"),
        (":memory:", "memory", None),
        ("sqlite:///:memory:", "memory", None),
        ("sqlite://", "memory", None),
        ("postgresql://u:secret@h/d", "postgresql", None),
    ],
)
def test_names_of_stores(load: Load, here: Path, name: str, kind: str, path: str | None) -> None:
    place = find_store(load(name))
    assert place.kind == kind
    assert place.path == (here / path if path else None)
    assert "secret" not in place.shown


def test_a_password_is_never_shown() -> None:
    place = StorePlace(kind="postgresql", url="postgresql://u:p@s@h/d", given=True, source="--store")
    assert place.shown == "postgresql://u@h/d"


@pytest.mark.parametrize("path", ["", "/x", "?sslmode=require", "/x?connect_timeout=1"])
@pytest.mark.parametrize("server", ["h", "h:5", "[::1]:5", "h1:5,h2"])
def test_no_part_of_a_password_is_shown_however_it_is_written(server: str, path: str) -> None:
    rng = Random(f"{server}{path}")
    for _ in range(500):
        password = "".join(rng.choice("@:/?#[]%&= QZ") for _ in range(rng.randint(1, 12))) + "Q"
        for url in (
            f"postgresql://ana:{password}@{server}{path}",
            f"postgresql://{server}/x?password={password}",
            f"postgresql://ana:{password.replace('@', '')}",
        ):
            shown = shown_url(url)
            assert not {"Q", "Z"} & set(shown), (url, shown)
            assert shown_url(shown) == shown == without_passwords(shown)
            assert without_passwords(f"There is no file '{url}'.") == f"There is no file '{shown}'."


def test_a_server_is_shown_as_it_was_written() -> None:
    for url in (
        "postgresql://ana@h1:5,[::1]:6/x",
        "postgresql://h:5/x",
        "postgresql:///x",
        "postgres://ana@/x",
    ):
        assert shown_url(url) == url


@pytest.mark.parametrize(
    "name", ["postgresql:/ana:hunter2@h/x", "postgres:ana:hunter2@h", "host=h password=hunter2"]
)
def test_a_connection_that_is_no_url_is_not_taken_for_a_path(load: Load, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        find_store(load(name))
    assert "hunter2" not in sentence(caught.value)


@pytest.mark.parametrize("name", ["mysql://x", "", "sqlite://x.db"])
def test_names_of_no_store_are_invalid(load: Load, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        find_store(load(name))
    assert caught.value.code == "bad_store"


def test_the_environment() -> None:
    said = {
        "HOME": "/h",
        "LOGNAME": "ana",
        "RETOMA_DEBUG": "1",
        "NO_COLOR": "1",
        "RETOMA_SESSION": "s",
        "LANG": "pt_PT",
    }
    environment = read_environment(said)
    assert (environment.user, environment.debug, environment.no_color) == ("ana", True, True)
    assert (environment.session, environment.lang, environment.home) == ("s", "pt_PT", Path("/h"))
    quiet = read_environment(
        {"HOME": "/h", "RETOMA_DEBUG": "0", "NO_COLOR": "", "RETOMA_STORE": "", "COLUMNS": "x"}
    )
    assert (quiet.debug, quiet.no_color, quiet.store, quiet.columns) == (False, False, None, None)
    assert quiet.user


def ages(settings: Settings) -> tuple[int | None, int | None]:
    rules = settings.retention(find_store(settings))
    return rules.idle_timeout_ms, rules.completed_after_ms


def test_retention_is_off_until_it_is_set(load: Load, here: Path) -> None:
    assert ages(load()) == (None, None)
    (here / ".retoma").mkdir(mode=0o700)
    write(here / "retoma.toml", "[retention]\nidle_timeout = '1h30m'\ncompleted_after = '30d'\n")
    assert ages(load()) == (5_400_000, 30 * 86_400_000)


def test_who_enters_a_directory_loses_nothing_in_a_store_elsewhere(
    load: Load, here: Path, tmp_path: Path
) -> None:
    users = write(tmp_path / "home/.config/retoma/retoma.toml", "[retention]\nidle_timeout = '1d'\n")
    assert ages(load()) == (86_400_000, None)
    brought = write(here / "retoma.toml", "[retention]\nidle_timeout = '1s'\ncompleted_after = '1s'\n")
    own = find_store(load())
    assert own.source == "default"
    assert ages(load()) == (None, None)
    assert load().withheld(own) == {
        "retention.idle_timeout": brought,
        "retention.completed_after": brought,
    }
    elsewhere = "postgresql://u@h/d"
    assert ages(load(RETOMA_STORE=elsewhere)) == (None, None)
    assert ages(load(elsewhere)) == (1_000, 1_000)  # named on this command line
    assert ages(load(RETOMA_STORE=str(here / "s"))) == (1_000, 1_000)  # beside the file
    write(brought, "[retention]\ncompleted_after = '1s'\n")
    assert ages(load()) == (86_400_000, None)
    assert users in load().files
    trust(load().read[0], load().environment, at=5)
    assert ages(load()) == (86_400_000, 1_000)
    write(brought, "store = '~/.local/share/retoma'\n[retention]\ncompleted_after = '2s'\n")
    assert ages(load()) == (86_400_000, None)


def test_a_template_is_made_of_what_the_files_say_key_by_key(load: Load, here: Path, tmp_path: Path) -> None:
    write(
        tmp_path / "home/.config/retoma/retoma.toml",
        "[templates.review]\ntags = ['mine']\nagent = 'me'\n[templates.mine]\n",
    )
    path = write(
        here / "retoma.toml",
        """
        [limits]
        events_per_session = 100
        [templates.review]
        title_prefix = "Review: "
        tags = ["review"]
        metadata = { size = 3, nested = { deep = [1, true, 0.5, "x"] } }
        ttl = "2w"
        [templates.review.limits]
        events_per_session = 10
        waiting_prompts = 5
        """,
    )
    settings = load()
    assert list(settings.templates) == ["mine", "review"]
    review = settings.templates["review"]
    assert (review.title_prefix, review.tags, review.agent, review.ttl_ms) == (
        "Review: ",
        ("review",),
        "me",
        14 * 86_400_000,
    )
    assert review.metadata == {"size": 3, "nested": {"deep": [1, True, 0.5, "x"]}}
    assert settings.unused == ("templates.review.limits.waiting_prompts",)
    limits = settings.limits
    assert limits.events_of("review") == (10, "templates.review.limits.events_per_session")
    assert limits.events_of("mine") == limits.events_of("") == (100, "limits.events_per_session")
    assert limits.where("limits.events_per_session") == str(path)


# What is trusted


TOOLS = "[agents.main]\ntools = ['plain', {name = 'count', command = ['wc', '-l']}]\n"


def test_a_file_that_names_a_command_is_trusted_once_and_as_it_is(
    load: Load, here: Path, tmp_path: Path
) -> None:
    path = write(here / "retoma.toml", TOOLS)
    (file,) = load().read
    environment = load().environment
    assert file.commands == ("agents.main.tools",)
    with pytest.raises(Refused, match=r"names a command \(agents\.main\.tools\).*retoma trust") as caught:
        require_trust(file, "agents.main.tools", environment)
    assert caught.value.code == "untrusted_command"
    record = trust(file, environment, at=5)
    require_trust(file, "agents.main.tools", environment)
    assert list(list_trusted(environment)) == [record]
    kept = tmp_path / "home/.local/share/retoma/trusted"
    assert kept.stat().st_mode & 0o777 == 0o700
    write(path, TOOLS + "# changed\n")
    assert not is_trusted(load().read[0], environment)
    elsewhere = write(tmp_path / "a/retoma.toml", TOOLS)
    assert not is_trusted(read_file(elsewhere), environment)
    write(path, TOOLS)
    assert is_trusted(load().read[0], environment)
    assert distrust(path, environment) == 1
    assert not is_trusted(load().read[0], environment)
    assert distrust(path, environment) == 0


def test_the_users_own_file_needs_no_trust(load: Load, tmp_path: Path) -> None:
    write(tmp_path / "home/.config/retoma/retoma.toml", TOOLS)
    settings = load()
    assert is_trusted(settings.read[0], settings.environment)


def test_what_everybody_may_write_says_nothing_of_trust(load: Load, here: Path, tmp_path: Path) -> None:
    write(here / "retoma.toml", TOOLS)
    (file,) = load().read
    trust(file, load().environment, at=5)
    (tmp_path / "home/.local/share/retoma/trusted").chmod(0o777)
    with pytest.raises(Refused, match="chmod o-w"):
        is_trusted(file, load().environment)


def test_a_byte_order_mark_is_no_part_of_a_configuration(tmp_path: Path) -> None:
    from retoma.config import file as config_file

    path = tmp_path / "retoma.toml"
    path.write_bytes(b"\xef\xbb\xbf[limits]\r\nsessions = 5\r\n")
    assert config_file.read_file(path).values == {"limits.sessions": 5}
