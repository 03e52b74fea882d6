"""A key holder at work: a hospital's signed question, its quota, the evidence, then the evaluation.

The order is always the same, at the hub and at the regulator: (1) the signature of a hospital's node and its clock;
(2) whether the study may be keyed for this hospital; (3) the quota, charged in one transaction before anything is
computed; (4) an entry of evidence, by the caller, before the answer leaves; (5) the evaluation with its proof, signed.
A charge is never given back. No identity, no element and no number of a hospital stands in a log line or a leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from xinglin.evidence.commitments import commit
from xinglin.evidence.entry import Entry
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Verdict, deny
from xinglin.secure.blind import proofs, ristretto
from xinglin.secure.blind.errors import WrongAnswer
from xinglin.secure.blind.oprf import Evaluation
from xinglin.secure.blind.quota import QuotaRule, batch_digest
from xinglin.secure.blind.split import Holder, Share, check_share
from xinglin.secure.errors import Refused
from xinglin.secure.ports import Entropy
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

QUESTION_CONTEXT, ANSWER_CONTEXT, SHARE_CONTEXT = "blind-question/1", "blind-answer/1", "blind-share/1"
QUESTION_BYTES = Limit("question of a blind matching", proofs.BATCH.value * ristretto.ELEMENT_BYTES + 8_192, "bytes")
CLOCK_SKEW_MS = 120_000


class Question(msgspec.Struct, frozen=True):
    """What a hospital signs: a batch of blinded elements (joined), and how many patients it has.

    ``counted``: its patient index counted them, and no officer wrote the number; absent in the bytes of older nodes.
    """

    node: str
    study: str
    at: Instant
    patients: int
    elements: bytes
    version: int = 1
    counted: bool | msgspec.UnsetType = msgspec.UNSET


class Answered(msgspec.Struct, frozen=True):
    """What a holder signs: the evaluated elements (joined) of the batch with this digest, and their proof."""

    holder: str
    study: str
    batch: bytes
    elements: bytes
    proof: bytes
    version: int = 1

    def evaluation(self) -> Evaluation:
        """The answer as the asker checks it."""
        return Evaluation(tuple(ristretto.split_elements(self.elements)), self.proof)


class Spending(msgspec.Struct, frozen=True):
    """One batch as a holder notes it. ``salt`` opens the commitment in the log to an auditor."""

    batch: bytes
    node: str
    study: str
    period: int
    patients: int
    elements: int
    at: Instant
    salt: bytes

    def commitment(self) -> str:
        """The salted commitment that the leaf carries."""
        said = (self.node, self.study, self.period, self.patients, self.elements)
        return commit(self.salt, {"spent": list(said), "batch": self.batch.hex()})


class Ledger(Protocol):
    """Where a holder notes what was spent; the implementation is ``stores.blind_ledger``."""

    def spend(self, spending: Spending, rule: QuotaRule) -> Spending | Denied:
        """Judge and note in one transaction; durable before it returns. The same batch again is the first note."""


class Permits(Protocol):
    """Whether a study may be keyed for a hospital here and now."""

    def __call__(self, node: str, study: str, /) -> Verdict: ...


class Keeper:
    """One key holder: at the hub, or at the regulator's witness."""

    def __init__(
        self,
        keys: PrivateKeys,
        seed: bytes,
        directory: Callable[[], Directory],
        ledger: Ledger,
        permits: Permits,
        rule: QuotaRule,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._keys, self._holder = keys, Holder(keys.did, seed, entropy)
        self._directory, self._ledger, self._permits = directory, ledger, permits
        self._rule, self._clock, self._entropy = rule, clock, entropy

    def share(self, study: str) -> Signed:
        """The holder's public key share for ``study``, signed."""
        return sign(self._keys, SHARE_CONTEXT, encode_msgpack(self._holder.announce(study)))

    def admit(self, signed: Signed) -> tuple[Question, Spending, Entry]:
        """Steps 1 to 3: the question, what was charged for it, and the entry to log before ``answer``.

        Raises what ``open_signed`` raises, ``Refused`` with every reason, ``NotAnElement``, ``LimitExceeded``.
        """
        question = _read(signed, self._directory())
        now = self._clock()
        elements = ristretto.split_elements(question.elements)
        _yes(self._check(question, now), question.node)
        _yes(self._permits(question.node, question.study), question.node)
        spending = Spending(
            batch_digest(question.study, elements),
            question.node,
            question.study,
            self._rule.period(now),
            question.patients,
            len(elements),
            now,
            self._entropy(32),
        )
        noted = self._ledger.spend(spending, self._rule)
        if isinstance(noted, Denied):
            raise Refused(noted, who=question.node)
        entry = Entry(
            kind="evaluation",
            at=noted.at,
            submitter=self._keys.did,
            parties=(self._keys.did, question.node),
            subject="sha256:" + hashlib.sha256(self._keys.did.encode() + noted.batch).hexdigest(),
            commitments={"spent": noted.commitment()},
        )
        return question, noted, entry

    def answer(self, question: Question, spending: Spending) -> Signed:
        """Step 5: evaluate what ``admit`` let in."""
        found = self._holder.evaluate(question.study, ristretto.split_elements(question.elements))
        said = Answered(self._keys.did, question.study, spending.batch, b"".join(found.elements), found.proof)
        return sign(self._keys, ANSWER_CONTEXT, encode_msgpack(said))

    def _check(self, question: Question, now: Instant) -> Verdict | None:
        if "provider" not in self._directory().roles(question.node):
            return deny("secure.not_a_hospital", "Only a hospital's node asks for evaluations.")
        if abs(question.at - now) > CLOCK_SKEW_MS:
            return deny("secure.question_clock", "The question was signed too long ago.", "Set the clock; sign again.")
        return None


def _yes(verdict: Verdict | None, who: str) -> None:
    if isinstance(verdict, Denied):
        raise Refused(verdict, who=who)


def _read(signed: Signed, directory: Directory) -> Question:
    question = decode_msgpack(open_signed(signed, QUESTION_CONTEXT, directory), Question, QUESTION_BYTES)
    if question.version != 1:
        raise MalformedMessage("This question was written by a newer version.", remedy="Update.")
    if question.node != signed.signer:
        raise WrongAnswer("A question in another's name.", who=signed.signer)
    return question


def ask(
    keys: PrivateKeys, study: str, patients: int, elements: tuple[bytes, ...], at: Instant, *, counted: bool = False
) -> Signed:
    """A hospital's signed question about a batch of blinded elements."""
    said = True if counted else msgspec.UNSET
    question = Question(keys.did, study, at, patients, b"".join(elements), counted=said)
    return sign(keys, QUESTION_CONTEXT, encode_msgpack(question))


def open_share(signed: Signed, holder: str, study: str, directory: Directory) -> Share:
    """The share that ``holder`` announced for ``study``, its proofs checked; ``WrongAnswer`` or ``BadProof``."""
    share = decode_msgpack(open_signed(signed, SHARE_CONTEXT, directory), Share, QUESTION_BYTES)
    if signed.signer != holder or share.holder != holder or share.study != study:
        raise WrongAnswer("A key share of another holder or study.", who=signed.signer)
    check_share(share)
    return share


def open_answer(
    signed: Signed, holder: str, study: str, elements: tuple[bytes, ...], directory: Directory
) -> Evaluation:
    """What ``holder`` answered to this batch; its proof is checked by ``Asker.finish``."""
    said = decode_msgpack(open_signed(signed, ANSWER_CONTEXT, directory), Answered, QUESTION_BYTES)
    if said.version != 1 or signed.signer != holder or said.holder != holder or said.study != study:
        raise WrongAnswer("An answer of another holder or study.", who=signed.signer)
    if said.batch != batch_digest(study, elements):
        raise WrongAnswer("An answer to another batch.", who=holder)
    return said.evaluation()
