"""How ODRL spells our words: IRIs, short names and back, and the published context."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xinglin.terms.purposes import PURPOSE_IRI, PURPOSES
from xinglin.terms.vocabulary import ACTIONS, DUTIES, ODRL, OPERANDS, OPERATORS, TERMS

DSP_CONTEXT_IRI = "https://w3id.org/dspace/2025/1/context.jsonld"
PROFILE_IRI = TERMS.rstrip("/")
"""The ODRL profile whose words a policy uses; a new version of the vocabulary has another."""

CONTEXT_IRI = TERMS + "context.jsonld"
"""Where our context is published, and under which name it stands in ``@context``."""

XSD = "http://www.w3.org/2001/XMLSchema#"
_DSPACE = "https://w3id.org/dspace/2025/1/"
_OBO = "http://purl.obolibrary.org/obo/"
_PREFIXES = {"odrl": ODRL, "xinglin": TERMS, "xsd": XSD, "dspace": _DSPACE}

ACTION_IRI = {one.name: one.iri for one in (*ACTIONS.values(), *DUTIES.values())}
_ALIASES = {
    "http://creativecommons.org/ns#CommercialUse": "commercialise",
    "http://creativecommons.org/ns#Attribution": "acknowledge",
    ODRL + "commercialise": "commercialise",
}
_ACTIONS_BY = {one.iri: one.name for one in (*ACTIONS.values(), *DUTIES.values())} | _ALIASES
_OPERANDS_BY = {one.iri: one.name for one in OPERANDS.values()}


def absolute(word: str) -> str:
    """A word with its prefix written out, when it has one of ours.

    >>> absolute("odrl:use")
    'http://www.w3.org/ns/odrl/2/use'
    """
    prefix, colon, rest = word.partition(":")
    return _PREFIXES[prefix] + rest if colon and prefix in _PREFIXES and not rest.startswith("//") else word


def local(word: str) -> str:
    """The short name of a word in a namespace that is known here; any other word stays as it is.

    >>> local("odrl:permission"), local("http://example.org/x")
    ('permission', 'http://example.org/x')
    """
    whole = absolute(word)
    for namespace in (ODRL, TERMS, _DSPACE):
        if whole.startswith(namespace) and "/" not in whole[len(namespace) :]:
            return whole[len(namespace) :]
    return word


def _named(word: str, by_iri: dict[str, str], known: Iterable[str]) -> str:
    whole = absolute(word)
    if whole in by_iri and by_iri[whole] in known:
        return by_iri[whole]
    if word in known:
        return word
    for namespace in (ODRL, TERMS):
        name = by_iri.get(namespace + word)
        if name is not None and name in known:
            return name
    return word


def operand_named(word: str) -> str:
    """The short name of the operand that a word spells; an unknown word stays as it is.

    >>> operand_named("spatial"), operand_named("http://www.w3.org/ns/odrl/2/count"), operand_named("partner")
    ('place', 'count', 'partner')
    """
    return _named(word, _OPERANDS_BY, OPERANDS)


def action_named(word: str, known: Iterable[str]) -> str:
    """The short name of the action or duty that a word spells, of those that are ``known``.

    >>> action_named("odrl:anonymize", DUTIES)
    'anonymise'
    """
    return _named(word, _ACTIONS_BY, known)


def operator_named(word: str) -> str:
    """The short name of an operator."""
    name = local(word)
    return name if name in OPERATORS else word


def unit_named(word: str) -> str:
    """The short name of a unit."""
    return absolute(word).removeprefix(TERMS + "unit/")


def purpose_iri(code: str) -> str:
    """The IRI of a purpose: DUO's or MONDO's own where there is one.

    >>> purpose_iri("health-research"), purpose_iri("disease-research/MONDO:0005010")
    ('http://purl.obolibrary.org/obo/DUO_0000006', 'http://purl.obolibrary.org/obo/MONDO_0005010')
    """
    name, _, disease = code.partition("/")
    known = PURPOSES.get(name)
    found = disease or (known.duo if known is not None else "")
    return _OBO + found.replace(":", "_") if found else PURPOSE_IRI + code


def context_document() -> dict[str, Any]:
    """The published context, as it is made from the vocabulary; ``context.jsonld`` is this, printed.

    It defines the words that the protocol's own contexts lack, and of theirs none differently.
    """
    terms: dict[str, Any] = {"@version": 1.1, "odrl": ODRL, "xinglin": TERMS, "xsd": XSD}
    for operand in OPERANDS.values():
        terms[operand.name] = terms[operand.local] = operand.iri
    for action in (*ACTIONS.values(), *DUTIES.values()):
        terms[action.name] = terms[action.local] = action.iri
    for name in OPERATORS:
        terms[name] = ODRL + name
    for name in ("Offer", "Agreement", "Set", "Permission", "Prohibition", "Duty"):
        terms[name] = ODRL + name
    for name in ("permission", "prohibition", "obligation", "duty", "constraint"):
        terms[name] = {"@id": ODRL + name, "@type": "@id", "@container": "@set"}
    for name in ("and", "or", "xone"):
        terms[name] = {"@id": ODRL + name, "@type": "@id", "@container": "@set"}
    terms["andSequence"] = {"@id": ODRL + "andSequence", "@type": "@id", "@container": "@list"}
    for name in ("target", "assigner", "assignee", "profile"):
        terms[name] = {"@id": ODRL + name, "@type": "@id"}
    for name in ("action", "leftOperand", "operator"):
        terms[name] = {"@id": ODRL + name, "@type": "@vocab"}
    terms["rightOperand"] = ODRL + "rightOperand"
    terms["unit"] = {"@id": ODRL + "unit", "@type": "@vocab"}
    for unit in sorted({unit for one in OPERANDS.values() for unit in one.units}):
        terms[unit] = f"{TERMS}unit/{unit}"
    terms["timestamp"] = _DSPACE + "timestamp"
    return {"@context": terms}
