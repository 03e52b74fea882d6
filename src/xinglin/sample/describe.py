"""What the sample hospitals publish: every table with its patient key, ranges, levels and grades."""

from __future__ import annotations

from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.sample.generate import CODES, DEPARTMENTS, DISTRICTS, FINDINGS, KINDS
from xinglin.sample.heart import LEVELS
from xinglin.sample.profiles import Profile

_KEY = ColumnDescription("patient", "text", "person", words="the hospital's own key of a person")
"""Of canonical tables, which name it so."""
_PERSON = ColumnDescription("person", "text", "person", words="the hospital's own key of a person")
_SEX = ("female", "male")


def _whole(name: str, low: int, high: int, unit: str, words: str) -> ColumnDescription:
    return ColumnDescription(name, "integer", unit=unit, low=low, high=high, words=words)


def _real(name: str, low: float, high: float, unit: str, words: str) -> ColumnDescription:
    return ColumnDescription(name, "number", unit=unit, low=low, high=high, words=words)


def _category(name: str, levels: tuple[str, ...], words: str) -> ColumnDescription:
    return ColumnDescription(name, "category", levels=levels, words=words)


def _boolean(name: str, words: str) -> ColumnDescription:
    return ColumnDescription(name, "boolean", words=words)


_AGE = _whole("age", 0, 120, "a", "age at the examination")
_PRESSURE = _whole("trestbps", 0, 300, "mm[Hg]", "resting blood pressure, systolic")
_RATE = _whole("thalach", 0, 260, "/min", "maximum heart rate in the exercise test")
_ANGINA = _boolean("exang", "angina induced by exercise")
_CHOLESTEROL = _whole("chol", 0, 800, "mg/dL", "serum cholesterol")
_DISEASE = _boolean("disease", "coronary heart disease found by angiography")

_CARDIAC = TableDescription(
    name="cardiac",
    patient_key="person",
    words="one row a person: the cardiac work-up and its outcome",
    columns=(
        _PERSON,
        _AGE,
        _category("sex", _SEX, "administrative sex"),
        _PRESSURE,
        _RATE,
        _ANGINA,
        _CHOLESTEROL,
        _boolean("smoker", "smokes at present"),
        _category("restecg", FINDINGS, "finding of the resting electrocardiogram"),
        _real("ldl", 0, 400, "mg/dL", "low-density lipoprotein cholesterol"),
        _whole("los_days", 0, 90, "d", "length of stay"),
        _real("cost", 0, 200_000, "CNY", "cost of the stay"),
        _DISEASE,
    ),
)

_PATIENT = TableDescription(
    name="patient",
    patient_key="patient",
    words="one row a person",
    columns=(
        _KEY,
        ColumnDescription("full_name", "text", "identifier", words="never in a study's view"),
        ColumnDescription("phone", "text", "identifier", words="never in a study's view"),
        ColumnDescription("birth_date", "date", "identifier", words="never in a study's view"),
        _category("sex", _SEX, "administrative sex"),
        _category("district", DISTRICTS, "district of residence"),
    ),
)

_ENCOUNTER = TableDescription(
    name="encounter",
    patient_key="patient",
    words="one row a visit; a person may have many",
    columns=(
        ColumnDescription("encounter", "text", "identifier", words="the hospital's own key of a visit"),
        _KEY,
        ColumnDescription("started_on", "date", words="first day"),
        _category("department", DEPARTMENTS, "where the visit took place"),
        _category("kind", KINDS, "kind of visit"),
        _whole("stay_days", 0, 365, "d", "days in hospital"),
        _real("charge", 0, 1_000_000, "CNY", "what the visit was charged at"),
    ),
)

_OBSERVATION = TableDescription(
    name="observation",
    patient_key="patient",
    words="one row a measurement of a vital sign",
    columns=(
        _KEY,
        ColumnDescription("observed_on", "date", words="day of the measurement"),
        _category("code", tuple(code for code, *_ in CODES), "LOINC code"),
        _real("value", 0, 400, "", "the measured value, in the unit beside it"),
        _category("unit", tuple(unit for _, unit, *_ in CODES), "UCUM unit"),
    ),
)

_HEART = TableDescription(
    name="cardiac",
    patient_key="person",
    words="one row a person: UCI heart disease data, 1989",
    columns=(
        _PERSON,
        _AGE,
        _category("sex", tuple(LEVELS["sex"].values()), "administrative sex"),
        _category("cp", tuple(LEVELS["cp"].values()), "type of chest pain"),
        _PRESSURE,
        _CHOLESTEROL,
        _boolean("fbs", "fasting blood sugar above 120 mg/dL"),
        _category("restecg", tuple(LEVELS["restecg"].values()), "finding of the resting electrocardiogram"),
        _RATE,
        _ANGINA,
        _real("oldpeak", -10, 20, "mm", "depression of the ST segment by exercise"),
        _category("slope", tuple(LEVELS["slope"].values()), "slope of the peak exercise ST segment"),
        _whole("ca", 0, 9, "", "major vessels coloured by fluoroscopy"),
        _category("thal", tuple(LEVELS["thal"].values()), "thallium scan"),
        _whole("num", 0, 4, "", "angiographic disease status"),
        _DISEASE,
    ),
)


def descriptions() -> tuple[TableDescription, ...]:
    """The published tables of each generated hospital; all are L2."""
    return (_CARDIAC, _PATIENT, _ENCOUNTER, _OBSERVATION)


def heart_descriptions() -> tuple[TableDescription, ...]:
    """The published table of each hospital that ``read_heart_disease`` gives; L2."""
    return (_HEART,)


def data_set(profile: Profile, provider: str, tables: tuple[TableDescription, ...]) -> DataSetDescription:
    """The data set ``cardiology`` that the hospital ``profile`` publishes under its DID ``provider``."""
    return DataSetDescription("cardiology", provider, f"Cardiology at {profile.name}", tables)
