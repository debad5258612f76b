"""The picker: its keys, its list and its actions. Every change runs a command, like a verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Key
from textual.widgets import DataTable, Footer, Input, Static

from retoma.commands.message import ReadMessages
from retoma.commands.session import ChangeStatus, ShowSession, TrashSession, UpdateSession
from retoma.errors import RetomaError
from retoma.interfaces.cli.picker.dialogs import Ask, Confirm
from retoma.interfaces.cli.picker.found import Finder
from retoma.interfaces.cli.picker.shown import COLUMNS, ROWS, preview, row
from retoma.interfaces.cli.text import clean
from retoma.model.changes import Changes
from retoma.model.session import TITLE_LENGTH

if TYPE_CHECKING:
    from retoma.commands.opened import Opened
    from retoma.model.session import Session, Status

__all__ = ["Picker"]

_LAST = 12
"""How many messages the preview shows."""
_NEAR_END = 10
"""When so few rows are left below the cursor, more are read."""


class Picker(App[str]):
    """An app that returns the id of the picked session, or None."""

    TITLE = "Sessions"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #search { border: none; height: 1; margin: 1 2; }
    #search:focus { border: none; }
    #list { width: 3fr; }
    #about { width: 2fr; border-left: solid $primary-darken-2; padding: 0 1; }
    .narrow Horizontal { layout: vertical; }
    .small #about { display: none; }
    .narrow #list { width: 1fr; height: 3fr; }
    .narrow #about { width: 1fr; height: 2fr; border-left: none; border-top: solid $primary-darken-2; }
    .dialog { width: 60; max-width: 90%; height: auto; padding: 1 2; background: $surface; border: round $primary; }
    .dialog Label { width: 100%; }
    .keys { color: $text-muted; }
    Ask, Confirm { align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("slash", "search", "Search"),
        ("enter", "take", "Take up"),
        ("s", "status", "Pause, resume"),
        ("r", "rename", "Rename"),
        ("p", "pin", "Pin"),
        ("d", "trash", "Trash"),
        ("q,escape", "leave", "Quit"),
        Binding("ctrl+c", "stop", show=False, priority=True),
    ]

    def __init__(self, opened: Opened, now: Callable[[], int]) -> None:
        super().__init__()
        self._opened = opened
        self._now = now
        self._finder = Finder(opened)
        self._shown: list[Session] = []

    def compose(self) -> ComposeResult:
        yield Input(placeholder="Search: / and words in ids, titles and flows", id="search")
        with Horizontal():
            yield DataTable(id="list", cursor_type="row", zebra_stripes=False)
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="preview", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._table.add_columns(*COLUMNS)
        self._find("")
        self.set_focus(self._table)

    def on_resize(self) -> None:
        narrow = self.size.width < 90
        self.set_class(narrow, "narrow")
        self.set_class(narrow and self.size.height < 16, "small")

    # What is typed, and where the cursor is

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "search":
            self._find(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "search":
            self.set_focus(self._table)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._preview()
        if event.cursor_row >= len(self._shown) - _NEAR_END:
            self._add(self._finder.more())

    def on_data_table_row_selected(self) -> None:
        self.action_take()

    def on_key(self, event: Key) -> None:
        if self.focused is not self._search:
            return
        if event.key == "down":
            self.set_focus(self._table)
        elif event.character is not None and event.is_printable:
            # Typed so fast after the / that it was sent to the list still.
            self._search.insert_text_at_cursor(event.character)

    # Keys

    def action_search(self) -> None:
        self.set_focus(self._search)

    def action_leave(self) -> None:
        if self.focused is self._search and self._search.value:
            self._search.value = ""
            self.set_focus(self._table)
        else:
            self.exit(None)

    def action_stop(self) -> None:
        self.exit(None)

    def action_take(self) -> None:
        if session := self._current:
            self.exit(session.id)

    def action_status(self) -> None:
        if session := self._current:
            to: Status = "suspended" if session.status == "active" else "active"
            self._do(lambda: ChangeStatus(session=session.id, to=to).run(self._opened))

    def action_pin(self) -> None:
        if session := self._current:
            self._do(lambda: self._change(session.id, Changes(pinned=not session.pinned)))

    def action_rename(self) -> None:
        session = self._current
        if session is None:
            return

        before = clean(session.title, lines=False)

        def renamed(title: str | None) -> None:
            if title is not None and title != before:
                self._do(lambda: self._change(session.id, Changes(title=title)))

        self.push_screen(Ask(f"The title of '{session.id}'", before, longest=TITLE_LENGTH), renamed)

    def action_trash(self) -> None:
        session = self._current
        if session is None:
            return

        def sure(yes: bool | None) -> None:
            if yes:
                self._do(lambda: TrashSession(session=session.id).run(self._opened))

        question = f"Put '{session.id}' in the trash? `session restore` restores it within seven days."
        self.push_screen(Confirm(question), sure)

    # What they do

    def _change(self, session: str, changes: Changes) -> None:
        UpdateSession(session=session, changes=changes).run(self._opened)

    @property
    def _table(self) -> DataTable[object]:
        return self.query_one("#list", DataTable)

    @property
    def _search(self) -> Input:
        return self.query_one("#search", Input)

    @property
    def _current(self) -> Session | None:
        at = self._table.cursor_row
        return self._shown[at] if 0 <= at < len(self._shown) else None

    def _do(self, change: Callable[[], object]) -> None:
        """Make a change and show the result. If the change is refused, only the error is shown."""
        try:
            change()
        except RetomaError as error:
            self.notify(clean(f"{error} {error.hint}".strip()), severity="error", markup=False)
        at = self._table.cursor_row
        self._find(self._search.value)
        self._table.move_cursor(row=min(at, max(len(self._shown) - 1, 0)))
        self._preview()

    def _find(self, text: str) -> None:
        self._table.clear()
        self._shown = []
        self._add(self._finder.begin(text))
        self._preview()

    def _add(self, sessions: list[Session]) -> None:
        now = self._now()
        self._shown += sessions
        for session in sessions:
            self._table.add_row(*row(session, now), height=ROWS)

    def _preview(self) -> None:
        shown = self.query_one("#preview", Static)
        session = self._current
        if session is None:
            shown.update("No session." if not self._search.value else "No session matches these words.")
            return
        try:
            whole = ShowSession(session=session.id).run(self._opened)
            last = ReadMessages(session=session.id, last=_LAST).run(self._opened)
        except RetomaError as error:
            shown.update(str(error))
            return
        shown.update(preview(whole, last, self._now()))
