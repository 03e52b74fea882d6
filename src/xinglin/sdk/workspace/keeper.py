"""The keeper of a workspace: fetches extracts, verifies their evidence before it opens them, keeps them encrypted."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from xinglin.evidence.commitments import open_commitment
from xinglin.evidence.errors import CommitmentMismatch, EvidenceError
from xinglin.evidence.policy import parse_policy
from xinglin.evidence.receipt import VerifiedEntry, verify_receipt
from xinglin.kernel.codec import decode_json, decode_msgpack
from xinglin.sdk.account import Account, open_account
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.results import COMMITMENT, RECEIPT_KIND
from xinglin.sdk.session import Session
from xinglin.sdk.workspace.wiring import vault_of
from xinglin.stores.extract_vault import CannotRead
from xinglin.trust.envelope import Signed, open_signed_as
from xinglin.trust.errors import TrustError
from xinglin.trust.sealing import unseal
from xinglin.wire.extracts import (
    EXTRACT_CONTEXT,
    EXTRACTS_LISTED,
    PARTS,
    SEAL_INFO,
    ExtractAttestation,
    ExtractManifest,
    ExtractPackage,
    ExtractPiece,
    ExtractView,
)

_TELL = "Do not use it. Tell the regulator."
_LOG_S, _AGAIN_S = 10.0, 0.5
_RUN = re.compile(r"run-[a-z2-7]{26}\Z")


class Proven(msgspec.Struct, frozen=True):
    """What the workspace keeps beside an extract, so that it can be proved again with no network.

    ``receipt`` and ``policy``: of the hospital's ``release-authorised`` leaf; ``salt`` opens its commitment to the
    manifest.
    """

    run_id: str
    receipt: str
    policy: str
    salt: bytes
    attestation: Signed
    version: int = 1


class Kept(msgspec.Struct, frozen=True):
    """An extract in this workspace: its manifest, and when it came."""

    run_id: str
    manifest: ExtractManifest
    at: int

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its files."""
        return tuple(one.name for one in self.manifest.files)


class Keeper:
    """A workspace's hands; use it in a ``with`` block. Nothing here hands a row to anybody outside the process."""

    def __init__(self, account: Account, *, proxy: str | None = None) -> None:
        self.account = account
        self.session = Session(account, proxy=proxy, quiet=True)
        self._vault = vault_of(account)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    # --- fetching ----------------------------------------------------------------------------

    def waiting(self) -> list[ExtractView]:
        """Extracts that wait for this workspace at the hub."""
        views = self.session.client.get("/v1/extracts", list[ExtractView])
        return [one for one in views if one.recipient == self.account.did and one.state == "delivered"]

    def fetch(self, run_id: str) -> Kept:
        """Fetch, verify, open, keep; again gives what is kept. ``NotVerified`` where something does not check out.

        1. The hospital attests that it sealed this to us. 2. Its ``release-authorised`` leaf holds the commitment it
        attests, under a checkpoint that the policy accepts. 3. Every part opens with our key, in its place. 4. The
        manifest is what the log committed to, and is about us. 5. Every file is what the manifest says.
        """
        if self._vault.has(f"{run_id}/proof"):
            return self.kept_one(run_id)
        view = self.session.client.get(f"/v1/extracts/{run_id}", ExtractView)
        signed, said = self._attested(view)  # 1
        receipt = self._receipt(said)  # 2
        package = self._opened(run_id, said)  # 3
        manifest = _manifest(package, said, self.account.did)  # 4
        check_files(manifest, package.files)  # 5
        proof = Proven(run_id, receipt, self.session.log.record.policy_text, package.salt, signed)
        for name, data in package.files.items():
            self._vault.keep(f"{run_id}/files/{name}", data)
        self._vault.keep(f"{run_id}/manifest", package.manifest)
        self._vault.keep(f"{run_id}/at", str(self.session.clock()).encode())
        self._vault.keep(f"{run_id}/proof", msgspec.json.encode(proof))
        self.session.client.post(f"/v1/extracts/{run_id}/taken", {}, ExtractView)
        return self.kept_one(run_id)

    def _attested(self, view: ExtractView) -> tuple[Signed, ExtractAttestation]:
        if view.state != "delivered" or view.attestation is None:
            raise NotVerified(f"The extract is '{view.state}': nothing to fetch.", remedy="Wait until it is delivered.")
        self.session.log.refresh()
        directory = self.session.log.record.directory
        try:
            said = open_signed_as(view.attestation, EXTRACT_CONTEXT, directory, ExtractAttestation)
        except TrustError as error:
            raise NotVerified("The attestation is not signed by who it names.", remedy=_TELL) from error
        right = (said.run_id, said.node, said.recipient) == (view.run_id, view.attestation.signer, self.account.did)
        if not right or said.version != 1 or "provider" not in directory.roles(said.node):
            raise NotVerified("The attestation is of another extract, hospital or workspace.", remedy=_TELL)
        return view.attestation, said

    def _receipt(self, said: ExtractAttestation) -> str:
        """The receipt of the hospital's authorisation; a log that lags behind is looked at again for a moment."""
        end = time.monotonic() + _LOG_S
        while not any(one.index == said.leaf for one in self.session.log.about(said.run_id)):
            if time.monotonic() > end:
                raise NotVerified("The log holds no authorisation of this extract.", remedy=_TELL)
            time.sleep(_AGAIN_S)
            self.session.log.refresh()
        text = self.session.client.get_open(f"/receipt/{said.leaf}").decode()
        check_leaf(text, self.session.log.record.policy_text, said)
        return text

    def _opened(self, run_id: str, said: ExtractAttestation) -> ExtractPackage:
        PARTS.check(said.parts)
        pieces = []
        for number in range(1, said.parts + 1):
            sealed = self.session.client.get_bytes(f"/v1/extracts/{run_id}/parts/{number}")
            try:
                piece = decode_msgpack(unseal(self.account.keys, sealed, SEAL_INFO), ExtractPiece)
            except TrustError as error:
                raise NotVerified("A part does not open with this workspace's key.", remedy=_TELL) from error
            if (piece.run_id, piece.number, piece.of) != (run_id, number, said.parts):
                raise NotVerified("A part is of another extract, or not in its place.", remedy=_TELL)
            pieces.append(piece.data)
        return decode_msgpack(b"".join(pieces), ExtractPackage)

    # --- what is kept ------------------------------------------------------------------------

    def kept(self) -> list[Kept]:
        """Every extract in this workspace, by run."""
        runs = {name.partition("/")[0] for name in self._vault.names() if name.endswith("/proof")}
        return [self.kept_one(run) for run in sorted(runs)]

    def kept_one(self, run_id: str) -> Kept:
        """One of them; raises ``CannotRead`` where there is none."""
        _check_run(run_id)
        manifest = decode_json(self._vault.open(f"{run_id}/manifest"), ExtractManifest)
        return Kept(run_id, manifest, int(self._vault.open(f"{run_id}/at")))

    def file(self, run_id: str, name: str) -> bytes:
        """A file of a kept extract, checked against its manifest. For the workspace's own process."""
        found = next((one for one in self.kept_one(run_id).manifest.files if one.name == name), None)
        if found is None:
            raise CannotRead("The extract has no such file.", remedy="Name one of its manifest.")
        data = self._vault.open(f"{run_id}/files/{name}")
        if hashlib.sha256(data).hexdigest() != found.sha256:
            raise CannotRead("A kept file is not what its manifest says.", remedy="Fetch the extract anew.")
        return data

    def keep_release(self, run_id: str, name: str, cells: bytes) -> None:
        """Keep the persons of what leaves of an extract, for later comparisons."""
        self._vault.keep(f"{self.kept_one(run_id).run_id}/egress/{name}", cells)

    def releases(self, run_id: str) -> list[bytes]:
        """The same of everything that left before."""
        start = f"{run_id}/egress/"
        return [self._vault.open(name) for name in self._vault.names() if name.startswith(start)]

    def drop(self, run_id: str) -> None:
        """Delete an extract from this workspace; its proof stays, without a row."""
        for name in self.kept_one(run_id).files:
            self._vault.drop(f"{run_id}/files/{name}")

    def verify(self, run_id: str, policy: str = "") -> VerifiedEntry:
        """Prove a kept extract again with no network: leaf, checkpoint, commitment, every file. ``NotVerified``."""
        proof = decode_json(self._vault.open(f"{run_id}/proof"), Proven)
        said = decode_json(proof.attestation.payload, ExtractAttestation)
        verified = check_leaf(proof.receipt, policy or proof.policy, said)
        data = self._vault.open(f"{run_id}/manifest")
        _check_commitment(said, proof.salt, data)
        manifest = decode_json(data, ExtractManifest)
        check_files(manifest, {name: self._vault.open(f"{run_id}/files/{name}") for name in _names(manifest)})
        return verified


