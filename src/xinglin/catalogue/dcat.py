"""A data set's statement as HealthDCAT-AP (release 8), in JSON-LD.

Written against the shapes of the profile's own validator for NON_PUBLIC data (snapshot ``cd7841f`` of release 8, May
2026 and later): what they make mandatory is always there, what they recommend where it is known or stated. What only a
data holder knows comes in ``Holder``. The profile is a draft of the European Commission.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from xinglin.catalogue.dcat_lists import (
    ACCESS_RIGHTS,
    AVAILABILITIES,
    CODING_SYSTEMS,
    COUNTRIES,
    DATA_THEMES,
    DATASET_TYPES,
    FREQUENCIES,
    HEALTH_ACTIVITIES,
    HEALTH_CATEGORIES,
    HEALTH_THEMES,
    LANGUAGES,
    PUBLISHER_TYPES,
    STANDARDS,
    coding_system,
)
from xinglin.catalogue.errors import HolderIncomplete
from xinglin.catalogue.statement import DataSetStatement, VariableStatement
from xinglin.kernel.instants import to_text

EHDS = "http://data.europa.eu/eli/reg/2025/327/oj"
_PERSONAL = "https://w3id.org/dpv/dpv-pd#"
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
    "prov": "http://www.w3.org/ns/prov#",
    "oa": "http://www.w3.org/ns/oa#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_DATATYPES = {"number": "double", "integer": "integer", "boolean": "boolean", "date": "date", "instant": "dateTime"}
_PERSONAL_OF = (("Age", ("birth_year", "birth_date", "age")), ("Gender", ("sex", "gender")))
_MANDATORY = ("base", "name", "email", "access_url", "hdab_name", "hdab_email", "category", "legislation")
_ADDRESSES = ("access_url", "legislation", "landing_page", "page", "analytics_url")
_ADDRESS = re.compile(r"https?://[^\s<>\"{}|^`\\]+\Z")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


class Holder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a data holder states about itself and its offer; addresses are absolute, codes are of ``dcat_lists``.

    ``base``: of the data set's own URIs. ``category``, ``categories``: of EHDS Article 51 (``EHRS`` …). ``hdab_name``,
    ``hdab_email``: the health data access body that decides; where there is none, who decides. ``frequency``: how often
    it is updated. ``available_from``, ``available_until``: days between which it can be used. ``conforms_to``: codes of
    technical standards. ``referenced_by``: publications.
    """

    base: str
    name: str
    email: str
    access_url: str
    hdab_name: str
    hdab_email: str
    category: str = "EHRS"
    categories: tuple[str, ...] = ()
    theme: str = ""
    country: str = ""
    legislation: str = EHDS
    access: str = "NON_PUBLIC"
    publisher_type: str = ""
    provenance: str = "Collected in routine care and mapped to canonical tables; personal data stay with the holder."
    keywords: tuple[str, ...] = ("electronic health records", "routine care")
    purpose: str = "Scientific research related to health or care sectors."
    legal_basis: str = ""
    conforms_to: tuple[str, ...] = ()
    frequency: str = ""
    languages: tuple[str, ...] = ()
    activity: str = ""
    available_from: str = ""
    available_until: str = ""
    landing_page: str = ""
    page: str = ""
    analytics_url: str = ""
    referenced_by: tuple[str, ...] = ()


def health_dcat(statement: DataSetStatement, holder: Holder) -> dict[str, Any]:
    """The statement as a JSON-LD document (``@context`` and ``@graph``). Raises ``HolderIncomplete``."""
    _check(holder)
    uri = f"{holder.base.rstrip('/')}/{statement.name}"
    graph = [_data_set(statement, holder, uri), *_agents(holder, uri), *_distributions(holder, uri)]
    if statement.variables:
        graph += [_tables(statement, uri), *_columns(statement, uri)]
    return {"@context": CONTEXT, "@graph": [*graph, *_concepts(statement, holder)]}


