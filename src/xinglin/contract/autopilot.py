"""Auto-pilot for agreements: rules by which a node acts for its hospital, inside what it agreed to before.

A rule file is TOML. ``[[rule]]``: *on* an event, *do* something, for data sets and participants by pattern; the first
rule that holds is done, and where none does a person decides. ``accept`` names an ``[envelope.NAME]``: the most that
the hospital agreed to beforehand; it holds only for terms that are at least as strict in every point. Data of grade
L3 is never accepted by a rule. A date of a breach that the other party let pass is held for a person, or suspends.

    [[rule]]
    on = "offered"
    do = "accept"
    data_sets = ["heart*"]
    envelope = "statistics"

    [[rule]]
    on = "offered"
    do = "hold"
    reason = "The ethics committee is asked first."

    [envelope.statistics]
    grade = "L2"
    purposes = ["health-research"]
    operations = ["statistics"]
    variables = ["heart.*"]
    days = 400
    allowance = 50
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.contract.errors import BadRules
from xinglin.contract.faces.carried import policy_of
from xinglin.contract.study import Study
from xinglin.contract.templates.drafting import NAMES, load_template
from xinglin.contract.templates.drafting import policy_of as policy_by
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.terms import tighten
from xinglin.terms.grades import GRADES, OPERATIONS
from xinglin.terms.policy import Policy
from xinglin.terms.purposes import check_purpose, covers
from xinglin.terms.thresholds import DisclosureRules, at_least_as_strict
from xinglin.terms.vocabulary import ACTIONS, DUTIES

RULES = Limit("rules of an auto-pilot", 1_024, "rules")
RULES_BYTES = Limit("auto-pilot file", 256 * 1024, "bytes")
BREACH_OVERDUE = "breach-overdue"
DOES = {
    **dict.fromkeys(("offered", "amendment", "renewal"), ("accept", "hold", "refuse")),
    BREACH_OVERDUE: ("hold", "suspend"),
}
"""What came in, and what may be done: a new offer, one that amends an agreement, one that prolongs it; and a date of a
notice of breach that the other party let pass."""
EVENTS = tuple(DOES)
DAY_MS = 86_400_000

Does = Literal["accept", "hold", "refuse", "suspend"]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data_sets`` and ``participants`` are patterns (``*``, ``?``, ``[…]``) on names and on the consumer's DID."""

    on: str
    do: str
    data_sets: tuple[str, ...] = ("*",)
    participants: tuple[str, ...] = ("*",)
    envelope: str = ""
    reason: str = ""


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that is agreed to beforehand.

    ``variables``: patterns on ``table.column``. ``days``: from start to end. ``recipients``: patterns on DIDs, by
    default the consumer alone. ``peers``: the hospitals (DIDs) to be summed with are among these, by default any.
    ``cohorts``: digests of cohorts (``cohort_digest``), by default any over the named variables. ``prohibitions`` and
    ``duties``: words that the agreement's policy must hold without a condition. ``template``: a packaged template whose
    policy the agreement's is at least as strict as.
    """

    grade: str
    purposes: tuple[str, ...]
    operations: tuple[str, ...]
    variables: tuple[str, ...]
    days: int
    allowance: int
    rules: DisclosureRules = DisclosureRules()
    recipients: tuple[str, ...] = ()
    peers: tuple[str, ...] = ("*",)
    cohorts: tuple[str, ...] = ()
    prohibitions: tuple[str, ...] = ()
    duties: tuple[str, ...] = ()
    template: str = ""


class Autopilot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule file."""

    rule: tuple[Rule, ...] = ()
    envelope: dict[str, Envelope] = {}


class Tried(msgspec.Struct, frozen=True):
    """A rule, by its number from 1, and whether it holds for an offer."""

    number: int
    rule: Rule
    verdict: Verdict


class Answer(msgspec.Struct, frozen=True):
    """What is done, by which rule (0: none, so that a person decides), and how every rule fared."""

    do: Does
    number: int
    reason: str
    tried: tuple[Tried, ...]


