"""The store's format: its number, and the steps to it. Each step's text is held to by a checksum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from retoma.errors import Integrity, Unavailable

FORMAT = 7
"""The number of the newest migration; a store of a higher one is of a newer Retoma."""


class Migration(NamedTuple):
    version: int
    name: str
    text: str

    @property
    def checksum(self) -> bytes:
        return blake3(self.text.encode()).digest()


def migrations(dialect: str) -> list[Migration]:
    """Return all migrations of `dialect`, in order."""
    folder = Path(__file__).with_name("migrations") / dialect
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


def refuse_newer(version: int, shown: str) -> None:
    """Raise Unavailable when a store has a higher format than this Retoma knows."""
    if version > FORMAT:
        raise Unavailable(
            f"The store {shown} is of a newer Retoma: it has format {version}, this one knows {FORMAT}.",
            code="newer_store",
            hint="Nothing was changed. Upgrade with: pip install -U retoma",
            format=version,
            known=FORMAT,
        )
