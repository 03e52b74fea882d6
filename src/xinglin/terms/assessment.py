"""A third party's security assessment, as whoever answers for a node registers it: signed, and with an end.

Grade L3 and policies (``securityAssessment``) ask for one that stands. What is signed is that a report with this digest
exists and what it is about; the report itself stays with the hospital, and a reader compares its digest.

    name = "mlps-3-2026"
    assessor = "Shanghai Testing Centre"
    scheme = "GB/T 22239-2019, level 3"
    made = 2026-03-01T00:00:00+08:00
    expires = 2027-03-01T00:00:00+08:00
"""

from __future__ import annotations

import datetime as dt
import tomllib

import msgspec

from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.request import is_did, is_digest, is_name
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

ASSESSMENT = "security-assessment/1"
"""Signing context of an assessment."""

STATEMENT_BYTES = Limit("statement of an assessment", 64 * 1024, "bytes")
LIFETIME_MS = Limit("lifetime of an assessment", 3 * 366 * 86_400_000, "milliseconds")


class BadAssessment(XinglinError):
    """An assessment that cannot be registered, or is not what it says."""

    code = "terms.bad_assessment"


class Assessment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was assessed, by whom, until when. Version 1; append-only.

    ``name``: by which policies ask for it. ``node``: DID of the hospital that was assessed. ``assessor``, ``scheme``:
    the third party and what it assessed against, in words. ``document``: digest of the report. ``data_sets``: which it
    covers; none named: all of the node.
    """

    name: str
    node: str
    assessor: str
    scheme: str
    document: str
    made: Instant
    expires: Instant
    data_sets: tuple[str, ...] = ()
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)

    def covers(self, data_set: str, now: Instant) -> bool:
        """Whether it is about the data set, and in its time."""
        return self.made <= now < self.expires and (not self.data_sets or data_set in self.data_sets)


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    assessor: str
    scheme: str
    made: dt.datetime
    expires: dt.datetime
    data_sets: tuple[str, ...] = ()


def read_statement(text: str, node: str, document: str) -> Assessment:
    """What a TOML text says of a report, whose digest is ``document``; ``BadAssessment`` names every fault."""
    STATEMENT_BYTES.check(len(text.encode("utf-8", "replace")))
    try:
        said = msgspec.convert(tomllib.loads(text), type=_Statement)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadAssessment("Not a statement of an assessment.", why=str(error)) from error
    if said.made.tzinfo is None or said.expires.tzinfo is None:
        raise BadAssessment("An instant has no zone.", remedy="Write 2026-03-01T00:00:00+08:00.")
    made, expires = (round(one.timestamp() * 1000) for one in (said.made, said.expires))
    names = tuple(sorted(set(said.data_sets)))
    return Assessment(said.name, node, said.assessor, said.scheme, document, made, expires, names)


def check_assessment(one: Assessment, now: Instant) -> Verdict:
    """Whether it may be registered now, with every reason why not."""
    reasons = []
    if one.version != 1:
        reasons.append(_reason(f"Version {one.version} of an assessment is not known here.", "Upgrade."))
    if not is_name(one.name) or not all(map(is_name, one.data_sets)):
        reasons.append(_reason("Assessment and data sets have plain names.", "Use letters, digits, . _ : and -."))
    if not is_did(one.node) or not is_digest(one.document):
        reasons.append(_reason("It names the hospital's DID and its report's digest.", "Name both."))
    if any(not text.strip() or not text.isprintable() or len(text) > 400 for text in (one.assessor, one.scheme)):
        reasons.append(_reason("It says who assessed, and against what.", "Say it in a line each."))
    if not 0 <= one.made < one.expires or one.expires - one.made > LIFETIME_MS.value:
        reasons.append(_reason("It ends after it was made, within three years.", "Set its dates."))
    elif not one.made <= now < one.expires:
        reasons.append(_reason("It has expired, or was made in the future.", "Have the environment assessed anew."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def sign_assessment(private: PrivateKeys, one: Assessment) -> Signed:
    """The envelope by which whoever registers it answers for it."""
    return sign(private, ASSESSMENT, one, pq=True)


def open_assessment(signed: Signed, node: str, registrars: frozenset[str], directory: Directory) -> Assessment:
    """The assessment of ``node``, signed by one of ``registrars`` with keys that stand; raises as ``open_signed`` does,
    and ``BadAssessment``."""
    if signed.signer not in registrars:
        raise BadAssessment(
            "It is signed by somebody who registers none here.", remedy="Have hospital or operator sign."
        )
    payload = open_signed(signed, ASSESSMENT, directory, need_pq=True)
    one = decode_json(payload, Assessment)
    if canonical_bytes(one) != payload or one.version != 1 or one.node != node:
        raise BadAssessment("It is another hospital's, or not written in its canonical form.")
    return one


def _reason(words: str, remedy: str) -> Reason:
    return Reason("terms.bad_assessment", words, remedy)
