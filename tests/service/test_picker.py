"""The picker, driven by its keys: what a person sees, and what is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.calls import Calls
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from retoma.interfaces.cli.picker.app import Picker
from retoma.model.session import NewSession
from retoma.stores.conformance.store import Clock

WIDE = (120, 30)


@pytest.fixture
def played(client: Calls, clock: Clock) -> Callable[..., str | None]:
    """Give the picker keys, one after the other; look at it with `then`; return what was picked."""

    def play(
        *keys: str,
        then: Callable[[Picker], None] | None = None,
        size: tuple[int, int] = WIDE,
        more: Callable[[Pilot[str]], Awaitable[None]] | None = None,
    ) -> str | None:
        async def go() -> str | None:
            picker = Picker(client._opened, clock)
            async with picker.run_test(size=size) as pilot:
                await pilot.pause()
                await pilot.press(*keys)
                await pilot.pause()
                if then is not None:
                    then(picker)
            return picker.return_value

        return asyncio.run(go())

    return play


def made(client: Calls, clock: Clock, *names: str) -> None:
    for name in names:
        clock.now += 60_000
        client.create(NewSession(id=name, title=f"Title of {name}"))


def rows(picker: Picker) -> list[str]:
    table = picker.query_one("#list", DataTable)
    return [str(table.get_row_at(at)[1]).partition("\n")[0] for at in range(table.row_count)]


def test_the_newest_is_first_and_enter_picks(client, clock, played):
    made(client, clock, "old", "new")
    assert played("enter", then=None) == "new"
    assert played("down", "enter") == "old"
    assert played("q") is None


def test_words_find_by_id_and_title(client, clock, played):
    made(client, clock, "alpha", "beta", "gamma")
    client.create(NewSession(id="other", title="About the beta test"))
    seen: list[str] = []
    assert played(*"/beta", "enter", "enter", then=lambda picker: seen.extend(rows(picker))) == "other"
    assert seen == ["other", "beta"]


def test_the_preview_shows_what_was_said_last(client, clock, played):
    made(client, clock, "talk")
    client.append("talk", "user", "Where were we?\x1b[31m")

    def look(picker: Picker) -> None:
        shown = str(picker.query_one("#preview", Static).content)
        assert "Title of talk" in shown
        assert "Where were we?" in shown
        assert "\x1b" not in shown

    played(then=look)


def test_a_pin_a_pause_and_a_title(client, clock, played):
    made(client, clock, "one", "two")
    played("down", "p")
    assert client.show("one").session.pinned
    played("s")
    assert client.show("one").session.status == "suspended"
    played("s")
    assert client.show("one").session.status == "active"
    played("r", *(["backspace"] * 3), *"1st", "enter")
    assert client.show("one").session.title == "Title of 1st"
    played("r", *"abc", "escape")
    assert client.show("one").session.title == "Title of 1st"


def test_a_yes_puts_it_in_the_trash_and_nothing_else_does(client, clock, played):
    made(client, clock, "kept", "gone")
    played("d", "n")
    assert client.get("gone") is not None
    left: list[str] = []
    played("d", "y", then=lambda picker: left.extend(rows(picker)))
    assert left == ["kept"]
    client.restore("gone")
    assert client.show("gone").session.status == "active"


def test_what_is_refused_is_said_and_nothing_happens(client, clock, played):
    made(client, clock, "over")
    client.change("over", "completed")

    def look(picker: Picker) -> None:
        assert len(picker._notifications) == 1
        assert rows(picker) == ["over"]

    played("s", then=look)


def test_a_long_list_is_read_on_as_the_cursor_comes_near_its_end(client, clock, played):
    made(client, clock, *(f"s{number:03}" for number in range(130)))
    counts: list[int] = []
    played(then=lambda picker: counts.append(len(rows(picker))))
    played(*["ctrl+end"] * 3, then=lambda picker: counts.append(len(rows(picker))))
    assert counts == [50, 130]


def test_a_narrow_terminal_shows_the_list_alone(client, clock, played):
    made(client, clock, "one")
    seen: list[bool] = []
    played(size=(40, 12), then=lambda picker: seen.append(picker.query_one("#about").display))
    played(then=lambda picker: seen.append(picker.query_one("#about").display))
    assert seen == [False, True]


def test_an_empty_store_says_so(played):
    def look(picker: Picker) -> None:
        assert "No session." in str(picker.query_one("#preview", Static).content)
        assert picker.query_one("#search", Input).value == ""

    assert played("enter", "s", "p", "r", "d", "q", then=None) is None
    played(then=look)


@pytest.mark.parametrize("size", [(80, 24), (60, 24), (44, 20)])
def test_on_a_narrow_screen_id_title_and_preview_are_seen_and_a_question_is_whole(
    client, clock, played, size
):
    id = "f3a7521f-0b0c-48fd-a937-aaf17590a1b2"
    made(client, clock, id)
    client.append(id, "user", "Where were we?")

    def look(picker: Picker) -> None:
        shown = "\n".join(
            "".join(cell.text for cell in strip).rstrip()
            for strip in picker.screen._compositor.render_strips()
        )
        assert id in shown
        assert f"Title of {id}"[: size[0] - 10] in shown
        assert "Where were we?" in shown

    played(then=look)

    def asked(picker: Picker) -> None:
        label = picker.screen.query("Label").first()
        assert label.size.width * label.size.height >= len(str(label.render()))

    played("d", then=asked)


def test_ctrl_c_leaves_from_the_list_the_search_and_a_question(client, clock, played):
    made(client, clock, "one")
    left: list[bool] = []
    for keys in ([], ["slash", "o"], ["d"], ["r"]):
        assert played(*keys, "ctrl+c", then=lambda picker: left.append(picker._exit)) is None
    assert left == [True] * 4
    assert client.show("one").session.trashed_at is None
