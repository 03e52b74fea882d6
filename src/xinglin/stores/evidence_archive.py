"""Offline bundles: one file (zip) of entries, their receipts, the policy and the checkpoint; one command checks it.

Whoever is given a bundle needs nothing but this software and, to trust nobody's word on who vouches, the policy that
they were told by another way.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import msgspec

from xinglin.evidence.checkpoint import parse_checkpoint
from xinglin.evidence.errors import BadProof, MalformedArchive, NewerVersion
from xinglin.evidence.notes import parse_note
from xinglin.evidence.policy import Policy, VerifiedCheckpoint, parse_policy, verify_checkpoint
from xinglin.evidence.receipt import VerifiedEntry, verify_receipt
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import JSON_BYTES, Limit

ARCHIVE_VERSION = 1
"""Append-only: version 1 stays readable; a later version adds fields and files."""
ARCHIVE_ENTRIES = Limit("entries of an offline bundle", 2_000, "entries")
ARCHIVE_BYTES = Limit("offline bundle, unpacked", 64 * 1024 * 1024, "bytes")
MANIFEST, POLICY, CHECKPOINT, README = "bundle.json", "policy.txt", "checkpoint.txt", "README.md"


class Manifest(msgspec.Struct, frozen=True):
    """What a bundle says of itself: ``indices`` of its entries in order, and labels of DIDs, the maker's word."""

    subject: str
    origin: str
    space: str
    made: Instant
    indices: tuple[int, ...]
    names: dict[str, str] = {}
    version: int = ARCHIVE_VERSION


class Proved(msgspec.Struct, frozen=True):
    """An entry's bytes and its receipt's text."""

    index: int
    data: bytes
    receipt: str


class VerifiedArchive(msgspec.Struct, frozen=True):
    """A bundle that checks out. ``policy``: the text of the policy in it, in force or not for whoever reads."""

    manifest: Manifest
    entries: tuple[VerifiedEntry, ...]
    checkpoint: VerifiedCheckpoint
    policy: str


def write_archive(
    manifest: Manifest, proved: Sequence[Proved], policy: str, checkpoint: str, others: Mapping[str, bytes]
) -> bytes:
    """The bundle; the same values give the same bytes. ``others``: files for people, such as the read-me."""
    ARCHIVE_ENTRIES.check(len(proved))
    files = {MANIFEST: canonical_bytes(manifest), POLICY: policy.encode(), CHECKPOINT: checkpoint.encode()}
    for one in proved:
        files[_entry_name(one.index)] = one.data
        files[_receipt_name(one.index)] = one.receipt.encode()
    files |= others
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def verify_archive(data: bytes, policy: Policy | None = None) -> VerifiedArchive:
    """What a bundle proves, verified with no network by ``policy``, or else by the policy in it.

    1. It is a bundle, within limits, and holds an entry and a receipt for each index it names (``MalformedArchive``,
       ``NewerVersion``, ``LimitExceeded``).
    2. The policy accepts its checkpoint: signed by the log, a quorum of cosignatures (as ``verify_checkpoint``).
    3. Every receipt proves its entry, at its index, under that same checkpoint (as ``verify_receipt``, ``BadProof``).
    """
    files = _unpacked(data)  # 1
    manifest = _manifest(files)
    text = _text(files, POLICY)
    rules = parse_policy(text) if policy is None else policy
    note = parse_note(_text(files, CHECKPOINT))
    checkpoint = verify_checkpoint(rules, note)  # 2
    if checkpoint.checkpoint.origin != manifest.origin:
        raise MalformedArchive("The bundle says that it is of another log than its checkpoint.")
    entries = []
    for index in manifest.indices:  # 3
        verified = verify_receipt(_text(files, _receipt_name(index)), rules, _file(files, _entry_name(index)))
        if verified.index != index or verified.checkpoint.checkpoint != parse_checkpoint(note.text):
            raise BadProof(f"The receipt of entry {index} is of another entry or of another checkpoint.")
        entries.append(verified)
    return VerifiedArchive(manifest, tuple(entries), checkpoint, text)


def is_archive(data: bytes) -> bool:
    """Whether these bytes begin as a bundle does, and not as a receipt."""
    return data[:4] == b"PK\x03\x04"


def _unpacked(data: bytes) -> dict[str, bytes]:
    ARCHIVE_BYTES.check(len(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
            ARCHIVE_ENTRIES.check((len(listed) + 1) // 2 - 4)
            ARCHIVE_BYTES.check(sum(one.file_size for one in listed))
            if len({one.filename for one in listed}) != len(listed):
                raise MalformedArchive("A file is in the bundle twice.")
            if any(one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for one in listed):
                raise MalformedArchive("A file is packed in a way that bundles are not.")
            return {one.filename: _inflated(archive, one) for one in listed}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise MalformedArchive("The file is no readable bundle.", why=str(error)) from error


def _inflated(archive: zipfile.ZipFile, one: zipfile.ZipInfo) -> bytes:
    """A file of the bundle, unpacked no further than it says of itself."""
    with archive.open(one) as file:
        data = file.read(one.file_size + 1)
    if len(data) != one.file_size:
        raise MalformedArchive("A file of the bundle is not as long as it says.")
    return data


def _manifest(files: Mapping[str, bytes]) -> Manifest:
    data = _file(files, MANIFEST)
    try:
        manifest = decode_json(data, Manifest, JSON_BYTES)
    except MalformedMessage as error:
        raise MalformedArchive("The bundle's list cannot be read.", why=error.what) from error
    if manifest.version != ARCHIVE_VERSION:
        raise NewerVersion(f"Bundle version {manifest.version} is not known.", remedy="Update this software.")
    if not manifest.indices or tuple(sorted(set(manifest.indices))) != manifest.indices:
        raise MalformedArchive("The bundle names no entry, or not in order, each once.")
    return manifest


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise MalformedArchive(f"The bundle lacks {name}.")
    return files[name]


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return _file(files, name).decode()
    except UnicodeDecodeError as error:
        raise MalformedArchive(f"{name} is no text.") from error


def _entry_name(index: int) -> str:
    return f"entries/{index}.json"


def _receipt_name(index: int) -> str:
    return f"receipts/{index}.tlog-proof"
