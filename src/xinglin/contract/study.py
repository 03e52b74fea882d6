"""A study, and its one application: who asks which hospitals for what, signed once by the requester.

Every hospital's offer follows from the application and a template (``templates.offers``), so that each can see that it
was asked the same as the others.
"""

from __future__ import annotations

import msgspec

from xinglin.contract.errors import NotThisStudy
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.agreed import CohortView, Peer
from xinglin.terms.purposes import BASES, check_purpose
from xinglin.terms.request import ROSTER, is_did, is_digest, is_name
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

APPLICATION = "study-application/1"
"""Signing context of an application."""

TITLE_CHARACTERS = Limit("study title", 200, "characters")


class Study(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``id``: plain name. ``requester``: a person's DID, ``institution``: theirs. ``basis``: one of ``BASES``."""

    id: str
    title: str
    requester: str
    institution: str
    purpose: str
    basis: str
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


class Application(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study asks of several hospitals at once, by ``template`` (its name and digest).

    ``consumer``: who signs the agreements, with the digest of its keys. ``hospitals``: sorted by DID. ``days`` and
    ``allowance``: 0 means the template's. ``recipients``: empty means the consumer.
    """

    study: Study
    template: str
    template_digest: str
    data_set: str
    cohort: tuple[CohortView, ...]
    variables: tuple[str, ...]
    consumer: Peer
    hospitals: tuple[Peer, ...]
    made: Instant
    days: int = 0
    allowance: int = 0
    recipients: tuple[str, ...] = ()
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


def check_study(study: Study) -> Verdict:
    """Whether a study is well formed, with every reason why not."""
    reasons = []
    if study.version != 1:
        reasons.append(_reason(f"Version {study.version} of a study is not known here.", "Upgrade."))
    if not is_name(study.id):
        reasons.append(_reason("The study has no valid id.", "Use letters, digits, . _ : and -."))
    if not study.title.strip() or not study.title.isprintable() or len(study.title) > TITLE_CHARACTERS.value:
        reasons.append(_reason("A title is 1 to 200 printable characters.", "Give it a title."))
    if not is_did(study.requester) or not is_did(study.institution):
        reasons.append(_reason("Requester and institution are DIDs of this space.", "Look them up."))
    if study.basis not in BASES:
        reasons.append(_reason(f"'{study.basis[:40]}' is not a basis.", f"Use one of {', '.join(BASES)}."))
    purpose = check_purpose(study.purpose)
    if isinstance(purpose, Denied):
        reasons += purpose.reasons
    return Denied(tuple(reasons)) if reasons else Allowed()


def check_application(application: Application) -> Verdict:
    """Whether an application is well formed, its study too, with every reason why not; the terms are the offers'."""
    found = check_study(application.study)
    reasons = list(found.reasons) if isinstance(found, Denied) else []
    if application.version != 1:
        reasons.append(_reason(f"Version {application.version} of an application is not known here.", "Upgrade."))
    if not is_name(application.template) or not is_digest(application.template_digest):
        reasons.append(_reason("A template has a name and a digest.", "Name it."))
    dids = [one.did for one in application.hospitals]
    if not 1 <= len(dids) <= ROSTER.value or dids != sorted(set(dids)):
        reasons.append(_reason(f"An application is to 1 to {ROSTER.value} hospitals, sorted, each once.", "Name them."))
    if application.consumer.did in dids:
        reasons.append(_reason("Who asks is none of the hospitals that are asked.", "Leave it out."))
    if application.consumer.did not in (application.study.requester, application.study.institution):
        reasons.append(_reason("The requester or its institution signs the agreements.", "Name one of them."))
    if application.days < 0 or application.allowance < 0 or application.made < 0:
        reasons.append(_reason("Days, allowance and instant are not negative.", "Set them."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def sign_application(private: PrivateKeys, application: Application) -> Signed:
    """The requester's envelope; ``NotThisStudy`` for another's key or an application that is not well formed."""
    _well_formed(application)
    if private.did != application.study.requester:
        raise NotThisStudy("An application is signed by the study's requester.")
    return sign(private, APPLICATION, application, pq=True)


def open_application(signed: Signed, directory: Directory, *, at: int | None = None) -> Application:
    """The application, verified; raises what ``open_signed`` raises, ``MalformedMessage``, and ``NotThisStudy``."""
    payload = open_signed(signed, APPLICATION, directory, at=at, need_pq=True)
    application = decode_json(payload, Application)
    if canonical_bytes(application) != payload:
        raise NotThisStudy("The application is not written in its canonical form.")
    _well_formed(application)
    if signed.signer != application.study.requester:
        raise NotThisStudy("The application was signed by somebody other than the study's requester.")
    return application


def _reason(words: str, remedy: str) -> Reason:
    return Reason("contract.bad_study", words, remedy)


def _well_formed(application: Application) -> None:
    verdict = check_application(application)
    if isinstance(verdict, Denied):
        raise NotThisStudy("The application is not well formed.", why=" ".join(r.words for r in verdict.reasons))
