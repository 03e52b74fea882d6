"""Suites: each key, signature and cipher names the set of algorithms that it belongs to."""

from __future__ import annotations

import msgspec

from xinglin.trust.errors import SuiteUnavailable, UnknownSuite


class Suite(msgspec.Struct, frozen=True):
    """A named set of algorithms over the same bytes; append-only, a name never changes its meaning."""

    name: str
    signature: str
    pq_signature: str
    cosignature: str
    sealing: str
    digest: str
    key_file_cipher: str
    unavailable_because: str = ""

    @property
    def available(self) -> bool:
        """Whether this installation carries the suite out."""
        return not self.unavailable_because


INTL_1 = Suite(
    name="intl-1",
    signature="Ed25519",
    pq_signature="ML-DSA-65",
    cosignature="ML-DSA-44",
    sealing="HPKE MLKEM768-X25519, HKDF-SHA256, AES-256-GCM",
    digest="SHA-256",
    key_file_cipher="scrypt, AES-256-GCM",
)
CN_1 = Suite(
    name="cn-1",
    signature="SM2",
    pq_signature="",
    cosignature="SM2",
    sealing="SM2 encryption with SM4-GCM",
    digest="SM3",
    key_file_cipher="PBKDF2-SM3, SM4-GCM",
    unavailable_because="The cryptographic library in the box has SM3 and SM4 but no SM2 signatures.",
)
_SUITES = {known.name: known for known in (INTL_1, CN_1)}


def suite(name: str) -> Suite:
    """The suite of that name, available here or not; ``UnknownSuite`` when nobody named it.

    >>> suite("cn-1").signature
    'SM2'
    """
    try:
        return _SUITES[name]
    except KeyError:
        raise UnknownSuite(name, tuple(_SUITES)) from None


def require_suite(name: str) -> Suite:
    """The suite of that name, carried out here; else ``UnknownSuite`` or ``SuiteUnavailable``."""
    found = suite(name)
    if not found.available:
        raise SuiteUnavailable(found.name, found.unavailable_because)
    return found
