"""A data set's statement as HealthDCAT-AP (release 8), in JSON-LD.

Mandatory at the access level NON_PUBLIC: title, description, identifier, access rights, applicable legislation, a
distribution, theme, health data access body, health category, contact point, keyword, type, provenance, and, for
structured data, variables as a CSVW table group. What only a data holder knows comes in ``Holder``. The profile is a
draft of the European Commission; the property names are those of its release of 2026.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.catalogue.errors import HolderIncomplete
from xinglin.catalogue.statement import DataSetStatement, VariableStatement
from xinglin.kernel.instants import to_text

EHDS = "http://data.europa.eu/eli/reg/2025/327/oj"
_EU = "http://publications.europa.eu/resource/authority/"
_HEALTH = "https://hdeu-dcat.data.health.europa.eu/resource/authority/"
_PERSONAL = "https://w3id.org/dpv/dpv-pd#"
_TITLES = {
    _EU + "access-right": "Access Rights Named Authority List",
    _EU + "data-theme": "Data Theme Named Authority List",
    _EU + "dataset-type": "Dataset Type Named Authority List",
    _EU + "language": "Languages Named Authority List",
    _HEALTH + "healthcategories": "Health Categories (EHDS Art. 51)",
    _HEALTH + "health-theme": "Health Themes",
    _HEALTH + "publisher-type": "Health Publisher Types",
    _HEALTH + "coding-system": "Coding Systems",
}
CATEGORIES = {
    "EHRS": "Electronic health data from electronic health records",
    "RQSH": "Data from research cohorts, questionnaires and surveys related to health",
}
CONTEXT: dict[str, Any] = {
    "adms": "http://www.w3.org/ns/adms#",
    "csvw": "http://www.w3.org/ns/csvw#",
    "cv": "http://data.europa.eu/m8g/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "dqv": "http://www.w3.org/ns/dqv#",
    "eli": "http://data.europa.eu/eli/ontology#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "geodcatap": "http://data.europa.eu/930/",
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
    "oa": "http://www.w3.org/ns/oa#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_DATATYPES = {"number": "double", "integer": "integer", "boolean": "boolean", "date": "date", "instant": "dateTime"}
_SYSTEMS = (
    ("icd-10", "ICD-10", "ICD-10"),
    ("loinc", "LOINC", "LOINC"),
    ("snomed", "SNOMED-CT", "SNOMED CT"),
    ("whocc.no/atc", "ATC", "ATC"),
    ("unitsofmeasure", "UCUM", "UCUM"),
    ("rxnorm", "RXNORM", "RxNorm"),
)


class Holder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a data holder states about itself and its offer; URIs are absolute.

    ``base``: of the data set's own URIs. ``category``: of EHDS Article 51 (``EHRS`` …). ``hdab_name``,
    ``hdab_email``: the health data access body that decides; where there is none, who decides.
    """

    base: str
    name: str
    email: str
    access_url: str
    hdab_name: str
    hdab_email: str
    category: str = "EHRS"
    theme: str = ""
    country: str = ""
    legislation: str = EHDS
    access: str = "NON_PUBLIC"
    publisher_type: str = ""
    provenance: str = "Collected in routine care and mapped to canonical tables; personal data stay with the holder."
    keywords: tuple[str, ...] = ("electronic health records", "routine care")
    purpose: str = "Scientific research related to health or care sectors."
    conforms_to: str = ""


def health_dcat(statement: DataSetStatement, holder: Holder) -> dict[str, Any]:
    """The statement as a JSON-LD document (``@context`` and ``@graph``). Raises ``HolderIncomplete``."""
    for name in ("base", "name", "email", "access_url", "hdab_name", "hdab_email", "category", "legislation"):
        if not getattr(holder, name):
            raise HolderIncomplete(f"HealthDCAT-AP asks for the holder's {name}.", remedy="State it in holder.toml.")
    if ":" not in holder.base or "://" not in holder.access_url:
        raise HolderIncomplete("base and access_url are absolute URIs.", remedy="Write them with https://.")
    uri = f"{holder.base.rstrip('/')}/{statement.name}"
    graph = [_data_set(statement, holder, uri), *_agents(holder, uri), _distribution(holder, uri)]
    graph += [_tables(statement, uri), *_columns(statement, uri)]
    return {"@context": CONTEXT, "@graph": [*graph, *_concepts(statement, holder)]}


