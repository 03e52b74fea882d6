"""Who says what a constraint asks for: by operand, at the connector and at the node's run and release.

In the catalogue a study states its own facts, the time and the grade apart; what it does not state stays open. What
nobody supplies is unknown everywhere, so a policy that asks for it denies, and says what to do.
"""

from __future__ import annotations

NOBODY = {
    "privacyBudget": "Agree without a privacy budget: this version answers exactly, adds no noise and spends none.",
    "payAmount": "Agree without a payment as a constraint: nobody here keeps an account; write it as a duty.",
}
"""Operands whose fact nobody can supply yet, with what to do."""

PERSON = "a person of the hospital, who vouches for it"

AT_THE_CONNECTOR = {
    "purpose": "the credential of a trusted issuer; else " + PERSON,
    "recipientClass": "the credential of a trusted issuer; else " + PERSON,
    "recipient": "the caller's proven identity",
    "dateTime": "the connector's clock",
    "openingHours": "the connector's clock",
    "elapsedTime": "the agreement's date and the clock, once there is one",
    "grade": "the published entry",
}
"""Who supplies the fact to the Dataspace Protocol's provider; an operand that is not here: ``PERSON``."""

AT_THE_NODE = {
    "purpose": "the signed request",
    "recipient": "the signed request",
    "recipientClass": "the roles of the recipients and their institutions in the log",
    "place": "the hospital's `node.toml`, declared",
    "network": "the hospital's `node.toml`, declared",
    "dateTime": "the node's clock",
    "openingHours": "the node's clock",
    "elapsedTime": "the agreement in the log, and the clock",
    "count": "the node's charges, over the chain of amendments and renewals",
    "study": "the signed plan",
    "population": "the agreement's cohort: every population that its SELECTs do not exclude in plain words",
    "variable": "the published columns that the agreement's views may read",
    "operation": "the signed request; the algorithm has to be of it",
    "outputType": "the algorithm",
    "kAnonymity": "the plan's minimum cell, where only counts and tables come out",
    "minimumCell": "the signed plan",
    "algorithm": "the plan: its name, and its digest with its parameters",
    "environment": "the hospital's `node.toml`, declared: `node` or `sandbox`, an attested enclave never",
    "ethicsApproval": "the committee's notice in the log and its signed document, where they cover this use",
    "consentBasis": "the hospital's word on the study",
    "securityAssessment": "reports registered at the node, signed by hospital or operator, in their time",
    "onwardTransfer": "the recipients: true where one is neither the agreement's consumer nor of its institution",
    "grade": "the published grades of these columns",
    "lawPack": "the packs that the hospital applies, all articles satisfied",
    "disclosurePack": "the signed plan: packs than which its disclosure rules are no looser, compared at the node",
}
"""Who supplies the fact when a run is decided, at each round, and at its release: always the node itself."""
