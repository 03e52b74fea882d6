"""Reconciliation of a source that is asked: its own keys, each missing one with its reason; days of its own zone."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.feeds.bulk_server import Asked, Reply
from tests.unit.node.fhir_home import served
from tests.unit.node.his_source import SOURCE, connect, intake_in, mapping
from tests.unit.node.hostile_files import swollen_parquet

from xinglin.feeds.fhir_errors import BadAnswer
from xinglin.intake.errors import IntakeError
from xinglin.intake.model import HeldRow
from xinglin.intake.ports import Received
from xinglin.intake.reconcile import UnknownCount, mentioned, named_in
from xinglin.kernel.errors import MalformedMessage
from xinglin.node.intake import searching
from xinglin.node.intake.comparing import LookedObjects
from xinglin.node.intake.pullers import CannotPull
from xinglin.node.intake.reconciling import Countable, Wanted, can_count, reconciled
from xinglin.node.intake.sources import parse_sources, read_sources
from xinglin.node.intake.wiring import OpenIntake
from xinglin.records.sniffing import FHIR
from xinglin.stores.looking import Looker, LookLimits, LookTooLarge

DAY = "2024-03-01"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenIntake]:
    with intake_in(tmp_path) as found:
        yield found


def connected(opened: OpenIntake, more: str = "", counts: str = "") -> Path:
    """A database that is connected, with an empty table."""
    path = opened.folder / "his.sqlite"
    with sqlite3.connect(path) as held:
        held.execute("CREATE TABLE stay (no TEXT, mrn TEXT, kind TEXT, admitted TEXT, changed TEXT)")
    connect(opened, path, mapping(more), SOURCE + counts)
    return path


def add(path: Path, *rows: tuple[str, str, str | None]) -> None:
    with sqlite3.connect(path) as held:
        stamped = [(no, f"m{no}", kind, day and f"{day}T23:30:00", f"{day}T23:30:00") for no, kind, day in rows]
        held.executemany("INSERT INTO stay VALUES (?, ?, ?, ?, ?)", stamped)


def pulled(opened: OpenIntake, name: str = "his", part: str = "rows") -> None:
    from xinglin.feeds.jobs import Turn
    from xinglin.node.intake.pullers import Pullers

    assert not Pullers(opened, lambda: None).do(name, part, Turn(1, 1, lambda: None)).failed
    opened.intake.drain()


def test_missing_records_of_a_database_are_named_with_the_reason(opened: OpenIntake) -> None:
    path = connected(opened, 'when = [{ column = "kind", equals = "stay" }]', 'counts = [{ kind = "admission", day = '
        '"admitted", key = "no" }]\n')  # fmt: skip
    add(path, *((f"A-{n}", "stay", DAY) for n in range(10)), ("A-77", "note", DAY), ("A-88", "stay", "2024-03-02"))
    pulled(opened)
    add(path, ("A-99", "stay", DAY))
    with sqlite3.connect(path) as held:
        held.execute("UPDATE stay SET admitted = ? WHERE no = 'A-88'", (f"{DAY}T10:00:00",))
    found = reconciled(opened, Wanted("his", DAY, "admission"))
    assert (found["there"], found["here"], found["agrees"], found["surplus"]) == (13, 10, False, [])
    assert {one["key"]: one["reason"] for one in found["missing"]} == {
        "A-77": "no_row",
        "A-88": "other_day",
        "A-99": "never_received",
    }
    assert "A-99: no message that was received names it" in found["words"]
    by_hand = reconciled(opened, Wanted("his", DAY, "visit", "admitted", "no"))
    assert by_hand["there"] == 13, "what a person names goes before the file"
    assert reconciled(opened, Wanted("his", DAY, "admission", count=10))["agrees"]
    listed = reconciled(opened, Wanted("his", DAY, "admission", keys=("A-1", "A-12")))
    assert [one["key"] for one in listed["missing"]] == ["A-12"] and len(listed["surplus"]) == 9


def test_what_a_mapping_counts_by_itself(opened: OpenIntake) -> None:
    path = connected(opened)
    (source,) = read_sources(opened.folder)
    assert can_count(source, opened.folder) == (Countable("visit", "admitted", "no", "Encounter/"),)
    add(path, *((str(n), "stay", DAY) for n in range(5)))
    pulled(opened)
    assert reconciled(opened, Wanted("his", DAY, "visit"))["agrees"]
    assert reconciled(opened, Wanted("his", DAY, "admission"))["agrees"], "the same table and moment"
    with pytest.raises(CannotPull, match="cannot be asked"):
        reconciled(opened, Wanted("his", DAY, "discharge"))
    (opened.folder / "mappings" / "his.toml").write_text(mapping('when = [{ column = "kind" }]'))
    assert can_count(source, opened.folder) == (), "rows that make no fact are in the source's count"


def test_what_cannot_be_reconciled_is_refused(opened: OpenIntake) -> None:
    connected(opened)
    for wanted, error in (
        (Wanted("his", "1.3.2024", "visit"), MalformedMessage),
        (Wanted("his", DAY, "meal"), UnknownCount),
        (Wanted("none", DAY, "visit"), CannotPull),
    ):
        with pytest.raises(error):
            reconciled(opened, wanted)
    assert "A-1" not in repr(Wanted("his", DAY, "visit", keys=("A-1",)))


class Raw:
    """Raw objects in memory."""

    def __init__(self, **bodies: bytes) -> None:
        self.bodies = bodies

    def read(self, digest: str) -> bytes:
        return self.bodies[digest]


def parquet(columns: dict[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = io.BytesIO()
    pq.write_table(pa.table(columns), held, compression="zstd")
    return held.getvalue()


def test_keys_are_found_inside_what_is_packed() -> None:
    packed = parquet({"no": ["A-1", None, "A-2"], "list": [[1], [2], [3]]})
    raw = Raw(p=packed, g=gzip.compress(b"no\nA-3\n"), broken=b"PAR1 no table", plain=b"A-4,12")
    words = [b"A-1", b"A-2", b"A-3", b"A-4", b"1", b"12"]
    with Looker() as looker:
        looked = LookedObjects(raw, looker)
        found = {digest: set(looked.standing(digest, words)) for digest in ("p", "g", "plain")}
        assert found == {"p": {b"A-1", b"A-2", b"1"}, "g": {b"A-3"}, "plain": {b"A-4", b"12"}}
        with pytest.raises(IntakeError, match="cannot be opened"):
            looked.standing("broken", words)
        held = HeldRow(1, "broken", 1, "his", 1, "", "x", "", "quarantined", 1)
        assert mentioned(looked, [held], ["A-1"]) == {}, "what cannot be read is passed over"


def test_objects_are_opened_in_the_limited_child_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that swells: the child is ended, the next object has a fresh one, and this process opens nothing."""

    def never(*_: object) -> bytes:
        raise AssertionError("opened in the parent")

    monkeypatch.setattr(searching, "opened", never)
    raw = Raw(bomb=swollen_parquet(250), good=b"A-1")
    with Looker(LookLimits(memory_bytes=512 * 1024 * 1024)) as looker:
        looked = LookedObjects(raw, looker)
        with pytest.raises(LookTooLarge):
            looked.standing("bomb", [b"A-1"])
        assert named_in(looked, ["bomb", "good"], ["A-1"]) == {"A-1"}
    with Looker() as looker:
        assert LookedObjects(raw, looker, 0).standing("good", [b"A-1"]) == [], "after its time nothing is searched"
        assert looker.pid is None


