"""A study: who asks, why, and on what ground in law; signed by its requester."""

from __future__ import annotations

import msgspec

from xinglin.contract.errors import NotThisStudy
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.purposes import BASES, check_purpose
from xinglin.terms.request import is_did, is_name
from xinglin.trust.envelope import Signed, open_signed_as, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

STUDY = "study/1"
"""Signing context of a study."""

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


def sign_study(private: PrivateKeys, study: Study) -> Signed:
    """The requester's envelope; raises ``NotThisStudy`` for another's key or a study that is not well formed."""
    _well_formed(study)
    if private.did != study.requester:
        raise NotThisStudy("A study is signed by its requester.")
    return sign(private, STUDY, study)


def open_study(signed: Signed, directory: Directory, *, at: int | None = None) -> Study:
    """The study, verified; raises what ``open_signed`` raises, and ``NotThisStudy``."""
    study = open_signed_as(signed, STUDY, directory, Study, at=at)
    _well_formed(study)
    if signed.signer != study.requester:
        raise NotThisStudy("The study was signed by somebody other than its requester.")
    return study


def _reason(words: str, remedy: str) -> Reason:
    return Reason("contract.bad_study", words, remedy)


def _well_formed(study: Study) -> None:
    verdict = check_study(study)
    if isinstance(verdict, Denied):
        raise NotThisStudy("The study is not well formed.", why=" ".join(r.words for r in verdict.reasons))
