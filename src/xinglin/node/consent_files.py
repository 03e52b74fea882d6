"""FHIR Consent resources from a file into the register: a resource, a bundle, or one resource a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.node.consent import record
from xinglin.stores.consent_register import ChoiceReceipt
from xinglin.terms.consent import Choice, IdentityCheck
from xinglin.terms.consent_fhir import NobodysConsent, read_fhir_consent
from xinglin.terms.consent_since import as_received

FILE_BYTES = Limit("file of consents", 256 * 1024 * 1024, "bytes")


class Imported(msgspec.Struct, frozen=True):
    """What became of a file: receipts of new choices, how many were known, about care alone, or of nobody here.

    ``flagged``: of what was not understood, the place in the resource; these persons are denied until somebody looks.
    """

    receipts: tuple[ChoiceReceipt, ...]
    known: int
    care: int
    nobodys: int
    flagged: tuple[tuple[str, str], ...]
    unchecked: int = 0
    """Permissions without a check of identity: recorded, and not counted."""


def import_consents(
    folder: Path,
    file: Path,
    *,
    source: str = "",
    namespace: str = "",
    identity: IdentityCheck | None = None,
    clock: Clock = system_clock,
) -> Imported:
    """Record the Consents of ``file``, all or none; ``identity``: how whoever hands it over checked the persons'."""
    FILE_BYTES.check(file.stat().st_size)
    found = list(_resources(file.read_bytes()))
    related = {_reference(one): one for one in found if one.get("resourceType") == "RelatedPerson"}
    choices: list[Choice] = []
    care, nobodys, now = 0, 0, clock()
    for one in found:
        if one.get("resourceType") != "Consent":
            continue
        try:
            read = read_fhir_consent(one, source=source or f"FHIR {file.name}", namespace=namespace, related=related)
        except NobodysConsent:
            nobodys += 1
            continue
        care += not read
        choices += [as_received(msgspec.structs.replace(c, identity=c.identity or identity), now) for c in read]
    receipts = record(folder, choices, clock, imported=True)
    flagged = tuple((choice.document, flag) for choice in choices for flag in choice.flags)
    fresh = tuple(receipt for receipt in receipts if not receipt.known)
    unchecked = sum(choice.identity is None and not choice.flags for choice in choices)
    return Imported(fresh, len(receipts) - len(fresh), care, nobodys, flagged, unchecked)


def _resources(data: bytes) -> Iterator[dict[str, Any]]:
    for text in _documents(data):
        resource = _decoded(text)
        if resource.get("resourceType") != "Bundle":
            yield resource
            continue
        entries = [one for one in resource.get("entry") or [] if isinstance(one, dict)]
        named = {
            one["fullUrl"]: _reference(one["resource"])
            for one in entries
            if isinstance(one.get("fullUrl"), str) and isinstance(one.get("resource"), dict)
        }
        for one in entries:
            if isinstance(one.get("resource"), dict):
                yield _resolved(one["resource"], named)


def _documents(data: bytes) -> Iterator[bytes]:
    """The whole as one JSON value, or each line as one."""
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError:
        yield from (line for line in data.splitlines() if line.strip())
    else:
        yield data


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedMessage("The file is neither JSON nor one JSON resource a line.") from error


def _reference(resource: Mapping[str, Any]) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _resolved(value: Any, named: Mapping[str, str]) -> Any:
    """The resource with references inside the bundle as ``Type/id``."""
    if isinstance(value, list):
        return [_resolved(one, named) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: _resolved(one, named) for name, one in value.items()}
    reference = found.get("reference")
    if isinstance(reference, str) and reference in named:
        found["reference"] = named[reference]
    return found
