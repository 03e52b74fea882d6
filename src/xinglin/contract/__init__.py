"""Contract: what two parties signed, and in what state it is.

A *study* asks, by one signed *application*; an *agreement* between it and one hospital carries the agreed terms, is
signed by both sides and is named by its digest; *negotiation* is its state table, from *offered* to its end. What
happens to it in force is a *change*, a signed leaf; *standings* are replayed from the leaves. *Templates* draft it,
*faces* show it to others, an *auto-pilot* answers offers by rules.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "AGREEMENT": "agreement",
    "Agreement": "agreement",
    "SignedAgreement": "agreement",
    "agreement_facts": "agreement",
    "check_agreement": "agreement",
    "open_agreement": "agreement",
    "open_offer": "agreement",
    "sign_agreement": "agreement",
    "ContractError": "errors",
    "NotThisAgreement": "errors",
    "AGREEMENT_STATES": "negotiation",
    "BREACHES": "breach",
    "BREACH_STATES": "negotiation",
    "BlastRadius": "radius",
    "BreachAnswer": "breach",
    "BreachNotice": "breach",
    "CASE_STATES": "negotiation",
    "Case": "breach",
    "Change": "changes",
    "History": "replay",
    "KIND_OF": "changes",
    "NotThisChange": "errors",
    "NotThisNotice": "errors",
    "Standings": "replay",
    "cases": "breach",
    "check_notice": "breach",
    "check_replacement": "lifecycle",
    "may_change": "replay",
    "open_change": "changes",
    "replacement_event": "lifecycle",
    "replay": "replay",
    "sign_change": "changes",
    "Standing": "negotiation",
    "standing_at": "negotiation",
    "APPLICATION": "study",
    "Application": "study",
    "Study": "study",
    "check_study": "study",
    "check_application": "study",
    "draft": "templates.drafting",
    "load_template": "templates.drafting",
    "check_offer_of": "templates.drafting",
    "offers": "templates.drafting",
    "open_paper": "breach",
    "sign_paper": "breach",
    "open_application": "study",
    "sign_application": "study",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
