"""Each column of both databases is compared by `store check`, or named with the reason."""

from __future__ import annotations

import re

import pytest

from retoma.service.check.columns import COMPARED, UNSEEN, UNTOLD
from retoma.stores.sql.migrate import migrations

_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)^\)", re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"^  (\w+)\s+(?:INTEGER|BIGINT|TEXT|BLOB|BYTEA)", re.MULTILINE)
_ADDED = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (\w+)")


def columns(dialect: str) -> set[str]:
    text = "\n".join(step.text for step in migrations(dialect))
    found = {f"{table}.{column}" for table, column in _ADDED.findall(text)}
    for table, body in _TABLE.findall(text):
        found |= {
            f"{table}.{name}"
            for name in re.findall(r"^  (\w+)\s+(?:INTEGER|BIGINT|TEXT|BLOB|BYTEA)", body, re.M)
        }
    return found


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_each_column_is_compared_or_named_with_the_reason(dialect: str) -> None:
    compared = {f"{table}.{column}" for table, names in COMPARED.items() for column in names.split()}
    excepted = {one for one in UNSEEN if not one.endswith("*")}
    assert compared & excepted == set()
    assert compared | excepted == columns(dialect)
    assert {one for one in UNTOLD if not one.endswith("*")} <= compared
