"""What a node and its computing child say to each other: frames of a length and a MessagePack value."""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

from xinglin.analysis.admit import OutputColumn
from xinglin.analysis.admit_fan_out import FanOut
from xinglin.analysis.algorithm import AlgorithmSpec
from xinglin.analysis.table import Column
from xinglin.catalogue.views import ExposedTable
from xinglin.gate.model import ExtractGuard, SyntheticGuard
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.lake.model import QueryLimits, Snapshot
from xinglin.privacy.differencing import DifferenceSlot
from xinglin.privacy.disclosure import DisclosureRules
from xinglin.terms.agreed import CohortView
from xinglin.terms.consent import PersonFilter
from xinglin.terms.extracts import ExtractAsk
from xinglin.terms.pack_named import NamedPacks
from xinglin.terms.synthetic import SyntheticAsk
from xinglin.wire.extracts import ExtractManifest
from xinglin.wire.synthetic import SyntheticManifest

FRAME_BYTES = Limit("frame between a node and its child", 512 * 1024 * 1024, "bytes")
HEADER = struct.Struct(">I")


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """First frame: what the child may use. ``cpu_s`` counts anew with each request."""

    memory_bytes: int
    cpu_s: int
    open_files: int


class Warm(msgspec.Struct, frozen=True, tag="warm"):
    """Load the libraries, so that the first query need not wait for them."""


class Pin(msgspec.Struct, frozen=True, tag="pin"):
    """Pin tables of the folder ``lake`` to the newest versions committed not after ``at``."""

    lake: str
    names: tuple[str, ...]
    at: int


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Admit a study's ``sql`` over the agreement's views of pinned tables; reads no row.

    ``lake``: the folder. ``tables``: what the agreement exposes. ``cohort``: its views; without any, the
    exposed tables are the views. ``salt``: 32 secret bytes of the node, for the codes of persons. ``persons``: whose
    rows the study may see; the others' are in no view. ``more``: further SELECTs, of a synthetic set's other tables.
    """

    session: str
    lake: str
    snapshot: Snapshot
    tables: tuple[ExposedTable, ...]
    cohort: tuple[CohortView, ...]
    sql: str
    salt: bytes
    limits: QueryLimits = QueryLimits()
    persons: PersonFilter = PersonFilter()
    more: tuple[str, ...] = ()


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Run the admitted query and hold its table for an algorithm on the plan's ``domain``.

    ``differences``: the agreed places of difference counts and indicators; the names of their cells may
    be finer than the algorithm's (see ``engine_sets``). ``named``: the disclosure packs of the plan.
    """

    session: str
    spec: AlgorithmSpec
    domain: tuple[Column, ...]
    rules: DisclosureRules
    max_rows: int
    differences: tuple[DifferenceSlot, ...] = ()
    named: NamedPacks | None = None


class Local(msgspec.Struct, frozen=True, tag="local"):
    """This hospital's vector for a state; ``differences`` (the counts) go with the first round."""

    session: str
    state: bytes
    differences: tuple[int, ...] = ()


class Cells(msgspec.Struct, frozen=True, tag="cells"):
    """Count the started run's one-sided differences; keep the persons of its cells in file ``keep``.

    ``earlier``: (release, file) of releases this node took part in. ``names``: further, finer sets to keep.
    ``counted``: a file for who was counted at all, of an answer that has no cells to keep.
    """

    session: str
    keep: str = ""
    earlier: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    counted: str = ""


class RawKeys(msgspec.Struct, frozen=True):
    """Where the raw store is and the keys that open it, the current one first; empty where it is not needed."""

    folder: str = ""
    keys: tuple[tuple[str, bytes], ...] = ()

    def __repr__(self) -> str:
        """Without the keys."""
        return f"RawKeys({self.folder!r})"


class Extract(msgspec.Struct, frozen=True, tag="extract"):
    """Make the extract of the loaded query, protected as ``ask`` says.

    ``profile``: the profile's text where it is the hospital's own (empty: a shipped one). ``secret``: of the node, for
    pseudonyms of this extract. ``mark_key``: 32 bytes. ``draft``: the manifest as far as the node knows it;
    the mark stands for its recipient, agreement and time of release. ``earlier``: indexes of the hospital's earlier
    extracts, made with ``index_key`` (32 bytes). ``raw``: the raw store, where whole resources are asked for.
    ``counted``: a file for whose rows the query gave (empty: none).
    """

    session: str
    ask: ExtractAsk
    profile: str
    secret: bytes
    mark_key: bytes
    draft: ExtractManifest
    index_key: bytes
    earlier: tuple[bytes, ...] = ()
    raw: RawKeys = RawKeys()
    counted: str = ""


