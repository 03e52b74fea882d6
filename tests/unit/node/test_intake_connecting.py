"""A source is proposed from its files: tables of OMOP by their columns, others by a suggestion, harm by its name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.node.intake.connecting import Plan, Proposal, mapped_by, plan, try_out
from xinglin.node.intake.looking import Looking
from xinglin.node.intake.looks import Sample
from xinglin.node.intake.recognise import Found, NotRecognised, recognise
from xinglin.records.tabular.mapping import parse_mapping

PERSON = "person_id,gender_concept_id,year_of_birth,birth_datetime,person_source_value\n" + "".join(
    f"{n},8507,1970,1970-01-{n:02d},P{n}\n" for n in range(1, 21)
)
MEASUREMENT = (
    "MEASUREMENT_ID,PERSON_ID,MEASUREMENT_CONCEPT_ID,MEASUREMENT_DATE,VALUE_AS_NUMBER,UNIT_CONCEPT_ID,"
    "MEASUREMENT_SOURCE_VALUE\n" + "".join(f"{n},{n % 20 + 1},3004249,2024-01-02,120,8876,SBP\n" for n in range(1, 41))
)
CONCEPT = (
    "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\n"
    "3004249\tSystolic blood pressure\tMeasurement\tLOINC\tClinical Observation\tS\t8480-6\n"
    "8876\tmillimeter mercury column\tUnit\tUCUM\tUnit\tS\tmm[Hg]\n"
)
PERIOD = "observation_period_id,person_id,observation_period_start_date\n" + "".join(
    f"{n},{n},2020-01-01\n" for n in range(1, 21)
)
OTHER = "patient_id,gender,dob\n" + "".join(f"{n},{'FM'[n % 2]},1980-01-0{1 + n % 9}\n" for n in range(40))


@pytest.fixture(scope="module")
def looking() -> Iterator[Looking]:
    with Looking() as opened:
        yield opened


def planned(looking: Looking, place: Path, **files: str) -> tuple[Proposal, ...]:
    """The proposals for a folder of these CSV files, or for the one file where there is one."""
    for name, text in files.items():
        (place / f"{name}.csv").write_text(text, encoding="utf-8")
    what = place / f"{next(iter(files))}.csv" if len(files) == 1 else place
    made = plan(recognise(str(what), "omop", looking), looking)
    assert not made.unread
    return made.proposals


def sampled(proposal: Proposal, looking: Looking) -> Sample:
    """The sample of one proposal, from which nothing is left out."""
    tried = try_out(Found("files", "x", "", ""), Plan((proposal,)), 1, looking)
    assert tried.proposals == (proposal,) and not tried.unread
    return tried.samples[0]


def test_a_table_of_omop_has_its_shipped_mapping(looking: Looking, tmp_path: Path) -> None:
    (one,) = planned(looking, tmp_path, person=PERSON)
    assert parse_mapping(one.mapping).name == "omop_person" and one.source.mapping == "omop.toml"
    assert one.suggestion is not None and one.suggestion.mapping.product is None
    guesses = {guess.name: guess for guess in one.suggestion.columns}
    assert guesses["year_of_birth"].into == ("patient.birth_year",) and guesses["year_of_birth"].confidence == 1.0
    assert "nothing was guessed" in one.suggestion.notes[0]
    sample = sampled(one, looking)
    assert sample.tables == {"patient": 20} and sample.rows["patient"][0]["sex"] == "male"


def test_a_folder_of_omop_is_a_source_a_table_without_what_makes_no_rows(looking: Looking, tmp_path: Path) -> None:
    found = planned(looking, tmp_path, person=PERSON, measurement=MEASUREMENT, concept=CONCEPT, period=PERIOD)
    assert [parse_mapping(one.mapping).name for one in found] == ["omop_measurement", "omop_person"]
    assert [[path.name for path in one.files] for one in found] == [["measurement.csv"], ["person.csv"]]
    assert [name in " ".join(found[0].notes) for name in ("concept.csv", "period.csv")] == [True, True]
    assert sampled(found[0], looking).tables == {"observation": 40}


def test_an_archive_of_omop_needs_no_mapping_and_its_vocabulary_speaks(looking: Looking, tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in (("CONCEPT.csv", CONCEPT), ("PERSON.csv", PERSON), ("MEASUREMENT.csv", MEASUREMENT)):
            archive.writestr(name, text)
    path = tmp_path / "cdm.zip"
    path.write_bytes(held.getvalue())
    (one,) = plan(recognise(str(path), "", looking), looking).proposals
    assert one.mapping == one.source.mapping == "" and one.suggestion is None and one.notes
    sample = sampled(one, looking)
    assert sample.tables == {"observation": 40, "patient": 20}
    assert sample.rows["observation"][0]["code"] == "8480-6"
    mine = mapped_by(one, "version = 1")
    assert mine.mapping == "version = 1" and mine.source.mapping == "cdm.toml"


def test_a_vocabulary_alone_is_no_source_and_another_table_is_suggested(looking: Looking, tmp_path: Path) -> None:
    with pytest.raises(NotRecognised) as caught:
        planned(looking, tmp_path, concept=CONCEPT)
    assert "terms load omop" in caught.value.remedy
    (one,) = planned(looking, tmp_path, period=PERIOD)
    assert one.suggestion is not None and one.suggestion.mapping.name == "period"


def test_tables_of_another_kind_are_suggested(looking: Looking, tmp_path: Path) -> None:
    (one,) = planned(looking, tmp_path, people=OTHER)
    assert one.suggestion is not None and one.suggestion.columns[0].meaning == "person.id"
    assert one.suggestion.mapping.product is not None


def test_rows_of_a_database_are_told_as_files_are(looking: Looking) -> None:
    assert looking.proposed_bytes(PERSON.encode(), "person.csv").mapping.name == "omop_person"
    for text in (PERIOD, OTHER):
        assert looking.proposed_bytes(text.encode(), "rows.csv").mapping.name == "rows"
