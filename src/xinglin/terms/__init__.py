"""Terms: what is allowed, to whom, for what, and what is required for it.

*grades* L1–L3 with the *requirements* of each operation; *purposes* (a closed list, with their DUO
codes); *disclosure rules* as they are agreed; the *plan* of a run and the signed *use request*;
*decide*, the one evaluator, which answers from handed-in *facts* and fails closed. *Policies* are permissions,
prohibitions, duties and constraints from a closed *vocabulary*; they travel as *ODRL*, and a provider may *tighten*
them, never loosen.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "AgreedTerms": "agreed",
    "ACTIONS": "vocabulary",
    "Asked": "evaluate",
    "Constraint": "policy",
    "Diseases": "purposes",
    "Duty": "policy",
    "DUTIES": "vocabulary",
    "Logical": "policy",
    "OPERANDS": "vocabulary",
    "Permission": "policy",
    "Policy": "policy",
    "Prohibition": "policy",
    "canonical": "writing",
    "check_policy": "writing",
    "compile_policy": "evaluate",
    "from_odrl": "odrl",
    "nearest": "vocabulary",
    "read_odrl": "odrl",
    "to_odrl": "odrl",
    "tighten": "tighten",
    "CohortView": "agreed",
    "Peer": "agreed",
    "check_agreed": "agreed",
    "decide": "decide",
    "TermsError": "errors",
    "Facts": "facts",
    "AgreementFacts": "facts",
    "ApprovalFacts": "facts",
    "KeyStatus": "facts",
    "TouchedColumn": "facts",
    "CHECKPOINT_STALE_MS": "facts",
    "GRADES": "grades",
    "OPERATIONS": "grades",
    "REQUIREMENTS": "grades",
    "highest": "grades",
    "required": "grades",
    "BASES": "purposes",
    "PURPOSES": "purposes",
    "Purpose": "purposes",
    "check_purpose": "purposes",
    "covers": "purposes",
    "Plan": "request",
    "PLAN_PACKS": "request",
    "USE_REQUEST": "request",
    "UseRequest": "request",
    "check_plan": "request",
    "check_request": "request",
    "DisclosureRules": "thresholds",
    "strictest": "thresholds",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
