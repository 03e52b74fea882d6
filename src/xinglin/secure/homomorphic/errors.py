"""Errors of encrypted computing. Their texts never hold a number, a cipher or a key."""

from __future__ import annotations

from xinglin.secure.errors import SecureError


class HomomorphicError(SecureError):
    """Anything that stops an encrypted computation."""

    code = "secure.homomorphic"


class NoScheme(HomomorphicError):
    """The library behind a scheme is not installed here; nothing is computed in its place."""

    code = "secure.homomorphic_scheme"


class UnsafeParameters(HomomorphicError):
    """Parameters below 128 bits of security, or under which the asked computation does not fit."""

    code = "secure.homomorphic_parameters"


class NotACipher(HomomorphicError):
    """Bytes that are no cipher or key of these parameters."""

    code = "secure.homomorphic_cipher"


class SecretWithheld(HomomorphicError):
    """A secret key where only a public one belongs, or none where one is needed."""

    code = "secure.homomorphic_secret"
