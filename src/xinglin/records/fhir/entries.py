"""Entries of bundles: what each one does to which resource. A deletion is a version of a fact like any other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from xinglin.kernel.instants import Instant
from xinglin.records.errors import Unreadable
from xinglin.records.fhir.bounds import BUNDLE_ENTRIES, BUNDLES_IN_BUNDLES
from xinglin.records.fhir.references import identifier_key, identifiers
from xinglin.records.model import Unread

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}").fullmatch
_URL = re.compile(r"(?:https?://\S+?/)?([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})(?:/_history(?:/\S*)?)?").fullmatch
_BY_CONCEPT = ("AllergyIntolerance", "Condition")
READS = frozenset(("GET", "HEAD"))


class Found(msgspec.Struct, gc=False):
    """One record of an object: a resource, or why it is none (``unread`` or ``ignored``, the words)."""

    place: str
    body: dict[str, Any] | None = None
    full_url: str = ""
    version_at: Instant = 0
    deleted: bool = False
    unread: Unread | None = None
    ignored: str = ""


def records_of(value: Any, place: str, level: int = 0) -> Iterator[Found]:
    """The records of a parsed resource: itself, or the entries of a bundle, with ids given to those without."""
    if type(value) is not dict:
        yield refused(place, "fhir.not_an_object", "A resource is a JSON object.")
        return
    if value.get("resourceType") != "Bundle":
        yield _resource(value, place)
        return
    entries = value.get("entry", [])
    if type(entries) is not list:
        yield refused(place, "fhir.bundle", "The entries of a bundle are a list.")
        return
    if len(entries) > BUNDLE_ENTRIES.value:
        raise Unreadable(f"A bundle has more than {BUNDLE_ENTRIES.value:,} entries.", place=place)
    if level >= BUNDLES_IN_BUNDLES.value:
        yield refused(place, "fhir.too_deep", "Bundles are in bundles in bundles.")
        return
    prefix = f"{place} " if place else ""
    for number, entry in enumerate(entries):
        found = _entry(entry, f"{prefix}entry[{number}]")
        if found is not None:
            yield found
        else:
            yield from records_of(entry["resource"], f"{prefix}entry[{number}]", level + 1)


def refused(place: str, code: str, words: str) -> Found:
    """A record that cannot be read."""
    return Found(place, unread=Unread(place, code, words))


def _entry(entry: Any, place: str) -> Found | None:
    """The record of an entry; None where it is a bundle in a bundle."""
    if type(entry) is not dict:
        return refused(place, "fhir.entry", "An entry of a bundle is a JSON object.")
    body, request, response = entry.get("resource"), entry.get("request"), entry.get("response")
    method = request.get("method") if type(request) is dict else None
    if method is not None and method != "POST" and method != "PUT":
        return _other_method(method, entry, place)
    if body is None:
        return Found(place, ignored="an entry without a resource")
    if type(body) is dict and body.get("resourceType") == "Bundle":
        return None
    url = request.get("url") if method == "PUT" and type(request) is dict else None
    found = _resource(body, place, url)
    full_url = entry.get("fullUrl")
    if type(full_url) is str:
        found.full_url = full_url
    if not found.version_at and type(response) is dict:
        found.version_at = instant_of(response.get("lastModified"))
    return found


def _other_method(method: Any, entry: dict[str, Any], place: str) -> Found:
    if method in READS:
        return Found(place, ignored="a request that changes nothing")
    if method == "PATCH":
        return refused(place, "fhir.patch", "A patch came without the resource that it changes.")
    if method != "DELETE":
        return refused(place, "fhir.method", "The entry's request has no method of FHIR.")
    named = _named(entry)
    if named is None:
        return refused(place, "fhir.conditional_delete", "A deletion names no resource by type and id.")
    response = entry.get("response")
    at = instant_of(response.get("lastModified")) if type(response) is dict else 0
    return Found(place, deletion(*named), version_at=at, deleted=True)


def _named(entry: dict[str, Any]) -> tuple[str, str] | None:
    for url in (entry["request"].get("url"), entry.get("fullUrl")):
        form = _URL(url) if type(url) is str else None
        if form is not None:
            return form[1], form[2]
    return None


def deletion(kind: str, name: str) -> dict[str, Any]:
    """The body of a version that takes a resource back: its status says so, and nothing else is told."""
    body: dict[str, Any] = {"resourceType": kind, "id": name, "status": "deleted"}
    if kind in _BY_CONCEPT:
        body["verificationStatus"] = {"coding": [{"code": "entered-in-error"}]}
    return body


def _resource(body: Any, place: str, url: Any = None) -> Found:
    if type(body) is not dict:
        return refused(place, "fhir.not_an_object", "A resource is a JSON object.")
    kind, name = body.get("resourceType"), body.get("id")
    if type(kind) is not str:
        return refused(place, "fhir.no_type", "A resource does not say its type.")
    if name is None:
        form = _URL(url) if type(url) is str else None
        try:
            body["id"] = form[2] if form is not None and form[1] == kind else made_id(body)
        except orjson.JSONEncodeError:
            return refused(place, "fhir.too_deep", "A resource is nested too deeply.")
    elif type(name) is not str or not (_is_usual(name) or _ID(name)):
        return refused(place, "fhir.id", "The id of a resource is not an id of FHIR.")
    meta = body.get("meta")
    told = meta.get("lastUpdated") if type(meta) is dict else None
    return Found(place, body) if told is None else Found(place, body, version_at=instant_of(told))


def _is_usual(name: str) -> bool:
    """Whether an id is a UUID, a number or the like: what the expression would say of it, for less."""
    return len(name) <= 64 and name.isascii() and name.replace("-", "").isalnum()


def made_id(body: dict[str, Any]) -> str:
    """The same id for the same content; a patient's comes from the business identifier, where there is one."""
    if body.get("resourceType") == "Patient":
        for each in identifiers(body):
            return identifier_key(each.get("system", ""), each["value"]).partition("/")[2]
    return "c-" + hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def instant_of(text: Any) -> Instant:
    """Milliseconds of a FHIR instant, 0 where it is none.

    >>> instant_of("1970-01-01T00:00:01.5Z"), instant_of("soon")
    (1500, 0)
    """
    if type(text) is not str:
        return 0
    try:
        stamp = datetime.fromisoformat(text)
        if stamp.tzinfo is None:
            stamp = stamp.replace(tzinfo=UTC)
        return round(stamp.timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
