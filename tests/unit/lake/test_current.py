"""Current views equal a slow, obvious fold of versions, on random histories; persons are those of the links."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.catalogue.canonical import SYSTEM_COLUMNS, TAKEN_BACK
from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.lake import QueryLimits, QuerySession, person_code, rule_of

Row = dict[str, Any]
SALT = b"s" * 32
EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
SYSTEM = [column.name for column in SYSTEM_COLUMNS]
CODE = ("code", "code_system", "code_source")
DATA = (*CODE, "verification_status", "severity")
GROUPS = (("patient",), CODE, ("verification_status",), ("severity",))
INSTANTS = {"version_at", "recorded_at"}
LIMITS = QueryLimits(memory_bytes=256 * 2**20, threads=1)


def instant(number: int | None) -> dt.datetime | None:
    return None if number is None else EPOCH + dt.timedelta(milliseconds=number)


def kind(name: str) -> pa.DataType:
    if name in INSTANTS:
        return pa.timestamp("ms", tz="UTC")
    return {"partial": pa.bool_(), "batch": pa.int64()}.get(name, pa.string())


def table(rows: list[Row], names: list[str]) -> pa.Table:
    schema = pa.schema([(name, kind(name)) for name in names])
    read = [{n: instant(row.get(n)) if n in INSTANTS else row.get(n) for n in names} for row in rows]
    return pa.Table.from_pylist(read, schema=schema)


def order(row: Row) -> tuple[Any, ...]:
    parts = [row[name] for name in ("version_at", "recorded_at", "batch")]
    place, message = row["place"], row["message"]
    return (*((part is not None, part or 0) for part in parts), len(place), place, message)


def folded(rows: list[Row]) -> Row:
    """One fact: start at the last whole version, then let each later one say what it says."""
    ordered = sorted(rows, key=order)
    whole = [number for number, row in enumerate(ordered) if not row["partial"]]
    since = ordered[whole[-1] :] if whole else ordered
    now = dict.fromkeys((*DATA, "patient"))
    for row in since:
        cleared = (row["cleared"] or "").split()
        for group in GROUPS:
            if set(group) & set(cleared):
                now |= dict.fromkeys(group)
            if any(row[column] is not None for column in group):
                now |= {column: row[column] for column in group}
    kept = {name: since[-1][name] for name in SYSTEM if name not in ("patient", "partial")}
    return kept | now | {"partial": not whole}


def persons(links: list[Row], known_at: int | None) -> dict[str, str]:
    last: dict[str, tuple[Any, Any]] = {}
    for link in links:
        if known_at is not None and link["recorded_at"] > known_at:
            continue
        key = (link["version_at"], link["recorded_at"], link["person"] is not None, link["person"] or "")
        if link["patient"] not in last or key >= last[link["patient"]][0]:
            last[link["patient"]] = (key, link["person"])
    return {patient: person for patient, (_, person) in last.items() if person}


def reference(rows: list[Row], links: list[Row], known_at: int | None = None) -> list[Row]:
    facts: dict[str, list[Row]] = {}
    for row in rows:
        if known_at is None or (row["recorded_at"] is not None and row["recorded_at"] <= known_at):
            facts.setdefault(row["id"], []).append(row)
    who = persons(links, known_at)
    current = [folded(versions) for versions in facts.values()]
    holding = [row for row in current if row["verification_status"] not in TAKEN_BACK]
    return [
        row | {"patient_record": row["patient"], "patient": who.get(row["patient"], row["patient"])} for row in holding
    ]


small = st.one_of(st.none(), st.integers(0, 3))
word = st.one_of(st.none(), st.sampled_from(["x", "y"]))
histories = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["Condition/1", "Condition/2", "Condition/3"]),
            "patient": st.sampled_from([None, "p", "q", "r"]),
            "version_at": small,
            "recorded_at": small,
            "batch": st.integers(1, 2),
            "place": st.sampled_from(["entry[9]", "entry[10]", "PID"]),
            "partial": st.sampled_from([None, False, True, True]),
            "cleared": st.sampled_from(
                [None, None, "", "code", "severity patient", "code_source", "verification_status"]
            ),
            "verification_status": st.sampled_from([None, "confirmed", *TAKEN_BACK[:2]]),
        }
        | dict.fromkeys(("code", "code_system", "code_source", "severity", "source", "flags"), word)
    ),
    max_size=12,
)
link_rows = st.lists(
    st.fixed_dictionaries(
        {
            "patient": st.sampled_from(["p", "q", "r"]),
            "person": st.sampled_from([None, "", "P", "Q"]),
            "version_at": st.integers(0, 2),
            "recorded_at": st.integers(0, 3),
            "reason": st.just("said so"),
        }
    ),
    max_size=6,
)


def read(rows: list[Row], links: list[Row], known_at: int | None = None) -> list[Row]:
    at = None if known_at is None else int(EPOCH.timestamp() * 1000) + known_at
    session = QuerySession(LIMITS)
    session.links(table(links, ["patient", "person", "version_at", "recorded_at", "reason"]), as_of_recorded=at)
    stored = table(rows, [*SYSTEM, *DATA])
    rule = rule_of("condition", stored.column_names)
    assert rule is not None
    session.table("rows", stored)
    session.view("now", session.current("rows", rule, as_of_recorded=at))
    session.lock()
    found = session.run('SELECT * FROM "now"').to_pylist()
    session.close()
    return found


@settings(max_examples=80, deadline=None)
@given(histories, link_rows, st.one_of(st.none(), st.integers(0, 3)))
def test_the_current_view_is_the_fold_of_versions(rows: list[Row], links: list[Row], known_at: int | None) -> None:
    numbered = [row | {"message": f"{number:04d}"} for number, row in enumerate(rows)]
    expected = reference(numbered, links, known_at)
    expected = [{name: instant(v) if name in INSTANTS else v for name, v in row.items()} for row in expected]
    found = read(numbered, links, known_at)
    assert sorted(found, key=lambda row: row["id"]) == sorted(expected, key=lambda row: row["id"])


def whole(fact: str, version_at: int, **values: Any) -> Row:
    row = dict.fromkeys((*SYSTEM, *DATA)) | {"id": fact, "version_at": version_at, "recorded_at": 1, "batch": 1}
    return row | {"place": "x", "message": "m", "patient": "p", "partial": False} | values


def partial(fact: str, version_at: int, **values: Any) -> Row:
    return whole(fact, version_at, **{"patient": None, "partial": True} | values)


def test_a_code_and_its_source_move_together() -> None:
    """A source's code without a standard one must not stand beside the standard code of another."""
    rows = [
        whole("c", 1, code="I10", code_system="icd", code_source="A"),
        partial("c", 2, code_source="B"),
        partial("c", 3, severity="mild"),
    ]
    (now,) = read(rows, [])
    assert (now["code"], now["code_source"], now["severity"], now["patient"]) == (None, "B", "mild", "p")


