"""Code systems as HL7 v2 names them (table 0396), as FHIR URIs."""

from __future__ import annotations

import re
from functools import lru_cache

SYSTEMS = {
    "ACR": "http://terminology.hl7.org/CodeSystem/ACR",
    "ATC": "http://www.whocc.no/atc",
    "C4": "http://www.ama-assn.org/go/cpt",
    "CDCREC": "urn:oid:2.16.840.1.113883.6.238",
    "CDT2": "http://www.ada.org/cdt",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "CPT4": "http://www.ama-assn.org/go/cpt",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "HCPCS": "http://terminology.hl7.org/CodeSystem/HCPCS",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "I10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "I10P": "http://www.cms.gov/Medicare/Coding/ICD10",
    "I9": "http://hl7.org/fhir/sid/icd-9",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9CDX": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9CM": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9CP": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "ICD-10": "http://hl7.org/fhir/sid/icd-10",
    "ICD9": "http://hl7.org/fhir/sid/icd-9",
    "ICDO3": "http://terminology.hl7.org/CodeSystem/icd-o-3",
    "ISO+": "http://unitsofmeasure.org",
    "ISO3166_1": "urn:iso:std:iso:3166",
    "LN": "http://loinc.org",
    "LOINC": "http://loinc.org",
    "MVX": "http://hl7.org/fhir/sid/mvx",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "NPI": "http://hl7.org/fhir/sid/us-npi",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "SCT": "http://snomed.info/sct",
    "SCT2": "http://snomed.info/sct",
    "SNM": "http://snomed.info/sct",
    "SNOMED-CT": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    "UNII": "http://fdasis.nlm.nih.gov",
    # The one table whose codes FHIR's terminology keeps elsewhere.
    "HL70005": "http://terminology.hl7.org/CodeSystem/v3-Race",
}
_TABLE = re.compile(r"(?:HL7)?(\d{4})")
_OID = re.compile(r"[0-2](?:\.\d+){3,}")


@lru_cache(maxsize=4096)
def system_uri(name: str) -> str:
    """The URI of a code system; a local one (``99LAB``) keeps its name, so that maps can be kept under it.

    >>> system_uri("LN"), system_uri("HL70001"), system_uri("2.16.840.1.113883.6.1"), system_uri("99LAB")
    ('http://loinc.org', 'http://terminology.hl7.org/CodeSystem/v2-0001', 'urn:oid:2.16.840.1.113883.6.1', '99LAB')
    """
    known = SYSTEMS.get(name.upper())
    if known:
        return known
    if match := _TABLE.fullmatch(name):
        return f"http://terminology.hl7.org/CodeSystem/v2-{match.group(1)}"
    return f"urn:oid:{name}" if _OID.fullmatch(name) else "_".join(name.split())
