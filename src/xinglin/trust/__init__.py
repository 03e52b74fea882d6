"""Trust: who speaks, and with which key.

A *participant* (institution or person) is a DID with *keys* of a named *suite*; a *registration*,
a *key change* and a *revocation* are leaves of the evidence log, and the *key directory* is their
fold. An *envelope* is a signed message; *sealing* hides one from everybody but its recipient.
A *credential* (with its *status list*) says what somebody admitted or attested; a *door token*
opens an HTTP door for five minutes and nothing else. No input or output here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Suite": "suites",
    "suite": "suites",
    "require_suite": "suites",
    "INTL_1": "suites",
    "CN_1": "suites",
    "TrustError": "errors",
    "WeakKey": "errors",
    "BadSignature": "errors",
    "UnknownSuite": "errors",
    "SuiteUnavailable": "errors",
    "UnknownParticipant": "errors",
    "RevokedParticipant": "errors",
    "WrongContext": "errors",
    "CannotUnseal": "errors",
    "BadKeyFile": "errors",
    "WrongPassphrase": "errors",
    "Directory": "ports",
    "ReplayStore": "ports",
    "check_ed25519": "points",
    "check_ed25519_encoding": "points",
    "check_x25519": "points",
    "PublicKeys": "keys",
    "PrivateKeys": "keys",
    "Possession": "keys",
    "did_of": "keys",
    "check_did": "keys",
    "check_public_keys": "keys",
    "check_possession": "keys",
    "verify": "keys",
    "verify_pq": "keys",
    "key_file_bytes": "key_file",
    "read_key_file": "key_file",
    "Signed": "envelope",
    "sign": "envelope",
    "open_signed": "envelope",
    "open_signed_as": "envelope",
    "Attestation": "leaves",
    "KeyRegistration": "leaves",
    "KeyChange": "leaves",
    "Revocation": "leaves",
    "KeyLeaf": "leaves",
    "ROLES": "leaves",
    "register": "leaves",
    "admit": "leaves",
    "vouch": "leaves",
    "consent": "leaves",
    "change_keys": "leaves",
    "approve": "leaves",
    "revoke": "leaves",
    "leaf_body": "leaves",
    "leaf_from_body": "leaves",
    "leaf_kind": "leaves",
    "Participant": "registry",
    "KeyDirectory": "registry",
    "seal": "sealing",
    "unseal": "sealing",
    "Credential": "credentials",
    "VerifiedCredential": "credentials",
    "StatusEntry": "credentials",
    "issue_credential": "credentials",
    "verify_credential": "credentials",
    "issue_status_list": "credentials",
    "open_status_list": "credentials",
    "PublishedStatusList": "credentials",
    "StatusList": "status_list",
    "DoorKey": "dpop",
    "prove": "dpop",
    "Door": "doors",
    "DoorPass": "doors",
    "DoorRequest": "doors",
    "issue_door_token": "doors",
    "check_door_token": "doors",
    "exchange_door_token": "doors",
    "request_door_token": "doors",
    "grant_door_token": "doors",
    "InMemoryReplayStore": "replay",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
