"""What a workspace fetches is verified before it is opened; what it keeps is proved again and served by type."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import json
from msgspec.structs import replace
from tests.unit.access.people import NORTH, directory, keys

from xinglin.evidence.commitments import commit
from xinglin.kernel.codec import encode_msgpack
from xinglin.sdk import handed as rooms
from xinglin.sdk.account import Account
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.workspace.clients import Client
from xinglin.sdk.workspace.exports import JOB_LIFE_MS, Exports
from xinglin.sdk.workspace.keeper import Keeper
from xinglin.sdk.workspace.tokens import Token
from xinglin.sdk.workspace.wiring import vault_of
from xinglin.stores.extract_vault import CannotRead
from xinglin.trust.envelope import sign
from xinglin.trust.sealing import seal
from xinglin.wire.errors import Refused
from xinglin.wire.extracts import (
    EXTRACT_CONTEXT,
    SEAL_INFO,
    ExtractAttestation,
    ExtractFile,
    ExtractManifest,
    ExtractPackage,
    ExtractPiece,
    ExtractView,
)

RUN = "run-" + "a" * 26
WORKSPACE = keys("workspace")
SALT = bytes(range(32))


def one_row() -> bytes:
    """A table of one row, as Parquet."""
    written = io.BytesIO()
    pq.write_table(pa.table({"age": pa.array([61], pa.int64())}), written)
    return written.getvalue()


FILES = {"rows.parquet": one_row(), "Patient.ndjson": b'{"id":"p"}\n', "Observation.ndjson": b'{"id":"o"}\n'}
MEDIA = {"parquet": "application/vnd.apache.parquet", "ndjson": "application/fhir+ndjson"}


def manifest(**changes: Any) -> ExtractManifest:
    files = tuple(
        ExtractFile(name, MEDIA[name.partition(".")[2]], len(data), hashlib.sha256(data).hexdigest())
        for name, data in sorted(FILES.items())
    )
    made = ExtractManifest(
        run_id=RUN, study="s", data_set="d", node=NORTH.did, recipient=WORKSPACE.did, agreement="a", as_of=1,
        profile="p", profile_digest="x", grade=3, rows=1, persons=1, left_out=0, k=10, l=0, t="", risks={}, columns=(),
        files=files, released=1,
    )  # fmt: skip
    return replace(made, **changes)


class Hub:
    """What a hub would answer; every part of it can be another."""

    def __init__(self, said: ExtractManifest, files: dict[str, bytes] | None = None) -> None:
        self.manifest = json.encode(said)
        package = ExtractPackage(RUN, SALT, self.manifest, FILES if files is None else files)
        data = encode_msgpack(package)
        self.pieces = [data[:100], data[100:]]
        self.attested = ExtractAttestation(RUN, NORTH.did, WORKSPACE.did, commit(SALT, self.manifest), 2, 7)
        self.signer, self.to, self.order, self.taken = NORTH, WORKSPACE, (1, 2), False

    def get(self, _path: str, _kind: type, **_params: Any) -> ExtractView:
        attestation = sign(self.signer, EXTRACT_CONTEXT, self.attested)
        return ExtractView(RUN, "delivered", 3, NORTH.did, WORKSPACE.did, 1, 1, parts=2, attestation=attestation)

    def get_bytes(self, path: str) -> bytes:
        number = self.order[int(path.rpartition("/")[2]) - 1]
        piece = ExtractPiece(RUN, number, 2, self.pieces[number - 1])
        return seal(self.to.public, encode_msgpack(piece), SEAL_INFO)

    def post(self, _path: str, _value: Any, _kind: type) -> None:
        self.taken = True

    def get_open(self, _path: str) -> bytes:
        return b"receipt"


def keeper(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """A keeper whose log holds the hospital's leaf as the hub's attestation says it."""
    found = Keeper.__new__(Keeper)
    found.account = cast(Account, SimpleNamespace(keys=WORKSPACE, did=WORKSPACE.did, folder=folder))
    log = SimpleNamespace(
        refresh=lambda: 8,
        record=SimpleNamespace(directory=directory(), policy_text="policy"),
        about=lambda _run: [SimpleNamespace(index=7)],
    )
    found.session = cast(Any, SimpleNamespace(client=hub, log=log, clock=lambda: 5, account=found.account))
    found._vault = vault_of(found.account)
    leaf = commit(SALT, hub.manifest)
    entry = SimpleNamespace(kind="release-authorised", subject=RUN, submitter=NORTH.did, commitments={"result": leaf})
    verified = SimpleNamespace(entry=entry, index=7)
    monkeypatch.setattr(rooms, "verify_receipt", lambda _text, _policy: verified)
    monkeypatch.setattr(rooms, "parse_policy", lambda text: text)
    return found


def test_what_checks_out_is_kept_encrypted_and_proved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(manifest())
    held = keeper(tmp_path, hub, monkeypatch)
    kept = held.fetch(RUN)
    assert hub.taken and set(kept.files) == set(FILES) and held.kept() == [kept]
    assert held.fetch(RUN) == kept and held.file(RUN, "Patient.ndjson") == FILES["Patient.ndjson"]
    assert held.verify(RUN).index == 7
    assert all(
        data not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() for data in FILES.values()
    )
    with pytest.raises(CannotRead):
        held.file(RUN, "other")
    with pytest.raises(CannotRead):
        held.kept_one("../run")
    held.drop(RUN)
    with pytest.raises(CannotRead):
        held.verify(RUN)


def _spoiled(name: str) -> Hub:
    hub = Hub(manifest())
    if name == "another commitment":
        hub.attested = replace(hub.attested, commitment=commit(SALT, b"other"))
    elif name == "another leaf":
        hub.attested = replace(hub.attested, leaf=8)
    elif name == "another workspace":
        hub.attested = replace(hub.attested, recipient=keys("colleague").did)
    elif name == "another signer":
        hub.signer = keys("south")
    elif name == "no hospital":
        hub.signer, hub.attested = keys("colleague"), replace(hub.attested, node=keys("colleague").did)
    elif name == "another key":
        hub.to = keys("colleague")
    elif name == "parts out of place":
        hub.order = (2, 1)
    elif name == "another file":
        hub = Hub(manifest(), {**FILES, "rows.parquet": b"PAR2"})
    elif name == "a file too many":
        hub = Hub(manifest(), {**FILES, "more": b""})
    elif name == "another's manifest":
        hub = Hub(manifest(recipient=keys("colleague").did))
    elif name == "a newer manifest":
        hub = Hub(manifest(version=2))
    return hub


@pytest.mark.parametrize(
    "name",
    ["another commitment", "another leaf", "another workspace", "another signer", "no hospital", "another key",
     "parts out of place", "another file", "a file too many", "another's manifest", "a newer manifest"],
)  # fmt: skip
def test_what_does_not_check_out_is_not_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = _spoiled(name)
    held = keeper(tmp_path, hub, monkeypatch)
    if name == "another leaf":
        held.session.log.about = lambda _run: [SimpleNamespace(index=8)]  # type: ignore[method-assign,assignment]
    with pytest.raises(NotVerified):
        held.fetch(RUN)
    assert not hub.taken and held.kept() == []


def test_exports_are_of_what_a_token_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = keeper(tmp_path, Hub(manifest()), monkeypatch)
    held.fetch(RUN)
    now = [10]
    exports = Exports(held, "https://w", lambda: now[0])
    every = Token(Client("p", "P", ()), ("system/*.read",), 10**15)
    job = exports.begin(every, "r", ())
    assert {one.type for one in job.outputs} == {"Patient", "Observation"} and not job.ready
    exports.prepare(job.id)
    assert exports.job(every, job.id).ready and len(cast(Any, exports.manifest(job))["output"]) == 2
    assert {exports.file(every, job.id, n) for n in (0, 1)} == {FILES["Patient.ndjson"], FILES["Observation.ndjson"]}
    narrow = replace(every, scopes=("system/Patient.read",))
    assert {one.type for one in exports.begin(narrow, "r", ()).outputs} == {"Patient"}
    elsewhere = replace(every, client=Client("q", "Q", (), runs=("run-" + "b" * 26,)))
    assert exports.begin(elsewhere, "r", ()).outputs == ()
    assert exports.begin(every, "r", (), since="1970-01-01T00:00:01Z").outputs == ()
    for call in (
        lambda: exports.begin(narrow, "r", ("Observation",)),
        lambda: exports.begin(elsewhere, "r", (), run=RUN),
        lambda: exports.begin(every, "r", (), since="yesterday"),
        lambda: exports.job(elsewhere, job.id),
        lambda: exports.file(every, job.id, 2),
        lambda: exports.file(every, "none", 0),
    ):
        with pytest.raises(Refused):
            call()
    exports.delete(every, job.id)
    again = exports.begin(every, "r", ())
    now[0] += JOB_LIFE_MS
    with pytest.raises(Refused):
        exports.job(every, again.id)


def test_only_what_is_an_id_is_taken_from_the_hubs_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(manifest())
    view = hub.get("", ExtractView)
    held = keeper(tmp_path, hub, monkeypatch)
    monkeypatch.setattr(hub, "get", lambda _path, _kind: [view])
    assert held.waiting() == [view]
    for word in ("../../x", "run-$(id)", "--folder", RUN + "\n"):
        monkeypatch.setattr(hub, "get", lambda _path, _kind, word=word: [replace(view, run_id=word)])
        with pytest.raises(NotVerified):
            held.waiting()
