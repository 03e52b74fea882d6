"""Units as they are written to UCUM, and numbers between units."""

from __future__ import annotations

import pytest

from xinglin.records.terminology.errors import CannotConvert
from xinglin.records.terminology.unit_words import COMMON, PARTS, WHOLE
from xinglin.records.terminology.units import UNIT_CHARACTERS, convert, is_unit, normal_unit

WRITTEN = {
    "mmHg": "mm[Hg]",
    "mm Hg": "mm[Hg]",
    "×10^9/L": "10*9/L",
    "10⁹/L": "10*9/L",
    "*10^9/L": "10*9/L",
    "10E9/L": "10*9/L",
    "X10(9)/L": "10*9/L",
    "10-9/L": "10*9/L",
    "×10＾9／Ｌ": "10*9/L",
    "10¹²/L": "10*12/L",
    "G/L": "10*9/L",
    "umol/L": "umol/L",
    "μmol/L": "umol/L",
    "µmol/l": "umol/L",
    "微摩尔/升": "umol/L",
    "MG/DL": "mg/dL",
    "ML": "mL",
    "u/L": "U/L",
    "IU/ml": "[IU]/mL",
    "μIU/ml": "u[IU]/mL",
    "次/分": "/min",
    "％": "%",
    "℃": "Cel",
    "Kg/m²": "kg/m2",
    "mL/min/1.73 m^2": "mL/min/{1.73_m2}",
    "个/HP": "/[HPF]",
    "mg/24h": "mg/(24.h)",
    "g/24小时": "g/(24.h)",
    "秒": "s",
    "片": "{tablet}",
    "PH": "[pH]",
    "copies/ml": "{copies}/mL",
    "mmol/mmol": "mmol/mmol",
    "mg/kg.d": "mg/kg.d",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_units_as_laboratories_write_them(written: str) -> None:
    assert normal_unit(written) == WRITTEN[written]


@pytest.mark.parametrize("text", ["", " ", "see note", "阴性", "mg per dose maybe", "?", "x" * (UNIT_CHARACTERS + 1)])
def test_what_is_no_unit_is_none(text: str) -> None:
    assert normal_unit(text) is None


def test_every_unit_that_the_words_lead_to_is_one_of_ucum() -> None:
    assert [unit for unit in {*WHOLE.values(), *PARTS.values(), *COMMON} if not is_unit(unit)] == []


def test_ucum_stays_as_it_is() -> None:
    assert [unit for unit in COMMON if normal_unit(unit) != unit] == []


def test_the_grammar_is_case_sensitive_and_refuses_spaces() -> None:
    assert is_unit("[arb'U]/mL")
    assert not any(map(is_unit, ("mmHg", "mg / dL", "MG/DL", "", "毫克", "mg/dL\n")))


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (180.0, "mg/dL", "g/L", 1.8),
        (37.0, "Cel", "[degF]", 98.6),
        (98.6, "[degF]", "Cel", 37.0),
        (120.0, "mm[Hg]", "kPa", 15.9987),
        (5.0, "10*9/L", "10*3/uL", 5.0),
        (12.0, "[pH]", "[pH]", 12.0),
        (50.0, "%", "1", 0.5),
    ],
)
def test_numbers_from_unit_to_unit(value: float, source: str, target: str, result: float) -> None:
    assert convert(value, source, target) == pytest.approx(result, rel=1e-5)


def test_moles_become_a_mass_only_with_the_molar_mass() -> None:
    with pytest.raises(CannotConvert) as refused:
        convert(5.5, "mmol/L", "mg/dL")
    assert refused.value.reason == "molar"
    assert convert(5.5, "mmol/L", "mg/dL", molar_mass_g=180.156) == pytest.approx(99.0858)
    assert convert(99.0858, "mg/dL", "mmol/L", molar_mass_g=180.156) == pytest.approx(5.5)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("mg", "m", "dimension"),
        ("mmHg", "kPa", "unknown"),
        ("[pH]", "mol/L", "scale"),
        ("B[SPL]", "Pa", "scale"),
        ("mol", "m", "dimension"),
    ],
)
def test_what_cannot_be_converted_says_why(source: str, target: str, reason: str) -> None:
    with pytest.raises(CannotConvert) as refused:
        convert(1.0, source, target)
    assert refused.value.reason == reason
