"""A synthetic set as its recipient holds it: verified, with report and proof, read as tables, saved as files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.evidence.receipt import VerifiedEntry
from xinglin.kernel.codec import decode_json, decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.handed import TELL, Handed, Proven, check_commitment, check_files, check_leaf, handed_over, proof_of
from xinglin.sdk.noise import rho_text
from xinglin.stores.tls import write_private
from xinglin.wire.extracts import ExtractAttestation
from xinglin.wire.products import MADE_UP
from xinglin.wire.synthetic import KIND, REPORT_FILE, SyntheticManifest

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from xinglin.sdk.session import Session

MANIFEST_FILE, PROOF_FILE = "manifest.json", "proof.json"
_FOLDER = "synthetic"


class _Kept(msgspec.Struct, frozen=True):
    """A set as bytes. Version 1; append-only."""

    manifest: bytes
    files: dict[str, bytes]
    proof: Proven
    version: int = 1


class SyntheticSet:
    """Rows that nobody lived, by one hospital; made by ``space.synthetic`` and verified before it is there.

    ``manifest``: what the hospital's log entry commits to. ``report``: what may be told of the set.
    """

    def __init__(self, manifest: bytes, files: dict[str, bytes], proof: Proven) -> None:
        self._manifest, self._files, self.proof = manifest, files, proof
        self.manifest = decode_json(manifest, SyntheticManifest)

    @property
    def id(self) -> str:
        """The run that it was asked for by."""
        return self.manifest.run_id

    @property
    def report(self) -> dict[str, Any]:
        """The report that went along: every figure in it is covered by the set's own guarantee."""
        found: dict[str, Any] = msgspec.json.decode(self._files[REPORT_FILE])
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its tables."""
        return tuple(table.name for table in self.manifest.tables)

    def file(self, name: str) -> bytes:
        """One of its files as it was handed over, its manifest or its proof; raises ``NotVerified`` for any other."""
        found = self._everything().get(name)
        if found is None:
            raise NotVerified(f"The set has no file {name[:80]!r}.", remedy="Name one of its manifest.")
        return found

    def arrow(self, table: str = "") -> pa.Table:
        """One of its tables (the first unless named) as an Arrow table."""
        import pyarrow.parquet as pq

        name = table or self.names[0]
        if name not in self.names:
            raise NotVerified(f"The set has no table {name!r}.", remedy=f"It has: {', '.join(self.names)}.")
        return pq.read_table(io.BytesIO(self._files[f"{name}.parquet"]))

    def pandas(self, table: str = "") -> pd.DataFrame:
        """One of its tables (the first unless named) as a data frame."""
        return self.arrow(table).to_pandas()

    def tables(self) -> dict[str, pa.Table]:
        """Every table by its name."""
        return {name: self.arrow(name) for name in self.names}

    def save(self, folder: Path | str) -> tuple[Path, ...]:
        """Write every file, the manifest and the proof into ``folder``; readable by its owner alone."""
        place = Path(folder).expanduser()
        place.mkdir(parents=True, exist_ok=True)
        written = []
        for name, data in sorted(self._everything().items()):
            write_private(place / name, data)
            written.append(place / name)
        return tuple(written)

    def verify(self, policy: str = "") -> VerifiedEntry:
        """Prove it again with no network: the hospital's leaf, its checkpoint, the commitment, every file."""
        said = decode_json(self.proof.attestation.payload, ExtractAttestation)
        verified = check_leaf(self.proof.receipt, policy or self.proof.policy, said)
        check_commitment(said, self.proof.salt, self._manifest)
        _check(self.manifest, said)
        check_files(self.manifest.files, self._files)
        return verified

    def _everything(self) -> dict[str, bytes]:
        return {**self._files, MANIFEST_FILE: self._manifest, PROOF_FILE: msgspec.json.encode(self.proof)}

    def to_bytes(self) -> bytes:
        """All of it as bytes."""
        return encode_msgpack(_Kept(self._manifest, self._files, self.proof))

    def to_dict(self) -> dict[str, Any]:
        """The manifest and the report as plain JSON values; no rows."""
        plain: dict[str, Any] = msgspec.to_builtins(self.manifest)
        return {**plain, "deidentified": MADE_UP, "report": self.report}

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        one = self.manifest
        paid = "costs nothing more: its model was paid for before" if one.again else "paid by the study"
        lines = [
            f"Synthetic set {one.run_id}: no row is a person's",
            *(f"  {table.name:<12} {table.rows} rows, {len(table.columns)} columns" for table in one.tables),
            f"  guarantee    ({one.epsilon}, {one.delta})-differentially private for {one.unit}",
            f"  cost         rho {rho_text(one.rho_units)}, {paid}",
            f"  method       {one.method}; one person in {one.held_out} was left out to judge it",
            f"  grade        {MADE_UP} of GB/T 42460-2023: nothing is left to tell a person by",
            "  mark         every copy names its recipient, agreement and time",
            "  confirm      what is found here on the data before anybody acts on it",
        ]
        return "\n".join(lines)


def fetched(session: Session, run_id: str) -> SyntheticSet:
    """Fetch, verify and open a set that waits for this account; raises ``NotVerified`` where something does not hold.

    Nothing is told to the hub: ``taken`` is the caller's, once it is kept.
    """
    handed = handed_over(session, run_id)
    return _of(handed, proof_of(session, handed))


def set_from_bytes(data: bytes) -> SyntheticSet:
    """The set of ``to_bytes``, proved again."""
    kept = decode_msgpack(data, _Kept)
    found = SyntheticSet(kept.manifest, kept.files, kept.proof)
    found.verify()
    return found


def set_from_folder(folder: Path) -> SyntheticSet:
    """A saved set, proved again; raises ``NotVerified`` where a file was changed or lacks."""
    try:
        manifest = (folder / MANIFEST_FILE).read_bytes()
        proof = decode_json((folder / PROOF_FILE).read_bytes(), Proven)
        listed = decode_json(manifest, SyntheticManifest).files
        files = {one.name: (folder / one.name).read_bytes() for one in listed if "/" not in one.name}
    except (OSError, XinglinError) as error:
        raise NotVerified("The saved set cannot be read.", remedy="Fetch it anew.") from error
    found = SyntheticSet(manifest, files, proof)
    found.verify()
    return found


def folder_of(account_folder: Path, run_id: str) -> Path:
    """Where an account keeps a set that it fetched."""
    return account_folder / _FOLDER / run_id


def _of(handed: Handed, proof: Proven) -> SyntheticSet:
    package = handed.package
    found = SyntheticSet(package.manifest, package.files, proof)
    _check(found.manifest, handed.said)
    check_files(found.manifest.files, package.files)
    return found


def _check(manifest: SyntheticManifest, said: ExtractAttestation) -> None:
    about = (manifest.run_id, manifest.node, manifest.recipient, manifest.kind, manifest.version)
    if about != (said.run_id, said.node, said.recipient, KIND, 1) or not manifest.tables:
        raise NotVerified("The manifest is of another set, hospital or recipient.", remedy=TELL)
