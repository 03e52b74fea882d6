"""What a description of a table tells before anybody asks: no name, no number of a person, nothing that few share."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import msgspec

from xinglin.catalogue.canonical import SYSTEM_COLUMNS
from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.catalogue.describe import describe_canonical
from xinglin.catalogue.profile import ColumnProfile, LevelCount, TableProfile
from xinglin.records.tabular.describe import MIN_PERSONS, product_description
from xinglin.records.tabular.suggest import suggest

NAMES = ("王建国", "李秀英", "张伟", "刘洋")


def described(head: str, rows: Sequence[str]) -> str:
    body = "\n".join([head, *rows]).encode()
    return published(body, "his.csv")


def published(body: bytes, name: str) -> str:
    product = suggest(body, name).mapping.product
    assert product is not None
    return msgspec.json.encode(product_description(product)).decode()


def test_few_names_of_many_persons_are_no_levels() -> None:
    """Every carer stands beside dozens of patients: frequent enough for a level, and still a name."""
    text = described("病人ID,性别,备用字段", [f"P{k},男,{NAMES[k % 4]}" for k in range(200)])
    assert not [name for name in NAMES if name in text]
    assert '"男"' in text


def test_words_that_begin_like_a_surname_stay_levels() -> None:
    text = described("病人ID,文化程度", [f"P{k},{('高中', '大学', '小学', '文盲', '本科')[k % 5]}" for k in range(200)])
    assert "高中" in text and "大学" in text


def test_a_number_of_everybodys_own_is_no_number() -> None:
    text = described("病人ID,自编码", [f"P{k},{40_000_000 + 7919 * k}" for k in range(200)])
    assert '"kind":"integer"' not in text and "40000000" not in text


def test_one_person_with_many_values_is_one_person() -> None:
    """Twelve visits of one person at the end of the range, and twelve rare words of that person."""
    rows = [f"P{k},V{k},{50 + k % 40},常见" for k in range(200)]
    rows += [f"P999,W{k},{9_000 + k},词{k}" for k in range(12)]
    text = described("病人ID,住院号,体重指标,分组", rows)
    decoded = msgspec.json.decode(text)
    highs = [one["high"] for one in decoded["columns"] if one["kind"] == "integer" and one["role"] == "data"]
    assert highs and max(highs) < 1_000
    levels = [one["levels"] for one in decoded["columns"] if one["kind"] == "category"]
    assert ["常见"] in levels


def test_a_number_that_fewer_than_ten_persons_have_has_no_range() -> None:
    assert MIN_PERSONS == 10
    for persons, kinds in ((9, set()), (10, {"integer"})):
        rows = [f"P{k},男,{100 + k if k < persons else ''}" for k in range(60)]
        decoded = msgspec.json.decode(described("病人ID,性别,评分值", rows))
        told = {one["kind"] for one in decoded["columns"] if one["kind"] in ("integer", "number")}
        assert told == kinds


def test_a_second_sheet_of_numbers_and_names_is_no_list_of_codes() -> None:
    """``patients.csv`` in the archive has two columns, like a list of codes has."""
    visits = "\n".join(["patient_id,visit_no,ward", *(f"{k % 50},{k},{'ICU' if k % 2 else 'ER'}" for k in range(300))])
    people = "\n".join(["patient_id,label", *(f"{k},Zhang San{k}" for k in range(50))])
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as opened:
        opened.writestr("visits.csv", visits)
        opened.writestr("patients.csv", people)
    text = published(held.getvalue(), "export.zip")
    assert "Zhang San" not in text and "ICU" in text


def test_no_canonical_description_shows_keys_of_staff_or_where_a_row_came_from() -> None:
    """A hundred patients of one doctor make the doctor's number no level."""
    hidden = {one.name for one in SYSTEM_COLUMNS} | {"patient_record", "person"}
    for table in CANONICAL_TABLES:
        physical = {part.name: part for part in table.physical()}
        counts = (LevelCount("Practitioner/1001", 100), LevelCount("Practitioner/1002", 80))
        columns = tuple(
            ColumnProfile(name, part.holds, 180, 180, 2, 0.0, 9.0, counts if part.holds == "text" else (), 17)
            for name, part in physical.items()
        )
        described = describe_canonical(table, TableProfile(table.name, 180, 180, columns))
        shown = {one.name: one for one in described.columns if one.role != "person"} if described else {}
        assert not hidden & set(shown)
        parts = [part for one in table.columns for part in one.physical() if part.name != part.part_of]
        suffixes = ("_source", "_source_text", "_source_system", "_zone", "_precision")
        own = {part.name for part in parts if part.name.removeprefix(part.part_of) in suffixes}
        assert not own & set(shown)
        for logical in table.columns:
            if logical.role == "identifier" or "staff.id" in logical.words:
                assert logical.name not in shown, (table.name, logical.name)
