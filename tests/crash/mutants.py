"""Exports with something changed in them; in most the chain and the checksum are right again: only meaning is wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
from blake3 import blake3

from retoma.model.chain import digest, genesis, link
from retoma.model.codec import encode
from retoma.model.transfer import decoded, encoded

Records = list[dict[str, Any]]

ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        3,
        1.5,
        -0.0,
        1e308,
        2**31,
        2**32 - 1,
        2**53,
        2**63 - 1,
        2**63,
        -(2**63),
        2**64,
    ),
    *(10**30, 253_402_300_799_999, 253_402_300_800_000, -62_135_596_800_001),
    *("", "x", "\0", "ç" * 250, "a" * 5_000, "[redacted]", "sys", "0" * 32, "0" * 64, "\u202e", "\x9b"),
    *("active", "failed", "finished", "waiting_for_tool", "rolling_back", "user", "message", "state"),
    *("session.erased", "session.reset", "session.forked", "flow.step", "flow.tool_result", "flow.rollback"),
    *(
        [],
        {},
        [1],
        ["x"],
        [["a", "b"]],
        [[["a"]]],
        {"a": 1},
        {"": None},
        {"sys": {"ans": 1}},
        {"set": {"k": 1}},
    ),
    *({"call": {"node": 1}}, {"title": 5}, {"1": "x"}, {"type": "text", "text": 5}, [{"type": "text"}]),
)
KEYS = (
    *(
        "set",
        "delete",
        "node",
        "status",
        "undo",
        "error",
        "denied",
        "save_to",
        "at",
        "keys",
        "events",
        "nodes",
        "fields",
    ),
    *(
        "ans",
        "call",
        "rollback",
        "usage",
        "content",
        "key",
        "attempt",
        "rolled_back",
        "call_key",
        "template",
        "x",
    ),
)


def mutant(lines: bytes, chance: random.Random) -> tuple[bytes, str]:
    """Return an export in lines with one to three changes, and what was done."""
    records: Records = [json.loads(line) for line in lines.splitlines()]
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        records = _changed(records, chance, done)
    if chance.random() < 0.85:
        if chance.random() < 0.7:
            _number(records)
        _seal(records)
        done.append("sealed")
    return b"\n".join(_line(record) for record in records) + b"\n", "; ".join(done)


def _line(record: Any) -> bytes:
    try:
        return encode(record)
    except Exception:
        return json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass")


def _changed(records: Records, chance: random.Random, done: list[str]) -> Records:
    at = chance.randrange(len(records)) if chance.random() < 0.7 else 0
    kind = records[at].get("type") if isinstance(records[at], dict) else None
    action = chance.random()
    if action < 0.06:
        done.append(f"{at} ({kind}) left out")
        return records[:at] + records[at + 1 :] or records
    if action < 0.12:
        to = chance.randrange(len(records))
        done.append(f"{at} ({kind}) again at {to}")
        return [*records[:to], json.loads(json.dumps(records[at])), *records[to:]]
    if action < 0.18:
        to = chance.randrange(len(records))
        records[at], records[to] = records[to], records[at]
        done.append(f"{at} ({kind}) swapped with {to}")
        return records
    _value(records, at, chance, done)
    return records


def _value(records: Records, at: int, chance: random.Random, done: list[str]) -> None:
    places: list[tuple[Any, Any, str]] = []
    _places(records[at], f"{at}", places)
    if isinstance(records[at], dict) and isinstance(records[at].get("data"), dict) and chance.random() < 0.7:
        places = []
        _places(records[at]["data"], f"{at}.data", places)
    if not places:
        return
    inside, key, path = chance.choice(places)
    done.append(f"{path} of {records[at].get('type')} {records[at].get('kind', '')}")
    match chance.randrange(10):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, list):
            inside.insert(key, inside[key])
        case 1 | 2 if isinstance(inside, dict):
            inside[chance.choice(KEYS)] = chance.choice(ODD)
        case 3:
            inside[key] = _other(records, chance)
        case 4 if isinstance(inside[key], int):
            inside[key] += chance.choice((-1, 1, 7, 2**31))
        case 4 if isinstance(inside[key], str):
            inside[key] += "x"
        case 5 if chance.random() < 0.3:
            inside[key] = _deep(chance)
        case _:
            inside[key] = chance.choice(ODD)


def _deep(chance: random.Random) -> Any:
    value: Any = 1
    for _ in range(chance.choice((90, 101, 180, 400, 900))):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value


def _other(records: Records, chance: random.Random) -> Any:
    """Return a value that stands elsewhere in the file."""
    places: list[tuple[Any, Any, str]] = []
    _places(chance.choice(records), "", places)
    if not places:
        return None
    inside, key, _ = chance.choice(places)
    return json.loads(json.dumps(inside[key]))


def _places(value: Any, path: str, found: list[tuple[Any, Any, str]]) -> None:
    if path.count(".") > 200:  # deeper than any reader goes, and than this may recurse
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found.append((value, key, f"{path}.{key}"))
        _places(one, f"{path}.{key}", found)


def _number(records: Records) -> None:
    """Give the events their numbers again, in the order in which they stand."""
    session = records[0] if records else {}
    base = _get(session, "base", "seq")
    seq = base if isinstance(base, int) else 0
    for record in records:
        if isinstance(record, dict) and record.get("type") == "event":
            seq += 1
            record["seq"] = seq


def _get(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _seal(records: Records) -> None:
    """Compute the chain, the digests and the checksum again, as far as the records still have what they need."""
    session = next((one for one in records if isinstance(one, dict) and one.get("type") == "session"), None)
    if session is None:
        return
    _try(lambda: _rebase(session))
    previous, seq, count = _get(session, "base", "hash"), _get(session, "base", "seq"), 0
    for record in records:
        if isinstance(record, dict) and record.get("type") == "event":
            count += 1
            _try(lambda record=record, previous=previous: _link(record, previous))
            previous, seq = record.get("hash"), record.get("seq")
    session["head"] = {"seq": seq, "hash": previous}
    end = records[-1] if isinstance(records[-1], dict) else {}
    if end.get("type") == "end":
        end |= {"events": count, "head": previous}
        _try(lambda: end.update(records=_checksum(records)))


def _rebase(session: dict[str, Any]) -> None:
    if session["base"]["seq"] == 0:
        session["base"]["hash"] = genesis(bytes.fromhex(session["uid"])).hex()


def _link(record: dict[str, Any], previous: str) -> None:
    if "data" in record:
        if not record.get("salt"):
            record["salt"] = "00" * 16
        data = encode(record["data"])
        record["digest"] = digest(bytes.fromhex(record["salt"]), data).hex()
    operation, request = record.get("operation"), record.get("request")
    record["hash"] = link(
        bytes.fromhex(previous),
        record["seq"],
        record["kind"],
        record["at"],
        record["actor"],
        record.get("cause"),
        bytes.fromhex(operation) if operation else None,
        bytes.fromhex(request) if request else None,
        bytes.fromhex(record["digest"]),
    ).hex()


def _checksum(records: Records) -> str:
    whole = blake3()
    for record in records:
        if record.get("type") not in ("event", "end"):
            whole.update(encoded(decoded(encode(record))))
    return whole.hexdigest()


def _try(change: Callable[[], None]) -> None:
    try:
        change()
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError, msgspec.MsgspecError):
        pass  # it cannot be made right any more: the reader meets it as it is
    except Exception as error:
        if type(error).__module__ != "retoma.errors":
            raise