# --- FHIR servers ------------------------------------------------------------------------------------------------


class Ehr:
    """A FHIR server with visits and orders of a day; ``knows``: whether it searches by day."""

    def __init__(self) -> None:
        self.days: dict[str, list[str]] = {}
        self.knows, self.turns = True, False

    def __call__(self, asked: Asked) -> Reply:
        kind = asked.path.rpartition("/")[2]
        ids = self.days.get(kind, [])
        known = (one for one in asked.query.items() if self.knows or one[0].startswith("_"))
        given = {name: values for name, values in known if name != "page"}
        query = "&".join(f"{name}={value}" for name, values in given.items() for value in values)
        link = [{"relation": "self", "url": f"http://ehr/fhir/{kind}?{query}"}]
        if "_summary" in asked.query:
            return Reply(200, json.dumps({"resourceType": "Bundle", "total": len(ids), "link": link}).encode())
        page = int(asked.query.get("page", ["0"])[0])
        entries = [{"resource": {"resourceType": kind, "id": one}} for one in ids[page * 2 : page * 2 + 2]]
        if len(ids) > page * 2 + 2 or self.turns:
            link.append({"relation": "next", "url": f"{kind}?{query}&page={page + 1}"})
        return Reply(200, json.dumps({"resourceType": "Bundle", "link": link, "entry": entries}).encode())


