"""The operations in the shapes of FHIR R4: ``Parameters`` in; ``Parameters``, an expanded ``ValueSet``, or an
``OperationOutcome`` out. What stands behind a URL is whoever serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xinglin.kernel.errors import LimitExceeded
from xinglin.records.errors import RecordsError
from xinglin.records.terminology.errors import BadRequest
from xinglin.records.terminology.expansion import expand
from xinglin.records.terminology.loaders.fhir import value_set
from xinglin.records.terminology.model import Equivalence, Provenance
from xinglin.records.terminology.operations import Validated, lookup, subsumes, translate, validate_code
from xinglin.records.terminology.ports import Vocabulary

Json = dict[str, Any]
_R4_WORDS: dict[Equivalence, str] = {
    "equivalent": "equivalent",
    "wider": "wider",
    "narrower": "narrower",
    "related": "relatedto",
    "unmapped": "unmatched",
}


def answer(vocabulary: Vocabulary, operation: str, body: Json) -> Json:
    """What ``operation`` (``validate-code``, ``expand``, ``translate``, ``lookup``, ``subsumes``) says of ``body``.

    An error is an ``OperationOutcome``; nothing is raised for what a caller sends.
    """
    work = _OPERATIONS.get(operation)
    try:
        if work is None:
            raise BadRequest(f"There is no operation ${operation}.")
        return work(vocabulary, _given(body))
    except (RecordsError, LimitExceeded) as error:
        kind = {"terms.bad_request": "invalid", "kernel.limit": "too-costly"}.get(error.code, "not-found")
        return {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": kind, "details": {"text": error.what}}],
        }


def _given(body: Json) -> dict[str, Any]:
    """The values of a ``Parameters`` by name."""
    if not isinstance(body, dict) or body.get("resourceType") != "Parameters":
        raise BadRequest("The body is no Parameters resource.")
    found: dict[str, Any] = {}
    for one in body.get("parameter") or ():
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise BadRequest("A parameter has a name.")
        value = next((held for key, held in one.items() if key.startswith("value")), one.get("resource"))
        found.setdefault(one["name"], value)
    return found


def _texts(given: Mapping[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        value = given.get(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"The parameter {name} is a text.")
        yield value or ""


def _codings(given: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """(system, code, display, version) of ``code``, ``coding`` or ``codeableConcept``."""
    if "codeableConcept" in given:
        concept = given["codeableConcept"]
        codings = concept.get("coding") if isinstance(concept, dict) else None
    else:
        codings = [given["coding"]] if "coding" in given else [given]
    found = []
    for one in codings if isinstance(codings, list) else ():
        if isinstance(one, Mapping):
            system, code, display, version = _texts(one, "system", "code", "display", "version")
            found.append((system, code, display, version or next(_texts(one, "systemVersion"))))
    if not found or not all(one[1] for one in found):
        raise BadRequest("A code is needed: code, coding or codeableConcept.")
    return found


def _validate(vocabulary: Vocabulary, given: dict[str, Any]) -> Json:
    (url,) = _texts(given, "url")
    codings = _codings(given)
    told: Validated | None = None
    for system, code, display, version in codings:
        if not system and not url:
            raise BadRequest("A system or a value set is needed.")
        told = validate_code(vocabulary, code, system, display=display, version=version, value_set=url)
        if told.valid:
            return _parameters(
                result=True,
                code=code,
                system=system,
                version=told.version,
                display=told.display,
                inactive=told.inactive,
            )
    return _parameters(result=False, message=told.words if told else "", display=told.display if told else "")


def _lookup(vocabulary: Vocabulary, given: dict[str, Any]) -> Json:
    system, code, _, version = _codings(given)[0]
    found = lookup(vocabulary, system, code, version)
    said = _parameters(name=found.system.name, version=found.system.version, display=found.concept.display)
    for language, text in found.concept.designations:
        parts = [{"name": "language", "valueCode": language}] if language else []
        said["parameter"].append({"name": "designation", "part": [*parts, {"name": "value", "valueString": text}]})
    pairs = [*(("parent", parent) for parent in found.concept.parents), *found.concept.properties]
    pairs.append(("inactive", "true" if found.concept.inactive else "false"))
    for name, value in pairs:
        parts = [{"name": "code", "valueCode": name}, {"name": "value", "valueString": value}]
        said["parameter"].append({"name": "property", "part": parts})
    return said


def _subsumes(vocabulary: Vocabulary, given: dict[str, Any]) -> Json:
    system, a, b, version = _texts(given, "system", "codeA", "codeB", "version")
    if not a or not b:
        raise BadRequest("codeA and codeB are needed.")
    outcome = subsumes(vocabulary, system, a, b, version)
    return {"resourceType": "Parameters", "parameter": [{"name": "outcome", "valueCode": outcome}]}


def _translate(vocabulary: Vocabulary, given: dict[str, Any]) -> Json:
    url, target, target_system = _texts(given, "url", "target", "targetsystem")
    matches = []
    for system, code, _, _ in _codings(given):
        for one in translate(vocabulary, system, code, target_system or target, url).targets:
            coding = {"system": one.system, "code": one.code, **({"display": one.display} if one.display else {})}
            parts = [
                {"name": "equivalence", "valueCode": _R4_WORDS[one.equivalence]},
                {"name": "concept", "valueCoding": coding},
                {"name": "source", "valueUri": one.origin},
            ]
            matches.append({"name": "match", "part": parts})
    said = _parameters(result=bool(matches), message="" if matches else "No map has this code.")
    said["parameter"] += matches
    return said


def _expand(vocabulary: Vocabulary, given: dict[str, Any]) -> Json:
    url, text = _texts(given, "url", "filter")
    chosen: Any = url
    if isinstance(given.get("valueSet"), dict):
        try:
            chosen = value_set({"url": "urn:given", **given["valueSet"]}, Provenance("given"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadRequest("The value set is not one of FHIR's.") from error
    if not chosen:
        raise BadRequest("A url or a valueSet is needed.")
    offset, count = given.get("offset", 0), given.get("count")
    if not _whole(offset) or not (count is None or _whole(count)):
        raise BadRequest("offset and count are whole numbers, 0 or more.")
    found = expand(
        vocabulary, chosen, text=text, offset=offset, count=count, active_only=given.get("activeOnly") is True
    )
    contains = [
        {
            "system": one.system,
            "code": one.code,
            **({"display": one.display} if one.display else {}),
            **({"inactive": True} if one.inactive else {}),
        }
        for one in found.codes
    ]
    expansion = {"total": found.total, "offset": found.offset, "contains": contains}
    return {"resourceType": "ValueSet", "status": "active", **({"url": url} if url else {}), "expansion": expansion}


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _parameters(**values: Any) -> Json:
    """A ``Parameters`` with those of ``values`` that say something."""
    kinds = {"code": "valueCode", "system": "valueUri"}
    said = []
    for name, value in values.items():
        if isinstance(value, bool):
            if value or name == "result":
                said.append({"name": name, "valueBoolean": value})
        elif value:
            said.append({"name": name, kinds.get(name, "valueString"): value})
    return {"resourceType": "Parameters", "parameter": said}


_OPERATIONS: dict[str, Callable[[Vocabulary, dict[str, Any]], Json]] = {
    "validate-code": _validate,
    "expand": _expand,
    "translate": _translate,
    "lookup": _lookup,
    "subsumes": _subsumes,
}
OPERATIONS = tuple(_OPERATIONS)
