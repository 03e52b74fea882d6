"""Codes by which FHIR Consent names purposes, sensitive categories and actions, and ours for them.

Sources: HL7 Terminology, code systems ``v3-ActReason``, ``v3-ActCode``, ``consentscope``, ``consentaction``.
"""

from __future__ import annotations

from collections.abc import Mapping

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
PURPOSE_SYSTEM = "https://w3id.org/xinglin/terms/1/purpose"
CATEGORY_SYSTEM = "https://w3id.org/xinglin/terms/1/category"
COMMERCIAL_SYSTEM = "https://w3id.org/xinglin/terms/1/interest"
STUDY_SYSTEM = "https://w3id.org/xinglin/terms/1/study"
INSTITUTION_SYSTEM = "https://w3id.org/xinglin/terms/1/participant"
AS_LAW_SAYS = "https://w3id.org/xinglin/terms/1/consent/as-law-says"
"""A policy under which a consent says nothing beside its provisions: the regime of the law pack holds."""

PURPOSE_OF: Mapping[str, str] = {
    "HRESCH": "health-research",
    "BIORCH": "health-research",
    "CLINTRCH": "health-research",
    "CLINTRCHNPC": "health-research",
    "CLINTRCHPC": "health-research",
    "PRECLINTRCH": "health-research",
    "TRANSRCH": "health-research",
    "DSRCH": "health-research",
    "POARCH": "ancestry-research",
    "PUBHLTH": "public-health",
    "DISASTER": "public-health",
    "THREAT": "public-health",
    "HOPERAT": "care-quality",
    "HQUALIMP": "care-quality",
    "METAMGT": "care-quality",
    "PATSFTY": "care-quality",
    "HSYSADMIN": "care-quality",
    "MEMADMIN": "care-quality",
    "PERFMSR": "care-quality",
    "TRAIN": "education",
    "HMARKT": "advertising",
    "TREAT": "clinical-care",
    "ETREAT": "clinical-care",
    "CLINTRL": "clinical-care",
    "CAREMGT": "clinical-care",
    "COC": "clinical-care",
    "CAREGIVER": "clinical-care",
    "PATADMIN": "clinical-care",
    "BTG": "clinical-care",
    "ERTREAT": "clinical-care",
    "POPHLTH": "public-health",
}
"""Purposes of use. ``DSRCH`` names no disease: a denial of it is of all health research, a permission of none."""

WIDER_THAN_SAID = frozenset({"DSRCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "TRANSRCH", "BIORCH"})
"""Codes that name a part of the purpose they are read as: enough for a denial, not for a permission."""

CATEGORY_OF: Mapping[str, str] = {
    "GDIS": "genetic",
    "GENE": "genetic",
    "PSY": "mental-health",
    "PSYTHPN": "mental-health",
    "MH": "mental-health",
    "BH": "mental-health",
    "COGN": "mental-health",
    "DVD": "mental-health",
    "EMOTDIS": "mental-health",
    "SEX": "sexual-health",
    "STD": "sexual-health",
    "REPROH": "sexual-health",
    "HIV": "hiv",
    "SUD": "substance-use",
    "ETH": "substance-use",
    "ETHUD": "substance-use",
    "ALC": "substance-use",
    "OPIOIDUD": "substance-use",
    "DRUGUD": "substance-use",
    "SDV": "violence",
    "IPV": "violence",
    "VIO": "violence",
    "ADOL": "minors",
    "PDS": "minors",
}
"""Labels of sensitivity (``v3-ActCode``)."""

USING = frozenset({"use", "access", "disclose"})
NOT_USING = frozenset({"collect", "correct"})
"""Actions: what a study does with data, and what it never does."""

PERMITTING = frozenset({"OPTIN", "OPTINR"})
DENYING = frozenset({"OPTOUT", "OPTOUTE"})
"""Base policies (``policyRule``); the restrictions and exceptions are the provisions."""

CARE_SCOPES = frozenset({"treatment", "adr"})
OTHER_SCOPES = frozenset({"research", "patient-privacy"})

NOT_SECONDARY = frozenset({"HPAYMT", "CLMATTCH", "COVAUTH", "COVERAGE", "ELIGDTRM", "ELIGVER", "ENROLLM", "REMITADV"})
"""Purposes of payment: no study has one."""

TABLES_OF: Mapping[str, tuple[str, ...]] = {
    "allergyintolerance": ("allergy",),
    "diagnosticreport": ("report",),
    "documentreference": ("document", "note"),
    "composition": ("document", "note"),
    "imagingstudy": ("imaging",),
    "medicationrequest": ("medication",),
    "medicationstatement": ("medication",),
    "medicationadministration": ("medication",),
    "medicationdispense": ("medication",),
    "molecularsequence": ("variant",),
    "genomicstudy": ("variant",),
    "explanationofbenefit": ("claim",),
    "familymemberhistory": ("familyhistory", "observation"),
}
"""FHIR resource types whose rows lie in tables of another name."""

TABLES = frozenset(
    [
        "allergy",
        "appointment",
        "claim",
        "condition",
        "death",
        "device",
        "document",
        "encounter",
        "familyhistory",
        "imaging",
        "immunization",
        "location",
        "medication",
        "note",
        "observation",
        "organization",
        "patient",
        "procedure",
        "report",
        "specimen",
        "staff",
        "supply",
        "variant",
    ]
)
"""Tables of which it is known what kind of records they hold."""