def test_what_was_taken_back_can_hold_again() -> None:
    rows = [whole("c", 1), partial("c", 2, verification_status="entered-in-error")]
    assert read(rows, []) == []
    assert len(read([*rows, partial("c", 3, verification_status="confirmed")], [])) == 1
    assert len(read([*rows, partial("c", 3, cleared="verification_status")], [])) == 1
    assert len(read([*rows, whole("c", 3)], [])) == 1


def test_only_tables_with_every_system_column_have_versions() -> None:
    assert rule_of("condition", ["id", "patient", "status"]) is None
    assert rule_of("mine", SYSTEM) is not None
    for known in CANONICAL_TABLES:
        rule = rule_of(known.name, [column.name for column in known.physical()])
        assert rule is not None and rule.of_person == known.of_person
        assert sorted(c for g in rule.groups for c in g) == sorted(
            c.name for c in known.physical() if c.name not in SYSTEM or c.name == "patient"
        )


def test_persons_are_counted_as_linked() -> None:
    rows = [
        whole("a", 1, patient="p"),
        whole("b", 1, patient="q"),
        whole("c", 1, patient="r"),
        whole("d", 1, patient=None),
    ]
    link = {"patient": "q", "person": "p", "version_at": 1, "recorded_at": 1, "reason": "merge"}
    undone = link | {"person": None, "version_at": 2}
    for links, persons_seen in (([link], {"p", "r"}), ([link, undone], {"p", "q", "r"}), ([], {"p", "q", "r"})):
        stored = table(rows, [*SYSTEM, *DATA])
        session = QuerySession(LIMITS)
        session.links(table(links, ["patient", "person", "version_at", "recorded_at", "reason"]))
        session.person_table("condition", stored, "patient", SALT, rule_of("condition", stored.column_names))
        session.lock()
        codes = session.run("SELECT __person, id FROM condition").column("__person").to_pylist()
        assert len(codes) == 3
        assert set(codes) == {person_code(person, SALT) for person in persons_seen}
        assert not session.check("SELECT patient FROM condition")
        assert not session.check("SELECT patient_record FROM condition")
        session.close()


@pytest.mark.parametrize("name", ['x"; DROP TABLE y; --', "x' OR '1'='1"])
def test_columns_with_quotes_stay_names(name: str) -> None:
    stored = table([whole("c", 1), partial("c", 2) | {name: "v"}], [*SYSTEM, name])
    session = QuerySession(LIMITS)
    session.table("rows", stored)
    rule = rule_of("mine", stored.column_names)
    assert rule is not None
    session.view("now", session.current("rows", rule))
    session.lock()
    assert session.run('SELECT * FROM "now"').column(name).to_pylist() == ["v"]
