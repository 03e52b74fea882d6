"""Offline bundles: what holds is verified, and a bundle in which one byte was changed is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import msgspec
import pytest
from tests.unit.sdk.fake_hub import FakeHub

from xinglin.evidence.errors import EvidenceError, MalformedArchive
from xinglin.evidence.policy import parse_policy
from xinglin.evidence.receipt import build_receipt
from xinglin.evidence.tiles import TileReader
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.stores.evidence_archive import Manifest, Proved, is_archive, verify_archive, write_archive

HUB = FakeHub()
NOTE = HUB._note()


def made(*indices: int) -> bytes:
    note, reader = NOTE, TileReader(HUB.log.store.hashes)
    leaves = HUB.log.entries()
    proved = [
        Proved(index, leaves[index], build_receipt(leaves[index], index, reader, note).to_text()) for index in indices
    ]
    manifest = Manifest("subject", HUB.space.origin, HUB.space.name, 1, indices)
    return write_archive(manifest, proved, HUB.space.policy, note.to_text(), {"README.md": b"read me"})


def turned(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_a_bundle_proves_its_entries_by_its_own_policy_or_by_another_copy() -> None:
    data = made(0, 2, 3)
    assert is_archive(data) and data == made(0, 2, 3)
    for policy in (None, parse_policy(HUB.space.policy)):
        verified = verify_archive(data, policy)
        assert [one.index for one in verified.entries] == [0, 2, 3]
        assert [one.data for one in verified.entries] == [HUB.log.entries()[at] for at in (0, 2, 3)]


def test_another_policy_refuses_it() -> None:
    with pytest.raises(EvidenceError):
        verify_archive(made(0), parse_policy(FakeHub().space.policy))


def swapped(files: dict[str, bytes]) -> None:
    files["entries/0.json"], files["entries/2.json"] = files["entries/2.json"], files["entries/0.json"]


def moved(files: dict[str, bytes]) -> None:
    files["entries/0.json"], files["receipts/0.tlog-proof"] = files["entries/2.json"], files["receipts/2.tlog-proof"]


def renamed(files: dict[str, bytes]) -> None:
    manifest = msgspec.json.decode(files["bundle.json"])
    files["bundle.json"] = msgspec.json.encode(manifest | {"origin": "another.log"})


def newer(files: dict[str, bytes]) -> None:
    files["bundle.json"] = msgspec.json.encode(msgspec.json.decode(files["bundle.json"]) | {"version": 2})


@pytest.mark.parametrize(
    "change",
    [
        swapped,
        moved,
        renamed,
        newer,
        lambda files: files.pop("receipts/2.tlog-proof"),
        lambda files: files.pop("checkpoint.txt"),
        lambda files: files.update({"bundle.json": b"[]"}),
        lambda files: files.update({"checkpoint.txt": b"\xff"}),
        lambda files: files.update({"entries/0.json": files["entries/0.json"].replace(b"1", b"2", 1)}),
        lambda files: files.update({"checkpoint.txt": files["checkpoint.txt"].replace(b"\n6\n", b"\n7\n")}),
    ],
)
def test_a_bundle_that_was_changed_is_refused(change: Callable[[dict[str, bytes]], None]) -> None:
    data = made(0, 2)
    with pytest.raises(XinglinError):
        verify_archive(turned(data, change))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip", made(0)[:-40], made(0)[40:]])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedArchive):
        verify_archive(data)


def test_a_bundle_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    bomb = turned(made(0), lambda files: files.update({"README.md": bytes(65 * 1024 * 1024)}))
    assert len(bomb) < 1_000_000
    with pytest.raises(LimitExceeded):
        verify_archive(bomb)


def test_a_file_that_says_less_than_it_holds_is_read_no_further_than_it_says() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", b"0" * 50_000_000)
    data = bytearray(out.getvalue())
    listed = data.rindex(b"PK\x01\x02")
    data[listed + 24 : listed + 28] = (10).to_bytes(4, "little")  # what the list of contents says of its length
    with pytest.raises(MalformedArchive):
        verify_archive(bytes(data))


def test_a_file_that_is_packed_in_another_way_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("bundle.json", b"{}")
    with pytest.raises(MalformedArchive, match="packed"):
        verify_archive(out.getvalue())
