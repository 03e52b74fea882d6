"""What a hospital sealed in parts for one recipient: fetched and verified before a byte of it is used.

1. The hospital attests that it sealed this to us. 2. Its ``release-authorised`` leaf holds the commitment it attests,
under a checkpoint that the policy accepts. 3. Every part opens with our key, in its place. 4. What is in the package is
what the log committed to. What kind of manifest it is, and whether every file is what it says, is the caller's.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from xinglin.evidence.commitments import open_commitment
from xinglin.evidence.errors import CommitmentMismatch, EvidenceError
from xinglin.evidence.policy import parse_policy
from xinglin.evidence.receipt import VerifiedEntry, verify_receipt
from xinglin.kernel.codec import decode_msgpack
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.results import COMMITMENT, RECEIPT_KIND
from xinglin.stores.looking import LookRefused
from xinglin.trust.envelope import Signed, open_signed_as
from xinglin.trust.errors import TrustError
from xinglin.trust.sealing import unseal
from xinglin.wire.extracts import (
    EXTRACT_CONTEXT,
    PACKAGE_BYTES,
    PARTS,
    SEAL_INFO,
    ExtractAttestation,
    ExtractFile,
    ExtractPackage,
    ExtractPiece,
    ExtractView,
    is_file_name,
)
from xinglin.wire.runs import is_run_id

if TYPE_CHECKING:
    from xinglin.sdk.session import Session

TELL = "Do not use it. Tell the regulator."
_LOG_S, _AGAIN_S = 10.0, 0.5


class Handed(msgspec.Struct, frozen=True):
    """What was fetched: the attestation as signed and as read, the leaf's receipt, the opened package."""

    signed: Signed
    said: ExtractAttestation
    receipt: str
    package: ExtractPackage


class Proven(msgspec.Struct, frozen=True):
    """What a recipient keeps beside what it was handed, so that it can be proved again with no network.

    ``receipt`` and ``policy``: of the hospital's ``release-authorised`` leaf; ``salt`` opens its commitment to the
    manifest.
    """

    run_id: str
    receipt: str
    policy: str
    salt: bytes
    attestation: Signed
    version: int = 1


def listed(session: Session) -> list[ExtractView]:
    """What the account asked for or receives; ``NotVerified`` where the hub names one by what is no id of a run."""
    views = session.client.get("/v1/extracts", list[ExtractView])
    if not all(is_run_id(one.run_id) for one in views):
        raise NotVerified("The hub names a request by what is no id of a run.", remedy="Tell the regulator.")
    return views


def handed_over(session: Session, run_id: str) -> Handed:
    """What waits for this account under ``run_id``, steps 1 to 4; raises ``NotVerified`` where one does not hold."""
    view = session.client.get(f"/v1/extracts/{run_id}", ExtractView)
    signed, said = _attested(session, view)  # 1
    receipt = _receipt(session, said)  # 2
    package = _opened(session, run_id, said)  # 3
    check_commitment(said, package.salt, package.manifest)  # 4
    if package.run_id != run_id:
        raise NotVerified("The package is of another run.", remedy=TELL)
    return Handed(signed, said, receipt, package)


def proof_of(session: Session, handed: Handed) -> Proven:
    """What to keep of it."""
    policy = session.log.record.policy_text
    return Proven(handed.said.run_id, handed.receipt, policy, handed.package.salt, handed.signed)


def check_leaf(receipt: str, policy: str, said: ExtractAttestation) -> VerifiedEntry:
    """The hospital's own leaf, that it authorised what it attests; raises ``NotVerified``."""
    try:
        verified = verify_receipt(receipt, parse_policy(policy))
    except EvidenceError as error:
        raise NotVerified("The receipt does not verify.", why=error.what, remedy=TELL) from error
    entry = verified.entry
    right = (entry.kind, entry.subject, entry.submitter) == (RECEIPT_KIND, said.run_id, said.node)
    if not right or verified.index != said.leaf or entry.commitments.get(COMMITMENT) != said.commitment:
        raise NotVerified("The log's entry does not authorise this.", remedy=TELL)
    return verified


