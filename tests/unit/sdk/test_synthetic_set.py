"""A synthetic set is verified before a row of it is used, proved again from a folder, refused where it was changed."""

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
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.session import Session
from xinglin.sdk.synthetic_set import fetched, set_from_bytes, set_from_folder
from xinglin.trust.envelope import sign
from xinglin.trust.sealing import seal
from xinglin.wire.extracts import (
    EXTRACT_CONTEXT,
    SEAL_INFO,
    ExtractAttestation,
    ExtractFile,
    ExtractPackage,
    ExtractPiece,
    ExtractView,
)
from xinglin.wire.synthetic import REPORT_FILE, SyntheticColumn, SyntheticManifest, SyntheticTable

RUN, SALT, ASKER = "run-" + "a" * 26, bytes(range(32)), keys("asker")


def rows_file() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"row": ["a", "b"], "age": [40, 50]}), sink)
    return sink.getvalue()


FILES = {"rows.parquet": rows_file(), REPORT_FILE: b'{"format":"xinglin.synthetic.report.1"}'}


def manifest(**changes: Any) -> SyntheticManifest:
    files = tuple(
        ExtractFile(name, "m", len(data), hashlib.sha256(data).hexdigest()) for name, data in sorted(FILES.items())
    )
    made = SyntheticManifest(
        run_id=RUN, study="s", data_set="d", node=NORTH.did, recipient=ASKER.did, agreement="a", as_of=1, method="aim",
        rho_units=10**10, epsilon="1", delta="1/1000000", rows_per_person=1, unit="a person", entry="e", model="m",
        tables=(SyntheticTable("rows", 2, (SyntheticColumn("age", "integer"),)),), files=files, released=1, held_out=10,
    )  # fmt: skip
    return replace(made, **changes)


class Hub:
    """What a hub would answer; every part of it can be another."""

    def __init__(self, said: Any, files: dict[str, bytes] | None = None) -> None:
        self.manifest = json.encode(said)
        data = encode_msgpack(ExtractPackage(RUN, SALT, self.manifest, FILES if files is None else files))
        self.pieces = [data[:500], data[500:]]
        self.attested = ExtractAttestation(RUN, NORTH.did, ASKER.did, commit(SALT, self.manifest), 2, 7)
        self.to, self.state, self.flipped = ASKER, "delivered", False

    def get(self, _path: str, _kind: type, **_params: Any) -> ExtractView:
        attestation = sign(NORTH, EXTRACT_CONTEXT, self.attested)
        return ExtractView(RUN, self.state, 3, NORTH.did, ASKER.did, 1, 1, parts=2, attestation=attestation)

    def get_bytes(self, path: str) -> bytes:
        number = int(path.rpartition("/")[2])
        sealed = seal(self.to.public, encode_msgpack(ExtractPiece(RUN, number, 2, self.pieces[number - 1])), SEAL_INFO)
        return sealed[:-1] + bytes([sealed[-1] ^ 1]) if self.flipped else sealed

    def get_open(self, _path: str) -> bytes:
        return b"receipt"


def session(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Session:
    log = SimpleNamespace(
        refresh=lambda: 8,
        record=SimpleNamespace(directory=directory(), policy_text="policy"),
        about=lambda _run: [SimpleNamespace(index=7)],
    )
    leaf = commit(SALT, hub.manifest)
    entry = SimpleNamespace(kind="release-authorised", subject=RUN, submitter=NORTH.did, commitments={"result": leaf})
    monkeypatch.setattr(rooms, "verify_receipt", lambda _text, _policy: SimpleNamespace(entry=entry, index=7))
    monkeypatch.setattr(rooms, "parse_policy", lambda text: text)
    account = SimpleNamespace(keys=ASKER, did=ASKER.did)
    return cast(Session, SimpleNamespace(client=hub, log=log, account=account))


def test_a_set_is_read_saved_and_proved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fetched(session(Hub(manifest()), monkeypatch), RUN)
    assert found.arrow().to_pylist() == [{"row": "a", "age": 40}, {"row": "b", "age": 50}]
    assert found.names == ("rows",) and found.report["format"] and "no row is a person's" in str(found)
    assert {one.name for one in found.save(tmp_path)} == {"rows.parquet", REPORT_FILE, "manifest.json", "proof.json"}
    assert set_from_folder(tmp_path).verify().index == 7
    assert set_from_bytes(found.to_bytes()).manifest == found.manifest
    with pytest.raises(NotVerified):
        found.arrow("visits")
    (tmp_path / "rows.parquet").write_bytes(FILES["rows.parquet"] + b" ")
    with pytest.raises(NotVerified):
        set_from_folder(tmp_path)
    (tmp_path / "proof.json").unlink()
    with pytest.raises(NotVerified):
        set_from_folder(tmp_path)


@pytest.mark.parametrize("name", ["a part", "another recipient", "another run", "an extract", "another file", "waits"])
def test_what_does_not_check_out_is_no_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(manifest())
    if name == "a part":
        hub.flipped = True
    elif name == "another recipient":
        hub.to = keys("colleague")
    elif name == "another run":
        hub = Hub(manifest(run_id="run-" + "b" * 26))
    elif name == "an extract":
        hub = Hub(manifest(kind="extract"))
    elif name == "another file":
        hub = Hub(manifest(), {**FILES, "rows.parquet": b"PAR1"})
    elif name == "waits":
        hub.state = "working"
    with pytest.raises(NotVerified):
        fetched(session(hub, monkeypatch), RUN)
