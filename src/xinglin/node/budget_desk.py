"""The officer's verb about budgets of privacy: what is spent and left, caps, and the chain held against its entries."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.budgets import POLICY_DELTA, NodeBudgets, decimal_up, rho_text
from xinglin.node.wiring import Node
from xinglin.privacy.noise.accounting import LARGEST_RHO_UNITS, to_epsilon
from xinglin.privacy.noise.budget import EVERYBODY, Entry, Scope
from xinglin.privacy.noise.errors import BrokenChain
from xinglin.terms.noise_asked import RHO_UNIT, exact
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

BUDGET_VERBS = ("budget",)
STEPS = ("show", "cap", "inherit")
SHOWN = Limit("entries of a budget's history shown", 1_000, "entries")


async def answer_about_budgets(node: Node, call: DeskCall) -> object:
    """One of ``STEPS``; each says how the data set's budgets stand afterwards, or those of every published one."""
    given, budgets = call.arguments, node.desk.budgets
    step, data_set = given.get("step", "show"), given.get("data_set", "")
    if step not in STEPS:
        raise Refused(deny("node.unknown_step", "The desk knows no such step.", f"Known: {', '.join(STEPS)}.").reasons)
    if data_set and data_set not in node.tables.published:
        words = f"'{data_set[:80]}' is not published here."
        raise Refused(deny("node.not_published", words, "See what is: xinglin node tables.").reasons)
    if step == "cap":
        units = int(exact(given.get("rho", "")) * RHO_UNIT)
        _done(budgets.set_cap(data_set, given.get("study", ""), min(units, LARGEST_RHO_UNITS)))
    elif step == "inherit":
        _done(budgets.inherit(data_set, given.get("of", "")))
    chosen = (data_set,) if data_set else tuple(sorted(node.tables.published))
    most = SHOWN.value if given.get("entries") else 0
    begun = budgets.begun()
    return [_standing(budgets, name, most) if name in begun else _untouched(budgets, name) for name in chosen]


def _standing(budgets: NodeBudgets, data_set: str, most: int) -> dict[str, object]:
    """The scopes of a data set; ``broken`` says why the chain does not hold, where it does not."""
    broken = ""
    entries: tuple[Entry, ...] = ()
    try:
        entries = budgets.entries(data_set)
    except BrokenChain as error:
        broken = f"{error.what} {error.why}".strip()
    forecast = None if broken else budgets.forecast(data_set)
    return {
        "data_set": data_set,
        "scopes": [_scope(one) for one in budgets.known(data_set)],
        "a_new_study": rho_text(budgets.scopes(data_set, "")[0].cap),
        "entries": len(entries),
        "head": entries[-1].hash if entries else "",
        "whole": not broken,
        "broken": broken,
        "days_left": forecast.days_left if forecast is not None else -1,
        "history": [_entry(one) for one in entries[-most:]] if most else [],
    }


def _untouched(budgets: NodeBudgets, data_set: str) -> dict[str, object]:
    """As ``_standing`` has it of a data set of whose budget nothing was set or spent: of many, most are."""
    return {
        "data_set": data_set,
        "scopes": [_scope(budgets.untouched(data_set))],
        "a_new_study": rho_text(budgets.new_study()),
        "entries": 0,
        "head": "",
        "whole": True,
        "broken": "",
        "days_left": -1,
        "history": [],
    }


@lru_cache(1024)
def _epsilon(rho_units: int) -> str:
    return decimal_up(to_epsilon(rho_units, POLICY_DELTA))


def _scope(one: Scope) -> dict[str, object]:
    return {
        "study": "everybody" if one.study == EVERYBODY else one.study,
        "cap_rho": rho_text(one.cap),
        "spent_rho": rho_text(one.spent),
        "reserved_rho": rho_text(one.reserved),
        "left_rho": rho_text(one.left),
        "epsilon_spent": _epsilon(one.spent),
        "epsilon_cap": _epsilon(one.cap),
        "delta": str(POLICY_DELTA),
    }


def _entry(one: Entry) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(one)
    return plain


def _done(verdict: object) -> None:
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
