"""Errors of the noise: parameters that promise nothing, and what is refused because nobody could keep the promise."""

from __future__ import annotations

from xinglin.privacy.errors import PrivacyError


class BadNoise(PrivacyError):
    """A parameter of a mechanism that makes no sense: a variance of zero, an empty range, a δ of one."""

    code = "privacy.bad_noise"


class NoiseRefused(PrivacyError):
    """A mechanism whose guarantee could not be kept by the program that would carry it out."""

    code = "privacy.noise_refused"


class BrokenChain(PrivacyError):
    """Entries of a budget's ledger that do not follow from each other: one was changed, dropped or put between."""

    code = "privacy.broken_chain"
