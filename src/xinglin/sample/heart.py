"""Reads the four real hospitals of the UCI heart disease data (``processed.*.data``, 1989, CC BY 4.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xinglin.sample.errors import SampleError
from xinglin.sample.hospital import SampleHospital, SampleTable
from xinglin.sample.profiles import Profile

FIELDS = (
    "age",
    "sex",
    "cp",
    "trestbps",
    "chol",
    "fbs",
    "restecg",
    "thalach",
    "exang",
    "oldpeak",
    "slope",
    "ca",
    "thal",
    "num",
)
"""The columns of the files, in their order."""

LEVELS: dict[str, dict[int, str]] = {
    "sex": {0: "female", 1: "male"},
    "cp": {1: "typical", 2: "atypical", 3: "non_anginal", 4: "asymptomatic"},
    "restecg": {0: "normal", 1: "st_t", 2: "lvh"},
    "slope": {1: "up", 2: "flat", 3: "down"},
    "thal": {3: "normal", 6: "fixed", 7: "reversible"},
}
"""Codes of the source and the words they stand for (the data set's own description)."""

BOOLEANS = ("fbs", "exang")
INTEGERS = ("age", "trestbps", "chol", "thalach", "ca", "num")

HOSPITALS: tuple[tuple[str, str, str], ...] = (
    ("cleveland", "Cleveland Clinic Foundation", "克利夫兰医学中心"),
    ("hungarian", "Hungarian Institute of Cardiology, Budapest", "匈牙利心脏病研究所"),
    ("switzerland", "University Hospitals, Zurich and Basel", "苏黎世与巴塞尔大学医院"),
    ("va", "V.A. Medical Center, Long Beach", "长滩退伍军人医疗中心"),
)


def read_heart_disease(folder: Path) -> tuple[SampleHospital, ...]:
    """The four hospitals of ``folder``, each with one table ``cardiac`` of one row a person.

    ``?`` is a missing value and nothing else is: a cholesterol of 0 stays 0, as in the source. The
    outcome ``disease`` is ``num > 0``. ``SampleError`` where a file is absent or a line is not of
    fourteen fields with known codes.
    """
    return tuple(_hospital(folder, slug, name, name_zh) for slug, name, name_zh in HOSPITALS)


def _hospital(folder: Path, slug: str, name: str, name_zh: str) -> SampleHospital:
    path = folder / f"processed.{slug}.data"
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SampleError(
            f"{path.name} cannot be read in {folder}.",
            remedy="Name the folder that holds the four processed.*.data files.",
        ) from error
    rows = [_fields(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    raw = dict(zip(FIELDS, np.array(rows, dtype=np.float64).T, strict=True))
    columns: dict[str, np.ndarray[Any, Any]] = {
        "person": np.array([f"{slug}-{number:06d}" for number in range(len(rows))], dtype=object)
    }
    missing: dict[str, np.ndarray[Any, Any]] = {}
    for field, values in raw.items():
        absent = np.isnan(values)
        columns[field] = _typed(path, field, values, absent)
        if absent.any():
            missing[field] = absent
    columns["disease"] = raw["num"] > 0
    if "num" in missing:
        raise SampleError(f"{path.name}: a row has no outcome.")
    profile = Profile(slug, name, name_zh, "hospital", len(rows), *_case_mix(raw), 1.0, {})
    return SampleHospital(profile, {"cardiac": SampleTable("cardiac", columns, missing)})


def _fields(path: Path, number: int, line: str) -> list[float]:
    fields = line.strip().split(",")
    if len(fields) != len(FIELDS):
        raise SampleError(f"{path.name} line {number} has {len(fields)} fields, not {len(FIELDS)}.")
    try:
        return [float("nan") if field == "?" else float(field) for field in fields]
    except ValueError as error:
        raise SampleError(f"{path.name} line {number} holds a field that is neither a number nor '?'.") from error


def _typed(path: Path, field: str, values: np.ndarray[Any, Any], absent: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if field not in LEVELS and field not in BOOLEANS and field not in INTEGERS:
        return values
    whole = np.where(absent, 0, values)
    if not np.array_equal(whole, np.rint(whole)):
        raise SampleError(f"{path.name}: the column {field} holds a number that is not whole.")
    if field in INTEGERS:
        return whole.astype(np.int64)
    known = LEVELS.get(field, {0: "", 1: ""})
    strange = {int(value) for value in whole[~absent]} - set(known)
    if strange:
        raise SampleError(f"{path.name}: the column {field} holds the unknown codes {sorted(strange)}.")
    if field in BOOLEANS:
        return whole.astype(bool)
    return np.array([known.get(int(value), "") for value in whole], dtype=object)


def _case_mix(raw: dict[str, np.ndarray[Any, Any]]) -> tuple[float, float, float, float]:
    shares = (np.nanmean(raw[field]) for field in ("age", "sex", "exang", "trestbps"))
    age, male, exang, pressure = (round(float(share), 3) for share in shares)
    return age, male, exang, pressure
