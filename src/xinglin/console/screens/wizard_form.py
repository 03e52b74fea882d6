"""From the fields of a step to the application's form: what cannot be read stays as it was, and is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime

import msgspec

from xinglin.access.form import Form as Application
from xinglin.access.form import Member, SafeData
from xinglin.console.visit import Form
from xinglin.kernel.instants import Instant
from xinglin.terms.agreed import CohortView
from xinglin.words import N_

STEPS = ("project", "people", "data", "settings", "outputs")
MEMBERS_SHOWN = 12
NO_DATE, NO_NUMBER = N_("This is no date: write 2026-03-31."), N_("This is no whole number.")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
Wrong = dict[str, str]


def with_step(before: Application, step: str, fields: Form) -> tuple[Application, Wrong]:
    """The application with what a step's fields say, and which of them could not be read (field to message)."""
    wrong: Wrong = {}
    return _READERS[step](before, fields, wrong), wrong


def select_of(table: str, columns: Sequence[str]) -> str:
    """The view of a table that a study asks for when nothing else is written."""
    return f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - a text for the form; each node admits it anew


def by_table(variables: Sequence[str]) -> dict[str, list[str]]:
    """Columns by table, of ``table.column`` texts.

    >>> by_table(("patient.sex", "patient.birth_year"))
    {'patient': ['sex', 'birth_year']}
    """
    found: dict[str, list[str]] = {}
    for one in variables:
        table, dot, column = one.partition(".")
        if dot and column:
            found.setdefault(table, []).append(column)
    return found


def day_of(at: Instant) -> str:
    """An instant's day as a field of dates holds it; empty for none.

    >>> day_of(1_700_000_000_000)
    '2023-11-14'
    """
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat() if at > 0 else ""


def _project(before: Application, fields: Form, wrong: Wrong) -> Application:
    old = before.project
    purpose = fields.text("purpose", old.purpose)
    project = msgspec.structs.replace(
        old,
        title=fields.text("title"),
        summary=fields.text("summary"),
        plain_summary=fields.text("plain_summary"),
        benefit=fields.text("benefit"),
        purpose=purpose,
        basis=fields.text("basis"),
        funding=fields.text("funding"),
        begins=_day(fields, "begins", old.begins, wrong),
        ends=_day(fields, "ends", old.ends, wrong),
    )
    return msgspec.structs.replace(before, project=project)


def _people(before: Application, fields: Form, wrong: Wrong) -> Application:
    members = []
    for number in range(MEMBERS_SHOWN):
        did = fields.text(f"member-{number}-did")
        if not did:
            continue
        old = next((one for one in before.people.members if one.did == did), Member())
        until = _day(fields, f"member-{number}-trained", old.trained_until, wrong)
        members.append(Member(did, fields.text(f"member-{number}-role"), until))
    people = msgspec.structs.replace(before.people, institution=fields.text("institution"), members=tuple(members))
    return msgspec.structs.replace(before, people=people)


def _data(before: Application, fields: Form, _wrong: Wrong) -> Application:
    old, name = before.data, fields.text("data_set")
    if name != old.data_set:  # other tables and hospitals: nothing that was ticked stands there
        fresh = msgspec.structs.replace(old, data_set=name, hospitals=(), variables=(), cohort=())
        return msgspec.structs.replace(before, data=_words(fresh, fields))
    variables = tuple(sorted(set(fields.many("variables"))))
    cohort = _cohort(old, by_table(variables), fields)
    hospitals = tuple(sorted(set(fields.many("hospitals"))))
    data = msgspec.structs.replace(old, variables=variables, hospitals=hospitals, cohort=cohort)
    return msgspec.structs.replace(before, data=_words(data, fields))


def _words(data: SafeData, fields: Form) -> SafeData:
    return msgspec.structs.replace(
        data,
        grade=fields.text("grade", data.grade),
        justification=fields.text("justification"),
        genetic=fields.ticked("genetic"),
        abroad=fields.ticked("abroad"),
    )


def _cohort(old: SafeData, columns: Mapping[str, Sequence[str]], fields: Form) -> tuple[CohortView, ...]:
    """A view for each table: as it was written, or as it follows from the ticked columns."""
    earlier = {table: select_of(table, found) for table, found in by_table(old.variables).items()}
    views = []
    for table, found in columns.items():
        written = fields.text(f"select-{table}")
        same = not written or " ".join(written.split()) == earlier.get(table, "")
        views.append(CohortView(table, select_of(table, found) if same else written))
    return tuple(views)


def _settings(before: Application, fields: Form, wrong: Wrong) -> Application:
    old = before.settings
    settings = msgspec.structs.replace(
        old,
        operation=fields.text("operation", old.operation),
        environment=fields.text("environment", old.environment),
        answers=_whole(fields, "answers", old.answers, wrong),
        retention_days=_whole(fields, "retention_days", old.retention_days, wrong),
        security=fields.text("security"),
    )
    return msgspec.structs.replace(before, settings=settings, committees=fields.many("committees"))


def _outputs(before: Application, fields: Form, wrong: Wrong) -> Application:
    outputs = msgspec.structs.replace(
        before.outputs,
        types=fields.many("types"),
        min_cell=_whole(fields, "min_cell", before.outputs.min_cell, wrong),
        publication=fields.text("publication"),
    )
    return msgspec.structs.replace(before, outputs=outputs)


_READERS: dict[str, Callable[[Application, Form, Wrong], Application]] = {
    "project": _project,
    "people": _people,
    "data": _data,
    "settings": _settings,
    "outputs": _outputs,
}


def _day(fields: Form, name: str, old: Instant, wrong: Wrong) -> Instant:
    text = fields.text(name)
    if not text:
        return 0
    try:
        if not _DATE.match(text):
            raise ValueError(text)
        day = date.fromisoformat(text)
    except ValueError:
        wrong[name] = NO_DATE
        return old
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _whole(fields: Form, name: str, old: int, wrong: Wrong) -> int:
    text = fields.text(name)
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        wrong[name] = NO_NUMBER
        return old
    return int(text)