def _check(holder: Holder) -> None:
    for name in _MANDATORY:
        if not getattr(holder, name):
            raise HolderIncomplete(f"HealthDCAT-AP asks for the holder's {name}.", remedy="State it in holder.toml.")
    addresses = [getattr(holder, name) for name in _ADDRESSES] + list(holder.referenced_by)
    if ":" not in holder.base or not all(_ADDRESS.match(one) for one in addresses if one):
        raise HolderIncomplete("An address is not an absolute URI.", remedy="Write it with https://.")
    if not all(_DAY.match(day) for day in (holder.available_from, holder.available_until) if day):
        raise HolderIncomplete("A day is written as 2026-01-31.")
    if not holder.keywords or not all(holder.keywords):
        raise HolderIncomplete("HealthDCAT-AP asks for a keyword.", remedy="State keywords in holder.toml.")


def _data_set(statement: DataSetStatement, holder: Holder, uri: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@id": uri,
        "@type": "dcat:Dataset",
        "dct:title": _text(statement.title),
        "dct:description": _text(statement.words),
        "dct:identifier": uri,
        "dct:accessRights": ACCESS_RIGHTS.ref(holder.access),
        "dcatap:applicableLegislation": _ref(holder.legislation),
        "dcat:distribution": _ref(uri + "#access"),
        "dcat:theme": DATA_THEMES.ref("HEAL"),
        "dcat:keyword": [_text(word) for word in holder.keywords],
        "dcat:contactPoint": _ref(uri + "#contact"),
        "dct:publisher": _ref(uri + "#holder"),
        "geodcatap:custodian": _ref(uri + "#holder"),
        "dct:type": DATASET_TYPES.ref("PERSONAL_DATA"),
        "dct:provenance": _ref(uri + "#provenance"),
        "dct:modified": _typed(to_text(statement.at)[:10], "date"),
        "healthdcatap:hdab": _ref(uri + "#hdab"),
        "healthdcatap:healthCategory": [HEALTH_CATEGORIES.ref(code) for code in _categories(holder)],
        "healthdcatap:hasStructuredData": _typed("true" if statement.variables else "false", "boolean"),
        "dpv:hasPurpose": {"@id": uri + "#purpose", "@type": "dpv:Purpose", "dct:description": _text(holder.purpose)},
        "dpv:hasPersonalData": [
            {"@id": _PERSONAL + word, "@type": "dpv:PersonalData"} for word in _personal_data(statement)
        ],
    }
    if statement.variables:
        found["healthdcatap:hasVariables"] = _ref(uri + "#variables")
    systems = _systems_of(statement)
    if systems:
        found["healthdcatap:hasCodingSystem"] = [CODING_SYSTEMS.ref(code) for code in systems]
        names = ", ".join(CODING_SYSTEMS.codes[code] for code in systems)
        found["healthdcatap:hasCodeValues"] = _text(f"Codes of {names}; the levels of each variable are listed.")
    return found | _stated(holder, uri) | _coverage(statement, uri)


def _stated(holder: Holder, uri: str) -> dict[str, Any]:
    """What the profile recommends and a holder may state."""
    found: dict[str, Any] = {}
    if holder.theme:
        found["healthdcatap:healthTheme"] = HEALTH_THEMES.ref(holder.theme)
    if holder.country:
        found["dct:spatial"] = COUNTRIES.ref(holder.country)
    if holder.frequency:
        found["dct:accrualPeriodicity"] = FREQUENCIES.ref(holder.frequency)
    if holder.languages:
        found["dct:language"] = [LANGUAGES.ref(code) for code in holder.languages]
    if holder.conforms_to:
        found["dct:conformsTo"] = [STANDARDS.ref(code) for code in holder.conforms_to]
    if holder.legal_basis:
        found["dpv:hasLegalBasis"] = {
            "@id": uri + "#legal-basis",
            "@type": "dpv:LegalBasis",
            "dct:description": _text(holder.legal_basis),
            "dct:source": _ref(holder.legislation),
        }
    if holder.activity:
        found["prov:wasGeneratedBy"] = {
            "@id": uri + "#activity",
            "@type": "prov:Activity",
            "rdfs:label": _text(holder.provenance),
            "dct:type": HEALTH_ACTIVITIES.ref(holder.activity),
        }
    days = {"dcat:startDate": holder.available_from, "dcat:endDate": holder.available_until}
    if any(days.values()):
        found["healthdcatap:retentionPeriod"] = {
            "@id": uri + "#retention",
            "@type": "dct:PeriodOfTime",
            **{name: _typed(day, "date") for name, day in days.items() if day},
        }
    pages = {"dcat:landingPage": holder.landing_page, "foaf:page": holder.page}
    found |= {name: {"@id": page, "@type": "foaf:Document"} for name, page in pages.items() if page}
    if holder.analytics_url:
        found["healthdcatap:analytics"] = _ref(uri + "#analytics")
    if holder.referenced_by:
        found["dct:isReferencedBy"] = [_ref(one) for one in holder.referenced_by]
    return found


