"""What can be wrong with evidence; every verification here ends in a value or in one of these."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class EvidenceError(XinglinError):
    """Root of this room's errors."""

    code = "evidence.error"


class MalformedEntry(EvidenceError):
    """Bytes that are not an entry, or an entry that says what a leaf may not say."""

    code = "evidence.entry"


class NewerVersion(EvidenceError):
    """A version that this software does not know; it is refused, not guessed."""

    code = "evidence.version"


class MalformedNote(EvidenceError):
    """Text that is not a signed note."""

    code = "evidence.note"


class MalformedKey(EvidenceError):
    """Text that is not a verifier key, or a key that must not be used."""

    code = "evidence.key"


class MalformedCheckpoint(EvidenceError):
    """A note text that is not a checkpoint."""

    code = "evidence.checkpoint"


class MalformedPolicy(EvidenceError):
    """Text that is not a policy, or a policy that contradicts itself."""

    code = "evidence.policy"


class MalformedReceipt(EvidenceError):
    """Text that is not a receipt."""

    code = "evidence.receipt"


class MalformedArchive(EvidenceError):
    """A file that is not an offline bundle, or one that does not hold what it says."""

    code = "evidence.archive"


class MalformedBundle(EvidenceError):
    """Bytes that are not a tile or an entry bundle, or a path that names none."""

    code = "evidence.bundle"


class BadSignature(EvidenceError):
    """A signature of a known key that does not verify, or no signature of any known key."""

    code = "evidence.signature"


class UnknownLog(EvidenceError):
    """A checkpoint that no log of the policy signed."""

    code = "evidence.log"


class QuorumMissed(EvidenceError):
    """A checkpoint that too few, or not the mandatory, witnesses cosigned."""

    code = "evidence.quorum"


class BadProof(EvidenceError):
    """An inclusion or consistency proof that does not lead to the root."""

    code = "evidence.proof"


class MissingHash(EvidenceError):
    """A hash of the tree that a reader was asked for and does not have."""

    code = "evidence.missing_hash"


class CommitmentMismatch(EvidenceError):
    """A value and salt that are not what was committed to."""

    code = "evidence.commitment"
