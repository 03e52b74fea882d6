"""What can be broken about keys, signatures, envelopes, sealed messages and key files."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class TrustError(XinglinError):
    """Root of this room's errors."""

    code = "trust.error"


class UnknownSuite(TrustError):
    """A suite that no version of this software has named."""

    code = "trust.unknown_suite"

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"The suite {name[:40]!r} is not known.",
            remedy=f"Use one of: {', '.join(known)}.",
        )
        self.name = name


class SuiteUnavailable(TrustError):
    """A suite that is named but not carried out by this installation."""

    code = "trust.suite_unavailable"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"The suite '{name}' is named but cannot be run here.",
            why=why,
            remedy="Use the suite 'intl-1', or install a release that carries this suite out.",
        )
        self.name = name


class WeakKey(TrustError):
    """A public key that proves nothing: low order, mixed order, non-canonical, off the curve or misshapen."""

    code = "trust.weak_key"

    def __init__(self, algorithm: str, fault: str) -> None:
        super().__init__(
            f"The {algorithm} public key is refused: {fault}.",
            why="A signature or a shared secret under such a key could be made by anybody, or read in two ways.",
            remedy="Generate a fresh key pair and register that one.",
        )
        self.algorithm, self.fault = algorithm, fault


class BadSignature(TrustError):
    """A signature that does not belong to these bytes, this context and this key."""

    code = "trust.bad_signature"

    def __init__(self, algorithm: str, context: str = "") -> None:
        super().__init__(
            f"The {algorithm} signature does not verify" + (f" for '{context}'." if context else "."),
            why="The message was altered, was signed for another purpose, or was signed by another key.",
        )
        self.algorithm, self.context = algorithm, context


class UnknownParticipant(TrustError):
    """A DID that the key directory does not hold (at the asked index)."""

    code = "trust.unknown_participant"

    def __init__(self, did: str) -> None:
        super().__init__(
            f"{did[:80]} is not registered.",
            remedy="Register its keys in the log first, or read the log up to a later index.",
        )
        self.did = did


class RevokedParticipant(TrustError):
    """A DID whose keys hold no longer, from a log index on."""

    code = "trust.revoked"

    def __init__(self, did: str, index: int, through: str = "") -> None:
        super().__init__(
            f"The keys of {did} are revoked since log index {index}.",
            why=f"Its institution {through} was revoked." if through else "",
            remedy="The participant registers fresh keys under a new DID.",
        )
        self.did, self.index = did, index


class WrongContext(TrustError):
    """A message signed for one purpose and presented for another."""

    code = "trust.wrong_context"

    def __init__(self, expected: str, given: str) -> None:
        super().__init__(f"The message was signed for '{given[:80]}', not for '{expected}'.")
        self.expected, self.given = expected, given


class CannotUnseal(TrustError):
    """A sealed message that this key does not open (altered, for another recipient, or for another purpose)."""

    code = "trust.cannot_unseal"

    def __init__(self) -> None:
        super().__init__(
            "The sealed message does not open.",
            why="It was altered, was sealed to another key, or was sealed for another purpose.",
        )


class BadKeyFile(TrustError):
    """Bytes that are no key file, or of a version that this software does not know."""

    code = "trust.bad_key_file"


class WrongPassphrase(TrustError):
    """A key file that the passphrase does not open."""

    code = "trust.wrong_passphrase"

    def __init__(self) -> None:
        super().__init__(
            "The key file does not open with this passphrase.",
            why="The passphrase is wrong, or the file was altered.",
            remedy="Try the passphrase again, or restore the file from its backup.",
        )