def read_autopilot(text: str) -> Autopilot:
    """The rules of a TOML text; ``BadRules`` names everything in it that cannot be meant."""
    RULES_BYTES.check(len(text.encode("utf-8", "replace")))
    try:
        found = msgspec.convert(tomllib.loads(text), type=Autopilot)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadRules(f"Not a file of auto-pilot rules: {error}.") from error
    RULES.check(len(found.rule))
    problems = [problem for number, rule in enumerate(found.rule, 1) for problem in _problems(number, rule, found)]
    for name, envelope in found.envelope.items():
        problems += [f"Envelope '{name[:40]}': {problem}" for problem in _envelope_problems(envelope)]
    if problems:
        raise BadRules("The auto-pilot's rules cannot be meant.", why=" ".join(problems), remedy="Mend the file.")
    return found


def dead_rules(pilot: Autopilot) -> tuple[int, ...]:
    """Numbers of rules that never hold, since an earlier one without an envelope holds for whatever they are for."""
    dead = []
    for number, rule in enumerate(pilot.rule, 1):
        earlier = [one for one in pilot.rule[: number - 1] if one.on == rule.on and not one.envelope]
        if any(
            _wider(one.data_sets, rule.data_sets) and _wider(one.participants, rule.participants) for one in earlier
        ):
            dead.append(number)
    return tuple(dead)


def answer(pilot: Autopilot, event: str, agreement: Agreement) -> Answer:
    """What the rules do with an offer, or about a missed date: the first that holds, else a person is asked."""
    tried = tuple(
        Tried(number, rule, _holds(pilot, rule, event, agreement)) for number, rule in enumerate(pilot.rule, 1)
    )
    first = next((one for one in tried if one.verdict), None)
    if first is None:
        return Answer("hold", 0, "No rule holds: a person decides.", tried)
    return Answer(first.rule.do, first.number, first.rule.reason, tried)  # type: ignore[arg-type]


def within(envelope: Envelope, agreement: Agreement) -> Verdict:
    """Whether the agreement's terms are at least as strict as the envelope, with every reason why not."""
    terms = agreement.terms
    reasons = []
    if terms.grade not in GRADES or GRADES.index(terms.grade) > GRADES.index(envelope.grade):
        reasons.append(_out("grade", f"It covers grade {terms.grade[:8]}.", f"At most {envelope.grade}."))
    wider = [one for one in terms.purposes if not covers(envelope.purposes, one)]
    if wider:
        reasons.append(_out("purpose", "A purpose is wider or another.", f"Within {', '.join(envelope.purposes)}."))
    if not set(terms.operations) <= set(envelope.operations):
        reasons.append(_out("operation", "An operation is another.", f"Among {', '.join(envelope.operations)}."))
    outside = [name for name in terms.variables if not _any(envelope.variables, name)]
    if outside:
        reasons.append(_out("variable", f"{len(outside)} variables lie outside.", f"{', '.join(outside[:8])}."))
    if terms.expires - terms.not_before > envelope.days * DAY_MS:
        reasons.append(_out("days", "It lasts longer.", f"At most {envelope.days} days."))
    if terms.not_before > agreement.made + envelope.days * DAY_MS:
        reasons.append(_out("start", "It begins later than the envelope is long.", "Begin earlier."))
    if terms.allowance > envelope.allowance:
        reasons.append(_out("allowance", f"It allows {terms.allowance} answers.", f"At most {envelope.allowance}."))
    if not at_least_as_strict(terms.rules, envelope.rules):
        reasons.append(_out("rules", "Its disclosure rules are looser.", "State rules at least as strict."))
    return _parties(envelope, agreement, reasons)


