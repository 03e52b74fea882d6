"""What happens to an agreement once it is in force, as signed leaves: digests, parties and instants, nothing else.

An amendment and a renewal name the agreement that follows, which both parties signed; a suspension, a resumption and
an end name nothing; a breach names the digest of a notice, of its answer, or of what closes it. Each leaf carries an
envelope (Ed25519 and ML-DSA-65) of the party that makes it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.contract.errors import NotThisChange
from xinglin.evidence.entry import Entry
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant
from xinglin.terms.request import is_digest
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys, verify
from xinglin.trust.ports import Directory

CHANGE = "agreement-change/1"
"""Signing context of a change."""

ENDING_CONTEXT = "ending"
"""Signing context of version 1 of an end (Ed25519 alone)."""

EVENTS = {
    "agreement-amendment": "amend",
    "agreement-renewal": "renew",
    "agreement-suspension": "suspend",
    "agreement-resumption": "resume",
    "agreement-end": "terminate",
    "agreement-breach": "breach",
}
"""Kind of leaf to event; ``breach`` moves no agreement."""

KIND_OF = {event: kind for kind, event in EVENTS.items()}
"""Event to kind of leaf."""

BREACH_STEPS = ("notice", "answer", "close")


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event of the agreement ``agreement`` (a digest), made at the instant ``made`` by the envelope's signer.

    ``successor``: digest of the agreement that follows (amend, renew). ``document``: digest of the paper behind it:
    the two envelopes over the successor, a notice of breach, an answer. ``step`` and ``about``: of a breach, and the
    digest of the notice that an answer or a closing is about. A signer's changes of one agreement have rising
    instants, so that a copied leaf changes nothing.
    """

    event: str
    agreement: str
    made: Instant
    successor: str = ""
    document: str = ""
    step: str = ""
    about: str = ""
    version: int = 1


class ChangeLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a leaf: the envelope around the change."""

    signed: Signed
    version: int = 2


class EndingLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Version 1 of an end: who ends what. Also the body of a ``freeze``."""

    subject: str
    by: str
    signature: bytes
    version: int = 1


def sign_change(private: PrivateKeys, change: Change) -> dict[str, Any]:
    """The body of the leaf of kind ``KIND_OF[change.event]``; ``NotThisChange`` for a change that says too little."""
    _well_formed(change)
    body: dict[str, Any] = msgspec.to_builtins(ChangeLeaf(sign(private, CHANGE, change, pq=True)))
    return body


def open_change(entry: Entry, directory: Directory, at: int) -> tuple[Change, str]:
    """The change that a leaf carries and the DID that signed it, by the keys after log index ``at``.

    Raises ``MalformedMessage``, ``NotThisChange``, and what opening a signature raises.
    """
    if entry.kind == "agreement-end" and entry.body.get("version") == 1:
        leaf = open_ending_leaf(entry, directory, at)
        return Change("terminate", leaf.subject, entry.at), leaf.by
    try:
        signed = msgspec.convert(entry.body, ChangeLeaf).signed
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"Not a change of an agreement: {error}.") from error
    payload = open_signed(signed, CHANGE, directory, at=at, need_pq=True)
    change = decode_json(payload, Change)
    if canonical_bytes(change) != payload:
        raise NotThisChange("The change is not written in its canonical form.")
    _well_formed(change)
    if KIND_OF[change.event] != entry.kind or change.agreement != entry.subject:
        raise NotThisChange("The leaf is about something else than what was signed.")
    return change, signed.signer


def open_ending_leaf(entry: Entry, directory: Directory, at: int) -> EndingLeaf:
    """Version 1 of an end, or a freeze, its signature verified."""
    try:
        leaf = msgspec.convert(entry.body, EndingLeaf)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"Not an ending leaf: {error}.") from error
    verify(directory.keys(leaf.by, at), ENDING_CONTEXT, ending_claim(entry.kind, leaf.subject), leaf.signature)
    return leaf


def ending_claim(kind: str, subject: str) -> bytes:
    """The bytes that the signature of an ``EndingLeaf`` is over."""
    return canonical_bytes({"kind": kind, "subject": subject, "version": 1})


def _well_formed(change: Change) -> None:
    if change.version != 1:
        raise NotThisChange(f"Version {change.version} of a change is not known here.", remedy="Update the software.")
    if change.event not in KIND_OF or not is_digest(change.agreement) or not 0 <= change.made <= 2**53 - 1:
        raise NotThisChange("A change names its event, an agreement's digest and an instant.")
    replaces = change.event in ("amend", "renew")
    if replaces != is_digest(change.successor) or (not replaces and change.successor):
        raise NotThisChange("An amendment and a renewal name what follows, and nothing else does.")
    breach = change.event == "breach"
    if breach != (change.step in BREACH_STEPS) or (not breach and (change.step or change.about)):
        raise NotThisChange("A breach has a step, and nothing else has one.")
    if breach and (change.step == "notice") == is_digest(change.about):
        raise NotThisChange("An answer and a closing name the notice that they are about.")
    needed = replaces or (breach and change.step != "close")
    if not is_digest(change.document) and (needed or change.document):
        raise NotThisChange("A document is named by its digest.")