class Fit(msgspec.Struct, frozen=True, tag="fit"):
    """Measure the model of a synthetic set on the loaded queries' rows. ``secret``: who is left out, by lot.

    ``counted``: a file for whose rows the model is measured on (empty: none).
    """

    session: str
    ask: SyntheticAsk
    secret: bytes
    counted: str = ""


class Draw(msgspec.Struct, frozen=True, tag="draw"):
    """Draw and mark the rows of a ``model``. ``seed``: secret, of the model and the number of rows. ``mark_key``: 32
    bytes. ``draft``: the manifest as far as the node knows it; the mark stands for recipient, agreement and time.
    """

    session: str
    ask: SyntheticAsk
    model: bytes
    seed: bytes
    mark_key: bytes
    draft: SyntheticManifest


class Judge(msgspec.Struct, frozen=True, tag="judge"):
    """Compare the rows of a ``model`` with the data and with who was left out; for the hospital's own eyes."""

    session: str
    ask: SyntheticAsk
    model: bytes
    seed: bytes
    secret: bytes


class Unload(msgspec.Struct, frozen=True, tag="unload"):
    """Forget a session and its rows."""

    session: str


Request = Configure | Warm | Pin | Load | Start | Local | Cells | Extract | Fit | Draw | Judge | Unload


class Loaded(msgspec.Struct, frozen=True, tag="loaded"):
    """The admitted query: what would leave is described, never counted."""

    columns: tuple[OutputColumn, ...]
    grade: str
    touched: tuple[str, ...]
    digest: str
    more: tuple[tuple[OutputColumn, ...], ...] = ()
    fan_out: tuple[FanOut, ...] = ()


class Pinned(msgspec.Struct, frozen=True, tag="pinned"):
    """The versions that were pinned."""

    snapshot: Snapshot


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The rules say no; reasons depend on text and published domains, never on rows.

    ``inside``: a code for the node's own log alone, which may follow from rows.
    """

    reasons: tuple[Reason, ...]
    inside: str = ""


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The table is held, or the query failed: the reply is the same. ``cells``: names of released cells."""

    cells: tuple[str, ...]
    columns: tuple[str, ...]


class Vector(msgspec.Struct, frozen=True, tag="vector"):
    """Little-endian float64 values."""

    data: bytes


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """This node's own counts, in the order asked for; they leave the node masked, or not at all."""

    differences: tuple[int, ...]


class Extracted(msgspec.Struct, frozen=True, tag="extracted"):
    """The extract as it would leave: ``manifest`` (canonical JSON), its ``files`` by name, what it says of itself.

    ``shown``: JSON, what reviewers look at. ``marked``: JSON, how the mark was set, which finding it again needs.
    ``index``: who stands in which class, for the comparison of later extracts with this one.
    """

    manifest: bytes
    files: dict[str, bytes]
    guard: ExtractGuard
    shown: bytes
    marked: bytes
    index: bytes


class Fitted(msgspec.Struct, frozen=True, tag="fitted"):
    """The model's bytes; it stays in the node."""

    model: bytes


class Drawn(msgspec.Struct, frozen=True, tag="drawn"):
    """A synthetic set as it would leave; ``marked``: JSON, how each table was marked, by its name."""

    manifest: bytes
    files: dict[str, bytes]
    guard: SyntheticGuard
    marked: dict[str, bytes]


class Judged(msgspec.Struct, frozen=True, tag="judged"):
    """The report on the data (JSON); it stays in the node."""

    report: bytes


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Carried out."""


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """The request could not be carried out; ``code`` is of an error of this house."""

    code: str
    words: str


Reply = Pinned | Loaded | Refusal | Started | Vector | Counted | Extracted | Fitted | Drawn | Judged | Done | Fault

_encoder = msgspec.msgpack.Encoder()
requests = msgspec.msgpack.Decoder(Request)
replies = msgspec.msgpack.Decoder(Reply)


def frame(message: Request | Reply) -> bytes:
    """A message with its length in front; raises ``LimitExceeded``."""
    body = _encoder.encode(message)
    FRAME_BYTES.check(len(body))
    return HEADER.pack(len(body)) + body


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame's body; None at the end; raises ``MalformedMessage`` or ``LimitExceeded``."""
    header = stream.read(HEADER.size)
    if not header:
        return None
    if len(header) < HEADER.size:
        raise MalformedMessage("A frame ends within its length.")
    (length,) = HEADER.unpack(header)
    FRAME_BYTES.check(length)
    body = stream.read(length)
    if len(body) < length:
        raise MalformedMessage("A frame ends early.")
    return body