def _coverage(statement: DataSetStatement, uri: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if statement.first_month:
        found["dct:temporal"] = {
            "@id": uri + "#period",
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _typed(statement.first_month, "gYearMonth"),
            "dcat:endDate": _typed(statement.last_month, "gYearMonth"),
        }
    resolution = _resolution(statement)
    if resolution:
        found["dcat:temporalResolution"] = _typed(resolution, "duration")
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
        publisher["dct:type"] = PUBLISHER_TYPES.ref(holder.publisher_type)
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


def _distributions(holder: Holder, uri: str) -> list[dict[str, Any]]:
    access = {
        "@id": uri + "#access",
        "@type": "dcat:Distribution",
        "dct:title": _text("Approved uses come to the data"),
        "dct:description": _text(
            f"Records do not leave the holder; protected results of approved questions do. {holder.hdab_name} decides."
        ),
        "dcat:accessURL": _ref(holder.access_url),
        "dcatap:applicableLegislation": _ref(holder.legislation),
        "dcatap:availability": AVAILABILITIES.ref("AVAILABLE"),
        "dct:rights": {
            "@id": uri + "#rights",
            "@type": "dct:RightsStatement",
            "rdfs:label": _text("Use needs an agreement that the holder signs; each use is decided and logged."),
        },
    }
    if not holder.analytics_url:
        return [access]
    analytics = {
        "@id": uri + "#analytics",
        "@type": "dcat:Distribution",
        "dct:title": _text("Statement of the data's quality"),
        "dcat:accessURL": _ref(holder.analytics_url),
        "dcatap:applicableLegislation": _ref(holder.legislation),
    }
    return [access, analytics]


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
    """The concepts that are used, each in its list, and the lists."""
    used = [
        (ACCESS_RIGHTS, (holder.access,)),
        (DATA_THEMES, ("HEAL",)),
        (DATASET_TYPES, ("PERSONAL_DATA",)),
        (AVAILABILITIES, ("AVAILABLE",)),
        (HEALTH_CATEGORIES, _categories(holder)),
        (HEALTH_THEMES, (holder.theme,)),
        (COUNTRIES, (holder.country,)),
        (FREQUENCIES, (holder.frequency,)),
        (LANGUAGES, holder.languages),
        (STANDARDS, holder.conforms_to),
        (HEALTH_ACTIVITIES, (holder.activity,)),
        (PUBLISHER_TYPES, (holder.publisher_type,)),
        (CODING_SYSTEMS, _systems_of(statement)),
    ]
    concepts = [listed.concept(code) for listed, codes in used for code in dict.fromkeys(codes) if code]
    return [*concepts, *(listed.scheme() for listed, codes in used if any(codes))]


def _categories(holder: Holder) -> tuple[str, ...]:
    return tuple(dict.fromkeys((holder.category, *holder.categories)))


def _systems_of(statement: DataSetStatement) -> tuple[str, ...]:
    said = [each.value for one in statement.variables if one.name.endswith("_system") for each in one.levels]
    units = ["UCUM"] if any(one.name == "value_unit" for one in statement.variables) else []
    found = {coding_system(uri) for uri in said} | set(units)
    return tuple(code for code in CODING_SYSTEMS.codes if code in found)


def _personal_data(statement: DataSetStatement) -> tuple[str, ...]:
    names = {one.name for one in statement.variables}
    return (*(word for word, columns in _PERSONAL_OF if names.intersection(columns)), "HealthRecord")


def _resolution(statement: DataSetStatement) -> str:
    """The smallest difference between two facts: of instants a second, of dates a day."""
    kinds = {one.kind for one in statement.variables}
    return "PT1S" if "instant" in kinds else "P1D" if "date" in kinds else ""


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
