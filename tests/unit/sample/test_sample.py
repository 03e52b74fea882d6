"""The sample: the same from a seed, the truth found again, the descriptions true of every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from xinglin.catalogue import TableDescription, check_data_set
from xinglin.kernel import Allowed
from xinglin.lake import Lake
from xinglin.sample import (
    PLANTED,
    PROFILES,
    SampleError,
    SampleHospital,
    data_set,
    descriptions,
    generate_space,
    heart_descriptions,
    read_heart_disease,
    write_hospital,
)

DID = "did:xinglin:" + "a" * 26
FAMILIES = {
    "binomial": sm.families.Binomial(),
    "poisson": sm.families.Poisson(),
    "gamma": sm.families.Gamma(link=sm.families.links.Log()),
    "gaussian": sm.families.Gaussian(),
}


@pytest.fixture(scope="module")
def space() -> tuple[SampleHospital, ...]:
    return generate_space(2025)


def pooled(space: tuple[SampleHospital, ...], table: str) -> pd.DataFrame:
    return pd.concat([hospital.tables[table].to_arrow().to_pandas() for hospital in space], ignore_index=True)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(space: tuple[SampleHospital, ...]) -> None:
    again, other = generate_space(2025), generate_space(2026)
    for one, two in zip(space, again, strict=True):
        for name, table in one.tables.items():
            assert table.to_arrow().equals(two.tables[name].to_arrow())
    assert not space[0].tables["cardiac"].to_arrow().equals(other[0].tables["cardiac"].to_arrow())


def test_four_hospitals_of_different_kinds_and_sizes_say_that_they_are_generated(
    space: tuple[SampleHospital, ...],
) -> None:
    assert [hospital.tables["cardiac"].rows for hospital in space] == [900, 500, 1200, 160]
    assert len({profile.kind for profile in PROFILES}) == 4
    assert all("generated" in profile.name and "生成" in profile.name_zh for profile in PROFILES)
    names = pooled(space, "patient")["full_name"]
    assert names.str.startswith("Generated Person").all()


@pytest.mark.parametrize("outcome", list(PLANTED))
def test_an_analysis_of_the_pooled_rows_finds_the_planted_truth(
    space: tuple[SampleHospital, ...], outcome: str
) -> None:
    model = PLANTED[outcome]
    scores_by_seed = [_z_scores(generate_space(seed), outcome) for seed in (2025, 7, 8)]
    assert all(np.abs(scores).max() < 4 for scores in scores_by_seed), model.formula
    # The near miss: a coefficient half as large is not what these rows say.
    fitted = _fit(space, outcome)
    strongest = max(model.terms[1:], key=lambda term: abs(fitted.tvalues[_spelled(term[0])]))
    name = _spelled(strongest[0])
    assert abs(fitted.params[name] - strongest[1] / 2) / fitted.bse[name] > 4


def _fit(space: tuple[SampleHospital, ...], outcome: str) -> Any:
    model = PLANTED[outcome]
    frame = pooled(space, "cardiac").dropna()
    numbers = {name: frame[name].astype(float) for name in ("exang", "smoker", "disease")}
    return smf.glm(model.formula, frame.assign(**numbers), family=FAMILIES[model.family]).fit()


def _spelled(term: str) -> str:
    return "C(sex)[T.male]" if term == "sex[male]" else term


def _z_scores(space: tuple[SampleHospital, ...], outcome: str) -> np.ndarray:
    fitted = _fit(space, outcome)
    return np.array([(fitted.params[_spelled(t)] - c) / fitted.bse[_spelled(t)] for t, c in PLANTED[outcome].terms])


def test_one_person_has_forty_encounters_in_a_unit_that_nobody_else_visits(space: tuple[SampleHospital, ...]) -> None:
    dialysis = pooled(space, "encounter").query("department == 'dialysis'")
    assert (len(dialysis), dialysis["patient"].nunique()) == (40, 1)


def test_one_cell_holds_three_persons_at_two_hospitals(space: tuple[SampleHospital, ...]) -> None:
    rare = pooled(space, "cardiac").query("restecg == 'brugada'")
    assert rare["person"].nunique() == 3
    assert rare["person"].str.split("-").str[0].nunique() == 2


def test_values_are_missing_as_the_profile_says_and_never_in_the_outcome(space: tuple[SampleHospital, ...]) -> None:
    for hospital in space:
        table = hospital.tables["cardiac"]
        assert set(table.missing) == set(hospital.profile.missing)
        for name, share in hospital.profile.missing.items():
            assert table.missing[name].mean() == pytest.approx(share, abs=0.08), name
    assert pooled(space, "cardiac")[["disease", "los_days", "cost", "age", "sex"]].notna().all(axis=None)


def _check_rows(hospital: SampleHospital, described: tuple[TableDescription, ...]) -> None:
    assert {table.name for table in described} == set(hospital.tables)
    for description in described:
        arrow = hospital.tables[description.name].to_arrow()
        assert arrow.column_names == [column.name for column in description.columns]
        assert arrow[description.patient_key].null_count == 0
        for column in description.columns:
            values = arrow[column.name].drop_null().to_pylist()
            if column.low is not None and column.high is not None:
                assert all(column.low <= value <= column.high for value in values), column.name
            if column.levels:
                assert set(values) <= set(column.levels), column.name
            kinds = {"integer": int, "number": float, "boolean": bool, "category": str, "text": str}
            if column.kind in kinds:
                assert {type(value) for value in values} <= {kinds[column.kind]}, column.name


@pytest.mark.parametrize("described", [descriptions(), heart_descriptions()])
def test_the_descriptions_may_be_published(described: tuple[TableDescription, ...]) -> None:
    for profile in PROFILES:
        assert check_data_set(data_set(profile, DID, described)) == Allowed()


def test_every_generated_row_is_within_its_description(space: tuple[SampleHospital, ...]) -> None:
    for hospital in space:
        _check_rows(hospital, descriptions())


def test_the_scale_multiplies_persons_and_has_limits() -> None:
    assert generate_space(1, scale=3)[3].tables["patient"].rows == 480
    for scale in (0, 1001):
        with pytest.raises(SampleError):
            generate_space(1, scale=scale)


def test_the_real_hospitals_are_read_as_they_are(heart_disease: Path) -> None:
    hospitals = read_heart_disease(heart_disease)
    assert [hospital.tables["cardiac"].rows for hospital in hospitals] == [303, 294, 123, 200]
    for hospital in hospitals:
        _check_rows(hospital, heart_descriptions())
    frame = pooled(hospitals, "cardiac")
    assert (frame["disease"] == (frame["num"] > 0)).all()
    assert int(frame["disease"].sum()) == 509
    assert len(frame.dropna(subset=["age", "sex", "trestbps", "thalach", "exang"])) == _complete_lines(heart_disease)
    assert int((frame["chol"] == 0).sum()) == 172, "a cholesterol of 0 is not turned into a missing value"


def _complete_lines(folder: Path) -> int:
    lines = [line for path in folder.glob("processed.*.data") for line in path.read_text().splitlines()]
    return sum("?" not in [line.split(",")[field] for field in (0, 1, 3, 7, 8)] for line in lines)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("63,1,1,145,233,1,2,150,0,2.3,3,0,6", "13 fields"),
        ("63,1,1,145,233,1,2,150,0,2.3,3,0,6,x", "neither a number"),
        ("63,2,1,145,233,1,2,150,0,2.3,3,0,6,0", "unknown codes"),
        ("63.5,1,1,145,233,1,2,150,0,2.3,3,0,6,0", "not whole"),
        ("63,1,1,145,233,1,2,150,0,2.3,3,0,6,?", "no outcome"),
    ],
)
def test_files_that_are_not_the_data_set_are_refused(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "processed.cleveland.data").write_text("1,1,1,1,1,1,1,1,1,1,1,1,3,0\n" + line + "\n")
    with pytest.raises(SampleError, match=words):
        read_heart_disease(tmp_path)


def test_an_absent_folder_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="cannot be read"):
        read_heart_disease(tmp_path / "none")


def test_a_hospital_is_written_as_delta_tables_and_read_back(space: tuple[SampleHospital, ...], tmp_path: Path) -> None:
    clinic, lake = space[3], Lake(tmp_path / "lake")
    assert set(write_hospital(clinic, lake)) == {"cardiac", "patient", "encounter", "observation"}
    write_hospital(clinic, lake)
    datasets = lake.datasets(lake.current(lake.names()))
    for name, table in clinic.tables.items():
        read, written = datasets[name].to_table(), table.to_arrow()
        assert read.num_rows == written.num_rows == lake.statistics(name).rows
        assert read.column_names == written.column_names
        for column in read.column_names:
            assert read[column].null_count == written[column].null_count, column
            assert sorted(map(str, read[column].to_pylist())) == sorted(map(str, written[column].to_pylist()))
