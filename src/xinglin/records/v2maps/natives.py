"""Data types that say more than a table of paths can: names, addresses and ids by hand, each with its reason."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from xinglin.records.v2maps.data import table
from xinglin.records.v2maps.nodes import Link
from xinglin.records.v2maps.systems import system_uri
from xinglin.records.v2maps.values import Parts, part


def _second_or_ninth(parts: Parts, scope: Any) -> str | None:
    """CWE as a string: the original text, else the display, else the code (the map stops at the display)."""
    return part(parts, 9) or part(parts, 2) or part(parts, 1) or None


def _annotation(parts: Parts, scope: Any) -> dict[str, Any] | None:
    return {"text": text} if (text := part(parts, 2) or part(parts)) else None


_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff·]+")


def _han_name(first: int) -> Callable[[Parts, Any], str | None]:
    """The whole name where it is written in Chinese characters: family name first, no blank between."""

    def take(parts: Parts, scope: Any) -> str | None:
        text = "".join(part(parts, first + n) for n in range(3))
        return text if _HAN.fullmatch(text) else None

    return take


def _uri(parts: Parts, scope: Any) -> str | None:
    """HD as an identifier's system: the namespace as the source writes it, else the universal id as a URN."""
    namespace, universal, kind = part(parts, 1), part(parts, 2), part(parts, 3).upper()
    if namespace or not universal:
        return namespace or None
    return {"ISO": "urn:oid:", "UUID": "urn:uuid:"}.get(kind, "") + universal


_PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
_LEVELS = ((4, "si"), (7, "bu"), (8, "lvl"), (1, ""), (2, "ro"), (3, "bd"))
"""Components of PL from the widest place to the narrowest, with their code of location-physical-type."""


def _place(parts: Parts, scope: Any) -> dict[str, Any] | None:
    """PL: the narrowest place, part of the next wider one and so on (the map is a list without its references).

    PL.5 (status), PL.9 (description), PL.10 (number) and PL.6 (type of person location) tell of the narrowest.
    """
    node: dict[str, Any] | None = None
    status = part(parts, 5)
    for component, code in _LEVELS:
        namespace, universal, kind = (part(parts, component, sub) for sub in (1, 2, 3))
        if not namespace and not universal:
            continue
        wider, node = node, {}
        node["identifier"] = [
            {"value": namespace},
            {"value": universal, "type": {"coding": [{"code": kind}]} if kind else None},
        ]
        node["physicalType"] = {"coding": [{"system": _PHYSICAL, "code": code}]} if code else None
        if wider:
            above = Link("Location")
            above.node = wider
            node["partOf"] = above
    node = {} if node is None else node
    node["mode"] = "instance"
    if status in ("active", "suspended", "inactive"):
        node["status"] = status
    node["description"] = part(parts, 9)
    if number := part(parts, 10, 1):
        node.setdefault("identifier", []).append({"value": number, "assigner": _assigner(parts)})
    return node or None


def _assigner(parts: Parts) -> Link | None:
    """PL.11, else the rest of PL.10: who numbers the place."""
    component, first = (11, 1) if part(parts, 11, 1) or part(parts, 11, 2) else (10, 2)
    namespace, universal, kind = (part(parts, component, first + n) for n in range(3))
    if not namespace and not universal:
        return None
    link = Link("Organization")
    link.node = {
        "identifier": [
            {"value": namespace},
            {
                "value": universal,
                "type": {"coding": [{"system": f"{_TABLES}/v2-0301", "code": kind}]} if kind else None,
                "system": "urn:ietf:rfc:3986" if kind in ("ISO", "UUID") else None,
            },
        ]
    }
    return link


_TABLES = "http://terminology.hl7.org/CodeSystem"


def _attached_text(parts: Parts, scope: Any) -> dict[str, Any]:
    return {"contentType": "text/plain", "data": base64.b64encode(part(parts).encode()).decode()}


