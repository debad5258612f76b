"""The store's format: its number, and the steps to it. Each step's text is held to by a checksum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from retoma.errors import Integrity, Unavailable

if TYPE_CHECKING:
    from retoma.stores.contract.store import Transaction

FORMAT = 9
"""The number of the newest migration; a store of a higher one is of a newer Retoma."""

_NEW_INDEX = 9
"""The step that replaced the search index."""


class Migration(NamedTuple):
    version: int
    name: str
    text: str

    @property
    def checksum(self) -> bytes:
        return blake3(self.text.encode()).digest()


class Upgrades(NamedTuple):
    """How a store of an older format is upgraded when it is opened; one that is given none refuses such a store.

    `repair` is given the transaction of the steps and the format before, and returns how many rows it repaired. With
    `keeps` the file as it was is kept beside it.
    """

    repair: Callable[[Transaction, int], int]
    keeps: bool = True


class Upgraded(NamedTuple):
    """An upgrade that was done: of which store, from which format, how many rows were repaired, and the file before.

    `zeroed` is how many bytes of the file's unused space were zeroed; None when that is left to the next writer.
    """

    shown: str
    before: int
    repaired: int
    kept: Path | None = None
    zeroed: int | None = None

    def __str__(self) -> str:
        said = [f"Upgraded the store {self.shown} from format {self.before} to {FORMAT}."]
        if self.repaired:
            rows = "1 row" if self.repaired == 1 else f"{self.repaired:,} rows"
            said.append(
                f"Repaired {rows} of the state of branches: each named an event after the branch point."
            )
        if self.before < _NEW_INDEX:
            said.append("The next commands that write rebuild the search index; searches work meanwhile.")
        if self.zeroed:
            said.append(
                f"Zeroed {self.zeroed:,} bytes of unused space in the file: they could hold copies of erased content."
            )
        if self.kept is not None:
            said.append(
                f"The old file is kept as {self.kept}. It still has everything that was erased earlier: delete "
                "it if you erased content, or when you no longer need it."
            )
        return " ".join(said)


def migrations(dialect: str) -> list[Migration]:
    """Return all migrations of `dialect`, in order."""
    folder = Path(__file__).parents[1] / "migrations" / dialect
    return [
        Migration(int(file.name[:4]), file.stem[5:], file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("*.sql"))
    ]


def pending(known: Sequence[Migration], applied: Sequence[tuple[int, bytes]], shown: str) -> list[Migration]:
    """Return what is still to be applied to the store at `shown`, whose migrations `applied` are (version, checksum).

    Raises Unavailable for a store of a newer Retoma, Integrity when an applied step was another one.
    """
    refuse_newer(max((version for version, _ in applied), default=0), shown)
    checksums = {step.version: step.checksum for step in known}
    for version, checksum in applied:
        if checksums.get(version) != checksum:
            raise Integrity(
                f"The store {shown} was not made by these migrations: step {version} differs.",
                code="migration_differs",
                hint="It was changed by hand or by a build that was never released. Restore a backup.",
            )
    done = {version for version, _ in applied}
    return [step for step in known if step.version not in done]


def older_store(version: int, shown: str) -> Unavailable:
    """Return the error for a store of an older format that is not upgraded here."""
    return Unavailable(
        f"The store {shown} has format {version}, and this Retoma reads format {FORMAT}.",
        code="older_store",
        hint="Nothing was changed. `retoma store migrate` upgrades it; with --dry-run it only lists the steps.",
        format=version,
        known=FORMAT,
    )


def refuse_newer(version: int, shown: str) -> None:
    """Raise Unavailable when a store has a higher format than this Retoma knows."""
    if version > FORMAT:
        raise Unavailable(
            f"The store {shown} is from a newer Retoma: it has format {version}, and this version reads up "
            f"to format {FORMAT}.",
            code="newer_store",
            hint="Nothing was changed. Install that version over this one: docs/install.md says how.",
            format=version,
            known=FORMAT,
        )
