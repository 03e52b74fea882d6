"""A use of which every article of every pack is satisfied, and for each rule one fact changed that violates it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from xinglin.kernel.instants import from_text
from xinglin.terms.law.answers import Answer, record_answer
from xinglin.terms.law.facts import DOCUMENTS, MEASURES
from xinglin.terms.law.loading import PACKS, load_pack
from xinglin.terms.law.subject import LawSubject

NOW = from_text("2026-11-22T00:00:00Z")
DAY = 86_400_000
ALL_DOCUMENTS, ALL_MEASURES = frozenset(DOCUMENTS), frozenset(MEASURES)


def without(*names: str) -> dict[str, Any]:
    """Documents and measures but for these."""
    return {"documents": ALL_DOCUMENTS - set(names), "measures": ALL_MEASURES - set(names)}


GOOD = LawSubject(
    matter="stroke-2026",
    at=NOW,
    categories=frozenset({"health-status", "genetic", "biospecimens"}),
    identifiability="pseudonymised",
    identifiers=frozenset(),
    data_class="important",
    persons=600,
    genomes=600,
    held_persons=12_000_000,
    minors_under_14=True,
    without_capacity=True,
    purposes=frozenset({"disease-research/MONDO:0005010"}),
    operations=frozenset({"statistics"}),
    outputs="anonymous",
    commercial=False,
    sold=False,
    automated_decisions=True,
    large_scale=True,
    foreign_court=True,
    relation="entrusted",
    recipient_class="university",
    recipient_foreign=True,
    collects=False,
    clinical_trial=False,
    origin="CN-SH",
    destinations=frozenset({"DE"}),
    environment="workspace",
    basis="consent",
    consent=frozenset(
        {"informed", "separate", "written", "explicit", "guardian", "this-purpose", "recipient", "cross-border"}
    ),
    lawful_ground="consent",
    special_ground="explicit-consent",
    hipaa_form="limited-data-set",
    hipaa_ground="waiver",
    documents=ALL_DOCUMENTS,
    measures=ALL_MEASURES,
    duties=frozenset({"delete", "publish"}),
    retention_ends=NOW + 1,
    ethics_expires=NOW + 1,
    ethics_reviewed=NOW - 366 * DAY,
    permit="granted",
    permit_expires=NOW + 1,
    permit_extensions=1,
    log_days=366,
    dengbao_level=3,
    dengbao_assessed=NOW - 366 * DAY,
    miping_assessed=NOW - 366 * DAY,
    risk_assessed=NOW - 366 * DAY,
    audited=NOW - 731 * DAY,
)
"""Satisfies every rule that applies to it; the nearest miss on the good side where there is a number."""

ANONYMOUS = {"identifiability": "anonymous"}
EUROPE = {"origin": "FR", "destinations": frozenset({"US"})}
AUTHORITY = {"recipient_class": "authority", "purposes": frozenset({"public-health"})}
SAFE = {"hipaa_form": "safe-harbor"}
PROTECTED = {"hipaa_form": "protected"}
WRITTEN = frozenset({"written", "this-purpose", "recipient"})

SETTINGS: dict[str, dict[str, Any]] = {
    "pipl.basis-judged": {"basis": "statutory-duty"},
    "pipl.joint-processors": {"relation": "joint"},
    "pipl.provided-to-others": {"relation": "provided"},
    "pipl.publishing": {"relation": "published"},
    "human_genetic_resources.collection-approval": {"collects": True},
    "human_genetic_resources.written-consent": {"collects": True},
    "ethics_review_2023.approved": {"documents": ALL_DOCUMENTS - {"consent-waiver"}},
    "ethics_review_2023.exempt-anonymous": ANONYMOUS,
    "ethics_review_2023.exempt-judged": {**ANONYMOUS, "documents": ALL_DOCUMENTS - {"ethics-approval"}},
    "dengbao_miping.level-4-assessed": {"dengbao_level": 4, "dengbao_assessed": NOW - 184 * DAY},
    "gdpr.balance-of-interests": {"lawful_ground": "legitimate-interests"},
    "gdpr.special-law": {"special_ground": "research"},
    "gdpr.joint-controllers": {"relation": "joint"},
    "gdpr.third-countries": EUROPE,
    "gdpr.derogation-judged": {**EUROPE, **without("adequacy-decision", "transfer-safeguards")},
    "hipaa.safe-harbor": SAFE,
    "hipaa.safe-harbor-knowledge": SAFE,
    "hipaa.expert-determination": {"hipaa_form": "expert-determination"},
    "hipaa.re-identification-code": SAFE,
    "hipaa.authorization": {**PROTECTED, "hipaa_ground": "authorization", "consent": WRITTEN},
    "hipaa.waiver": PROTECTED,
    "hipaa.accounting": PROTECTED,
    "ehds.public-bodies": AUTHORITY,
}
"""Where a rule does not apply to the good use: what makes it apply, and satisfied."""

LATE = {"retention_ends": NOW}
VIOLATIONS: dict[str, dict[str, Any]] = {
    "pipl.security-measures": without("training"),
    "pipl.basis": {"consent": frozenset({"explicit"})},
    "pipl.consent-purpose": {"consent": frozenset({"informed", "explicit"})},
    "pipl.withdrawal-way": without("withdrawal-way"),
    "pipl.notice": without("privacy-notice"),
    "pipl.retention": LATE,
    "pipl.joint-processors": without("joint-arrangement"),
    "pipl.entrusted": without("entrustment-contract"),
    "pipl.provided-to-others": {"consent": frozenset({"separate"})},
    "pipl.automated-decisions": without("human-review"),
    "pipl.publishing": {"consent": frozenset({"explicit"})},
    "pipl.sensitive-need": without("encryption"),
    "pipl.sensitive-consent": {"consent": frozenset({"informed", "explicit", "this-purpose"})},
    "pipl.children": {"consent": frozenset({"informed"})},
    "pipl.export-way": without("export-security-assessment", "export-certification", "export-standard-contract"),
    "pipl.export-consent": {"consent": frozenset({"separate", "recipient"})},
    "pipl.foreign-courts": without("authority-approval"),
    "pipl.rights": without("rights-way"),
    "pipl.audit": {"audited": NOW - 731 * DAY - 1},
    "pipl.impact-assessment": without("impact-record-kept-3-years"),
    "pipl.breach-notice": without("breach-notice"),
    "data_security_law.classified": {"data_class": "core"},
    "data_security_law.security-system": without("dengbao-filing"),
    "data_security_law.responsible-person": without("security-officer"),
    "data_security_law.risk-monitoring": without("risk-monitoring"),
    "data_security_law.risk-report": {"risk_assessed": NOW - 366 * DAY - 1},
    "data_security_law.important-data-export": without("export-security-assessment"),
    "data_security_law.foreign-courts": without("authority-approval"),
    "network_data_2025.protection": without("multi-factor"),
    "network_data_2025.incident-plan": without("incident-plan"),
    "network_data_2025.provision-contract": without("transfer-records-kept-3-years"),
    "network_data_2025.ten-million": without("security-officer"),
    "network_data_2025.important-data-body": without("security-officer"),
    "network_data_2025.important-data-provision": without("important-data-assessment"),
    "network_data_2025.yearly-assessment": {"risk_assessed": NOW + 1},
    "network_data_2025.personal-export": without(
        "export-security-assessment", "export-certification", "export-standard-contract"
    ),
    "network_data_2025.important-export": without("export-security-assessment"),
    "human_genetic_resources.foreign-collecting": {"collects": True},
    "human_genetic_resources.ethics": {"ethics_expires": NOW},
    "human_genetic_resources.no-trade": {"sold": True},
    "human_genetic_resources.collection-approval": without("hgr-approval"),
    "human_genetic_resources.written-consent": {"consent": frozenset({"informed"})},
    "human_genetic_resources.foreign-cooperation": without("hgr-cooperation-approval"),
    "human_genetic_resources.partner-takes-part": without("partner-shares-records"),
    "human_genetic_resources.material-export": without("hgr-export-approval"),
    "human_genetic_resources.information-abroad": without("hgr-information-report"),
    "human_genetic_resources.security-review": {"genomes": 501, **without("hgr-security-review")},
    "ethics_review_2023.approved": {"ethics_expires": NOW},
    "ethics_review_2023.approved-with-waiver": {"ethics_expires": NOW},
    "ethics_review_2023.exempt-anonymous": {"commercial": True, **without("ethics-approval")},
    "ethics_review_2023.informed-consent": {"consent": frozenset({"informed"})},
    "ethics_review_2023.guardians": {"consent": frozenset({"written"}), **without("consent-waiver")},
    "ethics_review_2023.changed-research": {"consent": frozenset({"informed", "written"})},
    "ethics_review_2023.follow-up": {"ethics_reviewed": NOW - 366 * DAY - 1},
    "ethics_review_2023.registered": without("study-registration"),
    "dengbao_miping.level-filed": {"dengbao_level": 2},
    "dengbao_miping.level-3-assessed": {"dengbao_assessed": NOW - 366 * DAY - 1},
    "dengbao_miping.level-4-assessed": {"dengbao_assessed": NOW - 184 * DAY - 1},
    "dengbao_miping.logs": {"log_days": 183},
    "dengbao_miping.cryptography-assessed": without("commercial-cryptography"),
    "iso27799.policies": without("processing-rules"),
    "iso27799.organisation": without("security-officer"),
    "iso27799.people": without("training"),
    "iso27799.assets": without("asset-inventory"),
    "iso27799.access": without("multi-factor"),
    "iso27799.cryptography": without("encryption"),
    "iso27799.operations": without("care-access-log"),
    "iso27799.communications": without("network-segregation"),
    "iso27799.suppliers": without("supplier-control"),
    "iso27799.incidents": without("incident-plan"),
    "iso27799.continuity": without("continuity"),
    "gdpr.purpose-limitation": {"purposes": frozenset({"education"}), "consent": frozenset({"informed"})},
    "gdpr.minimisation": without("data-minimisation"),
    "gdpr.storage-limitation": LATE,
    "gdpr.lawful-ground": {"consent": frozenset({"explicit"})},
    "gdpr.withdrawal-as-easy": without("withdrawal-way"),
    "gdpr.special-categories": {"special_ground": "public-health"},
    "gdpr.information": without("privacy-notice"),
    "gdpr.rights": without("rights-way"),
    "gdpr.automated-decisions": without("human-review"),
    "gdpr.by-design": without("by-design"),
    "gdpr.joint-controllers": without("joint-arrangement"),
    "gdpr.processors": without("entrustment-contract"),
    "gdpr.records": without("processing-record"),
    "gdpr.security": without("encryption", "de-identification"),
    "gdpr.breaches": without("breach-notice"),
    "gdpr.impact-assessment": without("impact-assessment"),
    "gdpr.protection-officer": without("protection-officer"),
    "gdpr.third-countries": without("adequacy-decision", "transfer-safeguards", "transfer-derogation"),
    "gdpr.research-safeguards": {"outputs": "pseudonymised"},
    "hipaa.form-known": {"hipaa_form": "protected", "hipaa_ground": "none"},
    "hipaa.safe-harbor": {"identifiers": frozenset({"other-unique-code"})},
    "hipaa.expert-determination": without("expert-report"),
    "hipaa.re-identification-code": without("code-not-derived"),
    "hipaa.limited-data-set-identifiers": {"identifiers": frozenset({"dates", "street-address"})},
    "hipaa.limited-data-set-purpose": {"purposes": frozenset({"health-research", "any"})},
    "hipaa.limited-data-set-agreement": without("data-use-agreement"),
    "hipaa.authorization": {"consent": WRITTEN - {"recipient"}},
    "hipaa.waiver": without("waiver-documentation"),
    "hipaa.minimum-necessary": without("minimum-necessary"),
    "hipaa.genetic-underwriting": {"purposes": frozenset({"insurance-pricing"})},
    "hipaa.sale": {"sold": True},
    "hipaa.business-associate": without("business-associate-contract"),
    "hipaa.security-rule": without("backup"),
    "hipaa.breach-notification": without("breach-notice"),
    "hipaa.accounting": without("accounting-of-disclosures"),
    "ehds.allowed-purpose": {"purposes": frozenset({"health-research", "ancestry-research"})},
    "ehds.public-bodies": {"recipient_class": "university"},
    "ehds.no-detriment": {"purposes": frozenset({"health-research", "detrimental-decisions"})},
    "ehds.no-insurance-or-jobs": {"purposes": frozenset({"employment-decisions"})},
    "ehds.no-advertising": {"purposes": frozenset({"advertising"})},
    "ehds.no-harmful-products": {"purposes": frozenset({"harmful-products"})},
    "ehds.no-unethical-activities": {"purposes": frozenset({"unethical-activities"})},
    "ehds.no-re-identification": {"purposes": frozenset({"re-identification"})},
    "ehds.publish": {"duties": frozenset({"delete"})},
    "ehds.public-register": without("public-register"),
    "ehds.anonymous-by-default": {"identifiability": "identified"},
    "ehds.key-apart": without("key-held-by-authority"),
    "ehds.permit": {"permit_expires": NOW},
    "ehds.renewed-once": {"permit_extensions": 2},
    "ehds.deleted-after": {"duties": frozenset({"publish"})},
    "ehds.opt-out": without("opt-out-filter"),
    "ehds.secure-environment": {"environment": "own-system"},
    "ehds.logs-a-year": {"log_days": 365},
    "ehds.only-anonymous-leaves": {"outputs": "pseudonymised"},
    "ehds.incident-notice": without("incident-plan"),
}
"""What makes a rule violated that applies; rules that only ask a person are violated by a "no"."""


def satisfied(key: str) -> LawSubject:
    """A use to which the rule applies and which satisfies it."""
    return replace(GOOD, **SETTINGS.get(key, {}))


def violated(key: str) -> LawSubject:
    """The same use with what violates the rule."""
    setting = SETTINGS.get(key, {})
    change = dict(VIOLATIONS[key])
    for name in ("documents", "measures"):
        if name in change and name in setting:
            change[name] &= setting[name]
    return replace(satisfied(key), **change)


def answered(yes: bool = True, at: int = NOW) -> tuple[Answer, ...]:
    """One answer to every question of every pack."""
    return tuple(
        record_answer(rule, matter=GOOD.matter, yes=yes, by="did:example:dpo", at=at)
        for name in PACKS
        for rule in load_pack(name).rules
        if rule.question
    )


OWN = """version = 1
name = "own"
title = "Own rules"
title_zh = "本院规则"
status = "standard"
since = "2026-01-01"
jurisdiction = "CN-SH"
source = "The hospital"
"""
FEW = """[[rule]]
id = "few"
article = "Own rule 1"
words = "Few persons."
words_zh = "人数少。"
check = { fact = "persons", at_most = 100 }
remedy = "Ask for fewer."
"""
"""A hospital's own pack: its head, and a rule."""
