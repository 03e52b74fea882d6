"""The agreement between a study and one hospital, signed by both, named by its digest.

Each side signs the same canonical bytes with Ed25519 and, detached beside it, ML-DSA-65. The format is
append-only: a new field takes a new version, and an unknown version is refused.
"""

from __future__ import annotations

import msgspec

from xinglin.contract.errors import NotThisAgreement
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.agreed import AgreedTerms, check_agreed
from xinglin.terms.facts import AgreementFacts
from xinglin.terms.request import is_did, is_digest, is_name
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

AGREEMENT = "agreement/1"
"""Signing context of an agreement."""

VERSIONS = (1, 2, 3)
"""Known versions: 2 has terms with a policy, 3 names the application that it follows from."""


class Agreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who agrees with whom, for which study, on which data set, on what terms.

    ``provider`` and ``consumer``: DIDs, each with the digest of its keys. ``made``: when it was written.
    ``replaces``: digest of the agreement that this one amends or renews, or empty. ``application``: digest of the
    study's application that the offer follows from; in version 3 alone, and in the bytes of no earlier one.
    """

    provider: str
    provider_keys: str
    consumer: str
    consumer_keys: str
    study: str
    data_set: str
    terms: AgreedTerms
    made: Instant
    replaces: str = ""
    version: int = 1
    application: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def applied(self) -> str:
        """The digest of the application that it follows from; "" where it names none."""
        return "" if isinstance(self.application, msgspec.UnsetType) else self.application

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: the agreement's name."""
        return canonical_digest(self)


class SignedAgreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Both sides' envelopes over one agreement."""

    provider: Signed
    consumer: Signed


def check_agreement(agreement: Agreement) -> Verdict:
    """Whether an agreement may be written, offered or countersigned at all, with every reason why not."""
    reasons: list[Reason] = []
    terms = check_agreed(agreement.terms)
    if isinstance(terms, Denied):
        reasons += terms.reasons
    named = not isinstance(agreement.application, msgspec.UnsetType)
    if agreement.version in VERSIONS and agreement.version != (3 if named else agreement.terms.version):
        words = "Version 3 of an agreement names its application, version 2 has a policy, version 1 has neither."
        reasons.append(_reason(words, "Write the version that the terms need."))
    if named and not is_digest(agreement.applied):
        reasons.append(_reason("An application is named by its digest.", "Name the digest, or nothing."))
    if agreement.version not in VERSIONS:
        reasons.append(_reason(f"Version {agreement.version} of an agreement is not known here.", "Upgrade."))
    if not is_did(agreement.provider) or not is_did(agreement.consumer) or agreement.provider == agreement.consumer:
        reasons.append(_reason("An agreement has two different parties.", "Name both DIDs."))
    if not is_digest(agreement.provider_keys) or not is_digest(agreement.consumer_keys):
        reasons.append(_reason("Each party is pinned to the digest of its keys.", "Look the digests up in the log."))
    if not is_name(agreement.study) or not is_name(agreement.data_set):
        reasons.append(_reason("Study and data set have plain names.", "Use letters, digits, . _ : and -."))
    if any(peer.did == agreement.provider for peer in agreement.terms.peers):
        reasons.append(_reason("The provider is not its own peer.", "Name the other hospitals only."))
    if agreement.replaces and not is_digest(agreement.replaces):
        reasons.append(_reason("An agreement is replaced by naming its digest.", "Name the digest, or nothing."))
    if not 0 <= agreement.made < agreement.terms.expires:
        reasons.append(_reason("An agreement is made before it expires.", "Set its dates."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def sign_agreement(private: PrivateKeys, agreement: Agreement) -> Signed:
    """One side's envelope; raises ``NotThisAgreement`` for a stranger, other keys or terms not agreeable."""
    _agreeable(agreement)
    if _keys_of(agreement, private.did) != private.public.digest():
        raise NotThisAgreement("These keys are of neither party as the agreement pins them.")
    return sign(private, AGREEMENT, agreement, pq=True)


def open_offer(signed: Signed, directory: Directory, *, at: int | None = None) -> Agreement:
    """The agreement that one of its parties signed, verified (keys after log index ``at``).

    Raises what ``open_signed`` raises, ``MalformedMessage``, and ``NotThisAgreement`` when the signer is no
    party, its keys are not the pinned ones, the bytes are not the canonical ones, or the terms not agreeable.
    """
    payload = open_signed(signed, AGREEMENT, directory, at=at, need_pq=True)
    agreement = decode_json(payload, Agreement)
    if canonical_bytes(agreement) != payload:
        raise NotThisAgreement("The agreement is not written in its canonical form.")
    _agreeable(agreement)
    if _keys_of(agreement, signed.signer) != directory.keys(signed.signer, at).digest():
        raise NotThisAgreement("The signer is no party of the agreement, or signed with other keys.")
    return agreement


def open_agreement(signed: SignedAgreement, directory: Directory, *, at: int | None = None) -> Agreement:
    """The agreement, once both parties are found to have signed the same one; raises as ``open_offer``."""
    mine = open_offer(signed.provider, directory, at=at)
    theirs = open_offer(signed.consumer, directory, at=at)
    if mine != theirs or signed.provider.payload != signed.consumer.payload:
        raise NotThisAgreement("The two sides signed different agreements.")
    if (signed.provider.signer, signed.consumer.signer) != (mine.provider, mine.consumer):
        raise NotThisAgreement("The signatures are not one of each party.")
    return mine


def agreement_facts(agreement: Agreement, state: str) -> AgreementFacts:
    """What ``decide`` needs of an opened agreement in ``state``."""
    return AgreementFacts(
        digest=agreement.digest(),
        state=state,
        provider=agreement.provider,
        consumer=agreement.consumer,
        study=agreement.study,
        data_set=agreement.data_set,
        terms=agreement.terms,
    )


def _reason(words: str, remedy: str) -> Reason:
    return Reason("contract.not_agreeable", words, remedy)


def _agreeable(agreement: Agreement) -> None:
    verdict = check_agreement(agreement)
    if isinstance(verdict, Denied):
        raise NotThisAgreement(
            "The agreement cannot be made.",
            why=" ".join(reason.words for reason in verdict.reasons),
            remedy=" ".join(dict.fromkeys(reason.remedy for reason in verdict.reasons)),
        )


def _keys_of(agreement: Agreement, did: str) -> str:
    pinned = {agreement.consumer: agreement.consumer_keys, agreement.provider: agreement.provider_keys}
    return pinned.get(did, "")
