"""What the OIDs of CDA documents name: code systems, numbers of persons, statuses."""

from __future__ import annotations

SYSTEMS = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10",
    "2.16.840.1.113883.6.90": "http://hl7.org/fhir/sid/icd-10-cm",
    "2.16.840.1.113883.6.4": "http://www.cms.gov/Medicare/Coding/ICD10",
    "2.16.840.1.113883.6.42": "http://hl7.org/fhir/sid/icd-9",
    "2.16.840.1.113883.6.103": "http://hl7.org/fhir/sid/icd-9-cm",
    "2.16.840.1.113883.6.104": "http://hl7.org/fhir/sid/icd-9-cm",
    "2.16.840.1.113883.6.2": "http://hl7.org/fhir/sid/icd-9-cm",
    "2.16.840.1.113883.6.43.1": "http://terminology.hl7.org/CodeSystem/icd-o-3",
    "2.16.840.1.113883.6.88": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "2.16.840.1.113883.6.69": "http://hl7.org/fhir/sid/ndc",
    "2.16.840.1.113883.6.73": "http://www.whocc.no/atc",
    "2.16.840.1.113883.6.8": "http://unitsofmeasure.org",
    "2.16.840.1.113883.6.12": "http://www.ama-assn.org/go/cpt",
    "2.16.840.1.113883.6.285": "http://terminology.hl7.org/CodeSystem/HCPCS",
    "2.16.840.1.113883.4.9": "http://fdasis.nlm.nih.gov",
    "2.16.840.1.113883.12.292": "http://hl7.org/fhir/sid/cvx",
    "2.16.840.1.113883.3.26.1.1": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "2.16.840.1.113883.6.238": "urn:oid:2.16.840.1.113883.6.238",
    "2.16.840.1.113883.6.101": "http://nucc.org/provider-taxonomy",
    "2.16.840.1.113883.5.1": "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender",
    "2.16.840.1.113883.5.2": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
    "2.16.840.1.113883.5.4": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "2.16.840.1.113883.5.8": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "2.16.840.1.113883.5.83": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    "2.16.840.1.113883.6.121": "urn:ietf:bcp:47",
    # ICD-10 as WS/T 500 names it; the Chinese edition adds characters to the WHO's codes.
    "2.16.156.10011.2.3.3.11": "http://hl7.org/fhir/sid/icd-10-cn",
    "2.16.156.10011.2.3.3.11.3": "http://hl7.org/fhir/sid/icd-10-cn",
}
"""FHIR URIs of code systems by OID; every other OID stays one (``urn:oid:…``)."""

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ELEMENTS = "2.16.156.10011.2.2.1"
"""The national catalogue of data elements (WS 363), whose codes WS/T 500 observations have."""
ICD_CN = "2.16.156.10011.2.3.3.11"
PROCEDURES_CN = "2.16.156.10011.2.3.3.12"
SEX_CN = "2.16.156.10011.2.3.3.4"

IDENTITY = "2.16.156.10011.1.3"
HEALTH_CARD = "2.16.156.10011.1.19"
OUTPATIENT, EMERGENCY, INPATIENT, RECORD = (f"2.16.156.10011.1.{n}" for n in (10, 11, 12, 13))
APPLICATION = "2.16.156.10011.1.24"
WARD, DEPARTMENT = "2.16.156.10011.1.27", "2.16.156.10011.1.26"
PERSON_TYPES = {
    IDENTITY: "NI",
    HEALTH_CARD: "HC",
    "2.16.840.1.113883.4.1": "SS",
    "2.16.840.1.113883.4.3": "DL",
    "2.16.840.1.113883.4.572": "MC",
    "2.16.840.1.113883.4.927": "MC",
}
"""Identifier types (HL7 table 0203) of roots whose numbers are the state's or an insurer's."""
VISIT_ROOTS = (INPATIENT, EMERGENCY, OUTPATIENT)
NOT_A_PERSON = frozenset((APPLICATION,))

SEX = {"M": "male", "F": "female", "UN": "other", "UNK": "unknown"}
CLASSES_CN = {"1": "AMB", "2": "EMER", "3": "IMP"}
"""患者类型代码 (CV09.00.404): outpatient, emergency, in-patient."""
ABSENT = {
    "NI": "unknown",
    "UNK": "unknown",
    "ASKU": "asked-unknown",
    "NASK": "not-asked",
    "NAV": "temporarily-unknown",
    "MSK": "masked",
    "NA": "not-applicable",
    "OTH": "unsupported",
    "NINF": "negative-infinity",
    "PINF": "positive-infinity",
    "TRC": "unknown",
    "QS": "unknown",
}
"""Null flavours as FHIR's data-absent-reason."""
UNITS = {
    "℃": "Cel",
    "°C": "Cel",
    "次/min": "/min",
    "次/分": "/min",
    "次/分钟": "/min",
    "mmHg": "mm[Hg]",
    "岁": "a",
    "月": "mo",
    "周": "wk",
    "天": "d",
    "小时": "h",
    "分钟": "min",
    "％": "%",
    "μmol/L": "umol/L",
    "μg/L": "ug/L",
    "10^9/L": "10*9/L",
    "10^12/L": "10*12/L",
}
"""Units as hospitals write them that are not UCUM."""


def system_uri(oid: str) -> str:
    """The URI of a code system by its OID.

    >>> system_uri("2.16.840.1.113883.6.1"), system_uri("2.16.156.10011.2.3.3.4")
    ('http://loinc.org', 'urn:oid:2.16.156.10011.2.3.3.4')
    """
    plain = oid.strip()
    if not plain:
        return ""
    return SYSTEMS.get(plain) or (f"urn:oid:{plain}" if plain[0].isdigit() else plain)
