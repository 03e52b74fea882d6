"""Decentralized Claims Protocol 1.0, profile ``vc20-bssl/jwt``: its names, limits and scopes.

Sources: Decentralized Claims Protocol v1.0.1, "Base Concepts", "Verifiable Presentation Protocol", "Credential
Issuance Protocol", "Profiles"; W3C VC Data Model 2.0, VC-JOSE-COSE, Bitstring Status List v1.0. *DID documents*
(:mod:`~xinglin.trust.dcp_documents`), *self-issued ID tokens* (:mod:`~xinglin.trust.dcp_tokens`), *credentials and
presentations* (:mod:`~xinglin.trust.dcp_presentations`), *messages* (:mod:`~xinglin.trust.dcp_messages`).
Signatures are Ed25519 alone. No input or output here.
"""

from __future__ import annotations

import re

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny

PROFILE = "vc20-bssl/jwt"
CONTEXT = "https://w3id.org/dspace-dcp/v1.0/dcp.jsonld"
VC_CONTEXT = "https://www.w3.org/ns/credentials/v2"
TYPE_SCOPE = "org.eclipse.dspace.dcp.vc.type:"
ID_SCOPE = "org.eclipse.dspace.dcp.vc.id:"
SCOPES = Limit("scopes of a presentation query", 32, "scopes")
_DID = re.compile(r"did:[a-z0-9]{1,32}:[A-Za-z0-9._:%-]{1,480}")
_SCOPE_VALUE = re.compile(r"[\x21-\x7e]{1,256}")


def check_any_did(text: object) -> str:
    """``text`` when it is spelled like a DID of any method; ``MalformedMessage`` otherwise.

    >>> check_any_did("did:web:hospital.example%3A8443:data")
    'did:web:hospital.example%3A8443:data'
    """
    if not isinstance(text, str) or not _DID.fullmatch(text) or text.endswith(":"):
        raise MalformedMessage("It is no DID.", remedy="Write did:web:… or another DID.")
    return text


def check_scopes(scopes: object) -> tuple[str, ...]:
    """Scopes of the two aliases that every Credential Service knows; at least one.

    >>> check_scopes(["org.eclipse.dspace.dcp.vc.type:Membership"])
    ('org.eclipse.dspace.dcp.vc.type:Membership',)
    """
    if not isinstance(scopes, list | tuple) or not scopes:
        raise MalformedMessage("A query names at least one scope.")
    SCOPES.check(len(scopes))
    for scope in scopes:
        value = scope.removeprefix(TYPE_SCOPE).removeprefix(ID_SCOPE) if isinstance(scope, str) else ""
        if value == scope or not _SCOPE_VALUE.fullmatch(value):
            raise MalformedMessage("A scope is not of an alias that is known here.", remedy=f"Write {TYPE_SCOPE}….")
    return tuple(dict.fromkeys(scopes))


def in_scope(scopes: frozenset[str], credential_id: str, types: tuple[str, ...]) -> bool:
    """Whether any of the scopes names this credential.

    >>> in_scope(frozenset({"org.eclipse.dspace.dcp.vc.id:urn:1"}), "urn:1", ())
    True
    """
    return ID_SCOPE + credential_id in scopes or any(TYPE_SCOPE + kind in scopes for kind in types)


def why(code: str, words: str, remedy: str = "") -> Reason:
    """A reason of this protocol."""
    return Reason(f"trust.dcp.{code}", words, remedy)


def no(code: str, words: str, remedy: str = "") -> Denied:
    """A refusal of one reason."""
    return deny(f"trust.dcp.{code}", words, remedy)
