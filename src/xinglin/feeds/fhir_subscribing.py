"""The Subscription that a hospital has its FHIR server register, with the filters that its engineer wrote.

R5 names topic and ``filterBy`` (Subscription, 5.0.0); R4 and R4B have both by the extensions of the Subscriptions R5
Backport (1.1.0), or, without a topic, a search as ``criteria``. The server decides what it sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import msgspec

from xinglin.kernel.limits import Limit

FILTERS = Limit("filters of a subscription", 100, "filters")
VALUE = Limit("value of a filter", 1_000, "characters")
Comparator = Literal["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
"""SearchComparator of FHIR; empty: the parameter's own way to compare."""
Content = Literal["full-resource", "id-only", "empty"]

_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}\Z")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(?::[A-Za-z-]{1,32})?\Z")
_JSON = "application/fhir+json"
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
_CHANNELS = "http://terminology.hl7.org/CodeSystem/subscription-channel-type"
_KEPT = "|,:/$*@()!~"
"""What FHIR's search syntax needs as it stands within a value."""
_REASON = "Records for the hospital's own data space node"


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of a resource type is wanted: a search parameter (``category``, ``code:in``), how it is compared, and with
    what. ``value`` may name several, with commas between them.
    """

    resource: str
    filter_parameter: str
    value: str
    comparator: Comparator = ""


def filter_problems(
    topic: str, endpoint: str, filters: Sequence[Filter], release: str, content: Content = "full-resource"
) -> Iterator[str]:
    """What is wrong with a subscription, in words without a value of it."""
    if len(filters) > FILTERS.value:
        yield f"at most {FILTERS.value} {FILTERS.unit}"
    for number, one in enumerate(filters, 1):
        if not _TYPE.match(one.resource):
            yield f"filter {number} names no resource type: write 'Observation'"
        if not _PARAMETER.match(one.filter_parameter):
            yield f"filter {number} names no search parameter: write 'category'"
        if not 0 < len(one.value) <= VALUE.value or not one.value.isprintable():
            yield f"filter {number} needs a value of 1 to {VALUE.value} printable characters"
        if one.comparator and ":" in one.filter_parameter:
            yield f"filter {number} has a modifier and a comparator, one of them"
    if topic and not (topic.isprintable() and _scheme(topic)):
        yield "'topic' is a canonical URL of the server"
    kinds = {one.resource for one in filters}
    if not topic and (release == "R5" or len(kinds) != 1):
        yield "'topic' is missing: without one, an R4 server takes filters of one resource type alone"
    elif not topic and content == "id-only":
        yield "'content' is 'full-resource' or 'empty' where there is no topic"
    if _scheme(endpoint) not in ("https", "http"):
        yield "'endpoint' is the address of this node's web door as the server reaches it"


def subscription_resource(
    topic: str,
    endpoint: str,
    filters: Sequence[Filter],
    *,
    release: str,
    content: Content,
    secret: str,
    reason: str = _REASON,
) -> dict[str, Any]:
    """The Subscription as JSON, for a server of ``release``; it holds ``secret``, by which the server is let in."""
    if release == "R5":
        return {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": reason,
            "topic": topic,
            **({"filterBy": [_filter_by(one) for one in filters]} if filters else {}),
            "channelType": {"system": _CHANNELS, "code": "rest-hook"},
            "endpoint": endpoint,
            "parameter": [{"name": "Authorization", "value": f"Bearer {secret}"}],
            "contentType": _JSON,
            "content": content,
        }
    channel: dict[str, Any] = {
        "type": "rest-hook",
        "endpoint": endpoint,
        "header": [f"Authorization: Bearer {secret}"],
    }
    if content != "empty" or topic:
        channel["payload"] = _JSON
    about: dict[str, Any] = {"resourceType": "Subscription"}
    if topic:
        about["meta"] = {"profile": [f"{_BACKPORT}subscription"]}
        channel["_payload"] = {"extension": [{"url": f"{_BACKPORT}payload-content", "valueCode": content}]}
    criteria = _criteria(filters)
    about |= {"status": "requested", "reason": reason, "criteria": topic or criteria[0]}
    if topic and criteria:
        extension = [{"url": f"{_BACKPORT}filter-criteria", "valueString": one} for one in criteria]
        about["_criteria"] = {"extension": extension}
    return {**about, "channel": channel}


def outside(kinds: Mapping[str, int], filters: Sequence[Filter]) -> int:
    """How many of the resources, by type, no filter asks for; none where there are no filters.

    Told by the type alone: what a search parameter says of a resource is the server's to know.
    """
    wanted = {one.resource for one in filters}
    return sum(count for kind, count in kinds.items() if kind not in wanted) if wanted else 0


def _scheme(address: str) -> str:
    try:
        return urlsplit(address).scheme
    except ValueError:
        return ""


def _filter_by(one: Filter) -> dict[str, str]:
    name, _, modifier = one.filter_parameter.partition(":")
    found = {"resourceType": one.resource, "filterParameter": name}
    found |= {"comparator": one.comparator} if one.comparator else {}
    found |= {"modifier": modifier} if modifier else {}
    return {**found, "value": one.value}


def _criteria(filters: Sequence[Filter]) -> list[str]:
    """One search a resource type; all of its conditions hold."""
    found: dict[str, list[str]] = {}
    for one in filters:
        prefix = "" if one.comparator == "eq" else one.comparator
        condition = f"{one.filter_parameter}={prefix}{quote(one.value, safe=_KEPT)}"
        found.setdefault(one.resource, []).append(condition)
    return [f"{kind}?{'&'.join(conditions)}" for kind, conditions in found.items()]
