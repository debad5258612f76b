"""The picker's dialogs: a new title, and a confirmation."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Label

__all__ = ["Ask", "Confirm"]


class Ask(ModalScreen[str | None]):
    """Ask for a line of text. Enter accepts it, Escape cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "Cancel")]

    def __init__(self, question: str, value: str, *, longest: int) -> None:
        super().__init__()
        self._question = question
        self._value = value
        self._longest = longest

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._question, markup=False)
            yield Input(self._value, max_length=self._longest, select_on_focus=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)


class Confirm(ModalScreen[bool]):
    """Ask for a confirmation: y confirms, any other key cancels."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._question, markup=False)
            yield Label("y  yes    any other key  no", classes="keys")

    def on_key(self, event: Key) -> None:
        self.dismiss(event.character in {"y", "Y"})