def check_commitment(said: ExtractAttestation, salt: bytes, manifest: bytes) -> None:
    """The manifest is what the log committed to; raises ``NotVerified``."""
    try:
        open_commitment(said.commitment, salt, manifest)
    except CommitmentMismatch as error:
        raise NotVerified("It is not what the log committed to.", remedy=TELL) from error


def check_files(listed: Iterable[ExtractFile], files: dict[str, bytes]) -> None:
    """Every file is what the manifest says, under a plain name of its own, and there is no other: ``NotVerified``."""
    listed = tuple(listed)
    check_names(one.name for one in listed)
    found = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
    if found != {one.name: (one.size_bytes, one.sha256) for one in listed}:
        raise NotVerified("The files are not those of the manifest.", remedy=TELL)


def check_names(names: Iterable[str]) -> None:
    """Files may be called so beside each other, on any disk, and lie where they are put; raises ``NotVerified``."""
    seen: set[str] = set()
    for name in names:
        if not is_file_name(name) or name.lower() in seen:
            words = "A file has a name that no file of what is handed over has, or the name of another."
            raise NotVerified(words, remedy=TELL)
        seen.add(name.lower())


@contextmanager
def as_said() -> Iterator[None]:
    """Inside, a table that is not what its manifest says raises ``NotVerified`` in place of ``LookRefused``."""
    try:
        yield
    except LookRefused as error:
        if error.code == "kernel.limit":  # too much for this machine's limits, and no lie of the hospital's
            raise
        raise NotVerified("A table is not what its manifest says.", why=error.what, remedy=TELL) from error


def _attested(session: Session, view: ExtractView) -> tuple[Signed, ExtractAttestation]:
    if view.state != "delivered" or view.attestation is None:
        raise NotVerified(f"It is '{view.state}': nothing to fetch.", remedy="Wait until it is delivered.")
    session.log.refresh()
    directory = session.log.record.directory
    try:
        said = open_signed_as(view.attestation, EXTRACT_CONTEXT, directory, ExtractAttestation)
    except TrustError as error:
        raise NotVerified("The attestation is not signed by who it names.", remedy=TELL) from error
    right = (said.run_id, said.node, said.recipient) == (view.run_id, view.attestation.signer, session.account.did)
    if not right or said.version != 1 or "provider" not in directory.roles(said.node):
        raise NotVerified("The attestation is of another run, hospital or recipient.", remedy=TELL)
    return view.attestation, said


def _receipt(session: Session, said: ExtractAttestation) -> str:
    """The receipt of the hospital's authorisation; a log that lags behind is looked at again for a moment."""
    end = time.monotonic() + _LOG_S
    while not any(one.index == said.leaf for one in session.log.about(said.run_id)):
        if time.monotonic() > end:
            raise NotVerified("The log holds no authorisation of it.", remedy=TELL)
        time.sleep(_AGAIN_S)
        session.log.refresh()
    text = session.client.get_open(f"/receipt/{said.leaf}").decode()
    check_leaf(text, session.log.record.policy_text, said)
    return text


def _opened(session: Session, run_id: str, said: ExtractAttestation) -> ExtractPackage:
    PARTS.check(said.parts)
    pieces = []
    for number in range(1, said.parts + 1):
        sealed = session.client.get_bytes(f"/v1/extracts/{run_id}/parts/{number}")
        try:
            piece = decode_msgpack(unseal(session.account.keys, sealed, SEAL_INFO), ExtractPiece)
        except TrustError as error:
            raise NotVerified("A part does not open with this account's key.", remedy=TELL) from error
        if (piece.run_id, piece.number, piece.of) != (run_id, number, said.parts):
            raise NotVerified("A part is of another run, or not in its place.", remedy=TELL)
        pieces.append(piece.data)
    return decode_msgpack(b"".join(pieces), ExtractPackage, PACKAGE_BYTES)
