"""Extracts: asked of one hospital, held there for review, sealed to one workspace; the hub relays what it cannot read.

``POST /v1/extracts`` takes a ``RunCall`` whose plan is an extract's; ``GET /v1/extracts`` lists those that the caller
asked for or receives; ``GET /v1/extracts/{id}?after=&wait=`` shows one; ``POST /v1/extracts/{id}/cancel`` is the
asker's. ``GET /v1/extracts/{id}/parts/{n}`` hands its recipient, and nobody else, one sealed part; ``POST
/v1/extracts/{id}/taken`` tells the hub that it has them all, and the hub forgets them. ``POST
/v1/extracts/{id}/again``, of asker or recipient, has the hospital hand over once more what the hub dropped.
Append-only, as the channel is.
"""

from __future__ import annotations

import re

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.kernel.verdict import Reason
from xinglin.trust.envelope import Signed

EXTRACT_CONTEXT = "extract-attestation/1"
"""Signing context of what a hospital says about an extract that it handed over."""
SEAL_INFO = b"xinglin extract/1"
PART_BYTES = Limit("part of an extract", 8 * 1024 * 1024, "bytes")
SEALED_PART_BYTES = Limit("sealed part of an extract", PART_BYTES.value + 64 * 1024, "bytes")
PARTS = Limit("parts of an extract", 64, "parts")
PACKAGE_BYTES = Limit("opened extract", PART_BYTES.value * PARTS.value, "bytes")
EXTRACTS_OPEN = Limit("unfinished extracts of one asker", 32, "extracts")
EXTRACTS_LISTED = Limit("extracts of a list", 1_000, "extracts")
ROWS_FILE = "rows.parquet"
_FILE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,79}\.[a-z0-9]{1,16}\Z")

EXTRACT_STATES = StateTable(
    "extract",
    "asked",
    (
        ("asked", "work", "working"),
        ("asked", "hold", "held"),
        ("asked", "deliver", "delivered"),
        ("asked", "refuse", "refused"),
        ("asked", "withhold", "withheld"),
        ("asked", "end", "ended"),
        ("asked", "cancel", "cancelled"),
        ("working", "work", "working"),
        ("working", "hold", "held"),
        ("working", "deliver", "delivered"),
        ("working", "refuse", "refused"),
        ("working", "withhold", "withheld"),
        ("working", "end", "ended"),
        ("working", "cancel", "cancelled"),
        ("held", "hold", "held"),
        ("held", "work", "working"),
        ("held", "deliver", "delivered"),
        ("held", "withhold", "withheld"),
        ("held", "end", "ended"),
        ("held", "cancel", "cancelled"),
        ("delivered", "take", "taken"),
        ("delivered", "drop", "dropped"),
        ("delivered", "recall", "recalled"),
        ("delivered", "cancel", "cancelled"),
        ("dropped", "again", "asked"),
        ("dropped", "recall", "recalled"),
        ("dropped", "cancel", "cancelled"),
    ),
)
"""As asker and workspace see it. *held*: persons of the hospital look at it; *withheld*: a rule or a person said no;
*dropped*: it waited too long at the hub, which deleted the sealed parts, and the hospital may hand it over again;
*recalled*: the hospital took it back before it was fetched."""

EVENTS = ("work", "hold", "refuse", "withhold", "end", "recall")
"""What a node may report by ``ExtractSaid``; a delivery is its parts with their attestation."""


class ExtractOrder(msgspec.Struct, frozen=True, tag="extract-order"):
    """Hub to node: a requester-signed use request (``Signed`` as bytes) and the plan it names: the node decides."""

    run_id: str
    request: bytes
    plan: bytes


class ExtractStop(msgspec.Struct, frozen=True, tag="extract-stop"):
    """Hub to node: nothing more is wanted of it: the asker cancelled it, or its workspace has it all."""

    run_id: str
    words: str = ""


class ExtractSaid(msgspec.Struct, frozen=True, tag="extract-said"):
    """Node to hub: where it stands; ``event`` is one of ``EVENTS``. Nothing in it depends on rows."""

    run_id: str
    event: str
    words: str = ""
    reasons: tuple[Reason, ...] = ()


class ExtractPart(msgspec.Struct, frozen=True, tag="extract-part"):
    """Node to hub: one sealed part (1 … ``of``) for the recipient."""

    run_id: str
    number: int
    of: int
    payload: bytes


class ExtractGiven(msgspec.Struct, frozen=True, tag="extract-given"):
    """Node to hub: every part is on its way; ``attestation``: ``ExtractAttestation``, signed by the node."""

    run_id: str
    attestation: bytes


class ExtractAttestation(msgspec.Struct, frozen=True):
    """The hospital's word on what it sealed: to whom, in how many parts, under which commitment, by which leaf.

    ``leaf``: log index of its ``release-authorised`` leaf.
    """

    run_id: str
    node: str
    recipient: str
    commitment: str
    parts: int
    leaf: int
    version: int = 1


class ExtractPiece(msgspec.Struct, frozen=True):
    """What the recipient finds in a part: a piece of the package, and where it belongs."""

    run_id: str
    number: int
    of: int
    data: bytes
    version: int = 1


class ExtractPackage(msgspec.Struct, frozen=True):
    """All pieces together: the manifest as the log committed to it, the salt that opens the commitment, the files."""

    run_id: str
    salt: bytes
    manifest: bytes
    files: dict[str, bytes]
    version: int = 1


class ExtractFile(msgspec.Struct, frozen=True):
    """A file of an extract: its name, media type, size and SHA-256 in hexadecimal digits."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str


class ColumnSaid(msgspec.Struct, frozen=True):
    """What became of a column: its kind, in words what was done to it, and the published range of a number."""

    name: str
    kind: str
    role: str
    done: str
    low: float | None = None
    high: float | None = None


class ExtractManifest(msgspec.Struct, frozen=True):
    """What the extract is and what protects it; canonical JSON, committed to in the log. Version 1; append-only.

    ``grade``: level of GB/T 42460 after the profile. ``k``, ``l``, ``t`` as measured after marking (``l`` 0 and ``t``
    empty where they were not asked for). ``risks``: re-identification risks before and after, exact decimals.
    ``released``: when the mark was made (ms), which it stands for. ``min_cell``: persons behind each number that may
    leave the workspace again.
    """

    run_id: str
    study: str
    data_set: str
    node: str
    recipient: str
    agreement: str
    as_of: Instant
    profile: str
    profile_digest: str
    grade: int
    rows: int
    persons: int
    left_out: int
    k: int
    l: int  # noqa: E741 - the name of the measure
    t: str
    risks: dict[str, tuple[str, str]]
    columns: tuple[ColumnSaid, ...]
    files: tuple[ExtractFile, ...]
    released: Instant
    min_cell: int = 10
    version: int = 1


class ExtractView(msgspec.Struct, frozen=True):
    """An extract as its asker and its recipient see it. ``version`` grows with each change.

    ``kind``: empty of an extract; ``synthetic`` of a synthetic set, which goes the same way.
    """

    run_id: str
    state: str
    version: int
    node: str
    recipient: str
    asked: Instant
    changed: Instant
    words: str = ""
    reasons: tuple[Reason, ...] = ()
    parts: int = 0
    attestation: Signed | None = None
    kind: str = ""


def is_file_name(text: str) -> bool:
    """Whether a file that is handed over may be called so: one word and its ending, which lead into no other folder.

    >>> is_file_name("rows.parquet"), is_file_name("../rows.parquet"), is_file_name(".rows.parquet")
    (True, False, False)
    """
    return _FILE_NAME.match(text) is not None
