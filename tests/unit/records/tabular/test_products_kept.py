"""The source's own columns reach the lake's table with the kinds that the mapping says."""

from __future__ import annotations

from xinglin.intake.preparing import Origin
from xinglin.intake.standard import shape_rows
from xinglin.records.model import Mapped
from xinglin.records.tabular.evaluate import _joined

KINDS = (("age", "integer"), ("ward", "text"))


def test_joining_chunks_keeps_what_a_product_holds() -> None:
    parts = [
        Mapped("visits", ("id", "patient", "age", "ward"), [(f"{n}", f"p{n}", 40 + n, "a")], KINDS) for n in (0, 1)
    ]
    (made,) = _joined(parts)
    assert made.kinds == KINDS and len(made.rows) == 2
    table = shape_rows("visits", [(made, Origin("s", "", "m", 0, "+08:00"))], 1, 0)
    assert table.column("age").to_pylist() == [40, 41] and table.column("ward").to_pylist() == ["a", "a"]
