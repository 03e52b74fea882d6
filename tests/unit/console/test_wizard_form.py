"""Fields of the wizard's steps: what they become, what cannot be read, and that nothing is lost."""

from __future__ import annotations

from msgspec.structs import replace

from xinglin.access.form import Form as Application
from xinglin.access.form import SafeData, SafeProject
from xinglin.console.screens.wizard_form import STEPS, by_table, day_of, select_of, with_step
from xinglin.console.visit import Form
from xinglin.terms.agreed import CohortView

DAY_MS = 86_400_000


def fields(**values: str | list[str]) -> Form:
    return Form({name: [value] if isinstance(value, str) else value for name, value in values.items()})


def test_a_project_is_read_and_its_days_are_days() -> None:
    found, wrong = with_step(
        Application(),
        "project",
        fields(title=" Heart ", purpose="health-research", begins="2026-12-01", ends="2027-12-01"),
    )
    assert wrong == {} and found.project.title == "Heart" and found.project.purpose == "health-research"
    assert day_of(found.project.begins) == "2026-12-01" and found.project.ends - found.project.begins == 365 * DAY_MS


def test_a_date_that_is_none_stays_as_it_was_and_is_said() -> None:
    before = replace(Application(), project=SafeProject(begins=DAY_MS))
    for text in ("tomorrow", "2026-02-30", "20261201", "2026-W01-1", "٢٠٢٦-١٢-٠١"):
        found, wrong = with_step(before, "project", fields(begins=text))
        assert set(wrong) == {"begins"} and found.project.begins == DAY_MS, text
    assert with_step(before, "project", fields(begins=""))[0].project.begins == 0


def test_a_number_that_is_none_stays_as_it_was_and_is_said() -> None:
    for text in ("ten", "-1", "1.5", "9" * 30, "٣"):
        found, wrong = with_step(Application(), "settings", fields(answers=text, retention_days="365"))
        assert set(wrong) == {"answers"} and found.settings.answers == 50 and found.settings.retention_days == 365, text


def test_members_are_rows_and_an_empty_row_is_nobody() -> None:
    asked = {
        "member-0-did": "did:a",
        "member-0-role": "lead",
        "member-2-did": "did:b",
        "member-2-trained": "2027-01-01",
    }
    found, wrong = with_step(Application(), "people", fields(institution="did:i", **asked))
    assert wrong == {} and [one.did for one in found.people.members] == ["did:a", "did:b"]
    assert found.people.members[0].role == "lead" and day_of(found.people.members[1].trained_until) == "2027-01-01"


def test_ticked_columns_become_views_and_a_written_view_stays() -> None:
    before = replace(Application(), data=SafeData(data_set="heart"))
    ticked = ["patient.sex", "patient.birth_year", "patient.sex"]
    found, _ = with_step(before, "data", fields(data_set="heart", variables=ticked, hospitals=["did:b", "did:a"]))
    assert found.data.variables == ("patient.birth_year", "patient.sex") and found.data.hospitals == ("did:a", "did:b")
    assert found.data.cohort == (CohortView("patient", "SELECT birth_year, sex FROM patient"),)
    again, _ = with_step(
        found,
        "data",
        fields(
            data_set="heart", variables=["patient.sex"], **{"select-patient": "SELECT birth_year, sex FROM patient"}
        ),
    )
    assert again.data.cohort == (CohortView("patient", "SELECT sex FROM patient"),)  # nobody wrote it: it follows
    own = "SELECT sex FROM patient WHERE birth_year < 1960"
    kept, _ = with_step(again, "data", fields(data_set="heart", variables=["patient.sex"], **{"select-patient": own}))
    assert kept.data.cohort == (CohortView("patient", own),)


def test_another_data_set_begins_anew() -> None:
    before = replace(Application(), data=SafeData(data_set="heart", variables=("a.b",), hospitals=("did:a",)))
    found, _ = with_step(before, "data", fields(data_set="lung", variables=["a.b"], hospitals=["did:a"], genetic="yes"))
    assert (found.data.data_set, found.data.variables, found.data.hospitals) == ("lung", (), ())
    assert found.data.genetic and not found.data.abroad


def test_a_step_leaves_the_other_steps_alone() -> None:
    before = replace(Application(), project=SafeProject(title="Heart", purpose="public-health"))
    for step in STEPS[1:]:
        assert with_step(before, step, fields())[0].project == before.project


def test_a_view_and_its_columns() -> None:
    assert select_of("patient", ("sex",)) == "SELECT sex FROM patient"
    assert by_table(("a.b", "a.c", "odd", "d.", "e.f.g")) == {"a": ["b", "c"], "e": ["f.g"]}
    assert day_of(0) == "" and day_of(DAY_MS) == "1970-01-02"
