"""Code systems under all the names that sources give them, as the one URI that is kept."""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType

from xinglin.records.v2maps.systems import system_uri

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10_CN = "http://hl7.org/fhir/sid/icd-10-cn"
ICD9_CM = "http://hl7.org/fhir/sid/icd-9-cm"
ATC = "http://www.whocc.no/atc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
FDI = "urn:iso:std:iso:3950"
OMOP = "https://athena.ohdsi.org"

_OIDS = MappingProxyType(
    {
        "2.16.840.1.113883.6.1": LOINC,
        "2.16.840.1.113883.6.96": SNOMED,
        "2.16.840.1.113883.6.3": ICD10,
        "2.16.840.1.113883.6.90": ICD10_CM,
        "2.16.840.1.113883.6.4": "http://www.cms.gov/Medicare/Coding/ICD10",
        "2.16.840.1.113883.6.103": ICD9_CM,
        "2.16.840.1.113883.6.104": ICD9_CM,
        "2.16.840.1.113883.6.42": "http://hl7.org/fhir/sid/icd-9",
        "2.16.840.1.113883.6.73": ATC,
        "2.16.840.1.113883.6.88": RXNORM,
        "2.16.840.1.113883.6.8": UCUM,
        "2.16.840.1.113883.6.12": "http://www.ama-assn.org/go/cpt",
        "2.16.840.1.113883.6.13": "http://www.ada.org/cdt",
        "2.16.840.1.113883.6.285": "http://terminology.hl7.org/CodeSystem/HCPCS",
        "2.16.840.1.113883.6.69": "http://hl7.org/fhir/sid/ndc",
        "2.16.840.1.113883.6.43.1": "http://terminology.hl7.org/CodeSystem/icd-o-3",
        "2.16.840.1.113883.6.24": "urn:iso:std:iso:11073:10101",
        "2.16.840.1.113883.12.292": "http://hl7.org/fhir/sid/cvx",
        "2.16.840.1.113883.12.227": "http://hl7.org/fhir/sid/mvx",
        "2.16.840.1.113883.4.9": "http://fdasis.nlm.nih.gov",
        "1.2.840.10008.2.16.4": "http://dicom.nema.org/resources/ontology/DCM",
        "1.0.3166.1": "urn:iso:std:iso:3166",
        "2.16.840.1.113883.5.1": "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender",
        "2.16.840.1.113883.5.2": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
        "2.16.840.1.113883.5.4": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "2.16.840.1.113883.5.6": "http://terminology.hl7.org/CodeSystem/v3-ActClass",
        "2.16.840.1.113883.5.7": "http://terminology.hl7.org/CodeSystem/v3-ActPriority",
        "2.16.840.1.113883.5.83": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
        "2.16.840.1.113883.5.84": "http://terminology.hl7.org/CodeSystem/v3-ObservationMethod",
        "2.16.840.1.113883.5.111": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
        "2.16.840.1.113883.5.112": "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration",
        "2.16.840.1.113883.5.1008": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
    }
)
_SPELLINGS = MappingProxyType(
    {
        "http://www.loinc.org": LOINC,
        "http://snomed.info/id": SNOMED,
        "http://www.snomed.org": SNOMED,
        "http://hl7.org/fhir/sid/icd-10-who": ICD10,
        "http://hl7.org/fhir/sid/icd-10-us": ICD10_CM,
        "http://id.who.int/icd10": ICD10,
        "http://id.who.int/icd/release/10": ICD10,
        "http://www.whocc.no/atc_ddd_index": ATC,
        "http://hl7.org/fhir/sid/atc": ATC,
        "http://fhir.de/codesystem/bfarm/atc": ATC,
        "http://rxnorm.info": RXNORM,
        "http://unitsofmeasure.org/ucum.html": UCUM,
    }
)
_V2_OID = re.compile(r"2\.16\.840\.1\.113883\.12\.(\d{1,4})")
_OLD = re.compile(r"http://hl7\.org/fhir/(v[23])/([\w-]+)")

STANDARD = frozenset(
    {
        LOINC,
        SNOMED,
        ICD10,
        ICD10_CM,
        ICD9_CM,
        ATC,
        RXNORM,
        FDI,
        "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
        "http://id.who.int/icd/release/11/mms",
        "http://terminology.hl7.org/CodeSystem/icd-o-3",
        "http://www.cms.gov/Medicare/Coding/ICD10",
        "http://www.ama-assn.org/go/cpt",
        "http://hl7.org/fhir/sid/cvx",
        "http://dicom.nema.org/resources/ontology/DCM",
    }
)
"""Systems whose codes are standard codes as they are."""


@lru_cache(maxsize=4_096)
def canonical_system(name: str) -> str:
    """The URI of a code system by an OID, an old or misspelt URI, or a name of HL7 table 0396; else the name.

    >>> canonical_system("urn:oid:2.16.840.1.113883.6.1"), canonical_system("LN")
    ('http://loinc.org', 'http://loinc.org')
    >>> canonical_system("http://hl7.org/fhir/v3/ActCode"), canonical_system("99LAB")
    ('http://terminology.hl7.org/CodeSystem/v3-ActCode', '99LAB')
    """
    text = name.strip()
    if not text:
        return ""
    lowered = text.lower()
    if lowered.startswith("urn:oid:") or text[0].isdigit():
        return _of_oid(text[8:] if lowered.startswith("urn:oid:") else text, text)
    if lowered.startswith(("http://", "https://")):
        return _of_url("http://" + text.partition("://")[2])
    return text if ":" in text else system_uri(text)


def _of_oid(oid: str, text: str) -> str:
    known = _OIDS.get(oid)
    if known:
        return known
    if match := _V2_OID.fullmatch(oid):
        return f"http://terminology.hl7.org/CodeSystem/v2-{int(match.group(1)):04d}"
    return system_uri(oid) if text == oid else text


def _of_url(url: str) -> str:
    plain = url.rstrip("/#")
    if plain.startswith(SNOMED + "/"):
        return SNOMED
    if match := _OLD.fullmatch(plain):
        return f"http://terminology.hl7.org/CodeSystem/{match.group(1)}-{match.group(2)}"
    known = _SPELLINGS.get(plain.lower())
    if known:
        return known
    return plain if plain in STANDARD else url
