"""Candidates for local codes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.records.tabular.patterns import loinc
from xinglin.records.terminology.laboratory import SYSTEM, laboratory_concepts
from xinglin.records.terminology.loaders import load_vocabulary
from xinglin.records.terminology.local import LocalCode, LocalKey
from xinglin.records.terminology.suggestions import LocalItem, NameIndex, recall, shipped_index, suggest
from xinglin.records.terminology.systems import LOINC
from xinglin.records.terminology.units import is_unit
from xinglin.records.terminology.unmapped import propose, undecided, unmapped, unmapped_sql

NAMES = Path(__file__).parent / "held_out_names.csv"


def first(text: str, unit: str = "", median: float | None = None, code: str = "") -> str:
    return shipped_index().suggest(LocalItem(code, text, unit, median), 1)[0].code


def cases(units: bool) -> list[tuple[LocalItem, frozenset[str]]]:
    with NAMES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [(LocalItem("", r["name"], r["unit"] if units else ""), frozenset(r["codes"].split("|"))) for r in rows]


def test_the_shipped_measurements_are_well_formed() -> None:
    concepts = laboratory_concepts()
    assert len({one.code for one in concepts}) == len(concepts) >= 150
    assert [one.code for one in concepts if not loinc(one.code)] == []
    units = {(one.code, value) for one in concepts for name, value in one.properties if name == "unit"}
    assert [pair for pair in units if not is_unit(pair[1])] == []
    assert all(float(one.property("low")) < float(one.property("high")) for one in concepts if one.property("low"))


def test_names_that_were_held_out_are_found_among_the_first_five() -> None:
    assert recall(shipped_index(), cases(units=True), 5) >= 0.95
    assert recall(shipped_index(), cases(units=False), 5) >= 0.95
    assert recall(shipped_index(), cases(units=True), 1) >= 0.9


def test_unit_values_and_specimen_tell_alike_names_apart() -> None:
    assert first("PCT", "ng/mL") == "33959-8"  # procalcitonin, and not the plateletcrit
    assert first("中性粒细胞", "%") == "770-8"
    assert first("中性粒细胞", "10^9/L") == "751-8"
    assert first("葡萄糖", "mg/dL") == "2345-7"
    assert first("尿葡萄糖") == "25428-4"
    assert first("尿素", "mmol/L") == "22664-7"  # not of urine
    assert first("肌酐", "umol/L", 70.0) == "14682-9"


def test_codes_and_brackets_are_looked_at() -> None:
    assert first("", code="HbA1c") == "4548-4"
    assert first("免疫(TSH)") == "3016-3"


def test_a_candidate_says_why() -> None:
    best = suggest(LocalItem("", "血清谷丙转氨酶(ALT)", "U/L"), SYSTEM, count=1)[0]
    assert best.code == "1742-6"
    assert any("谷丙转氨酶" in why for why in best.reasons)
    assert "the same unit" in best.reasons


def test_nothing_alike_gives_nothing_and_too_many_are_refused() -> None:
    assert suggest(LocalItem("1234", "", ""), SYSTEM) == ()
    assert suggest(LocalItem("", "★★★", ""), SYSTEM) == ()
    with pytest.raises(LimitExceeded):
        suggest(LocalItem("", "钾", ""), SYSTEM, count=51)


def test_an_owners_loinc_is_searched_in_its_languages() -> None:
    from tests.unit.records.terminology import vocabularies as held

    files = {"Loinc.csv": held.LOINC_CSV, "zhCN5LinguisticVariant.csv": held.LOINC_ZH}
    concepts = load_vocabulary("loinc", held.as_bytes(files)).systems[0][1]
    index = NameIndex(LOINC, concepts)
    assert index.suggest(LocalItem("", "血色素测定", "g/L"), 1)[0].code == "718-7"
    assert index.suggest(LocalItem("", "SGPT", ""), 1)[0].code == "1742-6"
    assert all(one.code != "9999-1" for one in index.suggest(LocalItem("", "Old one", ""), 5))  # deprecated


def test_unmapped_codes_come_by_their_frequency_with_proposals() -> None:
    import duckdb

    engine = duckdb.connect()
    engine.execute(
        "CREATE TABLE observation AS SELECT * FROM (VALUES "
        "('lis', NULL, 'WBC', '99LAB', '白细胞计数', '10^9/L', 5.0),"
        "('lis', NULL, 'WBC', '99LAB', '白细胞计数', '10^9/L', 7.0),"
        "('lis', NULL, 'ZZZ', NULL, '不知道', NULL, NULL), ('lis', '718-7', 'HB', '99LAB', '血红蛋白', 'g/L', 130.0),"
        "('lis', NULL, NULL, NULL, '一段话', NULL, NULL)) AS t(source, code, code_source, code_source_system,"
        " code_source_text, value_unit_source, value_number)"
    )
    for column in ("value", "body_site"):
        for suffix in ("", "_source", "_source_system", "_source_text"):
            engine.execute(f"ALTER TABLE observation ADD COLUMN {column}{suffix} VARCHAR")

    def ask(sql: str) -> list[tuple[object, ...]]:
        return engine.execute(sql).fetchall()

    found = unmapped(ask, ["observation"])
    assert [(one.key, one.seen, one.unit, one.median) for one in found] == [
        (LocalKey("lis", "observation.code", "99LAB", "WBC"), 2, "10^9/L", 6.0),
        (LocalKey("lis", "observation.code", "", "ZZZ"), 1, "", None),
    ]
    assert len(unmapped(ask, ["observation"], texts=True)) == 3
    proposals = propose(found, shipped_index(), "machine", 5)
    assert [(one.target, one.seen) for one in proposals] == [("6690-2", 2), ("", 1)]
    settled = LocalCode(found[0].key, state="accepted")
    assert undecided(found, [settled]) == found[1:]


def test_columns_that_hold_no_concepts_are_not_asked_for() -> None:
    with pytest.raises(ValueError, match="no concept"):
        unmapped_sql("observation", "value_number")
    with pytest.raises(LimitExceeded):
        unmapped_sql("observation", "code", 10_001)
