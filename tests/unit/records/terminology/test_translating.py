"""The intake's terminology step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xinglin.records.model import Mapped
from xinglin.records.terminology.local import LocalCode, LocalKey
from xinglin.records.terminology.model import Translation
from xinglin.records.terminology.systems import ICD10, ICD10_CM, ICD10_CN, LOINC
from xinglin.records.terminology.translating import StoredTerms

CODE = ("code", "code_system", "code_source", "code_source_system", "code_source_text", "code_loss")
SNOMED = "http://snomed.info/sct"


class Loaded:
    """A source of terms in memory."""

    def __init__(self, *codes: LocalCode, maps: dict[tuple[str, str], tuple[Translation, ...]] | None = None) -> None:
        self.codes, self.maps, self.changes = list(codes), maps or {}, 1

    def stamp(self) -> int:
        return self.changes

    def accepted(self) -> Sequence[LocalCode]:
        return self.codes

    def mapped_systems(self) -> frozenset[str]:
        return frozenset(system for system, _ in self.maps)

    def translations(self, system: str, code: str, url: str = "") -> tuple[Translation, ...]:
        return self.maps.get((system, code), ())


def accepted(source: str, column: str, system: str, code: str, target: str, **told: Any) -> LocalCode:
    key = LocalKey(source, column, system, code)
    return LocalCode(key, target=target, target_system=LOINC if target else "", state="accepted", **told)


def one(table: str, row: dict[str, Any], source: Loaded | None = None, feed: str = "lis") -> dict[str, Any]:
    mapped = Mapped(table, tuple(row), [tuple(row.values())])
    (after,) = StoredTerms(source).translate([mapped], feed)
    assert (after.table, len(after.rows)) == (table, 1)
    return dict(zip(after.columns, after.rows[0], strict=True))


def coded(*values: Any) -> dict[str, Any]:
    return dict(zip(CODE, values, strict=True))


def test_a_local_code_is_mapped_once_somebody_accepted_it() -> None:
    row = coded(None, None, "WBC", "99LAB", "白细胞", None)
    before = one("observation", row, Loaded())
    assert (before["code"], before["code_loss"], before["flags"]) == (None, "unmapped", "terms.unmapped_code")
    after = one("observation", row, Loaded(accepted("lis", "observation.code", "99LAB", "WBC", "6690-2")))
    assert [after[name] for name in CODE] == ["6690-2", LOINC, "WBC", "99LAB", "白细胞", "equivalent"]
    assert "flags" not in after


def test_a_feed_has_its_own_codes_before_those_of_all() -> None:
    row = coded(None, None, "001", None, None, None)
    source = Loaded(
        accepted("", "observation.code", "", "001", "718-7"), accepted("lis", "observation.code", "", "001", "6690-2")
    )
    assert one("observation", row, source, "lis")["code"] == "6690-2"
    assert one("observation", row, source, "other")["code"] == "718-7"
    assert one("report", row, source, "lis")["code"] is None


def test_a_text_without_a_code_is_mapped_and_not_flagged_when_it_is_not() -> None:
    row = coded(None, None, None, None, "血常规", None)
    source = Loaded(accepted("", "report.code", "", "血常规", "58410-2"))
    assert one("report", row, source)["code"] == "58410-2"
    before = one("report", row)
    assert before["code_loss"] == "unmapped"
    assert "flags" not in before


def test_what_was_found_to_have_no_standard_code_is_no_longer_flagged() -> None:
    row = coded(None, None, "QC", "99LAB", None, None)
    source = Loaded(accepted("", "observation.code", "99LAB", "QC", "", equivalence="unmapped"))
    after = one("observation", row, source)
    assert (after["code"], after["code_loss"], "flags" in after) == (None, "unmapped", False)


def test_a_change_in_the_store_is_seen_at_the_next_part() -> None:
    source = Loaded()
    terms = StoredTerms(source)
    mapped = Mapped("observation", CODE, [(None, None, "WBC", "99LAB", None, None)])
    assert terms.translate([mapped])[0].rows[0][0] is None
    source.codes.append(accepted("", "observation.code", "99LAB", "WBC", "6690-2"))
    source.changes += 1
    assert terms.translate([mapped])[0].rows[0][0] == "6690-2"


def test_icd_10_is_brought_to_the_who_with_its_loss_and_without_anything_loaded() -> None:
    longer = one("condition", coded("A00.000x001", ICD10_CN, "A00.000x001", ICD10_CN, None, None))
    assert (longer["code"], longer["code_system"], longer["code_loss"]) == ("A00.0", ICD10, "wider")
    assert longer["code_source"] == "A00.000x001"
    bare = one("condition", {"code": "I251", "code_system": "urn:oid:2.16.840.1.113883.6.3"})
    assert [bare[name] for name in CODE if name != "code_source_text"] == [
        "I25.1",
        ICD10,
        "I251",
        "urn:oid:2.16.840.1.113883.6.3",
        "equivalent",
    ]
    filled = one("condition", coded(None, None, "e11.9", "I10", "2型糖尿病", None))
    assert (filled["code"], filled["code_loss"]) == ("E11.9", "equivalent")
    american = one("condition", coded("E1165", ICD10_CM, "E1165", ICD10_CM, None, None))
    assert (american["code"], american["code_system"]) == ("E11.65", ICD10_CM)


def test_a_standard_code_under_another_name_of_its_system_is_standard() -> None:
    after = one("observation", coded(None, None, "718-7", "2.16.840.1.113883.6.1", None, None))
    assert (after["code"], after["code_system"], after["code_loss"]) == ("718-7", LOINC, "equivalent")


def test_maps_fill_in_the_closest_target() -> None:
    maps = {
        ("http://his.example/dx", "1"): (
            Translation("73211009", SNOMED, "wider"),
            Translation("44054006", SNOMED, "equivalent"),
            Translation("", "", "unmapped"),
        )
    }
    row = coded(None, None, "1", "http://his.example/dx", None, None)
    after = one("condition", row, Loaded(maps=maps))
    assert (after["code"], after["code_loss"]) == ("44054006", "equivalent")


def test_what_a_mapping_file_said_of_its_loss_stays() -> None:
    row = coded("A", "urn:x", "a", "urn:y", None, "narrower")
    assert one("condition", row) == row


def test_units_are_ucum_beside_what_was_written() -> None:
    after = one("observation", {"value_number": 5.0, "value_unit_source": "×10^9/L"})
    assert (after["value_unit"], after["value_unit_source"]) == ("10*9/L", "×10^9/L")
    moved = one("observation", {"value_number": 5.0, "value_unit": "mmHg", "flags": "fhir.x"})
    assert (moved["value_unit"], moved["value_unit_source"], moved["flags"]) == ("mm[Hg]", "mmHg", "fhir.x")
    unknown = one("observation", {"value_number": 5.0, "value_unit": "zork", "flags": "fhir.x"})
    assert (unknown["value_unit"], unknown["value_unit_source"]) == (None, "zork")
    assert unknown["flags"] == "fhir.x terms.unknown_unit"
    same = {"value_unit": "mg/dL", "value_unit_source": "mg/dL"}
    assert one("observation", same) == same


def test_a_unit_whose_source_the_table_does_not_keep_is_never_emptied() -> None:
    assert one("medication", {"rate_unit": "ml/h"})["rate_unit"] == "mL/h"
    after = one("medication", {"rate_unit": "per sip"})
    assert (after["rate_unit"], after["flags"]) == ("per sip", "terms.unknown_unit")


def test_values_of_any_kind_pass_through() -> None:
    row = coded({}, "urn:x", ["a"], None, 7, None) | {"value_unit": 4, "value_unit_source": []}
    assert one("observation", row) == row
    both = Mapped("observation", CODE, [tuple(coded(*[{}] * 6).values()), (None, None, "WBC", "L", None, None)])
    rows = StoredTerms().translate([both])[0].rows
    assert rows[0][:6] == ({},) * 6
    assert rows[1][5] == "unmapped"


def test_tables_without_concepts_and_products_pass_through() -> None:
    for table in ("patient", "my_product"):
        mapped = Mapped(table, ("id", "code"), [("1", "x")])
        assert StoredTerms().translate([mapped]) == [mapped]
    empty = Mapped("observation", CODE, [])
    assert StoredTerms().translate([empty]) == [empty]
