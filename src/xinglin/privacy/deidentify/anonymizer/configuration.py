"""A configuration read from JSON: rules, parameters, and what happens where a rule cannot be carried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from xinglin.kernel.limits import JSON_BYTES, Limit
from xinglin.privacy.deidentify.anonymizer.evaluate import Run, compile_tree
from xinglin.privacy.deidentify.anonymizer.paths import Pattern, read_path
from xinglin.privacy.deidentify.anonymizer.syntax import parse
from xinglin.privacy.deidentify.errors import BadConfiguration, UnknownField
from xinglin.privacy.deidentify.nearest import nearest

METHODS = ("redact", "keep", "dateShift", "cryptoHash", "encrypt", "substitute", "perturb", "generalize")
ERRORS = ("raise", "skip", "ignoreinvalid")
RULES = Limit("rules of a configuration", 10_000, "rules")
_RELEASES = ("", "R4")
_RANGES = ("fixed", "proportional")
_OTHERS = ("redact", "keep")
_MOST_PLACES = 28
_KEY_SIZES = (16, 24, 32)
_BY_LOWER = {method.lower(): method for method in METHODS}


class Parameters(msgspec.Struct, frozen=True, rename="camel"):
    """Keys and switches; empty keys are drawn anew for each engine."""

    date_shift_key: str = ""
    date_shift_scope: str = "resource"
    date_shift_key_prefix: str = ""
    date_shift_fixed_offset: int | None = None
    crypto_hash_key: str = ""
    encrypt_key: str = ""
    enable_partial_ages_for_redact: bool = False
    enable_partial_dates_for_redact: bool = False
    enable_partial_zip_codes_for_redact: bool = False
    restricted_zip_code_tabulation_areas: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Parameters()"


class Rule(msgspec.Struct, frozen=True):
    """Where and what. ``span``, ``proportional``, ``places``: of perturb. ``cases``, ``others``: of generalize."""

    patterns: tuple[Pattern, ...]
    method: str
    place: str
    replacement: Any = None
    span: float = 0.0
    proportional: bool = False
    places: int = 2
    cases: tuple[tuple[Run, Run], ...] = ()
    others: str = "redact"


class Configuration(msgspec.Struct, frozen=True):
    """Rules in their order."""

    rules: tuple[Rule, ...]
    parameters: Parameters
    errors: str = "raise"


def read_configuration(text: str | bytes) -> Configuration:
    """A configuration from its JSON. Raises ``BadConfiguration``, ``UnknownField`` with the nearest known name."""
    data = text.encode() if isinstance(text, str) else text
    JSON_BYTES.check(len(data))
    try:
        parsed = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
        parameters = msgspec.convert(_without_nulls(parsed.get("parameters") or {}), Parameters)
    except (msgspec.MsgspecError, AttributeError) as error:
        raise BadConfiguration("It is not a configuration in JSON.", place="configuration", why=str(error)) from error
    if str(parsed.get("fhirVersion") or "").upper() not in _RELEASES:
        raise BadConfiguration("Only FHIR R4 is read.", place="fhirVersion")
    if parameters.encrypt_key and len(parameters.encrypt_key.encode()) not in _KEY_SIZES:
        raise BadConfiguration("A key for encryption has 16, 24 or 32 bytes.", place="parameters.encryptKey")
    errors = str(parsed.get("processingErrors") or "raise").lower()
    if errors not in ERRORS:
        raise BadConfiguration("Errors are raised or the resource is skipped.", place="processingErrors")
    rules = parsed.get("fhirPathRules")
    if not isinstance(rules, list):
        raise BadConfiguration("It has no rules.", place="fhirPathRules")
    RULES.check(len(rules))
    return Configuration(tuple(_rule(each, f"fhirPathRules[{n}]") for n, each in enumerate(rules)), parameters, errors)


def _without_nulls(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _rule(given: Any, place: str) -> Rule:
    told = isinstance(given, dict) and [given.get(name) for name in ("path", "method")]
    if not told or not all(isinstance(each, str) and each for each in told):
        raise BadConfiguration("A rule has a path and a method.", place=place)
    method = _BY_LOWER.get(given["method"].lower())
    if method is None:
        raise UnknownField(given["method"], place, nearest(given["method"], METHODS))
    patterns = read_path(given["path"].strip(), place)
    more: Callable[[dict[str, Any], str], dict[str, Any]] = _SETTINGS.get(method, lambda rule, at: {})
    return Rule(patterns, method, place, **more(given, place))


def _substitute(given: dict[str, Any], place: str) -> dict[str, Any]:
    if "replaceWith" not in given:
        raise BadConfiguration("'substitute' needs 'replaceWith'.", place=place)
    return {"replacement": given["replaceWith"]}


def _perturb(given: dict[str, Any], place: str) -> dict[str, Any]:
    try:
        span, places = float(given["span"]), int(given.get("roundTo", 2))
    except (KeyError, TypeError, ValueError) as error:
        raise BadConfiguration("'perturb' needs a number 'span'; 'roundTo' is whole.", place=place) from error
    kind = str(given.get("rangeType", "fixed")).lower()
    if not span >= 0 or not 0 <= places <= _MOST_PLACES or kind not in _RANGES:
        why = f"span ≥ 0, roundTo 0 to {_MOST_PLACES}, rangeType fixed or proportional"
        raise BadConfiguration("'perturb' has a setting that it cannot have.", place=place, why=why)
    return {"span": span, "places": places, "proportional": kind == "proportional"}


def _generalize(given: dict[str, Any], place: str) -> dict[str, Any]:
    cases = given.get("cases")
    others = str(given.get("otherValues") or "redact").lower()
    if not isinstance(cases, dict) or not cases or others not in _OTHERS:
        raise BadConfiguration("'generalize' needs cases; otherValues is redact or keep.", place=place)
    return {
        "cases": tuple((_run(key, place), _run(str(value), place)) for key, value in cases.items()),
        "others": others,
    }


def _run(text: str, place: str) -> Run:
    return compile_tree(parse(text, place), place)


_SETTINGS = {"substitute": _substitute, "perturb": _perturb, "generalize": _generalize}
