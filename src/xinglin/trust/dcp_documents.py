"""DID documents: read with care, made for export as ``did:web``, and asked for the key of one purpose.

Sources: W3C DID Core 1.0 §5; did:web Method Specification; Decentralized Claims Protocol v1.0.1, "Validating
Self-Issued ID Tokens" (which key counts). Keys that are not Ed25519 are counted, and never used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.trust.dcp import check_any_did, no
from xinglin.trust.errors import WeakKey
from xinglin.trust.jose import from_base64url, to_base64url
from xinglin.trust.points import check_ed25519

DOCUMENT_BYTES = Limit("DID document size", 64 * 1024, "bytes")
METHODS = Limit("verification methods of a DID document", 64, "methods")
SERVICES = Limit("services of a DID document", 64, "services")
CAPABILITY_INVOCATION, AUTHENTICATION, ASSERTION = "capabilityInvocation", "authentication", "assertionMethod"
RELATIONSHIPS = (CAPABILITY_INVOCATION, AUTHENTICATION, ASSERTION)
CREDENTIAL_SERVICE, ISSUER_SERVICE = "CredentialService", "IssuerService"
DID_CONTEXTS = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1")


class Method(msgspec.Struct, frozen=True):
    """A verification method: its absolute id, and its Ed25519 key (empty where it is of another kind)."""

    id: str
    public: bytes


class DidDocument(msgspec.Struct, frozen=True):
    """What of a DID document counts here; ``uses``: relationship to ids of methods."""

    id: str
    methods: tuple[Method, ...]
    uses: Mapping[str, frozenset[str]]
    services: tuple[tuple[str, str], ...] = ()

    def service(self, kind: str) -> str:
        """The endpoint of the first service of this type; "" where there is none."""
        return next((endpoint for found, endpoint in self.services if found == kind), "")


def read_document(data: bytes, did: str) -> DidDocument:
    """The document that was fetched for ``did``; ``MalformedMessage`` where it is another's or unreadable."""
    found = decode_json(data, dict, DOCUMENT_BYTES)
    if found.get("id") != check_any_did(did):
        raise MalformedMessage("The DID document is of another DID.")
    methods = [_method(one, did) for one in _objects(found, "verificationMethod")]
    uses: dict[str, frozenset[str]] = {}
    for name in RELATIONSHIPS:
        ids = []
        for one in _array(found, name):
            if isinstance(one, dict):
                methods.append(_method(one, did))
                ids.append(methods[-1].id)
            else:
                ids.append(_absolute(one, did))
        uses[name] = frozenset(ids)
    METHODS.check(len(methods))
    if len({method.id for method in methods}) != len(methods):
        raise MalformedMessage("The DID document names a verification method twice.")
    services = [(one.get("type"), one.get("serviceEndpoint")) for one in _objects(found, "service")]
    SERVICES.check(len(services))
    texts = tuple((a, b) for a, b in services if isinstance(a, str) and isinstance(b, str))
    return DidDocument(did, tuple(methods), uses, texts)


def key_for(document: DidDocument, kid: str, use: str) -> bytes | Denied:
    """The Ed25519 key that ``kid`` names, if the document lets it be used for this.

    Without a ``kid`` the only method is meant; of several none is.
    """
    if kid:
        wanted = [one for one in document.methods if one.id == _resolved(kid, document.id)]
    elif len(document.methods) == 1:
        wanted = list(document.methods)
    else:
        return no("ambiguous_key", "No key is named, and the DID document has several or none.", "Send a 'kid'.")
    if not wanted:
        return no("unknown_key", "The DID document has no such key.")
    if wanted[0].id not in document.uses.get(use, frozenset()):
        return no("wrong_use", f"The DID document does not give this key the relationship '{use}'.")
    if not wanted[0].public:
        return no("unsupported_key", "The key is not an Ed25519 key.")
    return wanted[0].public


def make_document(
    did: str, public: bytes, *, kid: str = "", services: Iterable[tuple[str, str, str]] = (), also: Iterable[str] = ()
) -> dict[str, Any]:
    """A DID document with one Ed25519 key for every purpose; ``services``: (fragment, type, endpoint).

    ``also``: other names of the same subject, as its self-certifying one.
    """
    method = kid or f"{did}#ed25519"
    document: dict[str, Any] = {
        "@context": list(DID_CONTEXTS),
        "id": check_any_did(did),
        "verificationMethod": [
            {
                "id": method,
                "type": "JsonWebKey2020",
                "controller": did,
                "publicKeyJwk": {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(public)},
            }
        ],
    }
    document |= {use: [method] for use in RELATIONSHIPS}
    listed = [{"id": f"{did}#{name}", "type": kind, "serviceEndpoint": url} for name, kind, url in services]
    names = list(also)
    return document | ({"service": listed} if listed else {}) | ({"alsoKnownAs": names} if names else {})


def did_web(host: str, *path: str) -> str:
    """The ``did:web`` of a host (with a port, if any) and path.

    >>> did_web("hospital.example:8443", "data")
    'did:web:hospital.example%3A8443:data'
    """
    return check_any_did(":".join(["did:web", host.replace(":", "%3A"), *path]))


def did_web_url(did: str, scheme: str = "https") -> str:
    """Where the document of a ``did:web`` lies; ``MalformedMessage`` for another method or a host that is none.

    >>> did_web_url("did:web:hospital.example%3A8443:data")
    'https://hospital.example:8443/data/did.json'
    >>> did_web_url("did:web:hospital.example")
    'https://hospital.example/.well-known/did.json'
    """
    check_any_did(did)
    parts = [unquote(part) for part in did.split(":")[2:]]
    host = parts[0]
    plain = all(part and part not in (".", "..") and not set(part) & set("/?#@\\ ") for part in parts)
    if not did.startswith("did:web:") or not plain or any(":" in part for part in parts[1:]) or host.count(":") > 1:
        raise MalformedMessage("It is no did:web with a host.")
    place = "/".join(parts[1:]) if parts[1:] else ".well-known"
    return f"{scheme}://{host}/{place}/did.json"


def _method(found: dict[str, Any], did: str) -> Method:
    name = _absolute(found.get("id"), did)
    if found.get("controller", did) != did or not name.startswith(f"{did}#"):
        raise MalformedMessage("A verification method is controlled by somebody else.")
    jwk = found.get("publicKeyJwk")
    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != ("OKP", "Ed25519"):
        return Method(name, b"")
    if "d" in jwk or not isinstance(jwk.get("x"), str):
        raise MalformedMessage("A verification method holds no public key.")
    public = from_base64url(jwk["x"])
    try:
        check_ed25519(public)
    except WeakKey as error:
        raise MalformedMessage("A verification method holds a key that proves nothing.") from error
    return Method(name, public)


def _absolute(name: object, did: str) -> str:
    if not isinstance(name, str) or not name:
        raise MalformedMessage("A verification method has no id.")
    return _resolved(name, did)


def _resolved(name: str, did: str) -> str:
    return did + name if name.startswith("#") else name


def _array(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name, [])
    if not isinstance(value, list):
        raise MalformedMessage(f"'{name}' of a DID document is an array.")
    return value


def _objects(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    values = _array(found, name)
    if not all(isinstance(one, dict) for one in values):
        raise MalformedMessage(f"'{name}' of a DID document is an array of objects.")
    return values
