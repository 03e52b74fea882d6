"""A researcher's seat with a workspace beside it, over a hub in memory that hands over what hospitals sealed."""

from __future__ import annotations

import hashlib
import io
import queue
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from tests.unit.console.desk_of_work import WorkHub
from tests.unit.console.hall import Hall
from tests.unit.sdk.conftest import VARIABLES, VIEW

from xinglin.evidence.commitments import commit
from xinglin.evidence.entry import Entry
from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.instants import system_clock
from xinglin.kernel.verdict import Reason
from xinglin.sdk.account import KEY_FILE, SPACE_FILE, Account
from xinglin.sdk.logbook import Logbook
from xinglin.sdk.offers import Offer
from xinglin.sdk.session import Session
from xinglin.terms.request import Plan
from xinglin.trust.envelope import sign
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import admit as admit_leaf
from xinglin.trust.leaves import leaf_body, leaf_kind, register, vouch
from xinglin.trust.sealing import seal
from xinglin.wire.budgets import BUDGET_CONTEXT, BudgetTold
from xinglin.wire.calls import RunCall
from xinglin.wire.errors import Refused
from xinglin.wire.extracts import (
    EXTRACT_CONTEXT,
    SEAL_INFO,
    ExtractAttestation,
    ExtractFile,
    ExtractPackage,
    ExtractPiece,
    ExtractView,
)
from xinglin.wire.runs import run_id_of
from xinglin.wire.synthetic import KIND, REPORT_FILE, SyntheticColumn, SyntheticManifest, SyntheticTable

TITLE, SQL = "Rows", "SELECT age, sex, disease FROM cardiac"
SALT = bytes(range(32))
REPORT = {
    "format": "xinglin.synthetic.report.1",
    "tables": [
        {
            "name": "rows", "total": 300, "spends": [],
            "alone": [{"columns": ["age"], "cells": 20, "sd": 3.1, "distance": 0.08}],
            "together": [{"columns": ["age", "sex"], "cells": 40, "sd": 3.1, "distance": 0.21}],
        }
    ],
}  # fmt: skip


class RowsHub(WorkHub):
    """The hub in memory; ``move`` does what a hospital would."""

    def __init__(self) -> None:
        super().__init__()
        self.workspace = PrivateKeys.generate()
        known = register(self.workspace, "Institute workspace", ("workspace",), institution=self.asker.did)
        leaf = admit_leaf(vouch(known, self.asker), self.operator)
        self.add(Entry(kind=leaf_kind(leaf), at=1, submitter=self.operator.did, subject=leaf.did, body=leaf_body(leaf)))
        self.views: dict[str, ExtractView] = {}
        self.plans: dict[str, Plan] = {}
        self.parts: dict[str, bytes] = {}

    def get(self, path: str, kind: type[Any], **params: Any) -> Any:
        if path == "/v1/extracts":
            return sorted(self.views.values(), key=lambda one: -one.asked)
        if path.startswith("/v1/extracts/"):
            return self._one(path.split("/")[3])
        if path == "/v1/access/drafts":
            return []
        if path == "/v1/budgets":
            about, unit = (params["data_set"], params["study"]), 10**12
            told = [BudgetTold(one.did, *about, unit, 0, 2 * unit, 0, system_clock()) for one in self.nodes.values()]
            return [sign(keys, BUDGET_CONTEXT, one) for keys, one in zip(self.nodes.values(), told, strict=True)]
        return super().get(path, kind, **params)

    def post(self, path: str, value: Any, kind: type[Any]) -> Any:
        if path == "/v1/extracts" and isinstance(value, RunCall):
            run, plan = run_id_of(value.request), msgspec.json.decode(value.plan, type=Plan)
            now = system_clock()
            to = str(plan.params.get("workspace") or plan.params.get("recipient"))
            made = KIND if plan.algorithm == "synthetic" else ""
            self.plans[run] = plan
            self.views[run] = ExtractView(run, "asked", 1, plan.roster[0], to, now, now, kind=made)
            return self.views[run]
        if path.startswith("/v1/extracts/"):
            run, deed = path.split("/")[3:5]
            self._one(run)
            self.move(run, {"cancel": "cancelled", "again": "asked", "taken": "taken"}[deed])
            return self.views[run]
        return super().post(path, value, kind)

    def get_bytes(self, path: str) -> bytes:
        return self.parts[path.split("/")[3]]

    def session_of(self, account: Account) -> Session:
        """What another account's tool is over this hub."""
        session = Session(account, quiet=True)
        session.client.close()
        session.client = self  # type: ignore[assignment]
        session.log = Logbook(self.space, self)
        return session

    def move(self, run: str, state: str, *reasons: Reason, words: str = "") -> None:
        """How it stands now."""
        one = self.views[run]
        self.views[run] = msgspec.structs.replace(
            one, state=state, version=one.version + 1, changed=system_clock(), reasons=reasons, words=words
        )

    def deliver_set(self, run: str, note: str = "=1+1", **changed: bytes) -> None:
        """The hospital seals a small synthetic set to whom it was asked for: the asker, or the workspace.

        ``note``: a value in it. ``changed``: files by name that are others, or more than there should be.
        """
        plan, node = self.plans[run], self.views[run].node
        to = next(one for one in (self.asker, self.workspace) if one.did == self.views[run].recipient)
        keys = next(one for one in self.nodes.values() if one.did == node)
        sink = io.BytesIO()
        pq.write_table(pa.table({"row": ["a", "b"], "age": [40, 50], "note": [note, None]}), sink)
        files = {"rows.parquet": sink.getvalue(), REPORT_FILE: msgspec.json.encode(REPORT)} | changed
        manifest = msgspec.json.encode(_manifest(run, plan, node, to.did, files))
        commitment = commit(SALT, manifest)
        entry = Entry(kind="release-authorised", at=system_clock(), submitter=node, subject=run,
                      commitments={"result": commitment})  # fmt: skip
        self.add(entry)
        said = ExtractAttestation(run, node, to.did, commitment, 1, self.log.size - 1)
        piece = ExtractPiece(run, 1, 1, encode_msgpack(ExtractPackage(run, SALT, manifest, files)))
        self.parts[run] = seal(to.public, encode_msgpack(piece), SEAL_INFO)
        self.move(run, "delivered")
        signed = sign(keys, EXTRACT_CONTEXT, said)
        self.views[run] = msgspec.structs.replace(self.views[run], parts=1, attestation=signed)

    def _one(self, run: str) -> ExtractView:
        if run not in self.views:
            raise Refused((Reason("hub.unknown_extract", "There is no such extract of yours."),), status=404)
        return self.views[run]


