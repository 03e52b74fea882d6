"""Errors of blind matching. Their texts never hold an element, an identity or a key."""

from __future__ import annotations

from xinglin.secure.errors import SecureError


class BlindError(SecureError):
    """Anything that stops a blind matching."""

    code = "secure.blind"


class NotAnElement(BlindError):
    """Bytes that are no element of the group, not its canonical form, or the identity."""

    code = "secure.blind_element"


class NotAScalar(BlindError):
    """Bytes that are no canonical scalar of the group's order, or zero where zero is no key."""

    code = "secure.blind_scalar"


class BadProof(BlindError):
    """An evaluation whose proof does not hold under the announced key share."""

    code = "secure.blind_proof"


class WrongAnswer(BlindError):
    """An answer to another question, of another study, or from somebody who holds no share."""

    code = "secure.blind_answer"


class OutOfTurn(BlindError):
    """A message that the protocol does not expect in this state, or expects once only."""

    code = "secure.blind_turn"


class NoEngine(BlindError):
    """An optional engine that is not installed here."""

    code = "secure.blind_engine"
