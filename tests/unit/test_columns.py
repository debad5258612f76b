"""Each column of both databases is compared by `store check`, or named with the reason."""

from __future__ import annotations

import re

import pytest

from retoma.service.check.columns import COMPARED, UNSEEN, UNTOLD
from retoma.stores.sql.migrate import migrations

_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)^\)", re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"^  (\w+)\s+(?:INTEGER|BIGINT|TEXT|BLOB|BYTEA|TSVECTOR)", re.MULTILINE)
_DROPPED = re.compile(r"^DROP TABLE (\w+)", re.MULTILINE)
_ADDED = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (\w+)")


def columns(dialect: str) -> set[str]:
    """Return the columns that all steps together leave."""
    found: set[str] = set()
    for step in migrations(dialect):
        gone = set(_DROPPED.findall(step.text))
        found = {one for one in found if one.partition(".")[0] not in gone}
        found |= {f"{table}.{column}" for table, column in _ADDED.findall(step.text)}
        for table, body in _TABLE.findall(step.text):
            found |= {f"{table}.{name}" for name in _COLUMN.findall(body)}
    return found


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_each_column_is_compared_or_named_with_the_reason(dialect: str) -> None:
    compared = {f"{table}.{column}" for table, names in COMPARED.items() for column in names.split()}
    excepted = {one for one in UNSEEN if not one.endswith("*")}
    assert compared & excepted == set()
    assert compared | excepted == columns(dialect)
    assert {one for one in UNTOLD if not one.endswith("*")} <= compared
