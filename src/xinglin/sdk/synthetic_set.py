"""A synthetic set as its recipient holds it: verified, with report and proof, read as tables, saved as files.

A hospital's signature says whose set it is, not that it does no harm. So names of files are those of its tables alone,
sizes are bounded, and a table is read through in a child with limits before this process opens it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.evidence.receipt import VerifiedEntry
from xinglin.gate.model import EXTRACT_BYTES
from xinglin.kernel.codec import decode_json, decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.handed import (
    TELL,
    Handed,
    Proven,
    as_said,
    check_commitment,
    check_files,
    check_leaf,
    check_names,
    handed_over,
    proof_of,
)
from xinglin.sdk.noise import rho_text
from xinglin.stores.looking_tables import TableFile, first_rows, look_through, table_file
from xinglin.stores.tls import write_private
from xinglin.terms.noise_asked import RHO_MOST
from xinglin.terms.synthetic import ROWS, ROWS_PER_PERSON, TABLES, is_table_name
from xinglin.wire.extracts import PACKAGE_BYTES, ExtractAttestation
from xinglin.wire.products import MADE_UP
from xinglin.wire.runs import is_run_id
from xinglin.wire.synthetic import (
    COLUMNS,
    KIND,
    REPORT_BYTES,
    REPORT_FILE,
    ROW_COLUMN,
    ReportTold,
    SyntheticManifest,
    SyntheticTable,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from xinglin.sdk.session import Session

MANIFEST_FILE, PROOF_FILE = "manifest.json", "proof.json"
_FOLDER = "synthetic"
_LAST_INSTANT = 253_402_300_799_999
"""The last millisecond of the year 9999: no calendar of a page goes further."""
_ROWS = ROWS.value * ROWS_PER_PERSON.value


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
        self._through: set[str] = set()

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
    def told(self) -> ReportTold:
        """The figures of the report."""
        return _report(self._files)

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
        """One of its tables (the first unless named) as an Arrow table; it was read through in a child before.

        Raises ``NotVerified`` where it is not what the manifest says, and ``LookError`` where reading it did harm.
        """
        import pyarrow.parquet as pq

        file = self._table(table)
        self._look_through((file,))
        return pq.ParquetFile(io.BytesIO(file.data)).read()

    def rows(self, table: str = "", most: int = 1_000) -> list[list[Any]]:
        """The first ``most`` rows of a table as plain values, dates as text; this process never opens its file.

        Raises what ``arrow`` does.
        """
        with as_said():
            return first_rows(self._table(table), most)

    def digest(self, table: str = "") -> str:
        """SHA-256 of a table's file, in hexadecimal digits."""
        name = _file_of(self._about(table))
        return next(one.sha256 for one in self.manifest.files if one.name == name)

    def columns(self, table: str = "") -> tuple[str, ...]:
        """Names of the columns that a table's file has."""
        return tuple(name for name, _ in _columns(self._about(table)))

    def pandas(self, table: str = "") -> pd.DataFrame:
        """One of its tables (the first unless named) as a data frame."""
        return self.arrow(table).to_pandas()

    def tables(self) -> dict[str, pa.Table]:
        """Every table by its name."""
        return {name: self.arrow(name) for name in self.names}

    def save(self, folder: Path | str) -> tuple[Path, ...]:
        """Write every file, the manifest and the proof into ``folder`` and nowhere else; its owner alone reads them."""
        place, everything = Path(folder).expanduser(), self._everything()
        check_names((*self._files, MANIFEST_FILE, PROOF_FILE))
        place.mkdir(parents=True, exist_ok=True)
        written = []
        for name, data in sorted(everything.items()):
            write_private(place / name, data)
            written.append(place / name)
        return tuple(written)

    def verify(self, policy: str = "") -> VerifiedEntry:
        """Prove it again with no network: the hospital's leaf, its checkpoint, the commitment, every file."""
        said = decode_json(self.proof.attestation.payload, ExtractAttestation)
        verified = check_leaf(self.proof.receipt, policy or self.proof.policy, said)
        check_commitment(said, self.proof.salt, self._manifest)
        self._check(said)
        return verified

    def look_through(self) -> None:
        """Read every table through in a child; raises what ``arrow`` does. Again costs nothing."""
        self._look_through(map(self._table, self.names))

    def _check(self, said: ExtractAttestation) -> None:
        _check(self.manifest, said)
        check_files(self.manifest.files, self._files)
        _report(self._files)

    def _table(self, table: str) -> TableFile:
        about = self._about(table)
        name = _file_of(about)
        return table_file(name, self._files[name], about.rows, _columns(about))

    def _about(self, table: str) -> SyntheticTable:
        about = next((one for one in self.manifest.tables if one.name == (table or self.names[0])), None)
        if about is None:
            raise NotVerified(f"The set has no table {table[:80]!r}.", remedy=f"It has: {', '.join(self.names)}.")
        return about

    def _look_through(self, files: Iterable[TableFile]) -> None:
        left = [one for one in files if one.name not in self._through]
        if left:
            with as_said():
                look_through(left)
            self._through.update(one.name for one in left)

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

    Every table was read through once, within limits: ``LookError`` where reading one did harm. Nothing is told to the
    hub: ``taken`` is the caller's, once it is kept.
    """
    handed = handed_over(session, run_id)
    return _of(handed, proof_of(session, handed))


def set_from_bytes(data: bytes) -> SyntheticSet:
    """The set of ``to_bytes``, proved again."""
    kept = decode_msgpack(data, _Kept, PACKAGE_BYTES)
    found = SyntheticSet(kept.manifest, kept.files, kept.proof)
    found.verify()
    return found


def set_from_folder(folder: Path) -> SyntheticSet:
    """A saved set, proved again; raises ``NotVerified`` where a file was changed or lacks."""
    try:
        manifest = (folder / MANIFEST_FILE).read_bytes()
        proof = decode_json((folder / PROOF_FILE).read_bytes(), Proven)
        listed = decode_json(manifest, SyntheticManifest).files
        check_names(one.name for one in listed)
        files = {one.name: (folder / one.name).read_bytes() for one in listed}
    except (OSError, XinglinError) as error:
        raise NotVerified("The saved set cannot be read.", remedy="Fetch it anew.") from error
    found = SyntheticSet(manifest, files, proof)
    found.verify()
    return found


def folder_of(account_folder: Path, run_id: str) -> Path:
    """Where an account keeps a set that it fetched; raises ``NotVerified`` for what is no id of one."""
    if not is_run_id(run_id):
        raise NotVerified("That is no id of a synthetic set.", remedy="See: xinglin synthetic list.")
    return account_folder / _FOLDER / run_id


def _of(handed: Handed, proof: Proven) -> SyntheticSet:
    package = handed.package
    found = SyntheticSet(package.manifest, package.files, proof)
    found._check(handed.said)
    found.look_through()
    return found


def _check(manifest: SyntheticManifest, said: ExtractAttestation) -> None:
    """The manifest is about what was attested, and of nothing but tables and their report, in bounds."""
    about = (manifest.run_id, manifest.node, manifest.recipient, manifest.kind, manifest.version)
    if about != (said.run_id, said.node, said.recipient, KIND, 1) or not manifest.tables:
        raise NotVerified("The manifest is of another set, hospital or recipient.", remedy=TELL)
    wanted = sorted([*map(_file_of, manifest.tables), REPORT_FILE])
    if not all(is_table_name(one.name) for one in manifest.tables) or wanted != sorted(x.name for x in manifest.files):
        raise NotVerified("The files of the set are not its tables and its report.", remedy=TELL)
    bounded = 0 <= manifest.rho_units <= RHO_MOST.value and 0 <= manifest.as_of <= _LAST_INSTANT
    if not bounded or not _is_number(manifest.epsilon) or not all(map(_is_sound, manifest.tables)):
        raise NotVerified("The manifest of the set names what no set has.", remedy=TELL)
    TABLES.check(len(manifest.tables))
    EXTRACT_BYTES.check(sum(one.size_bytes for one in manifest.files))


def _is_sound(table: SyntheticTable) -> bool:
    names = [name for name, _ in _columns(table)]
    return 0 <= table.rows <= _ROWS and len(set(names)) == len(names) <= COLUMNS.value + 2


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _file_of(table: SyntheticTable) -> str:
    return f"{table.name}.parquet"


def _columns(table: SyntheticTable) -> tuple[tuple[str, str], ...]:
    """Name and kind of each column of its file, in order."""
    keys = [(name, "category") for name in (ROW_COLUMN, table.key) if name]
    return (*keys, *((one.name, one.kind) for one in table.columns))


def _report(files: dict[str, bytes]) -> ReportTold:
    data = files[REPORT_FILE]
    REPORT_BYTES.check(len(data))
    try:
        return msgspec.json.decode(data, type=ReportTold)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotVerified("The report of the set cannot be read.", remedy=TELL) from error
