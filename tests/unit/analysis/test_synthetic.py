"""The schema of a synthetic table is made of published facts; what is not published, or carries no mark, is refused."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from xinglin.analysis.admit_model import OutputColumn
from xinglin.analysis.synthetic import shape_of
from xinglin.kernel.verdict import Denied
from xinglin.privacy.synthesis import Linked, Schema
from xinglin.terms.synthetic import ChildAsked, SyntheticAsk
from xinglin.testing.decision_table import named_did

ASK = SyntheticAsk(named_did("asker"), 10**10, 500)


def column(name: str, kind: str, low: float | None = None, high: float | None = None, **more: Any) -> OutputColumn:
    return OutputColumn(name, kind, low, high, more.get("levels", ()), more.get("integer", False), "L2", ())


AGE = column("age", "number", 18, 90, integer=True)
SEX = column("sex", "category", levels=("f", "m"))
BORN = column("born", "number", integer=True)


def codes(*columns: OutputColumn, ask: SyntheticAsk = ASK) -> tuple[str, ...]:
    found = shape_of(ask, columns)
    return found.codes if isinstance(found, Denied) else ()


def test_kinds_and_domains_are_the_published_ones() -> None:
    found = shape_of(replace(ASK, days=(100, 200), dates=("born",)), (AGE, SEX, BORN, column("ill", "boolean")))
    assert isinstance(found, Schema)
    assert [(one.name, one.kind) for one in found.columns] == [
        ("age", "integer"), ("sex", "category"), ("born", "date"), ("ill", "boolean"),
    ]  # fmt: skip
    assert (found.column("born").low, found.column("born").high) == (100, 200)
    assert found.column("sex").levels == ("f", "m")


def test_what_is_not_published_is_named() -> None:
    assert codes(AGE, column("chol", "number")) == ("synthetic.no_domain",)
    assert codes(AGE, column("ward", "category")) == ("synthetic.no_domain",)
    assert codes(AGE, column("id", "key"), column("x", "number", 0)) == ("synthetic.no_domain",) * 2


def test_a_table_that_could_not_carry_a_mark_is_refused_before_it_costs() -> None:
    small = column("grade", "number", 0, 4, integer=True)
    assert codes(small) == codes(small, SEX) == codes(SEX, column("ill", "boolean")) == ("synthetic.no_mark",)
    assert codes(small, SEX, ask=replace(ASK, rows=1_000)) == () == codes(AGE)
    assert codes(column("share", "number", 0, 1)) == ()


def test_tables_that_hang_on_persons_are_linked() -> None:
    ask = replace(ASK, children=(ChildAsked("visits", "SELECT day FROM v", 3, ("sex",)),))
    found = shape_of(ask, (AGE, SEX), [(column("value", "number", 0, 400),)])
    assert isinstance(found, Linked) and found.children[0].rows_per_person == 3
    wrong = replace(ask, children=(replace(ask.children[0], given=("ward",)),))
    assert isinstance(shape_of(wrong, (AGE, SEX), [(AGE,)]), Denied)
    assert isinstance(shape_of(replace(ask, dates=("born",)), (AGE, SEX), [(BORN,)]), Denied), (
        "each table carries the mark"
    )
