"""A hub, a log and hospitals in memory: real keys and signatures, no process, no socket; every answer can be turned."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.contract.agreement import Agreement, sign_agreement
from xinglin.evidence.commitments import commit
from xinglin.evidence.cosignature import cosign
from xinglin.evidence.entry import Entry
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.evidence.receipt import build_receipt
from xinglin.evidence.submission import decode_batch
from xinglin.evidence.tiles import TileReader, format_bundle, parse_path
from xinglin.hub.founding import log_signer
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.instants import system_clock
from xinglin.kernel.verdict import Reason
from xinglin.sdk.account import Account
from xinglin.sdk.logbook import Logbook
from xinglin.sdk.space import Space as AnalystSpace
from xinglin.terms.request import Plan, UseRequest
from xinglin.testing.hostile_log import HostileLog
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import admit as admit_leaf
from xinglin.trust.leaves import leaf_body, leaf_kind, register
from xinglin.trust.sealing import seal
from xinglin.wire.calls import (
    AgreementCall,
    AgreementView,
    DataSetListing,
    NodeProgress,
    Participant,
    RunCall,
    RunResult,
    RunView,
)
from xinglin.wire.channel import ATTESTATION_CONTEXT, SEAL_INFO, Attestation, Sealed
from xinglin.wire.errors import Refused
from xinglin.wire.policy import cosigner, cosigning_key
from xinglin.wire.runs import run_id_of
from xinglin.wire.space import Space
from xinglin.wire.studies import StudiesPage, StudyLine

NAMES = ("north", "south", "west")
SALT = b"s" * 32
MODEL = {
    "kind": "glm",
    "payload": {
        "formula": "disease ~ age",
        "family": "binomial",
        "link": "logit",
        "terms": ["Intercept", "age"],
        "coefficients": [-1.5, 0.25],
        "standard_errors": [0.5, 0.125],
        "covariance": [[0.25, 0.0], [0.0, 0.015625]],
        "scale": 1.0,
        "deviance": 10.0,
        "null_deviance": 12.0,
        "pearson_chi2": 9.0,
        "log_likelihood": -5.0,
        "aic": 14.0,
        "df_model": 1,
        "df_residual": 98,
        "steps": 4,
        "rows_used": 100,
        "rows_missing": 0,
        "persons_used": 100,
        "persons_missing": 0,
    },
}


def described(did: str, high: float = 120.0, levels: tuple[str, ...] = ("female", "male")) -> DataSetDescription:
    table = TableDescription(
        name="cardiac",
        patient_key="person",
        columns=(
            ColumnDescription("person", "text", "person"),
            ColumnDescription("age", "integer", low=0, high=high, unit="a"),
            ColumnDescription("chol", "integer", low=0, high=800),
            ColumnDescription("sex", "category", levels=levels),
            ColumnDescription("disease", "boolean"),
        ),
    )
    return DataSetDescription("cardiology", did, "Cardiology", (table,))


class FakeHub:
    """Answers like the hub; ``outcome`` is what every run gives. ``calls`` holds every (method, path)."""

    def __init__(self) -> None:
        self.operator, self.regulator = PrivateKeys.generate(), PrivateKeys.generate()
        self.nodes = {name: PrivateKeys.generate() for name in NAMES}
        self.asker = PrivateKeys.generate()
        signer = log_signer("unit", self.operator)
        seat = Cosigner(self.regulator.did, (cosigning_key(self.regulator.did, self.regulator.public),))
        policy = default_policy(LogKey(signer.key, "https://hub.invalid"), [seat], []).to_text()
        self.space = Space(
            "unit", "https://hub.invalid", "", signer.key.to_text(), self.operator.did, self.regulator.did, policy
        )
        self.log = HostileLog(signer)
        self._register()
        self.agreements: dict[str, AgreementView] = {}
        self.published = {did: described(did) for did in self.dids}
        self.runs: dict[str, tuple[Signed, Plan]] = {}
        self.calls: list[tuple[str, str]] = []
        self.outcome: dict[str, Any] = MODEL
        self.end: tuple[str, str, tuple[Reason, ...]] = ("done", "result", ())
        self.turn: Callable[[Any], Any] = lambda answer: answer
        self.lose: list[Exception] = []

    @property
    def dids(self) -> tuple[str, ...]:
        return tuple(sorted(keys.did for keys in self.nodes.values()))

    def analyst(self, folder: Path) -> AnalystSpace:
        """The SDK's space over this hub."""
        space = AnalystSpace(Account(self.space, self.asker, folder), quiet=True)
        space.client.close()
        space.client = self  # type: ignore[assignment]
        space.log = Logbook(self.space, self)
        return space

    def approve(self) -> None:
        """Every hospital countersigns what it was offered."""
        by_did = {keys.did: keys for keys in self.nodes.values()}
        for digest, view in self.agreements.items():
            agreement = msgspec.json.decode(view.offered.payload, type=Agreement)
            signed = sign_agreement(by_did[view.provider], agreement)
            self.agreements[digest] = msgspec.structs.replace(view, state="active", countersigned=signed)

    # --- the client's side ---------------------------------------------------------------------

    def close(self) -> None:
        """Nothing to close."""

    def get_open(self, path: str) -> bytes:
        self.calls.append(("GET", path))
        if path == "/checkpoint":
            return self.turn(self._note().to_text().encode())
        if path.startswith("/tile/"):
            tile = parse_path(path[1:])
            return format_bundle(self.log.entries()[tile.index * 256 : tile.index * 256 + tile.width])
        if path.startswith("/receipt/"):
            index = int(path.rpartition("/")[2])
            reader = TileReader(self.log.store.hashes)
            return build_receipt(self.log.entries()[index], index, reader, self._note()).to_text().encode()
        if path == "/v1/participants":
            return msgspec.json.encode([_participant(name, keys) for name, keys in self.nodes.items()])
        if path == "/v1/healthz":
            return msgspec.json.encode({"state": "ready", "now": system_clock(), "log_size": self.log.size})
        raise AssertionError(path)

    def get(self, path: str, kind: type[Any], **params: Any) -> Any:
        self._called("GET", path)
        if path == "/v1/datasets":
            return [DataSetListing(did, msgspec.json.encode((one,))) for did, one in self.published.items()]
        if path == "/v1/agreements":
            return list(self.agreements.values())
        if path == "/v1/access/studies":
            return self._studies(params)
        if path == "/v1/extracts":
            return []
        if path.startswith("/v1/agreements/"):
            time.sleep(min(params.get("wait", 0), 0.02))
            return self.agreements[path.rpartition("/")[2]]
        run_id = path.split("/")[3]
        if run_id not in self.runs:
            raise Refused((Reason("hub.unknown_run", "There is no such run of yours."),), status=404)
        return self.turn(self._result(run_id) if path.endswith("/result") else self._view(run_id))

    def post(self, path: str, value: Any, kind: type[Any]) -> Any:
        self._called("POST", path)
        if isinstance(value, AgreementCall):
            agreement = msgspec.json.decode(value.signed.payload, type=Agreement)
            view = AgreementView(agreement.digest(), "offered", agreement.provider, value.signed)
            self.agreements[view.agreement_id] = view
            return view
        assert isinstance(value, RunCall)
        run_id = run_id_of(value.request)
        self.runs[run_id] = (value.request, msgspec.json.decode(value.plan, type=Plan))
        return self._view(run_id)

    def post_bytes(self, path: str, data: bytes, kind: type[Any]) -> Any:
        self._called("POST", path)
        entries = decode_batch(data).entries
        first = self.log.size
        for entry in entries:
            self.log.add(entry)
        return {"first": first, "count": len(entries)}

    def posted(self) -> list[str]:
        return [path for method, path in self.calls if method == "POST"]

    def _studies(self, params: dict[str, Any]) -> StudiesPage:
        wanted, found = str(params.get("standing", "")).split(","), {}
        for view in self.agreements.values():
            said = msgspec.json.decode(view.offered.payload, type=Agreement)
            state = {"active": "in-force", "offered": "offered"}.get(view.state, "ended")
            active = int(view.state == "active")
            found[said.study] = StudyLine(said.study, state, data_set=said.data_set, active=active)
        lines = tuple(one for one in found.values() if wanted == [""] or one.state in wanted)
        return StudiesPage(lines, len(lines))

    # --- inside ----------------------------------------------------------------------------------

    def _called(self, method: str, path: str) -> None:
        self.calls.append((method, path))
        if self.lose:
            raise self.lose.pop()

    def _register(self) -> None:
        founders = [
            register(self.operator, "operator", ("operator",)),
            register(self.regulator, "regulator", ("regulator", "witness")),
        ]
        joined = [register(keys, name, ("provider", "witness")) for name, keys in self.nodes.items()]
        joined.append(register(self.asker, "analyst", ("consumer",)))
        for leaf in [*founders, *(admit_leaf(one, self.operator) for one in joined)]:
            self.add(
                Entry(kind=leaf_kind(leaf), at=1, submitter=self.operator.did, subject=leaf.did, body=leaf_body(leaf))
            )

    def add(self, entry: Entry) -> None:
        self.log.add(entry.to_bytes())

    def _note(self) -> Any:
        note = self.log.note()
        return note.with_signatures([cosign(note.text, cosigner(self.regulator), 1_800_000_000)])

    def _view(self, run_id: str) -> RunView:
        nodes = tuple(NodeProgress(keys.did, name, "released", True) for name, keys in self.nodes.items())
        state, _, reasons = self.end
        return RunView(run_id, state, 7, 3, nodes, reasons, "words")

    def _result(self, run_id: str) -> RunResult:
        state, kind, reasons = self.end
        outcome = canonical_bytes(self.outcome)
        commitment = commit(SALT, outcome)
        attested = []
        for keys in self.nodes.values():
            value = Attestation(run_id, keys.did, self.dids, kind, commitment, "the pool says", reasons)
            attested.append(sign(keys, ATTESTATION_CONTEXT, value))
            labels = {"result": commitment}
            at = system_clock()
            self.add(Entry(kind="release-authorised", at=at, submitter=keys.did, subject=run_id, commitments=labels))
        sealed = seal(self.asker.public, msgspec.msgpack.encode(Sealed(run_id, SALT, outcome)), SEAL_INFO)
        return RunResult(run_id, tuple(attested), sealed if state == "done" else b"")

    def request_of(self, run_id: str) -> UseRequest:
        return msgspec.json.decode(self.runs[run_id][0].payload, type=UseRequest)


def _participant(name: str, keys: PrivateKeys) -> Participant:
    public = keys.public
    return Participant(keys.did, name, ("provider", "witness"), public.digest(), True, 0, msgspec.json.encode(public))
