"""An error's family and code → exit status and sentence. (HTTP's status joins here when there is HTTP.)"""

from __future__ import annotations

from retoma.config.place import without_passwords
from retoma.errors import RetomaError

__all__ = [
    "CONFLICT",
    "DAMAGED",
    "DONE",
    "FAILED",
    "INTERRUPTED",
    "NOT_FOUND",
    "STOPPED",
    "USAGE",
    "as_json",
    "exit_status",
    "failure",
    "sentence",
]

DONE = 0
FAILED = 1
USAGE = 2
STOPPED = 3  # while waiting; resumable
NOT_FOUND = 4
CONFLICT = 5
DAMAGED = 6
INTERRUPTED = 130

_STATUS = {
    "not_found": NOT_FOUND,
    "conflict": CONFLICT,
    "refused": CONFLICT,
    "limit": CONFLICT,
    "busy": CONFLICT,
    "invalid": USAGE,
    "integrity": DAMAGED,
    "unavailable": FAILED,
}

_TITLES = {
    "not_found": "Not found",
    "conflict": "Conflict",
    "refused": "Refused by state",
    "limit": "Limit reached",
    "busy": "Driven by another",
    "invalid": "Invalid request",
    "integrity": "Damage found",
    "unavailable": "Unavailable",
}


def exit_status(error: BaseException) -> int:
    """Return the status a command ends with because of `error`."""
    if isinstance(error, RetomaError):
        return _STATUS.get(error.family, FAILED)
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED


def sentence(error: BaseException) -> str:
    """Return one or two lines for people: what happened, to what, and what to do next. Never a traceback."""
    if isinstance(error, RetomaError):
        return without_passwords(_joined(error.message, error.hint))
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, OSError) and error.strerror:
        about = f" ({error.filename})" if error.filename else ""
        return f"The operating system reported an error: {error.strerror}{about}."
    said = " ".join(str(error).split())
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return (
        f"This is a bug in Retoma, not an error in your command: {what}\nRETOMA_DEBUG=1 shows the traceback."
    )


def as_json(error: BaseException) -> dict[str, object]:
    """Return the one JSON shape of an error: stable `code`, `title`, `detail`, `hint` and `facts`."""
    if isinstance(error, RetomaError):
        return {
            "code": error.code,
            "title": _TITLES.get(error.family, "Failed"),
            "detail": without_passwords(error.message),
            "hint": without_passwords(error.hint),
            "facts": {name: _plain(value) for name, value in error.facts.items()},
        }
    if isinstance(error, KeyboardInterrupt):
        return {
            "code": "interrupted",
            "title": "Interrupted",
            "detail": sentence(error),
            "hint": "",
            "facts": {},
        }
    if isinstance(error, OSError) and error.strerror:
        return {"code": "system", "title": "Unavailable", "detail": sentence(error), "hint": "", "facts": {}}
    # What an unexpected exception says may name places inside: it stays out of what leaves the machine.
    return {"code": "defect", "title": "Defect", "detail": type(error).__name__, "hint": "", "facts": {}}


def failure(error: BaseException, *, json: bool, file: str = "") -> str:
    """Return what a command that failed prints on standard error: sentences, or one line of JSON.

    The file that it is about stands before the sentences, and is a fact in JSON.
    """
    if not json:
        return (f"{file}: " if file else "") + sentence(error)
    from retoma.model.codec import encode

    said = as_json(error)
    if file and isinstance(facts := said["facts"], dict):
        facts["file"] = file
    return encode({"error": said}).decode()


def _joined(message: str, hint: str) -> str:
    """Put the hint on the same line if both fit one line of a terminal, otherwise on the next line."""
    if not hint:
        return message
    return f"{message} {hint}" if len(message) + len(hint) < 100 else f"{message}\n{hint}"


def _plain(value: object) -> object:
    if isinstance(value, str):
        return without_passwords(value)
    plain = value is None or isinstance(value, bool | int | float)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if plain else without_passwords(str(value))
