"""Parts of a data set's page: what was stated of it as charts, and its terms as codes of the Data Use Ontology."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from xinglin.catalogue.eligible import purposes_of
from xinglin.catalogue.entry import CatalogueEntry
from xinglin.console.charts import Bar, Chart, bars
from xinglin.console.charts.model import Say
from xinglin.terms.policy import Constraint, Logical, Policy
from xinglin.terms.purposes import PURPOSES
from xinglin.words import N_

FILLED_SHOWN = 24
Term = Callable[[str], str]


class Duo(msgspec.Struct, frozen=True):
    """A code of the Data Use Ontology that the terms come to; ``words``: English, translated when shown, or a purpose's
    key in the glossary."""

    short: str
    code: str
    words: str


_DUTIES = {
    "publish": Duo("PUB", "DUO:0000019", N_("results are published")),
    "collaborate": Duo("COL", "DUO:0000020", N_("with the provider as a partner")),
    "return": Duo("RTN", "DUO:0000029", N_("results are returned")),
    "obtainEthicsApproval": Duo("IRB", "DUO:0000021", N_("an ethics approval is needed")),
}
_OPERANDS = {
    "ethicsApproval": _DUTIES["obtainEthicsApproval"],
    "place": Duo("GS", "DUO:0000022", N_("in certain places alone")),
    "dateTime": Duo("TS", "DUO:0000025", N_("for a limited time")),
    "elapsedTime": Duo("TS", "DUO:0000025", N_("for a limited time")),
    "recipient": Duo("US", "DUO:0000026", N_("for named users alone")),
    "study": Duo("PS", "DUO:0000027", N_("for a named study alone")),
    "recipientClass": Duo("IS", "DUO:0000028", N_("for certain institutions alone")),
}
_PROHIBITED = {
    "commercialise": Duo("NCU", "DUO:0000046", N_("no commercial use")),
    "methodsDevelopment": Duo("NMDS", "DUO:0000015", N_("no development of methods")),
}


def duo_codes(policy: Policy | None) -> tuple[Duo, ...]:
    """What terms come to in codes of DUO: purposes that some study may have, then what narrows them."""
    if policy is None:
        return ()
    allowed = [code for code in purposes_of(policy, PURPOSES) if PURPOSES[code].duo and not PURPOSES[code].prohibited]
    found = [Duo("", PURPOSES[code].duo, f"purpose.{code}") for code in allowed]
    found = [msgspec.structs.replace(one, short=_SHORT.get(one.code, one.code)) for one in found]
    owed = [duty.action for rule in policy.permissions for duty in rule.duties] + [one.action for one in policy.duties]
    found += [_DUTIES[one] for one in owed if one in _DUTIES]
    named = {name for rule in policy.permissions for one in rule.constraints for name in _operands(one)}
    found += [_OPERANDS[one] for one in sorted(named) if one in _OPERANDS]
    found += [_PROHIBITED[one.action] for one in policy.prohibitions if one.action in _PROHIBITED]
    return tuple(dict.fromkeys(found))


_SHORT = {
    "DUO:0000004": "NRES",
    "DUO:0000042": "GRU",
    "DUO:0000006": "HMB",
    "DUO:0000007": "DS",
    "DUO:0000011": "POA",
    "DUO:0000043": "CC",
}


def quality_chart(entry: CatalogueEntry, say: Say, term: Term) -> Chart | None:
    """The published scorecard, a bar for each kind of check; None where nothing was stated."""
    if not entry.quality:
        return None
    found = [Bar(term(f"quality.{kind}"), score, f"{score} %") for kind, score in entry.quality.items()]
    return bars(say("Quality, per cent of checks passed"), found, counted=say("Passed"), named=say("Kind"), say=say)


def coverage(entry: CatalogueEntry, say: Say) -> Chart | None:
    """How much of each variable is filled, the least first; None where nothing was stated."""
    stated = sorted((one for one in entry.variables if one.filled_percent >= 0), key=lambda one: one.filled_percent)
    if not stated:
        return None
    found = [Bar(f"{one.table}.{one.name}", one.filled_percent, f"{one.filled_percent} %") for one in stated]
    title = say("How much of each variable is filled")
    return bars(title, found[:FILLED_SHOWN], counted=say("Filled"), named=say("Variable"), say=say)


def shares(entry: CatalogueEntry, say: Say, term: Term) -> list[Chart]:
    """Who the persons are: by sex, age and region, as far as it may be told."""
    titles = {"sex": say("Persons by sex"), "age": say("Persons by age"), "region": say("Persons by region")}
    charts = []
    for name, found in entry.population.items():
        labels = {one: f"{one}–{int(one) + 9}" if name == "age" and one.isdigit() else one for one in found}
        drawn = [Bar(labels[one], percent, f"{percent} %") for one, percent in found.items()]
        charts.append(bars(titles.get(name, term(name)), drawn, counted=say("Share"), named=say("Group"), say=say))
    return charts


def _operands(part: Constraint | Logical) -> set[str]:
    if isinstance(part, Logical):
        return {name for one in part.parts for name in _operands(one)}
    return {part.operand}