def visit(number: int, day: str = DAY) -> dict[str, Any]:
    return {
        "resourceType": "Encounter", "id": f"e{number}", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p"}, "period": {"start": f"{day}T00:10:00+08:00"},
    }  # fmt: skip


def order(kind: str, number: int) -> dict[str, Any]:
    moment = {"authoredOn": f"{DAY}T08:00:00+08:00"} if kind == "MedicationRequest" else {
        "effectiveDateTime": f"{DAY}T08:00:00+08:00"}  # fmt: skip
    code = {"medicationCodeableConcept": {"text": "aspirin"}}
    return {"resourceType": kind, "id": f"m{number}", "status": "active", "intent": "order",
            "subject": {"reference": "Patient/p"}, **code, **moment}  # fmt: skip


def test_a_fhir_server_counts_its_days_and_names_what_is_missing(opened: OpenIntake) -> None:
    entries = [visit(1), visit(2), visit(3, "2024-02-29"), order("MedicationRequest", 1)]
    entries.append(order("MedicationAdministration", 2))
    body = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in entries]})
    ehr = Ehr()
    with served(ehr) as server:
        text = f'[[source]]\nname = "ehr"\n[source.fhir]\nurl = "{server.url}/fhir"\n'
        (opened.folder / "sources.toml").write_text(text)
        (source,) = parse_sources(text)
        opened.ledger.register(source.source(opened.folder), 1)
        opened.raw.keep_all([Received(body.encode(), "ehr", FHIR, 1)])
        opened.intake.drain()
        ehr.days = {"Encounter": ["e1", "e2"], "MedicationRequest": ["m1"]}
        assert reconciled(opened, Wanted("ehr", DAY, "visit"))["agrees"]
        assert len(server.asked) == 1, "counts that agree need no keys"
        first, last = server.asked[0].query["date"]
        assert (first, last) == ("sa2024-02-29T23:59:59.999+08:00", "lt2024-03-02T00:00:00.000+08:00")
        assert server.asked[0].headers["prefer"] == "handling=strict"
        assert reconciled(opened, Wanted("ehr", DAY, "order"))["agrees"], "an administration is no order"
        ehr.days["Encounter"] = ["e1", "e2", "e3", "e4", "e5"]
        found = reconciled(opened, Wanted("ehr", DAY, "visit"))
        reasons = {one["key"]: one["reason"] for one in found["missing"]}
        assert reasons == {"e3": "other_day", "e4": "never_received", "e5": "never_received"}
        ehr.turns = True
        with pytest.raises(BadAnswer, match="without end"):
            reconciled(opened, Wanted("ehr", DAY, "visit"))
        ehr.knows = ehr.turns = False
        with pytest.raises(BadAnswer, match="does not search by day"):
            reconciled(opened, Wanted("ehr", DAY, "visit"))
        with pytest.raises(CannotPull):
            reconciled(opened, Wanted("ehr", DAY, "admission"))
    assert {one.kind for one in can_count(source, opened.folder)} >= {"visit", "result", "study"}
