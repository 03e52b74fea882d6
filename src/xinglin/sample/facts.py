"""The cardiac work-up of a generated person as single facts, before it is written in a hospital's own format."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec

from xinglin.sample.hospital import SampleHospital

LOINC, SNOMED, ICD10 = "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"
YES, NO = "373066001", "373067005"
"""SNOMED CT qualifier values Yes and No."""
DISEASE = ("I25.1", "Atherosclerotic heart disease", "动脉硬化性心脏病")
"""ICD-10 of the outcome that angiography found, or refuted."""
EXAMINED_ON = dt.date(2025, 3, 3)


FREQUENT_READINGS, HIGHEST_OF_OTHERS = 40, 455
"""Cholesterol readings of the university's first person, all above anybody else's: many rows, one person."""


class Measure(msgspec.Struct, frozen=True):
    """What is measured: the sample's column, its standard code, words, UCUM unit and what the laboratory calls it."""

    column: str
    system: str
    code: str
    words: str
    words_zh: str
    unit: str
    local: str


MEASURES: tuple[Measure, ...] = (
    Measure("trestbps", LOINC, "8480-6", "Systolic blood pressure", "收缩压", "mm[Hg]", "SBP"),
    Measure("thalach", LOINC, "8867-4", "Heart rate", "心率", "/min", "HR"),
    Measure("chol", LOINC, "2093-3", "Cholesterol", "总胆固醇", "mg/dL", "TC"),
    Measure("ldl", LOINC, "13457-7", "Cholesterol in LDL, calculated", "低密度脂蛋白胆固醇", "mg/dL", "LDL-C"),
    Measure("exang", SNOMED, "300995000", "Exercise-induced angina", "运动诱发心绞痛", "", "EXANG"),
)


CHOLESTEROL = next(measure for measure in MEASURES if measure.column == "chol")


class Finding(msgspec.Struct, frozen=True):
    """One measurement: a number in the measure's unit, or yes or no."""

    measure: Measure
    value: float | bool


class Person(msgspec.Struct, frozen=True):
    """One generated person; nobody of that name or number exists."""

    key: str
    name: str
    sex: str
    birth_date: dt.date
    phone: str
    examined_at: dt.datetime
    disease: bool
    findings: tuple[Finding, ...]


def persons(hospital: SampleHospital) -> Iterator[Person]:
    """Every person of a generated hospital with what is known about them; missing values have no fact."""
    cardiac, patient = hospital.tables["cardiac"], hospital.tables["patient"]
    births: list[dt.date] = patient.columns["birth_date"].astype("datetime64[D]").tolist()
    values: dict[str, list[Any]] = {name: column.tolist() for name, column in cardiac.columns.items()}
    missing = {name: mask.tolist() for name, mask in cardiac.missing.items()}
    for row, key in enumerate(values["person"]):
        born = dt.date(EXAMINED_ON.year - values["age"][row], births[row].month, min(births[row].day, 28))
        findings = tuple(
            Finding(measure, values[measure.column][row])
            for measure in MEASURES
            if not (measure.column in missing and missing[measure.column][row])
        )
        if row == 0 and hospital.profile.slug == "university":
            findings += tuple(Finding(CHOLESTEROL, HIGHEST_OF_OTHERS + 1 + n) for n in range(FREQUENT_READINGS))
        yield Person(
            key,
            f"样例{hospital.profile.name_zh[0]}{row:04d}",
            values["sex"][row],
            born,
            patient.columns["phone"][row],
            dt.datetime(2025, 3, 3, 8, 0, tzinfo=dt.timezone(dt.timedelta(hours=8))) + dt.timedelta(minutes=row),
            values["disease"][row],
            findings,
        )
