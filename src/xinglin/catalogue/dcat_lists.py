"""The code lists that HealthDCAT-AP names, as far as exports use them: EU authority lists and those of HealthData@EU.

Compared with release 8 of the profile (validator snapshot ``cd7841f``). A code that a list with ``codes`` lacks is
refused; categories, themes and coding systems are whole, the others hold what exports write. Of lists without ``codes``
only the form of a code is checked: they are long, and change.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from xinglin.catalogue.errors import HolderIncomplete

_EU = "http://publications.europa.eu/resource/authority/"
_HEALTH = "https://hdeu-dcat.data.health.europa.eu/resource/authority/"
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


class CodeList(msgspec.Struct, frozen=True):
    """A list: its URI, its title, the class that DCAT-AP asks of its concepts, and its codes with their labels."""

    uri: str
    title: str
    kind: str = ""
    codes: dict[str, str] = {}

    def ref(self, code: str) -> dict[str, str]:
        """A reference to a concept. Raises ``HolderIncomplete`` for a code that the list cannot have."""
        if not _FORM.match(code) or (self.codes and code not in self.codes):
            raise HolderIncomplete(
                f"'{code[:40]}' is no code of '{self.title}'.",
                remedy=f"Use one of {', '.join(self.codes)}." if self.codes else f"See {self.uri}.",
            )
        return {"@id": f"{self.uri}/{code}"}

    def concept(self, code: str) -> dict[str, Any]:
        """The concept itself, in its list, as the profile's shapes of code lists ask."""
        return {
            **self.ref(code),
            "@type": ["skos:Concept", *([self.kind] if self.kind else [])],
            "skos:prefLabel": {"@value": self.codes.get(code, code), "@language": "en"},
            "skos:inScheme": {"@id": self.uri},
        }

    def scheme(self) -> dict[str, Any]:
        """The list as a concept scheme."""
        return {"@id": self.uri, "@type": "skos:ConceptScheme", "dct:title": {"@value": self.title, "@language": "en"}}


ACCESS_RIGHTS = CodeList(
    _EU + "access-right",
    "Access Rights Named Authority List",
    "dct:RightsStatement",
    {"NON_PUBLIC": "non-public", "PUBLIC": "public", "RESTRICTED": "restricted"},
)
DATA_THEMES = CodeList(_EU + "data-theme", "Data Theme Named Authority List", codes={"HEAL": "Health"})
DATASET_TYPES = CodeList(
    _EU + "dataset-type", "Dataset Type Named Authority List", codes={"PERSONAL_DATA": "Personal data"}
)
LANGUAGES = CodeList(_EU + "language", "Languages Named Authority List", "dct:LinguisticSystem")
FREQUENCIES = CodeList(_EU + "frequency", "Frequencies Named Authority List", "dct:Frequency")
COUNTRIES = CodeList(_EU + "country", "Countries Named Authority List", "dct:Location")
AVAILABILITIES = CodeList(
    _EU + "planned-availability",
    "Planned Availability Named Authority List",
    codes={"AVAILABLE": "Available", "EXPERIMENTAL": "Experimental", "STABLE": "Stable", "TEMPORARY": "Temporary"},
)
PUBLISHER_TYPES = CodeList(_HEALTH + "publisher-type", "Health Publisher Types")
HEALTH_ACTIVITIES = CodeList(_HEALTH + "health-activity", "Health Activities")
STANDARDS = CodeList(_HEALTH + "standard", "Health Technical Standards", "dct:Standard")

HEALTH_CATEGORIES = CodeList(
    _HEALTH + "healthcategories",
    "Health Categories (EHDS Art. 51)",
    codes={
        "EHRS": "Electronic health data from EHRs",
        "DIOH": "Data on factors impacting on health",
        "NRPE": "Aggregated data on healthcare needs, resources, provision, access, expenditure and financing",
        "RPDG": "Data on pathogens that impact human health",
        "HRAD": "Healthcare-related administrative data, including on dispensations, reimbursement claims and "
        "reimbursements",
        "HGPD": "Human genetic, epigenomic and genomic data",
        "HPML": "Other human molecular data",
        "PGEH": "Personal electronic health data automatically generated through medical devices",
        "WELA": "Data from wellness applications",
        "IDHP": "Data on health professionals involved in the treatment of a natural person",
        "PHDR": "Data from population-based health data registries",
        "MRMR": "Data from medical registries and mortality registries",
        "EHCT": "Data from clinical trials, clinical studies, clinical investigations and performance studies",
        "EMRD": "Other health data from medical devices",
        "RMMD": "Data from registries for medicinal products and medical devices",
        "RQSH": "Data from research cohorts, questionnaires and surveys related to health, after the first publication "
        "of the related results",
        "EINS": "Health data from biobanks and associated databases",
    },
)
"""The seventeen categories of EHDS Article 51(1)."""

