"""Generates the four hospitals from a seed: the same seed gives the same rows on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from xinglin.sample.errors import SampleError
from xinglin.sample.hospital import SampleHospital, SampleTable
from xinglin.sample.profiles import PROFILES, Profile
from xinglin.sample.truth import PLANTED

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]

FREQUENT_ENCOUNTERS = 40
"""Encounters of the one person who alone visits the dialysis unit: many rows, one person."""
RARE_FINDING = {"university": 1, "heart": 2}
"""Persons with the finding 'brugada' by hospital: three in the whole space, a cell that must be refused."""
DEPARTMENTS = ("cardiology", "emergency", "general", "surgery", "dialysis")
KINDS = ("outpatient", "inpatient", "emergency")
FINDINGS = ("normal", "st_t", "lvh", "brugada")
DISTRICTS = ("east", "west", "north", "south", "centre")
CODES = (("8480-6", "mm[Hg]", 128.0, 14.0), ("8867-4", "/min", 74.0, 11.0), ("29463-7", "kg", 68.0, 12.0))
"""LOINC code, UCUM unit, mean and standard deviation of each vital sign."""
_FIRST_DAY = np.datetime64("2024-01-01")
_DAYS = 730


def generate_space(seed: int = 2025, *, scale: int = 1) -> tuple[SampleHospital, ...]:
    """The four hospitals of ``PROFILES``, ``scale`` times as many persons (1 … 1,000).

    Each hospital draws from its own stream, so that one hospital's rows do not depend on another's.
    """
    if not 1 <= scale <= 1000:
        raise SampleError(f"The scale is within 1 and 1,000, not {scale}.")
    streams = np.random.SeedSequence(seed).spawn(len(PROFILES))
    return tuple(_hospital(profile, stream, scale) for profile, stream in zip(PROFILES, streams, strict=True))


def _hospital(profile: Profile, stream: np.random.SeedSequence, scale: int) -> SampleHospital:
    random = np.random.default_rng(stream)
    count = profile.persons * scale
    persons = np.array([f"{profile.slug}-{number:06d}" for number in range(count)], dtype=object)
    cardiac = _cardiac(profile, persons, random)
    tables = (
        cardiac,
        _patients(persons, cardiac, random),
        _encounters(profile, persons, random),
        _observations(persons, random),
    )
    return SampleHospital(profile, {table.name: table for table in tables})


def _cardiac(profile: Profile, persons: Array, random: np.random.Generator) -> SampleTable:
    covariates = _covariates(profile, len(persons), random)
    outcomes = _outcomes(covariates, random)
    columns = {"person": persons, **covariates, **outcomes}
    columns["sex"] = np.where(columns["sex"], "male", "female").astype(object)
    missing = {
        name: random.random(len(persons)) < share * _missing_weight(covariates["age"] - profile.mean_age)
        for name, share in profile.missing.items()
    }
    return SampleTable("cardiac", columns, missing)


def _covariates(profile: Profile, count: int, random: np.random.Generator) -> Columns:
    age = np.clip(np.rint(random.normal(profile.mean_age, 10.5, count)), 18, 95).astype(np.int64)
    male = random.random(count) < profile.share_male
    exang = random.random(count) < profile.share_exang
    pressure = random.normal(profile.mean_pressure + 0.35 * (age - profile.mean_age), 15, count)
    rate = random.normal(205 - 0.95 * age - 9 * exang, 17, count)
    chol = random.normal(214 + 0.3 * (age - 55) - 6 * male, 42, count)
    finding = random.choice(FINDINGS[:3], size=count, p=(0.62, 0.21, 0.17)).astype(object)
    rare = RARE_FINDING.get(profile.slug, 0)
    finding[random.choice(count, size=rare, replace=False)] = "brugada"
    return {
        "age": age,
        "sex": male,
        "trestbps": np.clip(np.rint(pressure), 80, 220).astype(np.int64),
        "thalach": np.clip(np.rint(rate), 60, 215).astype(np.int64),
        "exang": exang,
        "chol": np.clip(np.rint(chol), 90, 450).astype(np.int64),
        "smoker": random.random(count) < 0.18 + 0.16 * male,
        "restecg": finding,
    }


def _outcomes(given: Columns, random: np.random.Generator) -> Columns:
    count = len(given["age"])
    disease = random.random(count) < 1 / (1 + np.exp(-_linear("disease", given)))
    with_disease = {**given, "disease": disease}
    los_days = random.poisson(np.exp(_linear("los_days", with_disease)))
    with_stay = {**with_disease, "los_days": los_days}
    cost = PLANTED["cost"]
    mean = np.exp(_linear("cost", with_stay))
    ldl = _linear("ldl", given) + random.normal(0, PLANTED["ldl"].sigma, count)
    return {
        "ldl": np.clip(np.round(ldl, 1), 10, 350),
        "los_days": los_days.astype(np.int64),
        "cost": np.round(random.gamma(cost.shape, mean / cost.shape), 2),
        "disease": disease,
    }


def _linear(outcome: str, given: Columns) -> Array:
    """The linear predictor of a planted model; a term ``sex[male]`` reads the column ``sex``."""
    total: Array = np.zeros(len(given["age"]))
    for term, coefficient in PLANTED[outcome].terms:
        total += coefficient * (1.0 if term == "Intercept" else given[term.partition("[")[0]].astype(np.float64))
    return total


def _missing_weight(older_years: Array) -> Array:
    """Records of older persons miss a little more; never by outcome, so complete cases stay unbiased."""
    weight: Array = np.clip(1 + 0.02 * older_years, 0.3, 1.9)
    return weight


def _patients(persons: Array, cardiac: SampleTable, random: np.random.Generator) -> SampleTable:
    count = len(persons)
    age_days = cardiac.columns["age"] * 365 + random.integers(0, 365, count)
    columns = {
        "patient": persons,
        "full_name": np.array([f"Generated Person {number}" for number in range(count)], dtype=object),
        "phone": np.array([f"000-0000-{number % 10_000:04d}" for number in range(count)], dtype=object),
        "birth_date": (_FIRST_DAY - age_days).astype("datetime64[D]"),
        "sex": cardiac.columns["sex"],
        "district": random.choice(DISTRICTS, size=count).astype(object),
    }
    return SampleTable("patient", columns, {"district": random.random(count) < 0.03})


def _encounters(profile: Profile, persons: Array, random: np.random.Generator) -> SampleTable:
    visits = 1 + random.poisson(profile.encounters_per_person - 1, len(persons))
    person = np.repeat(persons, visits)
    department = random.choice(DEPARTMENTS[:4], size=len(person), p=(0.4, 0.15, 0.3, 0.15)).astype(object)
    if profile.slug == "university":
        person = np.concatenate([person, np.repeat(persons[:1], FREQUENT_ENCOUNTERS)])
        department = np.concatenate([department, np.array(["dialysis"] * FREQUENT_ENCOUNTERS, dtype=object)])
    count = len(person)
    kind = random.choice(KINDS, size=count, p=(0.68, 0.22, 0.10)).astype(object)
    stay = np.where(kind == "inpatient", 1 + random.poisson(5, count), 0).astype(np.int64)
    columns = {
        "encounter": np.array([f"{profile.slug}-e{number:07d}" for number in range(count)], dtype=object),
        "patient": person,
        "started_on": _FIRST_DAY + random.integers(0, _DAYS, count),
        "department": department,
        "kind": kind,
        "stay_days": stay,
        "charge": np.round(random.gamma(2.0, 180 + 900 * stay), 2),
    }
    return SampleTable("encounter", columns, {"charge": random.random(count) < 0.04})


def _observations(persons: Array, random: np.random.Generator) -> SampleTable:
    """Each person has each vital sign one to three times."""
    parts: list[Columns] = []
    for code, unit, mean, spread in CODES:
        person = np.repeat(persons, random.integers(1, 4, len(persons)))
        count = len(person)
        parts.append(
            {
                "patient": person,
                "observed_on": _FIRST_DAY + random.integers(0, _DAYS, count),
                "code": np.array([code] * count, dtype=object),
                "value": np.clip(np.round(random.normal(mean, spread, count), 1), 20, 260),
                "unit": np.array([unit] * count, dtype=object),
            }
        )
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return SampleTable("observation", columns, {"value": random.random(len(columns["patient"])) < 0.02})
