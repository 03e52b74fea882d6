"""Pseudonyms under a key that two holders share: neither can compute one alone.

The key of a study is ``k = k₁ + k₂``; a holder keeps one share, derived from its seed and the study's name, so every
study has a key of its own and pseudonyms of two studies cannot be joined. An asker (a hospital's node) blinds its
identity numbers once; each holder multiplies the same blinded elements by its share and proves it (``oprf``, mode
VOPRF); the asker checks both proofs, adds the answers, and takes the blind away. The result is that of RFC 9497 under
the whole key.

Who learns what: a holder sees uniform elements, never an identity or a pseudonym. A holder with every pseudonym of a
study and a dictionary of all identity numbers learns nothing, for it lacks the other share. *Both holders together can
run a dictionary*; so can a hospital, for as many numbers as its quota allows (``quota``). A holder that answers with
another key is caught by its proof. A share is announced with a proof that its holder knows the key, so none can choose
its share to cancel the other's.

Guarantee: F of RFC 9497 in the random oracle model, one-more gap Diffie–Hellman in ristretto255, one honest holder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.secure.blind import oprf, proofs, ristretto
from xinglin.secure.blind.errors import BadProof, NotAScalar, WrongAnswer
from xinglin.secure.blind.hashing import sized, to_element
from xinglin.secure.blind.oprf import Evaluation, Mode
from xinglin.secure.ports import Entropy

STUDY_BYTES = Limit("name of a study", 200, "bytes")
HOLDERS = 2
PSEUDONYM_BYTES = 32
_MODE = Mode.VOPRF
_OWN = b"xinglin blind key share/1"


class Share(msgspec.Struct, frozen=True):
    """A holder's public key share for one study: ``element = k·G``, with a proof that ``holder`` knows ``k``."""

    holder: str
    study: str
    element: bytes
    witness: bytes
    proof: bytes
    version: int = 1

    def digest(self) -> bytes:
        """32 bytes that name this share."""
        return hashlib.sha256(b"".join(map(sized, _fields(self)))).digest()


def _fields(share: Share) -> tuple[bytes, ...]:
    return _OWN, share.holder.encode(), share.study.encode(), share.element, share.witness, share.proof


class Holder:
    """One key holder's side: a seed of 32 bytes that never leaves it, and what it answers with its shares."""

    def __init__(self, did: str, seed: bytes, entropy: Entropy) -> None:
        if len(seed) != 32:
            raise NotAScalar("A seed has 32 bytes.")
        self.did, self._seed, self._entropy = did, seed, entropy

    def announce(self, study: str) -> Share:
        """The share for ``study``: the same key each time, a fresh proof."""
        key, element = self._key(study)
        point = _own_point(self.did, study, element)
        witness = ristretto.multiply(key, point)
        blind = ristretto.random_scalar(self._entropy)
        proof = proofs.prove(_MODE.context, key, element, [point], [witness], blind)
        return Share(self.did, study, element, witness, proof)

    def evaluate(self, study: str, blinded: Sequence[bytes]) -> Evaluation:
        """The answer to a batch, with its proof. The caller has charged the quota before (``quota``).

        Raises ``NotAnElement`` for the identity and for what is no canonical element; ``LimitExceeded``.
        """
        return oprf.evaluate(self._key(study)[0], blinded, self._entropy, _MODE)

    def _key(self, study: str) -> tuple[bytes, bytes]:
        name = study.encode()
        STUDY_BYTES.check(len(name))
        if not name:
            raise WrongAnswer("A key share belongs to a named study.")
        return oprf.derive_key(self._seed, sized(_OWN) + sized(name), _MODE)


def _own_point(holder: str, study: str, element: bytes) -> bytes:
    return to_element(b"".join(map(sized, (holder.encode(), study.encode(), element))), _OWN)


def check_share(share: Share) -> None:
    """Raise ``BadProof`` or ``NotAnElement`` unless the share's holder proved to know its key."""
    if share.version != 1:
        raise WrongAnswer("This key share was written by a newer version.", who=share.holder, remedy="Update.")
    ristretto.check_element(share.element)
    ristretto.check_element(share.witness)
    point = _own_point(share.holder, share.study, share.element)
    proofs.check(_MODE.context, share.element, [point], [share.witness], share.proof)


class Asked(msgspec.Struct, frozen=True):
    """One batch on its way: what goes to the holders, and what never leaves the asker (inputs and blinds)."""

    blinded: tuple[bytes, ...]
    inputs: tuple[bytes, ...]
    blinds: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Asked({len(self.blinded)} elements)"


class Asker:
    """A hospital's side for one study: it trusts no holder, and checks both."""

    def __init__(self, study: str, shares: Sequence[Share], entropy: Entropy) -> None:
        """``shares``: the announced shares of exactly two holders; each is checked here."""
        if len({share.holder for share in shares}) != HOLDERS or len(shares) != HOLDERS:
            raise WrongAnswer("The key of a study has two holders, each with a share of its own.")
        for share in shares:
            if share.study != study:
                raise WrongAnswer("A key share of another study.", who=share.holder)
            check_share(share)
        total = ristretto.add(shares[0].element, shares[1].element)
        ristretto.check_element(total)  # shares that cancel would make every pseudonym public
        self.study, self.shares, self._entropy = study, {share.holder: share for share in shares}, entropy

    def ask(self, inputs: Sequence[bytes]) -> Asked:
        """Blind a batch of inputs, each by a scalar of its own."""
        proofs.BATCH.check(len(inputs))
        blinds = [ristretto.random_scalar(self._entropy) for _ in inputs]
        blinded = [oprf.blind(one, scalar, _MODE) for one, scalar in zip(inputs, blinds, strict=True)]
        return Asked(tuple(blinded), tuple(inputs), tuple(blinds))

    def finish(self, asked: Asked, answers: Mapping[str, Evaluation]) -> list[bytes]:
        """The pseudonyms (32 bytes each) of the batch's inputs, in order.

        ``answers``: by holder. Raises ``WrongAnswer`` when one is missing or has another length, ``BadProof`` (with
        ``who``) when a holder did not use its announced share.
        """
        if set(answers) != set(self.shares):
            raise WrongAnswer("The answers are not those of the two holders.")
        for holder, answer in answers.items():
            if len(answer.elements) != len(asked.blinded):
                raise WrongAnswer("An answer of another length than the question.", who=holder)
            try:
                oprf.check(self.shares[holder].element, asked.blinded, answer, _MODE)
            except BadProof as error:
                raise BadProof(error.what, who=holder, remedy=error.remedy) from error
        first, second = (answer.elements for answer in answers.values())
        inverses = ristretto.invert_all(asked.blinds)
        return [
            oprf.finish(data, inverse, ristretto.add(one, other), _MODE)[:PSEUDONYM_BYTES]
            for data, inverse, one, other in zip(asked.inputs, inverses, first, second, strict=True)
        ]