def _parties(envelope: Envelope, agreement: Agreement, reasons: list[Reason]) -> Verdict:
    terms = agreement.terms
    readers = envelope.recipients or (agreement.consumer,)
    if not all(_any(readers, did) for did in terms.recipients):
        reasons.append(_out("recipient", "A recipient is another.", "Name the agreed recipients only."))
    if not all(_any(envelope.peers, peer.did) for peer in terms.peers):
        reasons.append(_out("peer", "A hospital to be summed with is another.", "Name the agreed hospitals only."))
    if envelope.cohorts and terms.cohort_digest not in envelope.cohorts:
        reasons.append(_out("cohort", "The cohort is another.", "Use an agreed cohort."))
    policy = terms.policy if isinstance(terms.policy, Policy) else Policy()
    forbidden = {one.action for one in policy.prohibitions if not one.constraints}
    owed = {one.action for one in policy.duties}
    missing = [*(set(envelope.prohibitions) - forbidden), *(set(envelope.duties) - owed)]
    if missing:
        reasons.append(_out("policy", f"Its policy lacks {', '.join(sorted(missing))}.", "Write them into the policy."))
    if envelope.template and not _by_template(envelope.template, agreement):
        words = f"Its policy is not surely as strict as that of the template '{envelope.template}'."
        reasons.append(_out("template", words, "Draft it by the template."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def _by_template(name: str, agreement: Agreement) -> bool:
    template, purposes = load_template(name), agreement.terms.purposes
    study = Study(agreement.study, agreement.study, agreement.consumer, agreement.consumer, purposes[0], "consent")
    return len(purposes) == 1 and tighten.at_least_as_strict(policy_of(agreement), policy_by(template, study))


def _holds(pilot: Autopilot, rule: Rule, event: str, agreement: Agreement) -> Verdict:
    if rule.on != event:
        return deny("autopilot.event", f"It is for '{rule.on}', and this is '{event}'.")
    if not _any(rule.data_sets, agreement.data_set):
        return deny("autopilot.data_set", "It is for other data sets.")
    if not _any(rule.participants, agreement.consumer):
        return deny("autopilot.participant", "It is for other participants.")
    if not rule.envelope:
        return Allowed()
    return within(pilot.envelope[rule.envelope], agreement)


def _any(patterns: tuple[str, ...], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _shadows(earlier: Rule, rule: Rule) -> bool:
    return _wider(earlier.data_sets, rule.data_sets) and _wider(earlier.participants, rule.participants)


def _wider(patterns: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return all("*" in patterns or other in patterns for other in others)


def _out(code: str, words: str, remedy: str) -> Reason:
    return Reason(f"autopilot.outside_{code}", words, remedy)


def _problems(number: int, rule: Rule, pilot: Autopilot) -> list[str]:
    found = []
    if rule.on not in EVENTS:
        found.append(f"'on' is one of {', '.join(EVENTS)}.")
    elif rule.do not in DOES[rule.on]:
        found.append(f"'do' is one of {', '.join(DOES[rule.on])}.")
    if rule.do == "accept" and not rule.envelope:
        found.append("'accept' names an envelope.")
    if rule.envelope and rule.envelope not in pilot.envelope:
        found.append(f"there is no envelope '{rule.envelope[:40]}'.")
    if rule.do in ("refuse", "suspend") and not rule.reason.strip():
        found.append(f"'{rule.do}' gives its reason.")
    if rule.on == BREACH_OVERDUE and rule.envelope:
        found.append("an envelope is for offers.")
    if not rule.data_sets or not rule.participants:
        found.append("patterns are not left empty.")
    envelope = pilot.envelope.get(rule.envelope)
    if rule.do == "accept" and envelope is not None and envelope.grade == "L3":
        found.append("data of grade L3 is never accepted by a rule.")
    return [f"Rule {number}: {problem}" for problem in found]


def _envelope_problems(envelope: Envelope) -> list[str]:
    found = []
    if envelope.grade not in GRADES:
        found.append(f"'grade' is one of {', '.join(GRADES)}.")
    if not envelope.purposes or not all(check_purpose(one) for one in envelope.purposes):
        found.append("a purpose is not known, or none is named.")
    if not envelope.operations or not set(envelope.operations) <= set(OPERATIONS):
        found.append(f"operations are some of {', '.join(OPERATIONS)}.")
    if not envelope.variables or envelope.days < 1 or envelope.allowance < 1:
        found.append("variables, days and allowance are stated.")
    if envelope.template and envelope.template not in NAMES:
        found.append(f"there is no template '{envelope.template[:40]}'.")
    if not set(envelope.prohibitions) <= set(ACTIONS) or not set(envelope.duties) <= set(DUTIES):
        found.append("a prohibition or a duty is not known.")
    return found
