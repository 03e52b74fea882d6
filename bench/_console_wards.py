"""What a large hospital's folder holds beside agreements: lake, codes, intake, persons, policy, budgets, choices."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import msgspec

from xinglin.gate import Use
from xinglin.intake.model import Part, Plan, Source, Tally
from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.instants import system_clock
from xinglin.kernel.verdict import Allowed
from xinglin.lake.delta import Lake
from xinglin.node.consent import withdraw
from xinglin.node.decisions import Decided
from xinglin.node.intake.local_codes import propose_codes
from xinglin.node.intake.wiring import open_persons
from xinglin.node.settings import NodeSettings
from xinglin.node.wiring import Node
from xinglin.patients.folding import COLUMNS
from xinglin.records.model import Mapped
from xinglin.records.shape import arrow_schema, shape
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.node_terms import DecisionRow
from xinglin.terms.consent import Where
from xinglin.terms.evaluate import Asked
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.terms.request import Plan as RunPlan
from xinglin.terms.request import UseRequest
from xinglin.terms.thresholds import DisclosureRules
from xinglin.trust.envelope import Signed

PURPOSES = ("care-quality", "health-research", "public-health")
RHO = 10**9
DAY_MS = 86_400_000
FEEDS = 12
HELD_CODES = ("intake.no_id", "intake.no_patient", "intake.other_table", "intake.raw_damaged", "intake.not_kept")
NAMES: tuple[str, ...] = (
    "id", "patient", "version_at", "place", "code_source", "code_source_system", "code_source_text", "value_number",
    "value_unit_source",
)  # fmt: skip


class Sizes(msgspec.Struct, frozen=True):
    """How much of everything a hospital has: ``spent``, charges of each tenth data set; ``pairs``, under review."""

    agreements: int
    offered: int
    data_sets: int
    codes: int
    held: int
    receipts: int
    quarantined: int
    places: int
    pages: int
    complaints: int
    pairs: int
    decisions: int
    spent: int


def write_wards(node: Node, sizes: Sizes) -> None:
    """All of it, by those who write it at a hospital."""
    now = system_clock()
    _lake(node.folder, sizes, now)
    _intake(node.folder, sizes, now)
    propose_codes(node.folder, "A clerk (made up)", now, limit=min(200, sizes.codes))
    _persons(node, sizes)
    _policy(node, sizes, now)
    _budgets(node, sizes)
    for number in range(12):
        withdraw(node.folder, "Patient/1", "benchmark", Where(studies=(f"study-{number}",)))


def _lake(folder: Path, sizes: Sizes, now: int) -> None:
    """Laboratory rows, each of a local code that has no standard one."""
    rows = [
        (
            f"Observation/{n}", f"Patient/{n % 997}", now - n, "line", f"L{n % sizes.codes}", "99LAB",
            f"白细胞计数 {n % sizes.codes}", float(n % 50), "×10^9/L",
        )
        for n in range(3 * sizes.codes)
    ]  # fmt: skip
    table = shape(Mapped("observation", NAMES, rows), batch=1, recorded_at=now, source="lis", message="0" * 64)
    Lake(folder / "lake").append_batch(1, {"observation": table})


def _intake(folder: Path, sizes: Sizes, now: int) -> None:
    """A ledger of some batches, with objects in quarantine."""
    ledger = IntakeLedger.in_folder(folder)
    names = [f"feed-{number}" for number in range(FEEDS)]
    for name in names:
        ledger.register(Source(name), now)
    per = max(1, sizes.quarantined // FEEDS)
    for batch, name in enumerate(names, 1):
        parts = tuple(_part(batch * per + number, name, now) for number in range(per))
        ledger.plan(Plan(batch, "new", now, parts, {}, "sha256:" + "0" * 64), (b"", b""), {})
        ledger.written(batch, {})
        ledger.committed(batch, now)
    ledger.close()


def _part(sequence: int, source: str, now: int) -> Part:
    digest = hashlib.sha256(str(sequence).encode()).hexdigest()
    held = sequence % 2 == 0
    tally = Tally(10, 0, quarantined=10) if held else Tally(10, 10)
    outcome = "quarantined" if held else "committed"
    code = HELD_CODES[sequence % len(HELD_CODES)] if held else ""
    day = dt.datetime.fromtimestamp(now / 1000, dt.UTC).strftime("%Y-%m-%d")
    return Part(sequence, digest, source, "application/hl7-v2", now, day, 512, 1, 0, True, tally, outcome, code)  # type: ignore[arg-type]


def _persons(node: Node, sizes: Sizes) -> None:
    """Pairs of records with one number and two birthdays: each waits for a clerk."""
    import pyarrow as pa

    from xinglin.patients.identity import check_character

    rows = []
    for number in range(2 * sizes.pairs):
        seventeen = f"11010519800101{number // 2:03d}"
        birth = dt.date(1980, 1, 1 + number % 2)
        said: dict[str, object] = dict.fromkeys(COLUMNS)
        said |= {
            "national_id": seventeen + check_character(seventeen), "name": f"王{number // 2}", "sex": "male",
            "birth_date": birth, "phone": f"139{number // 2:08d}",
        }  # fmt: skip
        rows.append(
            {
                **said, "id": f"Patient/{number}", "patient": f"Patient/{number}", "version_at": 1000,
                "recorded_at": 1000, "partial": False, "cleared": None, "batch": 1, "place": "PID",
                "message": f"m{number}", "birth_date_precision": "day",
            }
        )  # fmt: skip
    persons = open_persons(node.folder, NodeSettings(), node.keys)
    persons.took(1, pa.Table.from_pylist(rows, schema=arrow_schema("patient")))
    persons.store.close()


def _policy(node: Node, sizes: Sizes, now: int) -> None:
    """Past decisions, a policy in force, and some proposals."""
    for number in range(sizes.decisions):
        asked = Asked("statistics", {"purpose": "health-research", "study": f"study-{number}"})
        node.terms.keep(DecisionRow(f"run-{number}/ask", now, encode_msgpack(Decided(asked, Allowed()))))
    for number in range(5):
        purposes = Constraint("purpose", "isAnyOf", PURPOSES[: 1 + number % 3])
        policy = Policy((Permission("use", (purposes,)),))
        proposed = node.house.propose(policy, "A lawyer (made up)", f"Version {number}")
        if number < 3:
            seen, _kept = node.house.simulate(proposed.digest(), "An officer (made up)", 50, ())
            node.house.confirm(proposed.digest(), "An officer (made up)", seen.digest)


def _budgets(node: Node, sizes: Sizes) -> None:
    """Noised answers that were paid for, on each tenth data set."""
    for at in range(0, sizes.data_sets, 10):
        for number in range(sizes.spent):
            node.desk.budgets.charge(_use(node, f"run-{at}-{number}", f"own-{at}", f"study-{number % 3}", number))


def _use(node: Node, run: str, data_set: str, study: str, bins: int) -> Use:
    here, digest = node.keys.did, "sha256:" + "0" * 64
    params = {"column": "a", "bins": 5 + bins, "noise": {"rho_units": RHO, "minimum": 3, "colluders": 1}}
    plan = RunPlan(
        study, data_set, "SELECT a FROM v", "dp_histogram", params, (here,), 5, {here: digest}, DisclosureRules()
    )
    request = UseRequest(digest, here, study, "health-research", "statistics", "n" * 16, 1, 2, (here,), (here,))
    return Use(run, Signed("c", here, b"", b""), request, plan)