_THEMES = """
ANTIMICROBIAL_CONTROL BLOOD_INFECTIONS CANCER_DISEASE CLIMATE_HEALTH EMERGENCY_SETTINGS ENTERIC_INFECTIONS
ENVIRONMENTAL_HEALTH HEALTH_PRODUCTS HEALTH_SYSTEMS IMMUNIZATION_DISEASES INJURY_PREVENTION LIFECOURSE_HEALTH
MENTAL_HEALTH NONCOMMUNICABLE_DISEASES NUTRITION_SECURITY REPRODUCTIVE_HEALTH RESPIRATORY_DISEASES SENSORY_HEALTH
TROPICAL_DISEASES VECTOR_DISEASES
"""
HEALTH_THEMES = CodeList(
    _HEALTH + "health-theme",
    "Health Themes",
    codes={code: code.replace("_", " ").capitalize() for code in _THEMES.split()},
)

CODING_SYSTEMS = CodeList(
    _HEALTH + "coding-system",
    "Coding Systems",
    "dct:Standard",
    {
        "ATC": "Anatomical Therapeutic Chemical Classification System",
        "DICOM-CT": "DICOM controlled terminology",
        "EDQM": "EDQM standard terms",
        "EMA-SPOR": "EMA SPOR",
        "EMDN": "European Medical Device Nomenclature",
        "GMDN": "Global Medical Device Nomenclature",
        "HGNC": "HGNC gene nomenclature",
        "HPO": "Human Phenotype Ontology",
        "ICD-10": "ICD-10",
        "ICD-10-NAT": "National modification of ICD-10",
        "ICD-11": "ICD-11",
        "ICD-9-CM": "ICD-9-CM",
        "ICD-O": "ICD-O",
        "ICF": "International Classification of Functioning, Disability and Health",
        "ICHI": "International Classification of Health Interventions",
        "ICPC-2": "ICPC-2",
        "ICPC-3": "ICPC-3",
        "LOINC": "LOINC",
        "MEDDRA": "MedDRA",
        "MESH": "Medical Subject Headings",
        "NCIT": "NCI Thesaurus",
        "NPU": "NPU terminology",
        "OHDSI-VOCAB": "OHDSI standardised vocabularies",
        "OPS": "OPS",
        "ORDO": "Orphanet Rare Disease Ontology",
        "ORPHACODE": "ORPHAcodes",
        "PROC-CODES-NAT": "National procedure codes",
        "RXNORM": "RxNorm",
        "SNOMED-CT": "SNOMED CT",
        "UCUM": "UCUM",
        "UMLS": "Unified Medical Language System",
        "WHODRUG": "WHODrug",
    },
)

_SIGNS = (
    ("icd-10-pcs", "PROC-CODES-NAT"),
    ("icd-10-", "ICD-10-NAT"),
    ("icd10-", "ICD-10-NAT"),
    ("icd-10", "ICD-10"),
    ("icd-11", "ICD-11"),
    ("id.who.int/icd/release/11", "ICD-11"),
    ("icd-9-cm", "ICD-9-CM"),
    ("icd-o", "ICD-O"),
    ("icpc-2", "ICPC-2"),
    ("loinc", "LOINC"),
    ("snomed", "SNOMED-CT"),
    ("whocc.no/atc", "ATC"),
    ("rxnorm", "RXNORM"),
    ("unitsofmeasure", "UCUM"),
    ("human-phenotype-ontology", "HPO"),
    ("genenames.org", "HGNC"),
    ("orpha", "ORPHACODE"),
    ("dicom.nema.org", "DICOM-CT"),
    ("icf", "ICF"),
    ("meddra", "MEDDRA"),
    ("ama-assn.org/go/cpt", "PROC-CODES-NAT"),
    ("/ops", "OPS"),
)


def coding_system(uri: str) -> str:
    """The code of the list for a code system's URI, or "" where the list has none.

    >>> coding_system("http://hl7.org/fhir/sid/icd-10-cm"), coding_system("http://hl7.org/fhir/sid/icd-10")
    ('ICD-10-NAT', 'ICD-10')
    """
    return next((code for sign, code in _SIGNS if sign in uri.lower()), "")
