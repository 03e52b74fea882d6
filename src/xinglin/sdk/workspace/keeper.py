"""The keeper of a workspace: fetches extracts, verifies their evidence before it opens them, keeps them encrypted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from xinglin.evidence.receipt import VerifiedEntry
from xinglin.kernel.codec import decode_json
from xinglin.sdk.account import Account, open_account
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.handed import (
    TELL,
    Proven,
    as_said,
    check_commitment,
    check_files,
    check_leaf,
    handed_over,
    listed,
    proof_of,
)
from xinglin.sdk.session import Session
from xinglin.sdk.workspace.wiring import vault_of
from xinglin.stores.extract_vault import CannotRead
from xinglin.stores.looking_tables import look_through, table_file
from xinglin.wire.extracts import (
    EXTRACTS_LISTED,
    ROWS_FILE,
    ExtractAttestation,
    ExtractManifest,
    ExtractPackage,
    ExtractView,
)
from xinglin.wire.runs import is_run_id

if TYPE_CHECKING:
    from xinglin.sdk.synthetic_set import SyntheticSet

_SETS = "sets"


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
        views = (one for one in listed(self.session) if one.state == "delivered" and not one.kind)
        return [one for one in views if one.recipient == self.account.did]

    def fetch(self, run_id: str) -> Kept:
        """Fetch, verify, open, keep; again gives what is kept. ``NotVerified`` where something does not check out.

        1. The hospital attests that it sealed this to us. 2. Its ``release-authorised`` leaf holds the commitment it
        attests, under a checkpoint that the policy accepts. 3. Every part opens with our key, in its place. 4. The
        manifest is what the log committed to, and is about us. 5. Every file is what the manifest says. 6. Its rows,
        read through in a child with limits, are as many as the manifest says: ``LookError`` where that did harm.
        """
        if self._vault.has(f"{run_id}/proof"):
            return self.kept_one(run_id)
        handed = handed_over(self.session, run_id)  # 1 to 4
        package = handed.package
        manifest = _manifest(package, handed.said, self.account.did)
        check_files(manifest.files, package.files)  # 5
        if ROWS_FILE in package.files:
            with as_said():
                look_through((table_file(ROWS_FILE, package.files[ROWS_FILE], manifest.rows),))  # 6
        proof = proof_of(self.session, handed)
        for name, data in package.files.items():
            self._vault.keep(f"{run_id}/files/{name}", data)
        self._vault.keep(f"{run_id}/manifest", package.manifest)
        self._vault.keep(f"{run_id}/at", str(self.session.clock()).encode())
        self._vault.keep(f"{run_id}/proof", msgspec.json.encode(proof))
        self.session.client.post(f"/v1/extracts/{run_id}/taken", {}, ExtractView)
        return self.kept_one(run_id)

    # --- synthetic sets ----------------------------------------------------------------------

    def fetch_set(self, run_id: str) -> SyntheticSet:
        """Fetch a synthetic set that was sealed to this workspace; kept here as an extract is, read by ``set``."""
        from xinglin.sdk.synthetic_set import fetched

        if not self.has_set(run_id):
            found = fetched(self.session, run_id)
            self._vault.keep(f"{_SETS}/{run_id}/kept", found.to_bytes())
            self.session.client.post(f"/v1/extracts/{run_id}/taken", {}, ExtractView)
        return self.set(run_id)

    def has_set(self, run_id: str) -> bool:
        """Whether a synthetic set is kept here."""
        return self._vault.has(f"{_SETS}/{run_id}/kept")

    def set(self, run_id: str) -> SyntheticSet:
        """A kept synthetic set; raises ``CannotRead`` where there is none."""
        from xinglin.sdk.synthetic_set import set_from_bytes

        _check_run(run_id)
        return set_from_bytes(self._vault.open(f"{_SETS}/{run_id}/kept"))

    # --- what is kept ------------------------------------------------------------------------

    def kept(self) -> list[Kept]:
        """Every extract in this workspace, by run."""
        runs = {name.removesuffix("/proof") for name in self._vault.names() if name.endswith("/proof")}
        return [self.kept_one(run) for run in sorted(runs) if is_run_id(run)]

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
        check_commitment(said, proof.salt, data)
        manifest = decode_json(data, ExtractManifest)
        check_files(manifest.files, {name: self._vault.open(f"{run_id}/files/{name}") for name in _names(manifest)})
        return verified


def open_workspace(folder: Account | Path | str, passphrase: str = "", proxy: str | None = None) -> Keeper:
    """The workspace in ``folder``; raises ``NoAccount`` and what opening keys raises."""
    account = folder if isinstance(folder, Account) else open_account(Path(folder).expanduser(), passphrase)
    return Keeper(account, proxy=proxy)


def _names(manifest: ExtractManifest) -> tuple[str, ...]:
    return tuple(one.name for one in manifest.files)


def _manifest(package: ExtractPackage, said: ExtractAttestation, recipient: str) -> ExtractManifest:
    manifest = decode_json(package.manifest, ExtractManifest)
    about = (package.run_id, manifest.run_id, manifest.node, manifest.recipient)
    if about != (said.run_id, said.run_id, said.node, recipient) or manifest.version != 1:
        raise NotVerified("The manifest is of another extract or workspace.", remedy=TELL)
    return manifest


def _check_run(run_id: str) -> None:
    if not is_run_id(run_id):
        raise CannotRead("That is no id of an extract.", remedy="See: xinglin extract list.")


__all__ = ["EXTRACTS_LISTED", "Keeper", "Kept", "Proven", "check_files", "check_leaf", "open_workspace"]
