"""What the tests of tables share: reading a file by a mapping, and the accounts of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from xinglin.records.model import Read, ReadContext
from xinglin.records.tabular.reader import TabularReader

Rows = dict[str, list[dict[str, Any]]]
Reading = Callable[..., tuple[Rows, list[Read]]]


def by_table(reads: list[Read]) -> Rows:
    found: Rows = {}
    for read in reads:
        for mapped in read.mapped:
            rows = [dict(zip(mapped.columns, row, strict=True)) for row in mapped.rows]
            found.setdefault(mapped.table, []).extend(rows)
    return found


@pytest.fixture
def reading() -> Reading:
    """``reading(mapping, body)``: rows by table, and the parts; the account always adds up."""

    def read(mapping: str, body: bytes, **context: Any) -> tuple[Rows, list[Read]]:
        reads = list(TabularReader().read(body, ReadContext("feed", 0, mapping=mapping, **context)))
        for one in reads:
            assert one.received == one.accepted + len(one.unread) + sum(one.ignored.values()), one
        return by_table(reads), reads

    return read


HEAD = 'version = 1\nname = "t"\n'
PATIENTS = HEAD + '[[table]]\ninto = "patient"\nid = "Patient/{id}"\n[table.columns]\nname = { column = "name" }\n'