class RowsDesk:
    """``hall``: the console; ``study``: one that permits extracts and synthetic sets; ``bare``: neither of both."""

    def __init__(self, folder: Path) -> None:
        self.hub = RowsHub()
        self.hall = Hall(folder, "researcher", hub=self.hub)
        seat, beside = folder / "researcher", folder / "workspace"
        beside.mkdir()
        (beside / SPACE_FILE).write_bytes(msgspec.json.encode(self.hub.space))
        (beside / KEY_FILE).write_bytes(key_file_bytes(self.hub.workspace))
        spaces = [self.hub.analyst(seat) for _ in range(2)]
        offer = Offer(operations=("extract", "statistics", "synthesise"), recipients=(self.hub.workspace.did,))
        told = {"data_set": "cardiology", "cohort": {"cardiac": VIEW}, "variables": VARIABLES}
        study = spaces[0].propose(TITLE, offer=offer, **told)
        bare = spaces[0].propose("Totals alone", **told)
        self.hub.approve()
        self.study, self.bare = study.refresh().id, bare.refresh().id
        pool: queue.LifoQueue[Any] = queue.LifoQueue()
        for one in spaces:
            pool.put(one)
        self.hall.console.lines._spaces[seat] = pool
        seats = self.hall.console.seats
        seats["researcher"] = msgspec.structs.replace(seats["researcher"], beside=beside)

    def reset(self) -> None:
        """Nothing was asked, and the seat remembers nothing."""
        self.hall.console.made.clear()
        self.hub.views.clear()

    def get(self, path: str) -> Any:
        return self.hall.get(path, "researcher")

    def post(self, path: str, **fields: Any) -> Any:
        return self.hall.post(path, "researcher", **({"study": self.study, "sql": SQL} | fields))

    def asked(self, path: str, **fields: Any) -> str:
        """Ask; the id of the run whose page it leads to."""
        answer = self.post(path, **fields)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"]).rpartition("/")[2]


def _manifest(run: str, plan: Plan, node: str, recipient: str, files: dict[str, bytes]) -> SyntheticManifest:
    listed = tuple(
        ExtractFile(name, "m", len(data), hashlib.sha256(data).hexdigest()) for name, data in sorted(files.items())
    )
    columns = (SyntheticColumn("age", "integer"), SyntheticColumn("note", "category"))
    return SyntheticManifest(
        run_id=run, study=plan.study, data_set=plan.data_set, node=node, recipient=recipient, agreement="a", as_of=1,
        method="aim", rho_units=10**10, epsilon="1", delta="1/1000000", rows_per_person=1, unit="a person", entry="e",
        model="m" * 64, tables=(SyntheticTable("rows", 2, columns),), files=listed, released=1, held_out=10,
    )  # fmt: skip
