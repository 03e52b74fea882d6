"""Entries: the leaves of the log, canonical JSON (RFC 8785), and the closed table of what they may say.

Never a row, a name of a patient, an id, a free text or a matched-row count: most kinds carry salted commitments
only; the few kinds that everybody must be able to replay or check carry a public body.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from xinglin.evidence.commitments import PREFIX
from xinglin.evidence.errors import MalformedEntry, NewerVersion
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

ENTRY_VERSION = 1
"""Append-only: version 1 stays readable for ever; a later version adds fields and changes none."""

ENTRY_BYTES = Limit("log entry", 65_535, "bytes")
PARTIES = Limit("parties of an entry", 256, "parties")
COMMITMENTS = Limit("commitments of an entry", 32, "commitments")

_DID = re.compile(r"did:xinglin:[a-z2-7]{25}[aeimquy4]")
_SUBJECT = re.compile(r"(?:[a-z]{1,32}-[a-z2-7]{26}|sha256:[0-9a-f]{64}|did:xinglin:[a-z2-7]{25}[aeimquy4])?")
_LABEL = re.compile(r"[a-z][a-z0-9_]{0,63}")
_COMMITMENT = re.compile(re.escape(PREFIX) + "[0-9a-f]{64}")


class Kind(msgspec.Struct, frozen=True):
    """One kind of entry: its name, whether it carries a public body, and what it records."""

    name: str
    public: bool
    meaning: str


_PUBLIC = (
    ("key-registration", "a participant's or person's keys and roles enter"),
    ("key-change", "keys are exchanged, signed by the old key and the regulator"),
    ("key-revocation", "a participant's or person's keys end"),
    ("revocation", "a credential, a consent to sum or another right ends"),
    ("policy", "the quorum policy and its named witnesses"),
    ("agreement", "an agreement between parties, by its terms"),
    ("agreement-end", "an agreement ends"),
    ("agreement-amendment", "an agreement is replaced by another that both parties signed, by digests"),
    ("agreement-renewal", "an agreement is prolonged, once, by another that both parties signed, by digests"),
    ("agreement-suspension", "an agreement allows no use until whoever suspended it resumes it"),
    ("agreement-resumption", "who suspended an agreement lifts the suspension"),
    ("agreement-breach", "a notice of breach, its answer or its closing, by digest"),
    ("publication", "a data set or product description is published or withdrawn"),
    ("approval", "an ethics or regulatory approval, by digest, scope and end"),
    ("freeze", "the regulator stops or releases a use"),
    ("usage", "units metered under an agreement"),
    ("settlement", "credits posted by rules that every witness replays"),
    ("state", "the root of the replayed contract and credit state"),
)
_COMMITTED = (
    ("request", "a use was asked for"),
    ("decision", "a provider decided on a use"),
    ("refused", "a use was refused, with reasons committed to"),
    ("admitted", "a provider admitted a run, before the first upload"),
    ("release-authorised", "a result may leave: its salted digest"),
    ("delivered", "a result reached its recipient"),
    ("ended", "a run ended without a release"),
    ("lookup", "a look-up in care, or the head of a patient's chain of look-ups"),
    ("break-glass", "an attested emergency look-up that must be reviewed"),
    ("consent", "a consent, an objection or its withdrawal"),
    ("review", "an output review or a review of an emergency look-up"),
    ("intake", "data came in and was committed"),
    ("erasure", "data was erased on demand"),
    ("change", "an administrative change at a participant"),
    ("evaluation", "a key holder is about to evaluate a hospital's blinded elements: how many, committed to"),
)
KINDS: dict[str, Kind] = {
    name: Kind(name, public, meaning)
    for public, rows in ((True, _PUBLIC), (False, _COMMITTED))
    for name, meaning in rows
}
"""Every kind of entry; append-only. A kind that is not here is refused when written and when read."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One leaf: ``kind`` of ``KINDS``, instant ``at`` (ms), ``parties`` (DIDs), ``subject`` (id, digest, DID or "").

    ``commitments`` maps labels to salted commitments; ``body`` is empty unless the kind is public; ``submitter`` is
    the DID whose signature covers the batch that brought the entry. ``MalformedEntry`` or ``NewerVersion`` when a
    field says what it may not. Guarantee: equal entries have equal bytes and different entries different bytes.
    """

    kind: str
    at: Instant
    submitter: str
    parties: tuple[str, ...] = ()
    subject: str = ""
    commitments: dict[str, str] = {}
    body: dict[str, Any] = {}
    version: int = ENTRY_VERSION

    def __post_init__(self) -> None:
        if self.version != ENTRY_VERSION:
            raise NewerVersion(f"Entry version {self.version} is not known.", remedy="Update this software.")
        rule = KINDS.get(self.kind)
        if rule is None:
            raise MalformedEntry(f"{self.kind!r} is not a kind of entry.")
        if self.body and not rule.public:
            raise MalformedEntry(
                f"An entry of kind {self.kind!r} carries no body.",
                why="Details stay with the parties; the log holds salted commitments.",
            )
        _check_fields(self)

    def to_bytes(self) -> bytes:
        """The leaf: canonical JSON, at most 65,535 bytes (``LimitExceeded`` beyond).

        Guarantee: ``decode_entry`` reads what this writes. ``MalformedEntry`` or ``MalformedMessage`` for a body
        that no reader would take (a whole number beyond 2^53 − 1 that is no double, or nesting beyond the limit).
        """
        data = canonical_bytes(self)
        ENTRY_BYTES.check(len(data))
        if self.body:
            # What is written here is read for ever: a body is never a leaf before it was read back.
            decode_entry(data)
        return data


def decode_entry(data: bytes) -> Entry:
    """The entry that ``data`` spells; only its one canonical spelling is taken.

    ``MalformedEntry``, ``NewerVersion`` or ``LimitExceeded`` otherwise.
    """
    ENTRY_BYTES.check(len(data))
    try:
        version = decode_json(data, _Version).version
        if version > ENTRY_VERSION:
            raise NewerVersion(f"Entry version {version} is not known.", remedy="Update this software.")
        entry = decode_json(data, Entry)
        canonical = canonical_bytes(entry)
    except (NewerVersion, MalformedEntry):
        raise
    except XinglinError as error:
        raise MalformedEntry("The bytes are not an entry.", why=error.what) from error
    if canonical != data:
        raise MalformedEntry("The entry is not in its canonical spelling.")
    return entry


class _Version(msgspec.Struct):
    version: int


def _check_fields(entry: Entry) -> None:
    PARTIES.check(len(entry.parties))
    COMMITMENTS.check(len(entry.commitments))
    if not 0 <= entry.at <= 2**53 - 1:
        raise MalformedEntry("An entry's time is a whole number of milliseconds since 1970.")
    if not all(_DID.fullmatch(did) for did in (entry.submitter, *entry.parties)):
        raise MalformedEntry("An entry's submitter and parties are DIDs of this space.")
    if len(set(entry.parties)) != len(entry.parties):
        raise MalformedEntry("An entry names a party twice.")
    if not _SUBJECT.fullmatch(entry.subject):
        raise MalformedEntry("An entry's subject is an id, a digest, a DID or nothing.")
    if not all(_LABEL.fullmatch(label) for label in entry.commitments):
        raise MalformedEntry("A commitment's label is 1 to 64 of a-z, 0-9 and underscore.")
    if not all(_COMMITMENT.fullmatch(text) for text in entry.commitments.values()):
        raise MalformedEntry("A commitment is salted-sha256: and 64 hexadecimal digits.")
