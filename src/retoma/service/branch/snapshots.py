"""A snapshot: all that a journal says up to an event, packed, and bound to the hash of that event."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from blake3 import blake3

from retoma.model.call import Pending
from retoma.model.codec import decode, encode
from retoma.model.events.session import TEXTS
from retoma.model.fold import Folded
from retoma.model.ledger import Ledger
from retoma.model.session import About
from retoma.stores.contract.branches import Kept
from retoma.stores.sql.pack import pack, unpack

_VERSION: Final = b"\x04"
"""Goes up when a ledger learns more: a snapshot of another version is passed over, and made again."""
_CODECS: Final = ("raw", "zstd")


def packed(linked: bytes, ledger: Ledger) -> bytes:
    """Return the snapshot of what is known at the event whose hash is `linked`."""
    plain: dict[str, Any] = {name: getattr(ledger, name) for name in PLAIN}
    plain |= {"folded": ledger.folded, "about": ledger.about}
    plain["write"] = [part.hex() if part is not None else None for part in ledger.write]
    plain["row"] = {name: getattr(ledger.row, name) for name in _ROW}
    codec, stored = pack(encode(plain))
    mark = _VERSION + bytes([_CODECS.index(codec)])
    return mark + blake3(linked + mark + stored).digest() + stored


def unpacked(kept: Kept) -> Ledger | None:
    """Return what a snapshot holds; None when it is of another version, damaged, or of another event."""
    mark, proof, stored = kept.state[:2], kept.state[2:34], kept.state[34:]
    if mark[:1] != _VERSION or blake3(kept.hash + mark + stored).digest() != proof:
        return None
    data = unpack(_CODECS[mark[1]], stored)
    plain: Any = None if data is None else decode(data)
    if plain is None:
        return None
    ledger = Ledger(cut=False)
    calls = {id: Pending(**one) for id, one in plain["folded"]["calls"].items()}
    ledger.folded = Folded(**plain["folded"] | {"calls": calls})
    ledger.row = msgspec.structs.replace(ledger.row, **plain["row"])
    about = plain["about"]
    contexts = tuple((kind, ref) for kind, ref in about["contexts"])
    ledger.about = About(**about | {"tags": tuple(about["tags"]), "contexts": contexts})
    operation, request = (bytes.fromhex(part) if part is not None else None for part in plain["write"])
    ledger.write = operation, request
    for name in PLAIN:
        value = plain[name]
        setattr(ledger, name, set(value) if name in _SETS else value)
    ledger.epochs = [(number, uid, first, began) for number, uid, first, began in ledger.epochs]
    ledger.fork = (plain["fork"][0], plain["fork"][1]) if plain["fork"] else None
    return ledger


_ROW: Final = (*TEXTS, "pinned", "archived")
_SETS: Final = ("unknown", "unexplained", "group", "lately")
PLAIN: Final = (
    *_SETS, "shelf", "trashed_at", "history", "untold", "flow_version", "set_at", "answered", "notes", "epochs",
    "first_at", "made_at", "fork", "last_at", "erased", "foreign", "rolls", "template",
)  # fmt: skip
"""What of a ledger is JSON as it is, but for sets."""