def _data_set(statement: DataSetStatement, holder: Holder, uri: str) -> dict[str, Any]:
    day = to_text(statement.at)[:10]
    found: dict[str, Any] = {
        "@id": uri,
        "@type": "dcat:Dataset",
        "dct:title": _text(statement.title),
        "dct:description": _text(statement.words),
        "dct:identifier": uri,
        "dct:accessRights": _ref(_EU + "access-right/" + holder.access),
        "dcatap:applicableLegislation": _ref(holder.legislation),
        "dcat:distribution": _ref(uri + "#access"),
        "dcat:theme": _ref(_EU + "data-theme/HEAL"),
        "dcat:keyword": [_text(word) for word in holder.keywords],
        "dcat:contactPoint": _ref(uri + "#contact"),
        "dct:publisher": _ref(uri + "#holder"),
        "geodcatap:custodian": _ref(uri + "#holder"),
        "dct:type": _ref(_EU + "dataset-type/STATISTICAL"),
        "dct:provenance": _ref(uri + "#provenance"),
        "dct:modified": _typed(day, "date"),
        "healthdcatap:hdab": _ref(uri + "#hdab"),
        "healthdcatap:healthCategory": _ref(_HEALTH + "healthcategories/" + holder.category),
        "healthdcatap:hasStructuredData": _typed("true", "boolean"),
        "healthdcatap:hasVariables": _ref(uri + "#variables"),
        "dpv:hasPurpose": {"@id": uri + "#purpose", "@type": "dpv:Purpose", "dct:description": _text(holder.purpose)},
        "dpv:hasPersonalData": [
            {"@id": _PERSONAL + word, "@type": "dpv:PersonalData"} for word in ("Age", "Gender", "HealthRecord")
        ],
    }
    if holder.theme:
        found["healthdcatap:healthTheme"] = _ref(_HEALTH + "health-theme/" + holder.theme)
    if holder.country:
        found["dct:spatial"] = _ref(_EU + "country/" + holder.country)
    systems = _systems_of(statement)
    if systems:
        found["healthdcatap:hasCodingSystem"] = [_ref(_HEALTH + "coding-system/" + code) for code, _ in systems]
        names = ", ".join(name for _, name in systems)
        found["healthdcatap:hasCodeValues"] = _text(f"Codes of {names}; the levels of each variable are listed.")
    return found | _coverage(statement, uri)


