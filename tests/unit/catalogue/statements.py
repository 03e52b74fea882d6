"""A statement to export: a clinic of 1,203 persons."""

from __future__ import annotations

from xinglin.catalogue.confirming import GradeConfirmation, SettledGrade, settled_grades
from xinglin.catalogue.grading import GradeSuggestion
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.catalogue.profile import ColumnProfile, LevelCount, TableProfile
from xinglin.catalogue.quality import QualityStatement
from xinglin.catalogue.statement import BinCount, DataSetStatement, Measured, Population, data_set_statement

AT = 1_700_000_000_000
DID = "did:xinglin:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
DESCRIPTION = DataSetDescription(
    "clinic",
    DID,
    "Clinic of the example district",
    (
        TableDescription(
            "observation",
            (
                ColumnDescription("patient", "text", "person"),
                ColumnDescription("code", "category", levels=("4548-4", "8867-4"), words="what was measured"),
                ColumnDescription("code_system", "category", levels=("http://loinc.org",), words="its code system"),
                ColumnDescription("value_number", "number", low=0.0, high=12.0, words="the number"),
                ColumnDescription("value_unit", "category", levels=("%",), words="UCUM unit"),
                ColumnDescription("effective", "instant", words="when it was so"),
            ),
            "patient",
            words="a measurement or a finding",
        ),
    ),
)
PROFILE = TableProfile(
    "observation",
    5_017,
    1_203,
    (
        ColumnProfile("code", "text", 5_017, 1_203, 3, levels=(
            LevelCount("8867-4", 1_100), LevelCount("4548-4", 400), LevelCount("rare-code", 9))),
        ColumnProfile("code_system", "text", 5_017, 1_203, 1, levels=(LevelCount("http://loinc.org", 1_203),)),
        ColumnProfile("value_number", "number", 4_500, 1_190, 900, low=0.2, high=11.7),
        ColumnProfile("value_unit", "text", 4_500, 1_190, 1, levels=(LevelCount("%", 1_190),)),
        ColumnProfile("effective", "instant", 5_017, 1_203, 5_000),
    ),
)  # fmt: skip
BINS = tuple(BinCount(float(n), float(n + 1), persons) for n, persons in enumerate((3, 40, 700, 300, 100, 40, 4, 2, 1)))
MONTHS = (LevelCount("2019-12", 2), LevelCount("2020-01", 80), LevelCount("2023-10", 90), LevelCount("2023-11", 9))
POPULATION = Population(
    1_203,
    sexes=(LevelCount("female", 640), LevelCount("male", 560), LevelCount("other", 3)),
    ages=(LevelCount("10", 4), LevelCount("20", 300), LevelCount("60", 890), LevelCount("90", 9)),
    regions=(LevelCount("Shanghai", 1_190), LevelCount("Tibet", 2)),
)
SUGGESTIONS = {
    "observation": (
        GradeSuggestion("note", "identifier", "L3", "free_text", "somebody's own words"),
        GradeSuggestion("code", "data", "L2", "rare_codes", "1 of its codes is of few"),
        GradeSuggestion("value_number", "data", "L2", "plain", "de-identified fact"),
    )
}
QUALITY = QualityStatement(AT, {"completeness": 97, "plausibility": 99, "validity": 94}, ())


def settled(*words: GradeConfirmation) -> tuple[SettledGrade, ...]:
    return settled_grades(SUGGESTIONS, words)


def statement(*words: GradeConfirmation) -> DataSetStatement:
    measured = {"observation": Measured(PROFILE, {"value_number": BINS}, MONTHS)}
    return data_set_statement(DESCRIPTION, measured, POPULATION, AT, quality=QUALITY, grades=settled(*words))