def _attached_data(parts: Parts, scope: Any) -> dict[str, Any] | None:
    """ED: Base64 stays, hexadecimal becomes it, text is encoded (the map leaves the conversion to prose)."""
    kind, subtype, encoding, data = (part(parts, n) for n in (2, 3, 4, 5))
    if not data:
        return None
    if encoding.upper() == "BASE64":
        encoded = "".join(data.split())
    elif encoding.upper() == "HEX" and _HEXADECIMAL.fullmatch(data):
        encoded = base64.b64encode(bytes.fromhex(data)).decode()
    else:
        encoded = base64.b64encode(data.encode()).decode()
    return {"contentType": _media_type(kind, subtype), "data": encoded}


_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_MEDIA = {"AP": "application", "AU": "audio", "IM": "image", "TEXT": "text", "TX": "text", "VIDEO": "video"}


def _media_type(kind: str, subtype: str) -> str | None:
    if "/" in subtype or not subtype:
        return subtype or None
    return f"{_MEDIA.get(kind.upper(), kind.lower() or 'application')}/{subtype.lower()}"


def _pointer(parts: Parts, scope: Any) -> dict[str, Any] | None:
    """RP: where the data lies."""
    if not (url := part(parts, 1)):
        return None
    return {"url": url, "contentType": _media_type(part(parts, 3), part(parts, 4))}


_SCHEMES = {"ISO": "urn:oid:", "UUID": "urn:uuid:"}


def _application(schemes: dict[str, str]) -> Callable[[Parts, Any], dict[str, Any] | None]:
    """HD as a sending or receiving application: a name, or an address where its kind has a scheme."""

    def take(parts: Parts, scope: Any) -> dict[str, Any] | None:
        name, universal, kind = part(parts, 1), part(parts, 2), part(parts, 3)
        sending = "DNS" in schemes
        if universal and kind in schemes:
            out: dict[str, Any] = {"endpoint": schemes[kind] + universal}
            return out if sending else {"name": name, **out}
        if sending and universal:
            name = f"{name}-{kind}:{universal}"
        out = {"name": name}
        if sending or not kind:
            out["_endpoint"] = {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}
        return out

    return take


_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def _sex(parts: Parts, scope: Any) -> str | None:
    """Administrative sex of HL7's table, or of GB/T 2261.1 where the source's mapping allows it."""
    code = part(parts) or part(parts, 4)
    mapped = table("AdministrativeSex").get(code.upper())
    return mapped[0] if mapped else scope.sex.get(code)


_TEN = re.compile(r"[x×*]?\s*10", re.IGNORECASE)
_POWER = re.compile(r"-?\d{1,2}\s*(?:[/.*].*)?")


def _unit(parts: Parts, scope: Any) -> dict[str, Any] | None:
    """CWE as a Quantity's unit. A unit's own ``^`` sent without its escape (``10^9/L``) is put together again."""
    code, text = part(parts), part(parts, 2)
    if _TEN.fullmatch(code) and _POWER.fullmatch(text) and text != code:
        parts = [[f"{code}^{text}"], *parts[2:]]
        code, text = part(parts), part(parts, 2)
    if not code and not text:
        return None
    # A unit without a system is UCUM text as often as not: unit only.
    system = part(parts, 3)
    if not code or not system:
        return {"unit": text or code}
    return {"code": code, "system": system_uri(system), "unit": text or code}


NATIVES: dict[str, Callable[[Parts, Any], Any]] = {
    "cwe[string]": _second_or_ninth,
    "st[annotation]": _annotation,
    "hd[uri]": _uri,
    "xpn[text]": _han_name(1),
    "xcn[text]": _han_name(2),
    "pl[location]": _place,
    "tx[attachment]": _attached_text,
    "ed[attachment]": _attached_data,
    "rp[attachment]": _pointer,
    "cwe[sex]": _sex,
    "cwe[quantity]": _unit,
    "hd[messageheadersource]": _application({**_SCHEMES, "DNS": "urn:dns:", "URI": "urn:uri:"}),
    "hd[messageheaderdestination]": _application(_SCHEMES),
}
"""By a map's plain name."""