def _coverage(statement: DataSetStatement, uri: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if statement.first_month:
        found["dct:temporal"] = {
            "@id": uri + "#period",
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _typed(statement.first_month, "gYearMonth"),
            "dcat:endDate": _typed(statement.last_month, "gYearMonth"),
        }
        found["dcat:temporalResolution"] = _typed("P1M", "duration")
    counts = {
        "numberOfRecords": statement.records or None,
        "numberOfUniqueIndividuals": statement.persons or None,
        "minTypicalAge": statement.youngest,
        "maxTypicalAge": statement.oldest,
    }
    found |= {
        f"healthdcatap:{name}": _typed(str(value), "nonNegativeInteger")
        for name, value in counts.items()
        if value is not None
    }
    if statement.population:
        parts = [
            f"{name}: " + ", ".join(f"{one.value} {one.percent} %" for one in shares)
            for name, shares in sorted(statement.population.items())
        ]
        found["healthdcatap:populationCoverage"] = _text("; ".join(parts))
    if statement.quality is not None:
        scores = ", ".join(f"{kind} {percent} %" for kind, percent in sorted(statement.quality.scores.items()))
        found["dqv:hasQualityAnnotation"] = {
            "@id": uri + "#quality",
            "@type": "dqv:QualityCertificate",
            "oa:hasTarget": _ref(uri),
            "oa:motivatedBy": _ref("http://www.w3.org/ns/dqv#qualityAssessment"),
            "oa:hasBody": {"@id": uri + "#scores", "rdfs:label": _text(f"checks passed: {scores}")},
        }
    return found


def _agents(holder: Holder, uri: str) -> list[dict[str, Any]]:
    publisher: dict[str, Any] = {
        "@id": uri + "#holder",
        "@type": "foaf:Agent",
        "foaf:name": _text(holder.name),
        "cv:contactPoint": _contact(uri + "#holder-contact", holder.email),
    }
    if holder.publisher_type:
        publisher["dct:type"] = _ref(_HEALTH + "publisher-type/" + holder.publisher_type)
    return [
        publisher,
        {
            "@id": uri + "#hdab",
            "@type": "foaf:Agent",
            "foaf:name": _text(holder.hdab_name),
            "cv:contactPoint": {
                "@id": uri + "#hdab-contact",
                "@type": "cv:ContactPoint",
                "cv:email": holder.hdab_email,
            },
        },
        {
            "@id": uri + "#contact",
            "@type": "vcard:Kind",
            "vcard:fn": holder.name,
            "vcard:hasEmail": _ref("mailto:" + holder.email),
        },
        {
            "@id": uri + "#provenance",
            "@type": "dct:ProvenanceStatement",
            "rdfs:label": _text(holder.provenance),
        },
        {"@id": holder.legislation, "@type": "eli:LegalResource"},
    ]


def _distribution(holder: Holder, uri: str) -> dict[str, Any]:
    return {
        "@id": uri + "#access",
        "@type": "dcat:Distribution",
        "dct:title": _text("Approved uses come to the data"),
        "dct:description": _text("Records do not leave the holder; protected results of approved questions do."),
        "dcat:accessURL": _ref(holder.access_url),
        "dcatap:applicableLegislation": _ref(holder.legislation),
    }


def _tables(statement: DataSetStatement, uri: str) -> dict[str, Any]:
    tables = []
    for table in statement.tables:
        columns = [one for one in statement.variables if one.table == table.name]
        if columns:
            tables.append(
                {
                    "@id": f"{uri}#table-{table.name}",
                    "@type": "csvw:Table",
                    "dct:title": _text(table.name),
                    "dct:description": _text(table.words or table.name),
                    "csvw:column": [_ref(_column_uri(one, uri)) for one in columns],
                }
            )
    return {
        "@id": uri + "#variables",
        "@type": "csvw:TableGroup",
        "dct:title": _text(f"Variables of {statement.title}"),
        "csvw:table": tables,
    }


def _columns(statement: DataSetStatement, uri: str) -> list[dict[str, Any]]:
    return [
        {
            "@id": _column_uri(one, uri),
            "@type": "csvw:Column",
            "csvw:name": one.name,
            "csvw:title": _text(one.name),
            "csvw:datatype": _DATATYPES.get(one.kind, "string"),
            "dct:description": _text(_told(one)),
        }
        for one in statement.variables
    ]


def _told(one: VariableStatement) -> str:
    parts = [one.words or one.name, f"{one.filled_percent} % filled"]
    if one.low is not None and one.high is not None:
        parts.append(f"{one.low:g} to {one.high:g} {one.unit}".rstrip())
    if one.levels:
        parts.append("levels: " + ", ".join(f"{each.value} {each.percent} %" for each in one.levels[:20]))
    return "; ".join(parts)


def _concepts(statement: DataSetStatement, holder: Holder) -> list[dict[str, Any]]:
    """The concepts that are used, each in its list, as the profile's code list shapes ask."""
    used = {
        _EU + "access-right/" + holder.access: (_EU + "access-right", holder.access, "dct:RightsStatement"),
        _EU + "data-theme/HEAL": (_EU + "data-theme", "Health", ""),
        _EU + "dataset-type/STATISTICAL": (_EU + "dataset-type", "Statistical data", ""),
    }
    category = CATEGORIES.get(holder.category, holder.category)
    used[_HEALTH + "healthcategories/" + holder.category] = (_HEALTH + "healthcategories", category, "")
    if holder.theme:
        used[_HEALTH + "health-theme/" + holder.theme] = (_HEALTH + "health-theme", holder.theme, "")
    if holder.publisher_type:
        kind = (_HEALTH + "publisher-type", holder.publisher_type, "")
        used[_HEALTH + "publisher-type/" + holder.publisher_type] = kind
    for code, name in _systems_of(statement):
        used[_HEALTH + "coding-system/" + code] = (_HEALTH + "coding-system", name, "dct:Standard")
    found: list[dict[str, Any]] = []
    for uri, (scheme, label, also) in used.items():
        kinds = ["skos:Concept", *([also] if also else [])]
        found.append({"@id": uri, "@type": kinds, "skos:prefLabel": _text(label), "skos:inScheme": _ref(scheme)})
    schemes = sorted({scheme for scheme, _, _ in used.values()})
    found += [{"@id": one, "@type": "skos:ConceptScheme", "dct:title": _text(_TITLES[one])} for one in schemes]
    return found


def _systems_of(statement: DataSetStatement) -> list[tuple[str, str]]:
    said = {each.value.lower() for one in statement.variables if one.name.endswith("_system") for each in one.levels}
    units = any(one.name == "value_unit" for one in statement.variables)
    return [
        (code, name)
        for sign, code, name in _SYSTEMS
        if any(sign in value for value in said) or (code == "UCUM" and units)
    ]


def _column_uri(one: VariableStatement, uri: str) -> str:
    return f"{uri}#column-{one.table}-{one.name}"


def _contact(uri: str, email: str) -> dict[str, str]:
    return {"@id": uri, "@type": "cv:ContactPoint", "cv:email": email}


def _ref(uri: str) -> dict[str, str]:
    return {"@id": uri}


def _text(words: str) -> dict[str, str]:
    chinese = any("一" <= letter <= "鿿" for letter in words)
    return {"@value": words, "@language": "zh" if chinese else "en"}


def _typed(value: str, kind: str) -> dict[str, str]:
    return {"@value": value, "@type": f"xsd:{kind}"}