def open_workspace(folder: Account | Path | str, passphrase: str = "", proxy: str | None = None) -> Keeper:
    """The workspace in ``folder``; raises ``NoAccount`` and what opening keys raises."""
    account = folder if isinstance(folder, Account) else open_account(Path(folder).expanduser(), passphrase)
    return Keeper(account, proxy=proxy)


def check_leaf(receipt: str, policy: str, said: ExtractAttestation) -> VerifiedEntry:
    """The hospital's own leaf, that it authorised what it attests; raises ``NotVerified``."""
    try:
        verified = verify_receipt(receipt, parse_policy(policy))
    except EvidenceError as error:
        raise NotVerified("The receipt does not verify.", why=error.what, remedy=_TELL) from error
    entry = verified.entry
    right = (entry.kind, entry.subject, entry.submitter) == (RECEIPT_KIND, said.run_id, said.node)
    if not right or verified.index != said.leaf or entry.commitments.get(COMMITMENT) != said.commitment:
        raise NotVerified("The log's entry does not authorise this extract.", remedy=_TELL)
    return verified


def check_files(manifest: ExtractManifest, files: dict[str, bytes]) -> None:
    """Every file is what the manifest says, and there is no other; raises ``NotVerified``."""
    found = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
    if found != {one.name: (one.size_bytes, one.sha256) for one in manifest.files}:
        raise NotVerified("The files are not those of the manifest.", remedy=_TELL)


def _names(manifest: ExtractManifest) -> tuple[str, ...]:
    return tuple(one.name for one in manifest.files)


def _manifest(package: ExtractPackage, said: ExtractAttestation, recipient: str) -> ExtractManifest:
    _check_commitment(said, package.salt, package.manifest)
    manifest = decode_json(package.manifest, ExtractManifest)
    about = (package.run_id, manifest.run_id, manifest.node, manifest.recipient)
    if about != (said.run_id, said.run_id, said.node, recipient) or manifest.version != 1:
        raise NotVerified("The manifest is of another extract or workspace.", remedy=_TELL)
    return manifest


def _check_commitment(said: ExtractAttestation, salt: bytes, manifest: bytes) -> None:
    try:
        open_commitment(said.commitment, salt, manifest)
    except CommitmentMismatch as error:
        raise NotVerified("The extract is not the one that the log committed to.", remedy=_TELL) from error


def _check_run(run_id: str) -> None:
    if not _RUN.match(run_id):
        raise CannotRead("That is no id of an extract.", remedy="See: xinglin extract list.")


__all__ = ["EXTRACTS_LISTED", "Keeper", "Kept", "Proven", "check_files", "check_leaf", "open_workspace"]
