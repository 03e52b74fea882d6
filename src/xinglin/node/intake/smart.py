"""The key by which this node asks a FHIR server for tokens (SMART Backend Services): drawn here, never shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.kernel.errors import XinglinError
from xinglin.node.intake.sources import Smart, SourceFile
from xinglin.stores.tls import write_private

if TYPE_CHECKING:
    from xinglin.feeds.fhir_session import BackendService

KEY_BYTES = 64 * 1024
RSA_BITS = 3072


class BadClientKey(XinglinError):
    """A client key that is missing, no key of its kind, or open to others; nothing of it is told."""

    code = "node.bad_client_key"


def smart_access(way: Smart, folder: Path) -> BackendService:
    """What this node shows a token endpoint. Raises ``BadClientKey``.

    Guarantee: nothing of the key's file is in an error, and a file that others may read is refused.
    """
    from xinglin.feeds.fhir_errors import BadKey
    from xinglin.feeds.fhir_session import BackendService, key_thumbprint

    path = folder / way.key_file
    try:
        if path.stat().st_mode & 0o077:
            raise BadClientKey(f"The key {path.name} may be read by others.", remedy=f"chmod 600 {path.name}")
        text = path.read_bytes()[:KEY_BYTES].decode()
    except OSError as error:
        raise BadClientKey(
            f"The key {path.name} cannot be read.", remedy="xinglin intake key SOURCE draws one."
        ) from error
    except UnicodeDecodeError:
        raise BadClientKey(f"The key {path.name} is no text.", remedy="It is a PEM file.") from None
    try:
        own_id = key_thumbprint(text, way.algorithm)
    except BadKey as error:
        raise BadClientKey(f"{path.name} is no private key for {way.algorithm}.", remedy=error.remedy) from None
    return BackendService(way.client_id, way.token_url, text, way.key_id or own_id, way.algorithm, way.scope)


def client_key(folder: Path, source: SourceFile) -> dict[str, Any]:
    """The public half of a source's key as a JWK set, for the server to register; drawn first where there is none.

    Raises ``BadClientKey`` where the source asks for no tokens.
    """
    from xinglin.feeds.fhir_session import public_key_set

    smart = source.fhir.smart if source.fhir is not None else None
    if smart is None:
        raise BadClientKey(
            f"'{source.name}' asks for no tokens.", remedy="Write [source.fhir.smart]; see docs/operations.md."
        )
    if not (folder / smart.key_file).exists():
        write_private(folder / smart.key_file, _drawn(smart.algorithm))
    access = smart_access(smart, folder)
    return public_key_set(access.private_key, access.algorithm, access.key_id)


def _drawn(algorithm: str) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if algorithm == "ES384":
        curve = ec.generate_private_key(ec.SECP384R1())
        return curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return rsa.generate_private_key(65537, RSA_BITS).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
