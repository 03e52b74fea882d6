"""A synthetic set becomes a product only where its own hospital made it, paid for it, and the log says so."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any, cast

import pytest
from msgspec.structs import replace

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.evidence.commitments import commit
from xinglin.evidence.entry import Entry
from xinglin.gate import mark_of
from xinglin.hub.synthetic_proof import proven_set
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.verdict import Denied
from xinglin.stores.synthetic_archive import packed, unpacked
from xinglin.testing.decision_table import named_did
from xinglin.wire.extracts import ExtractFile
from xinglin.wire.products import MADE_UP
from xinglin.wire.synthetic import SyntheticColumn, SyntheticManifest, SyntheticTable
from xinglin.wire.synthetic_products import SET_FILES, SyntheticDeposit

HERE, SET, SALT = named_did("hospital"), "shelf-" + "a" * 26, bytes(range(32))
FILES = {"rows.parquet": b"PAR1", "report.json": b"{}"}


class Described:
    """What the proof reads of a catalogue's entry."""

    provider, name, entry_id, title = HERE, "cardiology", f"{HERE}#cardiology", "Cardiology"


def manifest(**changes: Any) -> SyntheticManifest:
    files = tuple(ExtractFile(name, "m", len(one), hashlib.sha256(one).hexdigest()) for name, one in FILES.items())
    made = SyntheticManifest(
        run_id=SET, study="shelf", data_set="cardiology", node=HERE, recipient=HERE, agreement="shelf", as_of=1,
        method="aim", rho_units=10**10, epsilon="1", delta="1/1000000", rows_per_person=1, unit="a person", entry="e",
        model="m", tables=(SyntheticTable("rows", 2, (SyntheticColumn("age", "integer"),)),), files=files, released=1,
        held_out=10,
    )  # fmt: skip
    return replace(made, **changes)


def deposit(said: SyntheticManifest | None = None, files: dict[str, bytes] | None = None) -> SyntheticDeposit:
    content = packed(canonical_bytes(manifest() if said is None else said), FILES if files is None else files)
    return SyntheticDeposit(SET, Described.entry_id, "", content, SALT, 7, 5)


def leaf(call: SyntheticDeposit, **changes: Any) -> Entry:
    commitment = commit(SALT, call.content)
    said = {"result": commitment, "mark": mark_of(SALT, HERE, commitment), "budget": commit(SALT, "e")}
    made = Entry(kind="release-authorised", at=5, submitter=HERE, parties=(HERE,), subject=SET, commitments=said)
    return replace(made, **changes)


def judged(call: SyntheticDeposit, entry: Entry | None, signer: str = HERE, **described: Any) -> Any:
    about = Described()
    for name, value in described.items():
        setattr(about, name, value)
    return proven_set(call, signer, cast(CatalogueEntry, about), entry)


def test_a_hospitals_own_set_is_a_product() -> None:
    call = deposit()
    found = judged(call, leaf(call))
    assert not isinstance(found, Denied), found
    assert found.media_type == "application/zip" and found.title == "Synthetic: Cardiology"
    assert found.deidentified == MADE_UP
    assert (found.hospitals, found.leaves, found.run_id) == ((HERE,), (7,), SET)
    assert unpacked(call.content)[1] == FILES and call.content == deposit().content


def test_what_does_not_hold_is_no_product() -> None:
    call = deposit()
    whole = leaf(call)
    other = named_did("other")
    bare = {name: value for name, value in whole.commitments.items() if name != "budget"}
    forged = {**whole.commitments, "mark": "salted-sha256:" + "0" * 64}
    for entry in (
        None,
        replace(whole, kind="delivered"),
        replace(whole, subject="shelf-" + "b" * 26),
        replace(whole, submitter=other),
        replace(whole, commitments=bare),
        replace(whole, commitments=forged),
        leaf(replace(call, content=b"other")),
    ):
        assert judged(call, entry).codes == ("hub.no_authorisation",)
    assert judged(call, whole, signer=other).codes == ("hub.other_data_set",)
    assert judged(replace(call, set_id="run-x"), whole).codes == ("hub.other_data_set",)
    assert "hub.other_data_set" in judged(call, whole, name="oncology").codes
    for said in (manifest(node=other), manifest(entry=""), manifest(rho_units=0), manifest(run_id="shelf-x")):
        call = deposit(said)
        assert judged(call, leaf(call)).codes == ("hub.other_data_set",)
    call = deposit(files={**FILES, "rows.parquet": b"PAR2"})
    assert judged(call, leaf(call)).codes == ("hub.not_proven",)


def test_an_archive_that_is_none_is_refused() -> None:
    for content in (b"", b"PK", packed(b"{}", FILES), packed(canonical_bytes(manifest(kind="extract")), FILES)):
        with pytest.raises(MalformedMessage):
            unpacked(content)
    with pytest.raises(MalformedMessage):
        unpacked(packed(canonical_bytes(manifest()), {**FILES, "more": b""}))
    with pytest.raises(MalformedMessage):
        unpacked(packed(canonical_bytes(manifest(fake=False)), FILES))
    many = {f"f{number}": b"" for number in range(SET_FILES.value)}
    with pytest.raises(LimitExceeded):
        unpacked(packed(b"{}", many))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * (65 * 1024 * 1024))
    with pytest.raises(LimitExceeded):
        unpacked(sink.getvalue())
